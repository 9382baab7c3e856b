"""Suppression comments for what is found, above the instructions it is found in.

Instructions stand below the directives, so a comment above one switches none of them off. A comment is no part of
a build; that the instructions are the same with it is looked at all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from archpatch.report.model import Entry, FileResult
from archpatch.suppress import NOTICES
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document, Instruction
from archpatch.text import Edit, apply

_OWN = frozenset(notice.code for notice in NOTICES)  # about comments; a comment does not help


class NotOneLine(Exception):
    """A reason that no comment can hold; str() is one line."""


class Ignored(Struct, frozen=True):
    """A file with `count` suppressions more. `left`: findings that no suppression above an instruction covers."""

    path: Path
    before: bytes
    after: bytes
    count: int
    left: tuple[Entry, ...]


def with_ignores(file: FileResult, entries: Sequence[Entry], reason: str) -> Ignored:
    """The text of a file with a comment above each instruction that one of `entries` stands in.

    Raises NotOneLine for a reason that is empty or holds more than printable text.
    """
    if not reason.strip() or not reason.isprintable():
        raise NotOneLine("the reason must be one line of text")
    document = parse(file.source, file.path)
    codes: dict[Instruction, set[str]] = {}
    left: list[Entry] = []
    for entry in entries:
        place = _instruction(document, entry) if entry.path == file.path else None
        if place is None or entry.finding.code in _OWN or document.problems:
            left.append(entry)
        else:
            codes.setdefault(place, set()).add(entry.finding.code)
    edits = [_comment(document, place, sorted(found), reason.strip()) for place, found in codes.items()]
    after = apply(file.source, edits)
    if _texts(parse(after, file.path)) != _texts(document):
        return Ignored(file.path, file.source, file.source, 0, tuple(entries))
    return Ignored(file.path, file.source, after, len(edits), tuple(left))


def _instruction(document: Document, entry: Entry) -> Instruction | None:
    at = entry.finding.span.start
    inside = (one for one in document.instructions if one.span.start <= at <= one.span.end)
    return next(inside, None)


def _comment(document: Document, place: Instruction, codes: Sequence[str], reason: str) -> Edit:
    at = place.span.start
    start = document.line_start(at)
    blank = document.source[start:at]
    indent = blank if not blank.strip() else b""
    text = f"# archpatch: ignore[{','.join(codes)}] {reason}".encode()
    return Edit.insert(start, indent + text + document.newline)


def _texts(document: Document) -> list[bytes]:
    spans = [one.span for one in document.directives] + [one.span for one in document.instructions]
    return [span.of(document.source) for span in spans]
