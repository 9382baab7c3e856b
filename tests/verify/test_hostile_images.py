"""Hostile images: layouts that lie, files named like a frontend, and what a builder may say."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpatch.platforms import AMD64, ARM64
from archpatch.verify.existing import verify_image
from archpatch.verify.plan import without_frontend
from archpatch.verify.progress import Progress
from archpatch.verify.run import Request
from archpatch.verify.verdict import State
from tests.verify.images import DIR, END, File, Link, elf, header, tar

# Layouts


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """An OCI layout put together by hand, with the lies that a test wants."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(self, data: bytes, **lies: Any) -> dict[str, Any]:
        name = digest_of(data)
        self.files["blobs/" + name.replace(":", "/")] = data
        return {"digest": name, "size": len(data), **lies}

    def image(
        self, arch: str, *tars: bytes, config: Any = None, diff_ids: list[str] | None = None
    ) -> dict[str, Any]:
        settings = {"os": "linux", "architecture": arch, "config": config or {},
                    "rootfs": {"diff_ids": diff_ids or [digest_of(one) for one in tars]}}  # fmt: skip
        manifest = {"config": self.json(settings), "layers": [self.blob(one) for one in tars]}
        return self.json(manifest, platform={"os": "linux", "architecture": arch})

    def json(self, value: Any, **lies: Any) -> dict[str, Any]:
        return self.blob(json.dumps(value).encode(), **lies)

    def store(self, folder: Path, *manifests: Any) -> Path:
        self.files["index.json"] = json.dumps({"manifests": manifests}).encode()
        path = folder / "image.tar"
        with tarfile.open(path, "w") as archive:
            for name, data in self.files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path


def told(path: Path) -> tuple[list[State], str]:
    """What `verify --image` says of a file."""
    result = verify_image(str(path), Request(platforms=()))
    assert result.exit_code == 5 or not result.trouble
    return [look.state for look in result.looks], result.trouble


RIGHT, FOREIGN = tar({"app": elf("arm64")}), tar({"app": elf("amd64")})


def test_a_layer_is_known_by_its_blob_not_by_what_a_config_calls_it(tmp_path: Path) -> None:
    layout = Layout()
    good = layout.image("amd64", FOREIGN)
    lying = layout.image("arm64", tar({"app": elf("amd64"), "b": b""}), diff_ids=[digest_of(FOREIGN)])
    assert told(layout.store(tmp_path, good, lying))[0] == [State.RIGHT, State.WRONG]


def test_two_layers_under_one_name_in_two_files_are_not_taken_for_each_other(tmp_path: Path) -> None:
    layout = Layout()
    right = layout.image("arm64", RIGHT)
    assert told(layout.store(tmp_path, right))[0] == [State.RIGHT]
    layout.files["blobs/" + digest_of(RIGHT).replace(":", "/")] = FOREIGN[: len(RIGHT)]
    assert told(layout.store(tmp_path, right))[0] == [State.WRONG]


Lie = Callable[[Layout], list[dict[str, Any]]]


def _swapped(layout: Layout) -> list[dict[str, Any]]:
    image = layout.image("arm64", RIGHT)
    layout.files["blobs/" + image["digest"].replace(":", "/")] += b" "
    return [{**image, "size": image["size"] + 1}]


def _billion(layout: Layout) -> list[dict[str, Any]]:
    index = layout.image("arm64", RIGHT)
    for depth in range(4):
        index = layout.json({"manifests": [{**index, "platform": {"os": "linux", "architecture": f"a{n}{depth}"}}
                                           for n in range(300)]})  # fmt: skip
    return [index]


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(_swapped, id="a manifest that is not that of its digest"),
        pytest.param(lambda layout: [layout.image("arm64", RIGHT) | {"size": 1}], id="a size that lies"),
        pytest.param(lambda layout: [{"digest": "md5:00", "size": 1}], id="a digest that proves nothing"),
        pytest.param(lambda layout: [{"digest": "sha256:../../x"}], id="a digest that is a path"),
        pytest.param(lambda layout: [], id="no image"),
        pytest.param(lambda layout: [7], id="a descriptor that is a number"),
        pytest.param(_billion, id="indexes of indexes of indexes"),
        pytest.param(lambda layout: [layout.image("arm64", *[RIGHT] * 600)], id="600 layers"),
        pytest.param(lambda layout: [layout.image("arm64", RIGHT, config={"Cmd": [7]})], id="Cmd of numbers"),
        pytest.param(lambda layout: [layout.image("arm64", RIGHT, config={"Env": "A=1"})], id="Env that is a text"),
        pytest.param(lambda layout: [layout.image("arm64", RIGHT, config={"WorkingDir": {}})], id="WorkingDir"),
        pytest.param(lambda layout: [layout.image("arm64", RIGHT, config=["x"])], id="a config that is a list"),
    ],
)  # fmt: skip
def test_a_layout_that_lies_is_unreadable(tmp_path: Path, lie: Lie) -> None:
    layout = Layout()
    states, trouble = told(layout.store(tmp_path, *lie(layout)))
    assert trouble
    assert states == []


def test_an_index_listed_in_itself_ends(tmp_path: Path) -> None:
    layout = Layout()
    name = "0" * 64
    layout.files[f"blobs/sha256/{name}"] = json.dumps({"manifests": [{"digest": f"sha256:{name}"}]}).encode()
    assert told(layout.store(tmp_path, {"digest": f"sha256:{name}"}))[1]


def test_a_platform_that_is_listed_and_not_there_is_unknown(tmp_path: Path) -> None:
    layout = Layout()
    right = layout.image("amd64", FOREIGN)
    gone = {"digest": "sha256:" + "1" * 64, "size": 3, "platform": {"os": "linux", "architecture": "arm64"}}
    path = layout.store(tmp_path, right, gone)
    assert told(path) == ([State.RIGHT, State.UNKNOWN], "")
    assert verify_image(str(path), Request(platforms=(AMD64,))).exit_code == 0
    assert verify_image(str(path), Request(platforms=(ARM64,))).exit_code == 5


def test_a_path_that_leads_out_of_an_exempt_folder_is_not_exempt(tmp_path: Path) -> None:
    layout = Layout()
    states, _ = told(
        layout.store(tmp_path, layout.image("arm64", tar({"lib/firmware/../../app": elf("amd64")})))
    )
    assert states == [State.UNKNOWN]


def test_devices_and_links_to_links_of_a_layer_are_nothing_to_run(tmp_path: Path) -> None:
    device = header(b"app", b"3") + END
    layout = Layout()
    links = tar(
        {"l0": Link("l1"), "l1": Link("l0"), "l2": Link("/l0/../../x"), "d": DIR, "d/h": File(b"#!/l0\n")}
    )
    image = layout.image("arm64", device, links, config={"Entrypoint": ["/app"]})
    assert told(layout.store(tmp_path, image))[0] == [State.WRONG]


# Trees and builders


@pytest.mark.parametrize(
    "line",
    [b"#\fsyntax=evil:1", b"#\rsyntax=evil:1", b"# syntax\f=\fevil:1", b"#\t syntax \t=\r\fevil:1\f\r"],
)
def test_a_frontend_named_with_the_blanks_that_buildkit_takes_is_put_out_of_force(line: bytes) -> None:
    source, frontend = without_frontend(line + b"\nFROM scratch\n")
    assert (source, frontend) == (b"#\nFROM scratch\n", "evil:1") or source.startswith(b"#\r\nFROM")
    assert b"evil" not in source


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["vertexes", "logs", "warnings", "digest", "vertex", "name", "error", "data", "range", "start",
                         "end", "line", "short", "started"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(
    st.lists(st.dictionaries(st.sampled_from(["vertexes", "logs", "warnings"]), JSON, max_size=3), max_size=4)
)
def test_whatever_a_builder_says_is_read_without_an_error(events: list[Any]) -> None:
    progress = Progress()
    for event in events:
        progress.line(json.dumps(event).encode())
    assert isinstance(progress.error, str)
    assert progress.failed is None or progress.failed.error
    assert list(progress.resolved) == sorted(progress.resolved)
    assert progress.failed_lines == ()


def test_a_warning_of_two_billion_lines_takes_no_memory() -> None:
    place = {"start": {"line": 1}, "end": {"line": 2_000_000_000}}
    progress = Progress()
    progress.line(json.dumps({"warnings": [{"short": "eA==", "range": [place]}]}).encode())
    assert sys.getsizeof(progress.warnings[0].lines) < 100_000
