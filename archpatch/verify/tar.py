"""A forward-only reader of layer tars: bounded memory, nothing extracted, hostile headers refused.

Reads ustar, GNU (long names, sparse files, binary numbers) and pax. The standard library's reader keeps every
member and reads an extended header of any size into memory, which a layer from the outside must not decide; and
it is slow, where an image has tens of thousands of members.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from functools import lru_cache
from zlib import adler32

from msgspec import Struct

from archpatch.verify.streams import BLOCK, EMPTY, Body, Source, Unreadable

_EXTENDED_LIMIT = 1 << 20  # bytes of one long name or pax header
_HEADER = struct.Struct("100s8s16x12s12x8sc355x")  # name, mode, size, checksum, type
# What fewer members have: what they link to, what wrote the header, the prefix of the name, what tells star's own format.
_PREFIX_AT = 345
_LINK, _MAGIC, _PREFIX, _TRAILER = slice(157, 257), slice(257, 263), slice(_PREFIX_AT, 500), slice(508, 512)
_STAR, _STAR_PREFIX = b"tar\0", 131
_GNU_TIMES = 24  # bytes of GNU's headers where others have the prefix
_ADLER = 65521
_SPARSE_PIECES = frozenset(("GNU.sparse.map", "GNU.sparse.offset", "GNU.sparse.numbytes"))
_LONG_NAME, _LONG_LINK = "\0name", "\0link"  # no keys of a pax header
_NOTHING = bytes(BLOCK)


class Kind(enum.Enum):
    """What a tar member is to a root file system."""

    FILE = "file"
    HARD_LINK = "hard link"
    SYMLINK = "symlink"
    DIRECTORY = "directory"
    OTHER = "other"  # devices, FIFOs


_FILE = Kind.FILE  # a class of members is slow to ask
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
        name, mode, length, checksum, flag = _HEADER.unpack(block)
        # Adler-32's lower half is one more than the sum of the bytes: a hundred times as fast as `sum`.
        if (_stated(checksum) - adler32(block) % 0x10000) % _ADLER:
            raise Unreadable("broken tar header")
        if flag in b"xgLK":
            extended = _more(extended, flag, _extended(source, _number(length)))
            continue
        if flag == b"S":
            _skip_sparse_maps(source, block)
        path = name.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        if block[_PREFIX_AT]:
            path = _prefixed(path, block)
        if extended:
            member = _extended_member(block, path, extended)
            extended = {}
        elif flag == b"0" or (flag == b"\0" and path[-1:] != "/"):  # most are ordinary files
            member = Member(path, _FILE, _mode(mode), _number(length))
        else:
            member = _member(block, path, mode, length, flag)
        if member.size:
            body = body_of(member.size)
            yield member, body
            body.leave()
        else:
            yield member, EMPTY
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


def _member(block: bytes, path: str, mode: bytes, length: bytes, flag: bytes) -> Member:
    kind = _KINDS.get(flag, _FILE)
    if kind is not _FILE:
        # Headers of links and folders may name the size of what they stand for; no bytes follow.
        return Member(path, kind, _mode(mode), 0, _text(block[_LINK]))
    if flag == b"\0" and path[-1:] == "/":  # the old convention for folders
        return Member(path, Kind.DIRECTORY, _mode(mode), 0)
    return Member(path, kind, _mode(mode), _number(length), "", flag == b"S")


def _prefixed(path: str, block: bytes) -> str:
    magic, prefix = block[_MAGIC], block[_PREFIX]
    if magic == b"ustar\0":
        return f"{_text(prefix[:_STAR_PREFIX] if block[_TRAILER] == _STAR else prefix)}/{path}"
    if magic == b"ustar " and prefix[:_GNU_TIMES].strip(b"01234567 \0"):
        raise Unreadable("broken tar header")  # Go takes it for the prefix that GNU's headers have not
    return path


def _extended_member(block: bytes, path: str, extended: dict[str, str]) -> Member:
    """The member that a pax or GNU header before its own says more of."""
    _, mode, length, _, flag = _HEADER.unpack(block)
    kind, pieces = _KINDS.get(flag, _FILE), _is_sparse(extended)
    path = extended.get(_LONG_NAME) or extended.get("path", path)
    if flag == b"\0" and path.endswith("/"):
        kind = Kind.DIRECTORY
    path = extended.get("GNU.sparse.name", path) if pieces else path
    link = extended.get(_LONG_LINK) or extended.get("linkpath", _text(block[_LINK]))
    size = _decimal(extended["size"]) if "size" in extended else _number(length)
    return Member(path, kind, _mode(mode), size if kind is _FILE else 0, link, flag == b"S" or pieces)


def _is_sparse(extended: dict[str, str]) -> bool:
    """Whether a pax header says that what follows are the pieces of a sparse file, in one of GNU's three ways."""
    version = extended.get("GNU.sparse.major", ""), extended.get("GNU.sparse.minor", "")
    pieces = not _SPARSE_PIECES.isdisjoint(extended)
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
    if b"\0" in data and any("\0" in records.get(key, "") for key in ("path", "linkpath", "GNU.sparse.name")):
        raise Unreadable("broken pax header")
    # An empty value takes nothing's place: the header itself counts.
    return {key: value for key, value in records.items() if value}


def _skip_sparse_maps(source: Source, block: bytes) -> None:
    """GNU's old sparse files: further map blocks follow the header."""
    more = block[482:483]
    while more == b"\1":
        more = source.read(BLOCK)[504:505]


@lru_cache(maxsize=1 << 14)
def _stated(field: bytes) -> int:
    """What a header's bytes add up to by its checksum, which takes its own bytes for blanks; and one, as Adler-32 has it."""
    try:
        stated = int(field.strip(b" \0"), 8)
    except ValueError:
        raise Unreadable("broken tar header") from None
    return stated + sum(field) - 8 * 0x20 + 1


@lru_cache(maxsize=64)
def _mode(field: bytes) -> int:
    return _number(field) & 0o7777


@lru_cache(maxsize=1 << 14)
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
