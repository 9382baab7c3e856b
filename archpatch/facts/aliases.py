"""Variables that hold just what an automatic argument holds: `ARG ARCH=$TARGETARCH`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archpatch.facts.values import AUTOMATIC
from archpatch.syntax.tree import Arg, Document, Env, Run
from archpatch.text import decode, encode, holds, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

_NAME = regex(rb"[A-Za-z_]\w*")
_ALIAS = regex(r"[\"']?\$\{?([A-Z]+)(?::?-[^}]*)?\}?[\"']?")


def aliasing(document: Document) -> frozenset[str]:
    """The names of the ARGs and ENVs that are set to one variable and nothing else, where the file knows automatic
    arguments."""
    if not holds(document.source, map(encode, AUTOMATIC)):
        return frozenset()
    return frozenset(
        declaration.name.value
        for step in document.instructions
        if isinstance(step, Arg | Env)
        for declaration in step.declarations
        if declaration.value is not None and _ALIAS.fullmatch(declaration.value.value)
    )


def aliases(facts: Facts, run: Run, names: frozenset[str]) -> dict[str, str]:
    """Those of `names` that a RUN says and that hold what an automatic argument holds there, with that one's name."""
    found: dict[str, str] = {}
    if not names:
        return found
    for name in sorted(names.intersection(map(decode, _NAME.findall(run.span.of(facts.document.source))))):
        variable = facts.scope(run).get(name)
        if variable is None or name in AUTOMATIC or variable.declaration is None:
            continue
        written = variable.declaration.value
        match = _ALIAS.fullmatch(written.value) if written is not None else None
        if match and variable.value.names == {match[1]}:
            found[name] = match[1]
    return found
