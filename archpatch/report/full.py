"""`--output-format full`: a frame for each finding, with the line, the place in it, and the fix as a diff."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from archpatch.report import Look
from archpatch.report.diff import blocks, lines
from archpatch.report.lines import Lines
from archpatch.report.model import Entry, FileResult, Result, Verb
from archpatch.report.paint import OF_SEVERITY, Paint
from archpatch.report.regions import Region, regions
from archpatch.report.safe import safe, width
from archpatch.report.statistics import statistics
from archpatch.report.summary import summary
from archpatch.rule import Related
from archpatch.text import Applicability, Fix, Span, decode

_NARROWEST = 40  # columns that a text is given at least
_WIDEST = 160  # characters of a line that are shown
_MARGIN = 48  # of them before the place
_MOST_LINES = 4  # of a place that are shown
_HOW = {
    Applicability.SAFE: "safe, `archpatch fix` writes it",
    Applicability.UNSAFE: "unsafe, `archpatch fix --unsafe` writes it",
    Applicability.MANUAL: "for you to do",
}


def render(result: Result, look: Look) -> bytes:
    """The frames, then the summary."""
    paint = Paint(look.color)
    out: list[str] = []
    if result.verb is Verb.FIX:
        out += _fixed(result, paint)
    if look.statistics:
        out += statistics(result, paint)
    else:
        for file, entry in result.entries:
            if result.is_aside(entry):
                continue  # the summary counts them
            out += (*_Frame(file, entry, result, paint, look.width).lines(), "")
    if not look.quiet:
        out += summary(result, paint)
    elif out and not out[-1]:
        out.pop()  # nothing follows what it keeps apart
    return "".join(f"{line}\n" for line in out).encode("utf-8", "replace")


def _fixed(result: Result, paint: Paint) -> Iterator[str]:
    for file in result.files:
        if file.changes and not file.errors:
            codes = ", ".join(dict.fromkeys(finding.code for finding in file.applied))
            names = ", ".join(safe(path) for path in file.changes)
            yield f"{paint('green', 'fixed')} {names}: {codes}"
    if any(file.changes for file in result.files):
        yield ""


class _Frame(Struct, frozen=True):
    """One finding."""

    file: FileResult
    entry: Entry
    result: Result
    paint: Paint
    width: int = 0

    def lines(self) -> Iterator[str]:
        """The frame, line by line."""
        found = self.entry.finding
        text = self.file.lines(self.entry.path)
        start = text.place(found.span.start)
        gutter = self._gutter()
        paint, color = self.paint, OF_SEVERITY[found.severity]
        head = f"{found.severity}[{found.code}]"
        first, *more = self._wrapped(len(head) + 1, safe(found.message), 2)
        yield f"{paint(color, head)} {paint('bold', first)}"
        yield from (f"  {paint('bold', line)}" for line in more)
        name = self.result.rule(found.code).name
        arrow = paint("blue", " " * gutter + "-->")
        yield f"{arrow} {safe(self.entry.path)}:{start.line}:{start.column}  {paint('dim', name)}"
        yield from self._source(text, found.span, gutter, color)
        for related in found.related:
            yield from self._related(related, gutter)
        if found.fix:
            yield from self._fix(found.fix, gutter)

    def _gutter(self) -> int:
        """The columns of the largest number of a line that is shown."""
        found = self.entry.finding
        last = self.file.lines(self.entry.path).last(found.span) + 1
        for region, above in self._regions(found.fix) if found.fix else ():
            last = max(last, region.last, region.first + above + len(lines(region.new)) - 1)
        return len(str(last))

    def _source(self, text: Lines, span: Span, gutter: int, color: str) -> Iterator[str]:
        first, last = text.number(span.start), text.last(span)
        bar = self.paint("blue", " " * gutter + " |")
        yield bar
        if first > 1:
            yield self._line(gutter, first - 1, _cut(text.text(first - 1), 0)[0])
        for number in range(first, last + 1):
            if _MOST_LINES <= number - first + 1 < last - first + 1:
                if number - first + 1 == _MOST_LINES:
                    yield self.paint("blue", " " * gutter + " :")
                continue
            line = text.span(number)
            start, end = max(span.start, line.start), max(min(span.end, line.end), line.start)
            shown, before, marked = _marked(text.source, line, start, end)
            yield self._line(gutter, number, shown)
            if marked.strip() or first == last:
                yield f"{bar} {' ' * before}{self.paint(color, '^' * max(1, len(marked)))}"
        if last < len(text):
            yield self._line(gutter, last + 1, _cut(text.text(last + 1), 0)[0])
        yield bar

    def _line(self, gutter: int, number: int, shown: str, mark: str = "|") -> str:
        return f"{self.paint('blue', f'{number:>{gutter}} {mark}')} {shown}".rstrip()

    def _wrapped(self, lead: int, text: str, indent: int) -> list[str]:
        """`text` in lines as wide as the terminal: the first begins at column `lead`, the others at `indent`."""
        if not self.width or lead + len(text) <= self.width:
            return [text]
        lines = textwrap.wrap(
            text,
            max(self.width - indent, _NARROWEST),
            initial_indent=" " * (lead - indent),
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [lines[0].lstrip(), *lines[1:]]

    def _related(self, related: Related, gutter: int) -> Iterator[str]:
        start, _ = self.file.places(related.span, related.path)
        place = f"{safe(related.path or self.file.path)}:{start.line}:{start.column}"
        lead = f"see {place}: "
        first, *more = self._wrapped(gutter + 3 + len(lead), safe(related.message), gutter + 3)
        yield f"{' ' * gutter} {self.paint('blue', '=')} {lead}{first}"
        yield from (f"{' ' * (gutter + 3)}{line}" for line in more)

    def _fix(self, fix: Fix, gutter: int) -> Iterator[str]:
        how = _HOW[fix.applicability]
        if self.entry.level is None and fix.applicability is not Applicability.MANUAL:
            how = f"{fix.applicability}, written with --select {self.entry.finding.code}"
        lead = f"fix ({how}): "
        first, *more = self._wrapped(gutter + 3 + len(lead), safe(fix.title), gutter + 3)
        yield f"{' ' * gutter} {self.paint('blue', '=')} {lead}{self.paint('bold', first)}"
        yield from (f"{' ' * (gutter + 3)}{self.paint('bold', line)}" for line in more)
        if not fix.edits:
            return
        shown: Path | None = None
        for region, above in self._regions(fix):
            if region.path == shown:
                yield self.paint("blue", " " * gutter + " :")
            elif region.path != self.entry.path:
                yield f"{' ' * gutter} {self.paint('blue', '-->')} {safe(region.path)}"
            shown = region.path
            yield from self._diff(region, above, gutter)

    def _regions(self, fix: Fix) -> Iterator[tuple[Region, int]]:
        """The lines that a fix touches, with how many lines those above them add to the same file."""
        added: dict[Path, int] = {}
        for region in regions(self.file, fix, gap=2):
            above = added.get(region.path, 0)
            yield region, above
            added[region.path] = above + len(lines(region.new)) - len(lines(region.old))

    def _diff(self, region: Region, above: int, gutter: int) -> Iterator[str]:
        """Lines that go with the number that they have, those that come or stay with the one that they get."""
        old, new = lines(region.old), lines(region.new)
        first, new_first, at = region.first, region.first + above, 0
        for block in blocks(old, new):
            yield from self._kept(new[at : block.new_start], new_first + at, gutter)
            taken, put = old[block.start : block.end], new[block.new_start : block.new_end]
            column = _common(taken, put)
            for number, line in enumerate(taken, first + block.start):
                yield self._changed(gutter, number, "-", line, column)
            for number, line in enumerate(put, new_first + block.new_start):
                yield self._changed(gutter, number, "+", line, column)
            at = block.new_end
        yield from self._kept(new[at:], new_first + at, gutter)

    def _kept(self, kept: Sequence[bytes], first: int, gutter: int) -> Iterator[str]:
        return (
            self._line(gutter, number, _cut(_text(line), 0)[0]) for number, line in enumerate(kept, first)
        )

    def _changed(self, gutter: int, number: int, mark: str, line: bytes, column: int) -> str:
        color = "red" if mark == "-" else "green"
        return f"{number:>{gutter}} {self.paint(color, f'{mark} {_cut(_text(line), column)[0]}'.rstrip())}"


def _text(line: bytes) -> str:
    return decode(line.removesuffix(b"\n").removesuffix(b"\r"))


def _common(one: Sequence[bytes], two: Sequence[bytes]) -> int:
    """How many characters the first lines have in common: where a long line is worth showing."""
    if not one or not two:
        return 0
    old, new = _text(one[0]), _text(two[0])
    return next(
        (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )


def _cut(text: str, column: int) -> tuple[str, int]:
    """The part of a line around a column that is shown, and how many characters were left out before it."""
    if len(text) <= _WIDEST:
        return _shown(text), 0
    start = min(max(0, column - _MARGIN), max(0, len(text) - _WIDEST))
    end = start + _WIDEST
    return ("…" if start else "") + _shown(text[start:end]) + ("…" if end < len(text) else ""), start


def _marked(source: bytes, line: Span, start: int, end: int) -> tuple[str, int, str]:
    """The shown line, the columns before the place, and a text as wide as the place."""
    text = decode(line.of(source))
    column = len(decode(source[line.start : start]))
    shown, skipped = _cut(text, column)
    before = width(_shown(text[skipped:column])) + bool(skipped)
    place = _shown(text[column : min(len(decode(source[line.start : end])), skipped + _WIDEST)])
    return shown, before, "^" * width(place) if place.strip() else place


def _shown(text: str) -> str:
    return safe(text).replace("\t", "    ")
