"""Branches that ask whether the target is the machine that builds: cross-compile in one, compile natively in the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from archpatch.syntax.shell import (
    AndOr,
    Case,
    Function,
    Group,
    If,
    Loop,
    Node,
    Pipeline,
    Script,
    Sequence,
    ShellCommand,
)
from archpatch.text import Span, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

_TARGET = regex(rb"\$\{?TARGET(?:ARCH|PLATFORM)\b")
_BUILDER = regex(rb"\$\{?BUILD(?:ARCH|PLATFORM)\b")


def compares_builder(facts: Facts, script: Script, span: Span) -> bool:
    """Whether a place of a script runs only after the target was compared with the machine that builds, or after that
    comparison failed."""
    source = facts.document.source
    if not script.readable or not any(name in source for name in (b"BUILDARCH", b"BUILDPLATFORM")):
        return False
    questions = (
        question.of(source) for node in _around(script.body, span) for question in _asked(node, span)
    )
    return any(_TARGET.search(text) and _BUILDER.search(text) for text in questions)


def _asked(node: Node, span: Span) -> Iterator[Span]:
    """Where the conditions stand that a node asks before what is at a place in it."""
    if isinstance(node, If):
        yield from (Span(arm.span.start, arm.body.span.start) for arm in node.arms)
    elif isinstance(node, AndOr):
        before = takewhile(lambda item: span not in item.node.span, node.items)
        yield from (item.node.span for item in before if _is_test(item.node))


def _is_test(node: Node) -> bool:
    if isinstance(node, Pipeline):
        return len(node.commands) == 1 and _is_test(node.commands[0])
    return isinstance(node, ShellCommand) and node.name in ("[", "[[", "test")


def _around(node: Node | None, span: Span) -> Iterator[Node]:
    """The nodes around a place, the outermost first."""
    if node is None or span not in node.span:
        return
    yield node
    for inner in _inside(node):
        yield from _around(inner, span)


def _inside(node: Node) -> Iterator[Node | None]:
    match node:
        case Sequence() | AndOr():
            yield from (item.node for item in node.items)
        case If():
            yield from (arm.body for arm in node.arms)
            yield node.otherwise
        case Case():
            yield from (arm.body for arm in node.arms)
        case Loop() | Group() | Function():
            yield node.body
