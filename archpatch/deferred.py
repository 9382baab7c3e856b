"""Rules that are known by an index, and imported when they are first asked.

Most files hold the hints of a fifth of the built-in rules: to import the others would take a fifth of a check of one
file. A pack with an index has `RULES = deferred.rules(__file__)`; the index, `rules.json` beside that file, lists
what the engine wants to know of a rule before it asks. It is written by

    python -m archpatch.deferred PACKAGE
"""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from archpatch.rule import Finding, Rule, Severity, Style

if TYPE_CHECKING:
    from archpatch.facts import Facts
    from archpatch.syntax.tree import Document

INDEX = "rules.json"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the index says of a rule: its class, and the class attributes of `Rule` but the examples."""

    module: str
    type: str
    code: str
    name: str
    severity: Severity
    style: Style | None = None
    opt_in: bool = False
    hints: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Deferred(Rule):
    """A rule that is not imported before something is asked that its entry does not tell."""

    def __init__(self, entry: Entry) -> None:
        vars(self).update(msgspec.structs.asdict(entry))

    @cached_property
    def rule(self) -> Rule:
        """The rule itself. Raises whatever its import raises."""
        made = getattr(import_module(vars(self)["module"]), vars(self)["type"])()
        assert isinstance(made, Rule)
        return made

    @property
    def manual(self) -> str:
        return self.rule.manual

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        return self.rule.check(document, facts)

    def __getattr__(self, name: str) -> Any:
        """What stands in no index: the examples."""
        return getattr(self.rule, name)


def rules(pack: str) -> tuple[Rule, ...]:
    """The rules of the index beside the file `pack`. Raises OSError, msgspec.DecodeError."""
    index = Path(pack).with_name(INDEX).read_bytes()
    return tuple(map(Deferred, msgspec.json.decode(index, type=tuple[Entry, ...])))


def index_of(package: ModuleType) -> bytes:
    """The index of every rule that a module of the package defines, ordered by code."""
    made = sorted((_entry(rule) for rule in _types(package)), key=lambda entry: entry.code)
    return msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"


def _types(package: ModuleType) -> Iterator[type[Rule]]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        for one in vars(import_module(found.name)).values():
            own = isinstance(one, type) and issubclass(one, Rule) and one.__module__ == found.name
            if own and not inspect.isabstract(one):
                yield one


def _entry(rule: type[Rule]) -> Entry:
    known = {name: getattr(rule, name) for name in Entry.__struct_fields__ if name not in ("module", "type")}
    return Entry(rule.__module__, rule.__name__, **known)


if __name__ == "__main__":
    named = import_module(sys.argv[1])
    assert named.__file__
    Path(named.__file__).with_name(INDEX).write_bytes(index_of(named))
