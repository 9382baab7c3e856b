"""The scanner: physical lines to logical ones, directives, comments, and bodies of heredocs.

Source: moby/buildkit frontend/dockerfile/parser/parser.go and directives.go.
"""

from __future__ import annotations

from bisect import bisect_right

from msgspec import Struct

from archpatch.syntax.tree import Directive, PieceKind, Problem, Word
from archpatch.text import Span, decode, regex

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\n\v\f\r"

# What Go calls a space beyond ASCII.
_WIDE_BLANK = regex(rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80")
_DIRECTIVE = regex(rb"[ \t\v\f\r]*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_SLASHES = regex(rb"//\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_HASH = ord("#")
_USUAL = regex(rb"[ \t]*+[!-\"$-~]")  # neither a comment nor blank, whatever follows
# An enum's members are looked up slowly, and there is a piece for each line.
_CODE, _CONTINUATION, _NEWLINE = PieceKind.CODE, PieceKind.CONTINUATION, PieceKind.NEWLINE
_KNOWN = frozenset({"syntax", "escape", "check"})


def mask(text: bytes) -> bytes:
    """A copy of the same length in which every blank of Go's is an ASCII one, so that splitting is simple."""
    return text if text.isascii() else _WIDE_BLANK.sub(lambda match: b" " * len(match[0]), text)


class LogicalLine(Struct, frozen=True, gc=False):
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
        places = self.places
        if len(places) == 1:
            return places[0] + at
        index = bisect_right(self.starts, at) - 1
        return places[index] + at - self.starts[index]

    def span(self, start: int, end: int) -> Span:
        """Where a range of the text stands in the file; it ends after its last byte, before a continuation."""
        places = self.places
        if len(places) == 1:
            return Span(places[0] + start, places[0] + end)
        place = self.place(start)
        return Span(place, self.place(end - 1) + 1 if start < end else place)

    def word(self, start: int, end: int, value: str | None = None) -> Word:
        """The range as a word; `value` where it is not the text itself."""
        text = decode(self.text[start:end])
        if len(self.places) == 1:
            place = self.places[0]
            return Word(Span(place + start, place + end), text if value is None else value, text)
        span = self.span(start, end)
        verbatim = text if len(span) == end - start else decode(span.of(self.source))
        return Word(span, text if value is None else value, verbatim)


class Scanner:
    """A cursor over a file. The parser asks for one logical line after the other, and for heredoc bodies."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.escape = "\\"
        self.layout: list[tuple[PieceKind, int]] = []
        self.comments: list[Span] = []
        self.directives: list[Directive] = []
        self.problems: list[Problem] = []
        self.at = 0  # the offset of the first byte that is not read yet
        self._lines = source.split(b"\n")
        self._number = 0  # of the line at the cursor
        if source.startswith(BOM):
            self._lines[0] = self._lines[0][len(BOM) :]
            self.at = len(BOM)
            self.layout.append((PieceKind.BOM, self.at))
        self._read_directives()

    def line(self) -> LogicalLine | None:
        """The next logical line; None at the end of the file."""
        while self.at < len(self.source):
            code = self._lines[self._number].rstrip(b"\r")
            if not self._passed_over(code):
                return self._logical(code)
        return None

    def heredoc(self, name: bytes, chomp: bool) -> tuple[Span, Span] | None:
        """Content and closing line of a heredoc that begins here; None if it never ends, and all is read."""
        start = self.at
        kind = PieceKind.HEREDOC
        while self.at < len(self.source):
            at = self.at
            line = self._lines[self._number].rstrip(b"\r")
            self._step()
            if (line.lstrip(b"\t") if chomp else line) == name:
                self.layout.append((kind, self.at))
                return Span(start, at), Span(at, at + len(line))
        if self.at > start:
            self.layout.append((kind, self.at))
        return None

    def _step(self) -> None:
        """To the next physical line."""
        at = self.at + len(self._lines[self._number]) + 1
        self.at = at if at < len(self.source) else len(self.source)
        self._number += 1

    def _passed_over(self, code: bytes) -> bool:
        """Whether the line at the cursor is a comment or blank; if so it is read."""
        bare = code.lstrip(BLANKS)
        if bare[:1] >= b"\x80":
            bare = code[len(code) - len(mask(code).lstrip(BLANKS)) :]
        if not bare:
            kind = PieceKind.BLANK
        elif bare[0] == _HASH:
            end = self.at + len(code)
            self.comments.append(Span(end - len(bare), end))
            kind = PieceKind.COMMENT
        else:
            return False
        self._step()
        self.layout.append((kind, self.at))
        return True

    def _logical(self, code: bytes) -> LogicalLine:
        """The logical line that begins at the cursor with `code`."""
        token = self.escape.encode()
        if not code.endswith((token, b" ", b"\t")):
            return self._single(code)
        texts: list[bytes] = []
        starts: list[int] = []
        places: list[int] = []
        length = 0
        lines, layout, total = self._lines, self.layout, len(self.source)
        first_comment = len(self.comments)
        while True:
            place = self.at
            end = place + len(code)
            bare = code.rstrip(b" \t")
            # The escape character ends the line; doubled, it escapes itself.
            continued = bare.endswith(token) and bare[-2:-1] != token
            if continued:
                code = bare[:-1]
            texts.append(code)
            starts.append(length)
            places.append(place)
            length += len(code)
            self.at = min(place + len(lines[self._number]) + 1, total)
            self._number += 1
            if code:
                layout.append((_CODE, place + len(code)))
            if place + len(code) < self.at:
                layout.append((_CONTINUATION if continued else _NEWLINE, self.at))
            if not continued:
                break
            while self.at < total:
                code = lines[self._number].rstrip(b"\r")
                end = self.at + len(code)
                if _USUAL.match(code) or not self._passed_over(code):
                    break
            else:
                break
        comments = tuple(self.comments[first_comment:])
        return LogicalLine(self.source, b"".join(texts), tuple(starts), tuple(places), end, comments)

    def _single(self, code: bytes) -> LogicalLine:
        """The line at the cursor, which the next one does not continue."""
        place = self.at
        end = place + len(code)
        self._step()
        self.layout.append((_CODE, end))
        if end < self.at:
            self.layout.append((_NEWLINE, self.at))
        return LogicalLine(self.source, code, (0,), (place,), end, ())

    def _read_directives(self) -> None:
        """The block of directives at the top.

        The parser allows blanks before `#` and ends the block at a shebang; the search for `syntax` and
        `check` allows no blanks and passes over a shebang first.
        """
        parser = searcher = first = True
        seen: set[str] = set()
        while self.at < len(self.source) and (parser or searcher):
            line = self._lines[self._number].rstrip(b"\r")
            match = _DIRECTIVE.match(line)
            name = match[1].decode().lower() if match else ""
            if first and line.startswith(b"#!"):
                parser = False
                self._passed_over(line)
            elif not match or name not in _KNOWN:
                if first:
                    self._read_slashes(line)
                break
            else:
                end = self.at + len(line)
                span = Span(self.at + line.index(b"#"), end)
                if name in seen:
                    self.problems.append(Problem(span, f"only one {name} directive can be used"))
                    break
                seen.add(name)
                searcher = searcher and line.startswith(b"#")
                if parser if name == "escape" else searcher:
                    self._directive(span, name, decode(match[2]))
                else:
                    self._passed_over(line)
            first = False

    def _directive(self, span: Span, name: str, value: str) -> None:
        """A directive that is in force; its line is read."""
        if name == "escape":
            if value not in ("\\", "`"):
                self.problems.append(Problem(span, f"escape must be \\ or `, not {value}"))
            else:
                self.escape = value
        self.directives.append(Directive(span, name, value))
        self._step()
        self.layout.append((PieceKind.DIRECTIVE, self.at))

    def _read_slashes(self, line: bytes) -> None:
        """`// syntax=` on the first line chooses a frontend too; to the parser it is no comment."""
        match = _SLASHES.match(line)
        if match and match[1].lower() == b"syntax":
            span = Span(self.at, self.at + len(line))
            self.directives.append(Directive(span, "syntax", decode(match[2])))
