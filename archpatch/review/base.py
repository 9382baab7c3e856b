"""The config of the base commit: a pull request does not choose by which rules it is judged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from archpatch.config import MAX_SIZE, NAMES, Config, ConfigError, of_text
from archpatch.discover import Unreadable, project_root, read


class Configs(Struct, frozen=True):
    """The configs in force, by folder (absolute). `differing`: paths where the tree says something else."""

    by_folder: Mapping[Path, Config]
    differing: tuple[str, ...]


def configs_of(
    names: list[str] | None, content: Callable[[str], bytes | None], scratch: Path, root: Path | None = None
) -> Configs:
    """Read the configs of a commit as if they stood in the tree at `root`.

    `names`: every file of the commit; None: unknown, then those at the root alone count. `content` reads one.
    `scratch`: an empty folder for the tables that they name. Raises ConfigError.
    """
    root = root or project_root(Path()) or Path.cwd()
    known = [name for name in names if PurePosixPath(name).name in NAMES] if names is not None else [*NAMES]
    found: dict[Path, Config] = {}
    differing: list[str] = []
    # Where one folder holds several, the first of NAMES counts.
    for name in sorted(known, key=lambda one: NAMES.index(PurePosixPath(one).name)):
        data = content(name)
        path = root / name
        config = of_text(path, data) if data is not None else None
        if config is None or data is None:
            continue
        if path.parent not in found:
            found[path.parent] = _with_tables(config, root, content, scratch)
        if _in_tree(path, root) != data:
            differing.append(name)
    differing += (name for name in NAMES if name not in known and _says_something(root / name, root))
    return Configs(found, tuple(sorted(differing)))


def _says_something(path: Path, root: Path) -> bool:
    try:
        data = _in_tree(path, root)
        return os.path.lexists(path) if data is None else of_text(path, data) is not None
    except ConfigError:
        return True


def _in_tree(path: Path, root: Path) -> bytes | None:
    """What a config of the tree holds; None for what is none, is too large, or lies outside of the tree."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        return None
    try:
        return read(path, MAX_SIZE, nul=True)
    except Unreadable:
        return None


def _with_tables(config: Config, root: Path, content: Callable[[str], bytes | None], scratch: Path) -> Config:
    """The tables of a config, from the same commit."""
    tables = []
    for at, table in enumerate(config.data):
        name = Path(os.path.relpath(table, os.path.realpath(root))).as_posix()
        data = content(name)
        if data is None:
            raise ConfigError(f"{config.path}: data: there is no {name!r}")
        copy = scratch / f"{len(list(scratch.iterdir()))}-{at}-{table.name}"
        copy.write_bytes(data)
        tables.append(copy)
    return replace(config, data=tuple(tables))
