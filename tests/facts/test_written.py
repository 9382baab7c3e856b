"""Where a text is written out, and whether anything speaks for an architecture there."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.facts import Facts, FolderContext, MemoryContext, steps_with, written
from archpatch.facts.programs import program_arch
from archpatch.facts.suppressors import Suppressor
from archpatch.facts.written import why_arch_is_fine
from archpatch.syntax.parse import parse
from tests.facts.build import facts_of


def facts(text: str, name: str = "Dockerfile", siblings: tuple[str, ...] = ()) -> Facts:
    files = {name: text, **dict.fromkeys(siblings, "FROM debian\n")}
    return Facts(parse(text.encode(), Path(name)), context=MemoryContext(files, name))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ENV A=/x/amd64 B=c", [("A", "/x/amd64")]),
        ("ENV A /x/amd64", [("A", "/x/amd64")]),
        ("COPY a-amd64 b /amd64/", [("", "a-amd64"), ("", "/amd64/")]),
        ("CMD /app-amd64 -v", [("", "/app-amd64 -v")]),
        ("WORKDIR /amd64", [("", "/amd64")]),
        ("LABEL arch=amd64", []),
        ("# amd64\nRUN true", []),
        ("RUN cp a-amd64 b > /c-amd64", [("", "a-amd64"), ("", "/c-amd64")]),
        ("RUN A=amd64 make", [("A", "amd64")]),
        ("RUN echo $(ls /amd64)", [("", "/amd64")]),
        ("RUN for f in /amd64/a /b; do ls $f; done; ls amd64", [("f", "/amd64/a"), ("", "amd64")]),
        (
            "RUN for a in x; do for b in amd64; do ls $b; done; ls amd64; done",
            [("b", "amd64"), ("", "amd64")],
        ),
        ("RUN ls '/a'\"md64\"", []),
        ('RUN ["ls", "/amd64"]', [("", "/amd64")]),
    ],
)
def test_words_that_a_build_uses_are_found_and_others_are_not(
    line: str, found: list[tuple[str, str]]
) -> None:
    places = written(facts(f"FROM debian\n{line}\n"), "amd64")
    assert [(place.name, place.value) for place in places] == found


def test_only_the_instructions_asked_for_are_looked_at() -> None:
    subject = facts("FROM debian\nENV A=amd64\nRUN ls amd64\n")
    assert [place.instruction.keyword for place in written(subject, "amd64", only=frozenset({"ENV"}))] == [
        "ENV"
    ]


def test_every_place_of_a_text_in_a_word_is_given() -> None:
    text = "FROM debian\nRUN ls /amd64/$A/amd64\nENV B=/amd64:/amd64\n"
    subject = facts(text)
    places = [list(place.places("amd64")) for place in written(subject, "amd64")]
    assert [[span.of(text.encode()) for span in spans] for spans in places] == [[b"amd64"] * 2] * 2


def why(subject: Facts, arch: str) -> Suppressor | None:
    place = written(subject, arch)[0]
    return why_arch_is_fine(subject, arch, place.instruction, next(place.places(arch)), place.command)


@pytest.mark.parametrize(
    ("text", "name", "arch", "reason"),
    [
        ("FROM debian\nENV A=/amd64\n", "Dockerfile", "amd64", None),
        ("FROM debian\nENV A=/amd64\n", "Dockerfile.amd64", "amd64", Suppressor.PER_ARCH_FAMILY),
        ("FROM debian\nENV A=/amd64\n", "Dockerfile.arm64", "amd64", None),
        ("FROM debian\nENV A=/arm64\n", "Dockerfile-arm", "arm64", Suppressor.PER_ARCH_FAMILY),
        ("FROM --platform=linux/amd64 debian\nENV A=/amd64\n", "Dockerfile", "amd64", Suppressor.DELIBERATE),
        ("FROM --platform=linux/arm64 debian\nENV A=/amd64\n", "Dockerfile", "amd64", None),
    ],
)
def test_the_name_of_the_file_and_the_platform_of_the_stage_speak_for_an_architecture(
    text: str, name: str, arch: str, reason: Suppressor | None
) -> None:
    assert why(facts(text, name), arch) is reason


def test_a_file_for_arm64_that_names_amd64_is_not_spared_for_its_family() -> None:
    subject = facts("FROM debian\nENV A=/amd64\n", "Dockerfile.arm64", siblings=("Dockerfile.amd64",))
    assert subject.family
    assert why(subject, "amd64") is None


def elf(machine: int, big: bool = False) -> bytes:
    order = "big" if big else "little"
    return b"\x7fELF\x02" + (b"\x02" if big else b"\x01") + bytes(12) + machine.to_bytes(2, order)


@pytest.mark.parametrize(
    ("head", "arch"),
    [
        (elf(0x3E), "amd64"),
        (elf(0xB7), "arm64"),
        (elf(0x16, big=True), "s390x"),
        (elf(0x9999), None),
        (b"#!/bin/sh\n" + bytes(20), None),
        (b"\x7fELF", None),
        (b"", None),
    ],
    ids=["amd64", "arm64", "big endian", "unknown machine", "script", "cut short", "empty"],
)
def test_the_header_of_a_program_says_its_architecture(head: bytes, arch: str | None) -> None:
    assert program_arch(head) == arch


def test_the_head_of_a_file_is_read_whatever_its_size(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (3 << 20))
    (tmp_path / ".dockerignore").write_text("secret\n")
    (tmp_path / "secret").write_bytes(b"y")
    (tmp_path / "outside").symlink_to("/etc/hostname")
    context = FolderContext(tmp_path)
    assert context.read("large") is None
    assert context.head("large") == b"x" * 64
    assert context.head("secret") is None
    assert context.head("outside") is None
    assert context.head("../x") is None
    assert context.head("none") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("amd64", ["ENV", "RUN", "CMD"]),  # in a comment between two instructions it is none of theirs
        ("b c", ["RUN"]),
        ("b\nCMD", []),  # no instruction holds it whole
        ("arm64", []),
    ],
)
def test_the_instructions_with_a_text_are_found_each_once(text: str, found: list[str]) -> None:
    facts = facts_of("FROM x\nENV A=amd64\n# amd64\nRUN a amd64 amd64 b c b\nCMD amd64\n")
    assert [step.keyword for step in steps_with(facts, text)] == found
