"""A progress line on a terminal, once a run takes longer than a second."""

from __future__ import annotations

import time
from types import TracebackType
from typing import IO, Self

from archpatch.cli.options import is_terminal

_PATIENCE = 1.0  # seconds
_STEP = 0.1  # seconds between two changes of the line


class Progress:
    """Shows how many files are done; takes its line away at the end."""

    def __init__(self, stream: IO[str], *, quiet: bool) -> None:
        self._stream = stream
        self._on = is_terminal(stream) and not quiet
        self._next = time.monotonic() + _PATIENCE
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def step(self, done: int, total: int) -> None:
        """Called after each file."""
        if not self._on or (now := time.monotonic()) < self._next:
            return
        self._next = now + _STEP
        self._shown = True
        filled = 30 * done // total
        self._stream.write(f"\r{'#' * filled}{'.' * (30 - filled)} {done} of {total} files")
        self._stream.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
