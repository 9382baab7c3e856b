"""What Python on a command line or in a heredoc fetches by URL: `python3 -c "...urlretrieve('https://...')"`.

The code is what the shell hands over, so a variable of the shell in it is followed. It is read with libcst, never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from archpatch.assets import UNKNOWN
from archpatch.facts.origins import Piece, text_of, trace
from archpatch.facts.shells import Command
from archpatch.platforms import AMD64, Platform, arch_words
from archpatch.syntax.shell import Literal, Quote, ShellWord
from archpatch.text import Span, decode, encode, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

_FETCHES = ("urlretrieve", "urlopen", "requests.get", "httpx.get", "wget.download")
_URL = regex(r"https?://[^\s\"'<>\\]+")
# Code that looks where it runs may have a URL for each machine.
_ASKS = regex(r"\bmachine\b|\buname\b|\benviron|\bgetenv\b|\bget_platform\b|\bplatform\b")
_INSTEAD = "?"  # what stands in the code for text that nobody knows


class Fetch(NamedTuple):
    """A URL of such code: the word that holds it, what the URL is made of on amd64, and its text on every target."""

    word: ShellWord
    pieces: tuple[Piece, ...]
    urls: dict[Platform, str]


def python_fetches(facts: Facts, command: Command) -> Iterator[Fetch]:
    """The files that a command of Python's fetches, as far as their names are written out and know an architecture
    or a publisher."""
    for word, pieces, others in _codes(facts, command):
        code = text_of(pieces)
        if not any(name in code for name in _FETCHES) or _ASKS.search(code) or not code.isascii():
            continue
        if not any(_tells(facts, found) for found in _URL.findall(code)):
            continue
        places = _urls(code)
        texts = {target: _urls(other) for target, other in others.items()}
        for at, (start, end) in enumerate(places):
            cut = tuple(_cut(pieces, start, end))
            same = {target: found for target, found in texts.items() if len(found) == len(places)}
            urls = {target: others[target][slice(*found[at])] for target, found in same.items()}
            if _tells(facts, text_of(cut)):
                yield Fetch(word, cut, {target: urls.get(target, text_of(cut)) for target in facts.targets})


def _tells(facts: Facts, url: str) -> bool:
    return bool(arch_words(url)) or ((match := facts.tables.asset(url)) is not None and match.exact)


def _codes(
    facts: Facts, command: Command
) -> Iterator[tuple[ShellWord, tuple[Piece, ...], dict[Platform, str]]]:
    """The code that a command is given: its word, its pieces on amd64, and its text on every target."""
    code = command.shell.option("-c")
    if code is not None and "://" in code.raw:
        others = {target: text_of(trace(facts, command, code, target)) for target in facts.targets}
        yield code, trace(facts, command, code, AMD64), others
    first = [word.literal for word in command.shell.arguments[:1]]
    for redirect in command.shell.redirects if first in ([], ["-"]) else ():
        target = redirect.target
        if redirect.body is None or target is None or redirect.operator != "<<":
            continue
        text = decode(redirect.body.of(facts.document.source))
        quoted = target.raw != target.literal
        if quoted or not set(text) & set("$`\\"):  # the shell changes nothing in it
            # What it may change, and what stands there once, a fix may write.
            holder = None if quoted or len(arch_words(text)) != 1 else _as_word(redirect.body, text)
            piece = Piece(text, redirect.body, holder, instruction=command.run)
            yield holder or target, (piece,), dict.fromkeys(facts.targets, text)


def _as_word(body: Span, text: str) -> ShellWord:
    """A heredoc that the shell expands, which does there what it does in double quotes."""
    return ShellWord(body, (Literal(body, text, Quote.DOUBLE),), text)


def _urls(code: str) -> list[tuple[int, int]]:
    """Where the strings of a module stand that are URLs."""
    from archpatch.syntax.python import read_python  # few files have Python that matters

    module = read_python(encode(code.replace(UNKNOWN, _INSTEAD)))
    return [
        (string.inner.start, string.inner.end)
        for string in (module.strings if module else ())
        if string.inner is not None and _URL.fullmatch(string.value)
    ]


def _cut(pieces: Sequence[Piece], start: int, end: int) -> Iterator[Piece]:
    """The pieces of the characters `start` to `end` of a value."""
    at = 0
    for piece in pieces:
        first, last = max(start - at, 0), min(end - at, len(piece.text))
        at += len(piece.text)
        if first >= last:
            continue
        text, span = piece.text[first:last], piece.span
        if span is not None and len(encode(piece.text)) == len(span):
            begin = span.start + len(encode(piece.text[:first]))
            span = Span(begin, begin + len(encode(text)))
        yield replace(piece, text=text, span=span)
