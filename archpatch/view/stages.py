"""What each stage of a Dockerfile does on linux/amd64, instruction by instruction.

Variables are followed as BuildKit does: an undeclared automatic argument is nothing, a default wins, what a stage
declares its children inherit. The environment of a base image is not known; its variables are symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping

from msgspec import Struct, field

from archpatch.facts import Facts, StageFacts
from archpatch.platforms import AMD64
from archpatch.syntax.tree import Arg, Copy, Env, Heredoc, Instruction, Run
from archpatch.syntax.words import BadWord, Literal, Variable, expand, split_parts
from archpatch.syntax.words import Part as DockerPart
from archpatch.text import decode, encode
from archpatch.view.script import actions
from archpatch.view.state import Machine
from archpatch.view.values import (
    AUTOMATIC,
    Hole,
    Node,
    Piece,
    StageRef,
    Sym,
    Word,
    bounded,
    join,
    literal,
    symbol,
)

# Instructions whose words BuildKit expands (the reference's "Environment replacement").
_EXPANDED = frozenset({"WORKDIR", "USER", "EXPOSE", "VOLUME", "STOPSIGNAL", "LABEL"})
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu/", "/lib/x86_64-linux-gnu/")


class StageView(Struct, frozen=True, eq=False):
    """One stage. `base` is a StageRef, or the image as a Word; `platform` the one it is resolved for."""

    name: str | None
    base: Hashable
    platform: str
    steps: tuple[Hashable, ...]
    facts: StageFacts | None = None  # where it comes from; no part of what it is

    @property
    def _told(self) -> tuple[Hashable, ...]:
        return (self.name, self.base, self.platform, self.steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StageView) and self._told == other._told

    def __hash__(self) -> int:
        return hash(self._told)

    def __repr__(self) -> str:
        return f"StageView{self._told}"

    @property
    def musl(self) -> bool | None:
        """Whether the C library of its image is musl; None where that is not known."""
        return self.facts.distro.musl if self.facts is not None else None


class Body:
    """What a RUN's script does, worked out when it must be: most scripts stand in both views word for word."""

    __slots__ = ("_read", "_steps", "key", "scope")

    def __init__(
        self, key: tuple[bytes, str, str | None], scope: Mapping[str, Word], read: Callable[[], Hashable]
    ) -> None:
        self.key = key  # the bytes of the instruction, the escape character, the architecture it runs on
        self.scope = scope
        self._read = read
        self._steps: Hashable = None

    @property
    def steps(self) -> Hashable:
        """The steps of the script, or its text where it could not be read."""
        if self._steps is None:
            self._steps = self._read()
        return self._steps

    def is_surely(self, other: Body) -> bool:
        """Whether both have one text and every variable that it names has one value."""
        if self.key != other.key:
            return False
        if self.scope is other.scope:
            return True
        return all(
            self.scope.get(name) == other.scope.get(name) or encode(name) not in self.key[0]
            for name in self.scope.keys() | other.scope.keys()
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and (self.is_surely(other) or self.steps == other.steps)

    def __hash__(self) -> int:
        return hash(Body)

    def __repr__(self) -> str:
        return repr(self.steps)


class View(Struct, frozen=True):
    """The whole file: directives that change how it is built, and all stages in order."""

    directives: tuple[tuple[str, str], ...]
    stages: tuple[StageView, ...]


def view(facts: Facts) -> View:
    """The amd64 view of a file. Every stage is in it: any may be asked for with `--target`."""
    values = {name: literal(value) for name, value in AUTOMATIC.items()}
    outer = _Scope(facts.document.escape, values, {})
    for instruction in facts.document.globals:
        if isinstance(instruction, Arg):
            _declare(instruction, outer, {})
    reader = _Reader(facts, outer.values)
    return View(
        tuple(
            (directive.name, directive.value)
            for directive in facts.document.directives
            if directive.name != "escape"
        ),
        tuple(reader.stage(stage) for stage in facts.stages),
    )


class _Scope(Struct):
    """Variables in force. `declared`: names that ARG or ENV set; `closed`: nothing else is set (FROM scratch)."""

    escape: str
    values: dict[str, Word]
    outer: Mapping[str, Word]
    closed: bool = False

    def get(self, name: str) -> Word:
        """The value of a variable of a Dockerfile."""
        if name in self.values:
            return self.values[name]
        if name in AUTOMATIC:
            return Word((Hole(name),))
        return Word() if self.closed else Word((Sym("$", name),))

    def expand(self, text: str) -> Word:
        """A word as BuildKit expands it."""
        try:
            return join(self._pieces(split_parts(text, self.escape)))
        except BadWord:
            return Word((Sym("word", text),))

    def _pieces(self, parts: tuple[DockerPart, ...]) -> Iterator[Piece]:
        for part in parts:
            if isinstance(part, Literal):
                yield part.text
            else:
                yield from self._variable(part).pieces

    def _variable(self, part: Variable) -> Word:
        value = self.get(part.name)
        if not part.operator:
            return value
        operand = join(self._pieces(part.operand))
        replacement = join(self._pieces(part.replacement))
        text = value.text
        if text is not None and part.operator in (":-", "-", ":+", "+", ":?", "?"):
            empty = not text if part.operator[0] == ":" else value.pieces == (Hole(part.name),)
            if part.operator[-1] == "+":
                return Word() if empty else operand
            return operand if empty else value
        if text is not None and operand.text is not None and replacement.text is not None:
            rest = f"/{replacement.text}" if part.operator in ("/", "//") else ""
            try:
                return literal(expand(f"${{X{part.operator}{operand.text}{rest}}}", {"X": text}.get))
            except BadWord:
                pass
        return Word((symbol("${}", (part.name, part.operator, value, operand, replacement)),))


def _declare(
    instruction: Arg | Env, scope: _Scope, outer: Mapping[str, Word]
) -> tuple[tuple[str, str, Word], ...]:
    """Make the variables of an ARG or ENV visible; gives the steps that this is: kind, name and value.

    An ARG of an automatic argument is none while its value is the one that BuildKit would set. One that hides
    another value is no mere declaration: programs read the environment.
    """
    given: list[tuple[str, Word]] = []
    for declaration in instruction.declarations:
        name = scope.expand(declaration.name.value).text or declaration.name.value
        if declaration.value is not None:
            value = bounded(scope.expand(declaration.value.value))
        elif name in outer:
            value = outer[name]
        elif name in scope.values and isinstance(instruction, Arg):
            continue
        else:
            value = Word((Sym("arg", name),))
        given.append((name, value))
    steps: list[tuple[str, str, Word]] = []
    for name, value in given:
        if isinstance(instruction, Env):
            steps.append(("ENV", name, value))
        elif scope.values.get(name, value) != value:
            steps.append(("ARG over another value", name, value))
        elif value.constant != AUTOMATIC.get(name, False):
            steps.append(("ARG", name, value))
    # All names of one instruction see the values from before it, and so do the scripts above it.
    scope.values = {**scope.values, **dict(given)}
    return tuple(steps)


class _Reader(Struct):
    """Reads stages in order; `ends` are the variables that children inherit."""

    facts: Facts
    outer: Mapping[str, Word]
    ends: dict[int, dict[str, Word]] = field(default_factory=dict)

    def stage(self, stage: StageFacts) -> StageView:
        """One stage; its parent must have been read."""
        parent = stage.parent_for(AMD64)
        inherited = self.ends.get(parent.index, {}) if parent is not None else {}
        scope = _Scope(self.facts.document.escape, inherited, self.outer, stage.root_for(AMD64).is_scratch)
        later = _Scope(self.facts.document.escape, {}, self.outer)
        machine = self._machine(stage)
        steps: list[Hashable] = []
        for instruction in stage.body:
            found = self._step(instruction, later if instruction.onbuild else scope, machine, stage)
            steps += (Node("ONBUILD", (step,)) for step in found) if instruction.onbuild else found
        self.ends[stage.index] = scope.values
        return StageView(stage.name, self._base(stage, parent), self._platform(stage), tuple(steps), stage)

    def _base(self, stage: StageFacts, parent: StageFacts | None) -> Hashable:
        if parent is not None:
            return StageRef(parent.index)
        image = stage.image_for(AMD64)
        if image is not None and image.known:
            return literal(image.familiar)
        return _Scope(self.facts.document.escape, dict(self.outer), {}, True).expand(stage.head.image.value)

    def _platform(self, stage: StageFacts) -> str:
        """The platform; where it is not known, the flag that decides it."""
        found = stage.platform(AMD64)
        if found.platform is not None:
            return str(found.platform)
        return f"? {found.flag.value.value}" if found.flag and found.flag.value else "?"

    def _machine(self, stage: StageFacts) -> Machine:
        found = stage.platform(AMD64).platform
        return Machine(self.facts.document.source, found.arch if found and found.os == "linux" else None)

    def _step(
        self, instruction: Instruction, scope: _Scope, machine: Machine, stage: StageFacts
    ) -> tuple[Hashable, ...]:
        """What an instruction does; nothing for an ARG that only makes visible what is."""
        if isinstance(instruction, (Arg, Env)) and instruction.keyword != "LABEL":
            return tuple(
                Node(kind, (name, _preloaded(name, value, stage)))
                for kind, name, value in _declare(instruction, scope, self.outer)
            )
        if isinstance(instruction, Run):
            return (self._run(instruction, scope, machine),)
        if isinstance(instruction, Copy):
            return (self._copy(instruction, scope),)
        flags = tuple(
            sorted((flag.name, flag.value.value if flag.value else "") for flag in instruction.flags)
        )
        words: tuple[Hashable, ...]
        if isinstance(instruction, Env):  # LABEL
            words = tuple(
                (scope.expand(one.name.value), scope.expand(one.value.value) if one.value else None)
                for one in instruction.declarations
            )
        elif instruction.keyword in _EXPANDED:
            words = tuple(scope.expand(word.value) for word in instruction.words)
        else:
            words = tuple(literal(word.value) for word in instruction.words)
        return (Node(instruction.keyword, (instruction.json, flags, words)),)

    def _run(self, run: Run, scope: _Scope, machine: Machine) -> Hashable:
        flags = tuple(
            sorted(
                (flag.name, flag.value.value if flag.value else "")
                for flag in run.flags
                if flag.name != "mount"
            )
        )
        mounts = tuple(
            tuple(
                sorted(
                    ((key, self._source(word.value)) for key, word in mount.options if key == "from"),
                    key=repr,
                )
            )
            + tuple(sorted((key, scope.expand(word.value)) for key, word in mount.options if key != "from"))
            for mount in run.mounts
        )
        if run.json:
            return Node("RUN", (flags, mounts, "exec", tuple(literal(word.value) for word in run.words)))
        values = scope.values
        text = run.span.of(self.facts.document.source)

        def read() -> Hashable:
            script = self.facts.shell(run)
            if script.readable:
                return actions(script, values, machine)
            bodies = tuple(self._text(heredoc) for heredoc in run.heredocs)
            known = tuple((name, values[name]) for name in sorted(values) if encode(name) in text)
            return Node("text", (tuple(word.value for word in run.words), bodies, known))

        body = Body((text, self.facts.document.escape, machine.arch), values, read)
        return Node("RUN", (flags, mounts, body))

    def _copy(self, copy: Copy, scope: _Scope) -> Hashable:
        flags: list[tuple[str, Hashable]] = []
        for flag in copy.flags:
            value = flag.value.value if flag.value else ""
            flags.append((flag.name, self._source(value) if flag.name == "from" else scope.expand(value)))
        bodies = {
            f"<<{heredoc.name}": scope.expand(self._text(heredoc))
            if heredoc.expand
            else literal(self._text(heredoc))
            for heredoc in copy.heredocs
        }
        sources = tuple(
            Node(
                "heredoc",
                (
                    scope.expand(word.value),
                    bodies.get(word.value.replace("-", "", 1), bodies.get(word.value)),
                ),
            )
            if word.value.startswith("<<")
            else scope.expand(word.value)
            for word in copy.sources
        )
        goal = scope.expand(copy.destination.value) if copy.destination else None
        return Node(copy.keyword, (tuple(sorted(flags, key=lambda item: item[0])), sources, goal))

    def _source(self, name: str) -> Hashable:
        """What `--from=name` means: a stage, or an image, which is resolved for the target."""
        stage = self.facts.stage_referred(name, numbers=True)
        return StageRef(stage.index) if stage is not None else literal(name)

    def _text(self, heredoc: Heredoc) -> str:
        return decode(heredoc.content.of(self.facts.document.source)).replace("\r\n", "\n")


def _preloaded(name: str, value: Word, stage: StageFacts) -> Word:
    """LD_PRELOAD by soname is the library of that name in glibc's own folders: ld.so(8), "LD_PRELOAD"."""
    text = value.constant
    if name != "LD_PRELOAD" or text is None or stage.distro.musl is not False:
        return value
    for folder in _LIBRARIES:
        if text.startswith(folder) and "/" not in text[len(folder) :]:
            return literal(text[len(folder) :])
    return value
