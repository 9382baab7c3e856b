"""What people and programs are told of a verification; texts of images and logs are an attacker's."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from archpatch.platforms import AMD64, ARM64
from archpatch.report.verify import FORMATS, cell, fence, grouped, render
from archpatch.report.watch import Watch
from archpatch.text import Applicability
from archpatch.verify.verdict import Evidence, FixProof, Level, Look, Proof, State, Verdict, Verification

HOSTILE = "\x1b[31m<img src=x>`|@team #1 https://evil/ [a](b)\n::error::x\u202e\udcff"
LOOK = Look(
    "svc", Path("src/Dockerfile"), ARM64, State.WRONG,
    (Evidence("wrong-arch", "x86-64 code", path="app", lines=(3,)), Evidence("wrong-arch", "x86-64 code", path="b", lines=(3,))),
    mode="emulated", seconds=1.5, elf_files=7,
)  # fmt: skip
PROOF = Proof(ARM64, Verdict.CONFIRMED, "docker x", "before: x; after: right", State.WRONG, State.RIGHT)
FIX = FixProof(
    Path("src/Dockerfile"),
    "AP101",
    "Drop the flag",
    3,
    Applicability.SAFE,
    Verdict.CONFIRMED,
    "why",
    (PROOF,),
    True,
)
RESULT = Verification(
    Level.BUILD, (LOOK,), fixes=(FIX,), builder="default", driver="docker", versions={"engine": "28"},
    modes={AMD64: "native", ARM64: "emulated"}, commands=("docker x",),
)  # fmt: skip


def test_the_table_groups_files_with_the_same_trouble() -> None:
    text = render("text", RESULT).decode()
    assert "wrong-arch: x86-64 code: /app and 1 more (line 3)" in text
    assert "confirmed AP101 src/Dockerfile:3: Drop the flag (safe, written)" in text
    assert "linux/arm64: wrong -> right" in text
    assert "Fixes: 1 confirmed; 1 written. Images: 1 wrong." in text


def test_images_of_one_file_are_told_apart_by_their_names() -> None:
    second = replace(LOOK, target="svc-debug")
    text = render("text", replace(RESULT, looks=(LOOK, second))).decode()
    assert "src/Dockerfile (svc)\n" in text
    assert "src/Dockerfile (svc-debug)\n" in text


def test_many_rules_that_know_an_error_are_counted() -> None:
    codes = tuple(f"AP{number}" for number in range(101, 120))
    assert grouped([Evidence("build", "x", codes=codes)]) == [
        "build: x [AP101, AP102, AP103, AP104, AP105, AP106 and 13 more]"
    ]


def test_an_image_that_nobody_built_has_no_way_of_building() -> None:
    text = render("markdown", replace(RESULT, looks=(replace(LOOK, mode="unknown"),))).decode()
    assert "| linux/arm64 | wrong |" in text


def test_json_holds_everything_that_a_program_needs() -> None:
    told = json.loads(render("json", RESULT))
    assert (told["version"], told["state"], told["level"]) == (1, "wrong", "build")
    assert told["builder"]["platforms"] == {"linux/amd64": "native", "linux/arm64": "emulated"}
    [image] = told["images"]
    assert image["path"] == "src/Dockerfile"
    assert [one["file"] for one in image["evidence"]] == ["app", "b"]
    assert told["fixes"][0]["proofs"][0]["command"] == "docker x"


@pytest.mark.parametrize("hostile", [False, True], ids=["plain", "hostile"])
def test_json_keeps_to_the_schema_of_the_package(hostile: bool) -> None:
    schema = json.loads((resources.files("archpatch") / "schemas" / "verify.schema.json").read_text())
    result = RESULT
    if hostile:
        evidence = Evidence(HOSTILE, HOSTILE, path=HOSTILE, log=HOSTILE)
        look = Look(HOSTILE, Path(os.fsdecode(b"\xff")), ARM64, State.UNKNOWN, (evidence,))
        result = Verification(Level.BUILD, (look,), (look,), plan="x", trouble="y")
    jsonschema.validate(json.loads(render("json", result)), schema)


def test_markdown_is_a_table_with_the_commands_to_run_it_again() -> None:
    text = render("markdown", RESULT).decode()
    assert "| src/Dockerfile | svc | linux/arm64 (emulated) | wrong |" in text
    assert (
        "| AP101 Drop the flag | src/Dockerfile:3 | linux/arm64 | wrong | right | confirmed | yes |" in text
    )
    assert "```\ndocker x\n```" in text


@pytest.mark.parametrize("format", FORMATS)
def test_no_text_of_an_image_comes_alive(format: str) -> None:
    evidence = Evidence(HOSTILE, HOSTILE, path=HOSTILE, log=HOSTILE)
    look = Look(HOSTILE, Path("x"), ARM64, State.WRONG, (evidence,), (HOSTILE,))
    result = Verification(Level.BUILD, (look,), advice=(HOSTILE,), builder=HOSTILE, trouble="")
    text = render(format, result).decode("utf-8")
    assert not {"\x1b", "\u202e", "\r"} & set(text)
    if format != "json":
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    if format == "markdown":
        assert "<img" not in text
        assert "@team" not in text
        assert "https://" not in text


def test_a_cell_cannot_end_its_table() -> None:
    assert cell("a|b\nc") == r"a\|b\\nc"


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fence("a\n````\nb").splitlines()[0] == "`````"


def test_too_much_evidence_is_counted() -> None:
    lines = grouped(Evidence(f"k{number}", "m") for number in range(30))
    assert len(lines) == 7
    assert lines[-1] == "and 24 more"


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Verification(Level.BUILD, (LOOK,)), 1),
        (Verification(Level.BUILD), 0),
        (Verification(Level.BUILD, trouble="no engine"), 5),
        (Verification(Level.BUILD, (Look("x", Path("x"), AMD64, State.UNKNOWN),)), 5),
        (Verification(Level.BUILD, (LOOK, Look("x", Path("x"), AMD64, State.UNKNOWN))), 1),
        (Verification(Level.BUILD, (Look("x", Path("x"), AMD64, State.RIGHT),)), 0),
    ],
    ids=["wrong", "nothing", "no engine", "unknown", "wrong and unknown", "right"],
)
def test_exit_codes(result: Verification, code: int) -> None:
    assert result.exit_code == code


def test_the_end_of_a_failed_builds_log_is_shown() -> None:
    log = "\n".join(f"line {number}" for number in range(20))
    look = Look("x", Path("x"), AMD64, State.WRONG, (Evidence("build", "it failed", log=log),))
    text = render("text", Verification(Level.BUILD, (look,))).decode()
    assert "        | line 12\n" in text
    assert "line 11\n" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_going_on_is_shown_on_standard_error(
    terminal: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Watch(terminal=terminal) as watch:
        watch("svc", AMD64, f"step {HOSTILE}")
        watch("svc", AMD64, "right")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert HOSTILE not in shown.err
    assert terminal or shown.err == "svc linux/amd64: right\n"


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch(quiet=True) as watch:
        watch("svc", AMD64, "right")
    assert capsys.readouterr().err == ""
