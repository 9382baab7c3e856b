"""Commands of RUN instructions, and the values of their words on a platform."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from archpatch.facts.values import AUTOMATIC, LONGEST, UNKNOWN, Scope, Value
from archpatch.platforms import Platform
from archpatch.syntax.shell import (
    AndOr,
    Assign,
    Case,
    Function,
    Group,
    If,
    Literal,
    Loop,
    Node,
    Param,
    Part,
    Pipeline,
    Script,
    Selector,
    Sequence,
    ShellCommand,
    ShellWord,
    Substitution,
)
from archpatch.syntax.shell_conditions import TESTS
from archpatch.syntax.shell_select import origin_of_script
from archpatch.syntax.tree import Run
from archpatch.syntax.words import BadWord, expand
from archpatch.text import Nest, Span, decode

if TYPE_CHECKING:
    from archpatch.facts.stages import StageFacts


class Command(Struct, frozen=True):
    """A simple command, the RUN and the stage that it stands in, and the script that holds it."""

    shell: ShellCommand
    run: Run
    stage: StageFacts
    script: Script


class Setting(NamedTuple):
    """An assignment of a script; `region` is the part of the script within which it has certainly happened once it
    was passed (None: everywhere)."""

    assign: Assign
    region: Span | None


class Settings:
    """The assignments of a script by name, in the order of the file, those for one command alone left out; and its
    loops and functions, in which a word may also see what is assigned behind it."""

    def __init__(self, script: Script) -> None:
        self.by_name: dict[str, list[Setting]] = {}
        self.all_loops: list[Loop] = []  # each before those within it
        self.functions: list[Span] = []
        self.own: set[str] = set()  # the names of the functions
        self._regions: dict[int, Span] = {}
        self._walk(script.body, None)
        self._loops_by_place = Nest((loop.span, loop) for loop in self.all_loops)
        for assign in script.assigns:
            if not assign.prefix:
                setting = Setting(assign, self._regions.get(assign.span.start))
                self.by_name.setdefault(assign.name, []).append(setting)

    def before(self, name: str, position: int) -> int:
        """How many assignments to `name` begin before byte `position`."""
        return bisect_left(
            self.by_name.get(name, ()), position, key=lambda setting: setting.assign.span.start
        )

    def last(self, name: str, position: int) -> Iterator[Assign]:
        """The assignments to `name` that end before byte `position`, the last one first."""
        settings = self.by_name.get(name, ())
        for at in range(self.before(name, position) - 1, -1, -1):
            if settings[at].assign.span.end <= position:
                yield settings[at].assign

    def seen_from_behind(self, name: str, position: int, count: int) -> bool:
        """Whether a loop or a call may bring an assignment behind `position` (those after the first `count`) to it."""
        settings = self.by_name.get(name, ())
        if count == len(settings):
            return False
        if any(span.start <= position < span.end for span in self.functions):
            return True
        first = settings[count].assign.span  # where a loop holds a later one, it holds this one too
        return any(first in loop.span for loop in self.loops(position))

    def loops(self, position: int) -> Iterator[Loop]:
        """The loops around byte `position`, the innermost first."""
        for loop in self._loops_by_place.holding(Span(position, position)):
            if position < loop.span.end:
                yield loop

    def _walk(self, node: Node, region: Span | None) -> None:
        """Note for each assignment below a condition the part of the script that shares the condition."""
        match node:
            case ShellCommand():
                if region is not None:
                    self._regions.update((assign.span.start, region) for assign in node.assigns)
            case Sequence():
                for item in node.items:
                    self._walk(item.node, region)
            case AndOr():
                for index, item in enumerate(node.items):
                    if index and _conditional(node.items[index - 1].node, node.items[index - 1].operator):
                        region = node.span
                    self._walk(item.node, region)
            case Pipeline():
                for command in node.commands:  # each side is a subshell of its own
                    self._walk(command, command.span)
            case If():
                for arm in node.arms:
                    self._walk(arm.condition, region)
                    self._walk(arm.body, arm.body.span)
                if node.otherwise is not None:
                    self._walk(node.otherwise, node.otherwise.span)
            case Case():
                for case_arm in node.arms:
                    self._walk(case_arm.body, case_arm.body.span)
            case Loop():
                self.all_loops.append(node)
                self._walk(node.body, node.body.span)
            case Function():
                self.functions.append(node.span)
                self.own.add(node.name)
                self._walk(node.body, node.body.span)
            case Group():
                self._walk(node.body, node.body.span if node.subshell else region)


def _conditional(before: Node, operator: str) -> bool:
    """Whether what follows `before` and this operator may not run although the script goes on."""
    return operator == "||" or (isinstance(before, ShellCommand) and before.name in TESTS)


class Shell:
    """What the variables of one script hold on one platform.

    `target` is what is built, `host` the platform that the stage runs on: what `uname -m` answers. None: unknown.
    """

    def __init__(
        self, source: bytes, scope: Scope, settings: Settings, target: Platform | None, host: Platform | None
    ) -> None:
        self.source = source
        self.scope = scope
        self.settings = settings
        self.target = target
        self.host = host
        self._values: dict[int, Value] = {}

    def value(self, word: ShellWord) -> Value:
        """What a word comes to; unknown when any part of it is."""
        return self._parts(word.parts, word.span.start)

    def render(self, word: ShellWord) -> str:
        """The word with what is known put in, the rest as written."""
        if (literal := word.literal) is not None:
            return literal
        pieces = []
        for part in word.parts:
            text = part.text if isinstance(part, Literal) else self._part(part, word.span.start).text
            pieces.append(decode(part.span.of(self.source)) if text is None else text)
        return "".join(pieces)

    def _parts(self, parts: tuple[Part, ...], position: int) -> Value:
        values = [self._part(part, position) for part in parts]
        texts = [value.text for value in values]
        return Value(
            None if None in texts else "".join(text for text in texts if text is not None),
            frozenset().union(*(value.names for value in values)),
            frozenset().union(*(value.missing for value in values)),
        )

    def _part(self, part: Part, position: int) -> Value:
        match part:
            case Literal():
                return Value(part.text)
            case Substitution():
                return self._substitution(part.script)
            case Param():
                return self._param(part, position)
            case _:
                return UNKNOWN

    def _substitution(self, script: Script) -> Value:
        """`$(uname -m)` and its like, asked on the platform of the stage."""
        origin = origin_of_script(script, {})
        if origin is None or origin.translated or len(script.commands) != 1:
            return UNKNOWN
        if script.commands[0].name in self.settings.own:
            return UNKNOWN  # `arch() { ... }`: a function, no program
        platform = self.target if origin.selector is Selector.XX else self.host
        if origin.selector is Selector.GO and self.scope.get("GOARCH") is not None:
            return self.scope.value("GOARCH")
        convention = origin.selector.convention
        return Value(None if platform is None or convention is None else convention.spell(platform.arch))

    def _param(self, param: Param, position: int) -> Value:
        own = self.variable(param.name, position)
        if not param.operator:
            return own
        operand = self._parts(param.operand, position)
        names, missing = own.names | operand.names, own.missing | operand.missing
        if own.text is None:
            return Value(None, names, missing)
        if param.operator in (":-", "-", ":=", "="):
            empty = own.text == "" if param.operator[0] == ":" else own.unset
            return Value(operand.text if empty else own.text, names, missing)
        if param.operator in (":+", "+"):
            empty = own.text == "" if param.operator[0] == ":" else own.unset
            return Value("" if empty else operand.text, names, missing)
        return Value(self._pattern(param, own.text), names, missing)

    def _pattern(self, param: Param, text: str) -> str | None:
        """`${x#p}`, `${x/p/r}`: those that the Dockerfile's own words share with the shell."""
        written = decode(param.span.of(self.source))
        constant = all(isinstance(part, Literal) for part in param.operand)
        if not constant or "[" in written or "\n" in written or param.operator.startswith(("#x", "!")):
            return None
        try:
            return expand(written, lambda _: text)
        except BadWord:
            return None

    def variable(self, name: str, position: int) -> Value:
        """What a variable holds for a word at byte `position`."""
        count = self.settings.before(name, position)
        if self.settings.seen_from_behind(name, position, count):
            return UNKNOWN
        if count and not self._values:
            self._evaluate()
        values: list[Value] = []
        for setting in reversed(self.settings.by_name.get(name, ())[:count]):
            taken = self._taken(setting.assign)
            if setting.assign.span.end > position or taken is False:
                continue
            values.append(self._values[setting.assign.span.start])
            region = setting.region
            if taken or region is None or region.start <= position <= region.end:
                break  # it has certainly happened
        else:
            values.append(self._outer(name))
        first = values[0]
        return first if all(value == first for value in values) else UNKNOWN

    def _evaluate(self) -> None:
        """The value of every assignment, in the order of the file: each hangs on earlier ones only."""
        every = [setting.assign for settings in self.settings.by_name.values() for setting in settings]
        for assign in sorted(every, key=lambda assign: assign.span.start):
            self._values[assign.span.start] = UNKNOWN  # now there is one: this is not called again
            self._values[assign.span.start] = self._assigned(assign)

    def _outer(self, name: str) -> Value:
        """The value that comes into the script from the Dockerfile."""
        found = self.scope.get(name)
        if found is not None or name in AUTOMATIC:
            return self.scope.value(name)
        return UNKNOWN  # the image's environment, or the shell's own (`$PWD`)

    def _assigned(self, assign: Assign) -> Value:
        if assign.value is None or assign.append:
            return UNKNOWN
        value = self.value(assign.value)
        return value if value.text is None or len(value.text) <= LONGEST else UNKNOWN

    def _taken(self, assign: Assign) -> bool | None:
        """Whether the arm around an assignment is that of the platform; None without one, or when unknown."""
        if assign.only_on is None or self.target is None or self.host is None:
            return None
        meant = {platform.arch in assign.only_on for platform in (self.target, self.host)}
        return meant.pop() if len(meant) == 1 else None
