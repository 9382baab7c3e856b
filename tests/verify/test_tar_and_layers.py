"""Layers of every shape, hostile ones too: read in order, in bounded memory, nothing followed out of the image."""

from __future__ import annotations

import gzip
import io
import random
import struct
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from archpatch.verify import layers
from archpatch.verify.packed import GzipSource, ZstdSource, zstd
from archpatch.verify.rootfs import Rootfs
from archpatch.verify.streams import PlainSource, Unreadable
from archpatch.verify.tar import Kind, members
from tests.verify.images import DIR, Entry, File, Link, elf, tar


def plain(data: bytes) -> PlainSource:
    return PlainSource(io.BytesIO(data), 0, len(data))


def rootfs(*stack: dict[str, Entry] | list[tuple[str, Entry]]) -> Rootfs:
    return Rootfs.of(layers.read(plain(tar(entries)), number) for number, entries in enumerate(stack))


def paths(found: Rootfs) -> set[str]:
    return {path for path, _ in found.walk()}


class TestTar:
    @pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    @pytest.mark.parametrize("name", ["a", "d/" * 40 + "deep", "f" * 90], ids=["short", "deep", "long"])
    def test_names_are_read_in_every_format(self, format: int, name: str) -> None:
        found = [member for member, _ in members(plain(tar({name: b"x"}, format)))]
        assert [(member.path, member.size) for member in found] == [(name, 1)]

    @pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_a_name_of_several_hundred_characters_and_its_link_are_read(self, format: int) -> None:
        name, target = "n" * 300, "t" * 400
        found = [member for member, _ in members(plain(tar({name: Link(target)}, format)))]
        assert [(member.path, member.link) for member in found] == [(name, target)]

    def test_bodies_that_were_not_read_are_passed_over(self) -> None:
        source = plain(tar({"a": b"1" * 5000, "b": b"2" * 512, "c": b""}))
        found = []
        for member, body in members(source):
            if member.path == "b":
                body.seek(510)
                found.append(body.read())
        assert found == [b"22"]

    def test_a_body_can_be_read_back_and_forth_from_a_packed_stream(self) -> None:
        data = bytes(range(256)) * 100_000
        source = GzipSource(plain(gzip.compress(tar({"big": data, "next": b"n"}))))
        for member, body in members(source):
            if member.path == "big":
                body.seek(-4, 2)
                assert body.read() == data[-4:]
                body.seek(7)
                assert body.read(3) == data[7:10]
            else:
                assert body.read() == b"n"

    def test_several_gzip_members_in_a_row_are_one_stream(self) -> None:
        data = tar({"a": b"x" * 3000})
        source = GzipSource(plain(gzip.compress(data[:700]) + gzip.compress(data[700:]) + b"\0" * 20))
        assert [member.path for member, _ in members(source)] == ["a"]

    def test_several_zstd_frames_in_a_row_are_one_stream(self) -> None:
        data, pack = tar({"a": random.Random(1).randbytes(3 << 20), "b": b""}), zstd().compress
        skipped = (
            struct.pack("<II", 0x184D2A50, 5) + b"notes"
        )  # what other tools keep in a frame of their own
        source = ZstdSource(plain(pack(data[:700]) + skipped + pack(data[700:])))
        assert [member.path for member, _ in members(source)] == ["a", "b"]

    @pytest.mark.parametrize(
        "packed",
        [
            pytest.param(b"\x28\xb5\x2f\xfd" + b"junk" * 10, id="no zstd"),
            pytest.param(zstd().compress(tar({"a": random.Random(1).randbytes(9999)}))[:5000], id="cut off"),
            pytest.param(zstd().compress(b"\xff" * 600), id="no tar inside"),
        ],
    )
    def test_a_broken_zstd_stream_is_unreadable_and_says_so(self, packed: bytes) -> None:
        with pytest.raises(Unreadable):
            list(members(ZstdSource(plain(packed))))

    def test_a_zstd_stream_that_unpacks_without_end_is_refused(self) -> None:
        packed = zstd().compress(tar({"zeros": b"\0" * (1 << 22)}))
        with pytest.raises(Unreadable, match="unpacks"):
            list(members(ZstdSource(plain(packed), limit=1 << 20)))

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\x1f\x8b" + b"junk" * 10, id="no gzip"),
            pytest.param(gzip.compress(tar({"a": random.Random(1).randbytes(9999)}))[:5000], id="cut off"),
            pytest.param(gzip.compress(b"\xff" * 600), id="no tar inside"),
        ],
    )
    def test_a_broken_stream_is_unreadable_and_says_so(self, data: bytes) -> None:
        with pytest.raises(Unreadable):
            list(members(GzipSource(plain(data))))

    def test_a_tar_that_ends_inside_a_file_is_unreadable(self) -> None:
        with pytest.raises(Unreadable, match="ends inside"):
            list(members(plain(tar({"a": b"x" * 9999})[:5000])))

    @pytest.mark.parametrize(
        ("field", "digits"),
        [
            (slice(124, 136), b"-0000002000\0"),
            (slice(124, 136), b"1_0        \0"),
            (slice(100, 108), b"0o755  \0"),
        ],
        ids=["a negative size", "an underscore", "a prefix"],
    )
    def test_a_number_that_only_python_would_take_is_refused(self, field: slice, digits: bytes) -> None:
        header = bytearray(tar({"a": b""})[:512])
        header[field] = digits
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        with pytest.raises(Unreadable, match="number"):
            list(members(plain(bytes(header) + bytes(1024))))

    @pytest.mark.parametrize("place", [0, 99, 124, 300, 511])
    def test_a_header_whose_sum_is_another_is_refused(self, place: int) -> None:
        data = bytearray(tar({"a": b""}, tarfile.USTAR_FORMAT))
        data[place] ^= 1
        with pytest.raises(Unreadable, match="broken tar header"):
            list(members(plain(bytes(data))))

    def test_an_extended_header_without_measure_is_refused(self) -> None:
        info = tarfile.TarInfo("long")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
        with pytest.raises(Unreadable, match="1 MiB"):
            list(members(plain(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))))

    def test_a_stream_that_unpacks_without_end_is_refused(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        packed = packer.compress(tar({"zeros": b"\0" * (1 << 22)})) + packer.flush()
        with pytest.raises(Unreadable, match="unpacks"):
            list(members(GzipSource(plain(packed), limit=1 << 20)))

    @pytest.mark.parametrize("style", ["gnu", "posix"])
    def test_a_huge_sparse_file_made_by_tar_is_told_from_its_pieces(self, tmp_path: Path, style: str) -> None:
        with (tmp_path / "sparse").open("wb") as file:
            for place in range(0, 1 << 40, 1 << 33):  # more pieces than fit into one old GNU header
                file.seek(place)
                file.write(b"piece")
        (tmp_path / "next").write_bytes(b"n")
        command = [
            "tar",
            "-C",
            str(tmp_path),
            "--sparse",
            f"--format={style}",
            "-cf",
            str(tmp_path / "t.tar"),
        ]
        subprocess.run([*command, "sparse", "next"], check=True)
        data = (tmp_path / "t.tar").read_bytes()
        found = {member.path: member.sparse for member, _ in members(plain(data))}
        assert found == {"sparse": True, "next": False}

    def test_a_sparse_file_is_not_looked_at_and_that_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_bytes(elf())
        with (tmp_path / "s").open("r+b") as file:
            file.truncate(1 << 30)
        subprocess.run(
            ["tar", "-C", str(tmp_path), "--sparse", "--format=gnu", "-cf", "t.tar", "s"],
            check=True,
            cwd=tmp_path,
        )
        layer = layers.read(plain((tmp_path / "t.tar").read_bytes()), 0)
        assert [path for path, _ in layer.unread] == ["s"]


class TestLayers:
    def test_a_whiteout_takes_a_file_of_a_lower_layer_away(self) -> None:
        assert paths(rootfs({"a/x": b"1", "a/y": b"2"}, {"a/.wh.x": b""})) == {"a/y"}

    def test_a_whiteout_takes_a_whole_folder_away(self) -> None:
        assert paths(rootfs({"a/b/x": b"1", "c": b"2"}, {".wh.a": b""})) == {"c"}

    def test_a_whiteout_spares_the_file_of_its_own_layer_whatever_the_order(self) -> None:
        assert paths(rootfs({"x": b"old"}, [("x", b"new"), (".wh.x", b"")])) == {"x"}

    def test_an_opaque_folder_hides_what_is_below_and_keeps_what_is_beside(self) -> None:
        found = rootfs({"a/x": b"1", "a/d/y": b"2", "b": b"3"}, [("a/new", b"4"), ("a/.wh..wh..opq", b"")])
        assert paths(found) == {"a/new", "b"}

    def test_a_file_that_takes_the_place_of_a_folder_takes_all_of_it(self) -> None:
        assert paths(rootfs({"a/b/c": b"1"}, {"a": b"file"})) == {"a"}

    def test_a_folder_over_a_folder_merges(self) -> None:
        assert paths(rootfs({"a/x": b"1"}, {"a": DIR, "a/y": b"2"})) == {"a/x", "a/y"}

    def test_a_file_added_through_a_linked_folder_lands_in_the_real_one(self) -> None:
        found = rootfs({"usr/lib": DIR, "lib": Link("usr/lib")}, {"lib/x.so": b"1"})
        assert "usr/lib/x.so" in paths(found)
        assert found.file("/lib/x.so")[1] == "usr/lib/x.so"

    def test_a_hard_link_is_the_same_file_even_across_layers(self) -> None:
        found = rootfs({"a": elf("arm64")}, {"b": Link("a", hard=True), "c/d": Link("./b", hard=True)})
        assert [found.file(name)[0] is found.file("a")[0] for name in ("b", "c/d")] == [True, True]

    def test_a_link_that_takes_the_place_of_a_folder_leads_what_follows_elsewhere(self) -> None:
        found = rootfs([("a/x", b"1"), ("b", DIR), ("a", Link("b")), ("a/y", b"2"), ("b/z", b"3")])
        assert paths(found) == {"a", "b/y", "b/z"}

    def test_a_folder_that_takes_the_place_of_a_link_holds_what_follows(self) -> None:
        found = rootfs([("b/x", b"1"), ("a", Link("b")), ("a/y", b"2"), ("a", DIR), ("a/z", b"3")])
        assert paths(found) == {"a/z", "b/x", "b/y"}

    def test_a_hard_link_to_nothing_is_said(self) -> None:
        found = rootfs({"b": Link("gone", hard=True), "c": b""})
        assert paths(found) == {"c"}
        assert found.unread == [("b", "a hard link to nothing")]

    def test_a_file_below_a_link_that_leads_nowhere_is_said(self) -> None:
        found = rootfs({"d": Link("/gone")}, {"d/x": b"1"})
        assert [path for path, _ in found.unread] == ["d/x"]

    @pytest.mark.parametrize(
        "links",
        [
            pytest.param({"a": Link("a")}, id="itself"),
            pytest.param({"a": Link("b"), "b": Link("a")}, id="two in a ring"),
            pytest.param({"a": Link("a/a/a/a")}, id="growing"),
            pytest.param({"d/up": Link("../d/up/x"), "a": Link("d/up")}, id="through a folder"),
        ],
    )
    def test_loops_of_links_lead_nowhere(self, links: dict[str, Entry]) -> None:
        assert rootfs(links).resolve("a") == (None, "")

    @pytest.mark.parametrize(
        ("link", "real"),
        [
            pytest.param("/etc/passwd", "etc/passwd", id="absolute"),
            pytest.param("../../../../../../etc/passwd", "etc/passwd", id="above the root"),
            pytest.param("/../etc/./passwd", "etc/passwd", id="both"),
        ],
    )
    def test_links_are_followed_inside_the_image_alone(self, link: str, real: str) -> None:
        assert rootfs({"etc/passwd": b"image's own", "srv/l": Link(link)}).resolve("/srv/l")[1] == real
        assert rootfs({"srv/l": Link(link)}).resolve("/srv/l") == (None, "")

    @pytest.mark.parametrize(
        "name", ["../evil", "a/../../evil", "x" * 5000], ids=["up", "up inside", "too long"]
    )
    def test_names_that_no_system_would_take_are_left_out_and_said(self, name: str) -> None:
        found = rootfs({name: b"1", "/abs": b"2", "./dot": b"3"})
        assert paths(found) == {"abs", "dot"}
        assert [path for path, _ in found.unread] == [name]

    def test_a_device_named_like_a_program_is_no_file(self) -> None:
        info = tarfile.TarInfo("dev")
        info.type = tarfile.CHRTYPE
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            archive.addfile(info)
        found = Rootfs.of([layers.read(plain(out.getvalue()), 0)])
        assert [node.kind for _, node in found.walk()] == [Kind.OTHER]
        assert found.file("dev") == (None, "")

    def test_an_archive_says_which_machines_its_native_code_is_for(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("natives/x86/lib.so", elf("amd64"))
            archive.writestr("natives/arm/lib.so", elf("arm64"))
            archive.writestr("readme.txt", "elf")
        node = rootfs({"lib/fat.jar": out.getvalue()}).file("lib/fat.jar")[0]
        assert node is not None
        assert node.archive is not None
        assert [machine.number for machine, _ in node.archive.natives] == [62, 183]

    @pytest.mark.parametrize(
        ("name", "comment", "read"),
        [
            pytest.param("Main.class", b"", False, id="no native code"),
            pytest.param("Main.class", b"a" * 0xFFFF, False, id="the longest comment"),
            pytest.param("natives/lib.so", b"", True, id="native code"),
            pytest.param("natives/lib.so.1", b"PK\5\6" + b"\0" * 30, True, id="a second end record"),
            pytest.param("Main.class", b"PK\6\7" + b"\0" * 30, True, id="a record of ZIP64"),
        ],
    )
    def test_only_an_archive_that_may_name_native_code_is_read_in_full(
        self, name: str, comment: bytes, read: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(name, elf("amd64"))
            archive.comment = comment
        opened: list[object] = []

        class Noted(zipfile.ZipFile):
            def __init__(self, file: layers._Bounded) -> None:
                opened.append(file)
                super().__init__(file)

        monkeypatch.setattr(zipfile, "ZipFile", Noted)
        rootfs({"lib/app.jar": out.getvalue()})
        assert bool(opened) is read

    def test_a_broken_archive_is_unread_and_harmless(self) -> None:
        assert rootfs({"x.whl": b"PK\3\4 not a zip", "y": File(b"", 0o644)}).unread[0][0] == "x.whl"
