"""What a check of a file gave, kept under a hash of all that it depends on.

That is: the bytes of the Dockerfile and its path; version and files of archpatch, of every rule pack and the versions
of all that is installed beside them; the settings, the user's own tables included; and every answer that the build
context gave: listings, contents, and what was not there. One file of JSON an entry, in the user's cache folder, which
must be the user's own and closed to others. What cannot be read, or is not what was written, is as good as not there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from archpatch import __version__, registry
from archpatch.checking import Settings
from archpatch.discover import Unreadable, read, root_of
from archpatch.facts.context import Asked
from archpatch.look import Task, look_asking
from archpatch.platforms import Platform
from archpatch.report.model import Entry, Error, FileResult, Kind, State, Verb
from archpatch.rule import Finding
from archpatch.syntax.tree import Problem
from archpatch.text import read_up_to, sha256

_FORMAT = "1"
_LARGEST = 4 << 20  # bytes of an entry
_MOST = 50_000  # entries that are kept
_SUM = 64  # characters of a checksum


class _Kept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A FileResult without its source; `questions` are those put to the build context, with a hash of each answer."""

    questions: dict[str, str]
    targets: tuple[str, ...]
    states: tuple[State, ...]
    entries: tuple[Entry, ...]
    suppressed: tuple[Entry, ...]
    unknown: tuple[Problem, ...]
    errors: tuple[Error, ...]
    demoted: tuple[Finding, ...]
    failing: bool


class Cache:
    """The entries in a folder. Errors of the disk are no errors of a run: then nothing is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "check"
        self._place = str(self._folder)
        self._program = ""
        self._settings: dict[Settings, str] = {}

    def usable(self) -> bool:
        """Make the folder where it is not there; whether it is the user's own, and closed to others."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return all(map(_is_private, (self._folder.parent, self._folder)))
        except OSError:
            return False

    def key(self, task: Task, source: bytes) -> str | None:
        """The hash of all that is known before a file is looked at; None where nothing may be kept."""
        if task.verb is not Verb.CHECK or task.scope is not None or task.source is not None:
            return None
        try:
            if task.settings not in self._settings:
                self._settings[task.settings] = _settings(task.settings)
            self._program = self._program or program()
            path, here = str(task.path), os.getcwd()
            root = root_of(os.path.dirname(os.path.join(here, path)))  # fingerprints begin there
            parts = (self._program, self._settings[task.settings], task.fail_on.name, path, here, root or "")
            return _hash("\0".join((_FORMAT, *parts, sha256(source))))
        except (OSError, UnicodeEncodeError):
            return None

    def find(self, task: Task) -> FileResult | None:
        """What was kept of a file as it is now."""
        try:
            source = read(task.path)
        except Unreadable:
            return None
        key = self.key(task, source)
        return None if key is None else self.get(key, task, source)

    def get(self, key: str, task: Task, source: bytes) -> FileResult | None:
        """What was kept, if the build context still answers as it did then."""
        text = self._read(key)
        if text is None:
            return None
        try:
            kept = _decoder().decode(text)
            targets = _platforms(kept.targets)
            context = Asked(task.path.parent, task.path.name)
            if any(context.answer(question) != told for question, told in kept.questions.items()):
                return None
        except (ValueError, RecursionError, msgspec.MsgspecError):
            return None
        return FileResult(
            task.path,
            source,
            targets,
            kept.entries,
            kept.suppressed,
            unknown=kept.unknown,
            errors=kept.errors,
            states=dict(zip(targets, kept.states, strict=False)),
            demoted=kept.demoted,
            failing=kept.failing,
        )

    def put(self, key: str, file: FileResult, questions: Mapping[str, str]) -> None:
        """Keep a result. One that speaks of other files than the Dockerfile is not kept, for their texts belong to it."""
        if file.others or file.outside or any(error.kind is not Kind.PARSE for error in file.errors):
            return
        kept = _Kept(
            dict(questions),
            tuple(map(str, file.targets)),
            tuple(file.states[target] for target in file.targets),
            file.entries,
            file.suppressed,
            file.unknown,
            file.errors,
            file.demoted,
            file.failing,
        )
        with contextlib.suppress(UnicodeEncodeError):  # a path that is no text
            self._write(key, msgspec.json.encode(kept, enc_hook=_path_text))

    def prune(self) -> None:
        """Remove the oldest entries above the number that is kept."""
        with contextlib.suppress(OSError):
            found = [entry for folder in os.scandir(self._folder) for entry in os.scandir(folder)]
            if len(found) > _MOST:
                found.sort(key=lambda entry: entry.stat().st_mtime)
                for entry in found[: len(found) - _MOST * 9 // 10]:
                    os.unlink(entry)

    def _path(self, key: str) -> str:
        return os.path.join(self._place, key[:2], key[2:])

    def _read(self, key: str) -> bytes | None:
        try:
            descriptor = _opener(self._path(key), os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            text = read_up_to(descriptor, _LARGEST, status.st_size)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        body = text[_SUM:]
        return body if text[:_SUM].decode("latin-1") == _sum(key, body) else None

    def _write(self, key: str, body: bytes) -> None:
        path = self._path(key)
        temp = f"{path}.{os.urandom(4).hex()}"
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            try:
                with open(temp, "xb", opener=_opener) as file:
                    file.write(_sum(key, body).encode() + body)
                os.replace(temp, path)
            except OSError:
                os.unlink(temp)


@lru_cache(maxsize=64)
def _platforms(names: tuple[str, ...]) -> tuple[Platform, ...]:
    return tuple(map(Platform.parse, names))


def program() -> str:
    """A hash that changes with the code: every file of archpatch and of each rule pack by name, size and time, and
    the names and versions of all distributions."""
    parts = [__version__, sys.version]
    modules = {"archpatch", *(pack.value.partition(":")[0].partition(".")[0] for pack in registry.packs())}
    for module in sorted(modules):
        spec = find_spec(module)  # finds it without running it
        folders = spec.submodule_search_locations if spec else None
        if spec and not folders and spec.origin:
            parts.append(_stamp(spec.origin, os.stat(spec.origin)))
        for folder in folders or ():
            parts += sorted(_stamps(folder))
    parts += (os.path.basename(folder) for folder in registry.distributions())
    return _hash("\0".join(parts))


def _stamps(folder: str) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _stamps(entry.path)
        else:
            yield _stamp(entry.path, entry.stat())


def _stamp(path: str, status: os.stat_result) -> str:
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _settings(settings: Settings) -> str:
    tables = [f"{path} {sha256(path.read_bytes())}" for path in settings.tables.extra]
    words = (settings.select, settings.ignore, settings.extend_select)
    return repr(([str(target) for target in settings.targets], settings.style.name, words, tables))


def _is_private(folder: Path) -> bool:
    status = os.lstat(folder)
    if sys.platform == "win32":  # the profile's rights say so
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape"))


def _sum(key: str, body: bytes) -> str:
    return sha256(key.encode() + body)


def _path_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _path(kind: type, value: Any) -> Any:
    if issubclass(kind, Path) and isinstance(value, str):
        return Path(value)
    raise ValueError(f"a {kind.__name__} is expected")


@cache
def _decoder() -> msgspec.json.Decoder[_Kept]:
    return msgspec.json.Decoder(_Kept, dec_hook=_path)


@cache
def opened(folder: Path) -> Cache | None:
    """The cache in a folder, one for a process; None where it cannot be used."""
    found = Cache(folder)
    return found if found.usable() else None


def look_and_keep(folder: Path, task: Task) -> FileResult | Error:
    """`look`, and keep the result."""
    result, context = look_asking(task)
    kept = opened(folder)
    if kept is not None and context is not None and isinstance(result, FileResult):
        key = kept.key(task, result.source)
        if key is not None:
            kept.put(key, result, context.answers)
    return result
