"""What a condition asks of the architecture: `[ ... ]`, `[[ ... ]]`, `uname -m | grep`, and lists of them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from archpatch.platforms import arch_of
from archpatch.syntax.shell_select import EVERY, Origin, origin_of_command, origin_of_word, regex_test
from archpatch.syntax.shell_tree import (
    AndOr,
    ArchTest,
    Group,
    Node,
    Pipeline,
    Selector,
    Sequence,
    ShellCommand,
)
from archpatch.syntax.shell_words import Opaque, Param, Quote, ShellWord

TESTS = frozenset({"[", "[[", "test"})


class Split(Struct, frozen=True):
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


def split_of(node: Node, variables: Mapping[str, Origin | None]) -> Split | None:
    """What a condition asks of the architecture; None when it asks nothing."""
    if isinstance(node, ShellCommand):
        return _Expression(node, variables).read() if node.name in TESTS else None
    if isinstance(node, Pipeline):
        return _pipeline(node, variables)
    if isinstance(node, Group):
        return split_of(node.body, variables)
    if isinstance(node, Sequence):
        return split_of(node.items[-1].node, variables) if node.items else None
    if isinstance(node, AndOr):
        found, operator = None, "&&"
        for index, item in enumerate(node.items):
            split = split_of(item.node, variables)
            join = _and if operator == "&&" else _or
            found = split if index == 0 else join(found, split)
            operator = item.operator
        return found
    return None


def _pipeline(node: Pipeline, variables: Mapping[str, Origin | None]) -> Split | None:
    last = node.commands[-1]
    found = None
    if len(node.commands) == 1:
        found = split_of(last, variables)
    elif isinstance(last, ShellCommand) and last.name in ("grep", "egrep"):
        first = node.commands[0]
        origin = origin_of_command(first, variables) if isinstance(first, ShellCommand) else None
        word = next((one for one in last.arguments if not one.raw.startswith("-")), None)
        if origin and word and isinstance(first, ShellCommand):
            basic = last.name == "grep" and not last.has("-E", "-P")
            exact = not last.has("-i", "-x", "-w", "-F")
            test = regex_test(word, origin if exact else None, basic)
            if test.arches:
                found = Split(test.arches, EVERY - test.arches, (test,), _as_word(first), origin)
            if found and last.has("-v"):
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
            return _compared(first, sign, second, self.glob, self.variables)
        if first.raw.startswith("-") and len(first.raw) == 2 and self.at < len(self.words):
            self.at += 1  # `-f x`, `-z "$x"`
        return None


def _compared(
    first: ShellWord, sign: str, second: ShellWord, glob: bool, variables: Mapping[str, Origin | None]
) -> Split | None:
    """What `first = second` asks of the architecture."""
    for subject, word in ((first, second), (second, first)):
        origin = origin_of_word(subject, variables) or other_origin(subject, (word,))
        if origin is None:
            continue
        test = regex_test(word, origin) if sign == "=~" else origin.test(word, glob and not word.quoted)
        if test is None or not (test.arches or test.text):
            return None
        found = Split(test.arches, EVERY - test.arches, (test,), subject, origin)
        return found.inverted() if sign in ("!=", "-ne") else found
    return None


def other_origin(subject: ShellWord, words: tuple[ShellWord, ...]) -> Origin | None:
    """A variable from elsewhere counts when it is compared with a word for an architecture."""
    named = any(arch_of(word.literal or "") not in (None, "wasm") for word in words)
    if named and len(subject.parts) == 1 and isinstance(subject.parts[0], Param):
        return Origin(Selector.OTHER, True)
    return None
