"""A system call that fails leaves the old file, whole, or says what could not be done."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from archpatch import write
from archpatch.write import Change, WriteError
from tests.write.shared import NEW, OLD, always, failing


def is_temp(*args: object) -> bool:
    return ".archpatch-" in str(args[0])


SYSTEM_CALLS = {
    "the temporary is not created": ("open", is_temp),
    "the bytes are not written": ("write", always),
    "the mode is not kept": ("fchmod", always),
    "the data is not synced": ("fsync", lambda fd: stat.S_ISREG(os.fstat(fd).st_mode)),
    "the rename fails": ("replace", always),
    "the target is not read": ("read", always),
}


@pytest.mark.parametrize("call", SYSTEM_CALLS)
@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EROFS, errno.EBUSY],
    ids=errno.errorcode.get,
)
def test_a_failing_system_call_leaves_the_old_file_and_no_temporary(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    name, on = SYSTEM_CALLS[call]
    monkeypatch.setattr(write, "_renameat2", lambda: None)
    monkeypatch.setattr(write.os, name, failing(number, getattr(os, name), on))
    with pytest.raises(WriteError) as caught:
        write.replace([Change(file, OLD, NEW)])
    monkeypatch.undo()
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]
    assert "\n" not in str(caught.value)


def test_a_short_write_is_continued(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(write.os, "write", lambda fd, data: real_write(fd, data[:3]))
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW


def test_a_folder_that_cannot_be_synced_is_said_though_the_file_is_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = lambda fd: stat.S_ISDIR(os.fstat(fd).st_mode)  # noqa: E731  (a table's row elsewhere)
    monkeypatch.setattr(write.os, "fsync", failing(errno.EIO, os.fsync, on))
    with pytest.raises(WriteError, match="could not be synced"):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW


def test_a_folder_that_another_run_holds_is_left_after_a_while(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_LOCK_PATIENCE", 0.05)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        write.fcntl.flock(folder, write.fcntl.LOCK_EX)
        with pytest.raises(WriteError, match="another process is writing in its folder; not written"):
            write.replace([Change(file, OLD, NEW)])
        assert file.read_bytes() == OLD
        write.fcntl.flock(folder, write.fcntl.LOCK_UN)
        write.replace([Change(file, OLD, NEW)])
    finally:
        os.close(folder)
    assert file.read_bytes() == NEW


def test_a_file_system_without_locks_is_written_all_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write.fcntl, "flock", failing(errno.ENOLCK, write.fcntl.flock, always))
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW


def test_a_folder_that_cannot_be_opened_refuses_the_write(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = lambda path, *_: str(path) == str(file.parent)  # noqa: E731  (a table's row elsewhere)
    monkeypatch.setattr(write.os, "open", failing(errno.EMFILE, os.open, on))
    with pytest.raises(WriteError, match="Too many open files"):
        write.replace([Change(file, OLD, NEW)])
    monkeypatch.undo()
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]


def test_a_folder_whose_file_system_cannot_sync_folders_is_fine(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = lambda fd: stat.S_ISDIR(os.fstat(fd).st_mode)  # noqa: E731  (a table's row elsewhere)
    monkeypatch.setattr(write.os, "fsync", failing(errno.EINVAL, os.fsync, on))
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW
