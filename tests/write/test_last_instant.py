"""The rename itself: a swap where the system has one, and edits that come in the same instant."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from archpatch import write
from archpatch.write import Change, ChangedOnDisk, WriteError
from tests.write.shared import NEW, OLD, always, failing

WAYS = ["swap", "rename"]


def renames(monkeypatch: pytest.MonkeyPatch, way: str, fails: Callable[[int], bool], number: int) -> None:
    """Let the n-th rename fail, counted from 1, on a system that can swap two names or on one that cannot."""
    calls: list[object] = []

    def call(real: Callable[..., object], *arguments: object) -> object:
        calls.append(arguments)
        if fails(len(calls)):
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    if way == "swap":
        if write._renameat2() is None:
            pytest.skip("this system cannot swap two names")
        monkeypatch.setattr(write, "_exchange", partial(call, write._exchange))
    else:
        monkeypatch.setattr(write, "_renameat2", lambda: None)
        monkeypatch.setattr(write.os, "replace", partial(call, os.replace))


@pytest.mark.parametrize("way", WAYS)
def test_files_of_one_fix_go_in_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    paths = [tmp_path / name for name in ("Dockerfile", "app.csproj", "setup.py")]
    for path in paths:
        path.write_bytes(OLD)
    renames(monkeypatch, way, lambda count: count == 3, errno.EIO)
    with pytest.raises(WriteError) as caught:
        write.replace([Change(path, OLD, NEW) for path in paths])
    assert caught.value.path == paths[2]
    assert [path.read_bytes() for path in paths] == [OLD] * 3
    assert sorted(os.listdir(tmp_path)) == ["Dockerfile", "app.csproj", "setup.py"]


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_cannot_be_put_back_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    paths = [tmp_path / name for name in ("Dockerfile", "setup.py")]
    for path in paths:
        path.write_bytes(OLD)
    renames(monkeypatch, way, lambda count: count > 1, errno.EIO)
    with pytest.raises(WriteError) as caught:
        write.replace([Change(path, OLD, NEW) for path in paths])
    assert caught.value.path == paths[1]
    assert (
        str(caught.value)
        == f"could not be written: Input/output error (and {paths[0]} could not be put back)"
    )
    assert [path.read_bytes() for path in paths] == [NEW, OLD]


@pytest.mark.parametrize("number", [errno.EIO, errno.EBUSY, errno.EACCES], ids=errno.errorcode.get)
def test_a_swap_that_fails_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(write, "_renameat2", lambda: lambda one, other: number)
    with pytest.raises(WriteError, match="could not be written"):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.EPERM], ids=errno.errorcode.get)
def test_where_names_cannot_be_swapped_a_rename_does(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(write, "_renameat2", lambda: lambda one, other: number)
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW
    assert os.listdir(file.parent) == ["Dockerfile"]


def in_place(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"# edited\n")


def by_another_file(file: Path) -> None:
    fresh = file.with_name("fresh")
    fresh.write_bytes(file.read_bytes() + b"# edited\n")
    fresh.rename(file)


@pytest.mark.parametrize("edit", [in_place, by_another_file], ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("several", [False, True], ids=["one file", "one of two"])
def test_an_edit_in_the_last_instant_is_seen_and_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], None], several: bool
) -> None:
    if write._renameat2() is None:
        pytest.skip("this system cannot swap two names")
    other = file.with_name("setup.py")
    other.write_bytes(OLD)
    real, edited = write._exchange, []

    def late(one: str, two: str) -> bool:
        if two == str(file) and not edited:
            edit(file)
            edited.append(True)
        return real(one, two)

    monkeypatch.setattr(write, "_exchange", late)
    changes = [Change(file, OLD, NEW), *([Change(other, OLD, NEW)] if several else [])]
    with pytest.raises(ChangedOnDisk, match="changed on disk while it was written; not written"):
        write.replace(changes)
    assert file.read_bytes() == OLD + b"# edited\n"
    assert other.read_bytes() == OLD
    assert sorted(os.listdir(file.parent)) == ["Dockerfile", "setup.py"]


def test_an_edit_of_a_file_that_was_opened_before_is_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if write._renameat2() is None:
        pytest.skip("this system cannot swap two names")
    real = write._sync_folder

    with file.open("ab", buffering=0) as stream:

        def sync(*arguments: object) -> None:
            stream.write(b"# edited\n")
            real(*arguments)  # type: ignore[arg-type]  # handed on

        monkeypatch.setattr(write, "_sync_folder", sync)
        with pytest.raises(ChangedOnDisk):
            write.replace([Change(file, OLD, NEW)])
        stream.write(b"# and on\n")
    assert file.read_bytes() == OLD + b"# edited\n# and on\n"


def test_of_two_edits_at_once_both_are_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if write._renameat2() is None:
        pytest.skip("this system cannot swap two names")
    real = write._sync_folder

    with file.open("ab", buffering=0) as stream:

        def sync(*arguments: object) -> None:
            stream.write(b"# to the old\n")
            in_place(file)  # which is the new one now
            real(*arguments)  # type: ignore[arg-type]  # handed on

        monkeypatch.setattr(write, "_sync_folder", sync)
        with pytest.raises(ChangedOnDisk, match="what was written meanwhile is in") as caught:
            write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == OLD + b"# to the old\n"
    (saved,) = set(os.listdir(file.parent)) - {"Dockerfile"}
    assert saved in str(caught.value)
    assert (file.parent / saved).read_bytes() == NEW + b"# edited\n"


def test_a_file_that_goes_in_the_last_instant_stays_gone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if write._renameat2() is None:
        pytest.skip("this system cannot swap two names")
    real = write._exchange

    def late(one: str, two: str) -> bool:
        file.unlink()
        return real(one, two)

    monkeypatch.setattr(write, "_exchange", late)
    with pytest.raises(ChangedOnDisk, match="it is gone"):
        write.replace([Change(file, OLD, NEW)])
    assert os.listdir(file.parent) == []


@pytest.mark.parametrize("call", ["open", "read"])
def test_a_swapped_out_file_that_cannot_be_read_is_put_back(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    if write._renameat2() is None:
        pytest.skip("this system cannot swap two names")
    real, failed = getattr(os, call), []

    def fails(*arguments: object) -> object:
        if file.stat().st_size == len(NEW) and not failed:  # the first such call after the swap
            failed.append(arguments)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments)

    monkeypatch.setattr(write.os, call, fails)
    with pytest.raises(ChangedOnDisk, match=r"not written$"):
        write.replace([Change(file, OLD, NEW)])
    assert failed
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]


@pytest.mark.skipif(sys.platform != "linux", reason="the call is one of Linux")
def test_a_c_library_that_cannot_swap_names_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda *_args, **_options: object())
    assert write._renameat2.__wrapped__() is None


def test_a_system_without_swaps_and_extended_attributes_renames(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o600)
    monkeypatch.setattr(write, "_renameat2", write._renameat2.__wrapped__)
    monkeypatch.setattr(write.os, "listxattr", failing(errno.ENOSYS, always, always))
    monkeypatch.setattr(write.sys, "platform", "darwin")
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == ["Dockerfile"]
