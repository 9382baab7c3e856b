"""`--output-format github`: workflow commands of GitHub Actions, which become annotations.

The runner shows ten of each kind for a step; the most severe come first. What is left goes to the step summary.
"""

from __future__ import annotations

from archpatch.report import Look
from archpatch.report.model import Entry, Error, FileResult, Result, repository_path
from archpatch.report.safe import safe
from archpatch.rule import Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(result: Result, look: Look) -> bytes:
    """One command a line."""
    found = sorted(result.entries, key=lambda item: -item[1].finding.severity)
    lines = [_error(error) for error in result.all_errors]
    lines += [_command(result, file, entry) for file, entry in found]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _command(result: Result, file: FileResult, entry: Entry) -> str:
    found = entry.finding
    start, end = file.places(found.span, entry.path)
    properties = {
        "file": repository_path(entry.path),
        "line": start.line,
        "endLine": end.line,
        "col": start.column,
        "endColumn": end.column,
        "title": f"{found.code} {result.rule(found.code).name}",
    }
    if start.line != end.line:  # the runner takes columns for places on one line alone
        del properties["col"], properties["endColumn"]
    return _line(_COMMANDS[found.severity], properties, found.message)


def _error(error: Error) -> str:
    properties: dict[str, object] = {
        "file": repository_path(error.path),
        "title": f"archpatch: {error.kind.value}",
    }
    if error.line:
        properties["line"] = error.line
    return _line("error", properties, error.message)


def _line(command: str, properties: dict[str, object], message: str) -> str:
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{command} {told}::{_data(message)}"


def _data(text: object) -> str:
    """Escaped as the runner decodes it; `%` first."""
    return safe(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: object) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
