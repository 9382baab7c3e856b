"""The nodes of a script: what runs inside of what, and after what."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.syntax.shell import (
    AndOr,
    Case,
    Function,
    Group,
    If,
    Item,
    Loop,
    Node,
    Pipeline,
    Script,
    Sequence,
    ShellCommand,
)


def inside(node: Node) -> Iterator[Node]:
    """The nodes right inside a node, the scripts of `sh -c` too; not the conditions that decide on them."""
    match node:
        case Sequence() | AndOr():
            yield from (item.node for item in node.items)
        case Pipeline():
            yield from node.commands
        case If():
            yield from (arm.body for arm in node.arms)
            if node.otherwise is not None:
                yield node.otherwise
        case Case():
            yield from (arm.body for arm in node.arms)
        case Loop() | Group() | Function():
            yield node.body
        case ShellCommand():
            if node.script is not None:
                yield node.script.body


def every_node(node: Node) -> Iterator[Node]:
    """A node and all those inside it, from the outside in."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending += reversed([*inside(node)])


def items_from(script: Script, command: ShellCommand) -> tuple[Item, ...]:
    """The items of the list that a command is an item of, from that one on.

    Empty where it is part of a pipeline, negated or alone, and where it runs only if the one before it fails.
    """
    for node in every_node(script.body):
        if isinstance(node, AndOr) and command.span in node.span:
            for at, item in enumerate(node.items):
                if item.node == command:
                    return () if at and node.items[at - 1].operator == "||" else node.items[at:]
    return ()
