"""Tests whose outcome is known: `[ a = b ]`, patterns of `case`."""

from __future__ import annotations

import fnmatch
import re

from archpatch.view.values import Glob, Word


def fits(pattern: Word, text: str) -> bool | None:
    """Whether a text fits a pattern; None when the pattern is not known."""
    if pattern.text is None:
        return None
    glob = "".join(
        piece.text if isinstance(piece, Glob) else re.sub(r"[*?\[]", r"[\g<0>]", piece)
        for piece in pattern.pieces
        if isinstance(piece, (str, Glob))
    )
    return fnmatch.fnmatchcase(text, glob)


def test(words: tuple[Word, ...]) -> bool | None:
    """The status of `[ a = b ]`, `[[ a == b* ]]`, `test -n a` over known words, of `true` and `false`."""
    texts = [word.text for word in words]
    name = texts[0] if texts else None
    if name in ("true", ":", "false") and len(words) == 1:
        return name != "false"
    if name not in ("[", "[[", "test") or None in texts:
        return None
    inner = list(words[1:-1] if name in ("[", "[[") else words[1:])
    if name != "[[" and any(isinstance(piece, Glob) for word in inner for piece in word.pieces):
        return None  # names of files may come in its place
    negated = False
    while inner and inner[0].text == "!":
        negated, inner = not negated, inner[1:]
    result = _compare(inner, patterns=name == "[[")
    return None if result is None else result is not negated


def _compare(words: list[Word], *, patterns: bool) -> bool | None:
    texts = [word.text or "" for word in words]
    if len(texts) == 1:
        return bool(texts[0])
    if len(texts) == 2 and texts[0] in ("-n", "-z"):
        return bool(texts[1]) is (texts[0] == "-n")
    if len(texts) == 3 and texts[1] in ("=", "==", "!="):
        equal = fits(words[2], texts[0]) if patterns else texts[0] == texts[2]
        return None if equal is None else equal is (texts[1] != "!=")
    return None
