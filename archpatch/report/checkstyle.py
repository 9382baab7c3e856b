"""`--output-format checkstyle`: for Jenkins and others."""

from __future__ import annotations

from archpatch import __version__
from archpatch.report import Look
from archpatch.report.model import Result, repository_path
from archpatch.report.xml import document, quoted
from archpatch.rule import Severity

_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "info"}


def render(result: Result, look: Look) -> bytes:
    """A `file` for each file with findings or errors."""
    files: dict[str, list[str]] = {}
    for file, entry in result.entries:
        found = entry.finding
        start, _ = file.places(found.span, entry.path)
        files.setdefault(repository_path(entry.path), []).append(
            f'    <error line="{start.line}" column="{start.column}" severity="{_SEVERITIES[found.severity]}"'
            f" message={quoted(found.message)} source={quoted(f'archpatch.{found.code}')}/>"
        )
    for error in result.all_errors:
        files.setdefault(repository_path(error.path), []).append(
            f'    <error line="{error.line or 1}" severity="error" message={quoted(error.message)}'
            f' source="archpatch.{error.kind.value}"/>'
        )
    lines = [f'<checkstyle version="{__version__}">']
    for path, errors in sorted(files.items()):
        lines += [f"  <file name={quoted(path)}>", *errors, "  </file>"]
    return document([*lines, "</checkstyle>"])
