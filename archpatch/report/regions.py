"""A fix as replaced whole lines: what a person reads, and what a review can suggest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from archpatch.report.lines import Lines
from archpatch.report.model import FileResult
from archpatch.text import Edit, Fix, Span, apply


class Region(Struct, frozen=True):
    """Lines `first` to `last` (from 1, both within) hold `old` and shall hold `new`, line ends included.

    `span` is where `old` stands.
    """

    path: Path
    first: int
    last: int
    span: Span
    old: bytes
    new: bytes


def regions(file: FileResult, fix: Fix, gap: int = 0) -> Iterator[Region]:
    """The lines that a fix touches, as few regions as there are; those with up to `gap` lines between are one."""
    for path, edits in file.edits(fix):
        lines = file.lines(path)
        for group in _groups(lines, edits, gap):
            yield _region(path, lines, group)


def _groups(lines: Lines, edits: Sequence[Edit], gap: int) -> Iterator[list[Edit]]:
    group: list[Edit] = []
    for edit in edits:
        if group and lines.number(edit.span.start) > _last(lines, group) + 1 + gap:
            yield group
            group = []
        group.append(edit)
    yield group


def _last(lines: Lines, group: Sequence[Edit]) -> int:
    return max(lines.last(edit.span) for edit in group)


def _region(path: Path, lines: Lines, group: Sequence[Edit]) -> Region:
    source = lines.source
    first, last = lines.number(group[0].span.start), _last(lines, group)
    while True:
        start = lines.starts[first - 1]
        end = lines.starts[last] if last < len(lines) else len(source)
        inner = [Edit(Span(e.span.start - start, e.span.end - start), e.text) for e in group]
        old = source[start:end]
        new = apply(old, inner)
        # A line end that goes away joins the next line to this one: then that one is touched too.
        if last == len(lines) or not new or new.endswith(b"\n"):
            return Region(path, first, last, Span(start, end), old, new)
        last += 1
