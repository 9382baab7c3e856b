"""Terminals, CI runners, signals, pipes and start-up: the program as a process."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archpatch.cli import output
from archpatch.cli.progress import Progress
from tests.cli.conftest import MENDED, SAFE, Cli, put

PROGRAM = (sys.executable, "-m", "archpatch")


def test_in_github_actions_what_people_read_can_hold_no_command(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("Dockerfile", b"FROM --platform=$BUILDPLATFORM a AS base\n::error::x\nFROM base\n")
    put("::error::y/Dockerfile", SAFE)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for command in (["check"], ["check", "--output-format", "concise"], ["diff"]):
        lines = cli(*command).text.splitlines()
        begin = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", lines[0])
        assert begin
        assert lines[-1] == f"::{begin[1]}::"
        assert begin[1] not in "".join(lines[1:-1])


def test_in_github_actions_a_patch_still_applies(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("Dockerfile", SAFE)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    subprocess.run(["git", "apply", "-"], input=cli("diff").out, check=True)
    assert path.read_bytes() == MENDED


def test_a_patch_of_files_above_the_current_folder_applies_at_the_root_of_the_repository(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    paths = [put("Dockerfile", SAFE), put("one/Dockerfile", SAFE), put("one/two/Dockerfile", SAFE)]
    root = Path.cwd()
    monkeypatch.chdir("one")
    ran = cli("diff", "../Dockerfile", ".")
    assert f"count from {root}" in ran.err
    subprocess.run(["git", "apply", "-"], input=ran.out, check=True, cwd=root)
    assert [(root / path).read_bytes() for path in paths] == [MENDED] * 3


def test_the_github_format_adds_to_the_step_summary(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    put("Dockerfile", SAFE)
    summary = put("summary.md", b"# before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    ran = cli("check", "--output-format", "github")
    assert ran.text.startswith("::warning file=Dockerfile,line=1,")
    assert summary.read_bytes().startswith(b"# before\n## archpatch: 0 of 1 Dockerfile ready\n")


def test_errors_show_no_control_and_no_command(cli: Cli) -> None:
    name = "\x1b[2J\n::error::x ##[error]y"
    ran = cli("check", name)
    assert ran.code == 4
    assert ran.err == "error: \\x1b[2J\\n::error::x # #[error]y: no such file or folder\n"
    assert "\x1b" not in cli("check", "--output-format", "\x1b[2J").err
    assert "\x1b" not in cli("explain", "\x1b[2J").err


def test_a_terminal_gets_a_patch_without_control_bytes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    put("Dockerfile", SAFE.replace(b"CMD", b"# \x1b[2J\nCMD"))
    assert b"\x1b[2J" in cli("diff").out
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    ran = cli("diff", "--color", "always")
    assert b"\x1b[2J" not in ran.out
    assert b"\x1b[32m+FROM alpine AS base" in ran.out


def test_fix_prints_a_mended_text_with_its_bytes_and_nothing_else(cli: Cli) -> None:
    text = b"\xef\xbb\xbf" + SAFE.replace(b"\n", b"\r\n").rstrip() + b"\r\n# \xff\x1b"
    ran = cli("fix", "-", "--quiet", input=text)
    assert ran.out == b"\xef\xbb\xbf" + MENDED.replace(b"\n", b"\r\n").rstrip() + b"\r\n# \xff\x1b"


def test_explain_finds_a_rule_by_code_by_name_and_by_an_error(cli: Cli) -> None:
    assert cli("explain", "AP101").text == cli("explain", "final-stage-on-build-platform").text
    assert "AP101" in cli("explain", "--error", "standard_init_linux.go: Exec Format  error").text
    assert cli("explain", "--error", "no such error anywhere").code == 1
    assert (
        "the nearest is final-stage-on-build-platform" in cli("explain", "final-stage-on-built-platform").err
    )
    assert cli("explain").code == 2


def test_rules_are_listed_for_people_and_programs(cli: Cli) -> None:
    listed = json.loads(cli("rules", "--output-format", "json").out)
    assert {
        "code",
        "name",
        "severity",
        "summary",
        "manual",
        "url",
        "style",
        "opt_in",
        "errors",
        "also",
    } == set(listed[0])
    assert [line.split()[0] for line in cli("rules").text.splitlines()] == [rule["code"] for rule in listed]


def test_parse_shows_the_commands_of_a_run(cli: Cli) -> None:
    put("Dockerfile", b"FROM a\nRUN apk add gcc && echo 'x'\n")
    tree = json.loads(cli("parse", "Dockerfile", "--output-format", "json").out)
    run = tree["stages"][0]["instructions"][1]
    assert [command["name"] for command in run["shell"]] == ["apk", "echo"]
    assert "RUN 2 @7..34" in cli("parse", "Dockerfile").text
    assert cli("parse", "gone").code == 4
    assert cli("parse", "-", input=b"FROM a\nBAD\n").code == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_whole_files_and_no_temporary(
    tmp_path: Path, number: int, code: int
) -> None:
    files = 400
    for at in range(files):
        folder = tmp_path / f"d{at:03}"
        folder.mkdir()
        (folder / "Dockerfile").write_bytes(SAFE)
    child = subprocess.Popen(
        [*PROGRAM, "fix", "--jobs", "2"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while (tmp_path / "d010/Dockerfile").read_bytes() == SAFE and time.monotonic() < deadline:
        time.sleep(0.005)
    if number == signal.SIGINT:
        os.killpg(child.pid, number)  # as a terminal does
    else:
        child.send_signal(number)
    assert child.wait(30) == code
    texts = [path.read_bytes() for path in tmp_path.glob("*/*")]
    assert len(texts) == files  # no temporary file
    assert set(texts) <= {SAFE, MENDED}
    assert not list(tmp_path.glob("*/.archpatch-*"))


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    for at in range(300):
        (tmp_path / f"Dockerfile.{at}").write_bytes(SAFE)
    child = subprocess.Popen(
        [*PROGRAM, "check"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout
    assert child.stderr
    child.stdout.close()
    assert b"Traceback" not in child.stderr.read()
    assert child.wait(30) == 141


def test_a_terminal_sees_progress_that_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    clock = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with open(slave, "w") as terminal, Progress(terminal, quiet=False) as progress:
        progress.step(30, 60)
        progress.step(60, 60)
    shown = ""
    while not shown.endswith("\x1b[K"):  # a terminal hands over what has come so far
        shown += os.read(master, 1000).decode()
    assert "30 of 60 files" in shown
    assert shown.endswith("60 of 60 files\r\x1b[K")


def test_version_starts_neither_click_nor_the_engine() -> None:
    code = (
        "import sys; sys.argv = ['archpatch', '--version']; from archpatch.cli import main; main();"
        "print([name for name in sys.modules if name.split('.')[0] in ('click', 'rich', 'jinja2', 'dataclasses')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"archpatch \d+\.\d+\.\d+\n\[\]\n", ran.stdout)


_DEAR = (
    *("rich", "jinja2", "libcst", "pathspec", "dockerfile_parse", "multiprocessing", "elftools"),
    *("_hashlib", "dataclasses", "difflib", "importlib.resources", "json", "shutil", "tempfile", "tomllib"),
)
_FIXABLE = b'FROM --platform=$BUILDPLATFORM alpine\nRUN apk add gcc && gcc -o /a a.c\nENTRYPOINT ["/a"]\n'


@pytest.mark.parametrize(
    ("source", "dear"),
    [
        (b"FROM alpine\n", (*_DEAR, "tree_sitter", "archpatch.view", "archpatch.review", "archpatch.narrow")),
        (_FIXABLE, _DEAR),
    ],
    ids=["no RUN", "a fix that is proved"],
)
def test_a_check_of_one_file_loads_nothing_that_it_does_not_need(
    source: bytes, dear: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_bytes(source)
    code = (
        "import sys; sys.argv = ['archpatch', 'check', 'Dockerfile']\n"
        "there = set(sys.modules)\n"
        "from archpatch.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([name for name in {dear} if name in sys.modules.keys() - there], file=sys.stderr)\n"
        "print('archpatch.view' in sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ran.stderr == f"[]\n{source == _FIXABLE}\n"


def test_nothing_of_the_scanned_tree_is_run_or_imported(tmp_path: Path) -> None:
    """An audit hook sees every process, socket and import that a check of a hostile tree makes."""
    (tmp_path / "Dockerfile").write_bytes(SAFE + b"COPY setup.py requirements.txt ./\nRUN pip install .\n")
    for name in ("setup.py", "archpatch_rules.py", "click.py", "sitecustomize.py"):
        (tmp_path / name).write_text("raise SystemExit('the tree was run')\n")
    (tmp_path / "pyproject.toml").write_text("[tool.archpatch]\nstyle = 'explicit'\n")
    code = f"""
import sys
seen = []
def hook(event, args):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"):
        seen.append(event)
    if event == "import" and args[1] and {str(tmp_path)!r} in str(args[1]):
        seen.append(str(args))
sys.addaudithook(hook)
sys.argv = ["archpatch", "check", "."]
from archpatch.cli import main
try: main()
except SystemExit: pass
print(seen, file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert ran.stderr.splitlines()[-1] == "[]"
    assert "AP101" in ran.stdout
