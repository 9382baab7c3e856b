"""The tree of a shell script: frozen nodes in file offsets. Import these from `archpatch.syntax.shell`.

How the nodes nest: a `Script` has a `Sequence` of `Item`s; an item is a node and the operator that follows it.

    Sequence   a; b & c          items run one after the other (a line end counts as `;`)
    AndOr      a && b || c       items with `&&`, `||`; both bind alike, from the left
    Pipeline   ! a | b           at least two commands, or one that is negated
    If         arms of condition and body, and what stands after `else`
    Case       a subject and arms of patterns and body
    Loop       for, while, until, select; `values` or `condition` before the body
    Group      { a; } or ( a ); also any compound node that has redirects of its own
    Function   f() { a; }
    ShellCommand  a simple command, `[ ... ]`, `[[ ... ]]`, `export A=1`, or nothing but assignments

A `Sequence` or `AndOr` of one item does not occur below a `Script`, an arm, a body: those always hold a `Sequence`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cached_property

from msgspec import Struct

from archpatch.platforms import Convention, arches_in
from archpatch.syntax.shell_words import ShellWord, tail
from archpatch.syntax.shell_wrappers import command_at
from archpatch.text import Nest, Span


class Assign(Struct, frozen=True, gc=False):
    """`name=value`; `name` of an array's element is `a[i]`, the `value` of a whole array `(x y)` as written. `keyword` is "export", "readonly", "declare", "typeset", "local", or "" ; "for" and
    "read" where the value comes from a loop or from input (`value` None). `prefix`: for one command alone
    (`A=1 make`). `only_on`: as in ShellCommand."""

    span: Span
    name: str
    value: ShellWord | None
    append: bool = False
    keyword: str = ""
    prefix: bool = False
    only_on: frozenset[str] | None = None


class Redirect(Struct, frozen=True, gc=False):
    """`2>file`, `<<EOF`. `body` is the content of a heredoc (also of one that BuildKit reads)."""

    span: Span
    operator: str
    fd: int | None
    target: ShellWord | None
    body: Span | None = None


class ShellCommand(Struct, frozen=True, dict=True):
    """A simple command. `words` are all words as written, without assignments and redirects.

    `only_on`: the architectures (words of `Platform.arch`) for which the arms around it are meant; None where
    no arm asks for one. An arm counts for the architectures its words mean, whether or not the selector can
    spell them so (see `ArchTest.taken`). `over`: the architectures that a loop around it goes through.
    `script`: the body of `sh -c` or of a heredoc, if this command is a shell.
    """

    span: Span
    words: tuple[ShellWord, ...]
    assigns: tuple[Assign, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    only_on: frozenset[str] | None = None
    over: frozenset[str] = frozenset()
    script: Script | None = None

    @cached_property
    def arches(self) -> frozenset[str]:
        """The architectures that its words name; what a cross compiler builds for is none."""
        return arches_in(word.raw for word in self.words)

    @cached_property
    def _start(self) -> int:
        """The index of the word that names the command which really runs."""
        return command_at(self.words)

    @cached_property
    def name(self) -> str:
        """The command that really runs, behind `sudo`, `env A=b`, `exec`, ..., without its folder; "" if computed."""
        start = self._start
        if start >= len(self.words):
            return ""
        return (self.words[start].literal or "").rsplit("/", 1)[-1]

    @cached_property
    def arguments(self) -> tuple[ShellWord, ...]:
        """The words after `name`."""
        return self.words[self._start + 1 :]

    @property
    def wrappers(self) -> tuple[ShellWord, ...]:
        """The words before `name`."""
        return self.words[: self._start]

    def option(self, *names: str) -> ShellWord | None:
        """The value of the last of these options: the next word, or what follows `--output=` or `-o`.

        `-fsSLo file` gives `file` for `-o`. The value of `--output=x` is a word with the span of `x`.
        """
        found = None
        words = self.arguments
        for index, word in enumerate(words):
            text = word.prefix
            if text[:1] != "-":
                continue
            for name in names:
                short = len(name) == 2
                if text == name or (
                    short and text[1:].isalpha() and text[0] != text[1] and text[-1] == name[1]
                ):
                    found = words[index + 1] if index + 1 < len(words) else found
                elif text.startswith(name if short else name + "="):
                    found = tail(word, len(name) + (text[len(name) : len(name) + 1] == "=")) or found
        return found

    def has(self, *flags: str) -> bool:
        """Whether one of these words is among the arguments, or one of these letters in a cluster: `-fsSL` has `-f`."""
        letters = {flag[1] for flag in flags if len(flag) == 2 and flag[0] == "-"}
        for word in self.arguments:
            text = word.prefix
            if text in flags or text.partition("=")[0] in flags:
                return True
            if letters and text[:1] == "-" and text[1:].isalpha() and not letters.isdisjoint(text[1:]):
                return True
        return False


class Item(Struct, frozen=True, gc=False):
    """A node of a list and the operator that follows it: ";", "&", "&&", "||"; "" after the last."""

    node: Node
    operator: str


class Sequence(Struct, frozen=True, gc=False):
    """Nodes that run one after the other; may be empty."""

    span: Span
    items: tuple[Item, ...]


class AndOr(Struct, frozen=True, gc=False):
    """`a && b || c`."""

    span: Span
    items: tuple[Item, ...]


class Pipeline(Struct, frozen=True, gc=False):
    """`a | b`, `! a`."""

    span: Span
    commands: tuple[Node, ...]
    negated: bool


class Arm(Struct, frozen=True, gc=False):
    """`if` or `elif` with its condition and body."""

    span: Span
    condition: Sequence
    body: Sequence


class If(Struct, frozen=True, gc=False):
    """`if`, its `elif`s, and `else`."""

    span: Span
    arms: tuple[Arm, ...]
    otherwise: Sequence | None


class CaseArm(Struct, frozen=True, gc=False):
    """`a|b) ... ;;`; `end` is ";;", ";&", ";;&", or "" where the last arm has none."""

    span: Span
    patterns: tuple[ShellWord, ...]
    body: Sequence
    end: str


class Case(Struct, frozen=True, gc=False):
    """`case subject in ... esac`."""

    span: Span
    subject: ShellWord
    arms: tuple[CaseArm, ...]


class Loop(Struct, frozen=True, gc=False):
    """`for variable in values`, `while condition`, `until condition`."""

    span: Span
    keyword: str
    variable: str
    values: tuple[ShellWord, ...]
    condition: Sequence | None
    body: Sequence


class Group(Struct, frozen=True, gc=False):
    """`{ ... }`, `( ... )`, or a compound node with redirects."""

    span: Span
    body: Sequence
    subshell: bool
    redirects: tuple[Redirect, ...] = ()


class Function(Struct, frozen=True, gc=False):
    """`name() { ... }`."""

    span: Span
    name: str
    body: Sequence


Node = ShellCommand | Sequence | AndOr | Pipeline | If | Case | Loop | Group | Function


class Selector(enum.Enum):
    """What names an architecture in a build. `host` ones name that of the machine which builds."""

    TARGETARCH = "TARGETARCH"
    TARGETPLATFORM = "TARGETPLATFORM"
    BUILDARCH = "BUILDARCH"
    BUILDPLATFORM = "BUILDPLATFORM"
    UNAME = "uname -m"
    DPKG = "dpkg --print-architecture"
    APK = "apk --print-arch"
    RPM = "rpm -E %_arch"
    XX = "xx-info arch"
    GO = "go env GOARCH"
    OTHER = "a variable compared with architectures"

    @property
    def convention(self) -> Convention | None:
        """How it spells an architecture (TARGETPLATFORM behind `linux/`); None: not known."""
        return _CONVENTIONS.get(self)

    @property
    def is_platform(self) -> bool:
        """Whether its values are `os/arch[/variant]`."""
        return self in (Selector.TARGETPLATFORM, Selector.BUILDPLATFORM)


_CONVENTIONS = {
    Selector.TARGETARCH: Convention.DOCKER,
    Selector.TARGETPLATFORM: Convention.DOCKER,
    Selector.BUILDARCH: Convention.DOCKER,
    Selector.BUILDPLATFORM: Convention.DOCKER,
    Selector.UNAME: Convention.UNAME,
    Selector.DPKG: Convention.DPKG,
    Selector.APK: Convention.APK,
    Selector.RPM: Convention.RPM,
    Selector.XX: Convention.DOCKER,
    Selector.GO: Convention.DOCKER,
}


class ArchTest(Struct, frozen=True, gc=False):
    """A word that an arch selector is compared with: `aarch64`, `arm*`, `linux/arm64`.

    `arches`: what the word means in any convention. `taken`: the architectures for which the selector has
    such a value; empty for `aarch64` beside TARGETARCH, which never matches.
    """

    span: Span
    text: str
    arches: frozenset[str]
    taken: frozenset[str]


class SwitchArm(Struct, frozen=True, gc=False):
    """An arm and the architectures it is for. `words` is empty for `*)` and `else`. `body` is None where the
    rest of the script is meant (`[ "$TARGETARCH" = amd64 ] || exit 0`)."""

    span: Span
    words: tuple[ArchTest, ...]
    arches: frozenset[str]
    body: Node | None


class ArchSwitch(Struct, frozen=True, gc=False):
    """A `case`, an `if` or a test that asks which architecture it is.

    `subject` is the word that is compared (`"$ARCH"`, `$(uname -m)`), `selector` where its value comes from,
    `translated` whether the value was respelled on the way (sed, another case): then the selector's convention
    says nothing about the words. `default` is `*)`, `else`, or what follows `||`; None where there is none.
    """

    span: Span
    selector: Selector
    translated: bool
    subject: ShellWord
    arms: tuple[SwitchArm, ...]
    default: SwitchArm | None

    @property
    def convention(self) -> Convention | None:
        """The spelling that the words should have; None: any."""
        return None if self.translated else self.selector.convention


class Content(Struct, frozen=True, gc=False):
    """What a script holds; see `Script`."""

    body: Sequence
    commands: tuple[ShellCommand, ...] = ()
    assigns: tuple[Assign, ...] = ()
    switches: tuple[ArchSwitch, ...] = ()


class Script(Struct, frozen=True, dict=True, eq=False):
    """A shell script. `readable` is False when the parser met an error or the shell is none we read; `problem`
    then says why, at `problem_span`; commands may still be there, for findings without a fix.

    `load` gives the content when it is first asked for: most scripts of most files never are.
    """

    span: Span
    readable: bool
    problem: str
    load: Callable[[], Content]
    problem_span: Span | None = None
    asks: bool = True

    @cached_property
    def content(self) -> Content:
        """All of it."""
        return self.load()

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Script)
            and (self.span, self.readable, self.problem) == (other.span, other.readable, other.problem)
            and self.content == other.content
        )

    def __hash__(self) -> int:
        return hash(self.span)

    @property
    def body(self) -> Sequence:
        """Its statements."""
        return self.content.body

    @property
    def commands(self) -> tuple[ShellCommand, ...]:
        """Every simple command in the order of the file, those in `$(...)`, `sh -c` and heredocs too."""
        return self.content.commands

    @cached_property
    def shells(self) -> tuple[ShellCommand, ...]:
        """The commands that are given a script of their own: `sh -c '...'`."""
        return tuple(command for command in self.commands if command.script is not None)

    @cached_property
    def commands_by_place(self) -> Nest[ShellCommand]:
        """To be asked which commands hold a place."""
        return Nest((command.span, command) for command in self.commands)

    @cached_property
    def words_by_place(self) -> Nest[ShellWord]:
        """The words of commands, the targets of redirects and the values of assignments, likewise."""
        words = [word for command in self.commands for word in command.words]
        words += [
            one.target for command in self.commands for one in command.redirects if one.target is not None
        ]
        words += [assign.value for assign in self.assigns if assign.value is not None]
        return Nest((word.span, word) for word in words)

    @cached_property
    def assigns_by_place(self) -> Nest[Assign]:
        """The assignments, likewise."""
        return Nest((assign.span, assign) for assign in self.assigns)

    @cached_property
    def tested_by_place(self) -> Nest[ArchTest]:
        """The words that its own questions for the architecture compare with, likewise."""
        return Nest(
            (word.span, word) for switch in self.switches for arm in switch.arms for word in arm.words
        )

    @property
    def assigns(self) -> tuple[Assign, ...]:
        """Every assignment, likewise."""
        return self.content.assigns

    @property
    def switches(self) -> tuple[ArchSwitch, ...]:
        """Every question for the architecture, likewise. `asks` is False where there can be none."""
        return self.content.switches if self.asks else ()
