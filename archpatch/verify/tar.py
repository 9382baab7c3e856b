"""A forward-only reader of layer tars: bounded memory, nothing extracted, hostile headers refused.

Reads ustar, GNU (long names, sparse files, binary numbers) and pax. The standard library's reader keeps every
member and reads an extended header of any size into memory, which a layer from the outside must not decide; and
it is slow, where an image has tens of thousands of members.
"""

from __future__ import annotations

import enum
import os
import struct
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from typing import IO
from zlib import adler32

from msgspec import Struct

BLOCK = 512
_CHUNK = 1 << 18
_WINDOW = 1 << 13  # holds the headers of several small files
_EXTENDED_LIMIT = 1 << 20  # bytes of one long name or pax header
_SPOOL_MEMORY = 1 << 22  # a candidate's bytes above this go to a temporary file
_SPOOL_LIMIT = 1 << 31
_CUT = "the tar ends inside a file"
# name, mode, size, checksum, type, link, magic, the prefix of the name, what tells star's own format
_HEADER = struct.Struct("100s8s16x12s12x8sc100s6s82x155s8x4s")
_STAR, _STAR_PREFIX = b"tar\0", 131
_GNU_TIMES = 24  # bytes of GNU's headers where others have the prefix
_ADLER = 65521
_LONG_NAME, _LONG_LINK = "\0name", "\0link"  # no keys of a pax header
_NOTHING = bytes(BLOCK)


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


class Member(Struct, frozen=True, gc=False):
    """One tar header. `size` is what the member takes in the tar; `sparse`: its bytes are not the file's."""

    path: str
    kind: Kind
    mode: int
    size: int
    link: str = ""
    sparse: bool = False


def members(source: Source) -> Iterator[tuple[Member, Body]]:
    """Each member with its bytes, which are gone once the next one is asked for.

    Names are those that Go's reader gives, by which engines unpack: else a header could show another file here
    than there. Raises Unreadable at a header that is none.
    """
    extended: dict[str, str] = {}
    read, body_of = source.read, source.body
    while len(block := read(BLOCK)) == BLOCK and block != _NOTHING:
        fields = _HEADER.unpack(block)
        if not _checksum_holds(block, fields[3]):
            raise Unreadable("broken tar header")
        flag = fields[4]
        if flag in b"xgLK":
            extended = _more(extended, flag, _extended(source, _number(fields[2])))
            continue
        if flag == b"S":
            _skip_sparse_maps(source, block)
        member = _member(fields, extended)
        if extended:
            extended = {}
        body = body_of(member.size)
        yield member, body
        body.leave()
    if extended or block.strip(b"\0") or read(BLOCK).strip(b"\0"):
        raise Unreadable("broken tar header")


def _more(extended: dict[str, str], flag: bytes, data: bytes) -> dict[str, str]:
    """What is known of the next member after one more header before it.

    GNU's long names win over pax, a pax header over the one before it, and one for all ends what was said.
    """
    if flag == b"g":
        return {}
    if flag == b"x":
        long = {key: value for key, value in extended.items() if key in (_LONG_NAME, _LONG_LINK)}
        return {**_pax(data), **long}
    return {**extended, _LONG_NAME if flag == b"L" else _LONG_LINK: _text(data)}


def _member(fields: tuple[bytes, ...], extended: dict[str, str]) -> Member:
    name, mode, length, _, flag, linked, magic, prefix, trailer = fields
    kind = _KINDS.get(flag, Kind.FILE)
    path = _text(name)
    if prefix[0]:
        path = _prefixed(path, magic, prefix[:_STAR_PREFIX] if trailer == _STAR else prefix)
    if extended:
        return _extended_member(path, kind, fields, extended)
    if kind is not Kind.FILE:
        # Headers of links and folders may name the size of what they stand for; no bytes follow.
        return Member(path, kind, _mode(mode), 0, _text(linked))
    if flag == b"\0" and path[-1:] == "/":  # the old convention for folders
        return Member(path, Kind.DIRECTORY, _mode(mode), 0)
    return Member(path, kind, _mode(mode), _number(length), "", flag == b"S")


def _prefixed(path: str, magic: bytes, prefix: bytes) -> str:
    if magic == b"ustar\0":
        return f"{_text(prefix)}/{path}"
    if magic == b"ustar " and prefix[:_GNU_TIMES].strip(b"01234567 \0"):
        raise Unreadable("broken tar header")  # Go takes it for the prefix that GNU's headers have not
    return path


def _extended_member(path: str, kind: Kind, fields: tuple[bytes, ...], extended: dict[str, str]) -> Member:
    """The member that a pax or GNU header before its own says more of."""
    pieces = _is_sparse(extended)
    path = extended.get(_LONG_NAME) or extended.get("path", path)
    if fields[4] == b"\0" and path.endswith("/"):
        kind = Kind.DIRECTORY
    path = extended.get("GNU.sparse.name", path) if pieces else path
    link = extended.get(_LONG_LINK) or extended.get("linkpath", _text(fields[5]))
    size = _decimal(extended["size"]) if "size" in extended else _number(fields[2])
    sparse = fields[4] == b"S" or pieces
    return Member(path, kind, _mode(fields[1]), size if kind is Kind.FILE else 0, link, sparse)


def _is_sparse(extended: dict[str, str]) -> bool:
    """Whether a pax header says that what follows are the pieces of a sparse file, in one of GNU's three ways."""
    version = extended.get("GNU.sparse.major", ""), extended.get("GNU.sparse.minor", "")
    pieces = any(f"GNU.sparse.{key}" in extended for key in ("map", "offset", "numbytes"))
    return version in (("0", "0"), ("0", "1"), ("1", "0")) or (version == ("", "") and pieces)


def _extended(source: Source, size: int) -> bytes:
    if size > _EXTENDED_LIMIT:
        raise Unreadable("a tar header of more than 1 MiB")
    data = source.read(size)
    source.read(-size % BLOCK)
    return data


def _pax(data: bytes) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n`; values may hold line ends."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = _decimal(data[at:space].decode("ascii", "replace")) if space > 0 else 0
        if space < 0 or length <= space + 1 - at or at + length > len(data):
            raise Unreadable("broken pax header")
        key, _, value = data[space + 1 : at + length - 1].partition(b"=")
        records[_text(key)] = value.decode("utf-8", "surrogateescape")
        at += length
    if any("\0" in records.get(key, "") for key in ("path", "linkpath", "GNU.sparse.name")):
        raise Unreadable("broken pax header")
    # An empty value takes nothing's place: the header itself counts.
    return {key: value for key, value in records.items() if value}


def _skip_sparse_maps(source: Source, block: bytes) -> None:
    """GNU's old sparse files: further map blocks follow the header."""
    more = block[482:483]
    while more == b"\1":
        more = source.read(BLOCK)[504:505]


def _checksum_holds(block: bytes, field: bytes) -> bool:
    """Whether the bytes of a header, its checksum taken as blanks, add up to the checksum.

    Adler-32's lower half is one more than the sum, modulo 65,521: a hundred times as fast as `sum`.
    """
    try:
        stated = int(field.strip(b" \0"), 8)
    except ValueError:
        return False
    return (stated - adler32(block) % 0x10000 + adler32(field) % 0x10000 - 8 * 0x20) % _ADLER == 0


@lru_cache(maxsize=64)
def _mode(field: bytes) -> int:
    return _number(field) & 0o7777


def _number(field: bytes) -> int:
    digits = field.strip(b" \0")
    if digits.isdigit():  # int() alone takes signs and underscores
        try:
            return int(digits, 8)
        except ValueError:
            raise Unreadable("broken number in a tar header") from None
    if not digits:
        return 0
    if field[0] == 0x80:  # GNU: binary
        return int.from_bytes(field[1:], "big")
    raise Unreadable("broken number in a tar header")


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Unreadable("broken number in a pax header")
    return int(text)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")
