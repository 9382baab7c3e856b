"""The build context: the files beside a Dockerfile that rules may look at.

Files are read and never executed; none larger than 1 MiB, none outside of the folder (symbolic links are
followed inside it), none but regular ones, none that `.dockerignore` leaves out. The folder of the Dockerfile is
taken for the root of its context: which folder a build uses is said on the command line, not in the file.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath

from archpatch.facts.ignore import Ignore, matches
from archpatch.text import read_up_to, sha256

LARGEST = 1 << 20
"""Bytes of the largest file that is read."""
_HEAD = 64  # bytes: an ELF header
_DEEPEST = 8
_MOST = 20_000
_LONGEST_PATH = 16  # parts
_SKIPPED = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv"})


class Context(ABC):
    """A build context. Paths are relative to `root` and use `/`."""

    root: Path
    complete: bool = True
    """False once a search stopped at its bounds: then a file that was not found may exist."""

    @abstractmethod
    def _listing(self, depth: int) -> tuple[str, ...]:
        """Every file down to this depth (0: the root alone), ignored ones included."""

    @abstractmethod
    def _content(self, path: str) -> bytes | None:
        """The bytes of a regular file inside the root that is not too large."""

    def _head(self, path: str) -> bytes | None:
        """The first bytes of a regular file inside the root."""
        content = self._content(path)
        return None if content is None else content[:_HEAD]

    @property
    @abstractmethod
    def siblings(self) -> tuple[str, ...]:
        """The names of the files in the root, ignored ones included."""

    @property
    @abstractmethod
    def ignore(self) -> Ignore:
        """The `.dockerignore` in force."""

    def files(self, *patterns: str) -> tuple[Path, ...]:
        """The files that fit one of the patterns (`requirements*.txt`, `**/*.csproj`), sorted.

        `*` stays within a folder, `**/` is any number of folders. Folders of tools (`.git`, `node_modules`) are
        not searched.
        """
        depth = (
            _DEEPEST if any("**" in pattern for pattern in patterns) else max(p.count("/") for p in patterns)
        )
        found = (path for path in self._listing(depth) if matches(path, patterns))
        return tuple(Path(path) for path in sorted(found) if not self.ignore.ignores(path))

    def read(self, path: Path | str) -> bytes | None:
        """The bytes of a file; None where there is none, or none that may be read."""
        relative = inside(str(path))
        if relative is None or self.ignore.ignores(relative):
            return None
        return self._content(relative)

    def exists(self, path: Path | str) -> bool:
        """Whether `read` would give a file's bytes."""
        return self.read(path) is not None

    def head(self, path: Path | str) -> bytes | None:
        """The first 64 bytes of a file of any size, enough for the header of a program; None as for `read`."""
        relative = inside(str(path))
        if relative is None or self.ignore.ignores(relative):
            return None
        return self._head(relative)


def inside(path: str) -> str | None:
    """The path in its plain form; None when it is absolute or leads out."""
    plain = PurePosixPath(path.replace("\\", "/") if os.sep == "\\" else path)
    parts: list[str] = []
    for part in plain.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return None if plain.is_absolute() or not 0 < len(parts) <= _LONGEST_PATH else "/".join(parts)


class FolderContext(Context):
    """A folder on disk. `dockerfile` is the file's name: `<name>.dockerignore` beside it wins over `.dockerignore`."""

    def __init__(self, root: Path, dockerfile: str = "Dockerfile") -> None:
        self.root = root
        self.dockerfile = dockerfile
        self._place = str(root)
        self._listings: dict[int, tuple[str, ...]] = {}

    @cached_property
    def ignore(self) -> Ignore:
        """The `.dockerignore` in force."""
        for name in (f"{self.dockerfile}.dockerignore", ".dockerignore"):
            content = self._content(name)
            if content is not None:
                return Ignore.parse(content.decode("utf-8", "surrogateescape"))
        return Ignore()

    @property
    def siblings(self) -> tuple[str, ...]:
        """The names of the files in the root, ignored ones included."""
        return self._listing(0)

    def _listing(self, depth: int) -> tuple[str, ...]:
        if depth not in self._listings:
            self._listings[depth] = tuple(self._walk(depth))
        return self._listings[depth]

    def _walk(self, depth: int) -> Iterator[str]:
        seen = 0
        pending = [("", 0)]
        prune = not self.ignore.has_exceptions if depth else False
        while pending:
            prefix, level = pending.pop()
            for entry in _entries(os.path.join(self._place, prefix)):
                seen += 1
                if seen > _MOST:
                    self.complete = False
                    return
                path = prefix + entry.name
                if not entry.is_dir(follow_symlinks=False):
                    yield path
                elif level >= depth or entry.name in _SKIPPED or (prune and self.ignore.ignores(path)):
                    if level >= depth == _DEEPEST:
                        self.complete = False
                else:
                    pending.append((f"{path}/", level + 1))

    def _content(self, path: str) -> bytes | None:
        content = self._bytes(path, LARGEST, LARGEST + 1)
        return None if content is None or len(content) > LARGEST else content

    def _head(self, path: str) -> bytes | None:
        return self._bytes(path, None, _HEAD)

    def _bytes(self, path: str, largest: int | None, count: int) -> bytes | None:
        """The first `count` bytes of a file that is not larger than `largest`."""
        try:
            place = os.path.join(self._place, path)
            os.lstat(place)  # most that is asked for is not there: the way to it need not be followed
            root = os.path.realpath(self._place)
            real = os.path.realpath(place)
            if os.path.commonpath((root, real)) != root:
                return None
            # Not to hang on a pipe, nor to follow a link that was put there since.
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(real, flags | getattr(os, "O_BINARY", 0))
        except (OSError, ValueError):
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or (largest is not None and status.st_size > largest):
                return None
            return read_up_to(descriptor, count, status.st_size)
        except OSError:
            return None
        finally:
            os.close(descriptor)


class Asked(FolderContext):
    """A folder of which each file is read once, and that knows what it was asked: a fix is compared with the very
    bytes that it was made for, and a result holds while the answers are the same."""

    def __init__(self, root: Path, dockerfile: str) -> None:
        super().__init__(root, dockerfile)
        self._read: dict[str, bytes | None] = {}
        self._heads: dict[str, bytes | None] = {}

    def _content(self, path: str) -> bytes | None:
        if path not in self._read:
            self._read[path] = super()._content(path)
        return self._read[path]

    def _head(self, path: str) -> bytes | None:
        if path not in self._heads:
            self._heads[path] = super()._head(path)
        return self._heads[path]

    @property
    def answers(self) -> dict[str, str]:
        """Every question so far, with a hash of what was said."""
        found = {f"list {depth}": sha256(_joined(names)) for depth, names in self._listings.items()}
        found |= {f"read {path}": _told(content) for path, content in self._read.items()}
        return found | {f"head {path}": _told(content) for path, content in self._heads.items()}

    def answer(self, question: str) -> str:
        """The answer to a question of `answers`. Raises ValueError for what is none."""
        kind, _, what = question.partition(" ")
        if kind == "list":
            return sha256(_joined(self._listing(int(what))))
        if kind not in ("read", "head"):
            raise ValueError(question)
        return _told(self._content(what) if kind == "read" else self._head(what))


def _joined(names: tuple[str, ...]) -> bytes:
    return "\0".join(names).encode("utf-8", "surrogateescape")


def _told(content: bytes | None) -> str:
    return "" if content is None else sha256(content)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=attrgetter("name"))
    except OSError:
        return []


class MemoryContext(Context):
    """A context of texts, for examples and tests: `MemoryContext({"requirements.txt": "grpcio\\n"})`."""

    def __init__(self, files: Mapping[str, str | bytes], dockerfile: str = "Dockerfile") -> None:
        self.root = Path()
        self.dockerfile = dockerfile
        self._files = {
            path: content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
            for path, content in files.items()
        }

    @cached_property
    def ignore(self) -> Ignore:
        """The `.dockerignore` in force."""
        for name in (f"{self.dockerfile}.dockerignore", ".dockerignore"):
            if name in self._files:
                return Ignore.parse(self._files[name].decode("utf-8", "surrogateescape"))
        return Ignore()

    @property
    def siblings(self) -> tuple[str, ...]:
        """The names of the files in the root, ignored ones included."""
        return self._listing(0)

    def _listing(self, depth: int) -> tuple[str, ...]:
        return tuple(path for path in sorted(self._files) if path.count("/") <= depth)

    def _content(self, path: str) -> bytes | None:
        content = self._files.get(path)
        return None if content is None or len(content) > LARGEST else content
