"""`--output-format azure`: logging commands of Azure Pipelines."""

from __future__ import annotations

from archpatch.report import Look
from archpatch.report.model import Result, repository_path
from archpatch.report.safe import safe
from archpatch.rule import Severity


def render(result: Result, look: Look) -> bytes:
    """One command a line; Azure knows errors and warnings alone."""
    lines = []
    for error in result.all_errors:
        lines.append(
            _line("error", repository_path(error.path), error.line or 1, 1, error.kind.value, error.message)
        )
    for file, entry in result.entries:
        found = entry.finding
        start, _ = file.places(found.span, entry.path)
        kind = "error" if found.severity is Severity.ERROR else "warning"
        path = repository_path(entry.path)
        lines.append(_line(kind, path, start.line, start.column, found.code, found.message))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _line(kind: str, path: str, line: int, column: int, code: str, message: str) -> str:
    place = f"sourcepath={_property(path)};linenumber={line};columnnumber={column};code={_property(code)}"
    return f"##vso[task.logissue type={kind};{place};]{_data(message)}"


def _data(text: str) -> str:
    """Escaped as the agent decodes it; no second command may begin in it."""
    return safe(text).replace("%", "%AZP25").replace("##", "# #")


def _property(text: str) -> str:
    return _data(text).replace(";", "%3B").replace("]", "%5D")
