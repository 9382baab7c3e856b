"""From the grammar's tree to ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from archpatch.syntax.shell_arms import Branch, Chain, choice
from archpatch.syntax.shell_commands import REDIRECTS, CommandReader
from archpatch.syntax.shell_grammar import glued, may_be_lazy, parser
from archpatch.syntax.shell_select import arches_of
from archpatch.syntax.shell_text import Text
from archpatch.syntax.shell_tree import (
    AndOr,
    Arm,
    Assign,
    Case,
    CaseArm,
    Content,
    Function,
    Group,
    If,
    Item,
    Loop,
    Node,
    Pipeline,
    Redirect,
    Script,
    Sequence,
    ShellCommand,
)
from archpatch.syntax.shell_words import ShellWord
from archpatch.syntax.shell_wrappers import SHELLS
from archpatch.text import Span, decode

if TYPE_CHECKING:
    from tree_sitter import Node as Raw

_SEPARATORS = frozenset({";", "&", "\n", ";;"})


def read_text(source: bytes, text: Text, span: Span, aliases: Mapping[str, str] | None = None) -> Script:
    """The script that `text` holds; `span` is what it covers of `source`. `aliases`: variables of the Dockerfile
    that hold what an automatic one holds (`{"ARCH": "TARGETARCH"}`)."""
    return Reader(source, text, aliases or {}).script(span)


class _Element(Struct):
    """A command of a list, and the operator before it."""

    raw: Raw
    operator: str
    negated: bool
    redirects: list[Raw]


class Reader(CommandReader):
    """Reads one text. The tree is returned; commands, assignments and switches are listed beside."""

    def script(self, span: Span) -> Script:
        """The whole text as a script."""
        root = parser().parse(self.data).root_node
        if ends := glued(root, self.data):
            data = bytearray(self.data)
            for at in ends:
                data[at : at + 1] = b";"
            self.data = bytes(data)
            root = parser().parse(self.data).root_node
        problem, place = self._problem(root) if root.has_error else ("", None)
        if self.outer is None and may_be_lazy(self.data):
            asks = self.arms is not None
            return Script(span, not problem, problem, lambda: self._content(span, root.children), place, asks)
        try:
            script = self.nested_script(span, root.children, problem, place)
        except RecursionError:
            return Script(span, False, "nested too deeply", lambda: Content(Sequence(span, ())), span)
        if script.readable and (broken := self.broken):
            return replace(script, readable=False, problem=broken.problem, problem_span=broken.problem_span)
        return script

    def single(self, command: ShellCommand, span: Span) -> Script:
        """A script of one command that no grammar read."""
        self.commands.append(None)
        node = self.keep(0, command)
        content = self._since((0, 0, 0), Sequence(span, (Item(node, ""),)))
        inner = node.script
        if inner is None:
            return Script(span, True, "", lambda: content)
        return Script(span, inner.readable, inner.problem, lambda: content, inner.problem_span)

    def _problem(self, root: Raw) -> tuple[str, Span]:
        node = root
        while not (node.type == "ERROR" or node.is_missing):
            inner = next((child for child in node.children if child.has_error or child.is_missing), None)
            if inner is None:  # an error that the grammar mended without a trace
                break
            node = inner
        span = self.words.span(node.start_byte, node.end_byte)
        if node.is_missing:
            return f"expected {node.type!r}", span
        shown = decode(self.data[node.start_byte : node.end_byte]).strip().partition("\n")[0]
        return f"cannot read {shown[:40]!r}", span

    def nested_script(
        self, span: Span, children: list[Raw], problem: str = "", place: Span | None = None
    ) -> Script:
        content = self._content(span, children)
        return Script(span, not problem, problem, lambda: content, place)

    def _content(self, span: Span, children: list[Raw]) -> Content:
        marks = len(self.commands), len(self.assigns), len(self.switches)
        return self._since(marks, self._sequence(children, span))

    def _since(self, marks: tuple[int, int, int], body: Sequence) -> Content:
        """The content of a script, whose commands, assignments and switches begin at `marks` of the lists."""
        commands = tuple(one for one in self.commands[marks[0] :] if one is not None)
        switches = tuple(one for one in self.switches[marks[2] :] if one is not None)
        return Content(body, commands, tuple(self.assigns[marks[1] :]), switches)

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
            elif what.type == "redirected_statement" and (body := _body(what)) is not None:
                waiting += ([child for child in what.children if child.type in REDIRECTS], body)
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
        if len(group) == 1 and not group[0].negated:
            return self._element(group[0])
        nodes = tuple(self._element(element) for element in group)
        if len(nodes) > 1:
            nodes = (*nodes[:-1], self._piped(nodes[-2], nodes[-1]))
        return Pipeline(nodes[0].span.cover(nodes[-1].span), nodes, group[0].negated)

    def _piped(self, feeder: Node, node: Node) -> Node:
        """The shell of `cat <<EOF | sh` gets its script from the heredoc."""
        if not isinstance(node, ShellCommand) or node.name not in SHELLS or node.script is not None:
            return node
        if not isinstance(feeder, ShellCommand) or feeder.name != "cat" or feeder.arguments:
            return node
        slot = next(at for at in range(len(self.commands) - 1, -1, -1) if self.commands[at] is node)
        script = self.fed(node, feeder.redirects)
        if script is not None:
            self.commands[slot] = node = replace(node, script=script)
        return node

    def _element(self, element: _Element) -> Node:
        raw, redirects = element.raw, element.redirects
        if raw.type in ("command", "redirected_statement") or raw.type not in _STATEMENTS:
            return self.command(raw, redirects)
        node = self._node(raw)
        if not redirects:
            return node
        found: list[Redirect] = []
        for child in redirects:
            self.redirect(child, found)
        span = node.span.cover(self.span(redirects[-1]))
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
            self.switches[slot] = branch.close(self.span(raw))
        return If(self.span(raw), tuple(arms), otherwise)

    def _case(self, raw: Raw) -> Node:
        children = raw.children
        heads = [child for child in self._between(children, "case", "in") if child.type != "comment"]
        subject = self.group(heads)[0] if heads else ShellWord(self._after(children[0]), (), "")
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
            arms.append(CaseArm(self.span(item), words, body, end if end in ends else ""))
            if branch:
                branch.body(arms[-1].span, body)
        if branch:
            self.switches[slot] = branch.close(self.span(raw))
        return Case(self.span(raw), subject, tuple(arms))

    def _patterns(self, item: Raw) -> tuple[ShellWord, ...]:
        words: list[ShellWord] = []
        group: list[Raw] = []
        for child in item.children:
            if child.type in ("|", ")", "("):
                words += self.group(group)
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
            values = self.group(self._between(children, "in", ";", "\n", "do_group", "compound_statement"))
            self.assigns.append(Assign(self.span(children[1]), variable, None, keyword="for"))
            self.over = over | arches_of(values)
        elif keyword in ("while", "until"):
            head = self._between(children, keyword, "do_group", "compound_statement")
            condition = self._sequence(head, self._after(children[0]))
        inside = body.children[1:-1] if body else []
        sequence = self._sequence(inside, self._after(children[0]))
        self.over = over
        return Loop(self.span(raw), keyword, variable, values, condition, sequence)

    def _grouped(self, raw: Raw) -> Node:
        children = raw.children
        subshell = raw.type == "subshell"
        if children[0].type == "((":
            return Group(self.span(raw), Sequence(self.span(raw), ()), False)
        empty = self._after(children[0])
        if subshell and self.arms:
            with self.arms.apart():
                return Group(self.span(raw), self._sequence(children[1:-1], empty), True)
        return Group(self.span(raw), self._sequence(children[1:-1], empty), subshell)

    def _function(self, raw: Raw) -> Node:
        name = next((child for child in raw.children if child.type == "word"), raw)
        body = raw.children[-1]
        inner = self._node(body) if body.type in _STATEMENTS else None
        sequence = inner.body if isinstance(inner, Group) else Sequence(self._after(raw), ())
        return Function(self.span(raw), decode(self.data[name.start_byte : name.end_byte]), sequence)

    def _broken(self, raw: Raw) -> Node:
        """What stands where the parser met an error, for findings without a fix."""
        if any(child.type in _STATEMENTS for child in raw.children):
            return Group(self.span(raw), self._sequence(raw.children, self.span(raw)), False)
        return self.command(raw)

    # Scripts inside


def _body(raw: Raw) -> Raw | None:
    """The command of a statement with redirects; `>x` has none."""
    return next((child for child in raw.children if child.type in _STATEMENTS), None)


_STATEMENTS: dict[str, Callable[[Reader, Raw], Node]] = {
    "command": Reader.command,
    "test_command": Reader.test,
    "declaration_command": Reader.declaration,
    "unset_command": Reader.declaration,
    "variable_assignment": Reader.assignment,
    "variable_assignments": Reader.assignment,
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
