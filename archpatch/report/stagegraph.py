"""The stages of a Dockerfile as boxes and arrows: which platform each is for, what goes from where to where."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.report.model import FileResult
from archpatch.report.safe import safe, width
from archpatch.syntax.parse import parse
from archpatch.text import regex

MOST = 60  # stages that are drawn
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _EDGE = 225, 58, 50, 18, 12
_LONGEST = 28  # columns of text that fit into a box
_DIGEST = regex(r"@sha256:[0-9a-f]{64}")
_KINDS = {
    PlatformKind.TARGET: "target platform",
    PlatformKind.BUILD: "build platform",
    PlatformKind.UNKNOWN: "unknown platform",
}


class Box(Struct, frozen=True):
    """A stage; `x` and `y` of its upper left corner. `kind`: a PlatformKind's value. `final`: the last stage."""

    x: int
    y: int
    name: str
    base: str
    platform: str
    kind: str
    final: bool


class Arrow(Struct, frozen=True):
    """From one box's right side to another's left. `copies`: only files go, not the whole file system."""

    path: str
    copies: bool


class Graph(Struct, frozen=True):
    """A drawing of `width` by `height`; boxes are `box_width` by `box_height`."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    box_width: int = _WIDTH
    box_height: int = _HEIGHT


def graph(file: FileResult) -> Graph | None:
    """The drawing; None for a file that does not parse, has no stage, or too many."""
    document = parse(file.source, file.path)
    if document.problems:
        return None
    facts = Facts(document, file.targets)
    stages = facts.stages
    if not 0 < len(stages) <= MOST:
        return None
    edges = list(dict.fromkeys(edge for stage in stages for edge in _edges(stage)))
    columns = _columns(len(stages), [(one, two) for one, two, _ in edges])
    rows: list[int] = []
    for at, column in enumerate(columns):
        rows.append(columns[:at].count(column))
    places = [
        (_EDGE + column * (_WIDTH + _GAP_X), _EDGE + row * (_HEIGHT + _GAP_Y))
        for column, row in zip(columns, rows, strict=True)
    ]
    return Graph(
        2 * _EDGE + (max(columns) + 1) * (_WIDTH + _GAP_X) - _GAP_X,
        2 * _EDGE + (max(rows) + 1) * (_HEIGHT + _GAP_Y) - _GAP_Y,
        tuple(_box(stage, *places[stage.index], final=stage is facts.final) for stage in stages),
        tuple(Arrow(_curve(places[one], places[two]), copies) for one, two, copies in edges),
    )


def _edges(stage: StageFacts) -> Iterator[tuple[int, int, bool]]:
    """Where the files of a stage go: (from, to, whether by a copy)."""
    for child in stage.children:
        yield stage.index, child.index, False
    for copy in stage.copies_out:
        if copy.by is not stage:
            yield stage.index, copy.by.index, True


def _columns(count: int, edges: list[tuple[int, int]]) -> list[int]:
    """The column of each stage: right of all that it takes from. A stage takes from earlier ones alone."""
    columns = [0] * count
    for at in range(count):
        columns[at] = max((columns[one] + 1 for one, two in edges if two == at and one < at), default=0)
    return columns


def _box(stage: StageFacts, x: int, y: int, *, final: bool) -> Box:
    platforms = {stage.platform(target) for target in stage.facts.targets}
    kinds = {one.kind for one in platforms}
    kind = kinds.pop() if len(kinds) == 1 else PlatformKind.UNKNOWN
    constant = next((str(one.platform) for one in platforms if one.platform), "")
    return Box(
        x,
        y,
        _short(stage.name or f"stage {stage.index}"),
        f"FROM {_tail(_DIGEST.sub('@…', stage.base().text or '?'))}",
        constant if kind is PlatformKind.CONSTANT else _KINDS[kind],
        kind.name.lower(),
        final,
    )


def _short(text: str) -> str:
    """As much of a text's beginning as fits."""
    return _fitting(safe(text), _LONGEST)


def _tail(text: str) -> str:
    """As much of an image's end as fits: its name and tag say more than its registry."""
    return _fitting(safe(text)[::-1], _LONGEST - len("FROM "))[::-1]


def _fitting(text: str, most: int) -> str:
    if width(text) <= most:
        return text
    columns = accumulate(width(char) for char in text)
    return text[: sum(column < most for column in columns)] + "…"


def _curve(one: tuple[int, int], two: tuple[int, int]) -> str:
    """From the right side of one box to the left of another; past a column between them above the other's row."""
    x, y = one[0] + _WIDTH, one[1] + _HEIGHT // 2
    to_x, to_y = two[0] - 4, two[1] + _HEIGHT // 2
    if to_x - x < _GAP_X:
        middle = (x + to_x) // 2
        return f"M{x} {y} C{middle} {y} {middle} {to_y} {to_x} {to_y}"
    lane, out, back = two[1] - _GAP_Y // 2, x + _GAP_X // 2, to_x - _GAP_X // 2
    bend = _GAP_X // 4
    return (
        f"M{x} {y} C{x + bend} {y} {x + bend} {lane} {out} {lane} "
        f"L{back} {lane} C{to_x - bend} {lane} {to_x - bend} {to_y} {to_x} {to_y}"
    )
