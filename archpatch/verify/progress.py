"""What buildx says while it builds (`--progress=rawjson`): steps, logs, warnings, and the error at the end."""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_LOG_LIMIT = 1 << 16  # bytes kept of one step's log, the last ones
_PLAIN_LINES, _PLAIN_WIDTH = 200, 2000
_WARNED_LINES = 1000
_MARKED = re.compile(r"^\s*(\d+) \| >>> (.*)")
_PLACE = re.compile(r"^([^\s:]+):(\d+)$")


@dataclass(slots=True)
class Step:
    """One vertex of the build. `name` is as buildx shows it: `[linux/arm64 build 3/8] RUN make`."""

    name: str
    started: bool = False
    completed: bool = False
    cached: bool = False
    error: str = ""
    log: bytearray = field(default_factory=bytearray)

    @property
    def output(self) -> str:
        """The end of what the step printed."""
        return self.log.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning of the Dockerfile frontend, with the lines (from 1) that it names."""

    message: str
    lines: tuple[int, ...]


@dataclass(slots=True)
class Progress:
    """Collects the lines of one invocation. `seen` is called after each change, with a short text for people."""

    seen: Callable[[str], None] = lambda text: None
    steps: dict[str, Step] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def line(self, data: bytes) -> None:
        """Take one line of standard error."""
        with self._lock:
            if data.startswith(b"{"):
                try:
                    self._event(json.loads(data))
                except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
                    self._plain(data)
            else:
                self._plain(data)

    def _plain(self, data: bytes) -> None:
        self.plain.append(data[:_PLAIN_WIDTH].decode("utf-8", "replace").rstrip("\r\n"))
        del self.plain[:-_PLAIN_LINES]

    def _event(self, event: Any) -> None:
        for vertex in event.get("vertexes") or ():
            step = self.steps.setdefault(str(vertex["digest"]), Step(str(vertex.get("name", ""))))
            step.started = step.started or bool(vertex.get("started"))
            step.completed = bool(vertex.get("completed"))
            step.cached = step.cached or bool(vertex.get("cached"))
            step.error = str(vertex.get("error") or step.error)
            if vertex.get("started"):
                self.seen(step.name)
        for log in event.get("logs") or ():
            step = self.steps.setdefault(str(log["vertex"]), Step(""))
            step.log += _decoded(log.get("data"))
            del step.log[:-_LOG_LIMIT]
        for warning in event.get("warnings") or ():
            lines = sorted({number for place in warning.get("range") or () for number in _numbers(place)})
            self.warnings.append(
                Warned(_decoded(warning.get("short")).decode("utf-8", "replace"), tuple(lines))
            )

    @property
    def failed(self) -> Step | None:
        """The step that failed; those that were only cancelled with it do not count."""
        wrong = [step for step in self.steps.values() if step.error and "context canceled" not in step.error]
        return wrong[0] if wrong else None

    @property
    def marked(self) -> tuple[tuple[int, str], ...]:
        """The lines (from 1) that the final error marks, with their text."""
        return tuple((int(match[1]), match[2]) for line in self.plain if (match := _MARKED.match(line)))

    @property
    def failed_lines(self) -> tuple[int, ...]:
        """The lines of the Dockerfile (from 1) that the final error marks."""
        if marked := self.marked:
            return tuple(line for line, _ in marked)
        return tuple(int(match[2]) for line in self.plain if (match := _PLACE.match(line.strip())))[:1]

    @property
    def error(self) -> str:
        """The final error text, for people and for triage."""
        text = "\n".join(line for line in self.plain if line.strip())
        step = self.failed
        return f"{step.output}\n{step.error}\n{text}" if step else text

    @property
    def resolved(self) -> tuple[str, ...]:
        """The images that were used, with their digests, as far as the build names them."""
        found = {
            match[1]
            for step in self.steps.values()
            if (match := re.search(r"(\S+@sha256:[0-9a-f]{64})", step.name))
        }
        return tuple(sorted(found))


def _numbers(place: Any) -> range:
    """The lines of a range; a frontend of the file's own choice may give any."""
    first, last = place["start"]["line"], place["end"]["line"]
    return range(first, min(last, first + _WARNED_LINES) + 1)


def _decoded(data: object) -> bytes:
    try:
        return base64.b64decode(data) if isinstance(data, str) else b""
    except binascii.Error:
        return b""
