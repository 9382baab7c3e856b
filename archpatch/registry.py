"""Rule packs: entry points of group `archpatch.rules`, each a module with `RULES`, a tuple of `Rule` objects.

The built-in pack comes the same way. A pack that is broken stops the run: to go on without it would report
files as clean that nobody looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path

from archpatch.rule import Rule, Severity

GROUP = "archpatch.rules"
# The engine's own findings; no pack may use them.
RESERVED = "AP0"
_CODE = re.compile(r"[A-Z]{2,}[0-9]{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class BrokenPack(Exception):
    """A rule pack that cannot be used; str() names the entry point and its distribution."""


@dataclass(frozen=True, slots=True)
class _Pack:
    entry_point: EntryPoint
    distribution: Distribution

    def __str__(self) -> str:
        dist = self.distribution
        return f"rule pack {self.entry_point.name!r} ({self.entry_point.value}) of {dist.name} {dist.version}"


def load() -> tuple[Rule, ...]:
    """The rules of every installed pack, ordered by code.

    Raises BrokenPack when a pack cannot be imported, holds something that is no rule, or when two rules share
    a code or a name.
    """
    found: list[tuple[_Pack, Rule]] = []
    for pack in _packs():
        found += ((pack, rule) for rule in _rules(pack))
    _reject_twins(found)
    return tuple(sorted((rule for _, rule in found), key=lambda rule: rule.code))


def _packs() -> Iterator[_Pack]:
    """Every entry point of the group; of two distributions with one name the first on the path counts."""
    seen: set[str] = set()
    for distribution in distributions(path=_trusted_path()):
        points = distribution.entry_points.select(group=GROUP)
        if not points or (name := _normal(distribution.name)) in seen:
            continue
        seen.add(name)
        for point in sorted(points, key=lambda point: point.name):
            yield _Pack(point, distribution)


def _trusted_path() -> list[str]:
    """`sys.path` without the current folder, which may be the tree that is looked at (`python -m archpatch`)."""
    here = Path.cwd()
    return [entry for entry in sys.path if entry and Path(entry) != here]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _rules(pack: _Pack) -> Iterator[Rule]:
    try:
        rules = pack.entry_point.load().RULES
    except Exception as error:  # a pack runs its own code on import: anything may come
        raise BrokenPack(f"{pack} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(rules, tuple):
        raise BrokenPack(f"{pack}: RULES is a {type(rules).__name__}, not a tuple of rules")
    for rule in rules:
        if not isinstance(rule, Rule):
            hint = f"; write {rule.__name__}()" if isinstance(rule, type) and issubclass(rule, Rule) else ""
            raise BrokenPack(f"{pack}: {rule!r} in RULES is no Rule object{hint}")
        if problem := malformed(rule):
            raise BrokenPack(f"{pack}: {type(rule).__name__}: {problem}")
        yield rule


def malformed(rule: Rule) -> str:
    """What keeps a rule from being named in reports and suppressions; empty when nothing does."""
    code, name = getattr(rule, "code", None), getattr(rule, "name", None)
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return f"code {code!r} is not letters and three digits, like AP101"
    if code.startswith(RESERVED):
        return f"code {code} is one of the engine's own ({RESERVED}xx)"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"name {name!r} is not words in lower case joined by hyphens"
    if not isinstance(getattr(rule, "severity", None), Severity):
        return "it has no severity"
    return ""


def _reject_twins(found: list[tuple[_Pack, Rule]]) -> None:
    for what in ("code", "name"):
        first: dict[str, tuple[_Pack, Rule]] = {}
        for pack, rule in found:
            key = getattr(rule, what)
            if key in first:
                other_pack, other = first[key]
                raise BrokenPack(
                    f"two rules have the {what} {key}: {type(other).__name__} in {other_pack}"
                    f" and {type(rule).__name__} in {pack}"
                )
            first[key] = (pack, rule)
