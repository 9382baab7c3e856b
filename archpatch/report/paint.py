"""Colours of a terminal, by hand: seven words are no reason to load a library at start-up."""

from __future__ import annotations

from msgspec import Struct

from archpatch.rule import Severity

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "1;31",
    "green": "32",
    "yellow": "33",
    "blue": "1;34",
    "magenta": "35",
    "cyan": "36",
}
OF_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Paint(Struct, frozen=True):
    """Puts a safe text in a colour, where there are colours."""

    on: bool

    def __call__(self, color: str, text: str) -> str:
        return f"\x1b[{_CODES[color]}m{text}\x1b[0m" if self.on and text else text
