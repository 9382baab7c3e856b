"""`--output-format gitlab`: a Code Quality report (`artifacts:reports:codequality`)."""

from __future__ import annotations

from archpatch.report import Look
from archpatch.report.json import dump
from archpatch.report.model import Result, repository_path
from archpatch.report.sarif import unicode
from archpatch.rule import Severity

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.NOTE: "info"}


def render(result: Result, look: Look) -> bytes:
    """An array; GitLab folds entries of one fingerprint, and takes no byte order mark."""
    found = []
    for file, entry in result.entries:
        start, end = file.places(entry.finding.span, entry.path)
        found.append(
            {
                "description": unicode(entry.finding.message),
                "check_name": f"{entry.finding.code} {result.rule(entry.finding.code).name}",
                "fingerprint": entry.fingerprint,
                "severity": _SEVERITIES[entry.finding.severity],
                "location": {
                    "path": unicode(repository_path(entry.path)),
                    "lines": {"begin": start.line, "end": end.line},
                },
            }
        )
    return dump(found, indent=1)
