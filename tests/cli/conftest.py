"""The command line in this process, which spares each test a start of the interpreter."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from archpatch.cli.app import run


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Cli = Callable[..., Ran]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Runs `cli("check", "x", input=b"...")` in an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "CLICOLOR_FORCE",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "TF_BUILD",
    ):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str | Path, input: bytes = b"") -> Ran:
        words = [os.fspath(argument) for argument in arguments]
        streams = {
            name: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for name in ("stdout", "stderr")
        }
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["archpatch", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
            for name, stream in streams.items():
                patch.setattr(sys, name, stream)
            code = run(words)
        out, err = (stream.buffer.getvalue() for stream in streams.values())  # type: ignore[attr-defined]
        return Ran(code, out, err.decode())

    return call


SAFE = b'FROM --platform=$BUILDPLATFORM alpine AS base\nFROM base\nCMD ["sh"]\n'
MENDED = b'FROM alpine AS base\nFROM base\nCMD ["sh"]\n'
UNSAFE = b"FROM --platform=linux/amd64 alpine\n"
CLEAN = b"FROM alpine\n"
BROKEN = b"FROM alpine\nNONSENSE x\n"


def put(name: str, content: bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
