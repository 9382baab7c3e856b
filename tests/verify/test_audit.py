"""What the audit calls wrong, what it notes, and what it spares: on images made here, nothing is run."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from archpatch.platforms import AMD64, ARM64
from archpatch.rule import Severity
from archpatch.verify.audit import Audit, audit, equal_layers
from archpatch.verify.exempt import Exemptions
from archpatch.verify.oci import Store
from archpatch.verify.packed import zstd
from archpatch.verify.streams import Unreadable
from tests.verify.images import DIR, LOADERS, Entry, File, Link, Spec, elf, elf32, layout, tar

GLIBC: dict[str, Entry] = {
    "lib/ld-linux-aarch64.so.1": elf("arm64"),
    "lib/aarch64-linux-gnu/libc.so.6": elf("arm64", needed=["ld-linux-aarch64.so.1"]),
}
MUSL: dict[str, Entry] = {"lib/ld-musl-aarch64.so.1": elf("arm64")}
ALIEN = elf("amd64")
PROGRAM = elf("arm64", interpreter=LOADERS["arm64"], needed=["libc.so.6"])


def audited(
    tmp_path: Path,
    files: Mapping[str, Entry],
    config: Mapping[str, Any] | None = None,
    *,
    allow: tuple[str, ...] = (),
    labelled: str | None = None,
) -> Audit:
    path = layout(tmp_path / "image.tar", Spec([tar(files)], "arm64", labelled, config))
    with Store(path) as store:
        image = store.images()[0]
        return audit(image, store.rootfs(image), Exemptions.also(allow))


def wrong(found: Audit) -> list[tuple[str, str]]:
    return [(issue.code, issue.path) for issue in found.wrong]


class TestForeignCode:
    def test_a_file_for_another_machine_is_wrong(self, tmp_path: Path) -> None:
        found = audited(tmp_path, {"app": ALIEN, "right": elf("arm64")})
        assert wrong(found) == [("wrong-arch", "app")]
        assert "x86-64 64-bit code, the image is for linux/arm64" in found.wrong[0].message

    @pytest.mark.parametrize(
        "path",
        [
            pytest.param("usr/lib/firmware/a.bin", id="firmware"),
            pytest.param("usr/x86_64-linux-gnu/lib/libc.so.6", id="sysroot of a cross compiler"),
            pytest.param("usr/lib/gcc-cross/x86_64-linux-gnu/12/cc1", id="cross compiler"),
            pytest.param("usr/local/go/src/debug/elf/testdata/hello", id="test data"),
            pytest.param("app/node_modules/x/prebuilds/linux-x64/x.node", id="prebuilds of a node module"),
            pytest.param("usr/bin/qemu-x86_64-static", id="emulator"),
            pytest.param("opt/blobs/a/b", id="allowed by the user"),
        ],
    )
    def test_data_may_be_foreign(self, tmp_path: Path, path: str) -> None:
        found = audited(tmp_path, {path: ALIEN}, allow=("opt/blobs/**",))
        assert (wrong(found), found.exempt) == ([], 1)

    def test_what_the_container_starts_may_never_be_foreign(self, tmp_path: Path) -> None:
        files = {"app/testdata/run": ALIEN}
        assert wrong(audited(tmp_path, files, {"Entrypoint": ["/app/testdata/run"]})) == [
            ("wrong-arch", "app/testdata/run")
        ]

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param("r/linux-x64/native/a.so", "r/linux-arm64/native/a.so", id="runtimes of .NET"),
            pytest.param("p/attach_linux_amd64.so", "p/attach_linux_aarch64.so", id="name of the file"),
            pytest.param("t/Linux_x86_64/tool", "t/Linux_aarch64/tool", id="uname words"),
        ],
    )
    def test_a_package_for_several_platforms_is_spared(self, tmp_path: Path, one: str, other: str) -> None:
        assert wrong(audited(tmp_path, {one: ALIEN, other: elf("arm64")})) == []
        assert wrong(audited(tmp_path, {one: ALIEN})) == [("wrong-arch", one)]

    def test_a_library_copied_into_a_multiarch_folder_is_no_such_package(self, tmp_path: Path) -> None:
        path = "usr/lib/x86_64-linux-gnu/libz.so.1"
        files = {path: ALIEN, "usr/lib/aarch64-linux-gnu/libz.so.1": elf("arm64")}
        assert wrong(audited(tmp_path, files)) == [("wrong-arch", path)]

    def test_32_bit_code_of_the_family_and_object_files_are_notes(self, tmp_path: Path) -> None:
        found = audited(tmp_path, {"old": elf32("arm"), "crt.o": elf("amd64", kind=1, needed=["x"])})
        assert wrong(found) == []
        assert {issue.path for issue in found.issues} == {"old", "crt.o"}

    def test_an_archive_without_code_for_the_platform_is_wrong_and_a_fat_one_right(
        self, tmp_path: Path
    ) -> None:
        def jar(*arches: str) -> bytes:
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as archive:
                for arch in arches:
                    archive.writestr(f"{arch}/lib.so", elf(arch))
            return out.getvalue()

        found = audited(
            tmp_path, {"thin.jar": jar("amd64"), "fat.jar": jar("amd64", "arm64"), "pure.whl": jar()}
        )
        assert wrong(found) == [("wrong-arch-archive", "thin.jar")]

    def test_a_label_that_config_and_index_do_not_share_is_wrong(self, tmp_path: Path) -> None:
        path = layout(tmp_path / "i.tar", Spec([tar({"a": ALIEN})], "amd64", labelled="arm64"))
        with Store(path) as store:
            image = store.images()[0]
            found = audit(image, store.rootfs(image))
        assert wrong(found) == [("wrong-arch", "a"), ("wrong-label", "")]


class TestLoadersAndLibraries:
    def test_a_dynamic_program_without_its_loader_is_wrong(self, tmp_path: Path) -> None:
        found = audited(tmp_path, {"app": PROGRAM}, {"Entrypoint": ["/app"]})
        assert ("missing-loader", "app") in wrong(found)

    def test_a_glibc_program_on_musl_is_told_so(self, tmp_path: Path) -> None:
        found = audited(tmp_path, {**MUSL, "app": PROGRAM}, {"Cmd": ["/app"]})
        assert "built for glibc, the image has musl" in next(
            issue.message for issue in found.wrong if issue.code == "missing-loader"
        )

    @pytest.mark.parametrize(
        ("files", "program"),
        [
            pytest.param({"usr/lib/aarch64-linux-gnu/libx.so": elf("arm64")}, {}, id="multiarch folder"),
            pytest.param({"lib64/libx.so": elf("arm64")}, {}, id="lib64"),
            pytest.param({"srv/lib/libx.so": elf("arm64")}, {"runpath": "$ORIGIN/../lib"}, id="runpath, $ORIGIN"),
            pytest.param({"srv/lib/libx.so": elf("arm64")}, {"rpath": "${ORIGIN}/../lib"}, id="rpath"),
            pytest.param(
                {"etc/ld.so.conf": b"include ld.so.conf.d/*.conf\n", "etc/ld.so.conf.d/a.conf": b"/opt/l # x\n",
                 "opt/l/libx.so": elf("arm64")}, {}, id="ld.so.conf",
            ),
            pytest.param(
                {"usr/lib/libx.so": Link("/opt/real.so"), "opt/real.so": elf("arm64")}, {}, id="a link"
            ),
            pytest.param(
                {"env/libx.so": elf("arm64")}, {}, id="LD_LIBRARY_PATH",
            ),
        ],
    )  # fmt: skip
    def test_a_library_is_found_where_the_loader_looks(
        self, tmp_path: Path, files: dict[str, Entry], program: dict[str, str]
    ) -> None:
        data = elf("arm64", interpreter=LOADERS["arm64"], needed=["libx.so", "libc.so.6"], **program)  # type: ignore[arg-type]  # only rpath and runpath
        config = {"Entrypoint": ["/srv/bin/app"], "Env": ["LD_LIBRARY_PATH=/env"]}
        assert wrong(audited(tmp_path, {**GLIBC, **files, "srv/bin/app": data}, config)) == []

    def test_a_library_of_another_machine_does_not_count(self, tmp_path: Path) -> None:
        data = elf("arm64", interpreter=LOADERS["arm64"], needed=["libx.so"])
        found = audited(tmp_path, {**GLIBC, "usr/lib/libx.so": ALIEN, "app": data}, {"Cmd": ["/app"]})
        assert wrong(found) == [("missing-library", "app"), ("wrong-arch", "usr/lib/libx.so")]

    def test_a_runpath_puts_the_rpath_out_of_force(self, tmp_path: Path) -> None:
        data = elf("arm64", interpreter=LOADERS["arm64"], needed=["libx.so"], rpath="/a", runpath="/b")
        found = audited(tmp_path, {**GLIBC, "a/libx.so": elf("arm64"), "app": data}, {"Cmd": ["/app"]})
        assert wrong(found) == [("missing-library", "app")]

    def test_the_closure_of_the_entrypoint_is_followed(self, tmp_path: Path) -> None:
        files = {
            **GLIBC,
            "app": elf("arm64", interpreter=LOADERS["arm64"], needed=["libone.so"]),
            "usr/lib/libone.so": elf("arm64", needed=["libstdc++.so.6"]),
        }
        found = audited(tmp_path, files, {"Entrypoint": ["/app"]})
        assert wrong(found) == [("missing-library", "usr/lib/libone.so")]
        assert "needs libstdc++.so.6" in found.wrong[0].message

    def test_the_same_gap_in_a_plugin_nobody_starts_is_a_note(self, tmp_path: Path) -> None:
        found = audited(tmp_path, {**GLIBC, "opt/plugin.so": elf("arm64", needed=["libhost.so"])})
        assert wrong(found) == []
        assert [issue.severity for issue in found.issues] == [Severity.NOTE]

    @pytest.mark.parametrize(
        "folder", ["usr/lib/python3/dist-packages", "v/site-packages", "app/node_modules/m"]
    )
    def test_in_an_extension_module_it_is_an_error(self, tmp_path: Path, folder: str) -> None:
        path = f"{folder}/_x.so"
        found = audited(tmp_path, {**GLIBC, path: elf("arm64", needed=["libgcc_s.so.1"])})
        assert wrong(found) == [("missing-library", path)]

    def test_not_when_another_part_of_the_image_brings_the_library(self, tmp_path: Path) -> None:
        files = {"v/site-packages/a/_x.so": elf("arm64", needed=["libtorch.so"])}
        assert (
            wrong(audited(tmp_path, {**files, "v/site-packages/torch/lib/libtorch.so": elf("arm64")})) == []
        )

    def test_libraries_of_the_hosts_driver_are_not_missed(self, tmp_path: Path) -> None:
        assert (
            audited(tmp_path, {"v/site-packages/_c.so": elf("arm64", needed=["libcuda.so.1"])}).issues == ()
        )

    def test_musl_is_its_own_libc_and_looks_in_its_own_folders(self, tmp_path: Path) -> None:
        data = elf(
            "arm64", interpreter="/lib/ld-musl-aarch64.so.1", needed=["libc.musl-aarch64.so.1", "libx.so"]
        )
        files = {**MUSL, "usr/bin/app": data, "usr/local/lib/libx.so": elf("arm64")}
        assert wrong(audited(tmp_path, files, {"Cmd": ["app"]})) == []
        files["etc/ld-musl-aarch64.path"] = b"/lib\n/usr/lib\n"
        assert wrong(audited(tmp_path, files, {"Cmd": ["app"]})) == [("missing-library", "usr/bin/app")]

    @pytest.mark.parametrize("text", ["/usr/lib/x86_64-linux-gnu/libj.so.2", "/opt/no.so:/also/no.so"])
    def test_a_preload_that_is_not_there_is_wrong(self, tmp_path: Path, text: str) -> None:
        found = audited(tmp_path, GLIBC, {"Env": [f"LD_PRELOAD={text}"]})
        assert {code for code, _ in wrong(found)} == {"missing-preload"}

    def test_a_preload_by_soname_or_that_is_there_is_right(self, tmp_path: Path) -> None:
        files = {**GLIBC, "opt/j.so": elf("arm64"), "etc/ld.so.preload": b"/opt/j.so\n"}
        assert wrong(audited(tmp_path, files, {"Env": ["LD_PRELOAD=libj.so.2 /opt/j.so"]})) == []


class TestWhatTheContainerStarts:
    SH: ClassVar[dict[str, Entry]] = {"bin/sh": elf("arm64")}

    @pytest.mark.parametrize(
        ("config", "files"),
        [
            pytest.param({"Entrypoint": ["/app"]}, {"app": elf("arm64")}, id="a full path"),
            pytest.param({"Cmd": ["app"]}, {"usr/bin/app": elf("arm64")}, id="a name on the default PATH"),
            pytest.param(
                {"Cmd": ["app"], "Env": ["PATH=/x:/y"]}, {"y/app": elf("arm64")}, id="a name on PATH"
            ),
            pytest.param(
                {"Cmd": ["./run"], "WorkingDir": "/srv"}, {"srv/run": elf("arm64")}, id="from WORKDIR"
            ),
            pytest.param({"Cmd": ["/run.sh"]}, {**SH, "run.sh": b"#! /bin/sh -e\n"}, id="a script"),
            pytest.param(
                {"Cmd": ["/m.py"]},
                {
                    "m.py": b"#!/usr/bin/env python3\n",
                    "usr/bin/env": elf("arm64"),
                    "usr/bin/python3": elf("arm64"),
                },
                id="a script through env",
            ),
            pytest.param({}, {}, id="nothing"),
        ],
    )
    def test_right(self, tmp_path: Path, config: dict[str, Any], files: dict[str, Entry]) -> None:
        assert wrong(audited(tmp_path, {"etc": DIR, **files}, config)) == []

    @pytest.mark.parametrize(
        ("config", "files", "message"),
        [
            pytest.param({"Cmd": ["/app"]}, {}, "is not in the image", id="nothing there"),
            pytest.param({"Cmd": ["app"]}, {"opt/app": elf("arm64")}, "is not in the image", id="not on PATH"),
            pytest.param({"Cmd": ["/app"]}, {"app": DIR}, "it is no file", id="a folder"),
            pytest.param({"Cmd": ["/app"]}, {"app": File(elf("arm64"), 0o644)}, "not executable", id="no x bit"),
            pytest.param({"Cmd": ["/a.sh"]}, {"a.sh": b"#!/bin/bash\n"}, "'/bin/bash' is not in", id="no bash"),
            pytest.param({"Cmd": ["/a.sh"]}, {**SH, "a.sh": b"#!/bin/sh\r\n"}, "Windows line ends", id="CRLF"),
            pytest.param(
                {"Cmd": ["/a"]}, {"a": b"#!/usr/bin/env python3\n", "usr/bin/env": elf("arm64")}, "'python3' is not",
                id="env finds none",
            ),
            pytest.param({"Cmd": ["/a"]}, {**SH, "a": b"echo\n"}, "neither ELF nor a script", id="no #! line"),
            pytest.param({"Cmd": ["/a"]}, {"a": Link("/gone")}, "is not in the image", id="a dangling link"),
        ],
    )  # fmt: skip
    def test_wrong(
        self, tmp_path: Path, config: dict[str, Any], files: dict[str, Entry], message: str
    ) -> None:
        found = audited(tmp_path, {"etc": DIR, **files}, config)
        assert [issue.code for issue in found.wrong] == ["missing-entrypoint"]
        assert message in found.wrong[0].message

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(["/bin/sh", "-c", "exec /app --serve"], id="shell form"),
            pytest.param(["/bin/tini", "--", "/app"], id="under an init"),
            pytest.param(["/bin/sh", "/start.sh", "/app"], id="named later"),
        ],
    )
    def test_programs_behind_a_shell_or_an_init_are_looked_at(
        self, tmp_path: Path, arguments: list[str]
    ) -> None:
        broken = elf("arm64", interpreter=LOADERS["arm64"], needed=["libgone.so"])
        files = {**GLIBC, **self.SH, "bin/tini": elf("arm64"), "start.sh": b"#!/bin/sh\n", "app": broken}
        assert wrong(audited(tmp_path, files, {"Cmd": arguments})) == [("missing-library", "app")]


class TestStores:
    @pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested index"])
    def test_attestations_are_passed_over_and_platforms_read(self, tmp_path: Path, nested: bool) -> None:
        specs = Spec([tar({"a": elf()})]), Spec([tar({"a": elf("arm64")})], "arm64")
        with Store(layout(tmp_path / "i.tar", *specs, nested=nested)) as store:
            assert [image.platform for image in store.images()] == [AMD64, ARM64]

    def test_a_layout_folder_reads_as_its_tar(self, tmp_path: Path) -> None:
        path = layout(tmp_path / "i.tar", Spec([tar({"a": elf()})]))
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / "layout", filter="data")
        with Store(path) as one, Store(tmp_path / "layout") as two:
            assert one.images() == two.images()
            assert list(one.rootfs(one.images()[0]).walk()) == list(two.rootfs(two.images()[0]).walk())

    def test_a_link_in_a_layout_folder_is_not_followed_out_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "layout").mkdir()
        (tmp_path / "secret").write_text('{"manifests": []}')
        (tmp_path / "layout" / "index.json").symlink_to("../secret")
        with Store(tmp_path / "layout") as store, pytest.raises(Unreadable, match="leads out"):
            store.images()

    def test_a_docker_archive_is_read_links_between_its_layers_too(self, tmp_path: Path) -> None:
        config = b'{"architecture": "arm64", "os": "linux", "config": {"Cmd": ["/app"]}}'
        files: dict[str, Entry] = {
            "c.json": config,
            "one/layer.tar": tar({"app": ALIEN}),
            "two/layer.tar": Link("../one/layer.tar"),
            "manifest.json": b'[{"Config": "c.json", "Layers": ["one/layer.tar", "two/layer.tar"]}]',
        }
        (tmp_path / "d.tar").write_bytes(tar(files))
        with Store(tmp_path / "d.tar") as store:
            image = store.images()[0]
            assert wrong(audit(image, store.rootfs(image))) == [("wrong-arch", "app")]

    @pytest.mark.parametrize("pack", [gzip.compress, zstd().compress, bytes], ids=["gzip", "zstd", "plain"])
    def test_layers_are_told_by_their_bytes(self, tmp_path: Path, pack: Any) -> None:
        with Store(layout(tmp_path / "i.tar", Spec([tar({"a": elf()})]), pack=pack)) as store:
            assert [path for path, _ in store.rootfs(store.images()[0]).walk()] == ["a"]

    def test_a_packing_that_this_python_cannot_read_is_unreadable(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, zstd().__name__, None)
        path = layout(tmp_path / "i.tar", Spec([tar({})]), pack=lambda data: b"\x28\xb5\x2f\xfd" + data)
        with Store(path) as store, pytest.raises(Unreadable, match="layer 1: could not read zstd"):
            store.rootfs(store.images()[0])

    @pytest.mark.parametrize(
        ("files", "why"),
        [
            pytest.param({"a": b""}, "neither", id="another tar"),
            pytest.param({"index.json": b"{"}, "no JSON", id="broken index"),
            pytest.param({"index.json": b"[" * 100_000}, "no JSON", id="nested without end"),
            pytest.param({"index.json": b'{"manifests": 1}'}, "not an image", id="another shape"),
            pytest.param({"index.json": b'{"manifests": [{"digest": "../x"}]}'}, "no digest", id="a path"),
        ],
    )
    def test_what_is_no_image_is_unreadable(self, tmp_path: Path, files: dict[str, Entry], why: str) -> None:
        (tmp_path / "x.tar").write_bytes(tar(files))
        with Store(tmp_path / "x.tar") as store, pytest.raises(Unreadable, match=why):
            store.images()

    def test_equal_layers_of_two_platforms_are_an_alarm_when_they_hold_native_code(
        self, tmp_path: Path
    ) -> None:
        def alarms(*layers: bytes) -> list[str]:
            specs = [Spec([layer], arch) for layer, arch in zip(layers, ("amd64", "arm64"), strict=True)]
            with Store(layout(tmp_path / "i.tar", *specs)) as store:
                pairs = [(image, audit(image, store.rootfs(image))) for image in store.images()]
            return [f"{platform} {issue.code}" for platform, issue in equal_layers(pairs).items()]

        native, data = tar({"a": elf()}), tar({"a.txt": b"text"})
        assert alarms(native, native) == ["linux/arm64 equal-layers"]
        assert alarms(native, tar({"a": elf("arm64")})) == []
        assert alarms(data, data) == []


def test_an_image_of_many_large_files_is_read_in_little_memory(tmp_path: Path) -> None:
    big = elf("arm64", interpreter=LOADERS["arm64"], needed=["libc.so.6"]) + bytes(8 << 20)
    path = layout(tmp_path / "big.tar", Spec([tar({f"f{n}": big for n in range(12)})], "arm64"))
    del big
    tracemalloc.start()
    with Store(path) as store:
        found = store.rootfs(store.images()[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(1 for _, node in found.walk() if node.elf) == 12
    assert peak < 8 << 20
