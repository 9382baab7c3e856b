"""What belongs to a file stays with it: mode, owner, attributes, links."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from archpatch import write
from archpatch.write import Change, WriteError
from tests.write.shared import NEW, OLD, always, failing


def test_the_new_bytes_stand_in_the_file_and_no_temporary_is_left(file: Path) -> None:
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW
    assert os.listdir(file.parent) == ["Dockerfile"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755, 0o4755, 0o2664], ids=oct)
def test_the_mode_is_kept(file: Path, mode: int) -> None:
    file.chmod(mode)
    write.replace([Change(file, OLD, NEW)])
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_group_are_kept(file: Path) -> None:
    os.chown(file, 1234, 4321)
    file.chmod(0o6755)  # chown drops these bits: the order of the two matters
    write.replace([Change(file, OLD, NEW)])
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o6755)


def test_extended_attributes_are_kept(file: Path) -> None:
    try:
        os.setxattr(file, "user.note", b"\x00kept")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    write.replace([Change(file, OLD, NEW)])
    assert os.getxattr(file, "user.note") == b"\x00kept"


@pytest.mark.parametrize("hops", [1, 3], ids=["one link", "a chain of links"])
def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path, hops: int) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    target = folder / "actual"
    target.write_bytes(OLD)
    link = target
    for hop in range(hops):
        here = tmp_path / f"link{hop}"
        here.symlink_to(link)
        link = here
    write.replace([Change(link, OLD, NEW)])
    assert link.is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes() == NEW
    assert os.listdir(folder) == ["actual"]


@pytest.mark.skipif(sys.platform != "linux", reason="has no extended attributes")
def test_an_attribute_that_the_system_gave_the_new_file_too_is_not_set_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write.os, "listxattr", lambda _path: ["security.selinux"])
    monkeypatch.setattr(write.os, "getxattr", lambda _file, _name: b"label")
    monkeypatch.setattr(write.os, "setxattr", failing(errno.EPERM, os.setxattr, always))
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW


def test_a_file_system_without_extended_attributes_is_no_reason_to_refuse(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write.os, "listxattr", failing(errno.ENOTSUP, os.listxattr, always))
    write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("call", ["listxattr", "setxattr"])
def test_extended_attributes_that_cannot_be_kept_refuse_the_write(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    try:
        os.setxattr(file, "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    monkeypatch.setattr(write.os, call, failing(errno.EACCES, getattr(os, call), always))
    with pytest.raises(WriteError, match="Permission denied"):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]
