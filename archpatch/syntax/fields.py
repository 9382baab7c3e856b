"""The parts of one logical line: flags, words, JSON strings, options of a mount.

All functions take a `LogicalLine` and a range of its text, and give words that know their place in the file.
Source: moby/buildkit frontend/dockerfile/parser/split_command.go and line_parsers.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.syntax.scan import BLANKS, LogicalLine, mask
from archpatch.syntax.tree import Declaration, Flag, Mount, Word
from archpatch.text import decode, regex

_GAP = regex(rb"[\t\v\f\r ]+")
_FIELD = regex(rb"[^\t\v\f\r ]+")
_FLAG = regex(
    rb"""(?:[^\s'"\\]++|\\(?s:.|\Z)|'(?:[^'\\]++|\\(?s:.|\Z))*+(?:'|\Z)|"(?:[^"\\]++|\\(?s:.|\Z))*+(?:"|\Z))++"""
)
_QUOTED = regex(
    rb"""\\(?s:(.)|\Z)|'((?:[^'\\]++|\\(?s:.|\Z))*+)(?:'|\Z)|"((?:[^"\\]++|\\(?s:.|\Z))*+)(?:"|\Z)"""
)
_ESCAPED = regex(rb"\\(?s:(.)|\Z)")
_WORDS = {
    escape: regex(
        rb"""(?:[^\s'"%s]++|%s(?s:.|\Z)|'[^']*+(?:'|\Z)|"(?:[^"%s]++|%s(?s:.|\Z))*+(?:"|\Z))++""".replace(
            b"%s", re.escape(escape.encode())
        )
    )
    for escape in "\\`"
}
_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_JSON_STRING = regex(_STRING)
_JSON_LIST = regex(
    rb"\[[ \t\r\n]*+(?:%s[ \t\r\n]*+(?:,[ \t\r\n]*+%s[ \t\r\n]*+)*+)?\]\Z" % (_STRING, _STRING)
)
_SURROGATE = regex("[\ud800-\udfff]")


def strip(line: LogicalLine, start: int, end: int) -> tuple[int, int]:
    """The range without blanks at both ends."""
    text = line.text
    if start < end and 0x20 < text[start] < 0x80 and 0x20 < text[end - 1] < 0x80:
        return start, end
    text = mask(text)
    while start < end and text[start] in BLANKS:
        start += 1
    while start < end and text[end - 1] in BLANKS:
        end -= 1
    return start, end


def fields(line: LogicalLine, start: int, end: int) -> tuple[Word, ...]:
    """Words between blanks, quotes or not."""
    return tuple(line.word(*match.span()) for match in _FIELD.finditer(line.text, start, end))


def declarations(line: LogicalLine, start: int, end: int, escape: str) -> Iterator[tuple[Word, Declaration]]:
    """Each `NAME` or `NAME=value` as a word and taken apart; quotes and escapes are heeded, and kept."""
    for match in _WORDS[escape].finditer(mask(line.text), start, end):
        first, last = match.span()
        text = line.text[first:last]
        if last == end and _ends_in_escape(text, escape.encode()):
            text = text[:-1]  # nothing follows that it could escape
        if not text:
            continue
        word = line.word(first, last, decode(text))
        name, equals, value = text.partition(b"=")
        at = first + len(name)
        yield (
            word,
            Declaration(
                word.span,
                line.word(first, at) if equals else word,
                line.word(at + 1, last, decode(value)) if equals else None,
            ),
        )


def old_declaration(line: LogicalLine, start: int, end: int) -> list[tuple[Word, Declaration]]:
    """`NAME value to the end`, the old form of ENV and LABEL; the value is None where none follows."""
    head = _FIELD.match(line.text, start, end)
    assert head, "there is a word"
    name = line.word(*head.span())
    gap = _GAP.match(line.text, head.end(), end)
    value = line.word(gap.end(), end) if gap else None
    return [(line.word(start, end), Declaration(line.span(start, end), name, value))]


def _ends_in_escape(text: bytes, escape: bytes) -> bool:
    """Whether the last character is an escape that escapes nothing."""
    if not text.endswith(escape):
        return False
    tokens = re.finditer(rb"'[^']*+(?:'|\Z)|(?s:%s(.|\Z))" % re.escape(escape), text)
    last = None
    quoted = False
    for last in tokens:
        quoted = last[0].startswith(b"'")
    return last is not None and not quoted and last.end() == len(text) and not last[1]


def flags(line: LogicalLine, start: int, end: int) -> tuple[tuple[Flag, ...], tuple[Mount, ...], int]:
    """The flags at the head of a range, the mounts among them, and where what follows begins."""
    if not line.text.startswith(b"--", start):
        return (), (), start
    found: list[Flag] = []
    mounts: list[Mount] = []
    at = start
    while line.text.startswith(b"--", at):
        match = _FLAG.match(line.text, at, end)
        assert match, "two dashes always match"
        first, at = match.span()
        while at < end and line.text[at] in BLANKS:
            at += 1
        head, equals, tail = match[0].partition(b"=")
        if head == b"--":
            break
        value = match.end() - len(tail)
        flag = Flag(
            line.span(first, match.end()),
            decode(flag_text(head))[2:],
            line.word(value, match.end(), decode(flag_text(tail))) if equals else None,
        )
        found.append(flag)
        if flag.name == "mount" and equals:
            mounts.append(Mount(flag.span, tuple(_options(line, value, match.end()))))
    return tuple(found), tuple(mounts), at


def flag_text(raw: bytes) -> bytes:
    """A flag as the parser reads it: quotes gone, a backslash (never a backquote) escapes."""
    if not (b"\\" in raw or b"'" in raw or b'"' in raw):
        return raw
    return _QUOTED.sub(lambda match: match[1] or _ESCAPED.sub(rb"\1", match[2] or match[3] or b""), raw)


def _options(line: LogicalLine, start: int, end: int) -> Iterator[tuple[str, Word]]:
    """The `key=value` pairs of a mount."""
    for raw in line.text[start:end].split(b","):
        name, _, value = raw.partition(b"=")
        stop = start + len(raw)
        if raw:
            word = line.word(stop - len(value), stop, decode(flag_text(value)))
            yield decode(flag_text(name)).lower(), word
        start = stop + 1


def json_strings(line: LogicalLine, start: int, end: int) -> tuple[Word, ...] | None:
    """The strings of a JSON list that fills the range; None if it is none, or not of strings only."""
    if line.text[start : start + 1] != b"[" or not _JSON_LIST.match(line.text, start, end):
        return None
    return tuple(
        line.word(*match.span(), _json_value(match[0]))
        for match in _JSON_STRING.finditer(line.text, start, end)
    )


def _json_value(raw: bytes) -> str:
    if b"\\" not in raw:
        return decode(raw[1:-1])
    import json  # few JSON strings have an escape

    value = json.loads(decode(raw))
    assert isinstance(value, str), "the pattern lets strings through only"
    return _SURROGATE.sub("\ufffd", value) if b"\\u" in raw else value


def is_list_of_others(line: LogicalLine, start: int, end: int) -> bool:
    """Whether the range is a JSON list that holds more than strings, which BuildKit rejects."""
    if line.text[start : start + 1] != b"[":
        return False
    import json  # an error of the file, rare

    try:
        # int() refuses NaN and Infinity, which Python's reader knows and JSON does not.
        return isinstance(json.loads(decode(line.text[start:end]), parse_constant=int), list)
    except (ValueError, RecursionError):
        return False
