"""Texts in XML, as Checkstyle and JUnit reports need them."""

from __future__ import annotations

from archpatch.report.safe import safe

# A pair of `#` begins a command of a CI runner, wherever it stands in a line.
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\t": "&#9;", "#": "&#35;"}
)


def quoted(text: object) -> str:
    """An attribute's value, with its quotes. What XML 1.0 cannot hold is made visible."""
    return f'"{escaped(text)}"'


def escaped(text: object) -> str:
    """Text between tags."""
    return safe(text).translate(_ENTITIES)


def document(lines: list[str]) -> bytes:
    """A document of these lines."""
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', *lines, ""]).encode("utf-8")
