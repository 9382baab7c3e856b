"""Checksums that are written out in a Dockerfile, and which download they belong to."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from archpatch.facts.origins import text_of, trace
from archpatch.facts.shells import Command
from archpatch.platforms import AMD64
from archpatch.syntax.shell import Script, ShellCommand, ShellWord
from archpatch.syntax.shell_conditions import TESTS
from archpatch.syntax.tree import Copy, Instruction, Run, Word
from archpatch.text import Span, decode, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts

_SUMS = regex(r"(?:md5|sha\d+|b[23])(?:sum|deep)?|shasum|openssl")
_FETCH = ("curl", "wget", "aria2c")
_SILENT = ("curl", "wget", "echo", "printf")  # no word of theirs is the checksum of the URL beside it
_HEX = regex(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})(?![0-9A-Za-z])",
    re.I,
)


class Digest(Struct, frozen=True):
    """A checksum: the word that gives it, and its text."""

    span: Span
    text: str


def digests_of(facts: Facts, command: Command, url: str, output: str | None) -> tuple[Digest, ...]:
    """The literal checksums that the file of a fetching command is held against, there or in a later RUN.

    Within its RUN a checksum belongs to the download whose file is named beside it, else to the last download
    before it; in a later RUN of the stage to the file that it names. A function or program that is given both
    (`install_tool URL SHA256`) is taken at its word.
    """
    start = command.shell.span.end
    names = _names(url, output)
    sums = command.stage.sums
    at = bisect_left(sums, command.run.span.start, key=_place)
    given = () if command.shell.name in _SILENT else _in_words(facts, command)
    mine = [digest for _, _, digest in given]
    for own in sums[at : at + 1]:
        if own.run is command.run:
            mine += own.naming(names, range(start, own.next_fetch(start)))
    mine += _later(command.stage, command.run, names)
    return tuple(dict.fromkeys(mine))


def digests_of_added(facts: Facts, stage: StageFacts, instruction: Copy, url: str) -> tuple[Digest, ...]:
    """The literal checksums that a file fetched by ADD is held against, by its flag or in a later RUN."""
    flag = instruction.flag("checksum")
    value = flag.value if flag else None
    # Where an automatic argument chooses it, there is one for each platform.
    own = [Digest(value.span, value.value)] if value and not _follows(facts, instruction, value) else []
    output = instruction.destination.value if instruction.destination else None
    return (*own, *_later(stage, instruction, _names(url, output)))


def _follows(facts: Facts, instruction: Copy, value: Word) -> bool:
    known = facts.scope(instruction, AMD64).expand(value)
    return bool(known.names) or any(
        facts.scope(instruction, target).expand(value) != known for target in facts.targets
    )


def _names(url: str, output: str | None) -> set[str]:
    names = {output or "", (output or "").rsplit("/", 1)[-1], url.rsplit("/", 1)[-1]}
    return {name for name in names if name}


def _mentions(text: str, names: set[str]) -> bool:
    return any(name in text and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text) for name in names)


class Sums(Struct, frozen=True, dict=True):
    """The checksums of a RUN that computes some: where each stands, the text around it, itself; where the commands
    stand that fetch; the names of the lists of checksums that it reads (`sha256sum -c SHA256SUMS`), and of the files
    that it fetches."""

    run: Run
    written: tuple[tuple[int, str, Digest], ...]
    fetches: tuple[int, ...]
    lists: frozenset[str] = frozenset()
    fetched: frozenset[str] = frozenset()

    @cached_property
    def _all(self) -> str:
        return "\n".join(dict.fromkeys(text for _, text, _ in self.written))

    def naming(self, names: set[str], near: range = range(0)) -> Iterator[Digest]:
        """Those that stand beside one of `names`, or at a place `near`."""
        mentioned = {name for name in names if name in self._all}
        for place, text, digest in self.written:
            last = place in near and not self.fetched & (_beside(text, digest) - names)
            if last or (mentioned and _mentions(text, mentioned)):
                yield digest

    def next_fetch(self, start: int) -> int:
        """Where the next command that fetches begins, or the RUN ends."""
        at = bisect_right(self.fetches, start)
        return self.fetches[at] if at < len(self.fetches) else self.run.span.end


def sums_of(facts: Facts, stage: StageFacts) -> Iterator[Sums]:
    """The RUNs of a stage that compute checksums, in their order."""
    for run in stage.every_run:
        if not _SUMS.search(decode(run.span.of(facts.document.source))):
            continue
        script = facts.shell(run)
        if any(_SUMS.fullmatch(other.name) for other in script.commands):
            fetches = sorted(one.span.start for one in script.commands if one.name in _FETCH)
            written = _written(facts, Command(script.commands[0], run, stage, script))
            fetched = frozenset(_fetched(script))
            yield Sums(run, tuple(written), tuple(fetches), frozenset(_lists(script)), fetched)


def _fetched(script: Script) -> Iterator[str]:
    """The last part of each path and URL that the commands of a script name which fetch."""
    for command in script.commands:
        if command.name in _FETCH:
            yield from (word.raw.strip("\"'").rsplit("/", 1)[-1] for word in command.arguments)


def _beside(text: str, digest: Digest) -> set[str]:
    """The name of the file that a line of checksums has beside one: `DIGEST  FILE`."""
    line = text.partition(digest.text)[2].partition("\n")[0].split()
    return {line[0].lstrip("*").strip("\"'").rsplit("/", 1)[-1]} if line else set()


def _lists(script: Script) -> Iterator[str]:
    for command in script.commands:
        if _SUMS.fullmatch(command.name) and command.has("-c", "--check"):
            for word in command.arguments:
                name = (word.literal or "-").rsplit("/", 1)[-1]
                if not name.startswith("-"):
                    yield name


def reads_foreign_list(stage: StageFacts, instruction: Instruction) -> bool:
    """Whether a RUN, from `instruction` on, holds files against a list of checksums that the stage does not fetch or
    make: which architectures that list has is not known."""
    lists = {
        name for sums in stage.sums if sums.run.span.start >= instruction.span.start for name in sums.lists
    }
    if not lists:
        return False
    here = [one for one in stage.facts.downloads if one.stage is stage]
    made = {name.rsplit("/", 1)[-1] for one in here for name in (one.output or "", one.file_name)}
    written = (
        redirect.target.literal or ""
        for command in stage.commands
        for redirect in command.shell.redirects
        if redirect.target is not None and redirect.operator.startswith(">")
    )
    return bool(lists - made - {name.rsplit("/", 1)[-1] for name in written})


def _later(stage: StageFacts, instruction: Instruction, names: set[str]) -> Iterator[Digest]:
    for sums in stage.sums[bisect_right(stage.sums, instruction.span.start, key=_place) :]:
        yield from sums.naming(names)


def _place(sums: Sums) -> int:
    return sums.run.span.start


def _written(facts: Facts, command: Command) -> Iterator[tuple[int, str, Digest]]:
    """Every checksum that a script uses on all targets: where, the text around it, itself."""
    summed = ""  # what the command before computes the checksum of: `sha256sum FILE | grep DIGEST`
    for other in command.script.commands:
        if other.only_on is not None:
            continue
        if not _gives_both(own := replace(command, shell=other)):
            beside = _raw(other) if other.name in TESTS else summed
            yield from ((at, f"{beside} {text}", digest) for at, text, digest in _in_words(facts, own))
        computes = _SUMS.fullmatch(other.name) and not other.has("-c", "--check")
        summed = _raw(other) if computes else ""
        for redirect in other.redirects:
            if redirect.body is not None:
                text = decode(redirect.body.of(facts.document.source))
                for found in _HEX.finditer(text):
                    yield redirect.body.start, text, Digest(redirect.body, found[0])


def _raw(command: ShellCommand) -> str:
    return " ".join(word.raw for word in command.words)


def _in_words(facts: Facts, command: Command) -> Iterator[tuple[int, str, Digest]]:
    shell = command.shell
    words = [*shell.words, *(redirect.target for redirect in shell.redirects if redirect.target)]
    for word in words:
        if "://" in word.raw or (len(word.raw) < 32 and "$" not in word.raw):
            continue  # a hash in a URL names a commit
        text = text_of(trace(facts, command, word, AMD64))
        if "://" in text or not _HEX.search(text) or _chosen(facts, command, word, text):
            continue
        for found in _HEX.finditer(text):
            yield word.span.start, text, Digest(word.span, found[0])


def _gives_both(command: Command) -> bool:
    """Whether a command is given a URL: a checksum among its words is then that of this URL."""
    urls = (word.raw.lstrip("\"'").startswith(("https://", "http://")) for word in command.shell.arguments)
    return command.shell.name not in _SILENT and any(urls)


def _chosen(facts: Facts, command: Command, word: ShellWord, text: str) -> bool:
    """Whether another target has another text there."""
    return "$" in word.raw and any(
        text_of(trace(facts, command, word, target)) != text for target in facts.targets if target != AMD64
    )
