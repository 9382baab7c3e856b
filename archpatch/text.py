"""Spans, edits and fixes: the vocabulary of change. Knows nothing of Dockerfiles.

All positions are byte offsets from the start of a file, half-open. Lines and columns are made by reports.
Values are frozen Structs: cheap to import and to make. `gc=False` where no cycle can lead through one.
"""

from __future__ import annotations

import enum
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, AnyStr, Generic, Self, TypeVar, cast

from msgspec import Struct
from msgspec.structs import force_setattr


def encode(text: str | bytes) -> bytes:
    """Text as bytes of a file; bytes that were no UTF-8 (surrogates) come back as they were."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Bytes of a file as text; a byte that is no UTF-8 becomes a lone surrogate and is never lost."""
    return data.decode("utf-8", "surrogateescape")


def holds(data: bytes, texts: Iterable[bytes], start: int = 0, end: int | None = None) -> bool:
    """Whether one of the texts stands in the bytes. `in` would take each for a number first, and fail: 2 µs a time."""
    return any(data.find(text, start, end) >= 0 for text in texts)


def read_up_to(descriptor: int, count: int, size: int) -> bytes:
    """The first `count` bytes of an open file, whose size the system says is `size`.

    Room for the largest file that may be read would cost more than the reading of most.
    """
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(min(size, count - 1) + 1)
        if len(data) > size:  # it grows, or the system does not know its size
            data += file.read(count - len(data))
        return data


def sha256(data: bytes) -> str:
    """The SHA-256 in hexadecimal digits."""
    return str(_sha256()(data).hexdigest())


@cache
def _sha256() -> Callable[[bytes], Any]:
    """Without OpenSSL where Python has it so: hashlib costs a start 4 ms."""
    for name in ("_sha2", "_sha256"):  # since 3.12, before; `random` does it so
        with suppress(ImportError):
            return cast("Callable[[bytes], Any]", import_module(name).sha256)
    return cast("Callable[[bytes], Any]", import_module("hashlib").sha256)


class _Lazy:
    """Stands for a pattern until it is used, then has the methods of the compiled one."""

    def __init__(self, written: str | bytes, flags: int) -> None:
        self._written = written
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self._written, self._flags)
        self.__dict__ |= {method: getattr(compiled, method) for method in _METHODS}
        return getattr(compiled, name)


_METHODS = ("match", "fullmatch", "search", "finditer", "findall", "split", "sub", "subn", "pattern", "flags")


def regex(written: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """A pattern that is compiled when it is first used. A check of one file uses few of some 150, and compiling all
    of them would be a third of its time."""
    return cast("re.Pattern[AnyStr]", _Lazy(written, flags))


class Span(Struct, frozen=True, gc=False, order=True):
    """A half-open range of bytes, `start <= end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end

    def of(self, source: bytes) -> bytes:
        """The bytes of `source` in this range."""
        return source[self.start : self.end]

    def meets(self, other: Span) -> bool:
        """Whether two ranges share a byte, or an empty one lies within or at the edge of the other."""
        if not len(self) or not len(other):
            return self.start <= other.end and other.start <= self.end
        return self.start < other.end and other.start < self.end

    def cover(self, other: Span) -> Span:
        """The smallest span that holds both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


Thing = TypeVar("Thing")


class Nest(Generic[Thing]):
    """Things by their spans, to be asked which of them hold a place: one search and the way out, not a look at each."""

    def __init__(self, things: Iterable[tuple[Span, Thing]]) -> None:
        # Of those with one span the first is the innermost.
        self._things = [*things][::-1]
        self._things.sort(key=lambda one: (one[0].start, -one[0].end))
        self._starts = [span.start for span, _ in self._things]
        self._outer: list[int] = []
        around: list[int] = []
        for at, (span, _) in enumerate(self._things):
            while around and self._things[around[-1]][0].end < span.start:
                around.pop()
            self._outer.append(around[-1] if around else -1)
            around.append(at)

    def holding(self, place: Span) -> Iterator[Thing]:
        """Those whose span holds `place`, the innermost first."""
        at = bisect_right(self._starts, place.start) - 1
        while at >= 0:
            span, thing = self._things[at]
            if place in span:
                yield thing
            at = self._outer[at]

    def within(self, place: Span) -> Iterator[Thing]:
        """Those whose span lies in `place`, in order."""
        first, last = bisect_left(self._starts, place.start), bisect_right(self._starts, place.end)
        return (thing for span, thing in self._things[first:last] if span in place)


class Applicability(enum.IntEnum):
    """How far a fix may be trusted (docs/how-it-works.md, "Trust"); ordered, so `>=` asks for a level."""

    MANUAL = 0
    UNSAFE = 1
    SAFE = 2

    def __str__(self) -> str:
        return self.name.lower()


class Edit(Struct, frozen=True, gc=False):
    """Put `text` where `span` is. An empty span inserts, an empty text deletes.

    `path` None is always the Dockerfile; else it names another file of the build context (a .csproj, a setup.py).
    `declares`: what the text makes visible from there on. Of two places for the same, one is enough: such edits do not
    go in together.
    """

    span: Span
    text: bytes
    path: Path | None = None
    declares: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.span) and not self.text:
            raise ValueError("an edit that changes nothing")

    @classmethod
    def replace(cls, span: Span, text: str | bytes, path: Path | None = None) -> Self:
        """Put `text` in place of `span`."""
        return cls(span, encode(text), path)

    @classmethod
    def insert(
        cls, at: int, text: str | bytes, path: Path | None = None, declares: tuple[str, ...] = ()
    ) -> Self:
        """Put `text` before the byte at offset `at`."""
        return cls(Span(at, at), encode(text), path, declares)

    @classmethod
    def delete(cls, span: Span, path: Path | None = None) -> Self:
        """Take the bytes of `span` away."""
        return cls(span, b"", path)

    @property
    def order(self) -> tuple[str, Span, bytes]:
        """Place in the files: the only order that fixes have."""
        return (str(self.path or ""), self.span, self.text)

    def clashes(self, other: Edit) -> bool:
        """Whether both cannot be applied to one text. Equal edits do not clash: they count once."""
        return self != other and self.path == other.path and self.span.meets(other.span)


class Fix(Struct, frozen=True, gc=False):
    """Edits that go in together or not at all. `title` says what they do, as an order ("Drop the flag")."""

    title: str
    edits: tuple[Edit, ...]
    applicability: Applicability

    def __post_init__(self) -> None:
        edits = tuple(sorted(dict.fromkeys(self.edits), key=lambda edit: edit.order))
        if not edits and self.applicability is not Applicability.MANUAL:
            raise ValueError(f"a fix without edits can only be manual: {self.title}")
        if not agree(edits):
            raise ValueError(f"edits of one fix clash: {self.title}")
        force_setattr(self, "edits", edits)

    def clashes(self, other: Fix) -> bool:
        """Whether the two cannot be applied to one text."""
        return any(one.clashes(two) for one in self.edits for two in other.edits)


def agree(edits: Iterable[Edit]) -> bool:
    """Whether all edits can be applied to one text."""
    ordered = sorted(dict.fromkeys(edits), key=lambda edit: edit.order)
    return not any(one.clashes(two) for one, two in pairwise(ordered))


def apply(source: bytes, edits: Iterable[Edit]) -> bytes:
    """`source` with all `edits` (of one file) made; equal ones count once.

    Raises ValueError when two clash or one lies outside `source`.
    """
    pieces: list[bytes] = []
    position = 0
    for edit in _ordered(edits):
        if edit.span.start < position or edit.span.end > len(source):
            raise ValueError(f"edit at {edit.span.start}..{edit.span.end} clashes or lies outside the text")
        pieces += (source[position : edit.span.start], edit.text)
        position = edit.span.end
    pieces.append(source[position:])
    return b"".join(pieces)


def moved(edits: Iterable[Edit]) -> Iterator[tuple[Edit, Span]]:
    """Each edit of one file with the span of its text in the result of `apply`."""
    shift = 0
    for edit in _ordered(edits):
        start = edit.span.start + shift
        yield edit, Span(start, start + len(edit.text))
        shift += len(edit.text) - len(edit.span)


def _ordered(edits: Iterable[Edit]) -> list[Edit]:
    return sorted(dict.fromkeys(edits), key=lambda edit: edit.order)
