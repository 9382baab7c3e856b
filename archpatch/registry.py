"""Rule packs: entry points of group `archpatch.rules`, each a module with `RULES`, a tuple of `Rule` objects.

The built-in pack comes the same way. A pack that is broken stops the run: to go on without it would report
files as clean that nobody looked at.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from archpatch.rule import Rule, Severity
from archpatch.text import regex

GROUP = "archpatch.rules"
# The engine's own findings; no pack may use them.
RESERVED = "AP0"
_CODE = regex(r"[A-Z]{2,}[0-9]{3}")
_NAME = regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class BrokenPack(Exception):
    """A rule pack that cannot be used; str() names the entry point and its distribution."""


class Pack(NamedTuple):
    """An entry point, and the folder of metadata that it stands in."""

    name: str
    value: str
    metadata: Path

    @property
    def distribution(self) -> tuple[str, str]:
        """Name and version, as the folder's name gives them."""
        name, _, version = self.metadata.stem.partition("-")
        return name, version

    def load(self) -> Any:
        """What the entry point names. Raises whatever its import raises."""
        module, _, attributes = self.value.partition("[")[0].partition(":")
        return reduce(getattr, filter(None, attributes.strip().split(".")), import_module(module.strip()))

    def __str__(self) -> str:
        return f"rule pack {self.name!r} ({self.value}) of {' '.join(self.distribution)}"


def load() -> tuple[Rule, ...]:
    """The rules of every installed pack, ordered by code.

    Raises BrokenPack when a pack cannot be imported, holds something that is no rule, or when two rules share
    a code or a name.
    """
    found: list[tuple[Pack, Rule]] = []
    for pack in packs():
        found += ((pack, rule) for rule in _rules(pack))
    _reject_twins(found)
    return tuple(sorted((rule for _, rule in found), key=lambda rule: rule.code))


def packs() -> Iterator[Pack]:
    """Every entry point of the group; of two distributions with one name the first on the path counts.

    The files are read here: importlib.metadata would cost a check of one file 25 ms, a fifth of its time.
    """
    seen: set[str] = set()
    for metadata in distributions():
        points = sorted(_entry_points(metadata))
        if not points or (name := _normal(points[0].distribution[0])) in seen:
            continue
        seen.add(name)
        yield from points


def distributions() -> Iterator[str]:
    """The folders of metadata of all that is installed."""
    for entry in _trusted_path():
        try:
            names = sorted(os.listdir(entry))
        except OSError:
            continue  # a zip file, or a folder that is not there
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                yield os.path.join(entry, name)


def _entry_points(metadata: str) -> Iterator[Pack]:
    try:
        with open(os.path.join(metadata, "entry_points.txt"), "rb") as file:
            text = file.read().decode()
    except (OSError, UnicodeDecodeError):
        return
    if GROUP not in text:  # all but one or two of them
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and not line.startswith(("#", ";")) and "=" in line:
            name, _, value = line.partition("=")
            yield Pack(name.strip(), value.strip(), Path(metadata))


def _trusted_path() -> list[str]:
    """`sys.path` without the current folder, which may be the tree that is looked at (`python -m archpatch`)."""
    here = Path.cwd()
    return [entry for entry in sys.path if entry and Path(entry) != here]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _rules(pack: Pack) -> Iterator[Rule]:
    try:
        rules = pack.load().RULES
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


def _reject_twins(found: list[tuple[Pack, Rule]]) -> None:
    for what in ("code", "name"):
        first: dict[str, tuple[Pack, Rule]] = {}
        for pack, rule in found:
            key = getattr(rule, what)
            if key in first:
                other_pack, other = first[key]
                raise BrokenPack(
                    f"two rules have the {what} {key}: {type(other).__name__} in {other_pack}"
                    f" and {type(rule).__name__} in {pack}"
                )
            first[key] = (pack, rule)
