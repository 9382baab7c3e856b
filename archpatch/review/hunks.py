"""Which lines of the new file a pull request shows: only there does a comment hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

_HEAD = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class Hunk(Struct, frozen=True):
    """Lines of the new file, number -> text without its end, one after the other.

    `old`: the numbers that those of them which did not change have in the old file.
    """

    lines: Mapping[int, str]
    old: Mapping[int, int] = {}

    def holds(self, first: int, last: int) -> bool:
        """Whether all of these lines are shown."""
        return first in self.lines and last in self.lines

    def shows(self, texts: Mapping[int, str]) -> bool:
        """Whether the lines that both know are the same: else a file that differs was looked at."""
        return all(texts[number] == text for number, text in self.lines.items() if number in texts)


def hunks(patch: str) -> Iterator[Hunk]:
    """The hunks of a file's unified diff."""
    shown: dict[int, str] = {}
    same: dict[int, int] = {}
    at = before = 0
    for line in patch.split("\n"):
        if match := _HEAD.match(line):
            if shown:
                yield Hunk(shown, same)
            shown, same, before, at = {}, {}, int(match[1]), int(match[2])
        elif at and line[:1] in ("+", " "):
            shown[at] = line[1:].removesuffix("\r")
            if line[0] == " ":
                same[at] = before
                before += 1
            at += 1
        elif line[:1] == "-":
            before += 1
    if shown:
        yield Hunk(shown, same)


def overlap(shown: Sequence[Hunk], first: int, last: int) -> tuple[Hunk, int, int] | None:
    """The hunk that shows most of some lines, and the first and last of them there."""
    best: tuple[Hunk, int, int] | None = None
    for hunk in shown:
        inside = [number for number in hunk.lines if first <= number <= last]
        if inside and (best is None or len(inside) > best[2] - best[1] + 1):
            best = hunk, min(inside), max(inside)
    return best
