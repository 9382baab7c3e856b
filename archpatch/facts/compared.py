"""Branches that ask whether the target is the machine that builds: cross-compile in one, compile natively in the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archpatch.facts.nodes import every_node
from archpatch.syntax.shell import AndOr, If, Node, Pipeline, ShellCommand
from archpatch.syntax.shell_conditions import TESTS
from archpatch.text import Nest, Span, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

_TARGET = regex(rb"\$\{?TARGET(?:ARCH|PLATFORM)\b")
_BUILDER = regex(rb"\$\{?BUILD(?:ARCH|PLATFORM)\b")


def comparisons(facts: Facts) -> Nest[Span]:
    """The places that run only after the target was compared with the machine that builds, or after that failed; with
    where it is asked."""
    source = facts.document.source
    return Nest(
        (guarded, question)
        for stage in facts.stages
        for run in stage.runs
        if _names_both(run.span.of(source)) and facts.shell(run).readable
        for guarded, question in _guards(facts.shell(run).body)
        if _names_both(question.of(source))
    )


def _names_both(text: bytes) -> bool:
    return _TARGET.search(text) is not None and _BUILDER.search(text) is not None


def _guards(body: Node) -> Iterator[tuple[Span, Span]]:
    """What runs on a condition, and where the condition stands, in a node and all nodes inside it."""
    for node in every_node(body):
        if isinstance(node, If):
            yield from ((node.span, Span(arm.span.start, arm.body.span.start)) for arm in node.arms)
        elif isinstance(node, AndOr):
            tests = (item.node.span for item in node.items[:-1] if _is_test(item.node))
            yield from ((Span(test.end, node.span.end), test) for test in tests)


def _is_test(node: Node) -> bool:
    if isinstance(node, Pipeline):
        return len(node.commands) == 1 and _is_test(node.commands[0])
    return isinstance(node, ShellCommand) and node.name in TESTS
