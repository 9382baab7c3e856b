"""Where a file uses a variable: in words that BuildKit expands, and in scripts whose shell does."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from archpatch.facts.managers import words_of
from archpatch.facts.values import END
from archpatch.syntax.shell import (
    AndOr,
    Case,
    Function,
    Group,
    If,
    Loop,
    Node,
    Param,
    Part,
    Pipeline,
    Quote,
    Redirect,
    Script,
    Sequence,
    ShellCommand,
    ShellWord,
    Substitution,
)
from archpatch.syntax.tree import Arg, Copy, Env, Heredoc, Instruction, Run, Word
from archpatch.syntax.words import BadWord, split_parts, variables
from archpatch.text import Span, encode, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts


class Place(enum.Enum):
    """Where a variable is used."""

    SHELL = "shell"  # a script of RUN: the shell expands it
    HEREDOC = "heredoc"  # the body of a heredoc of COPY or ADD
    MOUNT = "mount"  # an option of RUN --mount
    FLAG = "flag"  # another flag: --chown, --checksum
    WORD = "word"  # ENV, LABEL, ARG defaults, COPY, ADD, WORKDIR, USER, EXPOSE, VOLUME, STOPSIGNAL


class Use(Struct, frozen=True):
    """A use of a variable; `span` is the whole `$NAME` or `${NAME:-x}`.

    `visible`: an ARG or ENV of the stage, or of a parent, has set it before. `assigned`: the shell sets the name
    itself before this place, or reads a file that may. `command` is the command around it, where there is one.
    """

    name: str
    span: Span
    instruction: Instruction
    stage: StageFacts
    place: Place
    operator: str
    visible: bool
    assigned: bool = False
    command: ShellCommand | None = None


_EXPANDED = frozenset(
    {"ENV", "LABEL", "COPY", "ADD", "WORKDIR", "USER", "EXPOSE", "VOLUME", "STOPSIGNAL", "ARG"}
)
_NOT_EXPANDED = frozenset({"from"})  # BuildKit rejects variables there
_EXPANDED_OPTIONS = ("id", "source", "src", "target", "dst", "destination")


def uses_in(
    facts: Facts, stage: StageFacts, instruction: Instruction, names: frozenset[str]
) -> Iterator[Use]:
    """Every use of one of `names` in an instruction of a stage, in the order of the file."""
    found = [*_words(facts, stage, instruction, names), *_script(facts, stage, instruction, names)]
    yield from sorted(dict.fromkeys(found), key=lambda use: use.span)


def _words(facts: Facts, stage: StageFacts, instruction: Instruction, names: frozenset[str]) -> Iterator[Use]:
    for word, place in _expanded(instruction):
        for name, operator, span in _names_of(word, facts.escape):
            if name in names:
                visible = _is_visible(facts, stage, instruction, name)
                yield Use(name, span, instruction, stage, place, operator, visible)
    if isinstance(instruction, Copy):
        for heredoc in instruction.heredocs:
            for name, operator, span in _names_in_body(facts, heredoc):
                if name in names:
                    visible = _is_visible(facts, stage, instruction, name)
                    yield Use(name, span, instruction, stage, Place.HEREDOC, operator, visible)


def _is_visible(facts: Facts, stage: StageFacts, instruction: Instruction, name: str) -> bool:
    """Whether an ARG or ENV has set a name before, of whichever stage `FROM base-$TARGETARCH` names for each target."""
    if name in facts.scope(instruction):
        return True
    return all(name in facts.scope(instruction, target) for target in stage.targets or facts.targets)


def _expanded(instruction: Instruction) -> Iterator[tuple[Word, Place]]:
    """The words that BuildKit expands."""
    if isinstance(instruction, Run):
        for mount in instruction.mounts:
            for key, value in mount.options:
                if key in _EXPANDED_OPTIONS:
                    yield value, Place.MOUNT
        return
    if instruction.keyword not in _EXPANDED:
        return
    for flag in instruction.flags:
        if flag.value is not None and flag.name not in _NOT_EXPANDED:
            yield flag.value, Place.FLAG
    if isinstance(instruction, Arg | Env):
        for declaration in instruction.declarations:
            if declaration.value is not None:
                yield declaration.value, Place.WORD
    else:
        for word in instruction.words:
            yield word, Place.WORD


def _names_of(word: Word, escape: str) -> Iterator[tuple[str, str, Span]]:
    """The variables of a word: name, operator, place."""
    if "$" not in word.value:
        return
    try:
        parts = split_parts(word.value, escape)
    except BadWord:
        return
    position = 0
    for variable in variables(parts):
        written = word.value[variable.start : variable.end]
        at = word.verbatim.find(written, position)
        if at < 0:  # cut by a line continuation: the word as a whole
            yield variable.name, variable.operator, word.span
            continue
        position = at + 1
        start = word.span.start + len(encode(word.verbatim[:at]))
        yield variable.name, variable.operator, Span(start, start + len(encode(written)))


_BODY = regex(rb"(?<!\\)\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(:?[-+?#%/]*)[^}\n]*\})")


def _names_in_body(facts: Facts, heredoc: Heredoc) -> Iterator[tuple[str, str, Span]]:
    if heredoc.expand:
        yield from _matches(facts.document.source, heredoc.content)


def _matches(source: bytes, span: Span) -> Iterator[tuple[str, str, Span]]:
    """The variables in a text that is expanded as if it stood in double quotes."""
    for match in _BODY.finditer(source, span.start, span.end):
        name = (match[1] or match[2]).decode("ascii", "replace")
        yield name, (match[3] or b"").decode(), Span(match.start(), match.end())


def _script(
    facts: Facts, stage: StageFacts, instruction: Instruction, names: frozenset[str]
) -> Iterator[Use]:
    if not isinstance(instruction, Run):
        return
    script = facts.shell(instruction)
    if not script.readable:
        return
    setters, files = _setters(script)
    own: dict[str, int] = {}  # where the shell itself first has set a name
    for assign in script.assigns:
        own[assign.name] = min(own.get(assign.name, END), assign.span.end)
    for param, command in Walk(facts.document.source).script(script, None):
        if param.name not in names:
            continue
        start = param.span.start
        assigned = min(own.get(param.name, END), setters) <= start
        if param.operator in (":=", "="):  # sets it for all that follows
            own[param.name] = min(own.get(param.name, END), param.span.end)
        if not assigned:
            read = {file for file, at in files if at <= start}
            assigned = any(_kept_in(facts, stage, instruction, param.name, file) for file in read)
        visible = _is_visible(facts, stage, instruction, param.name)
        yield Use(
            param.name,
            param.span,
            instruction,
            stage,
            Place.SHELL,
            param.operator,
            visible,
            assigned,
            command,
        )


# Files that are read into a shell everywhere and set nothing of BuildKit's.
_HARMLESS = words_of(
    "os-release lsb-release activate env nvm.sh profile .profile bashrc .bashrc bash.bashrc setup.bash setup.sh"
    " sdkman-init.sh emsdk_env.sh environment conda.sh enable rvm rvm.sh ghcup opam"
)


def _setters(script: Script) -> tuple[int, list[tuple[str, int]]]:
    """From where on any variable may be set: the script has read a file, or run a text, that may do so. The harmless
    files that it has read before, each with the place from which on."""
    files: list[tuple[str, int]] = []
    for command in script.commands:
        if command.name in (".", "source", "eval"):
            first = command.arguments[0].raw.strip("\"'") if command.arguments else ""
            name = first.rsplit("/", 1)[-1]
            if command.name == "eval" or name not in _HARMLESS:
                return command.span.end, files
            files.append((name, command.span.end))
    return END, files


def _kept_in(facts: Facts, stage: StageFacts, instruction: Instruction, name: str, file: str) -> bool:
    """Whether an earlier RUN puts a variable into a file: `echo NAME=value >> /etc/environment`."""
    signs = encode(f"{name}="), encode(file)
    return any(
        run.span.start < instruction.span.start
        and all(sign in run.span.of(facts.document.source) for sign in signs)
        for one in stage.chain
        for run in one.runs
    )


class Found(NamedTuple):
    """`$NAME` in a script."""

    name: str
    operator: str
    span: Span


class Walk:
    """Goes through every word of a script, those of `$(...)`, `sh -c` and heredocs too."""

    def __init__(self, source: bytes) -> None:
        self.source = source

    def script(
        self, script: Script, around: ShellCommand | None
    ) -> Iterator[tuple[Found, ShellCommand | None]]:
        """Every variable of a script and the command it stands in."""
        if script.readable:
            yield from self.node(script.body, around)

    def node(self, node: Node, around: ShellCommand | None) -> Iterator[tuple[Found, ShellCommand | None]]:
        """Every variable below a node."""
        match node:
            case ShellCommand():
                yield from self.command(node)
            case Sequence() | AndOr():
                for item in node.items:
                    yield from self.node(item.node, around)
            case Pipeline():
                for command in node.commands:
                    yield from self.node(command, around)
            case If():
                for arm in node.arms:
                    yield from self.node(arm.condition, around)
                    yield from self.node(arm.body, around)
                if node.otherwise is not None:
                    yield from self.node(node.otherwise, around)
            case Case():
                yield from self.word(node.subject, around)
                for case_arm in node.arms:
                    for pattern in case_arm.patterns:
                        yield from self.word(pattern, around)
                    yield from self.node(case_arm.body, around)
            case Loop():
                for value in node.values:
                    yield from self.word(value, around)
                if node.condition is not None:
                    yield from self.node(node.condition, around)
                yield from self.node(node.body, around)
            case Group():
                yield from self.node(node.body, around)
                yield from self._redirects(node.redirects, around, None)
            case Function():
                yield from self.node(node.body, around)

    def command(self, command: ShellCommand) -> Iterator[tuple[Found, ShellCommand | None]]:
        """Every variable of a simple command."""
        for assign in command.assigns:
            if assign.value is not None:
                yield from self.word(assign.value, command)
        for word in command.words:
            yield from self.word(word, command)
        yield from self._redirects(command.redirects, command, command.script)
        if command.script is not None:
            yield from self.script(command.script, command)

    def _redirects(
        self, redirects: tuple[Redirect, ...], around: ShellCommand | None, script: Script | None
    ) -> Iterator[tuple[Found, ShellCommand | None]]:
        for redirect in redirects:
            if redirect.body is None:
                if redirect.target is not None:
                    yield from self.word(redirect.target, around)
            elif script is None and redirect.target is not None and not _quoted(redirect.target):
                for name, operator, span in _matches(self.source, redirect.body):
                    yield Found(name, operator, span), around

    def word(
        self, word: ShellWord, around: ShellCommand | None
    ) -> Iterator[tuple[Found, ShellCommand | None]]:
        """Every variable of a word."""
        yield from self.parts(word.parts, around)

    def parts(
        self, parts: tuple[Part, ...], around: ShellCommand | None
    ) -> Iterator[tuple[Found, ShellCommand | None]]:
        """Every variable of the parts of a word."""
        for part in parts:
            if isinstance(part, Param):
                yield Found(part.name, part.operator, part.span), around
                yield from self.parts(part.operand, around)
            elif isinstance(part, Substitution):
                yield from self.script(part.script, around)


def _quoted(word: ShellWord) -> bool:
    return word.raw[:1] in ("'", '"', "\\") or any(part.quote is not Quote.NONE for part in word.parts)
