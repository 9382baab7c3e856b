"""Results made by hand: reports are tested without any rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archpatch.platforms import AMD64, ARM64
from archpatch.report.model import Error, FileResult, Kind, Result, RuleInfo, State, entries
from archpatch.rule import Finding, Related, Severity
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Problem
from archpatch.text import Applicability, Edit, Fix, Span

RULE = RuleInfo(
    "XX101",
    "some-pitfall",
    Severity.WARNING,
    lambda: "The pitfall.\n\nWhat it costs.",
    "https://example.org/XX101",
)


def fix(*edits: Edit, applicability: Applicability = Applicability.SAFE, title: str = "Mend it") -> Fix:
    return Fix(title, edits, applicability)


def result(
    source: bytes,
    findings: Sequence[Finding] = (),
    *,
    path: Path = Path("a/Dockerfile"),
    suppressed: Sequence[Finding] = (),
    others: dict[Path, bytes] | None = None,
    errors: Sequence[Error] = (),
    unknown: Sequence[Problem] = (),
) -> Result:
    document = parse(source, path)
    others = others or {}
    file = FileResult(
        path,
        source,
        entries=entries(document, findings, others),
        suppressed=entries(document, suppressed, others, suppressed=True),
        unknown=tuple(unknown),
        states={AMD64: State.READY, ARM64: State.AFTER_FIX if findings else State.READY},
        others=others,
    )
    return Result((file,), tuple(errors), {RULE.code: RULE})


SOURCE = b"FROM --platform=$BUILDPLATFORM alpine\nRUN true\n"
FINDING = Finding(
    "XX101",
    Span(5, 30),
    "It is pinned",
    Severity.WARNING,
    fix(Edit.delete(Span(5, 31))),
    (Related(Span(38, 46), "used here"),),
)
NOTE = Finding("XX101", Span(38, 46), "A note", Severity.NOTE)
FULL = result(
    SOURCE,
    [FINDING, NOTE],
    suppressed=[Finding("XX101", Span(38, 41), "Hidden", Severity.ERROR)],
    errors=[
        Error(Path("gone"), Kind.READ, "no such file or folder"),
        Error(Path("b"), Kind.PARSE, "unknown", 3),
    ],
    unknown=[Problem(Span(38, 46), "RUN at line 2 could not be read as shell")],
)
