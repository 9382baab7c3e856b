"""Quotes around what takes the place of a word: one pair for a word of the shell, wherever that changes nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from msgspec.structs import replace

from archpatch.facts import Command, Facts
from archpatch.platforms import arch_words
from archpatch.syntax.shell import Literal, Param, Part, Quote, Script, ShellCommand, ShellWord, Substitution
from archpatch.text import Edit, Span, decode, regex

_OPTION = regex(rb"-{0,2}[A-Za-z_][\w.-]*=")  # what stays outside of the quotes: `--prefix=`
_READ = regex(rb"[\\*?\[\]{}~\n]")  # what the shell reads outside of quotes, and not within


def all_quoted(word: ShellWord, span: Span, expression: str, command: Command) -> Edit | None:
    """A word outside of quotes in one pair of them; None where the expression needs none, where they would change
    another part of the word (a glob, a list of words in a variable), or where more than one place of it may change."""
    if guarded(expression, span, command) == expression:
        return None
    raw = word.span.of(command.stage.facts.document.source)
    named = [(one.start, one.end) for one in arch_words(decode(raw))] if raw.isascii() else []
    at = span.start - word.span.start
    if named != [(at, at + len(span))]:
        return None
    return _quoted(word, [Edit.replace(span, expression)], command)


def in_one_pair(command: Command, words: Iterable[ShellWord], edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """The edits of a fix, those of one word that each bring quotes as one edit with one pair, wherever that changes
    nothing else."""
    guards = [edit for edit in edits if _is_guarded(edit)]
    if len(guards) < 2:
        return tuple(edits)
    found = dict.fromkeys(edits)
    for word in words:
        if sum(edit.span in word.span for edit in guards) < 2:
            continue
        inside = sorted((edit for edit in found if edit.span in word.span), key=lambda edit: edit.span)
        bare = [replace(edit, text=edit.text[1:-1]) if _is_guarded(edit) else edit for edit in inside]
        whole = _quoted(word, bare, command)
        if whole is not None:
            found = {**{edit: None for edit in found if edit not in inside}, whole: None}
    return tuple(found)


def _is_guarded(edit: Edit) -> bool:
    return bool(edit.span) and edit.text.startswith(b'"$(') and edit.text.endswith(b')"')


def _quoted(word: ShellWord, edits: Sequence[Edit], command: Command) -> Edit | None:
    """A word with these changes, in the order of their place, in one pair of quotes; None where those would change
    another part of it."""
    source = command.stage.facts.document.source
    if any(not _keeps_one_word(part, command) for part in word.parts):
        return None
    option = _OPTION.match(word.span.of(source))
    start = at = word.span.start + (option.end() if option else 0)
    first = next((part for part in word.parts if part.span.start == start), None)
    if edits[0].span.start < start:
        return None
    if first is not None and not isinstance(first, Literal) and source[first.span.end] != ord("/"):
        return None  # a variable that a name hangs on may hold several words
    text = b""
    for edit in edits:
        text += source[at : edit.span.start] + edit.text
        at = edit.span.end
    return Edit.replace(Span(start, word.span.end), decode(b'"' + text + source[at : word.span.end] + b'"'))


def _keeps_one_word(part: Part, command: Command) -> bool:
    """Whether a part of a word outside of quotes is the same within them; what a loop or `read` sets is not known."""
    if isinstance(part, Param):
        values: list[object] = [one.value for one in command.script.assigns if one.name == part.name]
        values = values or [command.stage.facts.scope(command.run).get(part.name)]
        return part.quote is Quote.NONE and None not in values and not part.operator
    if not isinstance(part, Literal):
        return isinstance(part, Substitution) and part.quote is Quote.NONE
    return part.quote is Quote.NONE and not _READ.search(part.span.of(command.stage.facts.document.source))


def guarded(expression: str, span: Span, command: Command) -> str:
    """An expression for a place outside of quotes: `"$(...)"`, whose output the shell does not split into words.

    As it is where quotes would end those around it: in `sh -c "..."`, in JSON, within backquotes.
    """
    if not expression.startswith("$(") or command.run.json:
        return expression
    if is_nested(command.script, span):
        return expression
    return expression if has_backquotes(command.stage.facts, command.run.span) else f'"{expression}"'


def shells_around(script: Script, place: Span) -> Iterator[ShellCommand]:
    """The commands that are given a script in which a place stands: `sh -c '...'`."""
    return (one for one in script.shells if one.script is not None and place in one.script.span)


def is_nested(script: Script, place: Span) -> bool:
    """Whether a place stands in the script of a shell within."""
    return any(True for _ in shells_around(script, place))


@lru_cache(maxsize=4)  # the words of a RUN follow each other
def has_backquotes(facts: Facts, span: Span) -> bool:
    return b"`" in span.of(facts.document.source)
