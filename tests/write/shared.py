"""Texts, failing calls and names that the tests of the atomic write share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from archpatch import write

OLD, NEW = b"FROM --platform=linux/amd64 alpine\r\n", b"\xef\xbb\xbfFROM alpine\n\xff no final newline"


def failing(number: int, real: Callable[..., object], on: Callable[..., bool]) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        if on(*args):
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    return call


def always(*_args: object) -> bool:
    return True


def temp_name(pid: int, host: str | None = None) -> str:
    return f".archpatch-{host or write._host()}-{pid}-{'0' * 16}.tmp"


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid
