"""Where a file gives a value to a variable that a build tool looks at: `GOARCH`, `CFLAGS`, `CC`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.syntax.shell import Param, ShellCommand, ShellWord, tail
from archpatch.syntax.tree import Arg, Env, Instruction, Run, Word
from archpatch.text import Span, encode, holds

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts


class Assigned(Struct, frozen=True):
    """`NAME=value` of an ENV, an ARG (`stage` None: before the first FROM) or a script.

    In a script it is an assignment (`GOARCH=amd64 go build`, `export GOARCH=amd64`) or an argument (`env
    GOARCH=amd64`, `make GOARCH=amd64`, `go env -w GOARCH=amd64`); `command` is the command it stands in, which for an
    assignment that is a statement of its own has no words. `span` is name and value, `word` the value.
    """

    name: str
    span: Span
    word: Word | ShellWord
    instruction: Instruction
    stage: StageFacts | None
    command: Command | None = None

    @property
    def value(self) -> str | None:
        """The value where it is constant, quotes removed; None where something in it is computed."""
        if isinstance(self.word, ShellWord):
            return self.word.literal
        return None if "$" in self.word.value else self.word.value.strip("\"'")

    @property
    def alone(self) -> bool:
        """Whether it holds for one command only: `GOARCH=amd64 go build`, `make GOARCH=amd64`."""
        if self.command is None or not self.command.shell.words:
            return False
        return self.command.shell.name not in ("export", "declare", "typeset", "local", "readonly", "")


def assigned(facts: Facts, *names: str) -> Iterator[Assigned]:
    """Every place where the file sets one of these variables, in the order of the file."""
    source = facts.document.source
    wanted = frozenset(name for name in names if holds(source, (encode(name),)))
    if not wanted:
        return
    for instruction in facts.document.instructions:
        stage = facts.stage_of(instruction)
        if isinstance(instruction, Arg | Env) and instruction.keyword != "LABEL":
            for declaration in instruction.declarations:
                if declaration.name.value in wanted and declaration.value is not None:
                    yield Assigned(
                        declaration.name.value, declaration.span, declaration.value, instruction, stage
                    )
        elif isinstance(instruction, Run) and stage is not None:
            signs = (encode(name) + b"=" for name in wanted)
            if holds(source, signs, instruction.span.start, instruction.span.end):
                yield from _in_script(facts, instruction, stage, wanted)


def _in_script(facts: Facts, run: Run, stage: StageFacts, names: frozenset[str]) -> Iterator[Assigned]:
    for command in facts.commands_of(run, stage):
        seen: set[Span] = set()
        for assign in command.shell.assigns:
            seen.add(assign.span)
            if assign.name in names and assign.value is not None and not assign.append:
                yield Assigned(assign.name, assign.span, assign.value, run, stage, command)
        for word in command.shell.words if command.shell.script is None else ():
            name, joint, _ = word.prefix.partition("=")
            if joint and name in names and not any(word.span.meets(span) for span in seen):
                value = tail(word, len(name) + 1)
                if value is not None:
                    yield Assigned(name, word.span, value, run, stage, command)


def setting(facts: Facts, command: Command, name: str) -> str | None:
    """What a variable certainly is for a command, by the first target: what stands before the command or among its
    words, else the script's and the Dockerfile's value. None where it is unknown or not set."""
    found = _given(command.shell, name)
    if found is not None:
        return facts.value(command, found, facts.targets[0]).text
    value = facts.variable(command, name, facts.targets[0])
    return None if value.unset else value.text


def chosen_by_script(facts: Facts, command: Command, name: str) -> bool:
    """Whether a command gets a value that the script makes out of another variable, whatever it is: `GOARCH=${P#*/}`."""
    found = _given(command.shell, name)
    if found is None or not any(isinstance(part, Param) for part in found.parts):
        return False
    value = facts.value(command, found, facts.targets[0])
    return value.text is None and not value.unset


def depends_on_target(facts: Facts, command: Command, name: str) -> bool:
    """Whether what a variable is for a command follows the target platform."""
    found = _given(command.shell, name)
    value = facts.value(command, found) if found is not None else facts.variable(command, name)
    return any(one.startswith("TARGET") for one in value.names)


def _given(shell: ShellCommand, name: str) -> ShellWord | None:
    """The value that a command itself gives a variable: `NAME=x cmd`, `env NAME=x cmd`, `make NAME=x`."""
    for assign in shell.assigns:
        if assign.name == name and shell.words:
            return assign.value
    for word in shell.words:
        if word.prefix.startswith(f"{name}="):
            return tail(word, len(name) + 1)
    return None
