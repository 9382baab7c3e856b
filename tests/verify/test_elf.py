"""ELF headers, read from the first bytes of a file; broken ones never stop an inspection."""

from __future__ import annotations

import io
import struct
import sysconfig
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE
from hypothesis import given, settings
from hypothesis import strategies as st

from archpatch.verify import elf
from archpatch.verify.streams import PlainSource
from tests.verify.images import elf as made
from tests.verify.images import elf32


def read(data: bytes) -> elf.Elf | None:
    return elf.read(PlainSource(io.BytesIO(data), 0, len(data)).body(len(data)))


@pytest.mark.parametrize("arch", ["amd64", "arm64", "s390x"])
def test_machine_class_and_byte_order_are_those_of_the_table(arch: str) -> None:
    found = read(made(arch))
    assert found is not None
    assert (found.machine, found.problem, found.dynamic) == (elf.MACHINES[arch], "", False)


@pytest.mark.parametrize("arch", ["386", "arm"])
def test_32_bit_files_are_read(arch: str) -> None:
    found = read(elf32(arch))
    assert found is not None
    assert found.machine == elf.MACHINES[arch]


@pytest.mark.parametrize("arch", ["amd64", "arm64", "s390x"])
def test_the_dynamic_segment_is_read(arch: str) -> None:
    found = read(
        made(
            arch,
            interpreter="/lib/ld.so",
            needed=["libc.so.6", "libz.so.1"],
            runpath="$ORIGIN/../lib:/opt/lib",
        )
    )
    assert found is not None
    assert found.interpreter == "/lib/ld.so"
    assert found.needed == ("libc.so.6", "libz.so.1")
    assert (found.rpath, found.runpath) == ((), ("$ORIGIN/../lib", "/opt/lib"))


def test_a_static_file_is_known_by_its_first_bytes_whatever_its_size() -> None:
    data = made("arm64") + bytes(1 << 20)
    file = io.BytesIO(data)
    elf.read(PlainSource(file, 0, len(data)).body(len(data)))
    assert file.tell() <= 1 << 13


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        pytest.param(32, struct.pack("<Q", 1 << 60), "program headers", id="program headers far outside"),
        pytest.param(54, struct.pack("<HH", 1, 3), "program headers", id="program headers of one byte"),
        pytest.param(56, struct.pack("<H", 0xFFFF), "program headers", id="65,535 program headers"),
        pytest.param(64 + 56 * 2 + 32, struct.pack("<Q", 1 << 50), "dynamic", id="dynamic segment too large"),
        pytest.param(64 + 56 + 8, struct.pack("<Q", 1 << 50), "interpreter", id="interpreter far outside"),
    ],
)
def test_a_broken_header_is_named_and_the_machine_still_known(at: int, value: bytes, why: str) -> None:
    data = bytearray(made("arm64", interpreter="/lib/ld.so", needed=["libc.so.6"]))
    data[at : at + len(value)] = value
    found = read(bytes(data))
    assert found is not None
    assert why in found.problem
    assert found.machine == elf.MACHINES["arm64"]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"MZ" + bytes(100), b"\x7fELF\x07\x09" + bytes(60)],
    ids=["empty", "magic alone", "zeros", "a Windows program", "no such class"],
)
def test_what_is_no_elf_file_is_none(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize("at", [0, 1, 2], ids=["name", "address", "size"])
def test_a_string_table_that_is_not_there_is_named(at: int) -> None:
    data = bytearray(made("amd64", needed=["x"]))
    table = len(data) - 4 * 16  # DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_NULL
    data[table + at * 16 + 8 : table + at * 16 + 16] = struct.pack("<Q", 1 << 40)
    found = read(bytes(data))
    assert found is not None
    assert "broken ELF headers" in found.problem


def judged(path: Path) -> tuple[object, ...]:
    """What pyelftools reads in a whole file."""
    with path.open("rb") as file:
        whole = ELFFile(file)
        found: dict[str, list[str]] = {"needed": [], "rpath": [], "runpath": []}
        interpreter = None
        for segment in whole.iter_segments():
            if segment["p_type"] == "PT_INTERP":
                interpreter = segment.get_interp_name()
            elif segment["p_type"] == "PT_DYNAMIC":
                for tag in segment.iter_tags():
                    name = (
                        tag.entry.d_tag.removeprefix("DT_").lower()
                        if isinstance(tag.entry.d_tag, str)
                        else ""
                    )
                    if name in found:
                        found[name].append(getattr(tag, name))
        paths = [
            tuple(part for text in found[name] for part in text.split(":") if part)
            for name in ("rpath", "runpath")
        ]
        machine = (whole["e_machine"], whole.elfclass, whole.little_endian)
        return (machine, interpreter, tuple(found["needed"]), *paths)


def some_elf_files() -> list[Path]:
    """Programs, libraries and extension modules of this machine."""
    folders = [
        *sysconfig.get_paths().values(),
        "/usr/bin",
        "/usr/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ]
    found = []
    for folder in dict.fromkeys(folders):
        for path in sorted(Path(folder).glob("*"))[:2000] if Path(folder).is_dir() else ():
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    if file.read(4) == elf.MAGIC:
                        found.append(path)
    return found[:: max(1, len(found) // 60)]


def test_what_is_read_is_what_pyelftools_reads_in_the_files_of_this_machine() -> None:
    files = some_elf_files()
    assert files, "no ELF file on this machine"
    for path in files:
        data = path.read_bytes()
        found = read(data)
        assert found is not None
        assert found.problem == "", path
        name, bits, little = judged(path)[0]  # type: ignore[misc]  # a tuple of three
        assert found.machine == elf.Machine(ENUM_E_MACHINE[name], bits, little)
        assert (found.interpreter, found.needed, found.rpath, found.runpath) == judged(path)[1:], path


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_flipped_byte_brings_the_reader_down(data: st.DataObject) -> None:
    good = bytearray(made("arm64", interpreter="/lib/ld.so", needed=["libc.so.6"], rpath="/x"))
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(4, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(20, len(good)))
    read(bytes(good[:cut]))
