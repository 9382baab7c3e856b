"""Short ways to facts and commands, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archpatch.facts import Facts, MemoryContext, StageFacts
from archpatch.platforms import DEFAULT_TARGETS, Platform
from archpatch.syntax.parse import parse


def facts_of(
    text: str,
    files: Mapping[str, str] | None = None,
    name: str = "Dockerfile",
    targets: tuple[Platform, ...] = DEFAULT_TARGETS,
) -> Facts:
    """The facts of a Dockerfile, beside these files."""
    return Facts(parse(text.encode(), Path(name)), targets, MemoryContext(files or {}, name))


def last(text: str) -> StageFacts:
    """The last stage of a Dockerfile."""
    final = facts_of(text).final
    assert final is not None
    return final
