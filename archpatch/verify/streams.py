"""Bytes that are read once and in order, and the parts of them that are looked into: layers, archives, members.

Nothing is unpacked. A part of a plain file is read where it stands; of a stream, what stands before the furthest byte
that was asked for is spooled, up to a limit.
"""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from typing import IO

BLOCK = 512
"""Bytes; the members of a tar begin at multiples of it."""
_CHUNK = 1 << 18
_WINDOW = 1 << 13  # holds the headers of several small files
_SPOOL_MEMORY = 1 << 22  # a candidate's bytes above this go to a temporary file
_SPOOL_LIMIT = 1 << 31
_CUT = "the tar ends inside a file"


class Unreadable(Exception):
    """What could not be looked at, and why; never the same as "nothing wrong there"."""


class Body(ABC):
    """The bytes of one member as a seekable file."""

    __slots__ = ("place", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.place = 0

    @abstractmethod
    def head(self, size: int) -> bytes:
        """The first bytes; asking for them again costs nothing."""

    @abstractmethod
    def leave(self) -> None:
        """Go to the next block. Raises Unreadable where the tar ends before the body does."""

    @abstractmethod
    def _between(self, start: int, end: int) -> bytes: ...

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from here, all that are left for -1. Raises Unreadable."""
        end = self.size if size < 0 else min(self.size, self.place + size)
        if end <= self.place:
            return b""
        start, self.place = self.place, end
        return self._between(start, end)

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As files have it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.place


class _Empty(Body):
    """The body of what has none."""

    __slots__ = ()

    def head(self, size: int) -> bytes:
        return b""

    def leave(self) -> None:
        """There is nothing to go past."""

    def _between(self, start: int, end: int) -> bytes:
        return b""


EMPTY: Body = _Empty(0)


class Source(ABC):
    """Bytes that are read once, in order."""

    __slots__ = ()

    @abstractmethod
    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end."""

    @abstractmethod
    def skip(self, size: int) -> None:
        """Pass over `size` bytes. Raises Unreadable where the end comes first."""

    def body(self, size: int) -> Body:
        """The next `size` bytes, up to a whole block, to be left before anything else is read.

        Raises Unreadable where the tar is known to end before the body does.
        """
        return _Spooled(self, size)


class PlainSource(Source):
    """`size` bytes of a file from `start`; what is skipped is not read.

    `position` is where in the file the next byte stands, `window` the bytes that were read last, from `seen` on.
    """

    __slots__ = ("_body", "_file", "end", "position", "seen", "start", "window")

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self.start, self.position, self.end = file, start, start, start + size
        self.window, self.seen = b"", start
        self._body = _InPlace(self)  # one for all: images have tens of thousands of members

    @property
    def size(self) -> int:
        """The bytes of the whole."""
        return self.end - self.start

    @property
    def given(self) -> int:
        """Where in the file the body that was given last begins."""
        return self._body.start

    def read(self, size: int) -> bytes:
        offset = self.position - self.seen
        data = self.window[offset : offset + size] if offset >= 0 else b""
        if len(data) != size:
            data = self.look(self.position, size)
        self.position += len(data)
        return data

    def at(self, place: int, size: int) -> bytes:
        """Up to `size` bytes from a place in the file, whatever was read before."""
        offset = place - self.seen
        data = self.window[offset : offset + size] if offset >= 0 else b""
        return data if len(data) == size else self.look(place, size)

    def look(self, place: int, size: int) -> bytes:
        """Up to `size` bytes from a place in the file, and more into the window."""
        left = self.end - place
        if left <= 0:
            return b""
        self._file.seek(place)
        if size > _WINDOW:
            return self._file.read(size if size < left else left)
        self.window, self.seen = self._file.read(_WINDOW if left > _WINDOW else left), place
        return self.window[:size]

    def skip(self, size: int) -> None:
        self.position += size
        if self.position > self.end:
            raise Unreadable(_CUT)

    def rewind(self, size: int) -> None:
        """Go back by `size` bytes that were read."""
        self.position -= size

    def body(self, size: int) -> Body:
        body = self._body
        body.start, body.size, body.place = self.position, size, 0
        end = self.position + size
        if end > self.end:
            raise Unreadable(_CUT)
        self.position = end + (self.start - end) % BLOCK
        return body


class _InPlace(Body):
    """A body in a plain tar: read where it stands."""

    __slots__ = ("_source", "start")

    def __init__(self, source: PlainSource) -> None:
        super().__init__(0)
        self._source, self.start = source, 0

    def head(self, size: int) -> bytes:
        source = self._source
        if size > self.size:
            size = self.size
        offset = self.start - source.seen
        data = source.window[offset : offset + size] if offset >= 0 else b""
        return data if len(data) == size else source.look(self.start, size)

    def _between(self, start: int, end: int) -> bytes:
        data = self._source.at(self.start + start, end - start)
        if len(data) < end - start:
            raise Unreadable(_CUT)
        return data

    def leave(self) -> None:
        """The source went past it when it gave it."""


class _Spooled(Body):
    """A body in a stream: what stands before the furthest byte that was asked for is spooled."""

    __slots__ = ("_head", "_source", "_spool", "_taken")

    def __init__(self, source: Source, size: int) -> None:
        super().__init__(size)
        self._source = source
        self._spool: IO[bytes] | None = None
        self._head = b""
        self._taken = 0  # bytes read from the source

    def head(self, size: int) -> bytes:
        if self._taken < min(size, self.size) and self._spool is None:
            self._head += self._source.read(min(size, self.size) - self._taken)
            self._taken = len(self._head)
        return self._head[:size]

    def _between(self, start: int, end: int) -> bytes:
        self._reach(end)
        if self._spool is None:
            return self._head[start:end]
        self._spool.seek(start)
        return self._spool.read(end - start)

    def _reach(self, end: int) -> None:
        if end <= self._taken:
            return
        if end > _SPOOL_LIMIT:
            raise Unreadable("larger than 2 GiB")
        if self._spool is None:
            self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_MEMORY)  # noqa: SIM115 (closed below)
            self._spool.write(self._head)
        self._spool.seek(self._taken)
        while self._taken < end:
            data = self._source.read(min(_CHUNK, end - self._taken))
            if not data:
                raise Unreadable(_CUT)
            self._spool.write(data)
            self._taken += len(data)

    def leave(self) -> None:
        if self._spool is not None:
            self._spool.close()
        self._source.skip(self.size - self._taken)
        self._source.read(-self.size % BLOCK)
