"""Reports: one model of a finding, one module per format.

A module has `render(result, look) -> bytes`. Lines and columns are made here, from byte spans.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import Struct

if TYPE_CHECKING:
    from archpatch.report.model import Result

FORMATS = {
    "full": "frames with the code, for people",
    "concise": "one line for each finding",
    "json": "one object, version 1, for programs",
    "jsonl": "one finding a line, for programs",
    "sarif": "SARIF 2.1.0, for code scanning",
    "github": "workflow commands and a step summary of GitHub Actions",
    "gitlab": "GitLab Code Quality",
    "rdjson": "reviewdog, one object",
    "rdjsonl": "reviewdog, one diagnostic a line",
    "checkstyle": "Checkstyle XML",
    "junit": "JUnit XML",
    "azure": "logging commands of Azure Pipelines",
    "markdown": "a table and the findings, for comments and summaries",
    "html": "one page with everything, to be opened from disk",
}
HUMAN = frozenset({"full", "concise"})


class Look(Struct, frozen=True):
    """How a report for people looks. Programs' formats do not heed it."""

    color: bool = False
    quiet: bool = False  # no summary
    statistics: bool = False  # counts per rule in place of the findings
    width: int = 0  # columns of the terminal, at which messages are broken; 0: nowhere


class Format(Protocol):
    """A module of this package that writes one format."""

    def render(self, result: Result, look: Look) -> bytes:
        """The whole report."""


def render(name: str, result: Result, look: Look) -> bytes:
    """The report in a format of FORMATS, whose module is imported now: a run needs one or two of them."""
    return cast("Format", import_module(f"archpatch.report.{name}")).render(result, look)
