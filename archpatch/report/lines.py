"""Lines and columns of byte offsets: they are made here and die in reports."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate

from msgspec import Struct

from archpatch.text import Span, decode


class Place(Struct, frozen=True):
    """A position: `line` and `column` from 1, the column in code points, `offset` in bytes from 0.

    A byte that is no UTF-8 counts as one code point.
    """

    line: int
    column: int
    offset: int


class Lines(Struct, frozen=True):
    """The lines of a text. Only LF ends one; a CR before it belongs to the line."""

    source: bytes
    starts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def number(self, offset: int) -> int:
        """The line, from 1, that holds the byte at `offset`."""
        return bisect_right(self.starts, min(offset, len(self.source)))

    def place(self, offset: int) -> Place:
        """Line and column of an offset; the end of the text is a place too."""
        line = self.number(offset)
        return Place(line, len(decode(self.source[self.starts[line - 1] : offset])) + 1, offset)

    def byte_column(self, offset: int) -> int:
        """The column from 1, counted in bytes."""
        return offset - self.starts[self.number(offset) - 1] + 1

    def span(self, line: int) -> Span:
        """The bytes of a line, its end left out. `line` may be one past the last: empty."""
        if line > len(self.starts):
            return Span(len(self.source), len(self.source))
        start = self.starts[line - 1]
        end = self.starts[line] if line < len(self.starts) else len(self.source)
        for byte in b"\n\r":
            if end > start and self.source[end - 1] == byte:
                end -= 1
        return Span(start, end)

    def text(self, line: int) -> str:
        """A line without its end; undecodable bytes are lone surrogates."""
        return decode(self.span(line).of(self.source))

    def last(self, span: Span) -> int:
        """The last line on which a byte of `span` stands; the line of an empty span."""
        return self.number(max(span.start, span.end - 1))


@lru_cache(maxsize=64)
def lines_of(source: bytes) -> Lines:
    """The lines of a text, computed once."""
    starts = [0, *accumulate([len(line) + 1 for line in source.split(b"\n")[:-1]])]
    if len(starts) > 1 and starts[-1] == len(source):
        starts.pop()  # a final line end begins no line
    return Lines(source, tuple(starts))
