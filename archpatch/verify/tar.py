"""A forward-only reader of layer tars: bounded memory, nothing extracted, hostile headers refused.

Reads ustar, GNU (long names, sparse files, binary numbers) and pax. The standard library's reader keeps every
member and reads an extended header of any size into memory, which a layer from the outside must not decide.
"""

from __future__ import annotations

import enum
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

BLOCK = 512
_CHUNK = 1 << 18
_EXTENDED_LIMIT = 1 << 20  # bytes of one long name or pax header
_SPOOL_MEMORY = 1 << 22  # a candidate's bytes above this go to a temporary file
_SPOOL_LIMIT = 1 << 31
_CUT = "the tar ends inside a file"


class Unreadable(Exception):
    """What could not be looked at, and why; never the same as "nothing wrong there"."""


class Source(Protocol):
    """Bytes that are read once, in order."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end."""

    def skip(self, size: int) -> None:
        """Pass over `size` bytes. Raises Unreadable where the end comes first."""


class PlainSource:
    """`size` bytes of a file from `start`; what is skipped is not read."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._at, self._end = file, start, start + size

    @property
    def position(self) -> int:
        """Where in the file the next byte stands."""
        return self._at

    def read(self, size: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(max(0, min(size, self._end - self._at)))
        self._at += len(data)
        return data

    def skip(self, size: int) -> None:
        self._at += size
        if self._at > self._end:
            raise Unreadable(_CUT)

    def rewind(self, size: int) -> None:
        """Go back by `size` bytes that were read."""
        self._at -= size


class GzipSource:
    """The unpacked bytes of a gzip stream (several members too). Raises Unreadable where it is broken."""

    def __init__(self, packed: Source, limit: int = 1 << 36) -> None:
        self._packed, self._left = packed, limit
        self._inflate = zlib.decompressobj(31)
        self._buffer, self._at = b"", 0

    def _fill(self) -> bool:
        """Unpack a piece more; False at the end."""
        self._buffer, self._at = b"", 0
        while not self._buffer:
            if self._inflate.eof:
                rest = self._inflate.unused_data or self._packed.read(_CHUNK)
                if not rest.strip(b"\0"):
                    return False
                self._inflate = zlib.decompressobj(31)
            else:
                rest = self._inflate.unconsumed_tail or self._packed.read(_CHUNK)
                if not rest:
                    raise Unreadable("the gzip stream ends too early")
            try:
                self._buffer = self._inflate.decompress(rest, 1 << 20)
            except zlib.error as error:
                raise Unreadable(f"broken gzip stream: {error}") from error
        self._left -= len(self._buffer)
        if self._left < 0:
            raise Unreadable("the layer unpacks to more than 64 GiB")
        return True

    def read(self, size: int) -> bytes:
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        pieces = []
        while size > 0:
            if self._at == len(self._buffer) and not self._fill():
                break
            piece = self._buffer[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        while size > 0:
            if self._at == len(self._buffer) and not self._fill():
                raise Unreadable(_CUT)
            step = min(size, len(self._buffer) - self._at)
            self._at += step
            size -= step


class Kind(enum.Enum):
    """What a tar member is to a root file system."""

    FILE = "file"
    HARD_LINK = "hard link"
    SYMLINK = "symlink"
    DIRECTORY = "directory"
    OTHER = "other"  # devices, FIFOs


_KINDS = {
    b"0": Kind.FILE, b"\0": Kind.FILE, b"7": Kind.FILE, b"S": Kind.FILE, b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK, b"5": Kind.DIRECTORY, b"3": Kind.OTHER, b"4": Kind.OTHER, b"6": Kind.OTHER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One tar header. `size` is what the member takes in the tar; `sparse`: its bytes are not the file's."""

    path: str
    kind: Kind
    mode: int
    size: int
    link: str
    sparse: bool = False


class Body(io.RawIOBase):
    """The bytes of one member as a seekable file; those before the furthest byte asked for are spooled.

    Raises Unreadable when more than 2 GiB would have to be spooled.
    """

    def __init__(self, source: Source, size: int) -> None:
        super().__init__()
        self._source, self.size = source, size
        self._spool: IO[bytes] | None = None
        self._head = b""
        self.taken = 0  # bytes read from the source
        self._at = 0

    def head(self, size: int) -> bytes:
        """The first bytes, kept in memory."""
        if self.taken < min(size, self.size) and self._spool is None:
            self._head += self._source.read(min(size, self.size) - self.taken)
            self.taken = len(self._head)
        return self._head[:size]

    def _reach(self, end: int) -> None:
        if end <= self.taken:
            return
        if end > _SPOOL_LIMIT:
            raise Unreadable("larger than 2 GiB")
        if self._spool is None:
            self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_MEMORY)  # noqa: SIM115 (closed below)
            self._spool.write(self._head)
        self._spool.seek(self.taken)
        while self.taken < end:
            data = self._source.read(min(_CHUNK, end - self.taken))
            if not data:
                raise Unreadable(_CUT)
            self._spool.write(data)
            self.taken += len(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self._at + size)
        if end <= self._at:
            return b""
        self._reach(end)
        if self._spool is None:
            data = self._head[self._at : end]
        else:
            self._spool.seek(self._at)
            data = self._spool.read(end - self._at)
        self._at = end
        return data

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        super().close()


def members(source: Source) -> Iterator[tuple[Member, Body]]:
    """Each member with its bytes, which are gone once the next one is asked for.

    Raises Unreadable at a header that is none.
    """
    extended: dict[str, str] = {}
    while True:
        block = source.read(BLOCK)
        if not block.strip(b"\0"):
            return
        if len(block) < BLOCK or not _checksum_holds(block):
            raise Unreadable("broken tar header")
        flag, size = block[156:157], _number(block[124:136])
        if flag in (b"x", b"g", b"L", b"K"):
            data = _extended(source, size)
            if flag == b"x":
                extended.update(_pax(data))
            elif flag in (b"L", b"K"):
                extended["path" if flag == b"L" else "linkpath"] = _text(data)
            continue
        if flag == b"S":
            _skip_sparse_maps(source, block)
        member = _member(block, flag, size, extended)
        extended = {}
        body = Body(source, member.size)
        yield member, body
        source.skip(member.size - body.taken)
        source.read(-member.size % BLOCK)
        body.close()


def _member(block: bytes, flag: bytes, size: int, extended: dict[str, str]) -> Member:
    kind = _KINDS.get(flag, Kind.FILE)
    path = extended.get("path")
    if path is None:
        path = _text(block[:100])
        if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
            path = f"{prefix}/{path}"
    sparse = flag == b"S" or any(key.startswith("GNU.sparse.") for key in extended)
    path = extended.get("GNU.sparse.name", path)
    if kind is Kind.FILE and path.endswith("/"):
        kind = Kind.DIRECTORY  # the old convention for folders
    if "size" in extended:
        size = _decimal(extended["size"])
    # Headers of links and folders may name the size of what they stand for; no bytes follow.
    held = size if kind is Kind.FILE else 0
    link = extended.get("linkpath", _text(block[157:257]))
    return Member(path, kind, _number(block[100:108]) & 0o7777, held, link, sparse)


def _extended(source: Source, size: int) -> bytes:
    if size > _EXTENDED_LIMIT:
        raise Unreadable("a tar header of more than 1 MiB")
    data = source.read(size)
    source.read(-size % BLOCK)
    return data


def _pax(data: bytes) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n`; values may hold line ends."""
    records, at = {}, 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = _decimal(data[at:space].decode("ascii", "replace")) if space > 0 else 0
        if length <= space + 1 - at or at + length > len(data):
            raise Unreadable("broken pax header")
        key, _, value = data[space + 1 : at + length - 1].partition(b"=")
        records[_text(key)] = value.decode("utf-8", "surrogateescape")
        at += length
    return records


def _skip_sparse_maps(source: Source, block: bytes) -> None:
    """GNU's old sparse files: further map blocks follow the header."""
    more = block[482:483]
    while more == b"\1":
        more = source.read(BLOCK)[504:505]


def _checksum_holds(block: bytes) -> bool:
    try:
        stated = _number(block[148:156])
    except Unreadable:
        return False
    return stated == sum(block) - sum(block[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: binary
        if field[0] != 0x80:
            raise Unreadable("a negative number in a tar header")
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise Unreadable("broken number in a tar header") from None


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Unreadable("broken number in a pax header")
    return int(text)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
