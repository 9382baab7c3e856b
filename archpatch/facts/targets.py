"""Which architectures are asked for, named as in `Platform.arch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archpatch.platforms import AMD64, ARM64

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts


def only_asked_for(facts: Facts, *arches: str) -> bool:
    """Whether no other architecture than these is asked for."""
    return all(target.arch in arches for target in facts.targets)


def others(facts: Facts) -> tuple[str, ...]:
    """Those that are asked for beside amd64, in the order in which they are."""
    return tuple(dict.fromkeys(target.arch for target in facts.targets if target.arch != AMD64.arch))


def choices(facts: Facts) -> tuple[str, ...]:
    """Those that a choice by architecture gets an arm for: amd64, arm64, and what else is asked for."""
    return tuple(dict.fromkeys((AMD64.arch, ARM64.arch, *(target.arch for target in facts.targets))))
