"""Which architectures an arm of a script is for: `case`, `if`, `[ ... ] &&` over what names an architecture.

An `Arms` goes with a reader from the start of a script to its end, and knows at each place what was asked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from msgspec.structs import replace

from archpatch.syntax.shell_conditions import TESTS, Split, other_origin, split_of
from archpatch.syntax.shell_select import (
    EVERY,
    Origin,
    origin_of_word,
    variables_of,
)
from archpatch.syntax.shell_tree import (
    ArchSwitch,
    ArchTest,
    Assign,
    Node,
    Sequence,
    ShellCommand,
    SwitchArm,
)
from archpatch.syntax.shell_words import ShellWord
from archpatch.text import Span

_USUAL = frozenset({"amd64", "arm64"})
# Values that a variable is followed through; each one more is a copy of all before.
_MOST_VALUES = 256


class Arms:
    """What is known of the architecture at the place that a reader has come to.

    `only`: the arms around it; `left`: the architectures for which the script has ended before.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.variables: dict[str, Origin | None] = variables_of(aliases)
        self.lost: set[str] = set()  # variables with more values than are followed
        self.only: frozenset[str] | None = None
        self.left: frozenset[str] = frozenset()
        self.origin: Origin | None = None  # of the innermost arm
        self.certain = True  # no condition of another kind lies around
        self.quiet = 0  # in the condition of an `if`, which is a switch of its own

    @property
    def now(self) -> frozenset[str] | None:
        """The architectures for which this place is reached; None where it is no question.

        A script that ends for odd architectures alone ("unsupported") does not make the rest an arm.
        """
        if not self.left:
            return self.only
        rest = (EVERY if self.only is None else self.only) - self.left
        return None if self.only is None and rest >= _USUAL else rest

    def leave(self) -> None:
        """The script ends here."""
        if self.certain and (now := self.now) is not None:
            self.left |= now

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A subshell: its end is not the script's."""
        left, quiet = self.left, self.quiet
        self.quiet = 0
        yield
        self.left, self.quiet = left, quiet

    def narrow(self, before: frozenset[str] | None, part: frozenset[str]) -> None:
        """Go into an arm."""
        self.only = part if before is None else before & part

    def assigned(self, assign: Assign) -> None:
        """Remember where the value of a variable comes from."""
        name, value = assign.name, assign.value
        origin = origin_of_word(value, self.variables) if value else None
        if origin is not None:
            self.lost.discard(name)
            self.variables[name] = replace(
                origin, before="", translated=origin.translated or bool(origin.before)
            )
            return
        text = value.literal if value else ""
        if self.now is not None and self.origin is not None and text:
            known = self.variables.get(name)
            if known and len(known.values) >= _MOST_VALUES:
                self.lost.add(name)
            if name in self.lost:
                self.variables[name] = None
                return
            values = dict(known.values) if known else {}
            values[text] = values.get(text, frozenset()) | self.now
            self.variables[name] = Origin(self.origin.selector, True, values)
        elif self.only is None and self.certain:
            self.lost.discard(name)
            self.variables[name] = None

    def split(self, node: Node) -> Split | None:
        """What a condition asks of the architecture; None when it asks nothing."""
        return split_of(node, self.variables)


class _Arm:
    """What `Chain` and `Branch` share: what was known before, and what comes back when they end."""

    def __init__(self, arms: Arms) -> None:
        self.arms = arms
        self.before = arms.only
        self.origin = arms.origin
        self.certain = arms.certain
        self.found: list[SwitchArm] = []
        self.first: Split | None = None
        self.default: SwitchArm | None = None

    def restore(self) -> None:
        """Out of an arm again."""
        self.arms.only, self.arms.origin, self.arms.certain = self.before, self.origin, self.certain

    def close(self, span: Span) -> ArchSwitch | None:
        """The end; a switch, if the architecture was asked for."""
        self.restore()
        if self.first is None or not self.found:
            return None
        origin = self.first.origin
        translated = origin.translated or bool(origin.values)
        return ArchSwitch(
            span, origin.selector, translated, self.first.subject, tuple(self.found), self.default
        )


class Chain(_Arm):
    """`[ "$TARGETARCH" = amd64 ] && a || b`."""

    def __init__(self, arms: Arms) -> None:
        super().__init__(arms)
        self.true = self.false = EVERY
        self.operator = ""
        self.split: Split | None = None  # of the item before

    def enter(self) -> None:
        """Before an item."""
        if self.first is not None:
            self.arms.narrow(self.before, self.true if self.operator == "&&" else self.false)
            self.arms.origin = self.first.origin
        elif self.operator:
            self.arms.certain = False

    def leave(self, node: Node, operator: str) -> None:
        """After an item; `operator` follows it."""
        split, before = self.arms.split(node), self.operator
        runs = self.arms.only if self.arms.only is not None else EVERY
        if before and self.split is not None:  # what a test decides on
            body = self.found.pop()
            if before == "&&":
                self.found.append(replace(body, span=body.span.cover(node.span), body=node))
            else:
                self.found.append(body)
        if before == "||" and split is None and self.first is not None:
            self.default = SwitchArm(node.span, (), runs, node)
        if split is not None:
            self.first = self.first or split
            self.found.append(SwitchArm(node.span, split.tests, split.true, None))
            if before == "||":
                self.true, self.false = self.true | split.true, self.false & split.false
            elif before == "&&":
                self.true, self.false = self.true & split.true, self.false | split.false
            else:
                self.true, self.false = split.true, split.false
        elif before == "||" and self.first is not None and not (runs <= self.arms.left):
            self.true |= self.false
        elif isinstance(node, ShellCommand) and node.name in TESTS:
            self.certain_after()
        self.split, self.operator = split, operator

    def certain_after(self) -> None:
        """Another condition: what follows may not run."""
        self.arms.certain = False

    def close(self, span: Span) -> ArchSwitch | None:
        """The end of the list; in the condition of an `if` that is the switch."""
        if not self.arms.quiet:
            return super().close(span)
        self.restore()
        return None


class Branch(_Arm):
    """`if` with its `elif`s, and `case`."""

    def __init__(self, arms: Arms) -> None:
        super().__init__(arms)
        self.rest = EVERY
        self.part = EVERY
        self.tests: tuple[ArchTest, ...] | None = None

    def enter(self) -> None:
        """Before the condition of an `if` or `elif`."""
        self.arms.quiet += 1
        self._into_rest()

    def last(self) -> None:
        """After `else`."""
        self._into_rest()

    def _into_rest(self) -> None:
        if self.first is not None:
            self.arms.narrow(self.before, self.rest)
            self.arms.origin = self.first.origin

    def condition(self, condition: Sequence) -> None:
        """After a condition, before its body."""
        self.arms.quiet -= 1
        split = self.arms.split(condition)
        if split is None:
            self.tests = None
            self.arms.certain = False
            return
        self._into(split, self.rest & split.true, self.rest & split.false)

    def _into(self, split: Split, part: frozenset[str], rest: frozenset[str]) -> None:
        self.first = self.first or split
        self.part, self.rest, self.tests = part, rest, split.tests
        self.arms.narrow(self.before, part)
        self.arms.origin = split.origin

    def body(self, span: Span, body: Sequence) -> None:
        """After a body."""
        if self.tests is not None:
            self.found.append(SwitchArm(span, self.tests, self.part, body))
        self.restore()

    def otherwise(self, body: Sequence) -> None:
        """After the body of `else`."""
        self.default = SwitchArm(body.span, (), self.rest, body)
        self.restore()


class Choice(Branch):
    """`case` over an architecture."""

    def __init__(self, arms: Arms, subject: ShellWord, origin: Origin) -> None:
        super().__init__(arms)
        self.subject, self.chosen = subject, origin
        self.star = False

    def pattern(self, words: tuple[ShellWord, ...]) -> None:
        """After the patterns of an arm."""
        # The empty pattern is none of them: it is taken where nobody set the variable.
        self.star = any(word.literal and not word.literal.strip("*?") for word in words)
        tests = tuple(test for word in words if (test := self.chosen.test(word)) is not None)
        part = self.rest if self.star else self.rest & frozenset().union(*(test.arches for test in tests))
        split = Split(part, self.rest - part, tests, self.subject, self.chosen)
        self._into(split, part, self.rest - part)

    def body(self, span: Span, body: Sequence) -> None:
        """After a body."""
        if self.star:
            self.default = SwitchArm(span, (), self.part, body)
            self.restore()
            return
        super().body(span, body)


def choice(arms: Arms, subject: ShellWord, patterns: list[tuple[ShellWord, ...]]) -> Choice | None:
    """The beginning of a `case`; None when it is about something else."""
    words = tuple(word for group in patterns for word in group)
    origin = origin_of_word(subject, arms.variables) or other_origin(subject, words)
    return Choice(arms, subject, origin) if origin else None
