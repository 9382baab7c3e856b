"""The second reader: a parser that shares no code with ours says whether a fix kept what it did not touch.

dockerfile-parse knows no heredocs, no BOM and no blank lines inside a continuation. Where it read a file
otherwise than our parser before the fix, it has no opinion on the fix either, and says so.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from operator import itemgetter

from msgspec import Struct

from archpatch.syntax.lines import line_ends, line_number
from archpatch.syntax.tree import Document
from archpatch.text import Edit, moved

_LARGEST = 256 * 1024  # bytes; it joins lines one by one, which takes time with the square of their number


class Opinion(enum.Enum):
    """What the second reader thinks of a fix."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    ABSTAINS = "abstains"


class Verdict(Struct, frozen=True):
    """An opinion and, unless it is AGREES, one line that says why."""

    opinion: Opinion
    reason: str = ""


class Line(Struct, frozen=True):
    """An instruction as a reader saw it; lines are counted from 1, `end` is the last one."""

    keyword: str
    start: int
    end: int
    value: str


class _Region(Struct, frozen=True):
    """Whole lines that edits touch: those from `start` up to `stop`, and what they became."""

    start: int
    stop: int
    new_start: int
    new_stop: int


def read(source: bytes) -> tuple[Line, ...] | None:
    """The instructions that dockerfile-parse finds; None if it cannot read the file."""
    # Imported where first used: a check that writes nothing needs no second reader.
    from dockerfile_parse import DockerfileParser

    if len(source) > _LARGEST:
        return None
    try:
        structure = DockerfileParser(fileobj=BytesIO(source), env_replace=False).structure
    except UnicodeDecodeError:
        return None
    return tuple(
        Line(item["instruction"], item["startline"] + 1, item["endline"] + 1, item["value"])
        for item in structure
        if item["instruction"] != "COMMENT"
    )


def compare(before: Document, after: Document, edits: Iterable[Edit]) -> Verdict:
    """Whether `edits` (of this file) changed instructions on the lines they touch and nowhere else.

    Both readers must find every other instruction as it was, in its order, and nothing new beside the edits.
    """
    regions = _regions(before.source, after.source, edits)
    old = _own(before)
    reason = _difference(old, _own(after), regions)
    if reason:
        return Verdict(Opinion.DISAGREES, reason)
    second = read(before.source)
    if second is None:
        return Verdict(Opinion.ABSTAINS, "the second reader cannot read this file")
    other = _first_other(old, second)
    if other:
        return Verdict(Opinion.ABSTAINS, f"the second reader reads line {other} otherwise")
    new = read(after.source)
    reason = "the second reader cannot read the result" if new is None else _difference(second, new, regions)
    return Verdict(Opinion.DISAGREES, reason) if reason else Verdict(Opinion.AGREES)


def _own(document: Document) -> tuple[Line, ...]:
    """The instructions of our tree; the value is made of all that BuildKit reads."""
    ends = line_ends(document.source)
    return tuple(
        Line(
            "ONBUILD" if node.onbuild else node.keyword,
            line_number(ends, node.span.start),
            line_number(ends, node.span.end),
            "\n".join(
                [
                    node.keyword,
                    *(f"--{flag.name}={flag.value.value if flag.value else ''}" for flag in node.flags),
                    *(word.value for word in node.words),
                ]
            ),
        )
        for node in document.instructions
    )


def _first_other(ours: Sequence[Line], theirs: Sequence[Line]) -> int:
    """The first line that two readers took for another instruction; 0 if there is none."""
    for one, other in zip(ours, theirs, strict=False):
        if (one.keyword, one.start, one.end) != (other.keyword, other.start, other.end):
            return min(one.start, other.start)
    longer = ours if len(ours) > len(theirs) else theirs
    return longer[min(len(ours), len(theirs))].start if len(ours) != len(theirs) else 0


def _difference(before: Sequence[Line], after: Sequence[Line], regions: Sequence[_Region]) -> str:
    """How instructions that meet no region differ; empty if they do not."""
    old = list(_untouched(before, [(region.start, region.stop) for region in regions]))
    new = list(_untouched(after, [(region.new_start, region.new_stop) for region in regions]))
    shift = 0
    passed = 0
    for index, line in enumerate(old):
        while passed < len(regions) and regions[passed].stop <= line.start:
            shift = regions[passed].new_stop - regions[passed].stop
            passed += 1
        expected = Line(line.keyword, line.start + shift, line.end + shift, line.value)
        found = new[index] if index < len(new) else None
        if found and found.start < expected.start:
            return _made(found)
        if found != expected:
            return f"the fix changes {line.keyword} at line {line.start}, which it does not touch"
    return _made(new[len(old)]) if len(new) > len(old) else ""


def _made(line: Line) -> str:
    return f"the fix makes {line.keyword} at line {line.start} out of lines it does not touch"


def _untouched(lines: Iterable[Line], ranges: Sequence[tuple[int, int]]) -> Iterator[Line]:
    """The instructions that meet none of the half-open ranges; all are in order.

    An empty range is a place between two lines: it meets an instruction that has lines on both sides.
    """
    first = 0
    for line in lines:
        while first < len(ranges) and ranges[first][1] < line.start:
            first += 1
        near = ranges[first : bisect_right(ranges, line.end, key=itemgetter(0))]
        if not any(line.start < stop if start < stop else line.start < start for start, stop in near):
            yield line


def _regions(before: bytes, after: bytes, edits: Iterable[Edit]) -> list[_Region]:
    """The lines that edits touch, before and after, in order and apart from each other."""
    ranges: list[tuple[int, int, int, int]] = []  # start, stop, and by how much each of them moved
    for edit, span in moved(edits):
        start, stop = _whole_lines(before, edit)
        earlier, later = span.start - edit.span.start, span.end - edit.span.end
        if ranges and start < ranges[-1][1]:  # several edits of one line
            start, last, earlier, _ = ranges.pop()
            stop = max(stop, last)
        ranges.append((start, stop, earlier, later))
    old_ends, new_ends = line_ends(before), line_ends(after)
    return [
        _Region(
            line_number(old_ends, start),
            line_number(old_ends, start) + _lines_of(before, start, stop),
            line_number(new_ends, start + earlier),
            line_number(new_ends, start + earlier) + _lines_of(after, start + earlier, stop + later),
        )
        for start, stop, earlier, later in ranges
    ]


def _whole_lines(source: bytes, edit: Edit) -> tuple[int, int]:
    """The edit's range, widened to the whole lines that do not come out as they were."""
    start = source.rfind(b"\n", 0, edit.span.start) + 1
    stop = edit.span.end
    at_line_start = stop == 0 or source[stop - 1 : stop] == b"\n"
    ends_line = edit.text.endswith(b"\n") or (not edit.text and start == edit.span.start)
    if not (at_line_start and ends_line):
        newline = source.find(b"\n", stop)
        stop = len(source) if newline < 0 else newline + 1
    return start, stop


def _lines_of(source: bytes, start: int, stop: int) -> int:
    """How many lines a range of whole lines has; the last may lack its end."""
    return source.count(b"\n", start, stop) + (stop > start and source[stop - 1 : stop] != b"\n")
