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

    __slots__ = ("_at", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._at = 0

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
        end = self.size if size < 0 else min(self.size, self._at + size)
        if end <= self._at:
            return b""
        start, self._at = self._at, end
        return self._between(start, end)

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As files have it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at


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
        """The next `size` bytes, to be left before anything else is read."""
        return _Spooled(self, size)


class PlainSource(Source):
    """`size` bytes of a file from `start`; what is skipped is not read."""

    __slots__ = ("_at", "_end", "_file", "_from", "_start", "_window")

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._at, self._end = file, start, start, start + size
        self._window, self._from = b"", start

    @property
    def position(self) -> int:
        """Where in the file the next byte stands."""
        return self._at

    @property
    def size(self) -> int:
        """The bytes of the whole."""
        return self._end - self._start

    def read(self, size: int) -> bytes:
        data = self.at(self._at, size)
        self._at += len(data)
        return data

    def at(self, place: int, size: int) -> bytes:
        """Up to `size` bytes from a place in the file, whatever was read before."""
        offset = place - self._from
        if offset >= 0:
            data = self._window[offset : offset + size]
            if len(data) == size:
                return data
        size = max(0, min(size, self._end - place))
        self._file.seek(place)
        if size > _WINDOW:
            return self._file.read(size)
        self._window, self._from = self._file.read(min(_WINDOW, self._end - place)), place
        return self._window[:size]

    def skip(self, size: int) -> None:
        self._at += size
        if self._at > self._end:
            raise Unreadable(_CUT)

    def leave(self, end: int) -> None:
        """Go to the block after a body that ends at `end`."""
        if end > self._end:
            raise Unreadable(_CUT)
        self._at = end + (self._start - end) % BLOCK

    def rewind(self, size: int) -> None:
        """Go back by `size` bytes that were read."""
        self._at -= size

    def body(self, size: int) -> Body:
        return _InPlace(self, self._at, size)


class _InPlace(Body):
    """A body in a plain tar: read where it stands."""

    __slots__ = ("_source", "_start")

    def __init__(self, source: PlainSource, start: int, size: int) -> None:
        self.size = size
        self._at = 0
        self._source, self._start = source, start

    def head(self, size: int) -> bytes:
        return self._source.at(self._start, size if size < self.size else self.size)

    def _between(self, start: int, end: int) -> bytes:
        data = self._source.at(self._start + start, end - start)
        if len(data) < end - start:
            raise Unreadable(_CUT)
        return data

    def leave(self) -> None:
        self._source.leave(self._start + self.size)


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
