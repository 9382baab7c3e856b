"""The words of a script under its variables: arguments, values, redirects, heredocs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from msgspec.structs import replace

from archpatch.syntax.shell import (
    Literal,
    Opaque,
    Param,
    Part,
    Quote,
    Redirect,
    Script,
    ShellWord,
    Substitution,
)
from archpatch.syntax.words import BadWord, expand
from archpatch.text import decode, encode, regex
from archpatch.view.printed import printed
from archpatch.view.state import State
from archpatch.view.values import Glob, Hole, Node, Piece, Sym, Word, join, literal, symbol, unquoted

NAME = regex(r"[A-Za-z_]\w*")
_HEREDOC_PARAM = regex(r"\\\$|\$(?:(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")
_OUTER_BLANKS = regex(r"[ \t\n]+")


def fields(word: ShellWord, state: State) -> Iterator[Word]:
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


def value_of(word: ShellWord, state: State) -> Word:
    """The value of a word where nothing is split: in an assignment, a `case`, a redirect."""
    return join(piece for part in word.parts for piece in _pieces(part, state))


def _pieces(part: Part, state: State) -> tuple[Piece, ...]:
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
            done, _ = state.run(part.script.body, state.copy())
            unread = "" if part.script.readable else decode(part.script.span.of(state.machine.source))
            return (symbol("$()", (done, unread), quoted),)
        case Opaque():
            return (_opaque(part.text, state, quoted),)


def _quote(piece: Piece, quoted: bool) -> Piece:
    if isinstance(piece, (Hole, Sym)):
        return replace(piece, quoted=quoted)
    return piece.text if isinstance(piece, Glob) else piece


def _opaque(text: str, state: State, quoted: bool = True) -> Sym:
    """Text that is not looked into, with the values of every name in it that is set."""
    names = sorted(set(NAME.findall(text)))
    known = tuple((name, state.get(name)) for name in names if name in state.inner or name in state.outer)
    return symbol("text", (text, known), quoted)


def _param(part: Param, state: State) -> Word:
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


def redirect(redirect: Redirect, state: State) -> Hashable:
    """Operator, descriptor and target, or the text of a heredoc; its marker is a name for nobody else."""
    target = value_of(redirect.target, state) if redirect.target else None
    if redirect.body is None:
        return Node("redirect", (redirect.operator, redirect.fd, target))
    body = decode(redirect.body.of(state.machine.source)).replace("\r\n", "\n")
    quoted = redirect.target is not None and any(char in redirect.target.raw for char in "'\"\\")
    content = literal(body) if quoted else _expand_body(body, state)
    return Node("redirect", (redirect.operator, redirect.fd, content))


def _expand_body(body: str, state: State) -> Word:
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


def _symbolic(text: str, state: State) -> Piece:
    """Text of a heredoc: a symbol with the values of the names in it where the shell computes something."""
    return _opaque(text, state) if "${" in text or "$(" in text or "`" in text else text


def _output(script: Script, state: State) -> str | None:
    """What a substitution gives, when it names the architecture or prints constants; else None."""
    if not script.readable:
        return None
    done, _ = state.run(script.body, state.copy())
    lines = [printed(step, state.machine) for step in done]
    if not lines or any(line is None for line in lines):
        return None
    return "".join(line for line in lines if line is not None).rstrip("\n")
