"""Where a text is written out in what a build uses: values, paths, programs; not in labels and comments.

Rules on literal paths and names ask here for their text, and whether anything speaks for an architecture there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.facts.graph import PlatformKind
from archpatch.facts.shells import Command
from archpatch.facts.suppressors import Suppressor, why_fine
from archpatch.syntax.shell import Literal, Loop, ShellWord
from archpatch.syntax.tree import Arg, Copy, Env, Instruction, Run, Word
from archpatch.text import Span, encode, holds

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts

_PROGRAMS = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})
_PATHS = frozenset({"WORKDIR", "VOLUME"})


class Written(Struct, frozen=True):
    """A word that holds one of the texts asked for, once for each word.

    `word` is a ShellWord in a script, where `command` holds it, else a Word; a word that a loop goes through belongs to
    the loop's first command. `value` is its text, variables as written; `name` that of the variable it is the value of,
    "" for other words.
    """

    stage: StageFacts
    instruction: Instruction
    word: Word | ShellWord
    value: str
    name: str = ""
    command: Command | None = None

    def places(self, text: str) -> Iterator[Span]:
        """Everywhere that `text` stands in the file's bytes of the word, in one piece."""
        sought = encode(text)
        if isinstance(self.word, ShellWord):
            span = self.word.find(text)
            while span is not None:
                if len(span) == len(sought):
                    yield span
                span = self.word.find(text, span.end)
            return
        verbatim = encode(self.word.verbatim)
        at = verbatim.find(sought)
        while at >= 0:
            start = self.word.span.start + at
            yield Span(start, start + len(sought))
            at = verbatim.find(sought, at + len(sought))


def steps_with(facts: Facts, text: str) -> Iterator[Instruction]:
    """Every instruction in whose bytes `text` stands, in the order of the file: found by the text, not looked through."""
    source, sought = facts.document.source, encode(text)
    starts, steps = facts.once(_by_start)
    at = source.find(sought)
    while at >= 0:
        holder = bisect_right(starts, at) - 1
        after = at + 1
        if holder >= 0 and at + len(sought) <= steps[holder].span.end:
            yield steps[holder]
            after = steps[holder].span.end
        at = source.find(sought, after)


def _by_start(facts: Facts) -> tuple[list[int], list[Instruction]]:
    steps = list(facts.document.instructions)
    return [step.span.start for step in steps], steps


def written(facts: Facts, *texts: str, only: frozenset[str] = frozenset()) -> tuple[Written, ...]:
    """Every word of a stage that holds one of these texts, in the order of the file; of `only` these instructions."""
    return facts.once(_written, texts, only)


def _written(facts: Facts, texts: tuple[str, ...], only: frozenset[str]) -> tuple[Written, ...]:
    return tuple(_each(facts, texts, only))


def _each(facts: Facts, texts: tuple[str, ...], only: frozenset[str]) -> Iterator[Written]:
    source = facts.document.source
    sought = [text for text in map(encode, texts) if holds(source, (text,))]
    if not sought:
        return
    for stage in facts.stages:
        for instruction in stage.body:
            if only and instruction.keyword not in only:
                continue
            if holds(source, sought, instruction.span.start, instruction.span.end):
                yield from _in(facts, stage, instruction, texts)


def _in(
    facts: Facts, stage: StageFacts, instruction: Instruction, texts: tuple[str, ...]
) -> Iterator[Written]:
    if isinstance(instruction, Run) and not instruction.json and not instruction.onbuild:
        script = facts.shell(instruction)
        loops: deque[Loop] | None = None
        for shell in script.commands:
            command = Command(shell, instruction, stage, script)
            loops = deque(facts.settings(command).all_loops) if loops is None else loops
            named: list[tuple[str, ShellWord]] = []
            while loops and loops[0].body.span.start <= shell.span.start:
                loop = loops.popleft()
                named += [(loop.variable, word) for word in loop.values]
            targets = (redirect.target for redirect in shell.redirects if redirect.body is None)
            words = [*shell.words, *(target for target in targets if target is not None)]
            named += [("", word) for word in words]
            named += [(assign.name, assign.value) for assign in shell.assigns if assign.value is not None]
            nested = shell.script.span if shell.script is not None and shell.script.readable else None
            for name, word in named:
                if nested is not None and nested in word.span:
                    continue  # the words of that script stand for themselves
                # What stands in $(...) is a command of its own.
                if any(text in word.raw for text in texts) and any(text in _text(word) for text in texts):
                    yield Written(stage, instruction, word, _text(word), name, command)
        return
    for name, plain in _words(instruction):
        if any(text in plain.value for text in texts):
            yield Written(stage, instruction, plain, plain.value, name)


def _words(instruction: Instruction) -> Iterator[tuple[str, Word]]:
    if isinstance(instruction, Arg | Env):
        if instruction.keyword != "LABEL":
            for declaration in instruction.declarations:
                if declaration.value is not None:
                    yield declaration.name.value, declaration.value
    elif isinstance(instruction, Copy):
        for word in (*instruction.sources, instruction.destination):
            if word is not None and not word.value.startswith("<<"):
                yield "", word
    elif instruction.keyword in _PROGRAMS | _PATHS or isinstance(instruction, Run):
        for word in instruction.words:
            yield "", word


def _text(word: ShellWord) -> str:
    """The word with constant parts as they are meant and the others as they are written."""
    if (text := word.literal) is not None:
        return text
    pieces: list[str] = []
    for part in word.parts:
        pieces.append(part.text if isinstance(part, Literal) else "$" + "?" * max(len(part.span) - 1, 0))
    return "".join(pieces)


def why_arch_is_fine(
    facts: Facts, arch: str, instruction: Instruction, span: Span, command: Command | None = None
) -> Suppressor | None:
    """Why an architecture that is written out, `arch` as in `Platform.arch`, is right where it stands.

    Beside what `why_fine` knows: the file's own name says it, or the stage has it for every target.
    """
    named = facts.named_arch
    if named is not None and (named == arch or {named, arch} == {"arm", "arm64"}):
        return Suppressor.PER_ARCH_FAMILY
    stage = facts.stage_of(instruction)
    if stage is not None and has_arch(stage, arch):
        return Suppressor.DELIBERATE
    found = why_fine(facts, instruction, span, command)
    if found is Suppressor.PER_ARCH_FAMILY and named is not None and (stage is None or not _member(stage)):
        return None  # a file for one architecture that names another
    return found


def _member(stage: StageFacts) -> bool:
    return stage.family_arch is not None or any(child.family_arch for child in stage.children)


def has_arch(stage: StageFacts, arch: str) -> bool:
    """Whether a stage runs on this architecture whatever is built: it is pinned to it, or nothing else is asked for."""
    platforms = [stage.platform(target) for target in stage.targets or stage.facts.targets]
    return all(
        one.kind is not PlatformKind.BUILD and one.platform is not None and one.platform.arch == arch
        for one in platforms
    )
