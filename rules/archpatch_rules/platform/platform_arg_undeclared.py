"""AP105."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import AUTOMATIC, Facts, Use
from archpatch.rewrite import declare_arg
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Arg, Document
from archpatch.text import Applicability, Fix, decode


class PlatformArgUndeclared(Rule):
    """An automatic platform argument (`$TARGETARCH`) is used in a stage that does not declare it.

    BuildKit sets these arguments, but a stage sees them only after `ARG TARGETARCH`; a declaration before the first
    FROM does not count. Without it the value is empty: a URL loses its architecture and ends in 404, a branch is
    never taken, and `${TARGETARCH:-amd64}` is amd64 on every platform, in silence. BuildKit's check does not look
    into RUN.

    It is fine where a stage inherits the argument from the stage that it is built FROM, where the shell sets the
    name itself, and where the fallback asks the machine (`${TARGETARCH:-$(uname -m)}`).

    The fix declares the argument above the first instruction that needs it. What was empty is now filled in,
    which is the intent; it is safe unless the value decides a branch that amd64 now takes.
    """

    code, name, severity = "AP105", "platform-arg-undeclared", Severity.WARNING
    hints = tuple(sorted(name.lower() for name in AUTOMATIC))
    errors = ("404", "curl: (22) The requested URL returned error: 404", "exec format error")
    examples = (
        Example(
            "FROM debian\n"
            "WORKDIR /srv\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz\n"
            "RUN echo ${TARGETARCH}\n",
            "FROM debian\n"
            "WORKDIR /srv\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz\n"
            "RUN echo ${TARGETARCH}\n",
            "In RUN, where BuildKit's check does not look",
            applicability="safe",
        ),
        Example(
            "ARG TARGETARCH\nFROM debian\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-$TARGETARCH\n",
            "ARG TARGETARCH\nFROM debian\nARG TARGETARCH\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-$TARGETARCH\n",
            "Declared before the first FROM only",
            applicability="safe",
        ),
        Example(
            "FROM golang:1.23 AS base\nARG TARGETARCH\nFROM base\nRUN GOARCH=$TARGETARCH go build .\n",
            title="Inherited from the stage it is built on",
        ),
        Example(
            "FROM golang:1.23 AS base\nARG TARGETARCH\nFROM base AS base-amd64\nFROM base AS base-arm64\n"
            "FROM base-${TARGETARCH}${TARGETVARIANT}\nRUN GOARCH=$TARGETARCH go build .\n",
            title="Inherited, whichever stage it is built on",
        ),
        Example(
            "FROM debian\nRUN TARGETARCH=$(dpkg --print-architecture) && echo $TARGETARCH\n",
            title="Set by the shell",
        ),
        Example(
            'FROM debian\nRUN case "${TARGETARCH:-$(uname -m)}" in x86_64|amd64) true ;; esac\n',
            title="The fallback asks the machine",
        ),
        Example(
            'FROM debian\nRUN : "${TARGETARCH:=$(dpkg --print-architecture)}" && echo "$TARGETARCH" > /arch\n',
            title="Asked of the machine where it is unset",
        ),
        Example(
            "FROM debian\nARG TARGETARCH=${TARGETARCH:-amd64}\n",
            title="Its own default is another rule's matter",
        ),
        Example("FROM build-${TARGETARCH}\n", title="FROM sees it without a declaration"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage and name, at the first use; the others are related."""
        for uses in missing(document, facts, late=False):
            first, *others = uses
            fallback = (
                f" (so it is always {_fallback(document, first)})" if first.operator in (":-", "-") else ""
            )
            yield self.finding(
                first.span,
                f"{first.name} is empty here{fallback}: this stage does not declare it. BuildKit's automatic arguments are "
                f"visible in a stage only after `ARG {first.name}`.",
                Fix(
                    f"Declare {first.name}",
                    declare_arg(document, facts, first.instruction, first.name),
                    Applicability.SAFE,
                ),
                related=tuple(Related(use.span, "used here too") for use in others[:5]),
            )


def missing(document: Document, facts: Facts, *, late: bool) -> list[list[Use]]:
    """Uses of automatic args that nothing declares before them, grouped by stage and name; `late`: those that the
    same stage declares further down."""
    groups: dict[tuple[int, str], list[Use]] = {}
    for use in facts.uses():
        if use.visible or use.assigned or use.stage is None or _asks_the_machine(document, use):
            continue
        if _is_its_own_default(use):
            continue  # platform-arg-default takes it away
        if (facts.declared_later(use.instruction, use.name) is not None) == late:
            groups.setdefault((use.stage.index, use.name), []).append(use)
    return list(groups.values())


def _asks_the_machine(document: Document, use: Use) -> bool:
    text = decode(use.span.of(document.source))
    return use.operator != "" and ("$(" in text or "`" in text)


def _is_its_own_default(use: Use) -> bool:
    """`ARG TARGETARCH=${TARGETARCH:-amd64}`."""
    step = use.instruction
    return isinstance(step, Arg) and any(
        one.name.value == use.name and one.value is not None and use.span in one.value.span
        for one in step.declarations
    )


def _fallback(document: Document, use: Use) -> str:
    text = decode(use.span.of(document.source))
    return f"`{text[len(use.name) + 2 + len(use.operator) : -1]}`"
