"""What becomes of Go commands when GOARCH is no longer that of the machine they run on."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from archpatch.facts import Command, Facts
from archpatch.facts.assigned import setting


class Cross(enum.Enum):
    """How a group of commands takes a foreign GOARCH."""

    FINE = "pure Go, cgo is off"
    CGO_UNSAID = "cgo is on unless something says otherwise, and off when cross-compiling"
    BREAKS = "it needs a C cross compiler, runs what it builds, or installs to another folder"


_RUNS = frozenset({"run", "test", "generate", "install", "tool"})


def cross_compiles(facts: Facts, commands: Iterable[Command]) -> Cross:
    """What a foreign GOARCH would do to these commands, those that are no `go` left out."""
    found = {_one(facts, command) for command in commands if command.shell.name in ("go", "make")}
    if Cross.BREAKS in found:
        return Cross.BREAKS
    return Cross.FINE if found == {Cross.FINE} else Cross.CGO_UNSAID


def verb(command: Command) -> str:
    """The first argument of `go`: `build`; "" where there is none."""
    return next((word.literal or "" for word in command.shell.arguments), "")


def _one(facts: Facts, command: Command) -> Cross:
    cgo = setting(facts, command, "CGO_ENABLED")
    if command.shell.name == "go":
        if verb(command) in ("mod", "get", "env", "version", "clean", "fmt", "vet", "list"):
            return Cross.FINE
        if verb(command) in _RUNS:
            return Cross.BREAKS  # cross-compiled, `go install` writes to bin/linux_arm64
        return {"0": Cross.FINE, "1": Cross.BREAKS}.get(cgo or "", Cross.CGO_UNSAID)
    return Cross.BREAKS if cgo == "1" else Cross.CGO_UNSAID
