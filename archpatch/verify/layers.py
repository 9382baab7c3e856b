"""One layer of an image as values: what it adds, what it takes away, what the headers of its files say."""

from __future__ import annotations

import io
import os
import posixpath
import struct
import sys
import zipfile

from msgspec import Struct, field

from archpatch.verify import elf
from archpatch.verify.streams import Body, Source, Unreadable
from archpatch.verify.tar import Kind, Member, members

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_ARCHIVES = (".jar", ".war", ".ear", ".whl", ".egg")
_NATIVE = (".so", ".node", ".jnilib", ".pyd")
_NATIVE_MARKS = tuple(name.encode() for name in _NATIVE)
# APPNOTE.TXT 4.3.12, 4.3.16, 4.3.15: an entry of a zip file's table of contents, the record after the table, where
# ZIP64's own is.
_ENTRY, _END, _END_64 = b"PK\1\2", b"PK\5\6", b"PK\6\7"
_END_RECORD = struct.Struct("<4x6xHI4x2x")  # how many entries, the table's bytes
_END_LIMIT = 22 + 0xFFFF  # bytes, a comment included
_FILE = Kind.FILE  # a class of members is slow to ask
_ODD = ("", "/", ".")  # how names begin that are not in normal form, or hidden
_HEAD = 64  # bytes of each file
_TELLING = (elf.MAGIC[:2], b"#!", b"PK")
_TEXT_LIMIT = 1 << 16
_PATH_LIMIT = 4096
_ARCHIVE_MEMBERS, _ARCHIVE_NATIVES = 100_000, 2_000
_ARCHIVE_READ = 1 << 24  # bytes that are read of an archive at once: its table of contents
_NAME_SHOWN = 200
_WEIGHT = 1 << 29  # bytes that the paths and texts of a layer may take in memory
_WEIGHT_OF_ONE = 200
# Small files whose text decides where a loader looks.
_LOADER_FILES = ("etc/ld.so.conf", "etc/ld.so.preload")
_LOADER_FOLDER = "etc/ld.so.conf.d/"


class Archive(Struct, frozen=True, gc=False):
    """The ELF files inside a .jar or .whl: machine -> the name of one member."""

    natives: tuple[tuple[elf.Machine, str], ...]


class Node(Struct, frozen=True, gc=False):
    """One file, symlink, folder or device of a layer.

    `link` is a symlink's text, `shebang` what follows `#!`; `unread`: the bytes could not be looked at.
    """

    kind: Kind
    mode: int
    link: str = ""
    elf: elf.Elf | None = None
    shebang: str | None = None
    archive: Archive | None = None
    text: str | None = None
    layer: int = 0
    unread: bool = False


class Added(Struct, frozen=True, gc=False):
    """A path (relative, normal form) and what the layer puts there; `hard_link` names the other name's path."""

    path: str
    node: Node
    hard_link: str | None = None


class Layer(Struct):
    """What one layer does to the file system below it."""

    added: list[Added] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)  # path, why


def normal(path: str) -> str | None:
    """A path of a tar relative to the root, without `.` and `..`; None where no system would take it."""
    parts = path.split("/")
    if len(path) > _PATH_LIMIT or ".." in parts:
        return None
    return (
        path
        if "" not in parts and "." not in parts
        else "/".join(part for part in parts if part not in ("", "."))
    )


def read(source: Source, number: int) -> Layer:
    """Everything that layer `number` says. Raises Unreadable where the stream is broken."""
    layer = Layer()
    add, ordinary, left = layer.added.append, _Ordinary(number), _WEIGHT
    for member, body in members(source):
        path = member.path
        left -= _WEIGHT_OF_ONE + len(path) + len(member.link)
        if left < 0:
            raise Unreadable("it holds more names than an image should")
        # Hidden, not in normal form or too long: few are, and whiteouts are hidden.
        if path[:1] in _ODD or "/." in path or "//" in path or len(path) > _PATH_LIMIT:
            path = _odd_name(layer, path)
            if not path:
                continue
        path = path.rstrip("/")
        if member.kind is _FILE:
            # Most files are neither code nor an archive nor a loader's: their first bytes say so.
            if member.sparse or body.head(2) in _TELLING or path.startswith("etc/"):
                node = _file(layer, path, member, body, number)
                left -= _weight(node)
                add(Added(path, node))
            else:
                add(Added(path, ordinary[member.mode]))
        elif member.kind is not Kind.HARD_LINK:
            add(Added(path, Node(member.kind, member.mode, member.link, layer=number)))
        elif (target := normal(member.link)) is None:
            layer.unread.append((path, "a hard link that leaves the image"))
        else:
            add(Added(path, ordinary[member.mode], target))
    return layer


def _odd_name(layer: Layer, name: str) -> str:
    """The normal path of something to be added; empty for whiteouts, the root, and what leaves the image."""
    path = normal(name)
    if path is None:
        layer.unread.append((name, "the name leaves the image or is too long"))
    return "" if not path or (_WHITEOUT in path and _is_whiteout(layer, path)) else path


def _weight(node: Node) -> int:
    """The bytes of a node's texts."""
    headers = node.elf
    texts = (*headers.needed, *headers.rpath, *headers.runpath, headers.interpreter or "") if headers else ()
    return sum(map(len, texts)) + len(node.shebang or "") + len(node.text or "")


class _Ordinary(dict[int, Node]):
    """The node of files of a mode of which nothing else is known: one for all of a layer."""

    def __init__(self, layer: int) -> None:
        self._layer = layer

    def __missing__(self, mode: int) -> Node:
        node = self[mode] = Node(Kind.FILE, mode, layer=self._layer)
        return node


def _is_whiteout(layer: Layer, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    if name == _OPAQUE:
        layer.emptied.append(folder)
    elif name.startswith(_WHITEOUT):
        name = name.removeprefix(_WHITEOUT)
        if name in ("", ".", ".."):
            layer.unread.append((path, "a whiteout of its own folder"))
        else:
            layer.removed.append(posixpath.join(folder, name))
    else:
        return False
    return True


def _file(layer: Layer, path: str, member: Member, body: Body, number: int) -> Node:
    mode = member.mode
    if member.sparse:
        # Its bytes in the tar are a map and pieces, not the file's own.
        layer.unread.append((path, "a sparse file"))
        return Node(Kind.FILE, mode, layer=number, unread=True)
    head = body.head(_HEAD)
    if head[:4] == elf.MAGIC:
        return _elf_file(layer, path, mode, body, number)
    if head[:2] == b"#!":
        line = body.head(256)[2:].split(b"\n", 1)[0]
        return Node(Kind.FILE, mode, shebang=sys.intern(_text(line)), layer=number)
    archive = text = None
    if head[:4] == b"PK\3\4" and path.lower().endswith(_ARCHIVES):
        try:
            archive = _archive(body)
        except Unreadable as error:
            layer.unread.append((path, str(error)))
    elif path in _LOADER_FILES or path.startswith(_LOADER_FOLDER) or _is_musl_path_file(path):
        text = _text(body.head(_TEXT_LIMIT))
    return Node(Kind.FILE, mode, archive=archive, text=text, layer=number)


def _elf_file(layer: Layer, path: str, mode: int, body: Body, number: int) -> Node:
    headers = elf.read(body)
    problem = headers.problem if headers else "broken ELF headers (too short)"
    if problem:
        layer.unread.append((path, problem))
    return Node(Kind.FILE, mode, elf=headers, layer=number, unread=bool(problem))


def _is_musl_path_file(path: str) -> bool:
    return path.startswith("etc/ld-musl-") and path.endswith(".path")


class _Bounded(io.RawIOBase):
    """An archive's bytes for `zipfile`, which reads a table of contents of any size at once."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _ARCHIVE_READ and self._body.size - self._body.tell() > _ARCHIVE_READ:
            raise Unreadable("an archive with a table of contents of more than 16 MiB")
        return self._body.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._body.seek(offset, whence)

    def tell(self) -> int:
        return self._body.tell()

    def seekable(self) -> bool:
        return True


def _names_native(body: Body) -> bool:
    """Whether the table of contents of a zip file may name native code: few do, and reading all names takes long.

    It does too where the table is not found where its end record says, and where there is a second such record, of ZIP64,
    between which readers choose: then `zipfile` decides.
    """
    start = max(0, body.size - _END_LIMIT)
    body.seek(start)
    tail = body.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_RECORD.size or _END_64 in tail:
        return True
    count, length = _END_RECORD.unpack_from(tail, at)
    first = start + at - length
    if first < 0 or length > _ARCHIVE_READ or count == 0xFFFF:
        return True
    body.seek(first)
    table = body.read(length)
    whole = table.startswith(_ENTRY) and table.count(_ENTRY) >= count
    return not whole or any(mark in table for mark in _NATIVE_MARKS)


def _archive(body: Body) -> Archive | None:
    """The machines of the native code in a zip file; None where it holds none."""
    if not _names_native(body):
        return None
    body.seek(0)
    natives: dict[elf.Machine, str] = {}
    try:
        with zipfile.ZipFile(_Bounded(body)) as archive:
            names = archive.infolist()
            found = [info for info in names if info.filename.endswith(_NATIVE) or ".so." in info.filename]
            if len(names) > _ARCHIVE_MEMBERS or len(found) > _ARCHIVE_NATIVES:
                raise Unreadable(f"an archive of {len(names)} files, {len(found)} of them native")
            for info in found:
                with archive.open(info) as file:
                    machine = elf.machine_of(file.read(20))
                if machine:
                    natives.setdefault(machine, info.filename[:_NAME_SHOWN])
    except Unreadable:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise Unreadable(f"broken or locked archive ({type(error).__name__})") from error
    except Exception as error:  # zlib.error and struct.error have no common base
        raise Unreadable(f"broken archive ({type(error).__name__})") from error
    return Archive(tuple(sorted(natives.items()))) if natives else None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
