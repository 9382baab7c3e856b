"""The word that was meant by a misspelt one."""

from __future__ import annotations

import os
from collections.abc import Iterable

_ALIKE = 0.6  # of 1, as difflib has it


def nearest(word: str, known: Iterable[str]) -> str:
    """The word of `known`, which holds at least one, that is most like a misspelt one.

    Equal beginnings count more: codes of one family share theirs.
    """
    return max(known, key=lambda other: _likeness(word, other) + 0.1 * len(_beginning(word, other)))


def close(word: str, known: Iterable[str]) -> str | None:
    """The same, where it is alike enough to be meant."""
    near = nearest(word, known)
    return near if _likeness(word, near) >= _ALIKE else None


def no_such_rule(word: str, known: Iterable[str]) -> str:
    """What to say of a word that is no rule's code or name."""
    near = close(word, known)
    return f"no rule is called {word!r}; " + (
        f"the nearest is {near}" if near else "`archpatch rules` lists them"
    )


def _likeness(word: str, other: str) -> float:
    from difflib import SequenceMatcher  # for a misspelt word alone

    return SequenceMatcher(None, word, other).ratio()


def _beginning(word: str, other: str) -> str:
    return os.path.commonprefix([word, other])  # noqa: RUF071  (of words, not of paths)
