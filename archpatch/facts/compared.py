"""Branches that ask whether the target is the machine that builds: cross-compile in one, compile natively in the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archpatch.syntax.shell import AndOr, Case, Function, Group, If, Loop, Node, Script, Sequence
from archpatch.text import Span, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

_TARGET = regex(rb"\$\{?TARGET(?:ARCH|PLATFORM)\b")
_BUILDER = regex(rb"\$\{?BUILD(?:ARCH|PLATFORM)\b")


def compares_builder(facts: Facts, script: Script, span: Span) -> bool:
    """Whether a place of a script stands in an `if` that compares the target with the machine that builds."""
    source = facts.document.source
    if not script.readable or not any(name in source for name in (b"BUILDARCH", b"BUILDPLATFORM")):
        return False
    for node in _ifs(script.body, span):
        for arm in node.arms:
            asked = source[arm.span.start : arm.body.span.start]
            if _TARGET.search(asked) and _BUILDER.search(asked):
                return True
    return False


def _ifs(node: Node | None, span: Span) -> Iterator[If]:
    """The `if`s around a place, the outermost first."""
    if node is None or span not in node.span:
        return
    if isinstance(node, If):
        yield node
    for inner in _inside(node):
        yield from _ifs(inner, span)


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
