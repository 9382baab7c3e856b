"""The Python packages that an installation asks for, those of requirement files in the build context included.

Source: pip's "Requirements File Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.text import decode, regex

if TYPE_CHECKING:
    from archpatch.facts.context import Context
    from archpatch.facts.facts import Facts
    from archpatch.facts.packages import Install

_LINE = regex(
    r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(===?\s*([\w.!+*-]+)|[~<>!]=?|@|;|$)"
)
_NESTED = regex(r"-r\s*(\S+)|--requirement[= ]\s*(\S+)")


class Requirement(Struct, frozen=True):
    """A package in normal form; `version` where it is pinned (`==1.2`), else None. `path`: the file that asks for it,
    relative to the build context; None for the command line. `marked`: a marker speaks of the machine, and may leave
    the package out."""

    name: str
    version: str | None
    path: Path | None = None
    marked: bool = False

    @property
    def number(self) -> tuple[int, ...]:
        """The version as numbers, to compare with: (1, 66, 2); empty where none is pinned."""
        return tuple(int(part) for part in re.findall(r"\d+", (self.version or "").partition("+")[0]))


def python_requirements(facts: Facts, install: Install) -> tuple[Requirement, ...]:
    """What a `pip install` asks for, as far as it is known: files that cannot be read say nothing."""
    found = [
        Requirement(
            one.name, one.version if "==" in one.word.raw else None, None, "platform_machine" in one.word.raw
        )
        for one in install.packages
        if not one.local
    ]
    for word in install.requirements:
        name = (word.literal or "").removeprefix("./").lstrip("/")
        if facts.context is not None and name:
            for path in (Path(name), Path(Path(name).name)):
                if facts.context.exists(path):
                    found += _of_file(facts.context, path, 0)
                    break
    return tuple(found)


def _of_file(context: Context, path: Path, depth: int) -> Iterator[Requirement]:
    text = decode(context.read(path) or b"").replace("\\\n", " ")
    for line in text.splitlines():
        line = line.partition(" #")[0].strip()
        nested = _NESTED.match(line)
        if nested and depth < 3:
            yield from _of_file(context, path.parent / (nested[1] or nested[2]), depth + 1)
        elif match := _LINE.match(line):
            marked = "platform_machine" in line.partition(";")[2]
            yield Requirement(re.sub(r"[-_.]+", "-", match[1]).lower(), match[3], path, marked)
