"""The stages of a Dockerfile as boxes and arrows: which platform each is for, what goes from where to where."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.report.model import FileResult
from archpatch.report.safe import safe
from archpatch.syntax.parse import parse

MOST = 60  # stages that are drawn
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _EDGE = 210, 58, 70, 18, 10
_LONGEST = 26  # characters that fit into a box
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
        _short(f"FROM {stage.base().text or '?'}"),
        constant if kind is PlatformKind.CONSTANT else _KINDS[kind],
        kind.name.lower(),
        final,
    )


def _short(text: str) -> str:
    text = safe(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _curve(one: tuple[int, int], two: tuple[int, int]) -> str:
    x, y = one[0] + _WIDTH, one[1] + _HEIGHT // 2
    to_x, to_y = two[0] - 4, two[1] + _HEIGHT // 2
    middle = (x + to_x) // 2
    return f"M{x} {y} C{middle} {y} {middle} {to_y} {to_x} {to_y}"
