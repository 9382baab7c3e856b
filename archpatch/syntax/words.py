"""Words of a Dockerfile as BuildKit's shell lexer reads them: quotes, escapes, `$x` and `${x:-y}`.

Source: moby/buildkit frontend/dockerfile/shell/lex.go. A word is first read into parts, which know where they
stand, and then expanded with a lookup; a part that cannot be read raises `BadWord` as BuildKit rejects it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from msgspec import Struct

from archpatch.text import regex

Lookup = Callable[[str], str | None]

_SPECIAL = frozenset("@*#?-$!0")  # `$@` and its like: names of one character, never set in a Dockerfile
_OPERATORS = frozenset("+-?#%")
_GO_BLANKS = r"\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BLANK_OR_NOT = regex(f"([{_GO_BLANKS}]+)|[^{_GO_BLANKS}]+")
_REMEMBERED = 1024  # characters of a word whose parts are kept
_RUNS: dict[tuple[str, str], re.Pattern[str]] = {}


class BadWord(ValueError):
    """A word that BuildKit cannot expand; the message is one line."""


class Literal(Struct, frozen=True, gc=False):
    """Constant text, quotes and escapes resolved; empty where there are only quotes.

    `start` and `end` are offsets in the word, quotes included.

    `quote` is `'` or `"`, the escape character for one escaped character, or empty.
    """

    text: str
    start: int
    end: int
    quote: str


class Variable(Struct, frozen=True, gc=False):
    """`$name` or `${name...}`.

    `operator` is empty or as written (`:-`, `##`, `//`, ...); `operand` is the default, message or pattern,
    `replacement` the last part of `${x/p/r}`. `quote` is `"` within double quotes.
    """

    name: str
    operator: str
    operand: tuple[Part, ...]
    replacement: tuple[Part, ...]
    start: int
    end: int
    quote: str


Part = Literal | Variable


def split_parts(text: str, escape: str = "\\") -> tuple[Part, ...]:
    """The parts of a word in order. Raises BadWord."""
    if not ("$" in text or "'" in text or '"' in text or escape in text):
        return (Literal(text, 0, len(text), ""),) if text else ()
    return _split(text, escape) if len(text) < _REMEMBERED else _split.__wrapped__(text, escape)


@lru_cache(maxsize=2048)
def _split(text: str, escape: str) -> tuple[Part, ...]:
    """Rules, scopes and the view ask for the same words again and again."""
    try:
        return _Reader(text, escape).until("", raw=False)
    except RecursionError:
        raise BadWord("substitutions are nested too deeply") from None


def word_ranges(parts: tuple[Part, ...]) -> Iterator[tuple[int, int]]:
    """Start and end of each word of a text: unquoted blanks separate, variables count as written."""
    start = end = -1
    for part in parts:
        if part.quote or isinstance(part, Variable):
            start = part.start if start < 0 else start
            end = part.end
            continue
        for match in _BLANK_OR_NOT.finditer(part.text):
            if match[1] is None:
                start = part.start + match.start() if start < 0 else start
                end = part.start + match.end()
            elif start >= 0:
                yield start, end
                start = -1
    if start >= 0:
        yield start, end


def expand(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """The value of a word; `lookup` gives None for what is not set. Raises BadWord."""
    if not ("$" in text or "'" in text or '"' in text or escape in text):
        return text
    return _join(split_parts(text, escape), lookup)


def expand_words(text: str, lookup: Lookup, escape: str = "\\") -> list[str]:
    """The words that a text becomes: split at unquoted blanks, those from variables too. Raises BadWord."""
    words: list[str] = []
    word = ""
    for part in split_parts(text, escape):
        value = part.text if isinstance(part, Literal) else _value(part, lookup)
        if part.quote:
            word += value
            continue
        for match in _BLANK_OR_NOT.finditer(value):
            if match[1] is None:
                word += match[0]
            elif word:
                words.append(word)
                word = ""
    return [*words, word] if word else words


def names(text: str, escape: str = "\\") -> frozenset[str]:
    """The names of the variables that a word uses, those in operands too. Raises BadWord."""
    if "$" not in text:
        return frozenset()
    return frozenset(part.name for part in variables(split_parts(text, escape)))


def variables(parts: tuple[Part, ...]) -> Iterator[Variable]:
    """Every variable among the parts, each before those of its operand."""
    for part in parts:
        if isinstance(part, Variable):
            yield part
            yield from variables(part.operand)
            yield from variables(part.replacement)


def unquote(text: str, escape: str = "\\") -> str:
    """The word without quotes and escapes, its variables as written. Raises BadWord."""
    return "".join(
        part.text if isinstance(part, Literal) else text[part.start : part.end]
        for part in split_parts(text, escape)
    )


class _Reader:
    """Reads parts from left to right; `at` is where it stands."""

    def __init__(self, text: str, escape: str) -> None:
        self.text = text
        self.escape = escape
        self.at = 0

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def until(self, stop: str, *, raw: bool) -> tuple[Part, ...]:
        """Parts up to `stop`, which is passed, or to the end where `stop` is empty.

        `raw` keeps escape characters in the text, as patterns need them.
        """
        parts: list[Part] = []
        plain = _run(self.escape, stop)
        while char := self.peek():
            if char == stop:
                self.at += 1
                return tuple(parts)
            if char == "$":
                parts.append(self.dollar("", raw=raw))
            elif char == "'":
                parts.append(self.single())
            elif char == '"':
                parts += self.double(raw=raw)
            elif char == self.escape:
                parts += self.escaped(raw=raw)
            elif match := plain.match(self.text, self.at):
                parts.append(Literal(match[0], self.at, match.end(), ""))
                self.at = match.end()
        if stop:
            raise BadWord(f"unexpected end of statement while looking for matching {stop}")
        return tuple(parts)

    def escaped(self, *, raw: bool) -> Iterator[Part]:
        """An escape character and what it escapes; alone at the end it says nothing."""
        start = self.at
        text = self.text[start + 1 : start + 2]
        self.at = start + 1 + len(text)
        if text or raw:
            yield Literal(self.escape + text if raw else text, start, self.at, self.escape)

    def single(self) -> Part:
        """A text in single quotes."""
        start = self.at
        end = self.text.find("'", start + 1)
        if end < 0:
            raise BadWord("unexpected end of statement while looking for matching single-quote")
        self.at = end + 1
        return Literal(self.text[start + 1 : end], start, self.at, "'")

    def double(self, *, raw: bool) -> Iterator[Part]:
        """A text in double quotes; only `"`, `$` and the escape character can be escaped."""
        start = self.at
        self.at += 1
        plain = _run(self.escape, '"')
        text = ""
        while char := self.peek():
            if char in {'"', "$"}:
                # The quotes themselves belong to a literal, an empty one if need be.
                if text or char == '"' or self.text[start] == '"':
                    yield Literal(text, start, self.at + (char == '"'), '"')
                    text = ""
                if char == '"':
                    self.at += 1
                    return
                yield self.dollar('"', raw=raw)
                start = self.at
            elif char == self.escape:
                following = self.text[self.at + 1 : self.at + 2]
                special = following in ('"', "$", self.escape) and following != ""
                if raw:
                    text += char
                text += following if special else char if following else ""
                self.at += 1 + special
            elif match := plain.match(self.text, self.at):
                text += match[0]
                self.at = match.end()
            else:  # a single quote is a character like any other here
                text += char
                self.at += 1
        raise BadWord("unexpected end of statement while looking for matching double-quote")

    def dollar(self, quote: str, *, raw: bool) -> Part:
        """What begins with `$`."""
        start = self.at
        self.at += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return Literal("$", start, self.at, quote)
            return Variable(name, "", (), (), start, self.at, quote)
        self.at += 1
        if not self.peek():
            raise BadWord("syntax error: missing '}'")
        if self.peek() in "{}:":
            raise BadWord("syntax error: bad substitution")
        name = self.name()
        operator, operand, replacement = self.substitution()
        return Variable(name, operator, operand, replacement, start, self.at, quote)

    def substitution(self) -> tuple[str, tuple[Part, ...], tuple[Part, ...]]:
        """Operator, operand and replacement of `${name...}`, the closing brace passed."""
        operator = self.peek()
        self.at += 1
        if operator == "}":
            return "", (), ()
        if operator == "/":
            if self.peek() == "/":
                self.at += 1
                operator = "//"
            return operator, self.operand("/", raw=True), self.operand("}", raw=True)
        kind = operator
        if operator == ":":
            kind = self.peek()
            self.at += 1
            operator += kind
        if not kind or kind not in _OPERATORS:
            raise BadWord(f"unsupported modifier ({operator}) in substitution")
        return operator, self.operand("}", raw=kind in "#%"), ()

    def operand(self, stop: str, *, raw: bool) -> tuple[Part, ...]:
        try:
            return self.until(stop, raw=raw)
        except BadWord:
            if self.at >= len(self.text):
                raise BadWord(
                    f"syntax error: missing '{stop}'" + (" in ${}" if stop == "/" else "")
                ) from None
            raise

    def name(self) -> str:
        """A name, a run of digits, or one special character; empty where there is none."""
        start = self.at
        first = self.peek()
        if first.isdecimal():
            while self.peek().isdecimal():
                self.at += 1
        elif first and first in _SPECIAL:
            self.at += 1
        else:
            while (char := self.peek()) and (char == "_" or char.isalpha() or char.isdecimal()):
                self.at += 1
        return self.text[start : self.at]


def _run(escape: str, stop: str) -> re.Pattern[str]:
    """A run of characters that mean nothing special."""
    found = _RUNS.get((escape, stop))
    if found is None:
        found = _RUNS[escape, stop] = re.compile("[^" + re.escape("$'\"" + escape + stop) + "]+")
    return found


def _join(parts: tuple[Part, ...], lookup: Lookup) -> str:
    return "".join(part.text if isinstance(part, Literal) else _value(part, lookup) for part in parts)


def _value(variable: Variable, lookup: Lookup) -> str:
    """What a variable stands for."""
    value = lookup(variable.name)
    if not variable.operator:
        return value or ""
    word = _join(variable.operand, lookup)
    if variable.operator[0] == "/":
        replacement = _join(variable.replacement, lookup)
        return _replace(value or "", word, replacement, everywhere=variable.operator == "//")
    kind = variable.operator[-1]
    missing = value is None or (value == "" and variable.operator[0] == ":")
    if kind == "-":
        return word if missing else value or ""
    if kind == "+":
        return "" if missing else word
    if kind == "?":
        if missing:
            raise BadWord(
                f"{variable.name}: {word or 'is not allowed to be ' + ('unset' if value is None else 'empty')}"
            )
        return value or ""
    greedy = word.startswith(kind)
    pattern = word[1:] if greedy else word
    return (_without_suffix if kind == "%" else _without_prefix)(value or "", pattern, greedy)


def _replace(value: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    compiled = re.compile(_regex(pattern, greedy=True))
    return compiled.sub(lambda _: replacement, value, count=0 if everywhere else 1)


def _without_prefix(value: str, pattern: str, greedy: bool) -> str:
    match = re.match(_regex(pattern, greedy=greedy), value)
    return value[match.end() :] if match else value


def _without_suffix(value: str, pattern: str, greedy: bool) -> str:
    match = re.match(_regex(pattern, greedy=greedy, backwards=True), value[::-1])
    return value[: len(value) - match.end()] if match else value


def _regex(pattern: str, *, greedy: bool, backwards: bool = False) -> str:
    """A shell pattern (`*`, `?`, `\\` escapes; no brackets) as a regular expression."""
    pieces: list[str] = []
    characters = iter(pattern)
    for char in characters:
        if char == "*":
            pieces.append(".*" if greedy else ".*?")
        elif char == "?":
            pieces.append(".")
        elif char == "\\":
            following = next(characters, "")
            if not following or following not in "}/*?\\":
                raise BadWord(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{following}'")
            pieces.append(re.escape(following))
        else:
            pieces.append(re.escape(char))
    return "".join(reversed(pieces) if backwards else pieces)
