"""Which assignments may be in force at a command."""

from __future__ import annotations

from archpatch.syntax.shell_tree import (
    AndOr,
    Assign,
    Case,
    Function,
    Group,
    If,
    Loop,
    Node,
    Pipeline,
    Script,
    Sequence,
    ShellCommand,
)
from archpatch.syntax.shell_words import Param, Part, ShellWord, Substitution
from archpatch.text import Span

# What a variable may hold at a place: assignments, and None for what it held before the script. Empty: the place
# is not reached.
State = tuple[Assign | None, ...]

_TESTS = ("[", "[[", "test", "grep")


def reaching(script: Script, command: ShellCommand, name: str, *, own: bool = True) -> State:
    """The assignments to `name` one of which may be in force at `command`, in the order of the file.

    None among them: it may hold what it held before the script (ARG, ENV, or nothing); `(None,)`: the script does
    not set it. Assignments of arms that exclude the command's, and overwritten ones, are left out. `own`: with
    those before the command itself (`A=1 make`), as its environment has it; its own words see them not.
    """
    if not any(assign.name == name for assign in script.assigns):
        return (None,)
    flow = _Flow(script, command, name)
    flow.walk(script.body, (None,))
    found = flow.found if flow.found is not None else (None,)
    mine = tuple(assign for assign in command.assigns if assign.name == name and assign.prefix)
    return mine[-1:] if own and mine else found


def _union(*states: State) -> State:
    merged = dict.fromkeys(one for state in states for one in state)
    return tuple(sorted(merged, key=lambda one: (one is not None, one.span.start if one else 0)))


class _Flow:
    """A walk from the start of a script to one command."""

    def __init__(self, script: Script, command: ShellCommand, name: str) -> None:
        self.script = script
        self.target = command
        self.name = name
        self.found: State | None = None

    def walk(self, node: Node, state: State) -> State:
        """The state after `node`; stops where the command is found."""
        if self.found is not None or node.span.start > self.target.span.start:
            return state
        if isinstance(node, ShellCommand):
            return self._command(node, state)
        if isinstance(node, Sequence):
            for item in node.items:
                state = self.walk(item.node, state)
            return state
        if isinstance(node, AndOr):
            return self._and_or(node, state)
        if isinstance(node, Pipeline):
            after = [self.walk(command, state) for command in node.commands]
            return after[0] if len(after) == 1 else state
        if isinstance(node, Group):
            after_group = self.walk(node.body, state)
            return state if node.subshell else after_group
        if isinstance(node, Function):
            return _union(state, self.walk(node.body, state))
        return self._branches(node, state)

    def _branches(self, node: If | Case | Loop, state: State) -> State:
        if isinstance(node, Loop):
            return self._loop(node, state)
        ends: list[State] = []
        if isinstance(node, If):
            for arm in node.arms:
                state = self.walk(arm.condition, state)
                ends.append(self.walk(arm.body, state))
            return _union(*ends, self.walk(node.otherwise, state) if node.otherwise else state)
        falling: State = ()
        default = False
        for choice in node.arms:
            end = self.walk(choice.body, _union(state, falling))
            falling = end if choice.end == ";&" else ()
            ends.append(end)
            default = default or any(pattern.literal == "*" for pattern in choice.patterns)
        return _union(*ends) if default else _union(state, *ends)

    def _loop(self, node: Loop, state: State) -> State:
        if node.condition:
            state = self.walk(node.condition, state)
        inside = tuple(one for one in self.script.assigns if one.name == self.name and one.span in node.span)
        if node.variable == self.name:
            state = tuple(
                one for one in inside if one.keyword == "for" and one.span.end <= node.body.span.start
            )
        return _union(state, self.walk(node.body, _union(state, inside)))

    def _and_or(self, node: AndOr, state: State) -> State:
        """`yes` and `no`: the states when the list so far went well, or did not."""
        yes = no = state
        operator, asked = "", False
        for item in node.items:
            if operator == "||":
                no = self.walk(item.node, no)
                yes = _union(yes, no)
            else:
                yes = self.walk(item.node, yes)
                no = _union(no, yes) if operator and _can_fail(item.node) else no if operator else yes
            asked = asked or _asks(item.node)
            operator = item.operator
        return _union(yes, no) if asked else yes

    def _command(self, node: ShellCommand, state: State) -> State:
        if node is self.target:
            self.found = state
            return state
        if _holds(node.span, self.target.span) or node.script is not None:
            self._inside(node, state)
        name = node.name
        if name in ("exit", "return"):
            return ()
        if name == "read":
            given = tuple(
                one for one in self.script.assigns if one.keyword == "read" and one.span in node.span
            )
            return tuple(one for one in given if one.name == self.name) or state
        if name == "unset" and any(word.literal == self.name for word in node.arguments):
            return (None,)
        for assign in node.assigns:
            if assign.name == self.name and not assign.prefix:
                state = _union(state, (assign,)) if assign.append else (assign,)
        return state

    def _inside(self, node: ShellCommand, state: State) -> None:
        """Looks into the substitutions of a command, and into the script that it gives to a shell."""
        words: list[ShellWord | None] = [*node.words]
        words += [assign.value for assign in node.assigns]
        words += [redirect.target for redirect in node.redirects]
        for word in words:
            if word is not None and _holds(word.span, self.target.span):
                self._parts(word.parts, state)
        if node.script is not None:
            self.walk(node.script.body, state)

    def _parts(self, parts: tuple[Part, ...], state: State) -> None:
        for part in parts:
            if isinstance(part, Substitution):
                self.walk(part.script.body, state)
            elif isinstance(part, Param):
                self._parts(part.operand, state)


def _holds(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _can_fail(node: Node) -> bool:
    return not (isinstance(node, ShellCommand) and not node.words)


def _asks(node: Node) -> bool:
    """Whether a node is a condition: where it fails, the script goes on."""
    if isinstance(node, Pipeline):
        return node.negated or _asks(node.commands[-1])
    return isinstance(node, ShellCommand) and node.name in _TESTS
