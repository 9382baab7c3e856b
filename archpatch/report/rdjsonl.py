"""`--output-format rdjsonl`: reviewdog's diagnostics, one a line."""

from __future__ import annotations

from archpatch.report import Look
from archpatch.report.json import dump
from archpatch.report.model import Result
from archpatch.report.rdjson import diagnostic


def render(result: Result, look: Look) -> bytes:
    """One object a line."""
    return b"".join(dump(diagnostic(result, file, entry)) for file, entry in result.entries)
