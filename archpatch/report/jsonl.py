"""`--output-format jsonl`: the findings of the JSON report, one a line."""

from __future__ import annotations

from archpatch.report import Look
from archpatch.report.json import dump, finding
from archpatch.report.model import Result


def render(result: Result, look: Look) -> bytes:
    """One object a line; nothing where there is no finding."""
    return b"".join(dump(finding(result, file, entry)) for file, entry in result.entries)
