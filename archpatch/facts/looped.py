"""Files that a loop fetches: `for url in URL URL; do curl -O "$url"; done` names them where the loop begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from archpatch.facts.origins import Piece, text_of, trace
from archpatch.facts.shells import Command
from archpatch.platforms import AMD64, Platform, arch_words
from archpatch.syntax.shell import Literal, Param, Part, Quote, ShellWord
from archpatch.text import Span, decode, encode, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

_PIECE = regex(r"([^\s()]+)|[\s()]+")


def each_item(
    facts: Facts, command: Command, word: ShellWord
) -> Iterator[tuple[tuple[Piece, ...], dict[Platform, str]]]:
    """What `word` comes to on amd64, in pieces, and its text on every target, for each item of a loop that names an
    architecture."""
    for item in _items_of(facts, command, word):
        urls = {target: text_of(_trace_item(facts, command, word, item, target)) for target in facts.targets}
        yield _trace_item(facts, command, word, item, AMD64), urls


def _items_of(facts: Facts, command: Command, word: ShellWord) -> tuple[tuple[Param, ShellWord], ...]:
    """The words that a variable of `word` goes through in the innermost loop around the command, as far as they name an
    architecture; none where no loop gives the variable its value, or the loop takes an architecture off it."""
    params = [part for part in word.parts if isinstance(part, Param) and not part.operator]
    loops = facts.settings(command).loops(command.shell.span.start) if params else ()
    for loop in loops:
        if loop.keyword != "for" or command.shell.span not in loop.body.span:
            continue
        for param in params:
            if param.name == loop.variable:
                if facts.once(_is_cut, loop.variable, loop.body.span):
                    return ()
                values = (item for value in loop.values for item in _spread(command, value))
                return tuple((param, item) for item in values if arch_words(item.raw))
    return ()


def _is_cut(facts: Facts, name: str, body: Span) -> bool:
    """Whether a loop asks its variable for an architecture: `${file%-amd64}`."""
    text = decode(body.of(facts.document.source))
    return any(map(arch_words, re.findall(rf"\$\{{{re.escape(name)}([^}}\w][^}}]*)\}}", text)))


def _spread(command: Command, word: ShellWord) -> tuple[ShellWord, ...]:
    """The words of an array that `"${files[@]}"` names; any other word stands for itself."""
    match word.parts:
        case (Param(name=name, operator="[", operand=(Literal(text="@]" | "*]"),)),):
            before = [
                assign.value
                for assign in command.script.assigns
                if assign.name == name and assign.value is not None and assign.span.end <= word.span.start
            ]
            if len(before) == 1 and before[0].raw.startswith("("):
                return tuple(_words_of(before[0]))
    return (word,)


def _words_of(array: ShellWord) -> Iterator[ShellWord]:
    """The words of an array, which as written is one: `(a "b c")`."""
    parts: list[Part] = []
    for part in array.parts:
        exact = isinstance(part, Literal) and len(part.span) == len(encode(part.text))
        if (
            not isinstance(part, Literal)
            or part.quote is not Quote.NONE
            or not (exact or part.text.isspace())
        ):
            parts.append(part)
            continue
        for found in _PIECE.finditer(part.text):
            start = part.span.start + len(encode(part.text[: found.start()]))
            if found[1]:
                parts.append(Literal(Span(start, start + len(encode(found[1]))), found[1], part.quote))
            elif parts:
                yield _joined(parts)
                parts = []


def _joined(parts: list[Part]) -> ShellWord:
    raw = "".join(part.text if isinstance(part, Literal) else "$" for part in parts)
    return ShellWord(parts[0].span.cover(parts[-1].span), tuple(parts), raw)


def _trace_item(
    facts: Facts, command: Command, word: ShellWord, item: tuple[Param, ShellWord], target: Platform
) -> tuple[Piece, ...]:
    """The pieces of `word` for one target while the loop is at `item`."""
    param, value = item
    filled: list[Piece] = []
    for piece in trace(facts, command, word, target):
        if piece.use == param.span:
            filled += (replace(inner, use=None) for inner in trace(facts, command, value, target))
        else:
            filled.append(piece)
    return tuple(filled)
