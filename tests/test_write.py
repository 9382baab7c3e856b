"""The atomic write: the old file or the new one, with everything that belongs to it, or one clear line."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from archpatch import write
from archpatch.write import Change, ChangedOnDisk, WriteError

OLD, NEW = b"FROM --platform=linux/amd64 alpine\r\n", b"\xef\xbb\xbfFROM alpine\n\xff no final newline"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_bytes(OLD)
    return path


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


def failing(number: int, real: Callable[..., object], on: Callable[..., bool]) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        if on(*args):
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    return call


def is_temp(*args: object) -> bool:
    return ".archpatch-" in str(args[0])


def always(*_args: object) -> bool:
    return True


SYSTEM_CALLS = {
    "the temporary is not created": ("open", is_temp),
    "the bytes are not written": ("write", always),
    "the mode is not kept": ("fchmod", always),
    "the data is not synced": ("fsync", lambda fd: stat.S_ISREG(os.fstat(fd).st_mode)),
    "the rename fails": ("replace", always),
    "the target is not read": ("read", always),
}


def test_a_file_that_others_alone_may_write_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for a user that is not root
    with pytest.raises(WriteError, match="may not be written by this user"):
        write.replace([Change(file, OLD, NEW)])
    assert file.read_bytes() == OLD
    assert os.listdir(file.parent) == ["Dockerfile"]


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


def test_a_process_that_is_not_ours_to_ask_is_taken_for_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = tmp_path / temp_name(dead_pid())
    stray.write_bytes(b"half")
    monkeypatch.setattr(write.os, "kill", failing(errno.EPERM, os.kill, always))
    write.sweep(tmp_path)
    assert stray.exists()


def test_one_refused_file_keeps_all_of_its_fix_out(tmp_path: Path) -> None:
    good, bad = tmp_path / "Dockerfile", tmp_path / "app.csproj"
    good.write_bytes(OLD)
    bad.write_bytes(OLD)
    bad.chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        write.replace([Change(good, OLD, NEW), Change(bad, OLD, NEW)])
    assert good.read_bytes() == OLD
    assert bad.read_bytes() == OLD


def temp_name(pid: int, host: str | None = None) -> str:
    return f".archpatch-{host or write._host()}-{pid}-{'0' * 16}.tmp"


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid


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
