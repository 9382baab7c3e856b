"""`--output-format rdjson`: reviewdog's diagnostics, with suggestions. Columns are counted in bytes.

A suggestion replaces whole lines, from the first to the last, both within; the line end of the last stays. It is
the place of the diagnostic too: reviewdog posts a suggestion where both are the same. A fix of several
files, or of places far apart, cannot be one suggestion.
"""

from __future__ import annotations

from pathlib import Path

from archpatch import HOMEPAGE
from archpatch.report import Look
from archpatch.report.json import Object, dump
from archpatch.report.model import Entry, FileResult, Result, repository_path
from archpatch.report.regions import Region, regions
from archpatch.report.sarif import unicode
from archpatch.rule import Severity
from archpatch.text import Applicability, Fix, Span

_APART = 20  # lines between two edits of one suggestion
_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.NOTE: "INFO"}
_SOURCE = {"name": "archpatch", "url": HOMEPAGE}


def render(result: Result, look: Look) -> bytes:
    """One object."""
    found = [diagnostic(result, file, entry) for file, entry in result.entries]
    return dump({"source": _SOURCE, "diagnostics": found}, indent=1)


def diagnostic(result: Result, file: FileResult, entry: Entry) -> Object:
    """One finding."""
    found = entry.finding
    region = suggestion(file, found.fix) if found.fix else None
    place = _location(file, found.span, entry.path)
    suggestions: list[Object] = []
    if region and region.path == entry.path:
        lines: Object = {"start": {"line": region.first}, "end": {"line": region.last}}
        place["range"] = lines
        suggestions.append({"range": lines, "text": _text(region)})
    told: Object = {
        "message": unicode(found.message),
        "location": place,
        "severity": _SEVERITIES[found.severity],
        "source": _SOURCE,
        "code": {"value": found.code, "url": result.rule(found.code).url},
    }
    if suggestions:
        told["suggestions"] = suggestions
    if found.related:
        told["related_locations"] = [
            {"message": unicode(one.message), "location": _location(file, one.span, one.path or file.path)}
            for one in found.related
        ]
    return told


def suggestion(file: FileResult, fix: Fix) -> Region | None:
    """The fix as one replacement of whole lines of UTF-8 text, where it can be."""
    if not fix.edits or fix.applicability is Applicability.MANUAL:
        return None
    found = list(regions(file, fix, gap=_APART))
    if len(found) != 1 or (found[0].new and _line_end(found[0].old) != _line_end(found[0].new)):
        return None
    if found[0].new == _line_end(found[0].new) * 2:  # `_text` tells two empty lines as it tells one
        return None
    try:
        found[0].new.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return found[0]


def _line_end(text: bytes) -> bytes:
    return next((end for end in (b"\r\n", b"\n") if text.endswith(end)), b"")


def _text(region: Region) -> str:
    """The new lines; of a single empty line its line end, since an empty text deletes the lines."""
    end = _line_end(region.new)
    return (region.new.removesuffix(end) or end).decode("utf-8")


def _location(file: FileResult, span: Span, path: Path) -> Object:
    lines = file.lines(path)
    start, end = (
        {"line": lines.number(at), "column": lines.byte_column(at)} for at in (span.start, span.end)
    )
    return {"path": unicode(repository_path(path)), "range": {"start": start, "end": end}}
