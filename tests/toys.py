"""Rules made for tests of the engine: each rewrites plain words, wherever they stand in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archpatch.engine import Outcome, Report, Settings, check, fix
from archpatch.facts import Facts, MemoryContext
from archpatch.rule import Finding, Rule, Severity
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span


class Toy(Rule):
    """Finds a word and puts another in its place."""

    code, name, severity = "XX101", "toy", Severity.WARNING
    examples = ()

    def __init__(
        self,
        old: str,
        new: str,
        applicability: Applicability = Applicability.UNSAFE,
        **fields: Any,
    ) -> None:
        self.old, self.new, self.applicability = old.encode(), new.encode(), applicability
        for field, value in fields.items():
            setattr(self, field, value)

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        for match in re.finditer(rb"\b" + re.escape(self.old) + rb"\b", document.source):
            yield self.found(Span(*match.span()))

    def found(self, span: Span, path: Path | None = None) -> Finding:
        edit = Edit.replace(span, self.new, path)
        fix = Fix(f"Write {self.new.decode() or 'nothing'}", (edit,), self.applicability)
        return self.finding(span, f"There is {self.old.decode()}", fix, path=path)


class Failing(Rule):
    """Raises."""

    code, name, severity = "XX911", "failing", Severity.ERROR
    examples = ()

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        raise LookupError("no such thing")


class InContext(Toy):
    """Finds a word in a file of the build context, and mends it together with the Dockerfile."""

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        for relative in facts.context.files("setup.py") if facts.context else ():
            assert facts.context is not None
            source = facts.context.read(relative) or b""
            path = document.path.parent / relative
            at = source.find(self.old)
            if at >= 0:
                finding = self.found(Span(at, at + len(self.old)), path)
                assert finding.fix is not None
                edits = (*finding.fix.edits, Edit.insert(len(document.source), "RUN mended\n"))
                yield self.finding(
                    finding.span,
                    finding.message,
                    Fix("Mend both", edits, self.applicability),
                    path=path,
                )


def look(text: str, *rules: Rule, **settings: object) -> Report:
    """What check() finds with these rules and settings."""
    return check(parse(text.encode()), rules, Settings(**settings))  # type: ignore[arg-type]  # a test's fields


def mend(
    text: str,
    *rules: Rule,
    level: Applicability = Applicability.UNSAFE,
    context: MemoryContext | None = None,
    **settings: object,
) -> Outcome:
    """What fix() makes of a text."""
    return fix(parse(text.encode()), rules, Settings(**settings), context, level)  # type: ignore[arg-type]  # as above
