"""Words of a shell script: where they end, and what they are made of.

The grammar knows where a command is; words are taken apart here, since the grammar loses blanks in strings and
variables in patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from archpatch.syntax.shell_text import Text
from archpatch.syntax.shell_words import Literal, Opaque, Param, Part, Quote, ShellWord
from archpatch.text import Span, decode, regex

# Words that need no grammar: plain text, quotes, $x and ${x} without anything nested.
_SIMPLE = rb"""(?:[^\s'"\\$`<>()]++|\\[^\n]|'[^']*'|\$\{[^{}"'`$()\s]*\}|\$(?![({'"])|(?<=\S)\\\n(?=\S)
  |"(?:[^"\\$`]++|\\.|\$\{[^{}"'`$()]*\}|\$(?![({]))*")+"""
_WORD = regex(rb"(?:\s|\\\n)*(?P<word>" + _SIMPLE + rb")(?=\s|\\\n|\Z)", re.DOTALL | re.VERBOSE)
_BLACK = regex(rb"\S+")
_PLAIN = regex(rb"[^\\'\"$`<>()]*+")

_VARIABLE = rb"|\$(?P<name>[A-Za-z_]\w*)|\$\{(?P<braced>[A-Za-z_]\w*)\}"
_IN_NONE = regex(rb"(?P<run>[^\\'\"$`<>]+)|'(?P<single>[^']+)'|(?P<toggle>\")(?!\")" + _VARIABLE)
_IN_DOUBLE = regex(rb"(?P<run>[^\\\"$`]+)|(?P<toggle>\")" + _VARIABLE)
_BARE_RUN = regex(rb"[^\\'\"$`<>}]+")
_DOUBLE_RUN = regex(rb"[^\\\"$`}]+")
_PARAM = regex(rb"\$([A-Za-z_]\w*|[0-9@*#?$!-])")
_BRACED = regex(rb"\$\{([#!]?)([A-Za-z_]\w*|[0-9]+|[@*#?$!-])(:?[-=?+]|##?|%%?|//?|\^\^?|,,?|:|@|\[|(?=\}))")
_ANSI = {b"n": "\n", b"t": "\t", b"\\": "\\", b"'": "'", b'"': '"'}

# Reads the substitution that begins at an offset of the text: the part and the offset after it, or None.
Nested = Callable[[int, Quote], tuple[Part, int] | None]


def _nothing(at: int, quote: Quote) -> tuple[Part, int] | None:
    return None


class WordReader:
    """Takes words of one text apart."""

    __slots__ = ("data", "span", "text")

    def __init__(self, text: Text) -> None:
        self.text = text
        self.data = text.data
        self.span = text.span

    def split(self, start: int, end: int) -> list[ShellWord] | None:
        """The words of a simple command that stands there; None when it needs the grammar."""
        data = self.data
        if _PLAIN.fullmatch(data, start, end):
            return self._plain(start, end)
        words: list[ShellWord] = []
        at = limit = start
        shift = 0
        while at < end:
            match = _WORD.match(data, at, end)
            if match is None:
                return None if data[at:end].strip(b" \t\n\\") else words
            first, at = match.span("word")
            if first >= limit:
                shift, limit = self.text.stretch(first)
            if at > limit or not _PLAIN.fullmatch(data, first, at):
                words.append(self.word(first, at))
                continue
            span = Span(first + shift, at + shift)
            raw = data[first:at].decode("utf-8", "surrogateescape")
            words.append(ShellWord(span, (Literal(span, raw, Quote.NONE),), raw))
        return words

    def _plain(self, start: int, end: int) -> list[ShellWord]:
        """The words where nothing is quoted or computed."""
        words: list[ShellWord] = []
        limit = start
        shift = 0
        for match in _BLACK.finditer(self.data, start, end):
            first, last = match.span()
            if first >= limit:
                shift, limit = self.text.stretch(first)
            if last > limit:
                words.append(self.word(first, last))
                continue
            span = Span(first + shift, last + shift)
            raw = match[0].decode("utf-8", "surrogateescape")
            words.append(ShellWord(span, (Literal(span, raw, Quote.NONE),), raw))
        return words

    def word(self, start: int, end: int, nested: Nested = _nothing) -> ShellWord:
        """The word that stands there."""
        raw = decode(self.data[start:end])
        shift, limit = self.text.stretch(start)
        if end > limit:
            span = self.span(start, end)
        else:
            span = Span(start + shift, end + shift)
            if _PLAIN.fullmatch(self.data, start, end):
                return ShellWord(span, (Literal(span, raw, Quote.NONE),), raw)
            if parts := self._simple(start, end, shift):
                return ShellWord(span, parts, raw)
        out: list[Part] = []
        self._lex(start, end, Quote.NONE, out, nested, b"")
        return ShellWord(span, tuple(out), raw.replace("\\\n", "") if "\\\n" in raw else raw)

    def _simple(self, start: int, end: int, shift: int) -> tuple[Part, ...] | None:
        """The parts of a word of plain text, quotes, `$x` and `${x}`; None when there is more to it."""
        out: list[Part] = []
        quote = Quote.NONE
        while start < end:
            match = (_IN_DOUBLE if quote is Quote.DOUBLE else _IN_NONE).match(self.data, start, end)
            if match is None or match.lastgroup is None:
                return None
            kind = match.lastgroup
            start = match.end()
            if kind == "toggle":
                quote = Quote.NONE if quote is Quote.DOUBLE else Quote.DOUBLE
                continue
            text = match[kind].decode("utf-8", "surrogateescape")
            if kind in ("name", "braced"):
                out.append(Param(Span(match.start() + shift, start + shift), text, "", (), quote))
            else:
                span = Span(match.start(kind) + shift, match.end(kind) + shift)
                out.append(Literal(span, text, Quote.SINGLE if kind == "single" else quote))
        return tuple(out) if quote is Quote.NONE else None

    def _literal(self, start: int, end: int, quote: Quote, out: list[Part]) -> None:
        if start == end:
            return
        shift, limit = self.text.stretch(start)
        if limit >= end:
            span = Span(start + shift, end + shift)
            out.append(Literal(span, decode(self.data[start:end]), quote))
            return
        for first, last in self.text.segments(start, end):
            out.append(Literal(self.text.span(first, last), decode(self.data[first:last]), quote))

    def _lex(self, at: int, end: int, quote: Quote, out: list[Part], nested: Nested, stop: bytes) -> int:
        """Puts the parts of `at`..`end` into `out`, up to an unquoted `stop`; returns the offset after it."""
        data = self.data
        run = _DOUBLE_RUN if quote is Quote.DOUBLE else _BARE_RUN
        while at < end:
            if match := run.match(data, at, end):
                self._literal(at, match.end(), quote, out)
                at = match.end()
                continue
            sign = data[at : at + 1]
            if sign == stop:
                return at + 1
            if sign == b"\\":
                at = self._escape(at, end, quote, out)
            elif sign == b'"':
                before = len(out)
                at = self._lex(at + 1, end, Quote.DOUBLE, out, nested, b'"')
                if len(out) == before:
                    out.append(Literal(self.span(at - 1, at - 1), "", Quote.DOUBLE))
            elif sign == b"'":
                at = self._single(at + 1, end, out)
            elif sign == b"$":
                at = self._dollar(at, end, quote, out, nested)
            elif sign == b"`" or (sign in b"<>" and data[at + 1 : at + 2] == b"("):
                at = self._nest(at, end, quote, out, nested)
            else:  # a lone `<`, `>` or `}`
                self._literal(at, at + 1, quote, out)
                at += 1
        return end

    def _escape(self, at: int, end: int, quote: Quote, out: list[Part]) -> int:
        following = self.data[at + 1 : min(at + 2, end)]
        if following == b"\n":
            return at + 2
        if not following or (quote is Quote.DOUBLE and following not in b'$`"\\'):
            self._literal(at, at + 1, quote, out)
            return at + 1
        last = at + 2
        while last < end and self.data[last] & 0xC0 == 0x80:  # the rest of a character
            last += 1
        out.append(Literal(self.span(at, last), decode(self.data[at + 1 : last]), quote))
        return last

    def _single(self, at: int, end: int, out: list[Part]) -> int:
        close = self.data.find(b"'", at, end)
        close = end if close < 0 else close
        if close == at:
            out.append(Literal(self.span(at, at), "", Quote.SINGLE))
        self._literal(at, close, Quote.SINGLE, out)
        return min(close + 1, end)

    def _dollar(self, at: int, end: int, quote: Quote, out: list[Part], nested: Nested) -> int:
        following = self.data[at + 1 : min(at + 2, end)]
        if following == b"{":
            return self._braced(at, end, quote, out, nested)
        if following == b"(":
            return self._nest(at, end, quote, out, nested)
        if quote is Quote.NONE and following == b"'":
            return self._ansi(at + 2, end, out)
        if quote is Quote.NONE and following == b'"':
            return at + 1
        if match := _PARAM.match(self.data, at, end):
            out.append(Param(self.span(at, match.end()), match[1].decode(), "", (), quote))
            return match.end()
        self._literal(at, at + 1, quote, out)
        return at + 1

    def _braced(self, at: int, end: int, quote: Quote, out: list[Part], nested: Nested) -> int:
        match = _BRACED.match(self.data, at, end)
        if match is None:  # not a variable; `${` of a template, say
            out.append(Opaque(self.span(at, end), decode(self.data[at:end]), quote))
            return end
        operand: list[Part] = []
        after = self._lex(match.end(), end, quote, operand, nested, b"}")
        operator = (match[1] + b"x" if match[1] else match[3]).decode()
        out.append(Param(self.span(at, after), match[2].decode(), operator, tuple(operand), quote))
        return after

    def _nest(self, at: int, end: int, quote: Quote, out: list[Part], nested: Nested) -> int:
        found = nested(at, quote)
        if found is None:
            found = Opaque(self.span(at, end), decode(self.data[at:end]), quote), end
        out.append(found[0])
        return found[1]

    def _ansi(self, at: int, end: int, out: list[Part]) -> int:
        start = at
        while at < end and self.data[at] != 0x27:
            if self.data[at] != 0x5C:
                at += 1
                continue
            self._literal(start, at, Quote.SINGLE, out)
            text = _ANSI.get(self.data[at + 1 : at + 2])
            span = self.span(at, min(at + 2, end))
            out.append(
                Opaque(span, decode(self.data[at : at + 2]), Quote.SINGLE)
                if text is None
                else Literal(span, text, Quote.SINGLE)
            )
            start = at = min(at + 2, end)
        self._literal(start, at, Quote.SINGLE, out)
        return min(at + 1, end)
