"""Scripts of the build context that a stage runs, and the variables that they take out of their environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from archpatch.syntax.tree import Copy
from archpatch.text import decode, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts
    from archpatch.syntax.tree import Arg, Declaration, Env, Run

_RUNNERS = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh", "source", "."})
# More copied folders than anyone has are not searched, nor deeper ones.
_FOLDERS = 20
_DEEPEST = 8
_USE = regex(r"\$(?:(\w+)|\{(\w+))")
_SET = regex(r"^[ \t]*(?:(?:export|local|readonly|declare)[ \t]+)?(\w+)=(.*)$")


class Ran(NamedTuple):
    """A script of the context and the RUN that runs it."""

    run: Run
    path: str


def script_reading(facts: Facts, instruction: Arg | Env, declaration: Declaration) -> str | None:
    """The path in the context of a script that is run with the value of an ARG or ENV in its environment, and reads
    it; None where there is none, or it cannot be seen."""
    stage = facts.stage_of(instruction)
    if stage is None or facts.context is None:
        return None
    heirs = stage.descendants() if instruction.keyword == "ENV" else ()
    for one in (stage, *heirs):
        ran = facts.once(_readers, one).get(declaration.name.value)
        seen = facts.scope(ran.run).get(declaration.name.value) if ran else None
        if ran is not None and seen is not None and seen.declaration is declaration:
            return ran.path
    return None


def script_of(facts: Facts, command: Command) -> str | None:
    """The path in the context of the shell script that a command runs; None where it is not known."""
    if facts.context is None:
        return None
    places = facts.once(_copied, command.stage)
    return _found(facts, places, _script(command)) if any(places) else None


def read_by(facts: Facts, path: str) -> frozenset[str]:
    """The variables that a shell script takes out of its environment: read, and not set by itself before."""
    text = decode((facts.context.read(path) if facts.context else None) or b"")
    own: set[str] = set()
    found: set[str] = set()
    for line in text.splitlines():
        used = {one or other for one, other in _USE.findall(line.partition(" #")[0])}
        found |= used - own if line.lstrip()[:1] != "#" else set()
        if (assigned := _SET.match(line)) and assigned[1] not in used:
            own.add(assigned[1])
    return frozenset(found)


def _readers(facts: Facts, stage: StageFacts) -> Mapping[str, Ran]:
    found: dict[str, Ran] = {}
    places = facts.once(_copied, stage)
    if facts.context is None or not any(places):
        return found
    known: dict[str, tuple[str | None, frozenset[str]]] = {}
    for command in stage.commands:
        script = _script(command)
        if script not in known:
            path = _found(facts, places, script)
            known[script] = (path, read_by(facts, path) if path is not None else frozenset())
        path, names = known[script]
        if path is not None:
            own = {assign.name for assign in command.script.assigns}  # the RUN sets them itself
            found.update((name, Ran(command.run, path)) for name in names - own)
    return found


def _script(command: Command) -> str:
    """The path of the script that a command runs, as it is written; "" where it runs none."""
    shell = command.shell
    if shell.name in _RUNNERS:
        if shell.script is not None:
            return ""
        files = (word.literal or "" for word in shell.arguments if word.raw[:1] not in ("-", "+"))
        return next(files, "")
    called = shell.words[len(shell.wrappers)].literal if len(shell.words) > len(shell.wrappers) else None
    return called if called and ("/" in called or called.endswith(".sh")) else ""


def _copied(_: Facts, stage: StageFacts) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What COPY takes out of the context: files by the names they may have, and folders."""
    files: dict[str, str] = {}
    folders: dict[str, None] = {}
    for copy in (step for one in reversed(stage.chain) for step in one.body):
        if not isinstance(copy, Copy) or copy.source_stage is not None or copy.onbuild:
            continue
        for word in copy.sources:
            source = word.value.strip("/")
            files[PurePosixPath(source).name] = source
            if copy.destination is not None and len(copy.sources) == 1:
                files[PurePosixPath(copy.destination.value).name] = source
            folders[source] = None
    return files, tuple(folders)[-_FOLDERS:]


def _found(facts: Facts, places: tuple[Mapping[str, str], tuple[str, ...]], script: str) -> str | None:
    assert facts.context is not None
    files, folders = places
    path = PurePosixPath(script)
    if not path.name:
        return None
    for candidate in _candidates(files, folders, path):
        if facts.context.exists(candidate):
            return candidate
    return None


def _candidates(files: Mapping[str, str], folders: tuple[str, ...], path: PurePosixPath) -> Iterator[str]:
    if path.name in files:
        yield files[path.name]
    parts = [part for part in path.parts[-_DEEPEST:] if part not in ("/", "..", ".")]
    for folder in folders:
        for at in range(len(parts)):
            yield str(PurePosixPath(folder, *parts[at:]))
