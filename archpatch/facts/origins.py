"""Where the text of a value is written: in the word itself, in an assignment of the shell, in an ARG or ENV.

`trace` follows a shell word, `trace_word` a word of the Dockerfile, for one target. Together the pieces are the
value; a piece that is written out in the file knows the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from archpatch.assets import UNKNOWN
from archpatch.facts.values import Scope, Variable, VariableKind
from archpatch.platforms import Platform
from archpatch.syntax import words
from archpatch.syntax.shell import Assign, Literal, Param, Part, ShellWord, Substitution
from archpatch.syntax.tree import Declaration, Instruction, Word
from archpatch.text import Span, encode

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command

_DEEP = 8  # variables in variables
_SELECTORS = ("ARCH", "PLATFORM", "VARIANT")


class Piece(Struct, frozen=True):
    """Part of a value. `text` is UNKNOWN where nobody knows it.

    `span`: the bytes where just this text is written, None for what is computed. `holder`: the word those
    bytes belong to; `assign` and `declaration`: the assignment or ARG/ENV that the word is the value of, else
    None. `names`: automatic arguments it hangs on. `source`: for computed text, the bytes of `$X` or `$(...)`. `use`: the
    bytes of the variable in the word that was traced, through which the text comes in; None where it stands there.
    """

    text: str
    span: Span | None = None
    holder: ShellWord | Word | None = None
    assign: Assign | None = None
    declaration: Declaration | None = None
    instruction: Instruction | None = None
    names: frozenset[str] = frozenset()
    source: Span | None = None
    use: Span | None = None


class _Place(Struct, frozen=True):
    """Whose word is being followed."""

    holder: ShellWord | Word
    instruction: Instruction
    assign: Assign | None = None
    declaration: Declaration | None = None


def text_of(pieces: Iterable[Piece]) -> str:
    """The value; UNKNOWN in it stands for text that nobody knows."""
    return "".join(piece.text for piece in pieces)


def piece_at(pieces: Sequence[Piece], start: int, end: int) -> tuple[Piece, Span | None] | None:
    """The one piece that holds the characters `start`..`end` of the value, and their bytes if it is written out.

    None where they lie across pieces.
    """
    at = 0
    for number, piece in enumerate(pieces):
        after = at + len(piece.text)
        if at <= start and end <= after and (start < after or start == end):
            # An empty place at a seam belongs to the piece before it, unless that one comes out of a variable.
            if start == end == after and _is_held(piece) and pieces[number + 1 :]:
                following = pieces[number + 1]
                if not _is_held(following):
                    at, piece = after, following
            if piece.span is None:
                return piece, None
            first = piece.span.start + len(encode(piece.text[: start - at]))
            return piece, Span(first, first + len(encode(piece.text[start - at : end - at])))
        at = after
    return None


def _is_held(piece: Piece) -> bool:
    return piece.span is None or piece.assign is not None or piece.declaration is not None


def trace(facts: Facts, command: Command, word: ShellWord, target: Platform) -> tuple[Piece, ...]:
    """The pieces of a shell word for one target."""
    place = _Place(word, command.run)
    return tuple(
        piece if isinstance(part, Literal) else replace(piece, use=part.span)
        for part in word.parts
        for piece in _shell(facts, command, (part,), place, target, _DEEP)
    )


def trace_word(facts: Facts, instruction: Instruction, word: Word, target: Platform) -> tuple[Piece, ...]:
    """The pieces of a word that BuildKit expands (ADD, ENV, ARG), for one target."""
    return tuple(_dockerfile(facts, _Place(word, instruction), target, _DEEP))


def _shell(
    facts: Facts, command: Command, parts: Iterable[Part], place: _Place, target: Platform, deep: int
) -> Iterator[Piece]:
    for part in parts:
        if isinstance(part, Literal):
            exact = len(part.span) == len(encode(part.text))
            yield Piece(
                part.text,
                part.span if exact else None,
                place.holder,
                place.assign,
                place.declaration,
                place.instruction,
            )
        elif isinstance(part, Param) and part.operator in ("", ":-", "-") and deep:
            yield from _variable(facts, command, part, place, target, deep - 1)
        else:
            yield _computed(facts, command, part, place, target)


def _variable(
    facts: Facts, command: Command, param: Param, place: _Place, target: Platform, deep: int
) -> Iterator[Piece]:
    assign = _assigned(facts, command, param.name, target)
    if assign is not None and assign.only_on is not None and target.arch not in assign.only_on:
        yield _computed(facts, command, param, place, target)
        return
    variable = None if assign else _written_out(facts, facts.scope(command.run, target), param.name, target)
    declaration = variable.declaration if variable else None
    if assign is not None and assign.value is not None and not assign.append:
        held = _Place(assign.value, command.run, assign)
        yield from _shell(facts, command, assign.value.parts, held, target, deep)
    elif variable and declaration and declaration.value and variable.instruction and not variable.value.names:
        held = _Place(declaration.value, variable.instruction, declaration=declaration)
        yield from _dockerfile(facts, held, target, deep)
    elif variable is None and assign is None and param.operand:
        yield from _shell(facts, command, param.operand, place, target, deep)
    else:
        yield _computed(facts, command, param, place, target)


def _written_out(facts: Facts, scope: Scope, name: str, target: Platform) -> Variable | None:
    """The variable of that name where its value is written: for an ARG without a default, before the first FROM."""
    variable = scope.get(name)
    declaration = variable.declaration if variable else None
    if variable is None or declaration is None or declaration.value is not None:
        return variable
    outer = facts.global_scope(target).get(name) if variable.kind is VariableKind.ARG else None
    return outer if outer is not None and outer.kind is VariableKind.GLOBAL else variable


def _assigned(facts: Facts, command: Command, name: str, target: Platform) -> Assign | None:
    """The assignment that gives a shell variable its value for `target`: the last one before the command."""
    last: Assign | None = None
    for assign in facts.settings(command).last(name, command.shell.span.start):
        if assign.only_on is None or target.arch in assign.only_on:
            return assign
        last = last or assign
    return last


def _computed(facts: Facts, command: Command, part: Part, place: _Place, target: Platform) -> Piece:
    value = facts.value(command, ShellWord(part.span, (part,), ""), target)
    text = _system(part) if value.text is None else value.text
    return Piece(text, None, place.holder, place.assign, None, place.instruction, value.names, part.span)


def _dockerfile(facts: Facts, place: _Place, target: Platform, deep: int) -> Iterator[Piece]:
    word = place.holder
    assert isinstance(word, Word)
    scope = facts.scope(place.instruction, target)
    try:
        parts = words.split_parts(word.value, facts.document.escape)
    except words.BadWord:
        yield Piece(UNKNOWN, None, word, None, place.declaration, place.instruction)
        return
    quoted = word.verbatim == f'"{word.value}"'  # a string of the JSON form
    plain = quoted or word.value == word.verbatim  # else offsets of the value are not those of the file
    first = word.span.start + quoted
    for part in parts:
        start = first + len(encode(word.value[: part.start]))
        span = Span(start, start + len(encode(word.value[part.start : part.end])))
        if isinstance(part, words.Literal):
            at = word.value.find(part.text, part.start, part.end) if plain else -1
            start = first + len(encode(word.value[:at])) if at >= 0 else 0
            exact = Span(start, start + len(encode(part.text))) if at >= 0 else None
            yield Piece(part.text, exact, word, None, place.declaration, place.instruction)
            continue
        variable = _written_out(facts, scope, part.name, target)
        held = variable.declaration if variable else None
        literal = held is not None and variable is not None and not variable.value.names and not part.operator
        if variable and held and held.value and variable.instruction and literal and deep:
            inner = _Place(held.value, variable.instruction, declaration=held)
            yield from _dockerfile(facts, inner, target, deep - 1)
            continue
        value = scope.expand(word.value[part.start : part.end])
        text = UNKNOWN if value.text is None else value.text
        source = span if plain else None
        yield Piece(text, None, word, None, place.declaration, place.instruction, value.names, source)


def _system(part: Part) -> str:
    """What `$(uname -s)` prints where Linux is built, in small letters if `tr` or `sed` makes it so; else UNKNOWN."""
    if not isinstance(part, Substitution) or not part.script.commands:
        return UNKNOWN
    first, *rest = part.script.commands
    if first.name != "uname" or [word.literal for word in first.arguments] not in (
        [],
        ["-s"],
        ["--kernel-name"],
    ):
        return UNKNOWN
    if not rest:
        return "Linux"
    lowers = len(rest) == 1 and rest[0].name == "tr"
    return "linux" if lowers and [word.literal for word in rest[0].arguments] in _LOWER else UNKNOWN


_LOWER = (["A-Z", "a-z"], ["[A-Z]", "[a-z]"], ["[:upper:]", "[:lower:]"], ["L", "l"])
