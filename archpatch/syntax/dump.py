"""The tree of a file as text and as data, for people who write rules.

`extra` adds to an instruction what this floor does not know, such as the shell tree of a RUN.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from archpatch.syntax.lines import line_ends, line_number
from archpatch.syntax.tree import Arg, Copy, Document, Env, Flag, From, Heredoc, Instruction, Mount, Run, Word
from archpatch.text import Span, decode

Data = dict[str, Any]
Extra = Callable[[Instruction], Data]


def as_data(document: Document, *, pieces: bool = False, extra: Extra | None = None) -> Data:
    """The tree as lists and dicts that JSON can hold.

    Offsets are bytes of the file, half-open; lines count from 1. A text that is not UTF-8 stands under its key
    with `_base64` added. `extra` returns keys to add to an instruction.
    """
    writer = _Writer(document, extra)
    data: Data = {
        "path": str(document.path),
        "bytes": len(document.source),
        "newline": document.newline.decode(),
        "escape": document.escape,
        "directives": [
            {"name": directive.name, **_text("value", directive.value), **writer.place(directive.span)}
            for directive in document.directives
        ],
        "globals": [writer.instruction(node) for node in document.globals],
        "stages": [
            {
                "index": stage.index,
                "name": stage.name,
                "instructions": [writer.instruction(node) for node in stage.instructions],
            }
            for stage in document.stages
        ],
        "comments": [writer.source(span) for span in document.comments],
        "problems": [
            {"message": problem.message, **writer.place(problem.span)} for problem in document.problems
        ],
    }
    if pieces:
        data["pieces"] = [
            {"kind": piece.kind.value, **writer.source(piece.span)} for piece in document.pieces
        ]
    return data


def as_text(document: Document, *, pieces: bool = False, extra: Extra | None = None) -> str:
    """The tree as indented lines, one node each: what it is, its lines, its bytes, its text.

    Texts of the file are quoted, and nothing in them reaches a terminal raw.
    """
    data = as_data(document, pieces=pieces, extra=extra)
    lines = [f"document {data['path']!r} {data['bytes']} bytes, escape {data['escape']!r}"]
    for key in ("directives", "globals", "stages", "comments", "pieces", "problems"):
        for item in data.get(key, ()):
            lines += _lines(_SINGULAR[key], item, "  ")
    return "\n".join(lines) + "\n"


_SINGULAR = {
    "directives": "directive",
    "globals": "instruction",
    "stages": "stage",
    "instructions": "instruction",
    "comments": "comment",
    "pieces": "piece",
    "problems": "problem",
    "flags": "flag",
    "mounts": "mount",
    "options": "option",
    "words": "word",
    "declarations": "declaration",
    "sources": "source",
    "heredocs": "heredoc",
}


class _Writer:
    """Turns nodes of one document into data."""

    def __init__(self, document: Document, extra: Extra | None) -> None:
        self._source = document.source
        self._extra = extra
        self._ends = line_ends(document.source)

    def instruction(self, node: Instruction) -> Data:
        """An instruction with all its parts."""
        data: Data = {
            **_text("keyword", node.keyword),
            **self.place(node.span),
            "onbuild": node.onbuild,
            "json": node.json,
        }
        data["body"] = self.place(node.body)
        data["flags"] = [self._flag(flag) for flag in node.flags]
        data["words"] = [self.word(word) for word in node.words]
        data["heredocs"] = [self._heredoc(heredoc) for heredoc in node.heredocs]
        data["comments"] = [self.source(span) for span in node.comments]
        match node:
            case From():
                data |= {"image": self.word(node.image), "name": self._optional(node.name)}
            case Run():
                data["mounts"] = [self._mount(mount) for mount in node.mounts]
            case Copy():
                data["sources"] = [self.word(word) for word in node.sources]
                data["destination"] = self._optional(node.destination)
            case Arg() | Env():
                data["declarations"] = [
                    {
                        **self.place(item.span),
                        "name": self.word(item.name),
                        "value": self._optional(item.value),
                    }
                    for item in node.declarations
                ]
        return data | (self._extra(node) if self._extra else {})

    def place(self, span: Span) -> Data:
        """Offsets and lines of a span."""
        return {
            "start": span.start,
            "end": span.end,
            "lines": [self._line(span.start), self._line(max(span.start, span.end - 1))],
        }

    def source(self, span: Span) -> Data:
        """A span and the bytes there."""
        return {**self.place(span), **_text("text", decode(span.of(self._source)))}

    def word(self, word: Word) -> Data:
        """A word; `verbatim` only where it is not the value."""
        data = {**self.place(word.span), **_text("value", word.value)}
        return data if word.value == word.verbatim else data | _text("verbatim", word.verbatim)

    def _optional(self, word: Word | None) -> Data | None:
        return self.word(word) if word else None

    def _flag(self, flag: Flag) -> Data:
        return {**self.place(flag.span), **_text("name", flag.name), "value": self._optional(flag.value)}

    def _mount(self, mount: Mount) -> Data:
        options = [{**_text("key", key), "value": self.word(value)} for key, value in mount.options]
        return {**self.place(mount.span), "type": mount.type, "options": options}

    def _heredoc(self, heredoc: Heredoc) -> Data:
        return {
            **_text("name", heredoc.name),
            "fd": heredoc.fd,
            "expand": heredoc.expand,
            "chomp": heredoc.chomp,
            "marker": self.place(heredoc.marker),
            "content": self.source(heredoc.content),
            "closing": self.place(heredoc.closing),
        }

    def _line(self, offset: int) -> int:
        return line_number(self._ends, offset)


def _text(key: str, text: str) -> Data:
    """A text under its key, or its bytes in base64 where they are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return {f"{key}_base64": base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()}
    return {key: text}


def _lines(label: str, data: Data, indent: str) -> Iterator[str]:
    """A node, its scalars on one line, its parts below it."""
    named = data.get("keyword", label)
    yield " ".join([indent + (named if named.isprintable() else repr(named)), *_where(data), *_scalars(data)])
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _lines(key, value, indent + "  ")
        elif isinstance(value, list) and key != "lines":
            for item in value:
                yield from _lines(_SINGULAR.get(key, key), item, indent + "  ")


def _where(data: Data) -> Iterator[str]:
    """Lines, then bytes: `12-14 @350..412`."""
    if "lines" in data:
        first, last = data["lines"]
        yield f"{first}-{last}" if last > first else f"{first}"
        yield f"@{data['start']}..{data['end']}"


def _scalars(data: Data) -> Iterator[str]:
    """What else is to be said in the line; what is not so goes without saying."""
    for key, value in data.items():
        if (
            key in ("start", "end", "keyword")
            or isinstance(value, dict | list)
            or value is None
            or value is False
        ):
            continue
        if value is True:
            yield key
        elif key in ("value", "text", "message", "key"):
            yield repr(value)
        else:
            yield f"{key}={value!r}"
