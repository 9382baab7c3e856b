"""What must not be written, and what changed since it was read, is refused in one clear line."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from archpatch import write
from archpatch.write import Change, ChangedOnDisk, WriteError
from tests.write.shared import NEW, OLD, always, failing


def refuse_hard_link(file: Path) -> None:
    os.link(file, file.parent / "second")


def refuse_read_only(file: Path) -> None:
    file.chmod(0o444)


def refuse_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def refuse_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def refuse_gone(file: Path) -> None:
    file.unlink()


def refuse_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def refuse_changed(file: Path) -> None:
    file.write_bytes(OLD + b"RUN true\n")


def refuse_changed_in_place(file: Path) -> None:
    file.write_bytes(OLD.upper())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (refuse_hard_link, "hard links"),
        (refuse_read_only, "read-only (mode 0444)"),
        (refuse_fifo, "not a regular file"),
        (refuse_folder, "not a regular file"),
        (refuse_gone, "changed on disk"),
        (refuse_loop, "symbolic links"),
        (refuse_changed, "changed on disk"),
        (refuse_changed_in_place, "changed on disk"),
    ],
    ids=lambda value: value.__name__.removeprefix("refuse_") if callable(value) else "",
)
def test_what_must_not_be_written_is_refused_in_one_line(
    file: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(file)
    before = sorted(os.listdir(file.parent))
    with pytest.raises(WriteError) as caught:
        write.replace([Change(file, OLD, NEW)])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.path == file
    assert sorted(os.listdir(file.parent)) == before
    if file.is_file():
        assert file.read_bytes() != NEW


def test_a_change_between_staging_and_rename_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        file.write_bytes(b"FROM other\n")

    monkeypatch.setattr(write.os, "fsync", fsync)
    with pytest.raises(ChangedOnDisk):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == b"FROM other\n"
    assert os.listdir(file.parent) == ["Dockerfile"]


def test_a_file_that_others_alone_may_write_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for a user that is not root
    with pytest.raises(WriteError, match="may not be written by this user"):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]


def test_an_owner_that_cannot_be_kept_refuses_the_write(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_fstat = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = list(real_fstat(descriptor))
        if ".archpatch-" in os.readlink(f"/proc/self/fd/{descriptor}"):
            status[stat.ST_UID] += 1
        return os.stat_result(status)

    monkeypatch.setattr(write.os, "fstat", fstat)
    monkeypatch.setattr(write.os, "fchown", failing(errno.EPERM, os.fchown, always))
    with pytest.raises(WriteError, match="not permitted"):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == OLD


def test_one_refused_file_keeps_all_of_its_fix_out(tmp_path: Path) -> None:
    good, bad = tmp_path / "Dockerfile", tmp_path / "app.csproj"
    good.write_bytes(OLD)
    bad.write_bytes(OLD)
    bad.chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        write.replace([Change(good, OLD, NEW), Change(bad, OLD, NEW)])
    assert good.read_bytes() == OLD
    assert bad.read_bytes() == OLD
