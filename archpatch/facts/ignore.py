"""`.dockerignore`: which files of a folder are not in the build context.

Source: moby/patternmatcher (patternmatcher.go, ignorefile) and its use by BuildKit's file sync: a pattern that
fits a folder fits everything below it; the last pattern that fits decides; `!` takes back.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct


class Pattern(NamedTuple):
    """One line: a path pattern, or with `exception` one that takes files back."""

    exception: bool
    regex: re.Pattern[str]


class Ignore(Struct, frozen=True):
    """The patterns of a `.dockerignore`, in order."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Ignore:
        """Read the file. A pattern that Docker would reject is left out: it ignores nothing."""
        patterns = []
        for line in text.removeprefix("\ufeff").split("\n"):
            if line.startswith("#") or not (pattern := line.strip()):
                continue
            exception = pattern.startswith("!")
            pattern = pattern[1:].strip() if exception else pattern
            if not pattern:
                continue
            pattern = posixpath.normpath(pattern)
            while pattern.startswith("/") and len(pattern) > 1:  # normpath keeps two slashes
                pattern = pattern[1:]
            try:
                patterns.append(Pattern(exception, re.compile(_regex(pattern), re.DOTALL)))
            except re.error:
                continue
        return cls(tuple(patterns))

    def ignores(self, path: str) -> bool:
        """Whether the relative path with `/`, or a folder above it, is left out of the context."""
        if not self.patterns:
            return False
        parts = path.split("/")
        ways = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        ignored = False
        for pattern in self.patterns:
            if pattern.exception == ignored and any(map(pattern.regex.fullmatch, ways)):
                ignored = not pattern.exception
        return ignored

    @property
    def has_exceptions(self) -> bool:
        """Whether something below an ignored folder may still be in the context."""
        return any(pattern.exception for pattern in self.patterns)


def _regex(pattern: str) -> str:
    """The pattern as a regular expression that no path makes slow: see `_segment`."""
    done: list[str] = []
    pieces: list[str] = [""]  # of one segment: what stands between its stars
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 2 if pattern[at + 1 : at + 2] == "/" else 1
            anything = ".*" if at == len(pattern) else "(?:.*/)?"
            done += (_segment(pieces), anything)
            pieces = [""]
            while pattern.startswith("**/", at):  # a second `**/` in a row says nothing new
                at += 3
        elif char == "*":
            pieces.append("")
        elif char == "/":
            done += (_segment(pieces), "/")
            pieces = [""]
        elif char == "\\" and at < len(pattern):
            pieces[-1] += re.escape(pattern[at])
            at += 1
        elif char == "[":
            end = _class_end(pattern, at)
            pieces[-1] += "[" + pattern[at:end].replace("[", "\\[") + "]"
            at = end + 1
        else:
            pieces[-1] += "[^/]" if char == "?" else re.escape(char)
    return "".join((*done, _segment(pieces)))


def _segment(pieces: list[str]) -> str:
    """`a*b*c`: all but the last star take as little as they can and never reconsider, so the time stays linear."""
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}"


def _class_end(pattern: str, at: int) -> int:
    """Where the `]` of a character class stands. Raises re.error where there is none."""
    start = at + 1 if pattern[at : at + 1] == "^" else at
    end = start
    while end < len(pattern) and (pattern[end] != "]" or end == start):
        end += 2 if pattern[end] == "\\" else 1
    if end >= len(pattern):
        raise re.error("a class that never ends", pattern)
    return end


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a relative path fits one of these patterns (`requirements*.txt`, `**/*.csproj`) as a whole. A pattern
    that Docker would reject fits nothing."""
    return any(_fits(path, pattern) for pattern in patterns)


def _fits(path: str, pattern: str) -> bool:
    try:
        return re.fullmatch(_regex(pattern), path, re.DOTALL) is not None
    except re.error:
        return False
