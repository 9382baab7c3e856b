"""Variables of a Dockerfile and what words mean under them.

A value may be unknown (`text` None): an ARG without a default, the environment of a base image, an automatic
argument where no target was named. Unknown is never taken for empty.
Source: BuildKit's frontend/dockerfile/dockerfile2llb/convert.go (dispatchArg, dispatchEnv); what the facts claim is
built by tests/engine/test_platform_claims.py.
"""

from __future__ import annotations

import enum
import sys
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from archpatch.platforms import Platform
from archpatch.syntax.tree import Arg, Declaration, Env, Instruction, Word
from archpatch.syntax.words import BadWord, expand, names

AUTOMATIC = frozenset(
    side + part for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
) | {"TARGETSTAGE"}
"""The arguments that BuildKit sets itself."""

END = sys.maxsize
"""A position after everything."""
LONGEST = 1 << 16
"""Characters: `ENV A=$A$A` doubles, and a longer value is unknown."""


class Value(Struct, frozen=True, gc=False):
    """What a word comes to. `text` None: unknown.

    `names` are the automatic arguments it depends on, through any chain of ARG and ENV. `missing` are the names in
    it that nothing has set and that therefore read as empty.
    """

    text: str | None
    names: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()

    @property
    def unset(self) -> bool:
        """Whether a variable in it was not set."""
        return bool(self.missing)


UNKNOWN = Value(None)


class VariableKind(enum.Enum):
    """Who gave a variable its value: ARG or ENV of a stage, ARG before the first FROM, or BuildKit."""

    ARG = "arg"
    ENV = "env"
    GLOBAL = "global"
    AUTOMATIC = "automatic"


class Variable(Struct, frozen=True, gc=False):
    """A variable that is in force. `instruction` and `declaration` are None for AUTOMATIC alone.

    `inherited`: declared in a parent stage.
    """

    name: str
    value: Value
    kind: VariableKind
    instruction: Instruction | None = None
    declaration: Declaration | None = None
    inherited: bool = False


def names_in(text: str, escape: str) -> frozenset[str]:
    """The variables that a word uses; none in a word that cannot be read."""
    try:
        return names(text, escape)
    except BadWord:
        return frozenset()


class _Unknown(Exception):
    """A variable whose value is not known was asked for."""


class History:
    """Who set each name where, in the order of the file. Grown while a stage is read, then only looked at.

    `above`: what the stages below it were found to have of a name, so that no name is looked for twice.
    """

    __slots__ = ("_entries", "above")

    def __init__(self) -> None:
        self._entries: dict[str, list[tuple[int, Variable]]] = {}
        self.above: dict[str, Variable | None] = {}

    def add(self, position: int, variable: Variable) -> None:
        """`variable` is in force for what stands after byte `position`, which never decreases."""
        self._entries.setdefault(variable.name, []).append((position, variable))

    def before(self, position: int, name: str) -> Variable | None:
        """The last one of that name that was set before byte `position`."""
        entries = self._entries.get(name)
        if not entries:
            return None
        at = bisect_left(entries, position, key=lambda entry: entry[0])
        return entries[at - 1][1] if at else None

    @property
    def names(self) -> Iterable[str]:
        """Every name that is set anywhere."""
        return self._entries.keys()


class Scope(Struct, frozen=True, eq=False):
    """The variables that are visible just before byte `position`, those of parent stages included.

    `closed`: a name that nothing declares is certainly empty (global scope, stages on scratch); otherwise the
    environment of the base image may set it, and only the automatic names, which no image sets, are empty.
    `env_only`: of the parents, ENV alone is seen (ONBUILD runs in a later build).
    """

    history: History
    position: int
    parent: Scope | None
    escape: str
    closed: bool
    env_only: bool = False

    def get(self, name: str) -> Variable | None:
        """The variable of that name; None where nothing declares it."""
        own = self.history.before(self.position, name)
        if own is not None or self.parent is None:
            return own
        found = self._env_above(name) if self.env_only else self._above(name)
        if found is None or found.inherited or found.kind is VariableKind.AUTOMATIC:
            return found
        return replace(found, inherited=True)

    def _above(self, name: str) -> Variable | None:
        """What the parents have of that name."""
        found: Variable | None = None
        asked: list[History] = []
        scope: Scope = self
        while scope.parent is not None:
            if name in scope.history.above:
                found = scope.history.above[name]
                break
            asked.append(scope.history)
            scope = scope.parent
            if (found := scope.history.before(scope.position, name)) is not None:
                break
        for history in asked:
            history.above[name] = found
        return found

    def _env_above(self, name: str) -> Variable | None:
        scope = self.parent
        while scope is not None:
            found = scope.history.before(scope.position, name)
            if found is not None and found.kind is VariableKind.ENV:
                return found
            scope = scope.parent
        return None

    def every_name(self) -> frozenset[str]:
        """Every name that some ARG or ENV of the stage or a parent sets, before this position or after it."""
        found: set[str] = set()
        scope: Scope | None = self
        while scope is not None:
            found.update(scope.history.names)
            scope = scope.parent
        return frozenset(found)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def value(self, name: str) -> Value:
        """The value of a variable; of one that nothing declares, empty and `missing`, or unknown."""
        found = self.get(name)
        if found is not None:
            return found.value
        return Value("", missing=frozenset({name})) if self._empty(name) else UNKNOWN

    def expand(self, word: Word | str) -> Value:
        """What BuildKit reads in `word` here; unknown as soon as an unknown variable matters, or the word is bad."""
        text = word if isinstance(word, str) else word.value
        if "$" not in text and not any(mark in text for mark in _QUOTES) and self.escape not in text:
            return Value(text)
        try:
            used = {name: self.get(name) for name in names(text, self.escape)}
            result: str | None = expand(text, self._lookup, self.escape)
        except BadWord:
            return UNKNOWN
        except _Unknown:
            result = None
        if result is not None and len(result) > LONGEST:
            result = None
        return Value(
            result,
            frozenset().union(*(found.value.names for found in used.values() if found is not None)),
            frozenset(name for name, found in used.items() if found is None and self._empty(name)),
        )

    def used(self, word: Word) -> frozenset[str]:
        """The names of the variables that stand in a word; none where it cannot be read."""
        try:
            return names(word.value, self.escape)
        except BadWord:
            return frozenset()

    def _empty(self, name: str) -> bool:
        """Whether a name that nothing declares is certainly not set."""
        return self.closed or name in AUTOMATIC

    def _lookup(self, name: str) -> str | None:
        found = self.get(name)
        if found is None and self._empty(name):
            return None
        if found is None or found.value.text is None:
            raise _Unknown
        return found.value.text


_QUOTES = ("'", '"')


@lru_cache(maxsize=64)
def automatic(target: Platform | None, build: Platform) -> Scope:
    """What BuildKit itself sets for one target; every value unknown where no target is named."""
    history = History()
    for name in sorted(AUTOMATIC):
        platform = build if name.startswith("BUILD") else target
        text = None if target is None or platform is None else _part(platform, name)
        history.add(-1, Variable(name, Value(text, frozenset({name})), VariableKind.AUTOMATIC))
    return Scope(history, END, None, "\\", closed=True)


def _part(platform: Platform, name: str) -> str | None:
    match name.removeprefix("BUILD").removeprefix("TARGET"):
        case "PLATFORM":
            return str(platform)
        case "OS":
            return platform.os
        case "ARCH":
            return platform.arch
        case "VARIANT":
            return platform.variant
        case "OSVERSION":
            return ""
        case _:  # TARGETSTAGE: what `--target` names
            return None


def global_scope(
    instructions: Iterable[Instruction], target: Platform | None, build: Platform, escape: str
) -> Scope:
    """The scope of FROM: the automatic arguments and the ARGs before the first FROM.

    A default there replaces the automatic value, in every stage that declares the name too.
    """
    history = History()
    scope = Scope(history, END, automatic(target, build), escape, closed=True)
    for instruction in instructions:
        if not isinstance(instruction, Arg):
            continue
        for declaration in instruction.declarations:
            name = declaration.name.value
            if declaration.value is not None:
                value = scope.expand(declaration.value)
            elif scope.get(name) is not None:
                continue
            else:
                value = UNKNOWN  # only --build-arg can set it
            history.add(
                instruction.span.start, Variable(name, value, VariableKind.GLOBAL, instruction, declaration)
            )
    return scope


def declare(instruction: Instruction, position: int, history: History, scope: Scope, outer: Scope) -> None:
    """Add what an ARG or ENV of a stage sets. `scope` looks at the end of `history`, `outer` is the global scope."""
    if isinstance(instruction, Arg):
        for declaration in instruction.declarations:
            name = declaration.name.value
            value = _argument(declaration, scope, outer)
            history.add(position, Variable(name, value, VariableKind.ARG, instruction, declaration))
    elif isinstance(instruction, Env) and instruction.keyword == "ENV":
        # All values of one ENV are read before any of them is set.
        values = [scope.expand(declaration.value or "") for declaration in instruction.declarations]
        for declaration, value in zip(instruction.declarations, values, strict=True):
            name = declaration.name.value
            history.add(position, Variable(name, value, VariableKind.ENV, instruction, declaration))


def _argument(declaration: Declaration, scope: Scope, outer: Scope) -> Value:
    """The value of an ARG of a stage: its default, else the global or automatic one, else what was there."""
    if declaration.value is not None:
        return scope.expand(declaration.value)
    known = outer.get(declaration.name.value)
    if known is not None and known.value != UNKNOWN:
        return known.value
    earlier = scope.get(declaration.name.value)
    return earlier.value if earlier is not None else UNKNOWN
