"""AP411."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from archpatch.facts import Download, Facts, StageFacts
from archpatch.facts.nodes import every_node
from archpatch.facts.suppressors import why_download_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import AndOr, Node, ShellCommand
from archpatch.syntax.tree import Document
from archpatch.text import Nest, holds

_NOTHING = frozenset({"true", ":", "exit", "echo"})


class SwallowedFailure(Rule):
    """A download that depends on the architecture may fail, and the build goes on.

    After `|| true` a platform without such a file gets an image without the tool, and nobody is told.

    It is fine where the tool is wanted on one platform alone: ask for the architecture instead.

    There is no fix: whether the image can do without the tool is for its author to say.
    """

    code, name, severity = "AP411", "swallowed-failure", Severity.NOTE
    hints = ("||",)
    errors = ("not found", "No such file or directory")
    examples = (
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSLo /bin/tool https://example.com/tool-${TARGETARCH} || true\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSLo /bin/tool https://example.com/tool-${TARGETARCH} || true\n",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSLo /bin/tool https://example.com/tool-${TARGETARCH} || exit 1\n",
        ),
        Example("FROM debian\nRUN curl -fsSLo /etc/page https://example.com/page || true\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in facts.downloads:
            if not (download.tokens or download.varies) or not _is_swallowed(facts, download):
                continue
            if why_download_is_fine(facts, download) is None:
                yield self.finding(
                    download.word.span, "Where there is no such file the build goes on without it."
                )


def _is_swallowed(facts: Facts, download: Download) -> bool:
    if download.command is None:
        return False
    return any(True for _ in facts.once(_spared, download.stage).holding(download.command.shell.span))


def _spared(facts: Facts, stage: StageFacts) -> Nest[Node]:
    """By place, the commands of a stage upon whose failure nothing is done."""
    nodes = (
        node
        for run in stage.every_run
        if holds(facts.document.source, (b"||",), run.span.start, run.span.end)
        for node in every_node(facts.shell(run).body)
    )
    return Nest(
        (item.node.span, item.node)
        for chain in nodes
        if isinstance(chain, AndOr)
        for item, following in pairwise(chain.items)
        if item.operator == "||" and _does_nothing(following.node)
    )


def _does_nothing(node: Node) -> bool:
    if not isinstance(node, ShellCommand) or node.name not in _NOTHING:
        return False
    return node.name != "exit" or [word.literal for word in node.arguments] == ["0"]
