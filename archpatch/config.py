"""archpatch.toml: where it is found, what it may say.

Nothing in a config file names a command, a plugin or a URL: the file belongs to the scanned tree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from archpatch.discover import Unreadable, folder_above, read, walk_up
from archpatch.platforms import ARCHES, Platform, UnknownPlatform
from archpatch.rule import Severity, Style

NAMES = ("archpatch.toml", ".archpatch.toml", "pyproject.toml")
MAX_SIZE = 1 << 20  # bytes of a config
_MAX_TABLE = 8 << 20


_SYSTEMS = ("linux", "windows", "darwin", "freebsd", "wasi", "wasip1")
_ARCHES = (*ARCHES, "mips", "mips64", "mipsle", "ppc64")  # all that Go builds for


class ConfigError(Exception):
    """A config file that cannot be used; str() is one line that names the file."""


class Config(Struct, frozen=True):
    """What a config file says; None where it says nothing. Patterns count from `folder`.

    `data` are tables of the user's own, beside the built-in ones. `verify_allow` are globs of files of an image
    that may hold code of another architecture.
    """

    path: Path | None = None
    platforms: tuple[Platform, ...] | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    style: Style | None = None
    fail_on: Severity | None = None
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    data: tuple[Path, ...] = ()
    verify_allow: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the file; the current one where there is no file."""
        return self.path.parent if self.path else Path.cwd()

    def ignored_for(self, path: Path) -> tuple[str, ...]:
        """The codes that `per-file-ignores` names for a file."""
        return tuple(
            code for glob, codes in self.per_file_ignores if self._matches(path, glob) for code in codes
        )

    def excludes(self, path: Path) -> bool:
        """Whether `exclude` names the file or a folder that it is in."""
        return any(self._matches(path, glob) for glob in self.exclude)

    def _matches(self, path: Path, glob: str) -> bool:
        name = Path(os.path.relpath(path, self.folder)).as_posix()
        glob = glob.rstrip("/")
        here = glob.removeprefix("./").removeprefix("/")
        globs = (here, here.replace("**/", ""))  # `**/` stands for no folder too
        return any(fnmatchcase(name, one) or fnmatchcase(name, f"{one}/*") for one in globs) or (
            fnmatchcase(path.name, glob)
        )


def find(folder: Path) -> Config:
    """The nearest config of a folder, searched upwards to the repository's root. Raises ConfigError."""
    return Search().nearest(folder)


class Search(Struct):
    """The nearest config of many folders: each folder above them is looked into once."""

    found: dict[str, Config] = field(default_factory=dict)

    def nearest(self, folder: Path) -> Config:
        """As `find`. Raises ConfigError."""
        here: str | None = os.path.abspath(folder)
        passed: list[str] = []
        config: Config | None = None
        while config is None and here is not None:
            passed.append(here)
            config = self.found.get(here) or _config_in(here)
            here = folder_above(here)
        config = config or Config()
        self.found.update(dict.fromkeys(passed, config))
        return config


def _config_in(folder: str) -> Config | None:
    """The config that a folder holds. Raises ConfigError."""
    for name in NAMES:
        if not os.path.isfile(text := os.path.join(folder, name)):
            continue
        path = Path(text)
        if path.is_symlink() and not path.resolve().is_relative_to(_top(path.parent).resolve()):
            raise ConfigError(f"{path}: the link leads out of the repository; name it with --config")
        table = _table(path)
        if table is not None:
            return _with_tables(_config(path, table))
    return None


def _top(folder: Path) -> Path:
    """Where a search that begins in a folder ends."""
    *_, top = walk_up(folder)
    return top


def load(path: Path) -> Config:
    """The config of one file, named by the user. Raises ConfigError."""
    return _with_tables(_config(path, _table(path) or _Keys({}, "")))


def of_text(path: Path, data: bytes) -> Config | None:
    """What `data` says, read as if it stood in `path`; None for a pyproject.toml without us. Raises ConfigError."""
    table = _keys(path, data)
    return None if table is None else _config(path, table)


class _Keys(Struct, frozen=True):
    """What a file says to us, and its text."""

    table: Mapping[str, object]
    text: str

    def line(self, key: str) -> str:
        """`:3`, the line that a key stands on; empty where it cannot be told."""
        lines = self.text.splitlines()
        first = next((at for at, line in enumerate(lines) if line.lstrip().startswith("[tool.archpatch")), 0)
        named = re.compile(rf"""\s*(?:\[+(?:tool\.archpatch\.)?)?["']?{re.escape(key)}["']?\s*[=.\]]""")
        found = next((at for at in range(first, len(lines)) if named.match(lines[at])), None)
        return "" if found is None else f":{found + 1}"


def _table(path: Path) -> _Keys | None:
    """The keys; None for a pyproject.toml that says nothing to us."""
    try:
        data = read(path, MAX_SIZE)
    except Unreadable as error:
        raise ConfigError(f"{path}: {error}") from error
    return _keys(path, data)


def _keys(path: Path, data: bytes) -> _Keys | None:
    import tomllib  # dear at start-up, and most runs have no config

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8") from error
    if path.name == "pyproject.toml" and "archpatch" not in text:
        return None
    try:
        top: Mapping[str, object] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML: {str(error) or 'nested too deep'}") from error
    if path.name != "pyproject.toml":
        return _Keys(top, text)
    tool = top.get("tool", {})
    table = tool.get("archpatch") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.archpatch must be a table")
    return None if table is None else _Keys(table, text)


def _config(path: Path, keys: _Keys) -> Config:
    values: dict[str, object] = {}
    for key, value in keys.table.items():
        if key == "tool":
            raise ConfigError(
                f"{path}{keys.line(key)}: the keys stand in this file without [tool.archpatch] above"
            )
        if key not in _READERS:
            from archpatch.misspelt import nearest  # for a misspelt word alone

            near = nearest(key.lower().replace("_", "-"), _READERS)
            raise ConfigError(
                f"{path}{keys.line(key)}: unknown key {key!r}; the nearest known one is {near!r}"
            )
        try:
            values[key.replace("-", "_")] = _READERS[key](value)
        except ValueError as error:
            raise ConfigError(f"{path}{keys.line(key)}: {key}: {error}") from error
    config = Config(path, **values)  # type: ignore[arg-type]  # each reader gives the type of its field
    return replace(config, data=tuple(_inside(path, name) for name in config.data))


def _with_tables(config: Config) -> Config:
    """The config, if the tables that it names can be read: a name may lead to a FIFO, or to a file without end."""
    for table in config.data:
        try:
            read(table, _MAX_TABLE)
        except Unreadable as error:
            raise ConfigError(f"{config.path}: data: {table.name}: {error}") from error
    return config


def _inside(config: Path, name: Path) -> Path:
    """A file that a config names, which must lie in the config's own tree."""
    folder = os.path.realpath(config.parent)
    real = os.path.realpath(os.path.join(folder, name))
    if os.path.commonpath((folder, real)) != folder:
        raise ConfigError(f"{config}: data: {str(name)!r} lies outside of its folder")
    return Path(real)


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


def _paths(value: object) -> tuple[Path, ...]:
    return tuple(map(Path, _strings(value)))


def _platforms(value: object) -> tuple[Platform, ...]:
    return read_platforms(_strings(value))


def read_platforms(words: Sequence[str]) -> tuple[Platform, ...]:
    """Target platforms, without repeats. Raises ValueError with one line."""
    try:
        platforms = tuple(dict.fromkeys(_target(word) for word in words))
    except UnknownPlatform as error:
        raise ValueError(str(error)) from error
    if not platforms:
        raise ValueError("names no platform")
    return platforms


def _target(word: str) -> Platform:
    """A platform that images are made for; `Platform.parse` takes any word, as BuildKit does."""
    platform = Platform.parse(word)
    for part, known in ((platform.os, _SYSTEMS), (platform.arch, _ARCHES)):
        if part not in known:
            from archpatch.misspelt import close  # likewise

            near = close(part, known)
            hint = f"the nearest is {near!r}" if near else f"there are {', '.join(known)}"
            raise UnknownPlatform(f"{word!r} is no known platform: {part!r}; {hint}")
    return platform


def _style(value: object) -> Style:
    if value not in (names := [style.value for style in Style]):
        raise ValueError(f"must be one of {', '.join(names)}")
    return Style(value)


def _severity(value: object) -> Severity:
    if value not in (names := [str(severity) for severity in Severity]):
        raise ValueError(f"must be one of {', '.join(names)}")
    return Severity[str(value).upper()]


def _ignores(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    for glob, codes in value.items():
        if not isinstance(codes, list):
            raise ValueError(f"{glob!r} must be a list of strings")
    return tuple((glob, _strings(codes)) for glob, codes in value.items())


_READERS: Mapping[str, Callable[[object], object]] = {
    "platforms": _platforms,
    "select": _strings,
    "ignore": _strings,
    "extend-select": _strings,
    "style": _style,
    "fail-on": _severity,
    "per-file-ignores": _ignores,
    "exclude": _strings,
    "data": _paths,
    "verify-allow": _strings,
}
