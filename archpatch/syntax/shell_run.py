"""What a RUN (or another instruction in shell form) gives to a shell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from archpatch.syntax.shell_read import Reader, read_text
from archpatch.syntax.shell_select import mentions_arch
from archpatch.syntax.shell_text import Text, joined, json_string, plain, text_of
from archpatch.syntax.shell_tree import Content, Script, ShellCommand
from archpatch.syntax.shell_tree import Sequence as Nodes
from archpatch.syntax.shell_words import Literal, Opaque, Quote, ShellWord
from archpatch.syntax.shell_wrappers import SHELLS
from archpatch.syntax.tree import Document, Instruction, Word
from archpatch.text import Span, decode, regex


def read(
    source: bytes, span: Span, *, escape: str = "\\", aliases: Mapping[str, str] | None = None
) -> Script:
    """The shell script at `span` of a Dockerfile, its lines joined as BuildKit does with that escape character.

    `aliases`: variables that hold what an automatic one holds (`{"ARCH": "TARGETARCH"}`).
    """
    return read_text(source, joined(source, span, escape), span, aliases)


def read_script(source: bytes, span: Span, *, aliases: Mapping[str, str] | None = None) -> Script:
    """A shell script that stands in the file as it is: a file of its own, the body of a heredoc."""
    return read_text(source, plain(source, span), span, aliases)


def read_run(
    document: Document,
    run: Instruction,
    *,
    shell: Sequence[str] = ("/bin/sh", "-c"),
    aliases: Mapping[str, str] | None = None,
) -> Script:
    """The script of a RUN: shell form, exec form or heredoc; of CMD and ENTRYPOINT as well.

    `shell` is the SHELL in force; one that is not of the Bourne family gives a Script that is not readable and has
    no commands. The exec form of another command is a script of that one command, nothing in it expanded.
    """
    source = document.source
    if run.json:
        return _exec_form(source, run, aliases)
    shell = _behind_wrapper(shell)
    if not _reads(shell[0] if shell else ""):
        return _unreadable(run.body, f"the shell is {_base(shell[0]) if shell else 'not known'}")
    if len(run.heredocs) == 1 and run.heredocs[0].marker == run.body:
        return _only_heredoc(source, run, aliases)
    span = run.body
    if not run.heredocs and _PLAIN[document.escape].fullmatch(source, span.start, span.end):
        asks = mentions_arch(span.of(source), aliases or ())
        return Script(span, True, "", lambda: _joined(document, span, aliases).content, asks=asks)
    text = joined(source, span, document.escape)
    if run.heredocs:
        bodies = Span(run.heredocs[0].content.start, run.heredocs[-1].closing.end)
        text = _with_bodies(text, plain(source, bodies))
        span = span.cover(bodies)
    return read_text(source, text, span, aliases)


# A list of simple commands without a quote, a variable or a bracket: every shell can read it.
_GAP = rb"(?:[ \t]|%s[ \t]*+\r?\n)"
_WORD = rb"[\w./:@,+-][\w./:=@%%+,~^-]*+"
_KEYWORD = rb"(?!(?:if|then|else|elif|fi|do|done|case|esac|while|until|for|select|function|time|coproc|in)\b)"
_COMMAND = _KEYWORD + _WORD + rb"(?:" + _GAP + rb"++" + _WORD + rb")*+"
_LIST = _COMMAND + rb"(?:" + _GAP + rb"*+(?:&&|\|\|?|;)" + _GAP + rb"*+" + _COMMAND + rb")*+"
_PLAIN = {
    escape: regex(_LIST.replace(b"%s", re.escape(escape.encode())).replace(b"%%", b"%")) for escape in "\\`"
}


def _joined(document: Document, span: Span, aliases: Mapping[str, str] | None) -> Script:
    return read_text(document.source, joined(document.source, span, document.escape), span, aliases)


def _only_heredoc(source: bytes, run: Instruction, aliases: Mapping[str, str] | None) -> Script:
    """`RUN <<EOF`: the body is the script, or a file that its first line names the interpreter of."""
    content = run.heredocs[0].content
    if source.startswith(b"#!", content.start):
        words = decode(source[content.start + 2 : source.find(b"\n", content.start)]).split()
        words = words[1:] if words and _base(words[0]) == "env" else words
        words = [word for word in words if not word.startswith("-")]
        if not words or not _reads(words[0]):
            return _unreadable(content, f"the interpreter is {_base(words[0]) if words else 'not known'}")
    return read_text(source, plain(source, content), content, aliases)


def _with_bodies(text: Text, bodies: Text) -> Text:
    """The joined line, a line end, and the heredocs that follow."""
    pieces = []
    for part in (text, Text(b"\n", (0,), (text.ends[-1],), (text.ends[-1] + 1,)), bodies):
        cuts = (*part.cuts, len(part.data))
        for index, (start, end) in enumerate(zip(part.starts, part.ends, strict=True)):
            pieces.append((part.data[cuts[index] : cuts[index + 1]], start, end))
    return text_of(pieces, text.starts[0])


def _exec_form(source: bytes, run: Instruction, aliases: Mapping[str, str] | None) -> Script:
    words = tuple(_json_word(word) for word in run.words)
    if not words:
        return _unreadable(run.body, "an empty command")
    reader = Reader(source, Text(b"", (0,), (run.body.start,), (run.body.start,)), aliases or {})
    return reader.single(ShellCommand(run.body, words), run.body)


def _json_word(word: Word) -> ShellWord:
    """A JSON string as a word: nothing in it is expanded."""
    text = json_string(word.verbatim, word.span.start) if "\n" not in word.verbatim else None
    if text is None:
        return ShellWord(word.span, (Opaque(word.span, word.verbatim, Quote.DOUBLE),), word.verbatim)
    parts = tuple(
        Literal(text.span(start, end), decode(text.data[start:end]), Quote.SINGLE)
        for start, end in text.segments(0, len(text.data))
    )
    if not parts:
        parts = (Literal(text.span(0, 0), "", Quote.SINGLE),)
    return ShellWord(word.span, parts, word.verbatim)


def _base(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1].lower()


_WRAPPERS = frozenset({"conda", "mamba", "micromamba", "env"})
"""Programs that set an environment up and run another one: `SHELL ["conda", "run", "-n", "x", "/bin/bash", "-c"]`."""


def _behind_wrapper(shell: Sequence[str]) -> Sequence[str]:
    """The shell that a wrapper starts, with its options; as it is where there is none."""
    if not shell or _base(shell[0]) not in _WRAPPERS or not shell[-1].startswith("-"):
        return shell
    at = next((at for at, word in enumerate(shell) if "-" not in word[:1] and _reads(word)), 0)
    return shell[at:]


def _reads(shell: str) -> bool:
    return _base(shell).removesuffix(".exe") in SHELLS


def _unreadable(span: Span, problem: str) -> Script:
    return Script(span, False, problem, lambda: Content(Nodes(span, ())), span)
