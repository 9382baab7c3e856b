"""What an ELF file's headers say, read through a window of its first bytes.

Only the file header, the program headers, the dynamic segment and its string table are looked at; section headers,
at the far end of a file, are not, so a stream need not be read to its end. pyelftools gives the numbers, and is the
judge of this reader in the tests; its own reader takes two milliseconds for each file and wants a whole one.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from elftools.elf.enums import ENUM_D_TAG, ENUM_E_MACHINE, ENUM_E_TYPE, ENUM_P_TYPE_BASE

from archpatch.verify.tar import Body, Unreadable

MAGIC = b"\x7fELF"
REL, EXEC, DYN = ENUM_E_TYPE["ET_REL"], ENUM_E_TYPE["ET_EXEC"], ENUM_E_TYPE["ET_DYN"]
_LOAD, _DYNAMIC, _INTERP = (ENUM_P_TYPE_BASE[f"PT_{name}"] for name in ("LOAD", "DYNAMIC", "INTERP"))
_NEEDED, _RPATH, _RUNPATH, _STRTAB, _STRSZ = (
    ENUM_D_TAG[f"DT_{name}"] for name in ("NEEDED", "RPATH", "RUNPATH", "STRTAB", "STRSZ")
)
_MAX_SEGMENTS = 512
_MAX_DYNAMIC = 1 << 18  # bytes
_MAX_STRINGS = 1 << 24


@dataclass(frozen=True, slots=True, order=True)
class Machine:
    """What code a file holds: e_machine, class (32 or 64), byte order."""

    number: int
    bits: int
    little: bool = True

    def __str__(self) -> str:
        name = _NAMES.get(self.number, f"machine {self.number}")
        return f"{name} {self.bits}-bit" + ("" if self.little else " big-endian")


def _machine(name: str, bits: int, little: bool = True) -> Machine:
    return Machine(ENUM_E_MACHINE[name], bits, little)


# Architecture as in Platform.arch -> the only machine its images may hold.
MACHINES = {
    "amd64": _machine("EM_X86_64", 64), "arm64": _machine("EM_AARCH64", 64), "arm": _machine("EM_ARM", 32),
    "386": _machine("EM_386", 32), "ppc64le": _machine("EM_PPC64", 64), "s390x": _machine("EM_S390", 64, False),
    "riscv64": _machine("EM_RISCV", 64), "loong64": Machine(258, 64), "mips64le": _machine("EM_MIPS", 64),
}  # fmt: skip
_WORDS = {
    "amd64": "x86-64", "arm64": "AArch64", "arm": "ARM", "386": "i386", "ppc64le": "PowerPC64", "s390x": "S/390",
    "riscv64": "RISC-V", "loong64": "LoongArch", "mips64le": "MIPS",
}  # fmt: skip
_NAMES = {MACHINES[arch].number: word for arch, word in _WORDS.items()}
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
    address: int
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
        return _read(body, machine, kind)
    except Unreadable as error:
        return Elf(machine, kind, problem=str(error))
    except struct.error:
        return Elf(machine, kind, problem="broken ELF headers (cut off)")


def _read(body: Body, machine: Machine, kind: int) -> Elf:
    segments = _segments(body, machine)
    interpreter = None
    for segment in segments:
        if segment.type == _INTERP:
            text = _bytes(body, segment.offset, segment.size, 4096, "interpreter")
            interpreter = sys.intern(_text(text.split(b"\0", 1)[0]))
    dynamic = next((segment for segment in segments if segment.type == _DYNAMIC and segment.size), None)
    if dynamic is None or kind == REL:
        return Elf(machine, kind, interpreter)
    table = _bytes(body, dynamic.offset, dynamic.size, _MAX_DYNAMIC, "dynamic segment")
    found = _texts(body, machine, segments, table)
    needed, rpath, runpath = (found[tag] for tag in (_NEEDED, _RPATH, _RUNPATH))
    return Elf(machine, kind, interpreter, _interned(needed), _paths(rpath), _paths(runpath), dynamic=True)


def _texts(body: Body, machine: Machine, segments: Sequence[_Segment], table: bytes) -> dict[int, list[str]]:
    """The texts of DT_NEEDED, DT_RPATH and DT_RUNPATH."""
    layout = ("<" if machine.little else ">") + ("QQ" if machine.bits == 64 else "II")
    wanted: list[tuple[int, int]] = []
    address = size = 0
    step = struct.calcsize(layout)
    for tag, value in struct.iter_unpack(layout, table[: len(table) // step * step]):
        if tag == 0:
            break
        if tag == _STRTAB:
            address = value
        elif tag == _STRSZ:
            size = value
        elif tag in (_NEEDED, _RPATH, _RUNPATH):
            wanted.append((tag, value))
    found: dict[int, list[str]] = {_NEEDED: [], _RPATH: [], _RUNPATH: []}
    if not wanted:
        return found
    strings = _bytes(body, _offset(segments, address), size, _MAX_STRINGS, "string table")
    for tag, at in wanted:
        end = strings.find(b"\0", at)
        if at >= len(strings) or end < 0:
            raise Unreadable("broken ELF headers (a name outside of its table)")
        found[tag].append(_text(strings[at:end]))
    return found


def _offset(segments: Iterable[_Segment], address: int) -> int:
    """Where in the file stands what is loaded at `address`."""
    for segment in segments:
        if segment.type == _LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise Unreadable("broken ELF headers (a string table that is not loaded)")


def _bytes(body: Body, at: int, size: int, limit: int, what: str) -> bytes:
    if size > limit or at + size > body.size:
        raise Unreadable(f"broken ELF headers ({what})")
    body.seek(at)
    return body.read(size)


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
    if size < least or count > _MAX_SEGMENTS:
        raise Unreadable("broken ELF headers (program headers)")
    table = _bytes(body, start, size * count, size * count, "program headers")
    segments = []
    for index in range(count):
        fields = struct.unpack_from(layout, table, index * size)
        if machine.bits == 64:
            kind, _, offset, address, _, length, _, _ = fields
        else:
            kind, offset, address, _, length, _, _, _ = fields
        segments.append(_Segment(kind, offset, address, length))
    return segments


def _pair(order: str, head: bytes, at: int) -> tuple[int, int]:
    size, count = struct.unpack_from(f"{order}HH", head, at)
    return size, count


def _paths(texts: list[str]) -> tuple[str, ...]:
    return _interned(path for text in texts for path in text.split(":") if path)


def _interned(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sys.intern(str(text)) for text in texts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
