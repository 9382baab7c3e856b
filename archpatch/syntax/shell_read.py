"""From the grammar's tree to ours: the only module that touches tree-sitter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from archpatch.syntax.shell_arms import Arms, Branch, Chain, choice
from archpatch.syntax.shell_select import arches_of, mentions_arch
from archpatch.syntax.shell_text import Text, heredoc_text, text_of, without_heredocs
from archpatch.syntax.shell_tree import (
    AndOr,
    ArchSwitch,
    Arm,
    Assign,
    Case,
    CaseArm,
    Function,
    Group,
    If,
    Item,
    Literal,
    Loop,
    Node,
    Opaque,
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
from archpatch.syntax.shell_words import WordReader
from archpatch.text import Span, decode, encode

if TYPE_CHECKING:
    from tree_sitter import Node as Raw
    from tree_sitter import Parser

SHELLS = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh", "mksh", "busybox"})
_SEPARATORS = frozenset({";", "&", "\n", ";;"})
_REDIRECTS = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect"})
_KEYWORDS = frozenset({"export", "readonly", "declare", "typeset", "local"})
_NESTS = frozenset({"command_substitution", "process_substitution", "arithmetic_expansion"})


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def read_text(source: bytes, text: Text, span: Span, aliases: Mapping[str, str] | None = None) -> Script:
    """The script that `text` holds; `span` is what it covers of `source`. `aliases`: variables of the Dockerfile
    that hold what an automatic one holds (`{"ARCH": "TARGETARCH"}`)."""
    return Reader(source, text, aliases or {}).script(span)


@dataclass(slots=True)
class _Element:
    """A command of a list, and the operator before it."""

    raw: Raw
    operator: str
    negated: bool
    redirects: list[Raw]


class Reader:
    """Reads one text. What it finds is put into lists in the order of the file; the tree is returned."""

    def __init__(
        self, source: bytes, text: Text, aliases: Mapping[str, str], outer: Reader | None = None
    ) -> None:
        self.source = source
        self.aliases = aliases
        self.data, self.heredocs = without_heredocs(text.data)
        self.text = text
        self.words = WordReader(text)
        self.arms: Arms | None = outer.arms if outer else None
        if self.arms is None and mentions_arch(text.data, aliases):
            self.arms = Arms(aliases)
        self.commands: list[ShellCommand | None] = outer.commands if outer else []
        self.assigns: list[Assign] = outer.assigns if outer else []
        self.switches: list[ArchSwitch | None] = outer.switches if outer else []
        self.over: frozenset[str] = outer.over if outer else frozenset()

    def script(self, span: Span) -> Script:
        """The whole text as a script."""
        root = _parser().parse(self.data).root_node
        problem, place = "", None
        if root.has_error:
            problem, place = self._problem(root)
        try:
            return self._script(span, root.children, problem, place)
        except RecursionError:
            return Script(span, False, "nested too deeply", Sequence(span, ()), problem_span=span)

    def single(self, command: ShellCommand, span: Span) -> Script:
        """A script of one command that no grammar read."""
        self.commands.append(None)
        node = self._keep(0, command)
        inner = node.script
        commands = tuple(one for one in self.commands if one is not None)
        switches = tuple(one for one in self.switches if one is not None)
        return Script(
            span,
            inner is None or inner.readable,
            inner.problem if inner else "",
            Sequence(span, (Item(node, ""),)),
            commands,
            tuple(self.assigns),
            switches,
            inner.problem_span if inner else None,
        )

    def _problem(self, root: Raw) -> tuple[str, Span]:
        node = root
        while not (node.type == "ERROR" or node.is_missing):
            node = (
                next((child for child in node.children if child.has_error or child.is_missing), None) or node
            )
            if not node.has_error and not node.is_missing:
                break
        span = self.words.span(node.start_byte, node.end_byte)
        if node.is_missing:
            return f"expected {node.type!r}", span
        shown = decode(self.data[node.start_byte : node.end_byte]).strip().partition("\n")[0]
        return f"cannot read {shown[:40]!r}", span

    def _script(
        self, span: Span, children: list[Raw], problem: str = "", place: Span | None = None
    ) -> Script:
        marks = len(self.commands), len(self.assigns), len(self.switches)
        body = self._sequence(children, span)
        commands = tuple(one for one in self.commands[marks[0] :] if one is not None)
        switches = tuple(one for one in self.switches[marks[2] :] if one is not None)
        return Script(
            span, not problem, problem, body, commands, tuple(self.assigns[marks[1] :]), switches, place
        )

    def _sequence(self, children: list[Raw], empty: Span) -> Sequence:
        """The statements among `children`; `empty` is the span when there are none."""
        items: list[Item] = []
        for child in children:
            kind = child.type
            if kind in _STATEMENTS:
                if items and not items[-1].operator:
                    items[-1] = Item(items[-1].node, ";")
                node = self._node(child)
                items.append(Item(node, ""))
            elif items and kind in _SEPARATORS:
                items[-1] = Item(items[-1].node, "&" if kind == "&" else ";")
        if not items:
            return Sequence(empty, ())
        if items[-1].operator != "&":
            items[-1] = Item(items[-1].node, "")
        return Sequence(items[0].node.span.cover(items[-1].node.span), tuple(items))

    def _node(self, raw: Raw) -> Node:
        return _STATEMENTS[raw.type](self, raw)

    def _span(self, raw: Raw) -> Span:
        return self.words.span(raw.start_byte, raw.end_byte)

    # Simple commands

    def _command(self, raw: Raw, redirects: list[Raw] | None = None) -> ShellCommand:
        start, end = raw.start_byte, raw.end_byte
        slot = len(self.commands)
        self.commands.append(None)
        words = None if redirects else self.words.split(start, end)
        if words and "=" not in words[0].raw:
            return self._keep(slot, ShellCommand(self.words.span(start, end), tuple(words)))
        bits: list[Raw] = []
        assigns: list[Assign] = []
        found: list[Redirect] = []
        for child in raw.children:
            if child.type == "variable_assignment":
                assigns.append(self._assign(child, prefix=True))
            elif child.type in _REDIRECTS:
                bits += self._redirect(child, found)
            else:
                bits.append(child)
        for child in redirects or ():
            bits += self._redirect(child, found)
            end = max(end, child.end_byte)
        span = self.words.span(start, end)
        return self._keep(slot, ShellCommand(span, self._group(bits), tuple(assigns), tuple(found)))

    def _keep(self, slot: int, command: ShellCommand) -> ShellCommand:
        """The command with what surrounds it, in its place of the list."""
        only = self.arms.now if self.arms else None
        script = self._entered(command)
        if only is not None or self.over or script is not None:
            command = ShellCommand(
                command.span, command.words, command.assigns, command.redirects, only, self.over, script
            )
        if command.name == "read":
            self.assigns += [
                Assign(word.span, word.raw, None, keyword="read", only_on=only)
                for word in command.arguments
                if word.raw.isidentifier()
            ]
        if self.arms and command.name in ("exit", "return"):
            self.arms.leave()
        self.commands[slot] = command
        return command

    def _group(self, bits: list[Raw]) -> tuple[ShellWord, ...]:
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
                words.append(self._word(first.start_byte, last.end_byte, group))
        return tuple(words)

    def _word(self, start: int, end: int, group: list[Raw]) -> ShellWord:
        data = self.data[start:end]
        if b"$(" not in data and b"`" not in data and b"<(" not in data and b">(" not in data:
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
            return Substitution(span, self._script(inside, inner), quote)
        with self.arms.apart():
            return Substitution(span, self._script(inside, inner), quote)

    def _test(self, raw: Raw) -> ShellCommand:
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
        return self._keep(slot, ShellCommand(self._span(raw), self._group(bits)))

    def _declaration(self, raw: Raw) -> ShellCommand:
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
        return self._keep(slot, ShellCommand(self._span(raw), self._group(bits), tuple(assigns)))

    def _assignment(self, raw: Raw) -> ShellCommand:
        slot = len(self.commands)
        self.commands.append(None)
        raws = [raw] if raw.type == "variable_assignment" else raw.children
        assigns = tuple(self._assign(one) for one in raws if one.type == "variable_assignment")
        return self._keep(slot, ShellCommand(self._span(raw), (), assigns))

    def _assign(self, raw: Raw, keyword: str = "", prefix: bool = False) -> Assign:
        data = self.data[raw.start_byte : raw.end_byte]
        at = data.find(b"=")
        append = data[at - 1 : at] == b"+"
        name = decode(data[: at - 1 if append else at])
        value = None
        if at + 1 < len(data):
            value = self._word(raw.start_byte + at + 1, raw.end_byte, raw.children)
        only = self.arms.now if self.arms else None
        assign = Assign(self._span(raw), name, value, append, keyword, prefix, only)
        self.assigns.append(assign)
        if self.arms and not prefix:
            self.arms.assigned(assign)
        return assign

    # Redirects

    def _redirect(self, raw: Raw, found: list[Redirect]) -> list[Raw]:
        """Puts a redirect into `found`; returns nodes that the grammar took for more targets, but are words."""
        fd, operator, targets = None, "", []
        for child in raw.children:
            if child.type == "file_descriptor":
                fd = int(self.data[child.start_byte : child.end_byte])
            elif not operator:
                operator = child.type
            else:
                targets.append(child)
        start, end = raw.start_byte, targets[0].end_byte if targets else raw.end_byte
        while len(targets) > 1 and targets[1].start_byte == end:
            end = targets.pop(1).end_byte
        target = self._word(targets[0].start_byte, end, raw.children) if targets else None
        body = self.heredocs.get(start if fd is None else raw.children[1].start_byte)
        if body is not None:
            operator = "<<" if self.text.data[body.at + 2 : body.at + 3] != b"-" else "<<-"
        place = self.words.span(body.start, body.end) if body else None
        found.append(Redirect(self.words.span(start, end), operator, fd, target, place))
        return targets[1:]

    # Lists

    def _flat(self, raw: Raw) -> list[_Element]:
        """`a | b && ! c > d` as a list. The grammar nests these to the left, and not always as a shell does:
        it hangs a redirect of the last command, or a pipe behind it, on the whole list."""
        found: list[_Element] = []
        waiting: list[Raw | list[Raw] | str] = [raw]
        operator, negated = "", False
        while waiting:
            what = waiting.pop()
            if isinstance(what, str):
                operator, negated = ("" if what == "!" else what), what == "!" or negated
            elif isinstance(what, list):
                if found:
                    found[-1].redirects += what
            elif what.type in ("list", "pipeline"):
                pieces = [one for one in what.children if one.type != "comment"]
                waiting += reversed([one if one.is_named else one.type for one in pieces])
            elif what.type == "negated_command":
                waiting += (what.children[-1], "!")
            elif what.type == "redirected_statement" and what.children[0].type in _STATEMENTS:
                waiting += (what.children[1:], what.children[0])
            else:
                found.append(_Element(what, operator, negated, []))
                operator, negated = "", False
        return found

    def _list(self, raw: Raw) -> Node:
        """A list, a pipeline, a command with redirects."""
        elements = self._flat(raw)
        groups: list[list[_Element]] = []
        for element in elements:
            if groups and element.operator in ("|", "|&"):
                groups[-1].append(element)
            else:
                groups.append([element])
        if len(groups) == 1:
            return self._pipeline(groups[0])
        return self._and_or(groups)

    def _and_or(self, groups: list[list[_Element]]) -> Node:
        chain = Chain(self.arms) if self.arms else None
        slot = len(self.switches)
        if chain:
            self.switches.append(None)
        items: list[Item] = []
        for group, following in zip(groups, [*groups[1:], None], strict=True):
            if chain:
                chain.enter()
            node = self._pipeline(group)
            operator = following[0].operator if following else ""
            if chain:
                chain.leave(node, operator)
            items.append(Item(node, operator))
        span = items[0].node.span.cover(items[-1].node.span)
        if chain:
            self.switches[slot] = chain.close(span)
        return AndOr(span, tuple(items))

    def _pipeline(self, group: list[_Element]) -> Node:
        nodes = tuple(self._element(element) for element in group)
        if len(nodes) > 1:
            nodes = (*nodes[:-1], self._piped(nodes[-2], nodes[-1]))
        if len(nodes) == 1 and not group[0].negated:
            return nodes[0]
        return Pipeline(nodes[0].span.cover(nodes[-1].span), nodes, group[0].negated)

    def _piped(self, feeder: Node, node: Node) -> Node:
        """The shell of `cat <<EOF | sh` gets its script from the heredoc."""
        if not isinstance(node, ShellCommand) or node.name not in SHELLS or node.script is not None:
            return node
        if not isinstance(feeder, ShellCommand) or feeder.name != "cat" or feeder.arguments:
            return node
        slot = next(at for at in range(len(self.commands) - 1, -1, -1) if self.commands[at] is node)
        script = self._fed(node, feeder.redirects)
        if script is not None:
            self.commands[slot] = node = replace(node, script=script)
        return node

    def _element(self, element: _Element) -> Node:
        raw, redirects = element.raw, element.redirects
        if raw.type == "command" or raw.type not in _STATEMENTS:
            return self._command(raw, redirects)
        node = self._node(raw)
        if not redirects:
            return node
        found: list[Redirect] = []
        for child in redirects:
            self._redirect(child, found)
        span = node.span.cover(self._span(redirects[-1]))
        if isinstance(node, Group):
            return Group(span, node.body, node.subshell, node.redirects + tuple(found))
        return Group(span, Sequence(node.span, (Item(node, ""),)), False, tuple(found))

    # Compound nodes

    def _between(self, children: list[Raw], start: str, *ends: str) -> list[Raw]:
        """The children after the token `start`, up to the first of `ends`."""
        kinds = [child.type for child in children]
        first = kinds.index(start) + 1 if start in kinds else 0
        last = next((at for at in range(first, len(kinds)) if kinds[at] in ends), len(kinds))
        return children[first:last]

    def _after(self, raw: Raw) -> Span:
        return self.words.span(raw.end_byte, raw.end_byte)

    def _if(self, raw: Raw) -> Node:
        slot = len(self.switches)
        self.switches.append(None)
        branch = Branch(self.arms) if self.arms else None
        arms: list[Arm] = []
        otherwise = None
        clauses = [raw, *(one for one in raw.children if one.type in ("elif_clause", "else_clause"))]
        for clause in clauses:
            stops = ("elif_clause", "else_clause", "fi")
            if clause.type == "else_clause":
                if branch:
                    branch.last()
                otherwise = self._sequence(self._between(clause.children, "else"), self._after(clause))
                if branch:
                    branch.otherwise(otherwise)
                continue
            if branch:
                branch.enter()
            children = clause.children
            head = self._between(children, children[0].type, "then")
            condition = self._sequence(head, self._after(children[0]))
            if branch:
                branch.condition(condition)
            body = self._sequence(self._between(children, "then", *stops), self._after(children[0]))
            span = condition.span.cover(body.span) if body.items else condition.span
            arms.append(Arm(span, condition, body))
            if branch:
                branch.body(span, body)
        if branch:
            self.switches[slot] = branch.close(self._span(raw))
        return If(self._span(raw), tuple(arms), otherwise)

    def _case(self, raw: Raw) -> Node:
        children = raw.children
        heads = [child for child in self._between(children, "case", "in") if child.type != "comment"]
        subject = self._group(heads)[0] if heads else ShellWord(self._after(children[0]), (), "")
        slot = len(self.switches)
        self.switches.append(None)
        items = [child for child in children if child.type == "case_item"]
        patterns = [self._patterns(item) for item in items]
        branch = choice(self.arms, subject, patterns) if self.arms else None
        arms = []
        for item, words in zip(items, patterns, strict=True):
            if branch:
                branch.pattern(words)
            ends = ";;", ";&", ";;&"
            inside = self._between(item.children, ")", *ends)
            body = self._sequence(inside, self.words.span(item.end_byte, item.end_byte))
            end = item.children[-1].type
            arms.append(CaseArm(self._span(item), words, body, end if end in ends else ""))
            if branch:
                branch.body(arms[-1].span, body)
        if branch:
            self.switches[slot] = branch.close(self._span(raw))
        return Case(self._span(raw), subject, tuple(arms))

    def _patterns(self, item: Raw) -> tuple[ShellWord, ...]:
        words: list[ShellWord] = []
        group: list[Raw] = []
        for child in item.children:
            if child.type in ("|", ")", "("):
                words += self._group(group)
                group = []
                if child.type == ")":
                    break
            else:
                group.append(child)
        return tuple(words)

    def _loop(self, raw: Raw) -> Node:
        children = raw.children
        keyword = children[0].type
        body = next((child for child in children if child.type in ("do_group", "compound_statement")), None)
        variable, condition = "", None
        values: tuple[ShellWord, ...] = ()
        over = self.over
        if keyword in ("for", "select") and raw.type == "for_statement":
            variable = decode(self.data[children[1].start_byte : children[1].end_byte])
            values = self._group(self._between(children, "in", ";", "\n", "do_group", "compound_statement"))
            self.assigns.append(Assign(self._span(children[1]), variable, None, keyword="for"))
            self.over = over | arches_of(values)
        elif keyword in ("while", "until"):
            head = self._between(children, keyword, "do_group", "compound_statement")
            condition = self._sequence(head, self._after(children[0]))
        inside = body.children[1:-1] if body else []
        sequence = self._sequence(inside, self._after(children[0]))
        self.over = over
        return Loop(self._span(raw), keyword, variable, values, condition, sequence)

    def _grouped(self, raw: Raw) -> Node:
        children = raw.children
        subshell = raw.type == "subshell"
        if children[0].type == "((":
            return Group(self._span(raw), Sequence(self._span(raw), ()), False)
        empty = self._after(children[0])
        if subshell and self.arms:
            with self.arms.apart():
                return Group(self._span(raw), self._sequence(children[1:-1], empty), True)
        return Group(self._span(raw), self._sequence(children[1:-1], empty), subshell)

    def _function(self, raw: Raw) -> Node:
        name = next((child for child in raw.children if child.type == "word"), raw)
        body = raw.children[-1]
        inner = self._node(body) if body.type in _STATEMENTS else None
        sequence = inner.body if isinstance(inner, Group) else Sequence(self._after(raw), ())
        return Function(self._span(raw), decode(self.data[name.start_byte : name.end_byte]), sequence)

    def _broken(self, raw: Raw) -> Node:
        """What stands where the parser met an error, for findings without a fix."""
        if any(child.type in _STATEMENTS for child in raw.children):
            return Group(self._span(raw), self._sequence(raw.children, self._span(raw)), False)
        return self._command(raw)

    # Scripts inside

    def _entered(self, command: ShellCommand) -> Script | None:
        """The script that a command gives to a shell."""
        if command.name not in SHELLS:
            return None
        word = script_word(command.arguments)
        if word is not None:
            text = self._value(word)
            return self._inner(text, word.span) if text else None
        return self._fed(command, command.redirects)

    def _fed(self, shell: ShellCommand, redirects: tuple[Redirect, ...]) -> Script | None:
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
        return Reader(self.source, text, self.aliases, self).script(span)

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


def script_word(words: tuple[ShellWord, ...]) -> ShellWord | None:
    """The script among the arguments of a shell: the word after `-c`, `-ec`, `-euxo pipefail -c`, `-lc`."""
    for index, word in enumerate(words):
        text = word.prefix
        if text[:1] not in ("-", "+") or text.startswith("--"):
            if index and words[index - 1].prefix[-1:] == "o":
                continue
            return None
        if text[0] == "-" and "c" in text and text[1:].isalpha():
            at = index + (2 if "o" in text else 1)
            return words[at] if at < len(words) else None
    return None


_STATEMENTS: dict[str, Callable[[Reader, Raw], Node]] = {
    "command": Reader._command,
    "test_command": Reader._test,
    "declaration_command": Reader._declaration,
    "unset_command": Reader._declaration,
    "variable_assignment": Reader._assignment,
    "variable_assignments": Reader._assignment,
    "redirected_statement": Reader._list,
    "list": Reader._list,
    "pipeline": Reader._list,
    "negated_command": Reader._list,
    "if_statement": Reader._if,
    "case_statement": Reader._case,
    "for_statement": Reader._loop,
    "c_style_for_statement": Reader._loop,
    "while_statement": Reader._loop,
    "compound_statement": Reader._grouped,
    "subshell": Reader._grouped,
    "function_definition": Reader._function,
    "ERROR": Reader._broken,
}
