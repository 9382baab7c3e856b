"""Files whose name says nothing on amd64: where the fix gives the name an ending, what is called by it goes with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from archpatch.facts import Command, Download, Facts, UrlToken
from archpatch.facts.origins import piece_at, text_of, trace
from archpatch.platforms import AMD64
from archpatch.rewrite import is_nested, substitute
from archpatch.syntax.shell import Script, ShellCommand, ShellWord
from archpatch.syntax.tree import Copy
from archpatch.text import Edit, Span, decode, regex

_ARCHIVE = regex(r"(?:\.(?:tar|tgz|gz|xz|bz2|zst|zip|txz|tbz2))+$")
_PARTED = regex(r"[-_]")
_URL = regex(r"\b(?:https?|ftp)://[^\s'\"]+")
_BRACES = regex(r"\$\{(\w+)\}")
_GONE = frozenset({"mv", "cp", "install", "ln", "rm"})


def unnamed_name(facts: Facts, download: Download, expressions: Mapping[int, str]) -> tuple[Edit, ...] | None:
    """Edits of the words of a RUN that are the name of a fetched file, which ends in nothing on amd64: `ninja-linux.zip`
    is `ninja-linux-aarch64.zip` elsewhere. None where one cannot be edited, where another instruction goes by that
    name, and where a folder is called as the archive: whether it is elsewhere nobody knows.
    """
    token = _unnamed(download)
    if token is None:
        return ()
    command, name = download.command, download.file_name
    if _names_folder(facts, download, name):
        return None
    if command is None:
        return None if _in_folder(download) and _mentioned(facts, download, name) else ()
    if download.explicit:
        return ()
    if not _moved_on(command.script, name) and _mentioned(facts, download, name):
        return None
    length = token.start - (download.url.partition("?")[0].rstrip("/").rfind("/") + 1)
    return _edits(facts, command, name, length, expressions[token.place])


def _unnamed(download: Download) -> UrlToken | None:
    """The place in the file's name that is empty on amd64."""
    folder = download.url.partition("?")[0].rstrip("/").rfind("/")
    return next((one for one in download.tokens if not one.text and one.start > folder), None)


def _edits(
    facts: Facts, command: Command, name: str, length: int, expression: str
) -> tuple[Edit, ...] | None:
    edits: list[Edit] = []
    folders = tuple(_folders(command))
    for word in _words(command.script):
        if word.span.end <= command.shell.span.start or ("$" not in word.raw and name not in word.raw):
            continue
        pieces = trace(facts, command, word, AMD64)
        for start in _places(text_of(pieces), name, folders):
            piece, span = piece_at(pieces, start + length, start + length) or (None, None)
            if piece is None or span is None:
                return None
            if piece.holder is not word:
                continue  # changed where it is set
            edit = substitute(word, span, expression, command)
            if edit is None or is_nested(command.script, span):
                return None  # a shell within does not know what the `case` sets
            edits.append(edit)
    return tuple(edits)


def _places(text: str, name: str, folders: Iterable[str]) -> Iterator[int]:
    """Where a text is the file's name, with nothing before it but a folder that the file is in."""
    at = text.find(name)
    while at >= 0:
        before = re.split(r"[\s='\"(]", text[:at])[-1]
        after = text[at + len(name) : at + len(name) + 1]
        if before in folders and (not after or after in " \t\n'\")"):
            yield at
        at = text.find(name, at + 1)


def _folders(command: Command) -> Iterator[str]:
    """How the folder that a file is saved to is written before its name."""
    saved = command.shell.option("-P", "--directory-prefix") or command.shell.option("--output-dir")
    if saved is not None:
        yield _folder(saved)
        return
    yield ""
    yield "./"
    here = [one for one in command.script.commands if one.span.end <= command.shell.span.start]
    for shell in reversed(here):
        if shell.name == "cd" and shell.arguments:
            yield _folder(shell.arguments[0])
            return


def _folder(word: ShellWord) -> str:
    return word.raw.strip("'\"").rstrip("/") + "/"


def _words(script: Script) -> Iterator[ShellWord]:
    for shell in script.commands:
        yield from shell.words
        yield from (one.target for one in shell.redirects if one.target is not None)


def _names_folder(facts: Facts, download: Download, name: str) -> bool:
    """Whether what was unpacked is called by the name of the archive, without its ending."""
    stem = _ARCHIVE.sub("", name)
    if stem == name or not _PARTED.search(stem):
        return False
    command, folder = download.command, _alone(stem)
    if command is not None:
        values = (text_of(trace(facts, command, word, AMD64)) for word in _words(command.script))
        if any(folder.search(value.replace(download.url, "")) for value in values if stem in value):
            return True
    return _later_has(facts, download, _ARCHIVE.sub("", _as_written(download)), stem)


def _alone(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")


def _as_written(download: Download) -> str:
    """The file's name with the variables that are written in the URL."""
    written = download.word.raw if isinstance(download.word, ShellWord) else download.word.verbatim
    return _BRACES.sub(r"$\1", written.strip("'\"").rpartition("/")[2])


def _moved_on(script: Script, name: str) -> bool:
    """Whether the file gets another name or place in the script, or is gone after it."""
    return any(_moves(shell, name) for shell in script.commands)


def _moves(shell: ShellCommand, name: str) -> bool:
    if shell.name not in _GONE:
        return False
    return any(PurePosixPath(word.raw.strip("'\"")).name == name for word in shell.arguments)


def _mentioned(facts: Facts, download: Download, name: str) -> bool:
    """Whether another instruction may go by the file's name."""
    if download.command is not None and _ARCHIVE.search(name) is None:
        return True  # a program keeps the name that it is called by
    return _later_has(facts, download, _as_written(download), name)


def _later_has(facts: Facts, download: Download, *names: str) -> bool:
    """Whether an instruction below, of the stage or of one that takes files from it, has one of these names in it."""
    sought = [_alone(name) for name in dict.fromkeys(names) if name]
    stages = {download.stage.index, *(other.index for other in download.stage.feeds)}
    texts = [
        decode(Span(one.body.start, one.span.end).of(facts.document.source))
        for index in sorted(stages)
        for one in facts.stages[index].body
        if one.span.start > download.instruction.span.start and one.keyword not in ("LABEL", "ARG")
    ]
    plain = [_BRACES.sub(r"$\1", _URL.sub("", text)) for text in texts]
    return any(pattern.search(text) for text in plain for pattern in sought)


def _in_folder(download: Download) -> bool:
    """Whether an ADD keeps the file's name."""
    instruction = download.instruction
    goal = instruction.destination if isinstance(instruction, Copy) else None
    return goal is not None and goal.value.endswith(("/", "."))
