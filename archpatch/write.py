"""The atomic write: at any instant a file is the old one or the new one.

A temporary file in the same real folder gets the bytes, the mode, the owner and the extended attributes, is
synced, and takes the name by one rename, if the file still holds what was read. Where the system can swap two
names, the rename is such a swap: what an editor wrote in the last instant then lies under the temporary name, is
seen there, and is swapped back. Several files of one fix go in together: everything that can fail is tried before
the first rename, and a failed rename puts the earlier ones back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import stat
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from archpatch.text import regex

if sys.platform != "win32":
    import fcntl

# Matches no pattern by which a Dockerfile is found. The host is named because a pid says nothing elsewhere:
# two containers may share a folder.
_TEMP = regex(r"\.archpatch-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{16}\.tmp")
_STALE_AFTER = 3600.0  # seconds
_LOCK_PATIENCE = 2.0  # seconds
_FLAGS = ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")  # those that the system has
_OPEN = sum(getattr(os, name, 0) for name in _FLAGS)
# A folder cannot be synced on every file system; the rename is then as safe as that system makes it.
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
# renameat2(2): paths from the current folder, and the two names change places.
_AT_FDCWD, _EXCHANGE = -100, 2
# No such call, or none on this file system; a sandbox may answer EPERM to calls that it does not know.
_NO_EXCHANGE = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM})


class WriteError(Exception):
    """A file was not written; it holds what it held. str() is one line without the path."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class ChangedOnDisk(WriteError):
    """Another process wrote the file after it was read."""


class Change(Struct, frozen=True):
    """`before` is what was read from `path`, `after` what shall stand there."""

    path: Path
    before: bytes
    after: bytes


class _Staged(Struct, frozen=True):
    change: Change
    real: str
    temp: str
    undo: str  # a second temporary file that holds `before`; "" where there is one change only


def replace(changes: Sequence[Change]) -> None:
    """Write all `changes`, or none.

    A symbolic link stays and its target is written. SIGINT and SIGTERM wait until the files are whole.
    Raises WriteError (ChangedOnDisk) for the first file that cannot be written.
    """
    staged: list[_Staged] = []
    with _deferred_signals():
        try:
            for change in changes:
                _stage(change, staged, with_undo=len(changes) > 1)
            _commit(staged)
        finally:
            for item in staged:
                for temp in filter(None, (item.temp, item.undo)):
                    with contextlib.suppress(OSError):
                        os.unlink(temp)


def sweep(folder: Path) -> None:
    """Remove what a killed process left in `folder`: of a dead process of this host, or older than an hour."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMP.fullmatch(entry.name)
            if not match or not entry.is_file(follow_symlinks=False):
                continue
            if _is_stale(match, entry.stat(follow_symlinks=False)):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _is_stale(match: re.Match[str], status: os.stat_result) -> bool:
    if time.time() - status.st_mtime > _STALE_AFTER:
        return True
    return match[1] == _host() and not _is_alive(int(match[2]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it is there and not ours, or we cannot tell
    return True


def _host() -> str:
    return f"{zlib.crc32(os.uname().nodename.encode() if sys.platform != 'win32' else b''):08x}"


def _stage(change: Change, staged: list[_Staged], *, with_undo: bool) -> None:
    """Put the new bytes, with all attributes, beside the file."""
    real, status = _look(change)
    folder = os.path.dirname(real)
    names = [_temp_name(folder), _temp_name(folder) if with_undo else ""]
    staged.append(_Staged(change, real, names[0], names[1]))
    try:
        _fill(names[0], change.after, real, status)
        if with_undo:
            _fill(names[1], change.before, real, status)
    except OSError as error:
        raise WriteError(f"could not be written: {_why(error)}", change.path) from error


def _temp_name(folder: str) -> str:
    return os.path.join(folder, f".archpatch-{_host()}-{os.getpid()}-{os.urandom(8).hex()}.tmp")


def _look(change: Change) -> tuple[str, os.stat_result]:
    """The real path and status of a file that may be written and holds what was read."""
    path = change.path
    try:
        real = os.path.realpath(path, strict=True)
        descriptor = os.open(real, os.O_RDONLY | _OPEN)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise ChangedOnDisk("changed on disk: it is gone", path) from error
        raise WriteError(f"could not be read: {_why(error)}", path) from error
    try:
        status = os.fstat(descriptor)
        if refusal := _refusal(real, status):
            raise WriteError(refusal, path)
        if status.st_size != len(change.before) or _read_all(descriptor) != change.before:
            raise ChangedOnDisk("changed on disk since it was read; not written", path)
    except OSError as error:
        raise WriteError(f"could not be read: {_why(error)}", path) from error
    finally:
        os.close(descriptor)
    return real, status


def _refusal(real: str, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file; not written"
    if status.st_nlink > 1:
        return f"has {status.st_nlink} hard links, which a write would cut apart; not written"
    # A mode without any write bit is somebody's wish, which root too shall heed.
    if not status.st_mode & 0o222:
        return f"is read-only (mode {stat.S_IMODE(status.st_mode):04o}); not written"
    if not os.access(real, os.W_OK):
        return (
            f"may not be written by this user, or here (mode {stat.S_IMODE(status.st_mode):04o}); not written"
        )
    return ""


def _fill(temp: str, data: bytes, real: str, status: os.stat_result) -> None:
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        _keep_attributes(descriptor, real, status)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_attributes(descriptor: int, real: str, status: os.stat_result) -> None:
    """Owner, extended attributes (ACLs among them) and mode, in the order that keeps each."""
    if sys.platform == "win32":
        return
    fresh = os.fstat(descriptor)
    if (fresh.st_uid, fresh.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    if sys.platform == "linux":
        for name in _attribute_names(real):
            value = os.getxattr(real, name)
            if _attribute(descriptor, name) != value:
                os.setxattr(descriptor, name, value)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


if sys.platform == "linux":

    def _attribute_names(real: str) -> list[str]:
        try:
            return os.listxattr(real)
        except OSError as error:
            if error.errno == errno.ENOTSUP:
                return []
            raise

    def _attribute(descriptor: int, name: str) -> bytes | None:
        try:
            return os.getxattr(descriptor, name)
        except OSError:
            return None  # the write that follows says what is wrong


def _commit(staged: Sequence[_Staged]) -> None:
    """Rename all, under a lock on each folder, if every file still holds what was read."""
    with contextlib.ExitStack() as locks:
        folders = {os.path.dirname(item.real): item.change.path for item in staged}
        descriptors = [locks.enter_context(_locked(folder, folders[folder])) for folder in sorted(folders)]
        for item in staged:
            _look(item.change)
        done: list[tuple[_Staged, bool]] = []
        for item in staged:
            try:
                done.append((item, _place(item)))
            except OSError as error:
                if error.errno == errno.ENOENT:
                    raise ChangedOnDisk(
                        f"changed on disk: it is gone{_put_back(done)}", item.change.path
                    ) from error
                raise WriteError(
                    f"could not be written: {_why(error)}{_put_back(done)}", item.change.path
                ) from error
        _compare(done)
        for descriptor, path in zip(descriptors, map(folders.get, sorted(folders)), strict=True):
            _sync_folder(descriptor, path or Path())
        _compare(done)  # once more, for who was in the middle of writing in place


def _place(item: _Staged) -> bool:
    """Give the new bytes their name; whether the old file now has the temporary one."""
    if _exchange(item.temp, item.real):
        return True
    os.replace(item.temp, item.real)
    return False


def _compare(done: Sequence[tuple[_Staged, bool]]) -> None:
    """Put everything back if a file that was swapped out does not hold what was read."""
    for item, swapped in done:
        if swapped and _bytes_of(item.temp) != item.change.before:
            told = f"changed on disk while it was written; not written{_put_back(done)}"
            raise ChangedOnDisk(told, item.change.path)


def _bytes_of(path: str) -> bytes | None:
    """What a regular file holds; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN)
    except OSError:
        return None
    try:
        return _read_all(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _exchange(one: str, other: str) -> bool:
    """Let two names change places in one instant; False where that cannot be done. Raises OSError."""
    call = _renameat2()
    number = call(os.fsencode(one), os.fsencode(other)) if call else errno.ENOSYS
    if number and number not in _NO_EXCHANGE:
        raise OSError(number, os.strerror(number), other)
    return not number


@cache
def _renameat2() -> Callable[[bytes, bytes], int] | None:
    """Swaps two names and gives an error number or 0; None where the C library has no such call."""
    if sys.platform != "linux":
        return None
    import ctypes  # takes 4 ms, and a run that writes nothing needs none

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return None

    def swap(one: bytes, other: bytes) -> int:
        failed = library.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _EXCHANGE)
        return ctypes.get_errno() if failed else 0

    return swap


def _put_back(done: Sequence[tuple[_Staged, bool]]) -> str:
    """Undo the renames of the same fix; what is left to say of that, as the end of a message."""
    stuck, saved = [], []
    for item, swapped in reversed(done):
        try:
            if not (swapped and _exchange(item.temp, item.real)):
                os.replace(item.undo, item.real)
            elif _bytes_of(item.temp) != item.change.after:  # somebody wrote to the new file too
                saved.append(_save(item))
        except OSError:
            stuck.append(str(item.change.path))
    told = f" (and {', '.join(stuck)} could not be put back)" if stuck else ""
    return told + (f" (and what was written meanwhile is in {', '.join(saved)})" if saved else "")


def _save(item: _Staged) -> str:
    """Keep a second text that somebody wrote, under a name that no search takes for a Dockerfile."""
    name = f".archpatch-saved-{os.urandom(4).hex()}-{os.path.basename(item.real)}"
    os.rename(item.temp, os.path.join(os.path.dirname(item.real), name))
    return name


def _sync_folder(descriptor: int, path: Path) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise WriteError(f"written, but its folder could not be synced: {_why(error)}", path) from error


@contextlib.contextmanager
def _locked(folder: str, path: Path) -> Iterator[int]:
    """The folder, open and locked against other runs of this tool, which would compare at the same time."""
    if sys.platform == "win32":
        yield -1
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise WriteError(f"could not be written: {_why(error)}", path) from error
    try:
        _lock(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    deadline = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise WriteError("another process is writing in its folder; not written", path) from error
            time.sleep(0.01)
        except OSError:
            return  # this file system has no locks; the comparison alone stands guard
        else:
            return


@contextlib.contextmanager
def _deferred_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the block is left. Only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda got, _frame: waiting.append(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if waiting:
            signal.raise_signal(signal.Signals(waiting[0]))


def _read_all(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def _why(error: OSError) -> str:
    if error.errno in (errno.EBUSY, errno.EXDEV):
        return "the file is a mount point of its own"
    return os.strerror(error.errno) if error.errno else str(error)
