"""Pitfalls as real builds: what ships before, and that the mended text ships what it should.

Most of them build without an error on both platforms: only the files of the image tell before from after.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.syntax.parse import parse
from archpatch.verify import bases
from archpatch.verify.build import Bench, Candidate
from archpatch.verify.plan import Job
from archpatch.verify.run import check_all
from archpatch.verify.verdict import Evidence, Look, State
from tests.engine.conftest import Tree, Workbench, foreign_library, program

pytestmark = pytest.mark.engine
RIGHT = {AMD64: State.RIGHT, ARM64: State.RIGHT}
ARM_WRONG = {AMD64: State.RIGHT, ARM64: State.WRONG}
APPS: Tree = {"app-amd64": program("amd64"), "app-arm64": program("arm64")}


def states(looks: dict[Platform, Look]) -> dict[Platform, State]:
    return {platform: look.state for platform, look in looks.items()}


def kinds(look: Look) -> set[str]:
    return {one.kind for one in look.wrong}


def pair(workbench: Workbench, before: str, after: str, files: Tree = APPS) -> dict[Platform, Look]:
    """Looks before, once before is wrong on arm64 alone and after is right on both."""
    old = workbench.looks({**files, "Dockerfile": before})
    new = workbench.looks({**files, "Dockerfile": after})
    assert states(old) == ARM_WRONG, {platform: look.evidence for platform, look in old.items()}
    assert states(new) == RIGHT, {platform: look.evidence for platform, look in new.items()}
    return old


def test_a_final_stage_on_the_build_platform(workbench: Workbench, mini: str) -> None:
    before = f"FROM --platform=$BUILDPLATFORM {mini}:both\nCOPY data /data\n"
    old = pair(workbench, before, f"FROM {mini}:both\nCOPY data /data\n", {"data": "1"})
    assert kinds(old[ARM64]) == {"wrong-arch", "equal-layers"}
    assert next(one for one in old[ARM64].wrong if one.path == "bin/base").lines == (1,)
    assert "$BUILDPLATFORM" in old[AMD64].notes[0]  # and on a node of its own arm64 would look right too


def test_a_literal_goarch_under_scratch_has_right_labels_and_one_wrong_binary(workbench: Workbench) -> None:
    before = (
        "FROM --platform=$BUILDPLATFORM golang:1.19-bookworm AS build\nARG TARGETARCH\nWORKDIR /src\nCOPY . .\n"
        "RUN CGO_ENABLED=0 GOOS=linux GOARCH={} go build -o /app main.go\n"
        'FROM scratch\nCOPY --from=build /app /app\nENTRYPOINT ["/app"]\n'
    )
    files = {"main.go": "package main\n\nfunc main() { println(1) }\n"}
    old = pair(workbench, before.format("amd64"), before.format("$TARGETARCH"), files)
    assert {(one.kind, one.path, one.lines) for one in old[ARM64].wrong if one.path} == {
        ("wrong-arch", "app", (7,))
    }


def test_a_default_that_wins_over_the_automatic_value(workbench: Workbench) -> None:
    text = 'FROM scratch\nARG TARGETARCH{}\nCOPY app-$TARGETARCH /app\nENTRYPOINT ["/app"]\n'
    pair(workbench, text.format("=amd64"), text.format(""))


def test_an_automatic_arg_that_is_not_declared(workbench: Workbench) -> None:
    text = 'FROM scratch\n{}COPY app-${{TARGETARCH:-amd64}} /app\nENTRYPOINT ["/app"]\n'
    pair(workbench, text.format(""), text.format("ARG TARGETARCH\n"))


def test_a_stage_for_each_architecture_and_one_of_them_missing(workbench: Workbench) -> None:
    stage = "FROM scratch AS app-{0}\nCOPY app-{0} /app\n"
    last = "FROM app-${TARGETARCH}\n"
    old = pair(workbench, stage.format("amd64") + last, stage.format("amd64") + stage.format("arm64") + last)
    assert "FROM app-${TARGETARCH} has no stage for linux/arm64" in old[ARM64].wrong[0].message


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """A server on loopback with a tool for both platforms."""
    folder = tmp_path / "origin"
    folder.mkdir()
    for arch in ("amd64", "arm64"):
        (folder / f"tool-linux-{arch}").write_bytes(program(arch))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("how", ["RUN", "ADD"])
def test_a_download_for_amd64(workbench: Workbench, origin: str, how: str) -> None:
    if how == "RUN":
        fetch = (
            "from urllib.request import urlretrieve as get; import os;"
            "get('{}', '/tool'); os.chmod('/tool', 0o755)"
        )
        steps = "FROM --platform=$BUILDPLATFORM python:3.11-slim-bookworm AS get\nARG TARGETARCH\n"
        steps += f'RUN python3 -c "{fetch}"\nFROM scratch\nCOPY --from=get /tool /tool\n'
    else:
        steps = "FROM scratch\nARG TARGETARCH\nADD --chmod=755 {} /tool\n"
    text = steps + 'ENTRYPOINT ["/tool"]\n'
    old = pair(
        workbench,
        text.format(f"{origin}/tool-linux-amd64"),
        text.format(f"{origin}/tool-linux-$TARGETARCH"),
        {},
    )
    assert [one.path for one in old[ARM64].wrong if one.kind == "wrong-arch"] == ["tool"]


def test_a_download_that_does_not_exist_for_arm64_is_told_by_its_404(
    workbench: Workbench, origin: str
) -> None:
    text = f"FROM scratch\nARG TARGETARCH\nADD {origin}/gone-$TARGETARCH /tool\n"
    look = workbench.looks({"Dockerfile": text}, (ARM64,))[ARM64]
    assert (look.state, look.failed, look.wrong[0].lines) == (State.WRONG, True, (3,))
    assert "perhaps none for this architecture" in look.wrong[0].message


def test_libraries_that_an_extension_module_needs_and_the_runtime_stage_lacks(workbench: Workbench) -> None:
    build = (
        "FROM golang:1.19-bookworm AS build\nWORKDIR /root\nCOPY ext.c .\n"
        "RUN mkdir -p lib site-packages && cd /lib/*-linux-gnu && cp libc.so.6 libm.so.6 /root/lib/ \\\n"
        " && cp -L /lib*/ld-linux-* /root/lib/ && cd /root \\\n"
        " && gcc -shared -fPIC -o site-packages/_ext.so ext.c"
        " -Wl,--no-as-needed -l:libstdc++.so.6 -l:libgcc_s.so.1 -lc\n"
        "FROM build AS more\nRUN cp /usr/lib/*-linux-gnu/libstdc++.so.6 /lib/*-linux-gnu/libgcc_s.so.1 /root/lib/\n"
        "FROM scratch\nCOPY --from={} /root/lib /lib\nCOPY --from=build /root/site-packages /app/site-packages\n"
    )
    files = {"ext.c": "int answer(void) { return 42; }\n"}
    old = workbench.looks({**files, "Dockerfile": build.format("build")})
    new = workbench.looks({**files, "Dockerfile": build.format("more")})
    assert states(new) == RIGHT
    for look in old.values():
        assert {one.path for one in look.wrong} == {"app/site-packages/_ext.so"}
        assert {word for one in look.wrong for word in one.message.split() if ".so" in word} == {
            "libstdc++.so.6,",
            "libgcc_s.so.1,",
        }


def test_an_apt_source_for_amd64_alone(workbench: Workbench, tmp_path: Path) -> None:
    debs: dict[str, bytes] = {}
    for arch in ("amd64", "arm64"):
        root = tmp_path / f"deb-{arch}"
        (root / "DEBIAN").mkdir(parents=True)
        control = f"Package: tool\nVersion: 1\nArchitecture: {arch}\nMaintainer: nobody\nDescription: tool\n"
        (root / "DEBIAN" / "control").write_text(control)
        (root / "opt").mkdir()
        (root / "opt" / "tool").write_bytes(program(arch))
        made = tmp_path / f"tool_{arch}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, made], check=True, capture_output=True)
        debs[arch] = made.read_bytes()
    files: dict[str, str | bytes] = {}
    for arch, data in debs.items():
        files[f"repo/tool_{arch}.deb"] = data
        files[f"repo/dists/x/main/binary-{arch}/Packages"] = (
            f"Package: tool\nVersion: 1\nArchitecture: {arch}\nFilename: tool_{arch}.deb\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\nDescription: tool\n\n"
        )
    text = (
        "FROM debian:bookworm-slim AS install\nCOPY repo /repo\n"
        "RUN rm -rf /etc/apt/sources.list*; echo 'deb [{}trusted=yes] file:/repo x main' > /etc/apt/sources.list \\\n"
        " && apt-get update && apt-get install -y tool\n"
        "FROM scratch\nCOPY --from=install /opt/tool /tool\n"
    )
    old = pair(workbench, text.format("arch=amd64 "), text.format(""), files)
    assert old[ARM64].failed
    assert old[ARM64].wrong[0].lines == (3, 4)
    assert "a package does not exist for this architecture" in old[ARM64].wrong[0].message


def test_a_preloaded_library_by_a_path_of_amd64(workbench: Workbench) -> None:
    text = "FROM debian:bookworm-slim\nENV LD_PRELOAD={}libm.so.6\n"
    old = pair(workbench, text.format("/usr/lib/x86_64-linux-gnu/"), text.format(""), {})
    assert kinds(old[ARM64]) == {"missing-preload"}


def test_a_wheel_for_another_architecture(workbench: Workbench) -> None:
    def wheel(arch: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            data = foreign_library() if arch == "x86_64" else program("arm64")
            archive.writestr("pkg/_native.so", data)
        return out.getvalue()

    names = {"amd64": "x86_64", "arm64": "aarch64"}
    files = {f"wheels/{arch}/pkg-1-cp311-cp311-linux_{word}.whl": wheel(word) for arch, word in names.items()}
    text = "FROM scratch\nARG TARGETARCH\nCOPY wheels/{} /wheels\n"
    old = pair(workbench, text.format("amd64"), text.format("$TARGETARCH"), files)
    assert kinds(old[ARM64]) == {"wrong-arch-archive", "equal-layers"}


@pytest.mark.parametrize("kind", ["digest of one platform", "single manifest"])
def test_bases_that_build_for_arm64_with_amd64_inside(
    workbench: Workbench, mini: str, digest_of: Callable[[str], str], kind: str
) -> None:
    pinned = f"{mini}@{digest_of(mini + ':amd64')}" if kind.startswith("digest") else f"{mini}:amd64"
    text = "FROM {}\nCOPY data /data\n"
    old = pair(workbench, text.format(pinned), text.format(f"{mini}:both"), {"data": "1"})
    assert {"base", "wrong-arch"} <= kinds(old[ARM64])
    warned = next(one for one in old[ARM64].wrong if one.kind == "base")
    assert warned.lines == (1,)
    assert 'pulled with platform "linux/amd64", expected "linux/arm64"' in warned.message


class TestBasesWithoutABuild:
    """Level check: BuildKit is asked for the manifests, nothing is built."""

    def ask(self, bench: Bench, text: str) -> dict[str, Evidence | None]:
        named, unknown = bases.bases_of(parse(text.encode()), ARM64)
        assert unknown == ()
        answers = bases.probe(bench.buildx, named)
        return {f"{reference} {platform}": found for (reference, platform), found in answers.items()}

    def test_each_image_is_asked_for_the_platform_that_it_is_used_on(self, bench: Bench, mini: str) -> None:
        text = (
            f"FROM --platform=$BUILDPLATFORM {mini}:amd64 AS tool\nFROM {mini}:both\n"
            f"COPY --from={mini}:amd64 /bin/base /1\nCOPY --from=tool /bin/base /2\n"
        )
        found = self.ask(bench, text)
        assert {question: one.state if one else None for question, one in found.items()} == {
            f"{mini}:amd64 linux/amd64": None,
            f"{mini}:both linux/arm64": None,
            f"{mini}:amd64 linux/arm64": State.WRONG,
        }

    def test_an_index_without_the_platform_is_wrong_and_a_name_that_is_none_unknown(
        self, bench: Bench, mini: str
    ) -> None:
        found = self.ask(bench, "FROM 127.0.0.1:5000/archpatch-test/nowhere:1\n")
        assert [one.state if one else None for one in found.values()] == [State.UNKNOWN]
        riscv = bases.probe(bench.buildx, [bases.Base(f"{mini}:both", Platform.parse("linux/riscv64"), 1)])
        assert [one.state if one else None for one in riscv.values()] == [State.WRONG]

    def test_the_level_says_which_line_names_the_image(self, bench: Bench, mini: str, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text(
            f"FROM {mini}:both AS a\nFROM a\nCOPY --from={mini}:amd64 /bin /b\n"
        )
        job = Job("x", tmp_path / "Dockerfile", tmp_path)
        [amd, arm] = check_all(bench, [Candidate(job, job.dockerfile.read_bytes())], (AMD64, ARM64))
        assert (amd.state, arm.state) == (State.RIGHT, State.WRONG)
        assert [one.lines for one in arm.wrong] == [(3,)]
