"""The whole, on texts that nobody has chosen: generated, mutated and real Dockerfiles through check and fix.

Real files: one in eight of the corpus, all with ARCHPATCH_FULL=1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archpatch import registry
from archpatch.engine import Outcome, Settings, check, fix
from archpatch.facts import FolderContext
from archpatch.rule import Style
from archpatch.syntax.parse import parse
from archpatch.text import Applicability, encode
from tests.conftest import FULL, examples

RULES = registry.load()
FIXTURES = Path(__file__).parent.parent / "fixtures"
LEVELS = (Applicability.SAFE, Applicability.UNSAFE)
PARTS = 16

calm = settings(
    max_examples=examples(60, 2000),
    deadline=None,
    derandomize=not FULL,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def mend(source: bytes, style: Style, level: Applicability, path: Path = Path("Dockerfile")) -> Outcome:
    context = FolderContext(path.parent) if path.is_absolute() else None
    return fix(parse(source, path), RULES, Settings(style=style), context, level)


def settles(source: bytes, style: Style, level: Applicability) -> None:
    """Nothing fails, no byte of the pieces is lost, and a second fix changes nothing."""
    document = parse(source)
    assert b"".join(piece.span.of(source) for piece in document.pieces) == source
    check(document, RULES, Settings(style=style))
    mended = mend(source, style, level).source
    assert mend(mended, style, level).source == mended


styles = st.sampled_from(Style)
levels = st.sampled_from(LEVELS)

# A grammar that meets the rules often: names that mean something, put together by chance.
ARCHES = ("amd64", "arm64", "x86_64", "aarch64", "x64", "linux/amd64", "linux/arm64", "linux/arm/v7")
AUTOMATIC = tuple(
    f"{side}{what}" for side in ("TARGET", "BUILD") for what in ("PLATFORM", "ARCH", "OS", "VARIANT")
)
arches = st.sampled_from(ARCHES)
automatic = st.sampled_from(AUTOMATIC)
values = st.one_of(
    arches,
    automatic.map("${}".format),
    st.builds("${{{}:-{}}}".format, automatic, arches),
    st.builds("${{{}#*/}}".format, automatic),
    st.sampled_from(("", '""', "'x y'", "$UNKNOWN", "1.2.3", "$(uname -m)", "`arch`")),
)
names = st.sampled_from(("base", "build", "Final", "amd64", "x-arm64", "0"))
images = st.one_of(
    st.sampled_from(
        ("python:3.12-alpine", "golang:1.23", "node:22", "scratch", "amd64/debian", "alpine", "debian:bookworm@sha256:0",
         "mcr.microsoft.com/dotnet/sdk:9.0", "mcr.microsoft.com/windows/nanoserver", "ubuntu:24.04")
    ),
    names,
    st.builds("x-{}".format, values),
)  # fmt: skip
commands = st.one_of(
    st.sampled_from(
        ("apk add --no-cache gcc", "apk update && apk add --no-cache g++ linux-headers", "pip install -r requirements.txt",
         "apt-get install -y libc6:amd64", "dpkg --add-architecture i386", "npm ci", "true", "go build -o /a .",
         "dotnet publish -r linux-x64 -c release", "gcc -m64 -march=native a.c", "chmod +x /usr/bin/a", "cd /src",
         "echo 'deb [arch=amd64] https://x/ y main' > /etc/apt/sources.list.d/x.list", "export GOARCH=amd64",
         "python3 -c 'import platform; print(platform.machine())'", "cat /etc/os-release | grep x86_64",
         "[ \"$TARGETARCH\" = amd64 ] && echo yes", "GOARCH=amd64 go install ./...", "yum install -y a.x86_64")
    ),
    st.builds("curl -fsSL https://example.com/v1/tool-linux-{}.tar.gz | tar xz".format, values),
    st.builds("wget -q https://github.com/o/r/releases/download/v1.0/tool_{}.zip".format, arches),
    st.builds('case "{}" in amd64) A=x64 ;; {}) A=arm ;; esac'.format, values, arches),
    st.builds("CGO_ENABLED=0 GOOS=linux GOARCH={} go build -o /a".format, values),
    st.builds("if [ {} = {} ]; then echo a; else echo b; fi".format, values, arches),
)  # fmt: skip
joints = st.sampled_from((" && ", " \\\n    && ", "; ", " \\\n# why\n    && ", " || ", " \\\n\n  && ", " | "))


@st.composite
def runs(draw: st.DrawFn) -> str:
    parts = draw(st.lists(commands, min_size=1, max_size=4))
    text = parts[0] + "".join(draw(joints) + part for part in parts[1:])
    shape = draw(st.sampled_from(("RUN {}", "RUN --mount=type=cache,target=/c {}", "RUN <<EOF\n{}\nEOF", "run {}",
                                  'RUN ["sh", "-c", "{}"]', "RUN sh -c '{}'", "ONBUILD RUN {}", "RUN <<-'E' bash\n\t{}\nE")))  # fmt: skip
    return shape.format(text)


instructions = st.one_of(
    runs(),
    st.builds("ARG {}".format, automatic),
    st.builds("ARG {}={}".format, automatic, values),
    st.builds("ENV GOARCH={} A={}".format, values, values),
    st.builds("ENV JAVA_HOME /usr/lib/jvm/java-17-openjdk-{}".format, values),
    st.builds("COPY --from={} /usr/lib/{}-linux-gnu/a.so /b/".format, names, values),
    st.builds("COPY bin/{}/tool /usr/bin/tool".format, values),
    st.builds("ADD https://example.com/tool-{} /usr/bin/tool".format, values),
    st.sampled_from(
        ("WORKDIR /src", "USER app", "# archpatch: ignore[AP1] because", "# a comment", "", "SHELL [\"bash\", \"-c\"]",
         "ENTRYPOINT [\"/a-linux-amd64\"]", "CMD a-$TARGETARCH", "COPY . .", "HEALTHCHECK CMD a", "LABEL a=amd64")
    ),
)  # fmt: skip
heads = st.one_of(
    st.builds("FROM {}".format, images),
    st.builds("FROM {} AS {}".format, images, names),
    st.builds("FROM --platform={} {}".format, values, images),
    st.builds("FROM --platform={} {} AS {}".format, values, images, names),
)
stages = st.builds(lambda head, body: [head, *body], heads, st.lists(instructions, max_size=5))


@st.composite
def dockerfiles(draw: st.DrawFn) -> bytes:
    lines = [
        *draw(st.lists(st.sampled_from(("# syntax=docker/dockerfile:1", "# a licence", "# escape=\\", "")), max_size=2)),
        *draw(st.lists(st.builds("ARG {}={}".format, automatic, values), max_size=2)),
        *(line for stage in draw(st.lists(stages, min_size=1, max_size=4)) for line in stage),
    ]  # fmt: skip
    newline = draw(st.sampled_from(("\n", "\n", "\r\n")))
    text = (
        newline.join(lines).replace("\n", newline)
        if newline == "\n"
        else "\n".join(lines).replace("\n", "\r\n")
    )
    return (
        draw(st.sampled_from((b"", b"", b"\xef\xbb\xbf")))
        + (text + draw(st.sampled_from((newline, "")))).encode()
    )


@calm
@given(dockerfiles(), styles, levels)
def test_a_generated_file_is_read_checked_and_mended_once(
    source: bytes, style: Style, level: Applicability
) -> None:
    settles(source, style, level)


SEEDS = [path.read_bytes() for path in sorted(FIXTURES.rglob("Dockerfile*"))]
SEEDS += [encode(example.before) for rule in RULES for example in rule.examples]
SEEDS += [encode(example.after) for rule in RULES for example in rule.examples if example.after]
SPLICES = (b"\\\n", b"\n", b" ", b"$", b'"', b"'", b"<<EOF", b"\x00", b"\xff", b"\r", b"#", b"`", b"${", b"}", b"&&", b"[",
           b"FROM ", b"ARG TARGETARCH\n", b"--platform=", b"amd64", b"\t", b"\xef\xbb\xbf", b"ONBUILD ", b"(", b"|")  # fmt: skip


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A file with a few bytes cut out, put in, or taken from another."""
    source = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(source)))
        end = min(len(source), start + draw(st.sampled_from((0, 0, 1, 5, 40))))
        splice = draw(
            st.one_of(
                st.sampled_from(SPLICES), st.sampled_from(SEEDS).map(lambda seed: seed[:80]), st.just(b"")
            )
        )
        source = source[:start] + splice + source[end:]
    return source


@calm
@given(mutants(), styles, levels)
@example(
    b"FROM golang:1.23\nENV \xffGOARCH=amd64\nRUN go build -o /app .\n", Style.MINIMAL, Applicability.SAFE
)
def test_a_mutated_file_is_read_checked_and_mended_once(
    source: bytes, style: Style, level: Applicability
) -> None:
    settles(source, style, level)


def real_files(corpus: Path, part: int) -> Iterator[Path]:
    """A part of the corpus."""
    files = sorted(path for path in (corpus / "real").rglob("*") if path.is_file())
    yield from files[part :: PARTS * (1 if FULL else 8)]


def accepted(source: bytes) -> bool:
    """Whether Moby's parser takes the file."""
    dockerfile = pytest.importorskip("dockerfile", reason="Moby's parser has no wheel for this machine")
    try:
        return bool(dockerfile.parse_string(source.decode("utf-8", "replace")))
    except dockerfile.GoParseError:
        return False


def unexplained(before: bytes, outcome: Outcome) -> list[bytes]:
    """New lines that no edit accounts for: neither text of one, nor an old line with something taken out."""
    old, new = before.splitlines(), outcome.source.splitlines()
    texts = [
        edit.text for finding in outcome.applied if finding.fix for edit in finding.fix.edits if not edit.path
    ]
    words = [word for text in texts for word in text.split()]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    strange = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        for line in new[c:d]:
            rest = line
            for word in sorted(words, key=len, reverse=True):
                rest = rest.replace(word, b" ")
            if not all(any(word in gone for gone in old[a:b]) for word in rest.split()):
                strange.append(line)
    return strange


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("style", Style, ids=lambda style: style.value)
@pytest.mark.parametrize("part", range(PARTS))
def test_real_files_are_mended_once_in_place_and_stay_what_moby_reads(
    corpus: Path, part: int, style: Style, level: Applicability
) -> None:
    for path in real_files(corpus, part):
        source = path.read_bytes()
        outcome = mend(source, style, level, path)
        if outcome.source == source:
            continue
        again = mend(outcome.source, style, level, path)
        assert again.source == outcome.source, f"a second fix changes {path}"
        assert not unexplained(source, outcome), path
        assert accepted(outcome.source) or not accepted(source), f"Moby no longer reads {path}"
        if b"\n" not in source.replace(b"\r\n", b""):
            assert b"\n" not in outcome.source.replace(b"\r\n", b""), f"line ends of {path}"
