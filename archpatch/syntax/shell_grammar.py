"""Bash's grammar: the only module that loads tree-sitter."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archpatch.text import holds, regex

if TYPE_CHECKING:
    from tree_sitter import Node as Raw
    from tree_sitter import Parser


@cache
def parser() -> Parser:
    """The parser of Bash's grammar."""
    from tree_sitter import Language, Parser

    return Parser(Language(_grammar().language()))


def _grammar() -> Any:
    """The compiled grammar. Its package, which exports it, loads importlib.resources with it: 6 ms of each start."""
    from importlib.machinery import PathFinder
    from importlib.util import find_spec, module_from_spec

    package = find_spec("tree_sitter_bash")  # finds the package without running it
    binding = package and PathFinder.find_spec(
        "tree_sitter_bash._binding", package.submodule_search_locations
    )
    if not binding or not binding.loader:
        import tree_sitter_bash

        return tree_sitter_bash
    module = module_from_spec(binding)
    binding.loader.exec_module(module)
    return module


# A shell among the words, which may get a script of its own: whether that can be read must be known at once.
_SHELL = regex(rb"(?<![\w.-])(?:sh|[bdk]?ash|[kz]sh|mksh|busybox|su|runuser)(?![\w.-])")
_NAMES = (b"sh", b"busybox", b"su ", b"runuser")
_DEEP = (b"(", b"{", b"`", b"if", b"do", b"case")
_SHALLOW = 100  # so many of these cannot nest too deeply to be read


def may_be_lazy(data: bytes) -> bool:
    """Whether it is known before its content is that a script the grammar can read is readable."""
    if len(data) > _SHALLOW and sum(map(data.count, _DEEP)) > _SHALLOW:
        return False
    return not (holds(data, _NAMES) and _SHELL.search(data))


def glued(root: Raw, data: bytes) -> list[int]:
    """The ends of lines that the grammar does not see: after a line of two or more assignments it takes the next
    command for theirs. Put `;` there and read the text again."""
    if all(line.count(b"=") < 2 for line in data.split(b"\n")[:-1]):
        return []
    found: list[int] = []
    pending = [root]
    while pending:
        node = pending.pop()
        children = node.children
        pending += children
        if node.type in ("command", "declaration_command", "unset_command"):
            for one, after in pairwise(children):
                gap = data[one.end_byte : after.start_byte].replace(b"\\\n", b"  ")
                if one.type == "variable_assignment" and b"\n" in gap:
                    found.append(one.end_byte + gap.index(b"\n"))
    return found
