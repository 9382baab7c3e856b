"""A unified diff of bytes that `git apply` takes, in time that grows with the size of the texts.

Lines that stand once in both texts anchor it (patience diff); what lies between two anchors is one hunk.
Our edits touch few lines, so this is as small as a dearer search would make it.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

CONTEXT = 3  # lines around a change


class Block(Struct, frozen=True):
    """Lines [start, end) of the old text become lines [new_start, new_end) of the new one."""

    start: int
    end: int
    new_start: int
    new_end: int


def patch(changes: Mapping[Path, tuple[bytes, bytes]]) -> bytes:
    """The diff of several files, path -> (old, new). Bytes stand as they are in the files."""
    return b"".join(_file(path, old, new) for path, (old, new) in changes.items() if old != new)


def blocks(old: Sequence[bytes], new: Sequence[bytes]) -> list[Block]:
    """What changed, in order; equal lines lie between the blocks."""
    result: list[Block] = []
    at = new_at = 0
    for anchor, new_anchor in [*_anchors(old, new), (len(old), len(new))]:
        end, new_end = anchor, new_anchor
        while at < end and new_at < new_end and old[at] == new[new_at]:
            at, new_at = at + 1, new_at + 1
        while at < end and new_at < new_end and old[end - 1] == new[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        if at < end or new_at < new_end:
            result.append(Block(at, end, new_at, new_end))
        at, new_at = anchor, new_anchor
    return result


def lines(text: bytes) -> list[bytes]:
    """Lines with their ends; only LF ends one."""
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pairs of places of lines that stand once in each text: the longest row that rises in both."""
    once, new_once = Counter(old), Counter(new)
    places = {line: at for at, line in enumerate(new) if new_once[line] == 1}
    pairs = [(at, places[line]) for at, line in enumerate(old) if once[line] == 1 and line in places]
    tails: list[int] = []  # the least last place of a row of each length
    ends: list[int] = []  # the pair that each of them ends with
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [place]
        ends[length : length + 1] = [index]
    row = []
    index = ends[-1] if ends else -1
    while index >= 0:
        row.append(pairs[index])
        index = before[index]
    return row[::-1]


def _file(path: Path, before: bytes, after: bytes) -> bytes:
    old, new = lines(before), lines(after)
    out = [b"--- ", _name("a", path), b"\n+++ ", _name("b", path), b"\n"]
    for group in _groups(blocks(old, new)):
        out += _hunk(group, old, new)
    return b"".join(out)


def _groups(changed: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks whose context lines meet make one hunk."""
    group: list[Block] = []
    for block in changed:
        if group and block.start - group[-1].end > 2 * CONTEXT:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _hunk(group: Sequence[Block], old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    first, last = group[0], group[-1]
    lead = min(CONTEXT, first.start)
    start, new_start = first.start - lead, first.new_start - lead
    end = min(len(old), last.end + CONTEXT)
    new_end = last.new_end + end - last.end
    yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@\n".encode()
    at = start
    for block in group:
        yield from (_line(b" ", line) for line in old[at : block.start])
        yield from (_line(b"-", line) for line in old[block.start : block.end])
        yield from (_line(b"+", line) for line in new[block.new_start : block.new_end])
        at = block.end
    yield from (_line(b" ", line) for line in old[at:end])


def _range(start: int, end: int) -> str:
    """Lines from 1; an empty range names the line before it."""
    return f"{start + (end > start)},{end - start}"


def _line(mark: bytes, line: bytes) -> bytes:
    return mark + line if line.endswith(b"\n") else mark + line + b"\n\\ No newline at end of file\n"


def _name(side: str, path: Path) -> bytes:
    """The path as git writes it: in quotes, with escapes, where it holds more than plain characters."""
    raw = os.fsencode(f"{side}/{path.as_posix()}")
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in raw):
        # A tab ends a name with blanks, as diff and git have it.
        return raw + (b"\t" if b" " in raw else b"")
    return b'"' + b"".join(_escaped(byte) for byte in raw) + b'"'


def _escaped(byte: int) -> bytes:
    if byte in b'"\\':
        return b"\\" + bytes([byte])
    return bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte
