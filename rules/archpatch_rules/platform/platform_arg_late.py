"""AP106."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import AUTOMATIC, Facts
from archpatch.rewrite import declare_arg
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.platform.platform_arg_undeclared import missing


class PlatformArgLate(Rule):
    """An automatic platform argument is used above the line that declares it.

    The scope of an ARG begins at its line. Above it `$TARGETARCH` is empty: a URL loses its architecture, a
    branch is never taken, a fallback is always taken.

    It is fine where the value is inherited from the parent stage, or the shell sets the name itself.

    The fix moves the declaration above the first use. What was empty is now filled in: safe unless the value decides
    a branch that amd64 now takes.
    """

    code, name, severity = "AP106", "platform-arg-late", Severity.WARNING
    hints = tuple(sorted(name.lower() for name in AUTOMATIC))
    errors = ("404", "curl: (22) The requested URL returned error: 404")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz\n"
            "ARG TARGETARCH\n"
            "RUN echo ${TARGETARCH}\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz\n"
            "RUN echo ${TARGETARCH}\n",
            applicability="safe",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz\n"
            "# for the other tool\n"
            "ARG TARGETARCH\n"
            "ARG TARGETOS TARGETVARIANT\n"
            "RUN echo ${TARGETOS}${TARGETARCH}${TARGETVARIANT}\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz\n"
            "# for the other tool\n"
            "ARG TARGETARCH\n"
            "ARG TARGETOS TARGETVARIANT\n"
            "RUN echo ${TARGETOS}${TARGETARCH}${TARGETVARIANT}\n",
            applicability="safe",
            title="One with a comment stays, and does no harm",
        ),
        Example("FROM debian\nARG TARGETARCH\nRUN echo ${TARGETARCH}\nARG TARGETARCH\n"),
        Example(
            "FROM debian AS base\nARG TARGETARCH\nFROM base\nRUN echo $TARGETARCH\nARG TARGETARCH\n",
            title="Inherited before it is declared again",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage and name, at the first use."""
        for uses in missing(document, facts, late=True):
            first = uses[0]
            later = facts.declared_later(first.instruction, first.name)
            yield self.finding(
                first.span,
                f"{first.name} is empty here: the stage declares it further down, and an ARG is visible only below its "
                "line.",
                Fix(
                    f"Declare {first.name} above its first use",
                    declare_arg(document, facts, first.instruction, first.name),
                    Applicability.SAFE,
                ),
                related=(Related(later.span, "declared here"),) if later else (),
            )
