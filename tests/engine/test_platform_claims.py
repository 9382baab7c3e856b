"""What the facts claim of platforms and variables, against what BuildKit builds.

Two Dockerfiles are built for linux/amd64 and linux/arm64. Each of their stages writes down what it sees; the last
stage collects the notes and one program of each stage. Every note must be what `Facts.value` says of the same
words, every program of the architecture that `StageFacts.platform` says.
"""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.platforms import AMD64, ARM64, DEFAULT_TARGETS, Platform
from archpatch.syntax.parse import parse

pytestmark = pytest.mark.engine

IMAGE = "debian:bookworm-slim"
NOTE = (
    'RUN echo "uname=$(uname -m) dpkg=$(dpkg --print-architecture) TP=[$TARGETPLATFORM] TO=[$TARGETOS]'
    " TA=[$TARGETARCH] TV=[$TARGETVARIANT] BP=[$BUILDPLATFORM] BA=[$BUILDARCH]"
    ' ARCH=[$ARCH] A=[$A] B=[$B] C=[$C]" > /note'
)
KNOWN = "ENV ARCH= A= B= C="  # so that facts need not wonder about the image's environment

WORDS = (
    "${TARGETPLATFORM//\\//-}",
    "${TARGETPLATFORM##*/}",
    "${TARGETARCH%%64}",
    "${TARGETARCH/amd64/x86_64}",
    "${TARGETVARIANT:-none}",
    "${TARGETVARIANT-none}",
    "${TARGETARCH:+set}",
    "${TARGETOS:-undeclared}",
    "${BUILDARCH+undeclared}",
    "$W",
)

PLAIN = f"""\
ARG TARGETPLATFORM
ARG TARGETARCH
ARG ARM=linux/arm64
ARG PICKED=${{TARGETARCH}}
ARG IMAGE={IMAGE}

# S1, S2: nothing is visible before it is declared in the stage, whatever is declared above
FROM {IMAGE} AS undeclared
{KNOWN}
{NOTE}
FROM {IMAGE} AS declared
{KNOWN}
ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT
ARG BUILDPLATFORM
ARG BUILDARCH
{NOTE}
FROM declared AS inherits
{NOTE}
FROM {IMAGE} AS late
{KNOWN}
{NOTE}
ARG TARGETARCH

# S4: a default replaces the automatic value
FROM {IMAGE} AS defaults
{KNOWN}
ARG TARGETARCH=riscv64
ARG TARGETPLATFORM=linux/riscv64
ARG TARGETOS=""
ARG TARGETVARIANT=$TARGETVARIANT
{NOTE}

# S6: who wins
FROM {IMAGE} AS env-then-arg
{KNOWN}
ENV TARGETARCH=env A=env B=env
ARG TARGETARCH
ARG A=arg
ARG B
{NOTE}
FROM {IMAGE} AS arg-then-env
{KNOWN}
ARG TARGETARCH
ENV TARGETARCH=env
{NOTE}
FROM declared AS child-overrides
ARG TARGETARCH=mine
ENV A=$TARGETARCH
{NOTE}
FROM {IMAGE} AS passed-on
{KNOWN}
ARG TARGETARCH
ARG ARCH=${{TARGETARCH}}
ENV A=linux-${{ARCH}} B=$A
ENV C=${{TARGETARCH/amd64/x86_64}}
{NOTE}
FROM {IMAGE} AS one-line
{KNOWN}
ARG A=1 B=$A
ENV C=2 ARCH=$C
{NOTE}
FROM {IMAGE} AS triggers
{KNOWN}
ONBUILD ARG TARGETARCH
ONBUILD ENV A=$TARGETARCH
{NOTE}
FROM triggers AS triggered
{NOTE}

# S7: a flag on a stage reference is ignored
FROM --platform=linux/arm64 declared AS flag-on-stage
{NOTE}
FROM --platform=$BUILDPLATFORM declared AS build-flag-on-stage
{NOTE}

# S8, S17: what a flag may say
FROM --platform=$BUILDPLATFORM {IMAGE} AS on-builder
{KNOWN}
ARG TARGETARCH BUILDARCH
{NOTE}
FROM --platform=$TARGETPLATFORM on-builder AS still-on-builder
{NOTE}
FROM --platform=${{BUILDPLATFORM:-linux/arm64}} {IMAGE} AS on-builder-by-default
{KNOWN}
{NOTE}
FROM --platform=linux/$BUILDARCH {IMAGE} AS on-build-arch
{KNOWN}
{NOTE}
FROM --platform=linux/${{TARGETARCH}} {IMAGE} AS on-target-arch
{KNOWN}
{NOTE}
FROM --platform=${{TARGETPLATFORM/arm64/amd64}} {IMAGE} AS computed
{KNOWN}
{NOTE}
FROM --platform=aarch64 {IMAGE} AS constant
{KNOWN}
ARG TARGETARCH
{NOTE}
FROM --platform='linux/arm64/v8' $IMAGE AS constant-quoted
{KNOWN}
{NOTE}
FROM --platform=$ARM {IMAGE} AS constant-by-arg
{KNOWN}
{NOTE}

# S9, S10: names, and families
FROM {IMAGE} AS Member-AMD64
{KNOWN}
ENV A=first
FROM --platform=linux/amd64 {IMAGE} AS member-arm64
{KNOWN}
ENV A=second
FROM member-${{TARGETARCH}} AS family
{NOTE}
FROM member-$PICKED AS family-by-arg
ARG PICKED
ARG B=$PICKED
{NOTE}

# S11: an image is resolved for the target, wherever it is copied to
FROM --platform=$BUILDPLATFORM {IMAGE} AS takes-image
{KNOWN}
COPY --from={IMAGE} /usr/bin/true /usr/bin/true
RUN --mount=type=bind,from={IMAGE},source=/usr/bin,target=/mnt cp /mnt/false /usr/bin/false
{NOTE}

# S18: what BuildKit expands without a shell
FROM scratch AS words
ARG TARGETPLATFORM TARGETARCH TARGETVARIANT
ENV W=${{TARGETARCH}}-of-${{TARGETOS:-nowhere}}
COPY <<EOF /words/${{TARGETARCH}}
WORDS
EOF

# S16: a stage that nothing needs is not even resolved
FROM 127.0.0.1:9/there/is:none AS unreached
""".replace("WORDS", "\n".join(WORDS))

PINNED = f"""\
ARG TARGETARCH=riscv64
ARG TARGETPLATFORM=linux/arm64
ARG BUILDPLATFORM=linux/arm64 TARGETOS=plan9
ARG A=$TARGETARCH

# S3: a global default replaces the automatic value in FROM and in every stage
FROM {IMAGE} AS without-flag
{KNOWN}
ARG TARGETARCH TARGETPLATFORM BUILDPLATFORM TARGETOS A
{NOTE}
FROM --platform=$TARGETPLATFORM {IMAGE} AS pinned-target
{KNOWN}
ARG TARGETARCH=mine
{NOTE}
FROM --platform=$BUILDPLATFORM {IMAGE} AS pinned-builder
{KNOWN}
ARG BUILDARCH
{NOTE}
"""

MACHINE = {"amd64": 0x3E, "arm64": 0xB7}


def _facts(text: str) -> Facts:
    return Facts(parse(text.encode()), DEFAULT_TARGETS)


def _collecting(text: str) -> str:
    """The file with a last stage that takes a note and two programs of every stage that writes a note."""
    lines = ["FROM scratch"]
    for stage in _facts(text).stages:
        if stage.runs:
            for path in ("note", "usr/bin/true", "usr/bin/false"):
                lines.append(f"COPY --from={stage.name} /{path} /{stage.name}/{Path(path).name}")
        if stage.name == "words":
            lines.append("COPY --from=words /words /words")
    return text + "\n".join(lines) + "\n"


class Built:
    """A Dockerfile, its facts, and what a build of it for both platforms put out."""

    def __init__(self, text: str, folder: Path) -> None:
        self.facts = _facts(text)
        self.folder = folder

    def stage(self, name: str) -> StageFacts:
        return next(stage for stage in self.facts.stages if stage.name == name)

    def file(self, name: str, path: str, target: Platform) -> bytes:
        return (self.folder / str(target).replace("/", "_") / name / path).read_bytes()


def _build(text: str, folder: Path) -> Built:
    text = _collecting(text)
    command = ["docker", "buildx", "build", "--provenance=false", "--sbom=false", "--progress=plain"]
    command += [
        "--platform",
        ",".join(map(str, DEFAULT_TARGETS)),
        "--output",
        f"type=local,dest={folder}",
        "-",
    ]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return Built(text, folder)


@pytest.fixture(scope="module")
def plain(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return _build(PLAIN, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def pinned(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return _build(PINNED, tmp_path_factory.mktemp("pinned"))


@pytest.fixture
def built(request: pytest.FixtureRequest, fixture: str) -> Built:
    found = request.getfixturevalue(fixture)
    assert isinstance(found, Built)
    return found


NOTES = [
    pytest.param(fixture, stage.name, target, id=f"{fixture}-{stage.name}-{target.arch}")
    for fixture, text in (("plain", PLAIN), ("pinned", PINNED))
    for stage in _facts(text).stages
    if stage.runs
    for target in DEFAULT_TARGETS
]


@pytest.mark.parametrize(("fixture", "name", "target"), NOTES)
def test_a_stage_sees_what_the_facts_say(built: Built, name: str, target: Platform) -> None:
    stage = built.stage(name)
    echo = next(one for one in reversed(stage.commands) if one.shell.name == "echo")
    value = built.facts.value(echo, echo.shell.arguments[0], target)
    assert value.text == built.file(name, "note", target).decode().strip()


@pytest.mark.parametrize(("fixture", "name", "target"), NOTES)
def test_the_programs_of_a_stage_are_for_the_platform_that_the_facts_say(
    built: Built, name: str, target: Platform
) -> None:
    platform = built.stage(name).platform(target).platform
    if name == "takes-image":
        uses = [
            use for use in built.facts.images if use.stage.name == name and use.instruction.keyword != "FROM"
        ]
        assert [use.platform(target).platform for use in uses] == [target, target]
        platform = target
    assert platform is not None
    for program in ("true", "false"):
        (machine,) = struct.unpack_from("<H", built.file(name, program, target), 18)
        assert machine == MACHINE[platform.arch]


KINDS = {
    "declared": PlatformKind.TARGET,
    "flag-on-stage": PlatformKind.TARGET,
    "build-flag-on-stage": PlatformKind.TARGET,
    "on-builder": PlatformKind.BUILD,
    "still-on-builder": PlatformKind.BUILD,
    "on-builder-by-default": PlatformKind.BUILD,
    "on-build-arch": PlatformKind.BUILD,
    "on-target-arch": PlatformKind.TARGET,
    "computed": PlatformKind.UNKNOWN,
    "constant": PlatformKind.CONSTANT,
    "constant-quoted": PlatformKind.CONSTANT,
    "constant-by-arg": PlatformKind.CONSTANT,
    "family": PlatformKind.UNKNOWN,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_a_platform_follows_what_the_facts_say(plain: Built, name: str, kind: PlatformKind) -> None:
    stage = plain.stage(name)
    assert stage.kind is kind
    seen = {
        target: re.findall(rb"uname=(\w+)", plain.file(name, "note", target)) for target in DEFAULT_TARGETS
    }
    assert (seen[AMD64] == seen[ARM64]) == (
        kind in (PlatformKind.BUILD, PlatformKind.CONSTANT, PlatformKind.UNKNOWN)
    )


@pytest.mark.parametrize("target", DEFAULT_TARGETS, ids=str)
def test_words_expand_as_buildkit_expands_them(plain: Built, target: Platform) -> None:
    stage = plain.stage("words")
    scope = plain.facts.scope(stage.body[-1], target)
    lines = plain.file("words", target.arch, target).decode().splitlines()
    assert [scope.expand(word).text for word in WORDS] == lines


def test_global_defaults_make_constants(pinned: Built) -> None:
    for name in ("pinned-target", "pinned-builder"):
        stage = pinned.stage(name)
        assert stage.kind is PlatformKind.CONSTANT
        origin = stage.platform(AMD64).origin
        assert origin is not None
        assert origin.name in ("TARGETPLATFORM", "BUILDPLATFORM")


def test_what_is_not_reached_is_not_resolved(plain: Built) -> None:
    assert not plain.stage("unreached").reached
    assert plain.stage("member-arm64").targets == {ARM64}
    assert plain.stage("member-amd64").targets == {AMD64}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(f"FROM {IMAGE} AS base\nFROM BASE\n", "must be lowercase", id="capitals in a reference"),
        pytest.param(
            f"FROM {IMAGE}\nARG P=linux/amd64\nFROM --platform=$P {IMAGE}\n",
            "empty platform value",
            id="ARG of a stage is unknown to FROM",
        ),
        pytest.param(
            f"FROM --platform=linux/$UNSET {IMAGE}\n", "invalid component", id="a platform with an empty part"
        ),
    ],
)
def test_what_buildkit_rejects_is_no_known_platform_or_parent(text: str, said: str) -> None:
    facts = _facts(text)
    final = facts.final
    assert final is not None
    assert final.parent is None
    if "--platform" in text:
        assert final.kind is PlatformKind.UNKNOWN
    done = subprocess.run(
        ["docker", "buildx", "build", "-"], input=text.encode(), capture_output=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert said in done.stderr.decode()
