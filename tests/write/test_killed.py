"""A run that is killed or asked to end, several at once, and what the next one removes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from archpatch import write
from archpatch.write import Change, ChangedOnDisk
from tests.write.shared import NEW, OLD, always, dead_pid, failing, temp_name


def test_a_process_that_is_not_ours_to_ask_is_taken_for_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = tmp_path / temp_name(dead_pid())
    stray.write_bytes(b"half")
    monkeypatch.setattr(write.os, "kill", failing(errno.EPERM, os.kill, always))
    write.sweep(tmp_path)
    assert stray.exists()


@pytest.mark.parametrize(
    ("name", "age", "gone"),
    [
        pytest.param("dead", 0, True, id="of a dead process"),
        pytest.param("alive", 0, False, id="of a living process"),
        pytest.param("alive", 4000, True, id="older than an hour"),
        pytest.param("elsewhere", 0, False, id="of another host, where the pid says nothing"),
        pytest.param("elsewhere", 4000, True, id="of another host, older than an hour"),
        pytest.param("foreign", 4000, False, id="a file of somebody else with a like name"),
    ],
)
def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path, name: str, age: int, gone: bool) -> None:
    names = {
        "dead": temp_name(dead_pid()),
        "alive": temp_name(os.getpid()),
        "elsewhere": temp_name(dead_pid(), "ffffffff"),
        "foreign": ".archpatch-notes.tmp",
    }
    stray = tmp_path / names[name]
    stray.write_bytes(b"half")
    os.utime(stray, (time.time() - age,) * 2)
    write.sweep(tmp_path)
    assert stray.exists() is not gone


def test_a_sweep_of_a_missing_folder_is_no_error(tmp_path: Path) -> None:
    write.sweep(tmp_path / "gone")


def test_the_host_is_named_by_a_hash() -> None:
    assert os.uname().nodename not in temp_name(1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_waits_until_the_file_is_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    class Stopped(Exception):
        pass

    def stop(*_args: object) -> None:
        raise Stopped

    real_write = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        signal.raise_signal(number)
        return real_write(descriptor, data)

    monkeypatch.setattr(write.os, "write", interrupted)
    before = signal.signal(number, stop)
    try:
        with pytest.raises(Stopped):
            write.replace([Change(file, OLD, NEW)])
    finally:
        signal.signal(number, before)
    assert file.read_bytes() == NEW
    assert os.listdir(file.parent) == ["Dockerfile"]


WRITER = """
import sys
from pathlib import Path
from archpatch import write
path, one, two = Path(sys.argv[1]), b"one\\n" * 50_000, b"two\\n" * 50_000
print("ready", flush=True)
while True:
    before = path.read_bytes()
    try:
        write.replace([write.Change(path, before, two if before == one else one)])
    except write.ChangedOnDisk:
        pass
"""


def test_kill_9_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path, one, two = tmp_path / "Dockerfile", b"one\n" * 50_000, b"two\n" * 50_000
    path.write_bytes(one)
    for round_ in range(int(os.environ.get("ARCHPATCH_KILLS", "4"))):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.005 + 0.003 * (round_ % 7))
        child.kill()
        child.communicate()
        assert path.read_bytes() in (one, two)
    write.sweep(tmp_path)
    assert os.listdir(tmp_path) == ["Dockerfile"]


def test_of_many_writers_at_once_each_success_builds_on_the_text_it_read(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"")
    successes: list[bytes] = []

    def work(mark: bytes) -> None:
        for _ in range(15):
            before = path.read_bytes()
            try:
                write.replace([Change(path, before, before + mark)])
            except ChangedOnDisk:
                continue
            successes.append(mark)

    threads = [threading.Thread(target=work, args=(bytes([65 + n]),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_bytes()) == sorted(b"".join(successes))  # no success was lost
    assert successes
    assert os.listdir(tmp_path) == ["Dockerfile"]
