"""Checksums that are written out in a Dockerfile, and which download they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archpatch.facts.origins import text_of, trace
from archpatch.platforms import AMD64
from archpatch.text import Span, decode

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command

_SUMS = re.compile(r"(?:md5|sha\d+|b[23])(?:sum|deep)?|shasum|openssl")
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})(?![0-9A-Za-z])",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Digest:
    """A checksum: the word that gives it, and its text."""

    span: Span
    text: str


def digests_of(facts: Facts, command: Command, url: str, output: str | None) -> tuple[Digest, ...]:
    """The literal checksums that the file of a fetching command is held against within its RUN.

    A checksum belongs to the download whose file is named beside it, else to the last download before it.
    """
    body = decode(command.run.span.of(facts.document.source))
    if not _SUMS.search(body) or not any(_SUMS.fullmatch(other.name) for other in command.script.commands):
        return ()
    start = command.shell.span.end
    names = {name for name in (output, (output or "").rsplit("/", 1)[-1], url.rsplit("/", 1)[-1]) if name}
    mine = []
    for place, text, digest in _written(facts, command):
        if any(name in text for name in names) or start <= place < _next_fetch(command, start):
            mine.append(digest)
    return tuple(dict.fromkeys(mine))


def _next_fetch(command: Command, start: int) -> int:
    later = [
        other.span.start
        for other in command.script.commands
        if other.span.start > start and other.name in ("curl", "wget", "aria2c")
    ]
    return min(later, default=command.run.span.end)


def _written(facts: Facts, command: Command) -> Iterator[tuple[int, str, Digest]]:
    """Every checksum among the arguments of a script: where it is used, the text around it, itself."""
    for other in command.script.commands:
        words = [*other.words, *(redirect.target for redirect in other.redirects if redirect.target)]
        for word in words:
            if "://" in word.raw or (len(word.raw) < 32 and "$" not in word.raw):
                continue  # a hash in a URL names a commit
            pieces = trace(facts, replace(command, shell=other), word, AMD64)
            text = text_of(pieces)
            if "://" in text:
                continue
            for found in _HEX.finditer(text):
                yield word.span.start, text, Digest(word.span, found[0])
        for redirect in other.redirects:
            if redirect.body is not None:
                text = decode(redirect.body.of(facts.document.source))
                for found in _HEX.finditer(text):
                    yield redirect.body.start, text, Digest(redirect.body, found[0])
