"""Odd words and odd places: each is told in one clear line, by the exit code that the manual names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archpatch.cli.app import COMMANDS
from tests.cli.conftest import CLEAN, SAFE, Cli, put


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("chekc",), 2, "No such command 'chekc'; the nearest is 'check'"),
        (("check", "--platform", "linux/amd46"), 2, "the nearest is 'amd64'"),
        (("check", "--platform", "lunix/amd64"), 2, "the nearest is 'linux'"),
        (("verify", "--platform", "linux/arm46"), 2, "the nearest is 'arm64'"),
        (("check", "--select", ""), 2, "names no rule"),
        (("check", "--select", ","), 2, "names no rule"),
        (("check", ""), 2, "an empty word is no path"),
        (("fix", ""), 2, "an empty word is no path"),
        (("check", "--config", ""), 2, "an empty word is no path"),
        (("check", "--stdin-filename", "x", "here"), 2, "--stdin-filename names what comes by -"),
        (("parse", "here"), 4, "error: here: is a folder\n"),
        (("parse", "nosuch"), 4, "error: nosuch: no such file or folder\n"),
        (("check", "--baseline", "here"), 2, "error: here: is a folder\n"),
        (("check", "--config", "here"), 2, "error: here: is a folder\n"),
        (("check", "--files-from", "here"), 2, "error: --files-from here: is a folder\n"),
        (("report", "merge", "here"), 2, "error: here: is a folder\n"),
        (
            ("report", "merge", "r.json", "-o", "no/m.json"),
            2,
            "error: no/m.json: No such file or directory\n",
        ),
        (("clean", "nosuch"), 4, "error: nosuch: no such file or folder\n"),
        (("clean", "here/Dockerfile"), 4, "error: here/Dockerfile: is no folder\n"),
        (("baseline", "-o", "here/Dockerfile/x.json"), 4, "error: here/Dockerfile/x.json: "),
        (("verify", "--level", "plan", "--output-format", "json:no/v.json"), 2, "no/v.json: No such file"),
        (("verify", "--level", "plan", "nosuch"), 5, "error: nosuch: no such file or folder\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_one_line(cli: Cli, words: tuple[str, ...], code: int, told: str) -> None:
    put("here/Dockerfile", CLEAN)
    Path("r.json").write_bytes(cli("check", "--output-format", "json").out)
    ran = cli(*words)
    assert ran.code == code
    assert told in ran.err
    assert "internal error" not in ran.err
    assert len(ran.err.splitlines()) == 1 + ("help: see" in ran.err)


def test_every_command_names_itself_the_nearest_to_a_slip(cli: Cli) -> None:
    for name in COMMANDS:
        assert f"nearest is {name!r}" in cli(name + name[-1]).err


def test_a_config_that_cannot_be_used_is_told_of_once(cli: Cli) -> None:
    for number in range(3):
        put(f"{number}/Dockerfile", CLEAN)
    put("archpatch.toml", b"selct = []\n")
    ran = cli("check")
    assert ran.code == 2
    assert ran.err.count("unknown key 'selct'") == 1
    assert "3 files" in ran.text


@pytest.mark.parametrize("kind", ["missing", "fifo", "huge", "folder"])
def test_a_table_that_cannot_be_read_is_the_config_s_mistake(cli: Cli, kind: str) -> None:
    put("Dockerfile", CLEAN)
    put("archpatch.toml", b'data = ["t.tsv"]\n')
    if kind == "fifo":
        os.mkfifo("t.tsv")
    elif kind == "huge":
        with Path("t.tsv").open("wb") as file:
            file.truncate(1 << 34)
    elif kind == "folder":
        Path("t.tsv").mkdir()
    ran = cli("check")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "archpatch.toml: data: t.tsv: " in ran.err


def test_a_suppression_that_could_not_be_written_is_not_counted(cli: Cli) -> None:
    put("a/Dockerfile", SAFE).chmod(0o444)
    put("b/Dockerfile", SAFE)
    ran = cli("check", "--add-ignore", "known")
    assert ran.code == 4
    assert "1 suppression written" in ran.text
    assert "a/Dockerfile: is read-only" in ran.err


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = f'archpatch() {{ "$PYTHON" -m archpatch "$@"; }}; {script}'
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(
        ["bash", "-c", words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full")
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("archpatch check . >/dev/full", "standard output: No space left on device"),
        ("archpatch diff . >/dev/full", "standard output: No space left on device"),
        ("archpatch rules >/dev/full", "standard output: No space left on device"),
        ("archpatch --version >/dev/full", "standard output: No space left on device"),
        ("archpatch check . >&-", "standard output is closed"),
        ("archpatch check - <&-", "standard input is closed"),
        ("mkdir gone; cd gone; rmdir ../gone; archpatch check", "the current folder is gone"),
    ],
)
def test_what_the_program_stands_on_is_not_there(tmp_path: Path, script: str, told: str) -> None:
    (tmp_path / "Dockerfile").write_bytes(SAFE)
    ran = shell(script, tmp_path)
    assert ran.stderr == f"error: {told}\n"
    assert ran.returncode == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_leaves_the_others_done(cli: Cli) -> None:
    put("a/Dockerfile", SAFE).chmod(0)
    put("b/Dockerfile", SAFE)
    ran = cli("check", "a/Dockerfile", "b/Dockerfile")
    assert ran.code == 4
    assert ran.err == "error: a/Dockerfile: permission denied\n"
    assert "b/Dockerfile:1" in ran.text
