"""Programs run for a proof: argument lists only, a time limit, bounded output, no process left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_KEPT = 1 << 20  # bytes kept of each stream: the first half and the last
_LINE = 1 << 22  # bytes of one line; what is longer is cut
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none
_GRACE = 10.0  # seconds between asking a program to stop and killing it


class NoProgram(Exception):
    """The program is not there or cannot be started."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended. `code` is None where the time limit or a stop ended it."""

    code: int | None
    out: str
    err: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with 0."""
        return self.code == 0


@dataclass(slots=True)
class _Kept:
    """The first and the last bytes of a stream."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    lost: int = 0

    def add(self, data: bytes) -> None:
        room = _KEPT // 2 - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > _KEPT:
            self.lost += len(self.tail) - _KEPT // 2
            del self.tail[: -_KEPT // 2]

    def text(self) -> str:
        gap = f"\n[{self.lost} bytes left out]\n".encode() if self.lost else b""
        return bytes(self.head + gap + self.tail).decode("utf-8", "replace")


@dataclass(slots=True)
class Runner:
    """Starts programs, each in a process group of its own, and can stop all of them."""

    env: Mapping[str, str] = field(default_factory=dict)  # beside those of this process
    _live: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        stdin: bytes = b"",
        on_line: Callable[[bytes], None] | None = None,
        hidden: re.Pattern[str] | None = None,
    ) -> Completed:
        """Run a program to its end or for `timeout` seconds. `on_line` gets the lines of standard error.

        `hidden`: names of variables of the environment that it does not see. Raises NoProgram.
        """
        started = time.monotonic()
        process = self._start(arguments, cwd, hidden)
        out, err = _Kept(), _Kept()
        threads = [
            threading.Thread(target=_drain, args=(process.stdout, out.add), daemon=True),
            threading.Thread(target=_lines, args=(process.stderr, err, on_line), daemon=True),
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True),
        ]
        for thread in threads:
            thread.start()
        code: int | None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also after an interrupt, and for children that outlived their parent.
            _end(process)
            with self._lock:
                self._live.discard(process)
        for thread in threads:
            thread.join(_GRACE)
        if self._stopped:
            code = None
        return Completed(code, out.text(), err.text(), time.monotonic() - started)

    def _start(
        self, arguments: Sequence[str], cwd: Path | None, hidden: re.Pattern[str] | None
    ) -> subprocess.Popen[bytes]:
        seen = {name: value for name, value in os.environ.items() if not (hidden and hidden.search(name))}
        with self._lock:
            if self._stopped:
                raise NoProgram("stopped")
            try:
                process = subprocess.Popen(  # noqa: S603 (an argument list, never a shell)
                    list(arguments),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=cwd,
                    env={**seen, **self.env},
                    start_new_session=True,
                )
            except OSError as error:
                raise NoProgram(f"{arguments[0]}: {error.strerror}") from error
            self._live.add(process)
            return process

    def stop(self) -> None:
        """End every program that runs, and start none any more."""
        with self._lock:
            self._stopped = True
            live = list(self._live)
        for process in live:
            _signal(process, signal.SIGINT)
        last = time.monotonic() + _GRACE  # for all of them together
        for process in live:
            _end(process, last)


@contextlib.contextmanager
def stopped_gently() -> Iterator[None]:
    """Being told to end (a cancelled CI job, a terminal that closes) is here what Ctrl-C is: what was made is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGTERM, signal.SIGHUP]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, signal.default_int_handler) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes], last: float | None = None) -> None:
    """Ask the whole group to stop, then (at the time `last`) kill it. buildx cancels its build when it is asked."""
    if process.poll() is None:
        _signal(process, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE if last is None else max(0.0, last - time.monotonic()))
    _signal(process, _KILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()  # there are no groups, and nothing gentler that every program heeds
        else:
            os.killpg(process.pid, number)


def _drain(stream: IO[bytes] | None, take: Callable[[bytes], None]) -> None:
    assert stream is not None
    with contextlib.suppress(ValueError, OSError):
        while data := os.read(stream.fileno(), 1 << 16):
            take(data)


def _lines(stream: IO[bytes] | None, kept: _Kept, on_line: Callable[[bytes], None] | None) -> None:
    assert stream is not None
    with contextlib.suppress(ValueError, OSError):
        while line := stream.readline(_LINE):
            if on_line is None:
                kept.add(line)
            else:
                on_line(line)


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    assert stream is not None
    with contextlib.suppress(BrokenPipeError, OSError, ValueError):
        stream.write(data)
        stream.close()
