"""What is made of a build that fails: the file's fault, or nobody's that could be told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from archpatch.platforms import AMD64
from archpatch.verify.build import Bench, Candidate, build
from archpatch.verify.buildx import Builder, Buildx, Built
from archpatch.verify.plan import Job
from archpatch.verify.preflight import Preflight
from archpatch.verify.progress import Progress
from archpatch.verify.verdict import Look, State


class _Failing(Buildx):
    """buildx that fails, and prints this."""

    def __init__(self, printed: Sequence[bytes]) -> None:
        super().__init__()
        self.printed = printed

    def bake(
        self,
        file: Path,
        target: str,
        metadata: Path,
        folders: Sequence[Path],
        progress: Progress,
        timeout: float | None = None,
    ) -> Built:
        for line in self.printed:
            progress.line(line)
        return Built((), 1, 0.1, progress)


def failed(folder: Path, *printed: bytes) -> Look:
    source = b"FROM scratch\nRUN x\n"
    (folder / "Dockerfile").write_bytes(source)
    bench = Bench(_Failing(printed), Preflight(Builder("b", "remote", ()), {}, {}, {}))
    return build(bench, Candidate(Job("a", folder / "Dockerfile", folder), source), AMD64).look


def vertex(name: str, error: str) -> bytes:
    return json.dumps({"vertexes": [{"digest": "d", "name": name, "error": error}]}).encode()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("[internal] waiting for connection", "context deadline exceeded"),
        (
            "[internal] booting buildkit",
            "Error response from daemon: No such image: moby/buildkit: not found",
        ),
        ("exporting to oci image format", "error writing layer blob: failed to copy: unexpected status"),
        ("[internal] load metadata for a.example/x", "unexpected status from HEAD request: 418"),
    ],
)
def test_what_fails_outside_of_the_files_steps_says_nothing_of_the_file(
    tmp_path: Path, name: str, error: str
) -> None:
    look = failed(tmp_path, vertex(name, error), f"ERROR: {error}".encode())
    assert look.state is State.UNKNOWN
    assert name in look.evidence[0].message
    assert error in look.evidence[0].message


@pytest.mark.parametrize(
    "name", ["[2/2] RUN x", "[linux/arm64 2/2] RUN x", "[linux/arm64 build 2/2] RUN x", "[a--linux-arm64 b 2/2] RUN x"]
)  # fmt: skip
def test_a_step_of_the_file_that_fails_is_the_files(tmp_path: Path, name: str) -> None:
    assert failed(tmp_path, vertex(name, "exit code: 1")).state is State.WRONG


def test_an_error_that_marks_lines_is_the_files(tmp_path: Path) -> None:
    look = failed(tmp_path, b"Dockerfile:2\n", b"   2 | >>> RUN x\n", b"ERROR: failed to solve: boom\n")
    assert (look.state, look.evidence[0].lines) == (State.WRONG, (2,))
