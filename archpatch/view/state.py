"""The variables at a point of a script, and the machine it runs on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from archpatch.platforms import Convention
from archpatch.syntax.shell import Sequence
from archpatch.view.values import AUTOMATIC, Hole, Sym, Word, symbol

# What is done, and whether it surely succeeds (True), fails (False) or may do either (None).
Actions = tuple[Hashable, ...]
Result = tuple[Actions, bool | None]


class Machine(Struct, frozen=True):
    """Where a script runs. `arch` as in Platform.arch; None: unknown. `source`: the bytes of the file."""

    source: bytes
    arch: str | None

    def spell(self, convention: Convention) -> str | None:
        """The architecture in the words of a convention."""
        return convention.spell(self.arch) if self.arch else None


class State(Struct):
    """The variables at a point of a script. `outer` are those of the Dockerfile, which RUN exports.

    `loud`: assignments are steps of their own, because someone may see them whom we do not.
    """

    outer: Mapping[str, Word]
    machine: Machine
    run: Callable[[Sequence, State], Result]  # what a nested script does
    loud: bool = False
    inner: dict[str, Word] = field(default_factory=dict)
    exported: frozenset[str] = frozenset()

    def get(self, name: str) -> Word:
        """The value of a variable; unset automatic arguments are a hole, what is not known a symbol."""
        if name in self.inner:
            return self.inner[name]
        if name in self.outer:
            return self.outer[name]
        return Word((Hole(name) if name in AUTOMATIC else Sym("$", name),))

    def copy(self, *, loud: bool = False) -> State:
        """The same variables, for a subshell or an arm."""
        return replace(self, loud=self.loud or loud, inner=dict(self.inner))


def merge(state: State, before: Mapping[str, Word], ends: Iterable[State]) -> None:
    """After an undecided branch: what its ends agree on stays, the rest depends on all of them."""
    ends = tuple(ends)
    state.exported = frozenset().union(state.exported, *(end.exported for end in ends))
    for name in sorted({name for end in ends for name in end.inner}):
        values = tuple(dict.fromkeys(end.inner.get(name) for end in ends))
        if len(values) == 1 and values[0] is not None:
            state.inner[name] = values[0]
        else:
            state.inner[name] = Word((symbol("either", (name, before.get(name), values)),))
