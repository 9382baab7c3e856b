"""What a shell script does on linux/amd64: its simple commands, in order, with their arguments.

Variables set from literals or from what names the architecture are followed; a branch that they decide leaves
only the arm taken. What cannot be decided is kept as a symbol that holds everything it depends on: two scripts
are then the same only where they say the same.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from archpatch.platforms import Convention
from archpatch.syntax.shell import (
    AndOr,
    Assign,
    Case,
    Function,
    Group,
    If,
    Literal,
    Loop,
    Opaque,
    Param,
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
from archpatch.syntax.shell import Node as Syntax
from archpatch.syntax.words import BadWord, expand
from archpatch.text import decode, encode
from archpatch.view.values import (
    AUTOMATIC,
    Command,
    Glob,
    Hole,
    Node,
    Piece,
    Sym,
    Word,
    bounded,
    join,
    literal,
    symbol,
    unquoted,
)

# Commands after which variables may be read or set by text we do not see.
_SEES_ALL = frozenset({"eval", "source", ".", "trap", "alias", "set -a", "envsubst"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_HEREDOC_PARAM = re.compile(r"\\\$|\$(?:(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")
_OUTER_BLANKS = re.compile(r"[ \t\n]+")

# A decided test that fails, where that may end the script.
FAILS = "fails"
# The variable of this project's own `case`: a sourced file does not know it.
_OURS = re.compile(r"_arch\d*")

Actions = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a script runs. `arch` as in Platform.arch; None: unknown. `source`: the bytes of the file."""

    source: bytes
    arch: str | None

    def spell(self, convention: Convention) -> str | None:
        """The architecture in the words of a convention."""
        return convention.spell(self.arch) if self.arch else None


@dataclass(slots=True)
class _State:
    """The variables at a point of a script. `outer` are those of the Dockerfile, which RUN exports.

    `loud`: assignments are steps of their own, because someone may see them whom we do not.
    """

    outer: Mapping[str, Word]
    machine: Machine
    loud: bool = False
    inner: dict[str, Word] = field(default_factory=dict)
    exported: frozenset[str] = frozenset()

    def get(self, name: str) -> Word:
        """The value of a variable; unset automatic arguments are a hole, what is not known a symbol."""
        if name in self.inner:
            return self.inner[name]
        if name in self.outer:
            return self.outer[name]
        return Word((Hole(name) if name in AUTOMATIC else Sym("$", name),))

    def copy(self, *, loud: bool = False) -> _State:
        return replace(self, loud=self.loud or loud, inner=dict(self.inner))


def actions(script: Script, outer: Mapping[str, Word], machine: Machine) -> Actions:
    """What the script does under the variables `outer` of its Dockerfile."""
    loud = any(_sees_all(command) for command in script.commands) or _defines(script.body)
    done, status = _block(script.body, _State(outer, machine, loud))
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


# Each of these gives what is done and whether it surely succeeds (True), fails (False) or may do either (None).
_Result = tuple[Actions, bool | None]


def _node(node: Syntax, state: _State) -> _Result:
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


def _block(sequence: Sequence, state: _State) -> _Result:
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


def _and_or(node: AndOr, state: _State) -> _Result:
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
            _merge(state, dict(state.inner), (state.copy(), inner))
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
        _merge(state, unsure, (replace(state, inner=unsure), state.copy()))
    return tuple(done), status


def _operand(steps: Actions, operator: str) -> Actions:
    """Several steps as one operand of `&&` or `||`. `a && (b && c)` is `a && b && c`; else they stay together."""
    chain = len(steps) % 2 == 1 and all(step == "&&" for step in steps[1::2])
    return steps if len(steps) <= 1 or (chain and operator != "||") else (Node("steps", steps),)


def _pipeline(node: Pipeline, state: _State) -> _Result:
    if len(node.commands) == 1:
        steps, status = _node(node.commands[0], state)
        if not steps:
            return (), None if status is None else status is not node.negated
        return (Node("not", steps),) if node.negated else steps, None
    steps = tuple(_node(command, state.copy())[0] for command in node.commands)
    return (Node("not pipe" if node.negated else "pipe", steps),), None


def _group(node: Group, state: _State) -> _Result:
    inner = state.copy() if node.subshell else state
    steps, status = _node(node.body, inner)
    redirects = tuple(_redirect(redirect, state) for redirect in node.redirects)
    if not redirects and (not steps or not node.subshell):
        return _operand(steps, ""), status
    return (Node("subshell" if node.subshell else "group", (steps, redirects)),), None


def _if(node: If, state: _State) -> _Result:
    open_arms: list[Hashable] = []
    ends: list[_State] = []
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
    _merge(state, before, ends)
    return (Node("branch", (tuple(open_arms), otherwise)),), None


def _case(node: Case, state: _State) -> _Result:
    subject = _value(node.subject, state)
    decided = _taken(node, subject, state)
    if decided is not None:
        return decided
    before = dict(state.inner)
    arms: list[Hashable] = []
    ends = [state.copy(loud=True)]
    for arm in node.arms:
        inner = state.copy(loud=True)
        patterns = tuple(_value(pattern, state) for pattern in arm.patterns)
        body, _ = _block(arm.body, inner)
        arms.append(Node("arm", (patterns, body, arm.end)))
        ends.append(inner)
    _merge(state, before, ends)
    return (Node("case", (subject, tuple(arms))),), None


def _taken(node: Case, subject: Word, state: _State) -> _Result | None:
    """What the arm that fits does; None when that cannot be decided."""
    text = subject.text
    if text is None or any(arm.end in (";&", ";;&") for arm in node.arms):
        return None
    for arm in node.arms:
        for pattern in arm.patterns:
            fits = _fits(_value(pattern, state), text)
            if fits is None:
                return None
            if fits:
                return _block(arm.body, state)
    return (), True


def _fits(pattern: Word, text: str) -> bool | None:
    """Whether a text fits a pattern; None when the pattern is not known."""
    if pattern.text is None:
        return None
    glob = "".join(
        piece.text if isinstance(piece, Glob) else re.sub(r"[*?\[]", r"[\g<0>]", piece)
        for piece in pattern.pieces
        if isinstance(piece, (str, Glob))
    )
    return fnmatch.fnmatchcase(text, glob)


def _loop(node: Loop, state: _State) -> Actions:
    before = dict(state.inner)
    changed = set(_assigned(node)) | ({node.variable} if node.variable else set())
    values = tuple(word for value in node.values for word in _fields(value, state))
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


def _merge(state: _State, before: Mapping[str, Word], ends: Iterable[_State]) -> None:
    """After an undecided branch: what its ends agree on stays, the rest depends on all of them."""
    ends = tuple(ends)
    state.exported = frozenset().union(state.exported, *(end.exported for end in ends))
    for name in sorted({name for end in ends for name in end.inner}):
        values = tuple(dict.fromkeys(end.inner.get(name) for end in ends))
        if len(values) == 1 and values[0] is not None:
            state.inner[name] = values[0]
        else:
            state.inner[name] = Word((symbol("either", (name, before.get(name), values)),))


# Commands


# What puts a variable into the environment, or may; and what only sets one.
_EXPORTS = frozenset({"export", "declare", "typeset", "local"})
_SETTERS = _EXPORTS | {"readonly"}


def _command(command: ShellCommand, state: _State) -> _Result:
    name = command.words[0].literal if command.words else None
    if (name is None and not command.words) or name in _SETTERS:
        return _assign(command, state)
    prefix = tuple(
        (assign.name, _assigned_value(assign, state)) for assign in command.assigns if assign.prefix
    )
    words = tuple(word for one in command.words for word in _fields(one, state))
    status = _test(words) if not prefix and not command.redirects else None
    if status is not None:
        return (), status
    if name in ("read", "getopts", "unset", "mapfile", "readarray"):
        for text in (word.constant for word in words[1:]):
            if text is not None and _NAME.fullmatch(text):
                state.inner[text] = Word((symbol("set by", (name, text, words)),))
    redirects = tuple(_redirect(redirect, state) for redirect in command.redirects)
    if command.script is not None:
        words, redirects = _nested(command, command.script, words, redirects, state)
    return (Command(words, prefix, redirects),), None


def _assign(command: ShellCommand, state: _State) -> _Result:
    """`A=1`, `export A=1`: gone when only this script sees the value, and it is known."""
    done: list[Hashable] = []
    keyword = (command.words[0].literal or "") if command.words else ""
    rest: list[Word] = []
    for one in command.words[1:]:
        name = one.literal or ""
        if not _NAME.fullmatch(name):
            rest += _fields(one, state)  # an option
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
    redirects = tuple(_redirect(redirect, state) for redirect in command.redirects)
    if redirects or rest:
        done.append(Command((literal(keyword), *rest), (), redirects))
    return tuple(done), None if done else True


def _assigned_value(assign: Assign, state: _State) -> Word:
    value = bounded(_value(assign.value, state)) if assign.value is not None else Word()
    # Nothing expands globs in an assignment; they do where the value is used, which keeps them apart anyway.
    return bounded(join((*state.get(assign.name).pieces, *value.pieces))) if assign.append else value


def _nested(
    command: ShellCommand, script: Script, words: tuple[Word, ...], redirects: Actions, state: _State
) -> tuple[tuple[Word, ...], Actions]:
    """`sh -c '...'` and a heredoc for a shell: the script in place of its text."""
    if not script.readable:
        return words, redirects
    inner = dict(state.outer)
    hidden = {name: value for name, value in state.inner.items() if value != state.outer.get(name)}
    for name, value in hidden.items():  # exported or not: known only to who reads on
        inner[name] = Word((symbol("inherited", (name, value)),))
    done = Word((Sym("script", actions(script, inner, state.machine)),))
    index = next((at for at, word in enumerate(command.words) if script.span in word.span), None)
    if index is not None:
        kept = tuple(word for one in command.words[:index] for word in _fields(one, state))
        rest = tuple(word for one in command.words[index + 1 :] for word in _fields(one, state))
        return (*kept, done, *rest), redirects
    bodies = [redirect.body for redirect in command.redirects]
    return words, tuple(
        Node("redirect", ("<<", None, done)) if body is not None and script.span in body else redirect
        for body, redirect in zip(bodies, redirects, strict=True)
    )


def _test(words: tuple[Word, ...]) -> bool | None:
    """The status of `[ a = b ]`, `[[ a == b* ]]`, `test -n a` over known words, of `true` and `false`."""
    texts = [word.text for word in words]
    name = texts[0] if texts else None
    if name in ("true", ":", "false") and len(words) == 1:
        return name != "false"
    if name not in ("[", "[[", "test") or None in texts:
        return None
    inner = list(words[1:-1] if name in ("[", "[[") else words[1:])
    if name != "[[" and any(isinstance(piece, Glob) for word in inner for piece in word.pieces):
        return None  # names of files may come in its place
    negated = False
    while inner and inner[0].text == "!":
        negated, inner = not negated, inner[1:]
    result = _compare(inner, patterns=name == "[[")
    return None if result is None else result is not negated


def _compare(words: list[Word], *, patterns: bool) -> bool | None:
    texts = [word.text or "" for word in words]
    if len(texts) == 1:
        return bool(texts[0])
    if len(texts) == 2 and texts[0] in ("-n", "-z"):
        return bool(texts[1]) is (texts[0] == "-n")
    if len(texts) == 3 and texts[1] in ("=", "==", "!="):
        equal = _fits(words[2], texts[0]) if patterns else texts[0] == texts[2]
        return None if equal is None else equal is (texts[1] != "!=")
    return None


def _redirect(redirect: Redirect, state: _State) -> Hashable:
    target = _value(redirect.target, state) if redirect.target else None
    if redirect.body is None:
        return Node("redirect", (redirect.operator, redirect.fd, target))
    body = decode(redirect.body.of(state.machine.source)).replace("\r\n", "\n")
    quoted = redirect.target is not None and any(char in redirect.target.raw for char in "'\"\\")
    content = literal(body) if quoted else _expand_body(body, state)
    operator = redirect.operator  # the marker of a heredoc is a name for nobody else
    return Node("redirect", (operator, redirect.fd, content))


def _expand_body(body: str, state: _State) -> Word:
    """A heredoc's text with the known variables in it. What else expands there stays as written, with its names."""
    pieces: list[Piece] = []
    at = 0
    for match in _HEREDOC_PARAM.finditer(body):
        name = match["bare"] or match["braced"]
        pieces.append(_symbolic(body[at : match.start()], state))
        pieces += (match[0],) if name is None else state.get(name).pieces
        at = match.end()
    pieces.append(_symbolic(body[at:], state))
    return join(pieces)


def _symbolic(text: str, state: _State) -> Piece:
    """Text of a heredoc: a symbol with the values of the names in it where the shell computes something."""
    return _opaque(text, state) if "${" in text or "$(" in text or "`" in text else text


# Words


def _fields(word: ShellWord, state: _State) -> Iterator[Word]:
    """The arguments that a word becomes: unquoted values are split at blanks, empty ones vanish."""
    pieces: list[Piece] = []
    quoted = not word.parts and bool(word.raw)  # "" is an argument
    for part in word.parts:
        quoted = quoted or part.quote is not Quote.NONE
        for piece in _pieces(part, state):
            if isinstance(part, Literal) or part.quote is not Quote.NONE or not isinstance(piece, str):
                pieces.append(piece)
                continue
            chunks = _OUTER_BLANKS.split(piece)
            for number, chunk in enumerate(chunks):
                if number and (pieces or quoted):
                    yield join(pieces)
                    pieces, quoted = [], False
                if chunk:
                    pieces += unquoted(chunk)
    if pieces or quoted:
        yield join(pieces)


def _value(word: ShellWord, state: _State) -> Word:
    """The value of a word where nothing is split: in an assignment, a `case`, a redirect."""
    return join(piece for part in word.parts for piece in _pieces(part, state))


def _pieces(part: Part, state: _State) -> tuple[Piece, ...]:
    quoted = part.quote is not Quote.NONE
    match part:
        case Literal():
            plain = quoted or len(part.span) != len(encode(part.text))  # an escaped character is plain too
            return (part.text,) if plain else unquoted(part.text)
        case Param():
            return tuple(_quote(piece, quoted) for piece in _param(part, state).pieces)
        case Substitution():
            output = _output(part.script, state)
            if output is not None:
                return (output,)
            done, _ = _block(part.script.body, state.copy(loud=state.loud))
            unread = "" if part.script.readable else decode(part.script.span.of(state.machine.source))
            return (symbol("$()", (done, unread), quoted),)
        case Opaque():
            return (_opaque(part.text, state, quoted),)


def _quote(piece: Piece, quoted: bool) -> Piece:
    if isinstance(piece, (Hole, Sym)):
        return replace(piece, quoted=quoted)
    return piece.text if isinstance(piece, Glob) else piece


def _opaque(text: str, state: _State, quoted: bool = True) -> Sym:
    """Text that is not looked into, with the values of every name in it that is set."""
    names = sorted(set(_NAME.findall(text)))
    known = tuple((name, state.get(name)) for name in names if name in state.inner or name in state.outer)
    return symbol("text", (text, known), quoted)


def _param(part: Param, state: _State) -> Word:
    value = state.get(part.name)
    if not part.operator:
        return value
    operand = join(piece for inner in part.operand for piece in _pieces(inner, state))
    known, text = value.text, operand.text
    if known is not None and part.operator in (":-", "-", ":+", "+", ":?", "?", ":=", "="):
        empty = not known if part.operator[0] == ":" else value.pieces[:1] == (Hole(part.name),)
        if part.operator[-1] == "+":
            return Word() if empty else operand
        return operand if empty else value
    if known is not None and text is not None and part.operator in ("#", "##", "%", "%%", "/", "//"):
        try:
            return literal(expand(f"${{X{part.operator}{text}}}", {"X": known}.get))
        except BadWord:
            pass
    return Word((symbol("${}", (part.name, part.operator, value, operand)),))


# What a substitution prints, when that can be told


def _output(script: Script, state: _State) -> str | None:
    if not script.readable:
        return None
    done, _ = _block(script.body, state.copy())
    lines = [_printed(step, state.machine) for step in done]
    if not lines or any(line is None for line in lines):
        return None
    return "".join(line for line in lines if line is not None).rstrip("\n")


def _printed(step: Hashable, machine: Machine) -> str | None:
    """What a step prints; None when it may do anything else."""
    if step == "&&":
        return ""
    if isinstance(step, Command):
        return None if step.assigns or step.redirects else _printed_by(step, machine)
    if isinstance(step, Node) and step.kind == "pipe":
        text: str | None = None
        for number, part in enumerate(step.parts):
            assert isinstance(part, tuple)
            if len(part) != 1:
                return None
            text = _printed(part[0], machine) if not number else _filtered(part[0], text)
            if text is None:
                return None
        return text
    return None


_SELECTORS = {
    ("uname", "-m"): Convention.UNAME,
    ("uname", "--machine"): Convention.UNAME,
    ("arch",): Convention.UNAME,
    ("dpkg", "--print-architecture"): Convention.DPKG,
    ("apk", "--print-arch"): Convention.APK,
    ("rpm", "-E", "%_arch"): Convention.RPM,
    ("rpm", "-E", "%{_arch}"): Convention.RPM,
    ("rpm", "--eval", "%_arch"): Convention.RPM,
    ("rpm", "--eval", "%{_arch}"): Convention.RPM,
    ("dpkg-architecture", "-qDEB_HOST_MULTIARCH"): Convention.GNU,
    ("dpkg-architecture", "-q", "DEB_HOST_MULTIARCH"): Convention.GNU,
    ("dpkg-architecture", "-qDEB_HOST_ARCH"): Convention.DPKG,
}


def _printed_by(command: Command, machine: Machine) -> str | None:
    texts = [word.text for word in command.words]
    arguments = tuple(text for text in texts if text is not None)
    if len(arguments) != len(texts):
        return None
    if arguments in (("uname",), ("uname", "-s")):
        return "Linux\n"
    if convention := _SELECTORS.get(arguments):
        word = machine.spell(convention)
        return None if word is None else word + "\n"
    constant = all(word.constant is not None for word in command.words)
    if constant and arguments[:1] == ("echo",) and "\\" not in "".join(arguments):
        newline = arguments[1:2] != ("-n",)
        return " ".join(arguments[1 if newline else 2 :]) + ("\n" if newline else "")
    if constant and arguments[:1] == ("printf",) and arguments[1:2] in (("%s",), ("%s\\n",)):
        return (
            "".join(arguments[2:3]) + ("\n" if "n" in arguments[1] else "") if len(arguments) == 3 else None
        )
    return None


_SED = re.compile(r"s([/|,:#])((?:(?!\1).)*)\1((?:(?!\1).)*)\1(g?)")


def _filtered(step: Hashable, text: str | None) -> str | None:
    """What a `sed 's/a/b/'` in a pipe makes of a text; None for any other filter."""
    if text is None or not isinstance(step, Command) or step.assigns or step.redirects:
        return None
    words = [word.text for word in step.words]
    if words[:1] != ["sed"] or None in words:
        return None
    programs = [word for word in words[1:] if word is not None and word not in ("-e", "-E", "-r")]
    for program in ";".join(programs).split(";"):
        match = _SED.fullmatch(program.strip())
        # Basic and extended expressions agree on these characters alone.
        if match is None or not re.fullmatch(r"\^?[\w/ .-]*\$?", match[2]) or re.search(r"[\\&]", match[3]):
            return None
        lines = [re.sub(match[2], match[3], line, count=0 if match[4] else 1) for line in text.split("\n")]
        text = "\n".join(lines)
    return text
