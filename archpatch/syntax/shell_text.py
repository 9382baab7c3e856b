"""The text that a shell gets to read, with the way back to the file.

BuildKit takes line continuations, comment lines and blank lines out before a shell sees a RUN; JSON strings and
`sh -c "..."` have escapes. A `Text` is made of segments, each of which stands at one place of the file.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from msgspec import Struct

from archpatch.text import Span, encode, regex


class Text(Struct, frozen=True, gc=False):
    """`data`, and for each segment where it begins in `data` (`cuts`, ascending, the first is 0) and where it
    begins and ends in the file. A segment as long in the file as here is the same there, byte for byte."""

    data: bytes
    cuts: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> Span:
        """The place in the file of `data[start:end]`: from its first byte to the end of its last."""
        shift, limit = self.stretch(start)
        if end <= limit:
            return Span(start + shift, end + shift)
        first = bisect_right(self.cuts, start) - 1
        begin = self.starts[first] + min(start - self.cuts[first], self.ends[first] - self.starts[first])
        if start == end:
            return Span(begin, begin)
        last = bisect_left(self.cuts, end) - 1
        full = last + 1 < len(self.cuts) and self.cuts[last + 1] == end
        return Span(begin, self.ends[last] if full else self.starts[last] + end - self.cuts[last])

    def stretch(self, start: int) -> tuple[int, int]:
        """What to add to an offset from `start` on, and the offset up to which that and the bytes hold true."""
        index = bisect_right(self.cuts, start) - 1
        begin, place = self.cuts[index], self.starts[index]
        limit = self.cuts[index + 1] if index + 1 < len(self.cuts) else len(self.data)
        return place - begin, limit if limit - begin == self.ends[index] - place else begin

    def segments(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """`start`..`end` of `data` in pieces, each within one segment."""
        index = bisect_right(self.cuts, start)
        while index < len(self.cuts) and self.cuts[index] < end:
            if self.cuts[index] > start:
                yield start, self.cuts[index]
            start = self.cuts[index]
            index += 1
        if start < end:
            yield start, end


def text_of(segments: Iterable[tuple[bytes, int, int]], place: int) -> Text:
    """A text of segments given as (bytes, start, end in the file); `place` is where an empty text stands."""
    data: list[bytes] = []
    cuts: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    length = 0
    for piece, start, end in segments:
        if piece:
            data.append(piece)
            cuts.append(length)
            starts.append(start)
            ends.append(end)
            length += len(piece)
    if not cuts:
        return Text(b"", (0,), (place,), (place,))
    return Text(b"".join(data), tuple(cuts), tuple(starts), tuple(ends))


def plain(source: bytes, span: Span) -> Text:
    """The bytes of a file as they are; CRLF becomes LF."""
    data = source[span.start : span.end]
    if b"\r\n" not in data:
        return Text(data, (0,), (span.start,), (span.end,))
    return text_of(_without(source, span, re.compile(rb"\r(?=\n)")), span.start)


def heredoc_text(source: bytes, span: Span, expand: bool) -> Text:
    """What a command gets from a heredoc: where it is not quoted, `\\$` is `$`, and `\\` at a line's end is gone."""
    if not expand or b"\\" not in source[span.start : span.end]:
        return plain(source, span)
    return text_of(_without(source, span, re.compile(rb"\\\r?\n|\\(?=[$`\\])|\r(?=\n)")), span.start)


# A continuation and the comment and blank lines after it. Not one: the escape character twice.
_CONTINUATION = {
    escape: regex(
        rb"(?<!%s)%s[ \t]*\r*\n(?:[ \t\v\f]*(?:#[^\n]*)?\r*\n)*" % ((re.escape(escape.encode()),) * 2)
    )
    for escape in ("\\", "`")
}


def joined(source: bytes, span: Span, escape: str) -> Text:
    """An instruction's text as BuildKit joins its lines; `span` is `Instruction.body`."""
    if source.find(b"\n", span.start, span.end) < 0:
        return Text(source[span.start : span.end], (0,), (span.start,), (span.end,))
    return text_of(_without(source, span, _CONTINUATION[escape]), span.start)


def _without(source: bytes, span: Span, pattern: re.Pattern[bytes]) -> Iterator[tuple[bytes, int, int]]:
    at = span.start
    for match in pattern.finditer(source, span.start, span.end):
        yield source[at : match.start()], at, match.start()
        at = match.end()
    yield source[at : span.end], at, span.end


_JSON_PIECE = regex(r'[^"\\]+|\\u[0-9a-fA-F]{4}|\\.')


def json_string(verbatim: str, start: int) -> Text | None:
    """The value of a JSON string that stands, with its quotes, at `start`; None when it is none."""
    if len(verbatim) < 2 or verbatim[0] != '"' or verbatim[-1] != '"':
        return None
    segments = []
    at = start + 1
    for match in _JSON_PIECE.finditer(verbatim, 1, len(verbatim) - 1):
        piece = match[0]
        end = at + len(encode(piece))
        if piece[0] == "\\":
            try:
                import json  # few JSON strings have an escape

                value = encode(json.loads(f'"{piece}"'))
            except (ValueError, UnicodeEncodeError):
                return None
            if not value.isascii():  # may be half a pair; not worth a map
                return None
        else:
            value = encode(piece)
        segments.append((value, at, end))
        at = end
    return text_of(segments, start + 1)


# What a scan for heredocs must step over, line ends, and the marker itself.
_TOKEN = regex(
    rb"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|(?<![^\s;|&(){}])#[^\n]*|<<<|\(\([^\n()]*\)\)|(?P<end>\n)"
    rb"|<<(?P<tabs>-?)[ \t]*(?P<quote>['\"\\]?)(?P<name>[A-Za-z_][\w.-]*)(?P=quote)?",
    re.DOTALL,
)


class Body(Struct, frozen=True, gc=False):
    """A heredoc of a script: the offset of its `<<` in the text, its content, whether variables in it count."""

    at: int
    start: int
    end: int
    expand: bool


# `# a remark`, which the grammar takes for a comment up to the end of the line.
_REMARK = regex(rb"`[ \t]*#[^`\n]*`")


def readable(data: bytes) -> tuple[bytes, dict[int, Body]]:
    """The text as the grammar can read it, as long as before, and its heredocs by the offset of their `<<`."""
    data, bodies = without_heredocs(data)
    if b"`" in data and b"#" in data:
        data = _REMARK.sub(lambda match: b" " * len(match[0]), data)
    return data, bodies


def without_heredocs(data: bytes) -> tuple[bytes, dict[int, Body]]:
    """The text with each `<<NAME` turned into `< NAME` and each heredoc's lines blanked, as long as before, so
    that the grammar need not know heredocs; and the heredocs by the offset of their `<<`."""
    if b"<<" not in data:
        return data, {}
    bodies: dict[int, Body] = {}
    pieces: list[bytes] = []
    waiting: list[re.Match[bytes]] = []
    lines = _lines(data)
    done = position = 0
    while match := _TOKEN.search(data, position):
        position = match.end()
        if match["name"]:
            waiting.append(match)
        elif match["end"] and waiting:
            start = position
            for marker in waiting:
                close = _closing(lines.get(marker["name"], ()), position, marker)
                if close is None:
                    continue
                at = marker.start()
                bodies[at] = Body(at, position, close.start, not marker["quote"])
                pieces += (data[done:at], b"< " if not marker["tabs"] else b"<  ")
                done = at + 2 + len(marker["tabs"])
                position = min(close.end + 1, len(data))
            waiting = []
            pieces += (data[done:start], b" " * (position - start))
            done = position
            if data[position - 1 : position] == b"\n" and position > start:
                pieces[-1] = pieces[-1][:-1] + b"\n"
    pieces.append(data[done:])
    return b"".join(pieces), bodies


def _lines(data: bytes) -> dict[bytes, list[Span]]:
    """Every line by what it holds behind its tabs; the spans are those of the whole lines."""
    found: dict[bytes, list[Span]] = {}
    at = 0
    for line in data.split(b"\n"):
        found.setdefault(line.lstrip(b"\t"), []).append(Span(at, at + len(line)))
        at += len(line) + 1
    return found


def _closing(lines: Iterable[Span], position: int, marker: re.Match[bytes]) -> Span | None:
    """The first of the lines that ends a heredoc whose content begins at `position`."""
    exact = None if marker["tabs"] else len(marker["name"])
    return next((one for one in lines if one.start >= position and exact in (None, len(one))), None)
