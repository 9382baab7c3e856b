"""What `verify` is at, while it is at it: a table on a terminal, a line for each image elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from archpatch.platforms import Platform
from archpatch.report.safe import safe

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_STATES = ("right", "wrong", "unknown")


class Watch:
    """Call it with (image, platform, text). Writes to standard error; quiet: nothing."""

    def __init__(self, *, quiet: bool = False, terminal: bool | None = None) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._rows: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._terminal and not self._quiet:
            from rich.console import Console  # dear at start-up
            from rich.live import Live

            self._live = Live(
                self._table(), console=Console(stderr=True), transient=True, refresh_per_second=4
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    def __call__(self, image: str, platform: Platform, text: str) -> None:
        with self._lock:
            self._rows[image, str(platform)] = text
            if self._live:
                self._live.update(self._table())
            elif not self._quiet and text in _STATES:
                sys.stderr.write(f"{safe(image)} {platform}: {text}\n")
                sys.stderr.flush()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_header=False)
        for (image, platform), text in self._rows.items():
            table.add_row(
                Text(safe(image)), Text(platform), Text(safe(text), overflow="ellipsis", no_wrap=True)
            )
        return table
