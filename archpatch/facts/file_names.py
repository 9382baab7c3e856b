"""What the name of a Dockerfile and its folders say of the architecture that it is for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from archpatch.platforms import arch_of
from archpatch.text import regex

_PARTS = regex(r"[-._]+")
_NEAR = 4  # folders above the file that may speak of it
_NOT_ARCH = frozenset({"linux", "x64dbg", "wasm", "intel"})


@lru_cache(maxsize=1024)
def arch_of_name(name: str) -> str | None:
    """The first architecture that a file's name names, as in `Platform.arch`: `arm` of `Dockerfile-arm`."""
    return next((arch for word in _words(name) if (arch := _arch(word))), None)


def arch_of_folders(path: Path) -> str | None:
    """The architecture that names one of the nearest folders of a path, and nothing else."""
    return next(
        (arch for folder in reversed(path.parts[:-1][-_NEAR:]) if (arch := _arch(folder.lower()))), None
    )


def family_of(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that differ from `name` in the architecture alone."""
    stem = _stem(name)
    return tuple(other for other in names if other != name and arch_of_name(other) and _stem(other) == stem)


def _stem(name: str) -> str:
    """A file's name without the parts that name an architecture."""
    return "-".join(word for word in _words(name) if not _arch(word))


def _words(name: str) -> list[str]:
    return _PARTS.split(name.lower().replace("x86_64", "amd64").replace("x86-64", "amd64"))


def _arch(word: str) -> str | None:
    return None if word in _NOT_ARCH else arch_of(word)
