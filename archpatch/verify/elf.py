"""What an ELF file's headers say, read through a window of its first bytes.

Only the file header, the program headers, the dynamic segment and its string table are looked at; section headers,
at the far end of a file, are not, so a stream need not be read to its end. pyelftools gives the numbers, and is the
judge of this reader in the tests; its own reader takes two milliseconds for each file and wants a whole one.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache

from elftools.elf.enums import ENUM_D_TAG, ENUM_E_MACHINE, ENUM_E_TYPE, ENUM_P_TYPE_BASE
from msgspec import Struct

from archpatch.verify.streams import Body, Unreadable

MAGIC = b"\x7fELF"
REL, EXEC, DYN = ENUM_E_TYPE["ET_REL"], ENUM_E_TYPE["ET_EXEC"], ENUM_E_TYPE["ET_DYN"]
_LOAD, _DYNAMIC, _INTERP = (ENUM_P_TYPE_BASE[f"PT_{name}"] for name in ("LOAD", "DYNAMIC", "INTERP"))
_NEEDED, _RPATH, _RUNPATH, _STRTAB, _STRSZ = (
    ENUM_D_TAG[f"DT_{name}"] for name in ("NEEDED", "RPATH", "RUNPATH", "STRTAB", "STRSZ")
)
_TAGS = frozenset((0, _NEEDED, _RPATH, _RUNPATH, _STRTAB, _STRSZ))
_HEAD = 4096  # bytes of a file that are read at once
_MAX_SEGMENTS = 512
_MAX_DYNAMIC = 1 << 18  # bytes
_MAX_STRINGS = 1 << 24
_MAX_TEXTS, _MAX_TEXT = 4096, 1 << 16  # names and paths of one file; bytes of all of them


class Machine(Struct, frozen=True, order=True, gc=False):
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


class Elf(Struct, frozen=True, gc=False):
    """The headers of one ELF file. `problem` says what could not be read of them, else it is empty."""

    machine: Machine
    type: int
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    dynamic: bool = False
    problem: str = ""


class _Layout(Struct, frozen=True):
    """Where the fields of one class and byte order stand."""

    header: struct.Struct  # e_phoff, e_phentsize, e_phnum
    segment: struct.Struct  # p_type, p_offset, p_vaddr, p_filesz
    dynamic: struct.Struct  # d_tag, d_val


_LAYOUTS = {
    (bits, little): _Layout(*(struct.Struct(("<" if little else ">") + fields) for fields in formats))
    for bits, formats in (
        (64, ("32xQ14xHH6x", "I4xQQ8xQ16x", "QQ")),
        (32, ("28xI10xHH6x", "III4xI12x", "II")),
    )
    for little in (True, False)
}
_Segments = Sequence[tuple[int, int, int, int]]


def machine_of(head: bytes) -> Machine | None:
    """The machine of a file that begins with `head` (20 bytes do), None where it is no ELF file."""
    if len(head) < 20 or head[:4] != MAGIC or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    return _known_machine(head[4:6], head[18:20])


@lru_cache(maxsize=64)
def _known_machine(ident: bytes, number: bytes) -> Machine:
    little = ident[1] == 1
    return Machine(int.from_bytes(number, "little" if little else "big"), 32 * ident[0], little)


def read(body: Body) -> Elf | None:
    """The headers of an ELF file; None where it is none. A broken one gives a `problem`, never an error."""
    head = body.head(_HEAD)
    machine = machine_of(head)
    if machine is None:
        return None
    kind = int.from_bytes(head[16:18], "little" if machine.little else "big")
    try:
        return _read(body, head, machine, kind)
    except Unreadable as error:
        return Elf(machine, kind, problem=str(error))
    except struct.error:
        return Elf(machine, kind, problem="broken ELF headers (cut off)")


def _read(body: Body, head: bytes, machine: Machine, kind: int) -> Elf:
    layout = _LAYOUTS[machine.bits, machine.little]
    segments = _segments(body, head, layout)
    interpreter, dynamic = None, (0, 0)
    for type_, offset, _, size in segments:
        if type_ == _INTERP and interpreter is None:
            text = _bytes(body, head, offset, size, 4096, "interpreter")
            interpreter = sys.intern(_text(text.partition(b"\0")[0]))
        elif type_ == _DYNAMIC and not dynamic[1]:
            dynamic = offset, size
    if not dynamic[1] or kind == REL:
        return Elf(machine, kind, interpreter)
    table = _bytes(body, head, *dynamic, _MAX_DYNAMIC, "dynamic segment")
    found = _texts(body, head, segments, table, layout.dynamic)
    needed, rpath, runpath = (found[tag] for tag in (_NEEDED, _RPATH, _RUNPATH))
    return Elf(machine, kind, interpreter, _interned(needed), _paths(rpath), _paths(runpath), dynamic=True)


def _texts(
    body: Body, head: bytes, segments: _Segments, table: bytes, entry: struct.Struct
) -> dict[int, list[str]]:
    """The texts of DT_NEEDED, DT_RPATH and DT_RUNPATH."""
    wanted: list[tuple[int, int]] = []
    address = size = 0
    for tag, value in entry.iter_unpack(table[: len(table) // entry.size * entry.size]):
        if tag in _TAGS:
            if tag == 0:
                break
            if tag == _STRTAB:
                address = value
            elif tag == _STRSZ:
                size = value
            else:
                wanted.append((tag, value))
    found: dict[int, list[str]] = {_NEEDED: [], _RPATH: [], _RUNPATH: []}
    if not wanted:
        return found
    if len(wanted) > _MAX_TEXTS:
        raise Unreadable("broken ELF headers (too many names)")
    strings = _bytes(body, head, _offset(segments, address), size, _MAX_STRINGS, "string table")
    left = _MAX_TEXT
    for tag, at in wanted:
        end = strings.find(b"\0", at, at + left)
        if at >= len(strings) or end < 0:
            raise Unreadable("broken ELF headers (a name outside of its table, or too long)")
        left -= end - at
        found[tag].append(_text(strings[at:end]))
    return found


def _offset(segments: _Segments, address: int) -> int:
    """Where in the file stands what is loaded at `address`."""
    for type_, offset, start, size in segments:
        if type_ == _LOAD and start <= address < start + size:
            return address - start + offset
    raise Unreadable("broken ELF headers (a string table that is not loaded)")


def _bytes(body: Body, head: bytes, at: int, size: int, limit: int, what: str) -> bytes:
    if at + size <= len(head):
        return head[at : at + size]
    if size > limit or at + size > body.size:
        raise Unreadable(f"broken ELF headers ({what})")
    body.seek(at)
    return body.read(size)


def _segments(body: Body, head: bytes, layout: _Layout) -> _Segments:
    """The program headers."""
    if len(head) < layout.header.size:
        raise Unreadable("broken ELF headers (too short)")
    start, size, count = layout.header.unpack_from(head)
    if not count:
        return ()
    entry = layout.segment
    if size < entry.size or count > _MAX_SEGMENTS:
        raise Unreadable("broken ELF headers (program headers)")
    table = _bytes(body, head, start, size * count, size * count, "program headers")
    if size == entry.size:
        return tuple(entry.iter_unpack(table))
    return tuple(entry.unpack_from(table, index * size) for index in range(count))


def _paths(texts: list[str]) -> tuple[str, ...]:
    return _interned(path for text in texts for path in text.split(":") if path)


def _interned(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sys.intern(str(text)) for text in texts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
