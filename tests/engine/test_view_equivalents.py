"""The pairs that the amd64 view takes for the same, built by BuildKit: the same comes out."""

from __future__ import annotations

import functools
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from archpatch.facts import Facts
from archpatch.platforms import AMD64
from archpatch.syntax.parse import parse
from archpatch.view import same, view

pytestmark = pytest.mark.engine

BASE = "FROM debian:bookworm-slim AS run\n"
OUT = "FROM scratch\nCOPY --from=run /out /out\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that holds `tool-x86_64`."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "tool-x86_64").write_text("hello\n")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def built(text: str, folder: Path) -> list[tuple[object, ...]]:
    """Name, mode, owner and content of every file of the amd64 image."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    target = folder / "image.tar"
    command = ["docker", "buildx", "build", "--quiet", "--network=host", "--platform=linux/amd64"]
    ran = subprocess.run(
        [*command, "--output", f"type=tar,dest={target}", str(folder)], capture_output=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")[-2000:]
    files = []
    with tarfile.open(target) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            files.append(
                (member.name, member.mode, member.uid, member.gid, content.read() if content else None)
            )
    return sorted(files, key=str)


def assert_same(before: str, after: str, folder: Path) -> None:
    views = [view(Facts(parse(text.encode()), targets=(AMD64,))) for text in (before, after)]
    assert same(*views)
    assert built(before, folder / "before") == built(after, folder / "after")


@pytest.mark.usefixtures("engine")
class TestEquivalents:
    def test_add_of_a_url_and_a_stage_that_adds_it(self, server: str, tmp_path: Path) -> None:
        assert_same(
            f"FROM scratch\nADD {server}/tool-x86_64 /bin/t\nADD --chmod=755 --chown=7:8 {server}/tool-x86_64 /u/\n",
            f"FROM scratch AS t-amd64\nADD {server}/tool-x86_64 /t\nFROM t-${{TARGETARCH}} AS t\n"
            f"FROM scratch AS n-amd64\nADD {server}/tool-x86_64 /\nFROM n-$TARGETARCH AS n\n"
            "FROM scratch\nCOPY --from=t /t /bin/t\n"
            "COPY --from=n --chmod=755 --chown=7:8 /tool-x86_64 /u/\n",
            tmp_path,
        )

    def test_a_library_preloaded_by_its_path_and_by_its_soname(self, tmp_path: Path) -> None:
        note = "RUN grep -o '/[^ ]*libm[.].*' /proc/self/maps | sort -u >/out\n"
        before = f"{BASE}ENV LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6\n{note}{OUT}"
        after = f"{BASE}ENV LD_PRELOAD=libm.so.6\n{note}{OUT}"
        assert_same(before, after, tmp_path)
        assert built(after, tmp_path / "after")[0][-1]

    def test_go_told_what_it_chooses_anyway(self, tmp_path: Path) -> None:
        text = (
            "FROM golang:1.19-bookworm AS run\nARG TARGETARCH\nWORKDIR /src\n"
            "RUN echo 'package main; func main() {{}}' >main.go && CGO_ENABLED=0 {}go build -o /out main.go\n"
        )
        told = text.format("GOOS=linux GOARCH=$TARGETARCH ")
        assert_same(text.format("") + OUT, told + OUT, tmp_path)

    def test_a_package_with_and_without_the_machines_own_architecture(self, tmp_path: Path) -> None:
        note = "RUN apt-get install -y {} >/log && grep -o 'libc6 is already.*' /log >/out\n"
        assert_same(BASE + note.format("libc6:amd64") + OUT, BASE + note.format("libc6") + OUT, tmp_path)
