"""The scanner: physical lines to logical ones, directives, comments, and bodies of heredocs.

Source: moby/buildkit frontend/dockerfile/parser/parser.go and directives.go.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from archpatch.syntax.tree import Directive, Piece, PieceKind, Problem, Word
from archpatch.text import Span, decode

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\n\v\f\r"

# What Go calls a space beyond ASCII.
_WIDE_BLANK = re.compile(
    rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
_DIRECTIVE = re.compile(rb"[ \t\v\f\r]*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_SLASHES = re.compile(rb"//\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_KNOWN = frozenset({"syntax", "escape", "check"})


def mask(text: bytes) -> bytes:
    """A copy of the same length in which every blank of Go's is an ASCII one, so that splitting is simple."""
    return text if text.isascii() else _WIDE_BLANK.sub(lambda match: b" " * len(match[0]), text)


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One instruction with its continuations gone, and the way back to the file.

    `text[starts[i]:]` stands at `places[i]` of `source`, up to the next of `starts`. `end` is where the last
    physical line ends, without its line end.
    """

    source: bytes
    text: bytes
    starts: tuple[int, ...]
    places: tuple[int, ...]
    end: int
    comments: tuple[Span, ...]

    def place(self, at: int) -> int:
        """Where a byte of the text stands in the file."""
        index = bisect_right(self.starts, at) - 1 if len(self.starts) > 1 else 0
        return self.places[index] + at - self.starts[index]

    def span(self, start: int, end: int) -> Span:
        """Where a range of the text stands in the file; it ends after its last byte, before a continuation."""
        if start >= end:
            place = self.place(start)
            return Span(place, place)
        return Span(self.place(start), self.place(end - 1) + 1)

    def word(self, start: int, end: int, value: str | None = None) -> Word:
        """The range as a word; `value` where it is not the text itself."""
        span = self.span(start, end)
        text = decode(self.text[start:end])
        verbatim = text if len(span) == end - start else decode(span.of(self.source))
        return Word(span, text if value is None else value, verbatim)


class Scanner:
    """A cursor over a file. The parser asks for one logical line after the other, and for heredoc bodies."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.escape = "\\"
        self.pieces: list[Piece] = []
        self.comments: list[Span] = []
        self.directives: list[Directive] = []
        self.problems: list[Problem] = []
        self.at = 0  # the offset of the first byte that is not read yet
        if source.startswith(BOM):
            self._piece(PieceKind.BOM, len(BOM))
        self._read_directives()
        self._token = self.escape.encode()

    def line(self) -> LogicalLine | None:
        """The next logical line; None at the end of the file."""
        while self.at < len(self.source):
            start = self.at
            end, stop = self._physical(start)
            code = self.source[start:end]
            if not self._passed_over(code, stop):
                return self._logical(start, end, stop)
        return None

    def heredoc(self, name: bytes, chomp: bool) -> tuple[Span, Span] | None:
        """Content and closing line of a heredoc that begins here; None if it never ends, and all is read."""
        start = self.at
        at = start
        while at < len(self.source):
            end, stop = self._physical(at)
            line = self.source[at:end]
            if (line.lstrip(b"\t") if chomp else line) == name:
                self._piece(PieceKind.HEREDOC, stop)
                return Span(start, at), Span(at, end)
            at = stop
        self._piece(PieceKind.HEREDOC, at)
        return None

    def _physical(self, start: int) -> tuple[int, int]:
        """Where the line that begins at `start` ends, without and with its line end."""
        newline = self.source.find(b"\n", start)
        stop = len(self.source) if newline < 0 else newline + 1
        end = stop if newline < 0 else newline
        while end > start and self.source[end - 1] == 0x0D:
            end -= 1
        return end, stop

    def _piece(self, kind: PieceKind, stop: int) -> None:
        """The bytes up to `stop` are of this kind; the cursor moves there."""
        if stop > self.at:
            self.pieces.append(Piece(kind, Span(self.at, stop)))
            self.at = stop

    def _passed_over(self, code: bytes, stop: int) -> bool:
        """Whether the line at the cursor is a comment or blank; if so it is read."""
        bare = code.lstrip(BLANKS)
        if bare[:1] >= b"\x80":
            bare = code[len(code) - len(mask(code).lstrip(BLANKS)) :]
        if not bare:
            self._piece(PieceKind.BLANK, stop)
        elif bare[0] == 0x23:
            end = self.at + len(code)
            self.comments.append(Span(end - len(bare), end))
            self._piece(PieceKind.COMMENT, stop)
        else:
            return False
        return True

    def _logical(self, start: int, end: int, stop: int) -> LogicalLine:
        """The logical line that begins with the physical line given."""
        texts: list[bytes] = []
        starts: list[int] = []
        places: list[int] = []
        length = 0
        first_comment = len(self.comments)
        while True:
            code = self.source[start:end]
            bare = code.rstrip(b" \t")
            token = self._token
            continued = bare.endswith(token) and not bare.endswith(token + token)
            if continued:
                code = bare[:-1]
            texts.append(code)
            starts.append(length)
            places.append(start)
            length += len(code)
            self._piece(PieceKind.CODE, start + len(code))
            if not continued:
                self._piece(PieceKind.NEWLINE, stop)
                break
            self._piece(PieceKind.CONTINUATION, stop)
            while stop < len(self.source):
                start = stop
                end, stop = self._physical(start)
                if not self._passed_over(self.source[start:end], stop):
                    break
            else:
                break
        comments = tuple(self.comments[first_comment:])
        return LogicalLine(self.source, b"".join(texts), tuple(starts), tuple(places), end, comments)

    def _read_directives(self) -> None:
        """The block of directives at the top.

        The parser allows blanks before `#` and ends the block at a shebang; the search for `syntax` and
        `check` allows no blanks and passes over a shebang first.
        """
        parser = searcher = True
        seen: set[str] = set()
        first = True
        while self.at < len(self.source) and (parser or searcher):
            end, stop = self._physical(self.at)
            line = self.source[self.at : end]
            if first and line.startswith(b"#!"):
                self.comments.append(Span(self.at, end))
                self._piece(PieceKind.COMMENT, stop)
                parser = first = False
                continue
            match = _DIRECTIVE.match(line)
            if not match:
                self._read_slashes(line, end) if first else None
                break
            first = False
            name = match[1].decode().lower()
            if name not in _KNOWN:
                break
            span = Span(self.at + line.index(b"#"), end)
            if name in seen:
                self.problems.append(Problem(span, f"only one {name} directive can be used"))
                break
            seen.add(name)
            searcher = searcher and line.startswith(b"#")
            if not (parser if name == "escape" else searcher):
                self.comments.append(span)
                self._piece(PieceKind.COMMENT, stop)
                continue
            self._directive(span, name, decode(match[2]))
            self._piece(PieceKind.DIRECTIVE, stop)

    def _directive(self, span: Span, name: str, value: str) -> None:
        if name == "escape":
            if value not in ("\\", "`"):
                self.problems.append(Problem(span, f"escape must be \\ or `, not {value}"))
            else:
                self.escape = value
        self.directives.append(Directive(span, name, value))

    def _read_slashes(self, line: bytes, end: int) -> None:
        """`// syntax=` on the first line chooses a frontend too; to the parser it is no comment."""
        match = _SLASHES.match(line)
        if match and match[1].lower() == b"syntax":
            self.directives.append(Directive(Span(self.at, end), "syntax", decode(match[2])))
