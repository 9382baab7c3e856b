"""`archpatch fix` that is killed, run many times at once, beside an editor, interrupted, or out of space: every file
is the old or the new one, and no edit is lost. ARCHPATCH_KILLS=500 and ARCHPATCH_ROUNDS=200 run the longest forms."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from tests.conftest import examples

KILLS = int(os.environ.get("ARCHPATCH_KILLS", examples(4, 20)))
FILES = 500 if KILLS > 50 else 40
ROUNDS = int(os.environ.get("ARCHPATCH_ROUNDS", examples(1, 10)))
pytestmark = pytest.mark.long
OLD = b'FROM --platform=$BUILDPLATFORM alpine AS base\r\nFROM base\nCMD ["sh"] # \xff'
NEW = b'FROM alpine AS base\r\nFROM base\nCMD ["sh"] # \xff'
FIX = (sys.executable, "-m", "archpatch", "fix", "--exit-zero", "--no-cache", "--isolated")


def put_files(tree: Path, count: int = FILES) -> list[Path]:
    paths = [tree / f"service{number}" / "Dockerfile" for number in range(count)]
    for path in paths:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(OLD)
    return paths


def start(tree: Path, *options: str) -> subprocess.Popen[bytes]:
    command = (*FIX, *options, str(tree))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def leftovers(tree: Path) -> list[str]:
    return [path.name for path in tree.rglob("*") if path.is_file() and path.name != "Dockerfile"]


def test_a_fix_that_is_killed_leaves_old_or_new_files_and_the_next_run_tidies_up(tmp_path: Path) -> None:
    random = Random(1)  # as long as it may take, and then some
    began = time.monotonic()
    put_files(tmp_path)
    start(tmp_path).communicate()
    lasts = time.monotonic() - began
    middle = 0
    for _ in range(KILLS):
        paths = put_files(tmp_path)
        child = start(tmp_path, "--jobs", "2")
        time.sleep(random.uniform(0.1, lasts))
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        texts = {path.read_bytes() for path in paths}
        assert texts <= {OLD, NEW}
        middle += len(texts) == 2
    print(f"{KILLS} kills over {FILES} files, {middle} of them in the middle of the tree")
    put_files(tmp_path)
    assert start(tmp_path).wait() == 0
    assert {path.read_bytes() for path in paths} == {NEW}
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_fix_that_is_interrupted_ends_its_file_and_says_so_by_its_code(
    tmp_path: Path, number: signal.Signals
) -> None:
    paths = put_files(tmp_path, 150)
    child = start(tmp_path, "--jobs", "1")
    while paths[0].read_bytes() != NEW and child.poll() is None:
        time.sleep(0.002)
    child.send_signal(number)
    _, told = child.communicate(timeout=30)
    assert {path.read_bytes() for path in paths} <= {OLD, NEW}
    assert leftovers(tmp_path) == []
    assert child.returncode in (128 + number, 0)  # 0: it was done before
    assert b"Traceback" not in told


@pytest.mark.parametrize("processes", [2, 8])
def test_runs_at_the_same_time_give_what_one_run_gives(tmp_path: Path, processes: int) -> None:
    paths = put_files(tmp_path, 12)
    children = [start(tmp_path) for _ in range(processes)]
    told = [child.communicate(timeout=60)[1] for child in children]
    assert {path.read_bytes() for path in paths} == {NEW}
    assert leftovers(tmp_path) == []
    for child, text in zip(children, told, strict=True):
        assert child.returncode == 0 or b"changed on disk" in text or b"another process" in text


def write_in_place(path: Path, line: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(line)


def write_anew(path: Path, line: bytes) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(path.read_bytes() + line)
    fresh.rename(path)


EDITORS = {"in place": write_in_place, "a file that takes the name": write_anew}


def edit(paths: Sequence[Path], how: str, random: Random, done: threading.Event) -> dict[Path, list[bytes]]:
    """Add lines to files, one after the other, until told to stop; what was added."""
    added: dict[Path, list[bytes]] = {path: [] for path in paths}
    while not done.is_set():
        path = random.choice(paths)
        if len(added[path]) < 40:
            line = b"# edit %d\n" % len(added[path])
            EDITORS[how](path, line)
            added[path].append(line)
        time.sleep(random.uniform(0, 0.004))
    return added


@pytest.mark.parametrize("how", EDITORS)
def test_no_edit_is_lost_beside_an_editor(tmp_path: Path, how: str) -> None:
    random = Random(how)
    seen: Counter[bytes] = Counter()
    edits = kept = 0
    for _ in range(ROUNDS):
        paths = put_files(tmp_path, 6)
        for path in paths:
            path.write_bytes(OLD + b"\n")
        done = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            editor = pool.submit(edit, paths, how, random, done)
            children = [start(tmp_path) for _ in range(random.randint(2, 8))]
            told = b"".join(child.communicate(timeout=120)[1] for child in children)
            done.set()
            added = editor.result()
        for path in paths:
            text = path.read_bytes()
            saved = b"".join(other.read_bytes() for other in path.parent.glob(".archpatch-saved-*"))
            double = [line for line in added[path] if line in saved and line not in text]
            kept += len(double)
            lines = b"".join(line for line in added[path] if line not in double)
            assert text in (OLD + b"\n" + lines, NEW + b"\n" + lines)
            if (
                how == "in place"
            ):  # one that was left was left with a reason; the other editor undoes a fix at times
                assert text.startswith(NEW) or f"/{path.parent.name}/Dockerfile:".encode() in told
            seen[NEW if text.startswith(NEW) else OLD] += 1
            edits += len(added[path])
        assert b"Traceback" not in told
        seen[b"changed"] += told.count(b"changed on disk")
        for path in tmp_path.rglob(".archpatch-saved-*"):
            assert path.name.encode() in told
            path.unlink()
        assert leftovers(tmp_path) == []
    print(
        f"{ROUNDS} rounds, {edits} edits {how}, none lost, {kept} in a file beside: {seen[NEW]} files mended, {seen[OLD]} left; "
        f"'changed on disk' was said {seen[b'changed']} times"
    )
    assert start(tmp_path).wait() == 0
    assert all(path.read_bytes().startswith(NEW) for path in paths)


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts a small file system")
def test_a_full_disk_leaves_every_file_whole_and_is_said_in_one_line(tmp_path: Path) -> None:
    tree = tmp_path / "small"
    tree.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "archpatch-test", str(tree)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        paths = put_files(tree, 8)
        with (tree / "ballast").open("wb", buffering=0) as ballast:
            while True:
                try:
                    ballast.write(bytes(4096))
                except OSError:
                    break
        child = start(tree)
        _, told = child.communicate(timeout=60)
        assert child.returncode == 4
        assert {path.read_bytes() for path in paths} == {OLD}
        assert leftovers(tree) == ["ballast"]
        assert told.count(b"No space left on device") == len(paths)
        assert b"Traceback" not in told
        (tree / "ballast").unlink()
        assert start(tree).wait() == 0
        assert {path.read_bytes() for path in paths} == {NEW}
    finally:
        subprocess.run(["umount", str(tree)], check=True)
