"""What .gitignore files say about a path, without running git."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Self

from msgspec import Struct
from pathspec import GitIgnoreSpec

from archpatch.text import regex

_MAX_SIZE = 1 << 20
# A pattern becomes a regular expression; more stars than this in one name could take it minutes to fail.
_TOO_MANY_STARS = regex(rb"(?:[^/*]*\*+){6}")


class IgnoreFiles(Struct, frozen=True):
    """The ignore files in force in a folder, the outermost first, each with the folder it stands in."""

    specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    @classmethod
    def above(cls, folder: Path) -> Self:
        """Those of the folders above `folder`, up to the repository's root.

        None where they would hide `folder` itself: who names a folder wants it searched.
        """
        here = os.path.abspath(folder)
        parents = [here]
        while not os.path.exists(os.path.join(parents[-1], ".git")):
            parent = os.path.dirname(parents[-1])
            if parent == parents[-1]:
                return cls()  # no repository
            parents.append(parent)
        root = parents[-1]
        found = [(root, spec) for spec in [_read(os.path.join(root, ".git", "info", "exclude"))] if spec]
        for parent in reversed(parents[1:]):
            if spec := _read(os.path.join(parent, ".gitignore")):
                found.append((parent, spec))
        above = cls(tuple(found))
        hidden = any(above.ignores(Path(part), is_folder=True) for part in parents[:-1])
        return cls() if hidden else above

    def entered(self, folder: Path) -> IgnoreFiles:
        """These and the .gitignore of `folder`."""
        spec = _read(os.path.join(folder, ".gitignore"))
        return IgnoreFiles((*self.specs, (os.path.abspath(folder), spec))) if spec else self

    def ignores(self, path: Path, *, is_folder: bool) -> bool:
        """Whether git would ignore the path: the last pattern that matches, in the innermost file, decides."""
        if not self.specs:
            return False
        text = os.path.abspath(path) + ("/" if is_folder else "")
        for folder, spec in reversed(self.specs):
            verdict = spec.check_file(text[len(folder) :].lstrip("/")).include
            if verdict is not None:
                return verdict
        return False


def _read(path: str) -> GitIgnoreSpec | None:
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            return None
        with open(path, "rb") as file:
            lines = file.read(_MAX_SIZE).splitlines()
    except OSError:
        return None
    usable = [os.fsdecode(line) for line in lines if not _TOO_MANY_STARS.search(line)]
    try:
        return GitIgnoreSpec.from_lines(usable)
    except ValueError:
        return GitIgnoreSpec.from_lines(line for line in usable if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False  # git too passes over what it cannot read
    return True
