"""Line numbers, for the two places below the reports that speak of lines: the second reader and the dump."""

from __future__ import annotations

from bisect import bisect_left


def line_ends(source: bytes) -> list[int]:
    """The offset of every line feed."""
    ends = []
    at = source.find(b"\n")
    while at >= 0:
        ends.append(at)
        at = source.find(b"\n", at + 1)
    return ends


def line_number(ends: list[int], offset: int) -> int:
    """The line, from 1, that holds the byte at `offset`; a line feed belongs to the line it ends."""
    return bisect_left(ends, offset) + 1
