"""`--output-format html`: one page that holds all it needs, reads without a script, and prints.

jinja2 escapes every text; what comes from files is made visible by safe() before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

import jinja2
from msgspec import Struct

from archpatch import __version__
from archpatch.report import Look
from archpatch.report.diff import blocks, lines
from archpatch.report.model import Entry, FileResult, Result, State
from archpatch.report.pages import environment
from archpatch.report.regions import regions
from archpatch.report.safe import safe
from archpatch.report.stagegraph import Graph, graph
from archpatch.rule import Severity
from archpatch.text import decode

MOST = 2000  # findings with a frame of their own
_MOST_GRAPHS = 200
_MOST_LINES = 400  # of a diff


class Line(Struct, frozen=True):
    """A line of a diff. `kind`: same, old, new or place."""

    kind: str
    text: str


class Found(Struct, frozen=True):
    """A finding as the page shows it. `message`: texts, each with whether it is code."""

    code: str
    name: str
    url: str
    severity: str
    place: str
    message: tuple[tuple[bool, str], ...]
    fix: str
    diff: tuple[Line, ...]


class Image(Struct, frozen=True):
    """A Dockerfile as the page shows it. `states`: (class, words) for each platform."""

    path: str
    states: tuple[tuple[str, str], ...]
    findings: tuple[Found, ...]
    graph: Graph | None


def render(result: Result, look: Look) -> bytes:
    """The page."""
    platforms = list(dict.fromkeys(platform for file in result.files for platform in file.states))
    images = list(_images(result))
    shown = sum(len(image.findings) for image in images)
    found = Counter(str(entry.finding.severity) for _, entry in result.entries)
    page = _template().render(
        version=__version__,
        platforms=[str(platform) for platform in platforms],
        images=images,
        ready=sum(all(state is State.READY for state in file.states.values()) for file in result.files),
        severities=[(str(one), found[str(one)]) for one in reversed(Severity) if found[str(one)]],
        left_out=found.total() - shown,
        suppressed=sum(len(file.suppressed) for file in result.files),
        errors=[(safe(one.path), safe(one.message)) for one in result.all_errors[:1000]],
        unknown=[(safe(f.path), safe(one.message)) for f in result.files for one in f.unknown][:1000],
    )
    return page.encode("utf-8", "replace")


@cache
def _template() -> jinja2.Template:
    return environment(html=True).get_template("report.html.j2")


def _images(result: Result) -> Iterator[Image]:
    room, drawn = MOST, 0
    platforms = dict.fromkeys(platform for file in result.files for platform in file.states)
    for file in result.files:
        entries = file.entries[:room]
        room -= len(entries)
        drawing = graph(file) if drawn < _MOST_GRAPHS else None
        drawn += drawing is not None
        states = [
            (file.states[one].value, file.states[one].words) if one in file.states else ("", "")
            for one in platforms
        ]
        yield Image(
            safe(file.path), tuple(states), tuple(_found(result, file, entry) for entry in entries), drawing
        )


def _found(result: Result, file: FileResult, entry: Entry) -> Found:
    found = entry.finding
    rule = result.rule(found.code)
    start, _ = file.places(found.span, entry.path)
    return Found(
        found.code,
        safe(rule.name),
        rule.url,
        str(found.severity),
        f"{safe(entry.path)}:{start.line}:{start.column}",
        tuple(_parts(safe(found.message))),
        f"{safe(found.fix.title)} ({found.fix.applicability})" if found.fix else "",
        tuple(_diff(file, entry))[:_MOST_LINES],
    )


def _parts(message: str) -> Iterator[tuple[bool, str]]:
    """A message, with what stands between backticks apart."""
    parts = message.split("`")
    if len(parts) % 2 == 0:  # one of them is alone
        parts = [message]
    return ((number % 2 == 1, part) for number, part in enumerate(parts))


def _diff(file: FileResult, entry: Entry) -> Iterator[Line]:
    """The fix, as the lines that it touches."""
    for region in regions(file, entry.finding.fix, gap=2) if entry.finding.fix else ():
        yield Line("place", f"{safe(region.path)}:{region.first}")
        old, new = lines(region.old), lines(region.new)
        at = 0
        for block in blocks(old, new):
            yield from (_line("same", line) for line in old[at : block.start])
            yield from (_line("old", line) for line in old[block.start : block.end])
            yield from (_line("new", line) for line in new[block.new_start : block.new_end])
            at = block.end
        yield from (_line("same", line) for line in old[at:])


def _line(kind: str, line: bytes) -> Line:
    mark = {"same": " ", "old": "-", "new": "+"}[kind]
    return Line(kind, mark + safe(decode(line.removesuffix(b"\n").removesuffix(b"\r")))[:2000])
