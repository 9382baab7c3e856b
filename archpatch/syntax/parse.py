"""The parser: logical lines to a tree. It never fails; what BuildKit would reject stands in `problems`.

Source: moby/buildkit frontend/dockerfile/parser and instructions/parse.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from archpatch.syntax.checks import check_file, check_instruction, check_words
from archpatch.syntax.fields import (
    declarations,
    fields,
    flags,
    is_list_of_others,
    json_strings,
    old_declaration,
    strip,
)
from archpatch.syntax.scan import LogicalLine, Scanner
from archpatch.syntax.tree import (
    Arg,
    Copy,
    Declaration,
    Document,
    Env,
    Flag,
    From,
    Heredoc,
    Instruction,
    Mount,
    PieceKind,
    Problem,
    Run,
    Stage,
    Word,
)
from archpatch.syntax.words import BadWord, split_parts, unquote, word_ranges
from archpatch.text import Span, decode, encode, regex

_KEYWORD = regex(rb"[^\t\v\f\r ]+")
_SPECIAL = regex(rb"[$'\"\\`]")  # without these no word can be wrong
_HEREDOC = regex(r"(\d*)<<(-?)([^<]+)\Z", re.ASCII)
_PAIRS = frozenset({"ARG", "ENV", "LABEL"})
_MAYBE_JSON = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK", "ADD", "COPY", "VOLUME"})
_FIELDS = frozenset({"FROM", "ADD", "COPY", "EXPOSE", "VOLUME"})
_WITH_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})
_BINARY_HEAD = 8000  # bytes in which a NUL says that a file is no text, as git has it


def parse(source: bytes, path: Path = Path("Dockerfile")) -> Document:
    """The tree of a Dockerfile; always one, and its pieces joined are `source`."""
    if b"\0" in source[:_BINARY_HEAD]:
        return _binary(source, path)
    scanner = Scanner(source)
    globals_: list[Instruction] = []
    heads: list[From] = []
    bodies: list[list[Instruction]] = []
    problems = scanner.problems
    while line := scanner.line():
        node = _instruction(line, scanner)
        if isinstance(node, From) and not node.onbuild:
            heads.append(node)
            bodies.append([])
        else:
            (bodies[-1] if bodies else globals_).append(node)
        problems += check_instruction(node, bool(heads))
        if _SPECIAL.search(line.text):
            problems += check_words(node, scanner.escape)
    problems += check_file(source, bool(globals_ or heads), bool(heads))
    first_end = source.find(b"\n")
    return Document(
        source=source,
        path=path,
        newline=b"\r\n" if first_end > 0 and source[first_end - 1] == 0x0D else b"\n",
        escape=scanner.escape,
        layout=tuple(scanner.layout),
        directives=tuple(scanner.directives),
        comments=tuple(scanner.comments),
        globals=tuple(globals_),
        stages=tuple(
            Stage(i, head, tuple(body)) for i, (head, body) in enumerate(zip(heads, bodies, strict=True))
        ),
        problems=tuple(sorted(problems, key=lambda problem: problem.span)),
    )


def _binary(source: bytes, path: Path) -> Document:
    problem = Problem(Span(0, 0), "not a text file (it holds NUL bytes)")
    return Document(source, path, b"\n", "\\", ((PieceKind.CODE, len(source)),), (), (), (), (), (problem,))


# The fields of Instruction in their order.
_Base = tuple[
    Span,
    str,
    Span,
    tuple[Flag, ...],
    Span,
    tuple[Word, ...],
    bool,
    tuple[Heredoc, ...],
    tuple[Span, ...],
    bool,
]


class _Head(Struct, frozen=True):
    """Keyword and flags of a line, and the range of its text that holds the arguments."""

    keyword: str
    keyword_span: Span
    flags: tuple[Flag, ...]
    mounts: tuple[Mount, ...]
    start: int
    end: int


def _read_head(line: LogicalLine, start: int, end: int) -> _Head:
    match = _KEYWORD.match(line.text, start, end)
    stop = match.end() if match else start
    at, _ = strip(line, stop, end)
    found, mounts, at = flags(line, at, end)
    at, _ = strip(line, at, end)
    keyword = decode(line.text[start:stop]).upper()
    return _Head(keyword, line.span(start, stop), found, mounts, at, end)


def _instruction(line: LogicalLine, scanner: Scanner) -> Instruction:
    """The instruction of a logical line; reads the bodies of its heredocs."""
    start, end = strip(line, 0, len(line.text))
    head = _read_head(line, start, end)
    onbuild = head.keyword == "ONBUILD" and head.start < end
    if onbuild:
        scanner.problems += (Problem(flag.span, f"unknown flag: --{flag.name}") for flag in head.flags)
        head = _read_head(line, head.start, end)
    body = line.span(head.start, head.end)
    pairs = _pairs(head, line, scanner.escape) if head.keyword in _PAIRS else []
    words, json = (tuple(word for word, _ in pairs), False) if pairs else _words(head, line, scanner.problems)
    heredocs: tuple[Heredoc, ...] = ()
    if head.keyword in _WITH_HEREDOCS and not json and b"<<" in line.text:
        heredocs = tuple(_heredocs(line, scanner))
    span = Span(line.place(start), heredocs[-1].closing.end if heredocs else line.end)
    base: _Base = (
        span,
        head.keyword,
        head.keyword_span,
        head.flags,
        body,
        words,
        json,
        heredocs,
        line.comments,
        onbuild,
    )
    return _node(base, head.mounts, pairs)


def _node(base: _Base, mounts: tuple[Mount, ...], pairs: list[tuple[Word, Declaration]]) -> Instruction:
    """The fields that all instructions share, as the class of the keyword."""
    words = base[5]
    match base[1]:
        case "FROM" if words:
            named = len(words) > 2 and words[1].value.lower() == "as"
            return From(*base, image=words[0], name=words[2] if named else None)
        case "RUN":
            return Run(*base, mounts=mounts)
        case "COPY" | "ADD":
            return Copy(*base, sources=words[:-1], destination=words[-1] if words else None)
        case "ARG":
            return Arg(*base, declarations=tuple(declaration for _, declaration in pairs))
        case "ENV" | "LABEL":
            return Env(*base, declarations=tuple(declaration for _, declaration in pairs))
    return Instruction(*base)


def _words(head: _Head, line: LogicalLine, problems: list[Problem]) -> tuple[tuple[Word, ...], bool]:
    """The words of any instruction but those of pairs, and whether they are a JSON list."""
    start, end = head.start, head.end
    if start >= end:
        return (), False
    first: tuple[Word, ...] = ()
    if head.keyword == "HEALTHCHECK":
        match = _KEYWORD.match(line.text, start, end)
        stop = match.end() if match else start
        first = (line.word(start, stop),)
        start = strip(line, stop, end)[0]
    if head.keyword in _MAYBE_JSON:
        strings = json_strings(line, start, end)
        if strings is not None:
            return first + strings, True
        if is_list_of_others(line, start, end):
            problems.append(Problem(line.span(start, end), "a JSON list may hold strings only"))
    if head.keyword in _FIELDS:
        return fields(line, start, end), False
    return first + ((line.word(start, end),) if start < end else ()), False


def _pairs(head: _Head, line: LogicalLine, escape: str) -> list[tuple[Word, Declaration]]:
    """The declarations of ARG, ENV and LABEL, each with the word it was read from."""
    found = list(declarations(line, head.start, head.end, escape))
    if found and head.keyword != "ARG" and "=" not in found[0][0].value:
        return old_declaration(line, head.start, head.end)
    return found


def _heredocs(line: LogicalLine, scanner: Scanner) -> Iterator[Heredoc]:
    """The heredocs that a line announces; their bodies are read off the scanner in that order."""
    text = decode(line.text)
    try:
        parts = split_parts(text)
    except BadWord:
        return  # BuildKit then sees no heredoc at all
    for first, last in word_ranges(parts):
        match = _HEREDOC.match(text, first, last)
        name = unquote(match[3]) if match else ""
        if not match or not name:
            continue
        start = first if text.isascii() else len(encode(text[:first]))
        marker = line.span(start, start + len(encode(match[0])))
        chomp = match[2] == "-"
        start = scanner.at
        found = scanner.heredoc(encode(name), chomp)
        if not found:
            scanner.problems.append(Problem(marker, f"the heredoc {name} is not closed"))
            found = Span(start, scanner.at), Span(scanner.at, scanner.at)
        # ten digits are more than any file descriptor has
        yield Heredoc(marker, *found, name, int(match[1][:9] or 0), name == match[3], chomp)
