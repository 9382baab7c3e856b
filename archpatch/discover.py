"""Which files to look at, and their bytes.

A folder is searched for Dockerfiles in an order that depends on names alone; .gitignore is honoured without
git; what is not a regular file, lies outside the searched folder or has a template's name is passed over.
A file named by the user is always read.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from archpatch.text import read_up_to

if TYPE_CHECKING:
    from archpatch.ignorefiles import IgnoreFiles

MAX_SIZE = 4 << 20  # bytes of a Dockerfile; the largest of the public corpora has some 200 kB
PATTERNS = (
    "Dockerfile", "Dockerfile.*", "Dockerfile-*", "*.Dockerfile", "*.dockerfile", "dockerfile", "Containerfile*",
)  # fmt: skip
# Files that share a Dockerfile's name and are none: BuildKit's ignore file for Dockerfile.x, and what is written about it.
OTHERS = (".dockerignore", ".containerignore", ".md", ".rst")
TEMPLATES = (
    ".ejs", ".erb", ".gotmpl", ".hbs", ".in", ".j2", ".jinja", ".jinja2", ".liquid", ".m4", ".mako", ".mustache",
    ".template", ".tmpl", ".tpl",
)  # fmt: skip
_NEVER = frozenset({".git", ".hg", ".jj", ".svn"})
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))


class Unreadable(Exception):
    """A file cannot be looked at; str() is one line without the path."""


class Trouble(Struct, frozen=True):
    """A path that could not be looked at, and why in one line."""

    path: Path
    message: str


class Found(Struct, frozen=True):
    """`files` in order, without repeats; `templates` were passed over; `total` counts all shards.

    `named` are those that the user named, which no exclusion hides.
    """

    files: tuple[Path, ...] = ()
    named: frozenset[Path] = frozenset()
    templates: tuple[Path, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    total: int = 0


class Shard(Struct, frozen=True):
    """The `number`-th of `count` parts, by a hash of the path: the same on every machine."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/8`. Raises ValueError with one line."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise ValueError(f"{text!r} is no shard; one of eight is 1/8")
        return cls(int(number), int(count))

    def holds(self, path: Path) -> bool:
        """Whether a file belongs to this part."""
        name = os.path.relpath(path, project_root(path) or Path())
        return zlib.crc32(os.fsencode(name)) % self.count == self.number - 1


class _Search(Struct):
    """What has been found so far; `files` says of each whether it is a link that a search met."""

    files: dict[Path, bool] = field(default_factory=dict)
    named: set[Path] = field(default_factory=set)
    templates: list[Path] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


def discover(paths: Sequence[Path], *, shard: Shard | None = None) -> Found:
    """Every file to look at, for `paths` given by the user (none: the current folder)."""
    search = _Search()
    for path in paths or (Path(),):
        _take(path, search)
    files = _without_twins(search.files)
    mine = tuple(path for path in files if shard is None or shard.holds(path))
    templates = tuple(dict.fromkeys(search.templates))
    return Found(mine, frozenset(search.named), templates, tuple(search.troubles), len(files))


def _without_twins(found: Mapping[Path, bool]) -> tuple[Path, ...]:
    """The files, and those links whose target was not found under its own name."""
    real = (
        {os.path.realpath(path) for path, is_link in found.items() if not is_link}
        if any(found.values())
        else set()
    )
    files = []
    for path, is_link in found.items():
        if is_link:
            if (target := os.path.realpath(path)) in real:
                continue
            real.add(target)
        files.append(path)
    return tuple(files)


def is_dockerfile_name(name: str) -> bool:
    """Whether a folder's search looks at a file of that name (or counts it as a template)."""
    return any(fnmatchcase(name, pattern) for pattern in PATTERNS) and not name.endswith(OTHERS)


def is_template_name(name: str) -> bool:
    """Whether a name says that a program makes the Dockerfile from the file."""
    return name.lower().endswith(TEMPLATES)


def project_root(path: Path) -> Path | None:
    """The nearest folder at or above `path` that holds `.git`; None outside a repository."""
    root = root_of(os.path.abspath(path))
    return None if root is None else Path(root)


def root_of(folder: str) -> str | None:
    """`project_root` of an absolute folder."""
    return folder if _is_root(folder) else _root_above(os.path.dirname(folder))


@lru_cache(maxsize=4096)
def _root_above(folder: str) -> str | None:
    while not _is_root(folder):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


@lru_cache(maxsize=4096)
def _is_root(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, ".git"))


def read(path: Path, limit: int = MAX_SIZE, *, nul: bool = False) -> bytes:
    """The bytes of a regular file that holds text, NUL bytes among it if `nul`. Raises Unreadable."""
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        raise Unreadable(_why(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        data = read_up_to(descriptor, limit + 1, status.st_size)
    except OSError as error:
        raise Unreadable(_why(error)) from error
    finally:
        os.close(descriptor)
    check_text(data, limit, status.st_size, nul=nul)
    return data


def check_text(data: bytes, limit: int = MAX_SIZE, size: int = 0, *, nul: bool = False) -> None:
    """Raises Unreadable for bytes that are too many or no text. `size` is that of the whole, where known."""
    if len(data) > limit:
        size = max(size, len(data))
        what = " for a Dockerfile" if limit == MAX_SIZE else ""
        raise Unreadable(f"is too large{what} ({size / 1e6:.1f} MB; the limit is {limit / 1e6:.1f} MB)")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("is UTF-16, which BuildKit does not read; save it as UTF-8")
    if not nul and (at := data.find(b"\0")) >= 0:
        raise Unreadable(f"is a binary file (a NUL byte at offset {at})")


def read_list(data: bytes) -> list[Path]:
    """The paths of `--files-from`: separated by NUL bytes where there is one, else by line ends."""
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [Path(os.fsdecode(name)) for name in names if name.strip()]


def _take(path: Path, search: _Search) -> None:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        search.troubles.append(Trouble(path, _why(error)))
        return
    if stat.S_ISDIR(status.st_mode):
        from archpatch.ignorefiles import IgnoreFiles  # pathspec is a third of the start-up, and here only

        _walk(path, os.path.realpath(path), IgnoreFiles.above(path), search)
    else:
        search.files[_shown(path)] = False
        search.named.add(_shown(path))


def _walk(folder: Path, root: str, ignore: IgnoreFiles, search: _Search) -> None:
    """Search a folder without following links to folders; an explicit stack holds any depth."""
    is_normal = folder == _shown(folder)
    stack = [(folder, ignore)]
    while stack:
        here, above = stack.pop()
        try:
            with os.scandir(here) as entries:
                names = sorted(entries, key=attrgetter("name"))
        except OSError as error:
            search.troubles.append(Trouble(_shown(here), _why(error)))
            continue
        rules = above.entered(here) if any(entry.name == ".gitignore" for entry in names) else above
        folders = []
        for entry in names:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not is_dockerfile_name(entry.name):
                continue
            path = here / entry.name
            if rules.ignores(path, is_folder=is_folder):
                continue
            if is_folder:
                if entry.name not in _NEVER:
                    folders.append((path, rules))
            else:
                _sort_in(entry, path if is_normal else _shown(path), root, search)
        stack += reversed(folders)


def _sort_in(entry: os.DirEntry[str], path: Path, root: str, search: _Search) -> None:
    if is_template_name(entry.name):
        search.templates.append(path)
    elif entry.is_symlink():
        target = os.path.realpath(entry.path)
        if os.path.commonpath((target, root)) == root and os.path.isfile(target):
            search.files.setdefault(path, True)
    elif entry.is_file():
        search.files[path] = False


def _shown(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "no such file or folder"
    return os.strerror(number).lower() if number else str(error)


def walk_up(folder: Path) -> Iterator[Path]:
    """`folder` and those above, up to the repository's root; outside one, up to the current folder."""
    here: str | None = os.path.abspath(folder)
    while here is not None:
        yield Path(here)
        here = folder_above(here)


def folder_above(folder: str) -> str | None:
    """The folder above an absolute one, where `walk_up` goes on; None where it ends."""
    root = root_of(folder)
    goes_on = folder != root if root is not None else folder.startswith(os.getcwd().rstrip(os.sep) + os.sep)
    return os.path.dirname(folder) if goes_on else None


def user_folder() -> Path:
    """The user's own folder of what archpatch keeps between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "archpatch"
