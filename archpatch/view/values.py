"""The values of the amd64 view: words whose known parts are text and whose other parts stay symbols.

All are frozen and hashable, so that two views are compared with `==` where no exception is asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from archpatch.text import encode, regex, sha256

# What BuildKit sets for a linux/amd64 build on an amd64 host. TARGETSTAGE depends on the command line.
AUTOMATIC: Mapping[str, str] = {
    f"{side}{part}": value
    for side in ("BUILD", "TARGET")
    for part, value in (
        ("PLATFORM", "linux/amd64"),
        ("OS", "linux"),
        ("ARCH", "amd64"),
        ("VARIANT", ""),
        ("OSVERSION", ""),
    )
}


class Glob(Struct, frozen=True, gc=False):
    """Unquoted text that the shell may expand (`*.so`, `~`, `{a,b}`)."""

    text: str


class Hole(Struct, frozen=True, gc=False):
    """Nothing, where an automatic argument would stand if it were declared."""

    name: str
    quoted: bool = True


class Sym(Struct, frozen=True):
    """What cannot be decided; equal symbols are equal text under equal circumstances."""

    kind: str
    content: Hashable
    quoted: bool = True


Piece = str | Glob | Hole | Sym


class Word(Struct, frozen=True):
    """One word, or the value of a variable. Neighbouring texts are one piece; no pieces: the empty word."""

    pieces: tuple[Piece, ...] = ()

    @property
    def text(self) -> str | None:
        """The text, a hole being empty; None where something is symbolic."""
        if any(isinstance(piece, Sym) for piece in self.pieces):
            return None
        return "".join(_text(piece) for piece in self.pieces)

    @property
    def constant(self) -> str | None:
        """The text when it is certain: no symbol, no hole, nothing that the shell expands."""
        return (
            "".join(map(str, self.pieces)) if all(isinstance(piece, str) for piece in self.pieces) else None
        )


class Command(Struct, frozen=True):
    """A simple command: its argument list, the assignments before it and its redirects."""

    words: tuple[Word, ...]
    assigns: tuple[tuple[str, Word], ...] = ()
    redirects: tuple[Hashable, ...] = ()


class Node(Struct, frozen=True):
    """Anything else: a pipe, an undecided branch, an instruction. `parts` are values of this module."""

    kind: str
    parts: tuple[Hashable, ...] = ()


class StageRef(Struct, frozen=True, gc=False):
    """Files or image of another stage, by its index."""

    index: int


def _text(piece: Piece) -> str:
    return piece if isinstance(piece, str) else piece.text if isinstance(piece, Glob) else ""


_LARGEST = (
    200  # characters of a symbol's content; with holes in it, which must stay to be filled, ten times that
)
_LONGEST = 1 << 14  # characters of a known value: `A=$A$A` doubles
_MOST = 64  # pieces of a value


def symbol(kind: str, content: Hashable, quoted: bool = True) -> Sym:
    """A symbol whose size is bounded: a value that is built up step by step would double with each of them."""
    text = repr(content)
    if len(text) > (_LARGEST * 10 if "Hole(" in text else _LARGEST):
        content = sha256(encode(text))
    return Sym(kind, content, quoted)


def bounded(word: Word) -> Word:
    """The word, or a symbol for one that is too long."""
    length = sum(len(piece) for piece in word.pieces if isinstance(piece, str))
    return word if length <= _LONGEST and len(word.pieces) <= _MOST else Word((symbol("long", word),))


def join(pieces: Iterable[Piece]) -> Word:
    """A word of these pieces in normal form."""
    result: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str):
            if not piece:
                continue
            if result and isinstance(result[-1], str):
                result[-1] += piece
                continue
        result.append(piece)
    return Word(tuple(result))


def literal(text: str) -> Word:
    """A word of known text."""
    return Word((text,) if text else ())


def holes(value: object) -> Iterator[str]:
    """The names of all holes within a value."""
    if isinstance(value, Hole):
        yield value.name
    elif isinstance(value, tuple):
        for item in value:
            yield from holes(item)
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from holes(getattr(value, name))


def fill(value: Any, names: frozenset[str]) -> Any:
    """The value with the holes of these names filled by what BuildKit sets once they are declared."""
    if isinstance(value, Word):
        return join(_filled(piece, names) for piece in value.pieces)
    if isinstance(value, tuple):
        return tuple(fill(item, names) for item in value)
    if isinstance(value, Command):
        words = tuple(fill(word, names) for word in value.words if not _vanishes(word, names))
        return Command(words, fill(value.assigns, names), fill(value.redirects, names))
    if isinstance(value, (Node, Sym)):
        filled = {name: fill(getattr(value, name), names) for name in value.__struct_fields__}
        return replace(value, **filled)
    return value


def _filled(piece: Piece, names: frozenset[str]) -> Piece:
    if isinstance(piece, Hole) and piece.name in names:
        return AUTOMATIC[piece.name]
    filled: Piece = fill(piece, names)
    return filled


def _vanishes(word: Word, names: frozenset[str]) -> bool:
    """Whether a word is nothing but unquoted holes that stay empty when filled: the shell drops it."""
    return bool(word.pieces) and all(
        isinstance(piece, Hole) and piece.name in names and not piece.quoted and not AUTOMATIC[piece.name]
        for piece in word.pieces
    )


_EXPANDS = regex(r"([*?\[\]{}]+|(?:^|(?<=[:=]))~)")


def unquoted(text: str) -> tuple[Piece, ...]:
    """Literal text outside of quotes; the signs that the shell may expand are pieces of their own, so that
    `x64/*` and `$A/*` are the same where A is x64."""
    parts = _EXPANDS.split(text)
    return tuple(Glob(part) if number % 2 else part for number, part in enumerate(parts) if part)
