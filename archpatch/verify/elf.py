"""What an ELF file's headers say, read through a window of its first bytes.

Only the file header, the program headers, the dynamic segment and its string table are looked at: section
headers (at the far end of a file) are masked, so a stream need not be read to its end.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from elftools.elf.dynamic import Dynamic
from elftools.elf.elffile import ELFFile

from archpatch.verify.tar import Body, Unreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC = b"\x7fELF"
REL, EXEC, DYN, CORE = 1, 2, 3, 4  # e_type
_PT_DYNAMIC, _PT_INTERP = 2, 3
_DYNAMIC_LIMIT = 1 << 18
_BUFFER = 1 << 14
_READ_LIMIT = 1 << 22  # bytes that pyelftools may read of one file: a table without an end stops there
_TAGS = {"DT_NEEDED": "needed", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}


@dataclass(frozen=True, slots=True, order=True)
class Machine:
    """What code a file holds: e_machine, class (32 or 64), byte order."""

    number: int
    bits: int
    little: bool = True

    def __str__(self) -> str:
        name = _NAMES.get(self.number, f"machine {self.number}")
        return f"{name} {self.bits}-bit" + ("" if self.little else " big-endian")


# Architecture as in Platform.arch -> the only machine its images may hold.
MACHINES = {
    "amd64": Machine(62, 64), "arm64": Machine(183, 64), "arm": Machine(40, 32), "386": Machine(3, 32),
    "ppc64le": Machine(21, 64), "s390x": Machine(22, 64, False), "riscv64": Machine(243, 64),
    "loong64": Machine(258, 64), "mips64le": Machine(8, 64),
}  # fmt: skip
_NAMES = {
    62: "x86-64", 183: "AArch64", 40: "ARM", 3: "i386", 21: "PowerPC64", 22: "S/390", 243: "RISC-V",
    258: "LoongArch", 8: "MIPS",
}  # fmt: skip
# The 32-bit sibling that kernels of a 64-bit architecture commonly run too.
SIBLINGS = {"amd64": MACHINES["386"], "arm64": MACHINES["arm"]}
HOST_MACHINES = frozenset(_NAMES)  # what is not in here (BPF, GPU code) runs on no CPU of an image


@dataclass(frozen=True, slots=True)
class Elf:
    """The headers of one ELF file. `problem` says what could not be read of them, else it is empty."""

    machine: Machine
    type: int
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    dynamic: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Segment:
    type: int
    offset: int
    size: int


def machine_of(head: bytes) -> Machine | None:
    """The machine of a file that begins with `head` (20 bytes do), None where it is no ELF file."""
    if len(head) < 20 or head[:4] != MAGIC or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    little = head[5] == 1
    return Machine(int.from_bytes(head[18:20], "little" if little else "big"), 32 * head[4], little)


def read(body: Body) -> Elf | None:
    """The headers of an ELF file; None where it is none. A broken one gives a `problem`, never an error."""
    head = body.head(4096)
    machine = machine_of(head)
    if machine is None:
        return None
    kind = int.from_bytes(head[16:18], "little" if machine.little else "big")
    try:
        segments = _segments(body, machine)
        return _with_dynamic(body, machine, kind, segments)
    except Unreadable as error:
        return Elf(machine, kind, problem=str(error))
    except Exception as error:
        # pyelftools meets made-up headers with errors of every kind, failed assertions among them.
        return Elf(machine, kind, problem=f"broken ELF headers ({type(error).__name__})")


def _segments(body: Body, machine: Machine) -> list[_Segment]:
    """The program headers, found with no more than the bytes they stand in."""
    order = "<" if machine.little else ">"
    head = body.head(64)
    if len(head) < (64 if machine.bits == 64 else 52):
        raise Unreadable("broken ELF headers (too short)")
    if machine.bits == 64:
        start, size, count = struct.unpack_from(f"{order}Q", head, 32)[0], *_pair(order, head, 54)
        layout, least = f"{order}IIQQQQQQ", 56
    else:
        start, size, count = struct.unpack_from(f"{order}I", head, 28)[0], *_pair(order, head, 42)
        layout, least = f"{order}IIIIIIII", 32
    if not count:
        return []
    if size < least or count > 512 or start + size * count > body.size:
        raise Unreadable("broken ELF headers (program headers)")
    body.seek(start)
    table = body.read(size * count)
    segments = []
    for index in range(count):
        fields = struct.unpack_from(layout, table, index * size)
        if machine.bits == 64:
            kind, _, offset, _, _, length, _, _ = fields
        else:
            kind, offset, _, _, length, _, _, _ = fields
        segments.append(_Segment(kind, offset, length))
    return segments


def _pair(order: str, head: bytes, at: int) -> tuple[int, int]:
    size, count = struct.unpack_from(f"{order}HH", head, at)
    return size, count


def _with_dynamic(body: Body, machine: Machine, kind: int, segments: list[_Segment]) -> Elf:
    interpreter = None
    for segment in segments:
        if segment.type == _PT_INTERP:
            if segment.offset + segment.size > body.size or segment.size > 4096:
                raise Unreadable("broken ELF headers (interpreter)")
            body.seek(segment.offset)
            interpreter = sys.intern(_text(body.read(segment.size).split(b"\0", 1)[0]))
    dynamic = next((segment for segment in segments if segment.type == _PT_DYNAMIC and segment.size), None)
    if dynamic is None or kind == REL:
        return Elf(machine, kind, interpreter)
    if dynamic.size > _DYNAMIC_LIMIT or dynamic.offset + dynamic.size > body.size:
        raise Unreadable("broken ELF headers (dynamic segment)")
    return _tags(body, machine, kind, interpreter, dynamic.offset)


def _tags(body: Body, machine: Machine, kind: int, interpreter: str | None, at: int) -> Elf:
    found: dict[str, list[str]] = {name: [] for name in _TAGS}
    # The buffer saves a call into Python for each of the many small reads.
    window = cast("IO[bytes]", io.BufferedReader(_Masked(body, machine), _BUFFER))
    for tag in Dynamic(window, ELFFile(window), None, at, False).iter_tags():
        if attribute := _TAGS.get(tag.entry.d_tag):
            found[tag.entry.d_tag].append(getattr(tag, attribute))
    needed, rpath, runpath = found.values()
    return Elf(machine, kind, interpreter, _interned(needed), _paths(rpath), _paths(runpath), dynamic=True)


def _paths(texts: list[str]) -> tuple[str, ...]:
    return _interned(path for text in texts for path in text.split(":") if path)


def _interned(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sys.intern(str(text)) for text in texts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class _Masked(io.RawIOBase):
    """A body whose ELF header names no section headers: pyelftools then asks for segments alone."""

    def __init__(self, body: Body, machine: Machine) -> None:
        super().__init__()
        self._body = body
        header = bytearray(body.head(64))
        if machine.bits == 64:
            header[40:48], header[60:64] = bytes(8), bytes(4)
        else:
            header[32:36], header[48:52] = bytes(4), bytes(4)
        self._header = bytes(header)
        self._left = _READ_LIMIT

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._body.seek(offset, whence)

    def tell(self) -> int:
        return self._body.tell()

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        at = self._body.tell()
        data = self._body.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable("broken ELF headers (a table without an end)")
        if at < len(self._header):
            data = self._header[at : at + len(data)] + data[max(0, len(self._header) - at) :]
        view[: len(data)] = data
        return len(data)
