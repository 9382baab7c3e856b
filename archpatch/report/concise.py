"""`--output-format concise`: one line for each finding, `path:line:column: severity CODE message`."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.report import Look
from archpatch.report.model import Entry, FileResult, Result
from archpatch.report.paint import OF_SEVERITY, Paint
from archpatch.report.safe import safe
from archpatch.report.statistics import statistics
from archpatch.report.summary import summary
from archpatch.text import Applicability


def render(result: Result, look: Look) -> bytes:
    """The lines, then the summary."""
    paint = Paint(look.color)
    lines = list(statistics(result, paint) if look.statistics else _lines(result, paint))
    if not look.quiet:
        lines += summary(result, paint)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _lines(result: Result, paint: Paint) -> Iterator[str]:
    for file, entry in result.entries:
        yield _line(file, entry, paint)


def _line(file: FileResult, entry: Entry, paint: Paint) -> str:
    found = entry.finding
    start, _ = file.places(found.span, entry.path)
    severity = paint(OF_SEVERITY[found.severity], str(found.severity))
    mark = {Applicability.SAFE: "[*] ", Applicability.UNSAFE: "[!] "}.get(
        entry.level or Applicability.MANUAL, ""
    )
    place = f"{safe(entry.path)}:{start.line}:{start.column}"
    return f"{place}: {severity} {paint('bold', found.code)} {mark}{safe(found.message)}"
