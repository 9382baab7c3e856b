"""Hostile files of an image: tars, ELF headers, archives and trees of links."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpatch.verify import elf as elf_reader
from archpatch.verify import layers
from archpatch.verify.exempt import Siblings
from archpatch.verify.loader import Loader
from archpatch.verify.packed import GzipSource
from archpatch.verify.rootfs import Rootfs
from archpatch.verify.streams import BLOCK, PlainSource, Unreadable
from archpatch.verify.tar import members
from tests.verify.images import END, Entry, Link, elf, header, tar


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def pax(**records: str) -> bytes:
    """A pax header; `__` in a key stands for a dot."""
    data = b""
    for key, value in records.items():
        body = f" {key.replace('__', '.')}={value}\n".encode()
        size = len(body) + 1
        while len(str(size)) + len(body) != size:
            size = len(str(size)) + len(body)
        data += str(size).encode() + body
    return header(b"pax", b"x", len(data)) + padded(data)


def long_name(name: bytes) -> bytes:
    return header(b"././@LongLink", b"L", len(name), magic=b"ustar  \0") + padded(name)


def names(data: bytes) -> list[str]:
    return [member.path for member, _ in members(PlainSource(io.BytesIO(data), 0, len(data)))]


EVIL = b"usr/bin/evil"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(pax(path="") + header(EVIL), ["usr/bin/evil"], id="an empty pax path"),
        pytest.param(pax(path="a") + pax(size="0") + header(EVIL), ["usr/bin/evil"], id="a second pax header"),
        pytest.param(long_name(EVIL) + pax(path="a") + header(b"b"), ["usr/bin/evil"], id="both long names"),
        pytest.param(long_name(b"a") + header(b"g", b"g") + header(EVIL), ["usr/bin/evil"], id="global header"),
        pytest.param(
            pax(GNU__sparse__name="lib/firmware/x") + header(EVIL), ["usr/bin/evil"], id="a name of no sparse file"
        ),
        pytest.param(header(EVIL + b"/", size=3) + padded(b"abc"), ["usr/bin/evil/"], id="a file like a folder"),
        pytest.param(
            header(b"evil", prefix=b"p" * 131 + b"7" * 12, trailer=b"tar\0"), ["p" * 131 + "/evil"], id="star"
        ),
    ],
)  # fmt: skip
def test_a_member_has_the_name_that_engines_unpack_it_by(data: bytes, expected: list[str]) -> None:
    assert names(data + END) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pax(path="a\0b") + header(EVIL) + END, id="NUL in a pax path"),
        pytest.param(header(EVIL, prefix=b"p", magic=b"ustar  \0") + END, id="a prefix in a GNU header"),
        pytest.param(bytes(BLOCK) + header(EVIL) + END, id="a lone empty block"),
        pytest.param(long_name(EVIL), id="an end after a long name"),
        pytest.param(
            header(b"pax", b"x", 20) + padded(b"11 path=ab\nxxxxxxxxx") + END, id="pax without a length"
        ),
    ],
)
def test_a_tar_on_which_readers_disagree_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        names(data)


@given(
    st.lists(st.sampled_from([pax(path="a"), long_name(b"b"), header(b"c", b"5"), header(b"d", size=5), b"\0" * 512])),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255))),
)  # fmt: skip
def test_any_bytes_are_members_or_unreadable(blocks: list[bytes], changes: list[tuple[int, int]]) -> None:
    data = bytearray(b"".join(blocks) + END)
    for at, value in changes:
        if at < len(data):
            data[at] = value
    with contextlib.suppress(Unreadable):
        names(bytes(data))


def layer(entries: Mapping[str, Entry]) -> layers.Layer:
    data = tar(entries)
    return layers.read(PlainSource(io.BytesIO(data), 0, len(data)), 0)


@pytest.mark.parametrize("name", ["a/.wh.", "a/.wh..", "a/.wh...", ".wh.."])
def test_a_whiteout_of_its_own_folder_or_of_that_above_is_said(name: str) -> None:
    found = layer({name: b""})
    assert found.unread == [(name, "a whiteout of its own folder")]
    assert found.removed == []


def test_a_layer_of_names_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_WEIGHT", 10_000)
    with pytest.raises(Unreadable, match="more names"):
        layer({f"file{number}": b"" for number in range(100)})


def test_texts_of_elf_headers_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_WEIGHT", 10_000)
    with pytest.raises(Unreadable, match="more names"):
        layer({f"lib{number}": elf(needed=["x" * 4000]) for number in range(6)})


class Bytes:
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        self.body = PlainSource(io.BytesIO(data), 0, len(data)).body(len(data))


def read_elf(data: bytes) -> elf_reader.Elf:
    found = elf_reader.read(Bytes(data).body)
    assert found is not None
    return found


def with_field(data: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


DYNAMIC = elf(needed=["libx.so"], interpreter="/lib64/ld-linux-x86-64.so.2")


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [
        pytest.param(56, "<H", 0xFFFF, id="65,535 program headers"),
        pytest.param(56, "<H", 512, id="program headers past the end"),
        pytest.param(54, "<H", 1, id="program headers that overlap"),
        pytest.param(32, "<Q", 1 << 63, id="program headers far away"),
        pytest.param(64 + 56 + 8, "<Q", (1 << 64) - 1, id="an interpreter past the end"),
        pytest.param(64 + 56 + 32, "<Q", (1 << 64) - 1, id="an interpreter without end"),
        pytest.param(64 + 112 + 8, "<Q", 1 << 40, id="a dynamic segment past the end"),
        pytest.param(64 + 16, "<Q", 1 << 40, id="nothing loaded where the strings are"),
    ],
)
def test_broken_program_headers_are_a_problem_and_no_error(at: int, form: str, value: int) -> None:
    found = read_elf(with_field(DYNAMIC, at, form, value))
    assert found.problem.startswith("broken ELF headers")
    assert found.machine == elf_reader.MACHINES["amd64"]  # this much is sure


def test_names_that_share_one_text_of_megabytes_take_no_memory_of_their_own() -> None:
    found = read_elf(elf(needed=["x" * 60_000, "y" * 60_000]))
    assert "too long" in found.problem


@given(st.binary(max_size=400), st.integers(0, 300))
def test_any_bytes_after_the_magic_are_read_without_an_error(data: bytes, at: int) -> None:
    changed = bytearray(DYNAMIC)
    changed[20 + at : 20 + at + len(data)] = data
    elf_reader.read(Bytes(bytes(changed)).body)


def jar(count: int, native: bool) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.so" if native else f"{number}.class", elf("amd64") if native else b"")
    return out.getvalue()


def test_an_archive_with_thousands_of_libraries_is_not_looked_through() -> None:
    found = layer({"app.jar": jar(2001, native=True)})
    assert "2001 of them native" in found.unread[0][1]


def test_an_archive_with_a_huge_table_of_contents_is_not_read_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layers, "_ARCHIVE_READ", 2000)
    found = layer({"app.jar": jar(100, native=False)})
    assert "table of contents" in found.unread[0][1]


def rootfs(*entries: dict[str, Entry]) -> Rootfs:
    return Rootfs.of([layer(one) for one in entries])


def test_files_of_the_loaders_config_that_include_one_another_are_read_once() -> None:
    include = ("include /etc/ld.so.conf.d/*.conf\n" * 20).encode()
    files: dict[str, Entry] = {
        f"etc/ld.so.conf.d/{number}.conf": include + b"/opt/x\n" for number in range(20)
    }
    found = Loader(rootfs({"etc/ld.so.conf": include, "opt/x/libx.so": elf("arm64"), **files}), "arm64", {})
    needs = read_elf(elf("arm64", needed=["libx.so", "libc.so.6"]))
    assert list(found.missing("app", needs)) == ["libc.so.6"]


def test_paths_and_links_without_measure_are_refused() -> None:
    image = rootfs({"a": Link("/a/" * 40), **{f"l{number}": Link("/a") for number in range(10)}})
    image._steps = 3
    with pytest.raises(Unreadable, match="without measure"):
        image.resolve("l1/x")


def test_many_foreign_files_in_one_folder_are_compared_once() -> None:
    files: dict[str, Entry] = {f"opt/app/tool-{number}-amd64": b"" for number in range(5000)}
    siblings = Siblings(rootfs({**files, "opt/app/tool-7-arm64": b""}), "arm64")
    assert [path for path in files if siblings.has(path)] == ["opt/app/tool-7-amd64"]
    assert len(siblings._known) == 1


def test_a_layer_that_unpacks_to_headers_alone_is_bounded() -> None:
    block = header(b"d/", b"5")
    packed = gzip.compress(block * 4000)
    source = GzipSource(PlainSource(io.BytesIO(packed), 0, len(packed)), limit=BLOCK * 1000)
    with pytest.raises(Unreadable, match="unpacks to more"):
        layers.read(source, 0)
