"""Short ways to the tree of a text, for tests."""

from __future__ import annotations

from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document, Instruction
from archpatch.text import Span


def read(text: str | bytes) -> Document:
    """The tree, after the law that holds for all: its pieces are the source."""
    source = text.encode() if isinstance(text, str) else text
    document = parse(source)
    assert b"".join(piece.span.of(source) for piece in document.pieces) == source
    return document


def only(text: str | bytes) -> Instruction:
    """The one instruction after `FROM scratch`."""
    prefix = b"FROM scratch\n"
    document = read(prefix + (text.encode() if isinstance(text, str) else text))
    (node,) = document.stages[0].body
    return node


def said(document: Document, *spans: Span) -> list[str]:
    return [span.of(document.source).decode() for span in spans]


def kinds(text: str) -> list[tuple[str, str]]:
    document = read(text)
    return [(piece.kind.value, piece.span.of(document.source).decode()) for piece in document.pieces]


def messages(text: str | bytes) -> list[str]:
    return [problem.message for problem in read(text).problems]
