"""Simple commands of a script, from the grammar's tree to ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from archpatch.syntax.shell_arms import Arms
from archpatch.syntax.shell_lex import WordReader
from archpatch.syntax.shell_select import mentions_arch
from archpatch.syntax.shell_text import Text, heredoc_text, readable, text_of
from archpatch.syntax.shell_tree import (
    ArchSwitch,
    Assign,
    Redirect,
    Script,
    ShellCommand,
)
from archpatch.syntax.shell_words import (
    Literal,
    Opaque,
    Part,
    Quote,
    ShellWord,
    Substitution,
)
from archpatch.syntax.shell_wrappers import SHELLS, USERS, script_word
from archpatch.text import Span, decode, encode, holds

if TYPE_CHECKING:
    from tree_sitter import Node as Raw

REDIRECTS = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect"})
_KEYWORDS = frozenset({"export", "readonly", "declare", "typeset", "local"})
_NESTS = frozenset({"command_substitution", "process_substitution", "arithmetic_expansion"})
_NESTING = (b"$(", b"`", b"<(", b">(")
# Commands that `keep` looks at; most scripts have none.
_SPECIAL = (b"sh", b"busybox", b"su ", b"runuser", b"read", b"exit", b"return")
_GIVEN = SHELLS | USERS  # commands that a script is given to


class CommandReader(ABC):
    """Reads the simple commands of one text. They are put into lists in the order of the file."""

    def __init__(
        self, source: bytes, text: Text, aliases: Mapping[str, str], outer: CommandReader | None = None
    ) -> None:
        self.source = source
        self.outer = outer
        self.aliases = aliases
        self.data, self.heredocs = readable(text.data)
        self.text = text
        self.words = WordReader(text)
        self.broken: Script | None = None  # a script inside that cannot be read
        self.special = holds(text.data, _SPECIAL) or not text.data
        self.arms: Arms | None = outer.arms if outer else None
        if self.arms is None and mentions_arch(text.data, aliases):
            self.arms = Arms(aliases)
        self.commands: list[ShellCommand | None] = outer.commands if outer else []
        self.assigns: list[Assign] = outer.assigns if outer else []
        self.switches: list[ArchSwitch | None] = outer.switches if outer else []
        self.over: frozenset[str] = outer.over if outer else frozenset()

    @abstractmethod
    def script(self, span: Span) -> Script:
        """The whole text as a script."""

    @abstractmethod
    def nested_script(self, span: Span, children: list[Raw]) -> Script:
        """The statements among `children` as a script of their own."""

    def span(self, raw: Raw) -> Span:
        return self.words.span(raw.start_byte, raw.end_byte)

    # Simple commands

    def command(self, raw: Raw, redirects: list[Raw] | None = None) -> ShellCommand:
        start, end = raw.start_byte, raw.end_byte
        slot = len(self.commands)
        self.commands.append(None)
        words = None if redirects else self.words.split(start, end)
        if words and "=" not in words[0].raw:
            return self.keep(slot, ShellCommand(self.words.span(start, end), tuple(words)))
        bits: list[Raw] = []
        assigns: list[Assign] = []
        found: list[Redirect] = []
        for child in raw.children:
            if child.type == "variable_assignment":
                assigns.append(self._assign(child, prefix=True))
            elif child.type in REDIRECTS:
                bits += self.redirect(child, found)
            else:
                bits.append(child)
        for child in redirects or ():
            bits += self.redirect(child, found)
            end = max(end, child.end_byte)
        span = self.words.span(start, end)
        return self.keep(slot, ShellCommand(span, self.group(bits), tuple(assigns), tuple(found)))

    def keep(self, slot: int, command: ShellCommand) -> ShellCommand:
        """The command with what surrounds it, in its place of the list."""
        only = self.arms.now if self.arms else None
        name = command.name if self.special else ""
        script = self._entered(command) if name in _GIVEN else None
        if only is not None or self.over or script is not None:
            command = ShellCommand(
                command.span, command.words, command.assigns, command.redirects, only, self.over, script
            )
        if name == "read":
            self.assigns += [
                Assign(word.span, word.raw, None, keyword="read", only_on=only)
                for word in command.arguments
                if word.raw.isidentifier()
            ]
        if self.arms and name in ("exit", "return"):
            self.arms.leave()
        self.commands[slot] = command
        return command

    def group(self, bits: list[Raw]) -> tuple[ShellWord, ...]:
        """Words of grammar nodes; nodes without a blank between them are one word."""
        words: list[ShellWord] = []
        index = 0
        while index < len(bits):
            first = last = bits[index]
            group = [first]
            index += 1
            while index < len(bits) and bits[index].start_byte == last.end_byte:
                last = bits[index]
                group.append(last)
                index += 1
            if first.start_byte < last.end_byte:
                words.append(self.word(first.start_byte, last.end_byte, group))
        return tuple(words)

    def word(self, start: int, end: int, group: list[Raw]) -> ShellWord:
        data = self.data[start:end]
        if not holds(data, _NESTING):
            return self.words.word(start, end)
        nests: dict[int, Raw] = {}
        for raw in group:
            self._collect(raw, nests)

        def nested(at: int, quote: Quote) -> tuple[Part, int] | None:
            raw = nests.get(at)
            return None if raw is None else (self._nested(raw, at, quote), raw.end_byte)

        return self.words.word(start, end, nested)

    def _collect(self, raw: Raw, nests: dict[int, Raw]) -> None:
        if raw.type in _NESTS:
            start = raw.start_byte  # the grammar counts blanks before `$(` in a string as part of it
            while self.data[start : start + 1] in (b" ", b"\t", b"\n"):
                start += 1
            nests[start] = raw
            return
        for child in raw.children:
            self._collect(child, nests)

    def _nested(self, raw: Raw, start: int, quote: Quote) -> Part:
        span = self.words.span(start, raw.end_byte)
        if raw.type == "arithmetic_expansion":
            return Opaque(span, decode(self.data[start : raw.end_byte]), quote)
        inner = raw.children[1:-1]
        inside = self.words.span(raw.children[0].end_byte, raw.children[-1].start_byte)
        if self.arms is None:
            return Substitution(span, self.nested_script(inside, inner), quote)
        with self.arms.apart():
            return Substitution(span, self.nested_script(inside, inner), quote)

    def test(self, raw: Raw) -> ShellCommand:
        """`[ ... ]`, `[[ ... ]]`: the words inside, from the leaves of the grammar's expression."""
        slot = len(self.commands)
        self.commands.append(None)
        bits: list[Raw] = []
        waiting = list(reversed(raw.children))
        while waiting:
            child = waiting.pop()
            if child.type.endswith("_expression") and child.type != "brace_expression":
                waiting += reversed(child.children)
            else:
                bits.append(child)
        return self.keep(slot, ShellCommand(self.span(raw), self.group(bits)))

    def declaration(self, raw: Raw) -> ShellCommand:
        slot = len(self.commands)
        self.commands.append(None)
        keyword = raw.children[0].type
        bits: list[Raw] = []
        assigns: list[Assign] = []
        for child in raw.children:
            if child.type == "variable_assignment":
                assigns.append(self._assign(child, keyword=keyword if keyword in _KEYWORDS else "declare"))
            else:
                bits.append(child)
        return self.keep(slot, ShellCommand(self.span(raw), self.group(bits), tuple(assigns)))

    def assignment(self, raw: Raw) -> ShellCommand:
        slot = len(self.commands)
        self.commands.append(None)
        raws = [raw] if raw.type == "variable_assignment" else raw.children
        assigns = tuple(self._assign(one) for one in raws if one.type == "variable_assignment")
        return self.keep(slot, ShellCommand(self.span(raw), (), assigns))

    def _assign(self, raw: Raw, keyword: str = "", prefix: bool = False) -> Assign:
        data = self.data[raw.start_byte : raw.end_byte]
        at = data.find(b"=")
        append = data[at - 1 : at] == b"+"
        name = decode(data[: at - 1 if append else at])
        value = None
        if at + 1 < len(data):
            value = self.word(raw.start_byte + at + 1, raw.end_byte, raw.children)
        only = self.arms.now if self.arms else None
        assign = Assign(self.span(raw), name, value, append, keyword, prefix, only)
        self.assigns.append(assign)
        if self.arms and not prefix:
            self.arms.assigned(assign)
        return assign

    # Redirects

    def redirect(self, raw: Raw, found: list[Redirect]) -> list[Raw]:
        """Puts a redirect into `found`; returns nodes that the grammar took for more targets, but are words."""
        fd, operator, targets = None, "", []
        words: list[Raw] = []
        for child in raw.children:
            if child.type == "file_descriptor":
                digits = self.data[child.start_byte : child.end_byte]
                if digits.isdigit():
                    fd = int(digits)
                else:  # `-o2>&1`, where the grammar takes the whole word for a number
                    words.append(child)
            elif not operator:
                operator = child.type
            else:
                targets.append(child)
        start = words[0].end_byte if words else raw.start_byte
        end = targets[0].end_byte if targets else raw.end_byte
        while len(targets) > 1 and targets[1].start_byte == end:
            end = targets.pop(1).end_byte
        target = self.word(targets[0].start_byte, end, raw.children) if targets else None
        body = self.heredocs.get(raw.children[1].start_byte if fd is not None else start)
        if body is not None:
            operator = "<<" if self.text.data[body.at + 2 : body.at + 3] != b"-" else "<<-"
        place = self.words.span(body.start, body.end) if body else None
        found.append(Redirect(self.words.span(start, end), operator, fd, target, place))
        return words + targets[1:]

    # Lists

    def _entered(self, command: ShellCommand) -> Script | None:
        """The script that a command gives to a shell."""
        word = script_word(command.name, command.arguments)
        if word is not None:
            text = self._value(word)
            return self._inner(text, word.span) if text else None
        return self.fed(command, command.redirects)

    def fed(self, shell: ShellCommand, redirects: tuple[Redirect, ...]) -> Script | None:
        """The script that a shell without a file to run reads from a heredoc."""
        if any(word.prefix[:1] != "-" for word in shell.arguments):
            return None
        bodies = [one for one in redirects if one.body is not None]
        if not bodies or bodies[-1].body is None:
            return None
        body, target = bodies[-1].body, bodies[-1].target
        expand = target is not None and target.raw == target.literal
        return self._inner(heredoc_text(self.source, body, expand), body)

    def _inner(self, text: Text, span: Span) -> Script:
        script = type(self)(self.source, text, self.aliases, self).script(span)
        self.broken = self.broken or (None if script.readable else script)
        return script

    def _value(self, word: ShellWord) -> Text | None:
        """What a shell gets as the value of a word; variables in it stay as written."""
        segments = []
        for part in word.parts:
            place = part.span
            if isinstance(part, Literal):
                segments.append((encode(part.text), place.start, place.end))
                continue
            data = place.of(self.source)
            if b"\\" in data or b"\n" in data:  # not surely what the shell gets
                return None
            segments.append((data, place.start, place.end))
        return text_of(segments, word.span.start)
