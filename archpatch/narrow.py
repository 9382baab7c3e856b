"""Which findings are asked for: those that a baseline does not know, those on lines that were changed.

A baseline is a list of fingerprints. It names no lines, so lines may move.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from archpatch import __version__
from archpatch.discover import Unreadable, read
from archpatch.git import Commit
from archpatch.report.diff import blocks, lines
from archpatch.report.json import dump
from archpatch.report.model import Entry, FileResult, Result, repository_path
from archpatch.text import decode

VERSION = 1
_MAX_SIZE = 64 << 20  # bytes; a row has some 200


class BadBaseline(Exception):
    """A file that is no baseline; str() is one line that names it."""


class Known(Struct, frozen=True, order=True):
    """A row of a baseline. `path` is the Dockerfile that was looked at, from the repository's root on."""

    path: str
    code: str
    fingerprint: str


class Scope(Struct, frozen=True):
    """What is asked for. `known` None, `base` None: everything."""

    known: frozenset[Known] | None = None
    base: Commit | None = None

    def holds(self, file: FileResult, entry: Entry) -> bool:
        """Whether a finding is asked for. Raises GitError."""
        if self.known is not None and row(file, entry) in self.known:
            return False
        return self.base is None or _is_changed(self.base, file, entry)


def row(file: FileResult, entry: Entry) -> Known:
    """The row of a finding."""
    return Known(shown_path(file.path), entry.finding.code, entry.fingerprint)


def shown_path(path: Path) -> str:
    """A path as a baseline holds it: text that JSON can carry."""
    return repository_path(path).encode("utf-8", "backslashreplace").decode()


def write(result: Result) -> bytes:
    """The baseline of a run: all that is found and not suppressed, sorted, one row a line."""
    rows = sorted({row(file, entry) for file, entry in result.entries})
    told = [f"    {_dumped(one)}" for one in rows]
    body = "[\n" + ",\n".join(told) + "\n  ]" if told else "[]"
    return (f'{{\n  "version": {VERSION},\n  "tool": "{__version__}",\n  "findings": {body}\n}}\n').encode()


def _dumped(known: Known) -> str:
    return decode(dump({"path": known.path, "code": known.code, "fingerprint": known.fingerprint})).strip()


def load(path: Path) -> frozenset[Known]:
    """Read a baseline. Raises BadBaseline."""
    try:
        table = json.loads(read(path, _MAX_SIZE))
    except (Unreadable, ValueError, RecursionError) as error:
        told = str(error) if isinstance(error, Unreadable) else f"is not JSON: {error}"
        raise BadBaseline(f"{path}: {told}") from error
    if not isinstance(table, dict) or table.get("version") != VERSION:
        raise BadBaseline(f"{path}: is no baseline of version {VERSION}; `archpatch baseline` writes one")
    rows = table.get("findings")
    if not isinstance(rows, list):
        raise BadBaseline(f"{path}: has no list of findings")
    try:
        return frozenset(_read(one) for one in rows)
    except (KeyError, TypeError) as error:
        raise BadBaseline(f"{path}: a finding needs path, code and fingerprint") from error


def _read(one: dict[str, object]) -> Known:
    values = one["path"], one["code"], one["fingerprint"]
    if not all(isinstance(value, str) for value in values):
        raise TypeError
    return Known(*map(str, values))


def mended(known: frozenset[Known], files: Sequence[FileResult]) -> tuple[Known, ...]:
    """The rows of files that were looked at without trouble, whose findings are gone."""
    whole = {shown_path(file.path) for file in files if not file.errors and not file.unknown}
    found = {row(file, entry) for file in files for entry in (*file.entries, *file.outside, *file.suppressed)}
    return tuple(sorted(one for one in known - found if one.path in whole))


def _is_changed(base: Commit, file: FileResult, entry: Entry) -> bool:
    text = file.lines(entry.path)
    span = entry.finding.span
    first, last = text.number(span.start), text.last(span)
    return any(
        start <= last and first < end for start, end in _changed(base, entry.path, file.text(entry.path))
    )


@cache
def _changed(base: Commit, path: Path, now: bytes) -> tuple[tuple[int, int], ...]:
    """The lines [first, end) from 1 that differ from the commit's; where lines only went, those around."""
    before = base.text(path)
    if before is None:
        return ((1, len(lines(now)) + 2),)
    changed = []
    for block in blocks(lines(before), lines(now)):
        gone = block.new_start == block.new_end
        changed.append((block.new_start + (not gone), block.new_end + 1 + gone))
    return tuple(changed)
