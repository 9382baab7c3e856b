"""Words of a shell script: frozen nodes in file offsets. Import these from `archpatch.syntax.shell`."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.text import Span, encode

if TYPE_CHECKING:
    from archpatch.syntax.shell_tree import Script


class Quote(enum.Enum):
    """The quotes around a part of a word; `$'...'` counts as SINGLE."""

    NONE = ""
    SINGLE = "'"
    DOUBLE = '"'


class Literal(Struct, frozen=True, gc=False):
    """Constant text. The bytes at `span` are `text`, but for an escaped character, which is a Literal of
    its own (`\\ ` and the text " "). Quotes stand outside of the span. An unquoted glob is literal too."""

    span: Span
    text: str
    quote: Quote


class Param(Struct, frozen=True, gc=False):
    """`$x`, `${x:-y}`, `${x/p/r}`: `operator` is "", ":-", "/", ...; `operand` what follows it, pattern and
    replacement (`p/r`) in one. `${x[i]}` has the operator "[", `${#x}` "#x", `${!x}` "!x"."""

    span: Span
    name: str
    operator: str
    operand: tuple[Part, ...]
    quote: Quote


class Substitution(Struct, frozen=True, gc=False):
    """`$(...)`, the same in backquotes, or `<(...)`."""

    span: Span
    script: Script
    quote: Quote


class Opaque(Struct, frozen=True, gc=False):
    """What is not looked into: `$((...))`, an odd escape; `text` is as written."""

    span: Span
    text: str
    quote: Quote


Part = Literal | Param | Substitution | Opaque


class ShellWord(Struct, frozen=True, gc=False):
    """One word. `raw` is what stands in the file with line continuations removed."""

    span: Span
    parts: tuple[Part, ...]
    raw: str

    @property
    def literal(self) -> str | None:
        """The value when nothing in it is computed, else None."""
        parts = self.parts
        if len(parts) == 1:
            only = parts[0]
            return only.text if isinstance(only, Literal) else None
        text = ""
        for part in parts:
            if not isinstance(part, Literal):
                return None
            text += part.text
        return text

    @property
    def prefix(self) -> str:
        """The constant text that it begins with."""
        text = ""
        for part in self.parts:
            if not isinstance(part, Literal):
                break
            text += part.text
        return text

    @property
    def quoted(self) -> bool:
        """Whether quotes stand around the whole word."""
        return bool(self.parts) and all(part.quote is not Quote.NONE for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        """The variables that the word uses, those in operands included, those in `$(...)` not."""
        return frozenset(param.name for param in params(self.parts))

    def find(self, text: str, start: int = 0) -> Span | None:
        """Where `text` stands in the file: the first place among constant text, at or after byte `start`.

        The span may cover quotes or a line continuation that stand inside of the text.
        """
        run: list[Literal] = []
        for part in (*self.parts, None):
            if isinstance(part, Literal):
                run.append(part)
                continue
            if (span := _find(run, text, start)) is not None:
                return span
            run = []
        return None


def params(parts: tuple[Part, ...]) -> Iterator[Param]:
    """Every `$x` among `parts`, operands included."""
    for part in parts:
        if isinstance(part, Param):
            yield part
            yield from params(part.operand)


def _find(run: list[Literal], text: str, start: int) -> Span | None:
    joined = "".join(part.text for part in run)
    at = joined.find(text, _before(run, start))
    while at >= 0:
        first, last = _offset(run, at, False), _offset(run, at + len(text), True)
        if first >= start:
            return Span(first, last)
        at = joined.find(text, at + 1)
    return None


def _before(run: list[Literal], start: int) -> int:
    """How many characters of a run certainly stand before byte `start`."""
    count = 0
    for part in run:
        if part.span.end > start:
            exact = len(part.text) == len(part.span)  # a byte each
            return count + max(0, start - part.span.start) if exact else count
        count += len(part.text)
    return count


def _offset(run: list[Literal], at: int, end: bool) -> int:
    """The offset in the file of the character `at` of a run; as an `end`, that after the character before."""
    for part in run:
        if at < len(part.text) or (end and at == len(part.text)):
            if len(part.span) != len(encode(part.text)):  # an escape
                return part.span.end if at else part.span.start
            return part.span.start + len(encode(part.text[:at]))
        at -= len(part.text)
    return run[-1].span.end if run else 0


def tail(word: ShellWord, cut: int) -> ShellWord | None:
    """The word without its first `cut` characters, which must be literal and unescaped; None if they are not."""
    removed, parts = cut, list(word.parts)
    while parts and cut:
        first = parts[0]
        if not isinstance(first, Literal) or len(first.span) != len(encode(first.text)):
            return None
        if cut < len(first.text):
            start = first.span.start + len(encode(first.text[:cut]))
            parts[0] = Literal(Span(start, first.span.end), first.text[cut:], first.quote)
            cut = 0
        else:
            cut -= len(first.text)
            parts.pop(0)
    if cut or not parts:
        return None
    raw = word.raw[:1] + word.raw[1 + removed :] if word.raw[:1] in "'\"" else word.raw[removed:]
    return ShellWord(Span(parts[0].span.start, word.span.end), tuple(parts), raw)


def evaluate(word: ShellWord, lookup: Callable[[str], str | None]) -> str | None:
    """The value of a word where `lookup` gives the values of variables (None: unknown, "": unset or empty).

    None when something in it is unknown, a substitution, or a pattern operator.
    """
    return _join(word.parts, lookup)


def _join(parts: tuple[Part, ...], lookup: Callable[[str], str | None]) -> str | None:
    values = [part.text if isinstance(part, Literal) else _value(part, lookup) for part in parts]
    return None if None in values else "".join(value for value in values if value is not None)


def _value(part: Part, lookup: Callable[[str], str | None]) -> str | None:
    if not isinstance(part, Param) or part.operator not in ("", ":-", "-", ":+", "+"):
        return None
    value = lookup(part.name)
    if value is None or not part.operator:
        return value
    # Unset and empty are not told apart: in a RUN an undeclared variable is unset, and "-" is rare.
    if (part.operator[-1] == "+") == bool(value):
        return _join(part.operand, lookup)
    return "" if part.operator[-1] == "+" else value
