"""`--statistics`: how many findings each rule has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archpatch.report.model import Result
from archpatch.report.paint import Paint
from archpatch.text import Applicability


def statistics(result: Result, paint: Paint) -> Iterator[str]:
    """A line a rule, the most frequent first."""
    counts = Counter(entry.finding.code for _, entry in result.entries)
    levels = Counter((entry.finding.code, entry.level) for _, entry in result.entries)
    for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        parts = [
            f"{levels[code, level]} {level}"
            for level in (Applicability.SAFE, Applicability.UNSAFE)
            if levels[code, level]
        ]
        mends = f"  [{', '.join(parts)}]" if parts else ""
        yield f"{count:6}  {paint('bold', code)}  {result.rule(code).name}{mends}"
