"""What a shell script does on linux/amd64: its simple commands, in order, with their arguments.

Variables set from literals or from what names the architecture are followed; a branch that they decide leaves
only the arm taken. What cannot be decided is kept as a symbol that holds everything it depends on: two scripts
are then the same only where they say the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from msgspec.structs import replace

from archpatch.syntax.shell import (
    AndOr,
    Assign,
    Case,
    Function,
    Group,
    If,
    Loop,
    Pipeline,
    Script,
    Sequence,
    ShellCommand,
)
from archpatch.syntax.shell import Node as Syntax
from archpatch.text import regex
from archpatch.view.conditions import fits, test
from archpatch.view.state import Actions, Machine, Result, State, merge
from archpatch.view.values import Command, Node, Sym, Word, bounded, join, literal, symbol
from archpatch.view.words import NAME, fields, redirect, value_of

# Commands after which variables may be read or set by text we do not see.
_SEES_ALL = frozenset({"eval", "source", ".", "trap", "alias", "envsubst"})
# A decided test that fails, where that may end the script.
FAILS = "fails"
# The variable of this project's own `case`: a sourced file does not know it.
_OURS = regex(r"_arch\d*")


def actions(script: Script, outer: Mapping[str, Word], machine: Machine) -> Actions:
    """What the script does under the variables `outer` of its Dockerfile."""
    loud = any(_sees_all(command) for command in script.commands) or _defines(script.body)
    done, status = _block(script.body, State(outer, machine, _block, loud))
    return (*done, FAILS) if status is False else done


def _sees_all(command: ShellCommand) -> bool:
    name = command.words[0].literal if command.words else None
    if name == "set":
        options = [word.raw for word in command.words[1:]]
        return "allexport" in options or any(
            option[0] == "-" and "a" in option for option in options if option
        )
    return name in _SEES_ALL


def _defines(node: Syntax) -> bool:
    """Whether a function is defined: its body runs later, with other values."""
    return isinstance(node, Function) or any(_defines(child) for child in _children(node))


def _children(node: Syntax) -> Iterator[Syntax]:
    match node:
        case Sequence() | AndOr():
            yield from (item.node for item in node.items)
        case Pipeline():
            yield from node.commands
        case If():
            for arm in node.arms:
                yield from (arm.condition, arm.body)
            yield from () if node.otherwise is None else (node.otherwise,)
        case Case():
            yield from (arm.body for arm in node.arms)
        case Loop():
            yield from () if node.condition is None else (node.condition,)
            yield node.body
        case Group() | Function():
            yield node.body


def _node(node: Syntax, state: State) -> Result:
    match node:
        case ShellCommand():
            return _command(node, state)
        case Sequence():
            return _block(node, state)
        case AndOr():
            return _and_or(node, state)
        case Pipeline():
            return _pipeline(node, state)
        case If():
            return _if(node, state)
        case Case():
            return _case(node, state)
        case Loop():
            return _loop(node, state), None
        case Group():
            return _group(node, state)
        case Function():
            body, _ = _block(node.body, state.copy(loud=True))
            return (Node("function", (node.name, body)),), True


def _block(sequence: Sequence, state: State) -> Result:
    """Items that run one after the other; those that leave nothing are gone."""
    done: list[Hashable] = []
    status: bool | None = True
    for number, item in enumerate(sequence.items):
        if number and status is False:
            done.append(FAILS)
        if item.operator == "&":
            steps, status = _node(item.node, state.copy())[0], True
            done += (Node("background", steps),) if steps else ()
        else:
            steps, status = _node(item.node, state)
            done += steps
    return tuple(done), status


def _and_or(node: AndOr, state: State) -> Result:
    """`a && b || c`: what is decided is gone, and the operators around it."""
    done: list[Hashable] = []
    status: bool | None = True
    operator = ""
    unsure: dict[str, Word] | None = None  # the variables before the first item that may not run
    for item in node.items:
        if (operator == "&&" and status is False) or (operator == "||" and status is True):
            operator = item.operator
            continue
        decided = not operator or status is not None
        if not decided and unsure is None:
            unsure = dict(state.inner)
        if operator == "||" and not decided:
            inner = state.copy(loud=True)
            steps, result = _node(item.node, inner)
            merge(state, dict(state.inner), (state.copy(), inner))
        else:
            steps, result = _node(item.node, state)
        if not decided:
            if not steps and (operator == "||") is (result is not False):
                steps = ("succeeds" if result else FAILS,)
            done += (operator,) if steps else ()
            status = (
                result
                if operator == "||" and result
                else False
                if result is False and operator == "&&"
                else None
            )
        else:
            status = result
        done += _operand(steps, operator) if item.operator or not decided else steps
        operator = item.operator
    if unsure is not None:
        merge(state, unsure, (replace(state, inner=unsure), state.copy()))
    return tuple(done), status


def _operand(steps: Actions, operator: str) -> Actions:
    """Several steps as one operand of `&&` or `||`. `a && (b && c)` is `a && b && c`; else they stay together."""
    chain = len(steps) % 2 == 1 and all(step == "&&" for step in steps[1::2])
    return steps if len(steps) <= 1 or (chain and operator != "||") else (Node("steps", steps),)


def _pipeline(node: Pipeline, state: State) -> Result:
    if len(node.commands) == 1:
        steps, status = _node(node.commands[0], state)
        if not steps:
            return (), None if status is None else status is not node.negated
        return (Node("not", steps),) if node.negated else steps, None
    steps = tuple(_node(command, state.copy())[0] for command in node.commands)
    return (Node("not pipe" if node.negated else "pipe", steps),), None


def _group(node: Group, state: State) -> Result:
    inner = state.copy() if node.subshell else state
    steps, status = _node(node.body, inner)
    redirects = tuple(redirect(one, state) for one in node.redirects)
    if not redirects and (not steps or not node.subshell):
        return _operand(steps, ""), status
    return (Node("subshell" if node.subshell else "group", (steps, redirects)),), None


def _if(node: If, state: State) -> Result:
    open_arms: list[Hashable] = []
    ends: list[State] = []
    before = dict(state.inner)
    otherwise: Actions = ()
    for arm in node.arms:
        asking = state if not open_arms else replace(state, loud=True)
        asked, status = _block(arm.condition, asking)
        if asked:
            status = None
        if status is False:
            continue
        if status is True and not open_arms:
            return _block(arm.body, state)
        inner = state.copy(loud=True)
        body, _ = _block(arm.body, inner)
        ends.append(inner)
        if status is True:
            otherwise = body
            break
        open_arms.append(Node("if", (asked, body)))
    else:
        if not open_arms:
            return _block(node.otherwise, state) if node.otherwise else ((), True)
        inner = state.copy(loud=True)
        otherwise = _block(node.otherwise, inner)[0] if node.otherwise else ()
        ends.append(inner)
    merge(state, before, ends)
    return (Node("branch", (tuple(open_arms), otherwise)),), None


def _case(node: Case, state: State) -> Result:
    subject = value_of(node.subject, state)
    decided = _taken(node, subject, state)
    if decided is not None:
        return decided
    before = dict(state.inner)
    arms: list[Hashable] = []
    ends = [state.copy(loud=True)]
    for arm in node.arms:
        inner = state.copy(loud=True)
        patterns = tuple(value_of(pattern, state) for pattern in arm.patterns)
        body, _ = _block(arm.body, inner)
        arms.append(Node("arm", (patterns, body, arm.end)))
        ends.append(inner)
    merge(state, before, ends)
    return (Node("case", (subject, tuple(arms))),), None


def _taken(node: Case, subject: Word, state: State) -> Result | None:
    """What the arm that fits does; None when that cannot be decided."""
    text = subject.text
    if text is None or any(arm.end in (";&", ";;&") for arm in node.arms):
        return None
    for arm in node.arms:
        for pattern in arm.patterns:
            fitting = fits(value_of(pattern, state), text)
            if fitting is None:
                return None
            if fitting:
                return _block(arm.body, state)
    return (), True


def _loop(node: Loop, state: State) -> Actions:
    before = dict(state.inner)
    changed = set(_assigned(node)) | ({node.variable} if node.variable else set())
    values = tuple(word for value in node.values for word in fields(value, state))
    for name in changed:  # at the head of a round they hold what came before, or what a round left
        state.inner[name] = Word((symbol("loop", (name, before.get(name))),))
    inner = state.copy(loud=True)
    condition = _block(node.condition, inner)[0] if node.condition else ()
    body, _ = _block(node.body, inner)
    return (Node("loop", (node.keyword, node.variable, values, condition, body)),)


def _assigned(node: Syntax) -> Iterator[str]:
    """The names that a node may set in its own shell."""
    if isinstance(node, ShellCommand):
        yield from (assign.name for assign in node.assigns if not assign.prefix)
    if isinstance(node, Loop) and node.variable:
        yield node.variable
    for child in _children(node):
        yield from _assigned(child)


# Commands


# What puts a variable into the environment, or may; and what only sets one.
_EXPORTS = frozenset({"export", "declare", "typeset", "local"})
_SETTERS = _EXPORTS | {"readonly"}


def _command(command: ShellCommand, state: State) -> Result:
    name = command.words[0].literal if command.words else None
    if (name is None and not command.words) or name in _SETTERS:
        return _assign(command, state)
    prefix = tuple(
        (assign.name, _assigned_value(assign, state)) for assign in command.assigns if assign.prefix
    )
    words = tuple(word for one in command.words for word in fields(one, state))
    status = test(words) if not prefix and not command.redirects else None
    if status is not None:
        return (), status
    if name in ("read", "getopts", "unset", "mapfile", "readarray"):
        for text in (word.constant for word in words[1:]):
            if text is not None and NAME.fullmatch(text):
                state.inner[text] = Word((symbol("set by", (name, text, words)),))
    redirects = tuple(redirect(one, state) for one in command.redirects)
    if command.script is not None:
        words, redirects = _nested(command, command.script, words, redirects, state)
    return (Command(words, prefix, redirects),), None


def _assign(command: ShellCommand, state: State) -> Result:
    """`A=1`, `export A=1`: gone when only this script sees the value, and it is known."""
    done: list[Hashable] = []
    keyword = (command.words[0].literal or "") if command.words else ""
    rest: list[Word] = []
    for one in command.words[1:]:
        name = one.literal or ""
        if not NAME.fullmatch(name):
            rest += fields(one, state)  # an option
        elif keyword in _EXPORTS:
            state.exported |= {name}
            done.append(Node(keyword, (name, state.get(name))))
    for assign in command.assigns:
        value = _assigned_value(assign, state)
        state.inner[assign.name] = value
        if keyword in _EXPORTS:
            state.exported |= {assign.name}
        seen = assign.name in state.exported or assign.name in state.outer or "[" in assign.name
        if seen or value.text is None or (state.loud and not _OURS.fullmatch(assign.name)):
            done.append(Node(keyword or "assign", (assign.name, value)))
    redirects = tuple(redirect(one, state) for one in command.redirects)
    if redirects or rest:
        done.append(Command((literal(keyword), *rest), (), redirects))
    return tuple(done), None if done else True


def _assigned_value(assign: Assign, state: State) -> Word:
    value = bounded(value_of(assign.value, state)) if assign.value is not None else Word()
    # Nothing expands globs in an assignment; they do where the value is used, which keeps them apart anyway.
    return bounded(join((*state.get(assign.name).pieces, *value.pieces))) if assign.append else value


def _nested(
    command: ShellCommand, script: Script, words: tuple[Word, ...], redirects: Actions, state: State
) -> tuple[tuple[Word, ...], Actions]:
    """`sh -c '...'` and a heredoc for a shell: the script in place of its text."""
    if not script.readable:
        return words, redirects
    inner = dict(state.outer)
    held = {**state.inner, **dict(_given(command, script, state))}
    for name, value in held.items():
        if value != state.outer.get(name):  # exported or not: known only to who reads on
            inner[name] = Word((symbol("inherited", (name, value)),))
    done = Word((Sym("script", actions(script, inner, state.machine)),))
    index = next((at for at, word in enumerate(command.words) if script.span in word.span), None)
    if index is not None:
        kept = tuple(word for one in command.words[:index] for word in fields(one, state))
        rest = tuple(word for one in command.words[index + 1 :] for word in fields(one, state))
        return (*kept, done, *rest), redirects
    bodies = [redirect.body for redirect in command.redirects]
    return words, tuple(
        Node("redirect", ("<<", None, done)) if body is not None and script.span in body else redirect
        for body, redirect in zip(bodies, redirects, strict=True)
    )


def _given(command: ShellCommand, script: Script, state: State) -> Iterator[tuple[str, Word]]:
    """What is put into the environment of one command: `A=1 sh -c '...'`, `env A=1 sh -c '...'`."""
    for assign in command.assigns:
        yield assign.name, _assigned_value(assign, state)
    for word in command.words:
        name, equals, _ = word.raw.partition("=")
        if script.span in word.span:
            return
        if equals and NAME.fullmatch(name):
            yield name, value_of(word, state)
