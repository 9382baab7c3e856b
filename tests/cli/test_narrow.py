"""Baselines, changed lines and written suppressions."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from archpatch.syntax.parse import parse
from tests.cli.conftest import CLEAN, SAFE, UNSAFE, Cli, put


def git(*arguments: str) -> str:
    settings = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    named = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    ran = subprocess.run(
        ["git", *named, *arguments], env=settings, check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


def commit() -> None:
    git("add", "-A")
    git("commit", "-qm", "x")


def codes(report: bytes) -> list[str]:
    return [finding["code"] for finding in json.loads(report)["findings"]]


def test_a_baseline_hides_what_it_knows_wherever_the_lines_went(cli: Cli) -> None:
    path = put("a/Dockerfile", UNSAFE)
    assert cli("baseline").text.endswith(
        "1 finding written to archpatch-baseline.json\nNext: archpatch check --baseline archpatch-baseline.json\n"
    )
    known = Path("archpatch-baseline.json")
    assert cli("check", "--baseline", known).code == 0
    path.write_bytes(b"# x\n" * 500 + UNSAFE)
    ran = cli("check", "--baseline", known)
    assert ran.code == 0
    assert "Left out: 1 finding that is not new" in ran.text
    path.write_bytes(UNSAFE + b"FROM --platform=linux/386 debian\n")
    ran = cli("check", "--baseline", known, "--output-format", "json")
    assert ran.code == 1
    assert len(codes(ran.out)) == 1


def test_a_baseline_is_sorted_has_no_line_numbers_and_is_the_same_twice(cli: Cli) -> None:
    put("b/Dockerfile", UNSAFE)
    put("a/Dockerfile", SAFE)
    cli("baseline")
    first = Path("archpatch-baseline.json").read_bytes()
    table = json.loads(first)
    assert table["version"] == 1
    assert [(row["path"], sorted(row)) for row in table["findings"]] == [
        ("a/Dockerfile", ["code", "fingerprint", "path"]),
        ("b/Dockerfile", ["code", "fingerprint", "path"]),
    ]
    cli("baseline", "--quiet")
    assert Path("archpatch-baseline.json").read_bytes() == first


def test_what_a_baseline_knows_and_is_gone_is_reported_once_it_was_looked_for(cli: Cli) -> None:
    put("a/Dockerfile", UNSAFE)
    put("b/Dockerfile", UNSAFE)
    cli("baseline")
    put("a/Dockerfile", CLEAN)
    ran = cli("check", "--baseline", "archpatch-baseline.json")
    assert "Mended since the baseline: AP" in ran.text
    assert "in a/Dockerfile;" in ran.text
    assert "Mended" not in cli("check", "b", "--baseline", "archpatch-baseline.json").text
    assert "Mended" not in cli("check", "--select", "AP8", "--baseline", "archpatch-baseline.json").text
    put("a/Dockerfile", b"NONSENSE\n")
    assert "Mended" not in cli("check", "--baseline", "archpatch-baseline.json").text
    report = json.loads(
        cli("check", "b", "--baseline", "archpatch-baseline.json", "--output-format", "json").out
    )
    assert report["baseline"] == {"known": 1, "mended": []}


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b'{"version": 2, "findings": []}', b'{"version": 1}', b'{"version": 1, "findings": [{}]}',
     b'{"version": 1, "findings": [{"path": 1, "code": 2, "fingerprint": 3}]}', b"[" * 100_000],
    ids=["cut", "list", "version", "no-list", "empty-row", "types", "deep"],
)  # fmt: skip
def test_what_is_no_baseline_is_refused(cli: Cli, text: bytes) -> None:
    put("Dockerfile", UNSAFE)
    ran = cli("check", "--baseline", put("known.json", text))
    assert ran.code == 2
    assert "known.json" in ran.err


def test_a_baseline_of_a_tree_that_could_not_be_read_is_not_written(cli: Cli) -> None:
    put("Dockerfile", b"NONSENSE x\n")
    assert cli("baseline").code == 4
    assert not Path("archpatch-baseline.json").exists()


def test_fix_leaves_what_a_baseline_knows(cli: Cli) -> None:
    put("a/Dockerfile", SAFE)
    cli("baseline")
    new = put("b/Dockerfile", SAFE)
    assert cli("fix", "--baseline", "archpatch-baseline.json").code == 0
    assert Path("a/Dockerfile").read_bytes() == SAFE
    assert new.read_bytes() != SAFE


def test_only_findings_on_changed_lines_count_with_a_diff_base(cli: Cli) -> None:
    git("init", "-q")
    path = put("Dockerfile", UNSAFE)
    commit()
    assert cli("check", "--diff-base", "main").code == 0
    path.write_bytes(b"# x\n" * 500 + UNSAFE + b"RUN true\nFROM --platform=linux/386 debian\n")
    ran = cli("check", "--diff-base", "main", "--output-format", "json")
    assert ran.code == 1
    assert [finding["start"]["line"] for finding in json.loads(ran.out)["findings"]] == [503]
    put("new/Dockerfile", UNSAFE)
    assert len(codes(cli("check", "new", "--diff-base", "main", "--output-format", "json").out)) == 1


def test_what_the_base_branch_changed_since_is_not_ours(cli: Cli) -> None:
    git("init", "-q")
    path = put("Dockerfile", UNSAFE)
    commit()
    git("checkout", "-qb", "work")
    put("other", b"x")
    commit()
    git("checkout", "-q", "main")
    path.write_bytes(CLEAN)
    commit()
    git("checkout", "-q", "work")
    assert cli("check", "--diff-base", "main").code == 0


def test_fix_writes_only_changed_lines_with_a_diff_base(cli: Cli) -> None:
    git("init", "-q")
    old = put("a/Dockerfile", SAFE)
    commit()
    put("b/Dockerfile", SAFE)
    assert cli("fix", "--diff-base", "HEAD").code == 0
    assert old.read_bytes() == SAFE
    assert Path("b/Dockerfile").read_bytes() != SAFE


@pytest.mark.parametrize("revision", ["gone", "--output=x", "", "HEAD; touch x"])
def test_a_revision_that_is_none_is_the_user_s_mistake(cli: Cli, revision: str) -> None:
    git("init", "-q")
    put("Dockerfile", CLEAN)
    commit()
    ran = cli("check", f"--diff-base={revision}")
    assert ran.code == 2
    assert not Path("x").exists()


def test_outside_of_a_repository_a_diff_base_is_the_user_s_mistake(cli: Cli) -> None:
    put("Dockerfile", CLEAN)
    assert "not a git repository" in cli("check", "--diff-base", "main").err


def test_nothing_that_the_repository_s_config_names_is_run(cli: Cli, tmp_path: Path) -> None:
    git("init", "-q")
    put("Dockerfile", UNSAFE)
    commit()
    program = put("evil.sh", f"#!/bin/sh\ntouch {tmp_path}/owned\n".encode())
    program.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "core.sshCommand", "diff.x.textconv"):
        git("config", key, str(program.absolute()))
    put(".gitattributes", b"Dockerfile diff=x\n")
    put(".git/hooks/post-index-change", program.read_bytes()).chmod(0o755)
    assert cli("check", "--diff-base", "HEAD").code == 0
    assert not (tmp_path / "owned").exists()


def test_add_ignore_writes_a_comment_above_each_instruction_and_below_the_directives(cli: Cli) -> None:
    text = b"# syntax=docker/dockerfile:1\r\n" + UNSAFE.replace(b"\n", b"\r\n") + b"RUN true\r\n"
    path = put("Dockerfile", text)
    ran = cli("check", "--add-ignore", "one kind of machine")
    assert ran.code == 0
    assert ran.text == "1 suppression written\n"
    lines = path.read_bytes().split(b"\r\n")
    assert lines[0] == b"# syntax=docker/dockerfile:1"
    assert lines[1].startswith(b"# archpatch: ignore[AP")
    assert lines[1].endswith(b"] one kind of machine")
    assert cli("check").code == 0
    assert [one.name for one in parse(path.read_bytes()).directives] == ["syntax"]
    assert cli("check", "--add-ignore", "again").text == "0 suppressions written\n"


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "\x1b[2J"], ids=ascii)
def test_a_reason_is_one_line_of_text(cli: Cli, reason: str) -> None:
    path = put("Dockerfile", UNSAFE)
    assert cli("check", f"--add-ignore={reason}").code == 2
    assert path.read_bytes() == UNSAFE
