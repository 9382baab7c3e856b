"""Edits of paths and names that hold an architecture: a selector in its place, wherever the word stands."""

from __future__ import annotations

from archpatch.facts import Facts, PlatformKind, Written
from archpatch.facts.written import only_asked_for
from archpatch.rewrite import substitute, substitute_word
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Word
from archpatch.text import Edit, Span

_EXPANDED = frozenset({"ENV", "ARG", "COPY", "ADD", "WORKDIR"})


def substitute_written(written: Written, span: Span, expression: str) -> Edit | None:
    """Put a variable or `$(...)` in place of `span` of a word of either kind.

    None where nothing would expand it: in the exec form, in CMD or ENTRYPOINT, in a script that was not read.
    """
    word, command = written.word, written.command
    if command is not None and isinstance(word, ShellWord):
        return substitute(word, span, expression) if command.script.readable else None
    if isinstance(word, Word) and written.instruction.keyword in _EXPANDED:
        return substitute_word(word, span, expression)
    return None


def uname_edits(facts: Facts, written: Written, text: str, word: str) -> tuple[Edit, ...]:
    """Put `$(uname -m)` in place of `word` (x86_64) in each `text` of a word of a RUN.

    Nothing where that is not the target's name: outside of scripts, in a stage on another platform than the target,
    where an architecture is asked for whose folders are not called as `uname -m` says.
    """
    if written.command is None or written.stage.kind is not PlatformKind.TARGET:
        return ()
    if not only_asked_for(facts, "amd64", "arm64", "s390x", "riscv64"):
        return ()
    edits = []
    offset = text.index(word)
    for span in written.places(text):
        start = span.start + offset
        edit = substitute_written(written, Span(start, start + len(word)), "$(uname -m)")
        if edit is None:
            return ()
        edits.append(edit)
    return tuple(edits)
