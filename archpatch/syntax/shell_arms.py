"""Which architectures an arm of a script is for: `case`, `if`, `[ ... ] &&` over what names an architecture.

An `Arms` goes with a reader from the start of a script to its end, and knows at each place what was asked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from archpatch.platforms import arch_of
from archpatch.syntax.shell_select import (
    EVERY,
    Origin,
    origin_of_command,
    origin_of_word,
    regex_test,
    variables_of,
)
from archpatch.syntax.shell_tree import (
    AndOr,
    ArchSwitch,
    ArchTest,
    Assign,
    Group,
    Node,
    Opaque,
    Param,
    Pipeline,
    Quote,
    Selector,
    Sequence,
    ShellCommand,
    ShellWord,
    SwitchArm,
)
from archpatch.text import Span

_USUAL = frozenset({"amd64", "arm64"})
_TESTS = frozenset({"[", "[[", "test"})


@dataclass(frozen=True, slots=True)
class Split:
    """The architectures for which a condition can hold, and those for which it can fail; and what was asked."""

    true: frozenset[str]
    false: frozenset[str]
    tests: tuple[ArchTest, ...]
    subject: ShellWord
    origin: Origin

    def both(self, other: Split | None) -> Split:
        """`self && other`."""
        if other is None:
            return replace(self, false=EVERY)
        return replace(
            self, true=self.true & other.true, false=self.false | other.false, tests=self.tests + other.tests
        )

    def either(self, other: Split | None) -> Split:
        """`self || other`."""
        return self.inverted().both(other.inverted() if other else None).inverted()

    def inverted(self) -> Split:
        """`! self`."""
        return replace(self, true=self.false, false=self.true)


def _and(one: Split | None, two: Split | None) -> Split | None:
    return one.both(two) if one else two.both(None) if two else None


def _or(one: Split | None, two: Split | None) -> Split | None:
    return one.either(two) if one else two.either(None) if two else None


class Arms:
    """What is known of the architecture at the place that a reader has come to.

    `only`: the arms around it; `left`: the architectures for which the script has ended before.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.variables: dict[str, Origin | None] = variables_of(aliases)
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
            self.variables[name] = replace(
                origin, before="", translated=origin.translated or bool(origin.before)
            )
            return
        text = value.literal if value else ""
        if self.now is not None and self.origin is not None and text:
            known = self.variables.get(name)
            values = dict(known.values) if known else {}
            values[text] = values.get(text, frozenset()) | self.now
            self.variables[name] = Origin(self.origin.selector, True, values)
        elif self.only is None and self.certain:
            self.variables[name] = None

    def split(self, node: Node) -> Split | None:
        """What a condition asks of the architecture; None when it asks nothing."""
        if isinstance(node, ShellCommand):
            return _Expression(node, self.variables).read() if node.name in _TESTS else None
        if isinstance(node, Pipeline):
            return self._pipeline(node)
        if isinstance(node, Group):
            return self.split(node.body)
        if isinstance(node, Sequence):
            return self.split(node.items[-1].node) if node.items else None
        if isinstance(node, AndOr):
            found, operator = None, "&&"
            for index, item in enumerate(node.items):
                split = self.split(item.node)
                join = _and if operator == "&&" else _or
                found = split if index == 0 else join(found, split)
                operator = item.operator
            return found
        return None

    def _pipeline(self, node: Pipeline) -> Split | None:
        last = node.commands[-1]
        found = None
        if len(node.commands) == 1:
            found = self.split(last)
        elif isinstance(last, ShellCommand) and last.name in ("grep", "egrep"):
            first = node.commands[0]
            origin = origin_of_command(first, self.variables) if isinstance(first, ShellCommand) else None
            word = next((one for one in last.arguments if not one.raw.startswith("-")), None)
            if origin and word and isinstance(first, ShellCommand) and (test := regex_test(word)).arches:
                found = Split(test.taken, EVERY - test.taken, (test,), _as_word(first), origin)
                if last.has("-v"):
                    found = found.inverted()
        return found.inverted() if found and node.negated else found


def _as_word(command: ShellCommand) -> ShellWord:
    """A command whose output is looked at, as the subject of a question."""
    raw = " ".join(word.raw for word in command.words)
    return ShellWord(command.span, (Opaque(command.span, raw, Quote.NONE),), raw)


class _Expression:
    """The expression of `[ ... ]`, from its words."""

    def __init__(self, command: ShellCommand, variables: Mapping[str, Origin | None]) -> None:
        self.words = [word for word in command.arguments if word.raw not in ("]", "]]")]
        self.glob = command.name == "[["
        self.variables = variables
        self.at = 0

    def read(self) -> Split | None:
        """The whole."""
        found = self._all()
        while self._take("-o", "||"):
            found = _or(found, self._all())
        return found

    def _take(self, *signs: str) -> bool:
        if self.at < len(self.words) and self.words[self.at].raw in signs:
            self.at += 1
            return True
        return False

    def _all(self) -> Split | None:
        found = self._one()
        while self._take("-a", "&&"):
            found = _and(found, self._one())
        return found

    def _one(self) -> Split | None:
        if self._take("!"):
            found = self._one()
            return found.inverted() if found else None
        if self._take("(", "\\("):
            found = self.read()
            self._take(")", "\\)")
            return found
        if self.at >= len(self.words):
            return None
        first = self.words[self.at]
        self.at += 1
        if self._take("=", "==", "!=", "=~", "-eq", "-ne"):
            sign = self.words[self.at - 1].raw
            if self.at >= len(self.words):
                return None
            second = self.words[self.at]
            self.at += 1
            return compared(first, sign, second, self.glob, self.variables)
        if first.raw.startswith("-") and len(first.raw) == 2 and self.at < len(self.words):
            self.at += 1  # `-f x`, `-z "$x"`
        return None


def compared(
    first: ShellWord, sign: str, second: ShellWord, glob: bool, variables: Mapping[str, Origin | None]
) -> Split | None:
    """What `first = second` asks of the architecture."""
    for subject, word in ((first, second), (second, first)):
        origin = origin_of_word(subject, variables) or _other(subject, (word,))
        if origin is None:
            continue
        test = regex_test(word) if sign == "=~" else origin.test(word, glob and not word.quoted)
        if test is None or not (test.arches or test.text):
            return None
        found = Split(test.arches, EVERY - test.arches, (test,), subject, origin)
        return found.inverted() if sign in ("!=", "-ne") else found
    return None


def _other(subject: ShellWord, words: tuple[ShellWord, ...]) -> Origin | None:
    """A variable from elsewhere counts when it is compared with a word for an architecture."""
    named = any(arch_of(word.literal or "") not in (None, "wasm") for word in words)
    if named and len(subject.parts) == 1 and isinstance(subject.parts[0], Param):
        return Origin(Selector.OTHER, True)
    return None


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
        elif isinstance(node, ShellCommand) and node.name in _TESTS:
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
        self.star = any(word.literal is not None and not word.literal.strip("*?") for word in words)
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
    origin = origin_of_word(subject, arms.variables) or _other(subject, words)
    return Choice(arms, subject, origin) if origin else None
