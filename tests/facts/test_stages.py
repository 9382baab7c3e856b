"""The graph of stages, the platform of each, and who uses whose files."""

from __future__ import annotations

import pytest

from archpatch.facts import ImageUseKind, PlatformKind, StageFacts, VariableKind, source_of
from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.syntax.tree import Copy
from tests.facts.build import facts_of, last

BUILD, TARGET, CONSTANT, UNKNOWN = (
    PlatformKind.BUILD,
    PlatformKind.TARGET,
    PlatformKind.CONSTANT,
    PlatformKind.UNKNOWN,
)


@pytest.mark.parametrize(
    ("text", "kind", "on_arm64"),
    [
        pytest.param("FROM alpine\n", TARGET, "linux/arm64", id="no flag"),
        pytest.param("FROM --platform= alpine\n", TARGET, "linux/arm64", id="an empty flag is none"),
        pytest.param("FROM --platform=$TARGETPLATFORM alpine\n", TARGET, "linux/arm64", id="target"),
        pytest.param(
            "FROM --platform=linux/$TARGETARCH alpine\n", TARGET, "linux/arm64", id="target's architecture"
        ),
        pytest.param("FROM --platform=$BUILDPLATFORM alpine\n", BUILD, "linux/amd64", id="builder"),
        pytest.param(
            "FROM --platform=${BUILDPLATFORM:-linux/arm64} alpine\n",
            BUILD,
            "linux/amd64",
            id="builder or a fallback",
        ),
        pytest.param(
            "FROM --platform=linux/${BUILDARCH} alpine\n", BUILD, "linux/amd64", id="builder's architecture"
        ),
        pytest.param("FROM --platform=linux alpine\n", BUILD, "linux/amd64", id="a system alone"),
        pytest.param("FROM --platform=linux/amd64 alpine\n", CONSTANT, "linux/amd64", id="constant"),
        pytest.param("FROM --platform='aarch64' alpine\n", CONSTANT, "linux/arm64", id="constant in quotes"),
        pytest.param(
            "ARG P=linux/amd64\nFROM --platform=$P alpine\n", CONSTANT, "linux/amd64", id="constant by ARG"
        ),
        pytest.param(
            "FROM --platform=${TARGETARCH:+linux/amd64} alpine\n",
            CONSTANT,
            "linux/amd64",
            id="constant in disguise",
        ),
        pytest.param(
            "ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM alpine\n",
            CONSTANT,
            "linux/amd64",
            id="a default on BUILDPLATFORM",
        ),
        pytest.param(
            "ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM alpine\n",
            TARGET,
            "linux/arm64",
            id="redundant ARG",
        ),
        pytest.param(
            "ARG P=${TARGETPLATFORM}\nFROM --platform=$P alpine\n",
            TARGET,
            "linux/arm64",
            id="target through an ARG",
        ),
        pytest.param(
            "ARG P\nFROM --platform=$P alpine\n", UNKNOWN, None, id="an ARG that the command line sets"
        ),
        pytest.param("FROM --platform=$NOPE alpine\n", UNKNOWN, None, id="nothing"),
        pytest.param("FROM --platform=linux/$NOPE alpine\n", UNKNOWN, None, id="half of nothing"),
        pytest.param("FROM --platform=local alpine\n", UNKNOWN, None, id="no platform"),
        pytest.param(
            "FROM --platform=linux/amd64 scratch\n", TARGET, "linux/arm64", id="scratch has none of its own"
        ),
        pytest.param(
            "FROM --platform=$BUILDPLATFORM alpine AS a\nFROM a AS b\nFROM --platform=$TARGETPLATFORM b\n",
            BUILD,
            "linux/amd64",
            id="a flag on a stage reference is ignored",
        ),
    ],
)
def test_the_platform_of_the_last_stage(text: str, kind: PlatformKind, on_arm64: str | None) -> None:
    stage = last(text)
    assert stage.kind is kind
    platform = stage.platform(ARM64).platform
    assert (str(platform) if platform else None) == on_arm64


def test_the_platform_names_the_stage_and_flag_that_decide_it() -> None:
    facts = facts_of("FROM --platform=$BUILDPLATFORM alpine AS a\nFROM --platform=linux/arm64 a AS b\n")
    found = facts.stages[1].platform(ARM64)
    assert found.root is facts.stages[0]
    assert found.flag is facts.stages[0].head.platform


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("ARG P=linux/amd64\nFROM --platform=$P a\n", "P", id="direct"),
        pytest.param("ARG P=linux/amd64\nARG Q=$P\nFROM --platform=$Q a\n", "P", id="through another"),
        pytest.param("ARG ARCH=amd64\nFROM --platform=linux/${ARCH} a\n", "ARCH", id="a part"),
        pytest.param(
            "ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM a\n", "BUILDPLATFORM", id="builder"
        ),
    ],
)
def test_a_constant_platform_points_to_the_declaration_that_made_it(text: str, name: str) -> None:
    origin = last(text).platform(AMD64).origin
    assert origin is not None
    assert (origin.name, origin.kind) == (name, VariableKind.GLOBAL)
    assert origin.declaration is not None


def test_a_constant_flag_has_no_other_origin() -> None:
    assert last("FROM --platform=linux/amd64 a\n").platform(AMD64).origin is None


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        pytest.param("FROM a AS Base\nFROM base\n", 0, id="names are folded to lower case"),
        pytest.param("FROM a AS Base\nFROM Base\n", None, id="references are not"),
        pytest.param("FROM b\nFROM a AS b\n", None, id="a later stage is none"),
        pytest.param("FROM a AS x\nFROM b AS x\nFROM x\n", 1, id="the last earlier one of a name"),
        pytest.param("FROM a AS x\nFROM x AS x\n", 0, id="a name that shadows its own base"),
        pytest.param("ARG B=base\nFROM a AS base\nFROM $B\n", 0, id="through an ARG"),
        pytest.param("FROM a AS one\nFROM 0\n", None, id="FROM takes no numbers"),
        pytest.param("FROM a AS x-amd64\nFROM x-${TARGETARCH}\n", None, id="one target of two"),
    ],
)
def test_what_from_names(text: str, parent: int | None) -> None:
    found = last(text).parent
    assert (None if found is None else found.index) == parent


FAMILY = "FROM a AS x-amd64\nFROM b AS x-arm64\nFROM c AS x-s390x\nFROM x-${TARGETARCH} AS end\n"


def test_a_family_has_a_stage_for_each_target() -> None:
    facts = facts_of(FAMILY)
    amd64, arm64, s390x, end = facts.stages
    assert end.members == {AMD64: amd64, ARM64: arm64}
    assert [stage.family_arch for stage in facts.stages] == ["amd64", "arm64", "s390x", None]
    assert amd64.targets == {AMD64}
    assert arm64.targets == {ARM64}
    assert not s390x.reached
    assert end.chain_for(ARM64) == (end, arm64)
    assert amd64.children == (end,)


def test_a_family_may_lack_a_member() -> None:
    stage = last("FROM a AS x-amd64\nFROM x-${TARGETARCH}\n")
    assert stage.missing_members == (ARM64,)
    assert last(FAMILY).missing_members == ()
    assert last("FROM debian-${TARGETARCH}\n").missing_members == ()


def test_stages_are_reached_through_from_copies_and_mounts() -> None:
    facts = facts_of(
        "FROM a AS base\nFROM base AS copied\nFROM a AS mounted\nFROM a AS unused\nFROM base AS final\n"
        "COPY --from=copied /a /b\nRUN --mount=type=bind,from=Mounted,target=/m ls\n"
    )
    assert [stage.name for stage in facts.stages if stage.reached] == ["base", "copied", "mounted", "final"]
    assert [stage.name for stage in facts.stages[0].feeds] == ["copied", "final"]


def test_a_stage_that_an_unknown_name_may_mean_counts_as_reached() -> None:
    facts = facts_of("ARG V\nFROM a AS build-one\nFROM a AS other\nFROM build-$V\n")
    assert [stage.reached for stage in facts.stages] == [True, False, True]
    assert facts.stages[2].kind is TARGET


def test_copies_know_their_sources_and_where_they_go() -> None:
    facts = facts_of(
        "FROM a AS one\nFROM b AS two\nCOPY --from=0 /x /y /dst/\nCOPY --from=ONE /z /\n"
        "RUN --mount=from=one,source=/s,dst=/d true\n"
    )
    one, two = facts.stages
    assert [[word.value for word in copy.sources] for copy in one.copies_out] == [
        ["/x", "/y"],
        ["/z"],
        ["/s"],
    ]
    assert [copy.destination.value for copy in one.copies_out if copy.destination] == ["/dst/", "/", "/d"]
    assert all(copy.by is two for copy in one.copies_out)
    assert one.copies_out[2].mount is not None


def test_images_are_named_by_from_copy_and_mount() -> None:
    facts = facts_of(
        "ARG V=3\nFROM --platform=$BUILDPLATFORM python:$V AS p\nFROM p\nCOPY --from=golang:1 /go /go\n"
        "RUN --mount=type=bind,from=busybox,target=/b ls\nFROM scratch\n"
    )
    assert [(use.ref.familiar, use.kind) for use in facts.images] == [
        ("python:3", ImageUseKind.FROM),
        ("golang:1", ImageUseKind.COPY),
        ("busybox", ImageUseKind.MOUNT),
    ]
    assert [use.platform(ARM64).platform for use in facts.images] == [AMD64, ARM64, ARM64]


def test_a_chain_of_two_thousand_stages_needs_no_recursion() -> None:
    text = (
        "FROM a AS s0\nARG TARGETARCH\n"
        + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(2000))
        + "RUN x\n"
    )
    stage = last(text)
    assert stage.root.index == 0
    assert stage.reached
    assert stage.scope_at(len(text), ARM64).expand("$TARGETARCH").text == "arm64"


def test_the_build_platform_is_that_of_the_builder() -> None:
    facts = facts_of("FROM --platform=$BUILDPLATFORM a\n")
    other = type(facts)(facts.document, build=Platform("linux", "arm64"))
    assert other.stages[0].platform(AMD64).platform == ARM64


def test_the_user_is_the_last_of_the_chain() -> None:
    stage = last("FROM a AS x\nUSER one\nUSER 1000\nFROM x\nONBUILD USER late\n")
    assert stage.user is not None
    assert stage.user.value == "1000"


def test_a_file_without_stages_has_no_final_one() -> None:
    facts = facts_of("# nothing\n")
    assert facts.final is None
    assert facts.reached(AMD64) == frozenset()
    assert facts.uses() == ()


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        pytest.param("--from=one", "one", id="by name"),
        pytest.param("--from=ONE", "one", id="by name in another case"),
        pytest.param("--from=0", "one", id="by number"),
        pytest.param("--from=golang:1", None, id="an image"),
        pytest.param("", None, id="the build context"),
    ],
)
def test_what_a_copy_takes_its_files_of(flag: str, name: str | None) -> None:
    stage = last(f"FROM a AS one\nFROM b\nCOPY {flag} /x /y\n")
    (copy,) = (step for step in stage.body if isinstance(step, Copy))
    source = source_of(stage.facts, copy)
    assert (source.name if source else None) == name


def test_what_is_ever_true_of_a_stage_is_so_for_those_that_stand_on_it_and_asked_of_each_once() -> None:
    facts = facts_of("FROM a AS one\nRUN x\nFROM one AS two\nFROM two AS three\nFROM b AS other\n")
    asked: list[str | None] = []

    def runs(stage: StageFacts) -> bool:
        asked.append(stage.name)
        return bool(stage.runs)

    assert [stage.ever(runs) for stage in facts.stages] == [True, True, True, False]
    assert sorted(map(str, asked)) == ["one", "other"]
