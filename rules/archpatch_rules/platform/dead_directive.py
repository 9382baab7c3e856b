"""AP118."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span, decode, regex

_DIRECTIVE = regex(
    r"#\s*(?:(syntax)\s*=\s*\S+|(escape)\s*=\s*[\\`]|(check)\s*=\s*(?:skip|error)=.*)$", re.IGNORECASE
)


class DeadDirective(Rule):
    """`# syntax=`, `# check=` or `# escape=` below a comment or a blank line is an ordinary comment.

    BuildKit reads directives at the very top alone; the first line that is none ends them. Below a licence header
    `# syntax=docker/dockerfile:1.7` pulls no frontend, `# check=skip=...` skips nothing, and `# escape=` changes
    nothing.

    It is fine where the line is meant as a comment. `RUN --mount` and heredocs work without it on any BuildKit.

    There is no automatic fix: moving it to the top would begin to pull another frontend over the network, or change
    how every line is read. Move it, or delete it.
    """

    code, name, severity = "AP118", "dead-directive", Severity.NOTE
    hints = ("syntax", "check", "escape")
    examples = (
        Example(
            "# Copyright of somebody\n\n# syntax=docker/dockerfile:1.7\nFROM alpine\n",
            "# Copyright of somebody\n\n# syntax=docker/dockerfile:1.7\nFROM alpine\n",
            "Below a licence header",
        ),
        Example("# syntax=docker/dockerfile:1.7\n# Copyright of somebody\nFROM alpine\n", title="At the top"),
        Example(
            "FROM alpine\n# check the sum = of both\nRUN true\n", title="A comment that only looks alike"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Comments that would be directives at the top."""
        for comment in document.comments:
            match = _DIRECTIVE.match(decode(comment.of(document.source)).strip())
            if match is None:
                continue
            name = (match[1] or match[2] or match[3]).lower()
            if any(directive.name == name for directive in document.directives):
                continue  # said again: the first one counts
            yield self.finding(
                Span(comment.start, comment.end),
                f"`# {name}=` is only a comment here: BuildKit reads directives at the very top of the file, and the first "
                "line that is none ends them.",
            )
