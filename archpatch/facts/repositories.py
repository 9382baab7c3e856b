"""Package repositories that a build sets up, wherever the text stands: in an argument of a command, in a heredoc.

Sources: sources.list(5), dnf.conf(5) "repo options".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.facts.shells import Command
from archpatch.syntax.shell import Redirect, ShellCommand, ShellWord
from archpatch.syntax.tree import Copy, Heredoc, Run
from archpatch.text import Span, decode, encode, holds, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts


class Text(Struct, frozen=True, dict=True):
    """What a command is given, a variable of the shell is set to, or a heredoc holds.

    `value`: the words as written, joined by blanks, or the body. `words` with the place of each in `value`; none
    for a heredoc, whose body stands at `body`. `command` is None for COPY and for an assignment.
    `expands`: whether the shell (RUN) or BuildKit (COPY) puts variables into the body.
    """

    value: str
    instruction: Run | Copy
    stage: StageFacts
    command: Command | None
    words: tuple[tuple[int, ShellWord], ...] = ()
    body: Span | None = None
    expands: bool = False

    def span(self, start: int, end: int) -> Span | None:
        """Where the characters `start` to `end` of `value` stand in the file; None where they are not plain text."""
        if self.body is not None and self.value.isascii():
            return Span(self.body.start + start, self.body.start + end)
        if self.body is not None:
            first = self.body.start + len(encode(self.value[:start]))
            return Span(first, first + len(encode(self.value[start:end])))
        found = next(((at, word) for at, word in reversed(self.words) if at <= start), None)
        if found is None:
            return None
        at, word = found
        piece, position = self.value[start:end], 0
        span = None
        for _ in range(self.value.count(piece, at, start) + 1):
            span = word.find(piece, position)
            if span is None:
                return None
            position = span.end
        return span

    def word(self, span: Span) -> ShellWord | None:
        """The word that holds a place of the file."""
        return next((word for _, word in self.words if span in word.span), None)

    @cached_property
    def addresses(self) -> Mapping[str, list[Address]]:
        """The addresses of its `deb` lines, those of `deb-src` left out, by the URI without quotes."""
        found: dict[str, list[Address]] = {}
        for match in _entries(_ADDRESS, self) if "://" in self.value else ():
            found.setdefault(match[1].strip("'\""), []).append(Address(self, match[1], match.start(1)))
        return found


class AptSource(Struct, frozen=True):
    """An entry of an apt source list that names its architectures: `deb [arch=amd64] https://...`, or
    `Architectures: amd64`.

    `architectures` as written, at `span`. `option` is what to take out for an entry that names none: None where
    that is not one plain piece of text. `uri` is as written; empty where it is not known.
    """

    text: Text
    architectures: tuple[str, ...]
    uri: str
    span: Span
    option: Span | None


class Address(Struct, frozen=True):
    """The address of a repository, as written, from character `start` of the text on."""

    text: Text
    uri: str
    start: int

    @property
    def span(self) -> Span | None:
        """Where the address stands in the file; None where a part of it is computed."""
        return self.text.span(self.start, self.start + len(self.uri))


_BEGINS = r"(?:\b|(?<=\\n))"  # also after the `\n` of a printf
_DEB = regex(_BEGINS + r"deb(?:-src)?\s+\[\s*((?:[^\]\[]*?\s)?arch\+?=([^\]\s]*)[^\]]*)\]\s*(\S*)")
_ADDRESS = regex(r"(?:(?<![\w./-])|(?<=\\n))" + r"deb\s+(?:\[[^\]]*\]\s*)?([a-z+]+://[^\s'\"\\]+)")
_DEB822 = regex(_BEGINS + r"Architectures:[ \t]*((?:[a-z0-9-]+[ \t]*)+)")
_URIS = regex(_BEGINS + r"URIs:[ \t]*([^\s\\]+)")
_BASEURL = regex(_BEGINS + r"baseurl\s*=\s*([^\s'\"\\]+)")


def apt_sources(facts: Facts) -> Iterator[AptSource]:
    """Every entry of an apt source list that names its architectures."""
    for text in _texts(facts, b"arch=", b"Architectures:"):
        yield from _sources_in(text)


def copied_apt_sources(facts: Facts) -> Iterator[tuple[Path, AptSource]]:
    """The same of the lists that COPY takes out of the build context, each with its file; its places are in there."""
    for stage in facts.stages:
        for copy in stage.body:
            if not isinstance(copy, Copy) or copy.source_stage is not None or copy.onbuild:
                continue
            for word in copy.sources:
                path = Path(word.value.lstrip("/"))
                if path.suffix not in (".list", ".sources") or facts.context is None:
                    continue
                content = facts.context.read(path) or b""
                text = Text(decode(content), copy, stage, None, body=Span(0, len(content)))
                yield from ((path, source) for source in _sources_in(text))


def _sources_in(text: Text) -> Iterator[AptSource]:
    for match in _entries(_DEB, text):
        arches = tuple(re.split(r"[,\s]+", match[2].strip(",")))
        if span := text.span(match.start(2), match.end(2)):
            yield AptSource(text, arches, match[3].strip("'\""), span, text.span(*_option(match)))
    for match in _entries(_DEB822, text):
        uri = _URIS.search(text.value)
        end = match.start(1) + len(match[1].rstrip())
        if span := text.span(match.start(1), end):
            line = text.value.find("\n", end) + 1
            whole = text.span(match.start(), line) if text.body is not None and line else None
            yield AptSource(text, tuple(match[1].split()), uri[1] if uri else "", span, whole)


def _entries(pattern: re.Pattern[str], text: Text) -> Iterator[re.Match[str]]:
    """The places that fit; comments of a file left out."""
    for match in pattern.finditer(text.value):
        line = text.value.rfind("\n", 0, match.start()) + 1
        if text.body is None or not text.value[line : match.start()].lstrip().startswith("#"):
            yield match


def _option(match: re.Match[str]) -> tuple[int, int]:
    """The place of `arch=amd64 ` among other options, or of the whole `[arch=amd64] `."""
    text, end = match.string, match.end(2)
    key = text.rindex("arch", 0, match.start(2))
    if match[1].strip() == text[key:end]:
        return text.rindex("[", 0, key), match.start(3)
    if text[end : end + 1] == "]":  # the last of several
        return len(text[:key].rstrip()), end
    return key, end + len(text[end:]) - len(text[end:].lstrip(" \t"))


def apt_addresses(facts: Facts, stage: StageFacts | None = None) -> Iterator[Address]:
    """The address of every `deb` line, in all stages or in one; of `deb-src` lines not."""
    for text in _texts(facts, b"deb ", stage=stage):
        yield from sorted(chain.from_iterable(text.addresses.values()), key=lambda address: address.start)


def rpm_addresses(facts: Facts) -> Iterator[Address]:
    """The address of every repository that rpm's package managers are told of."""
    for text in _texts(facts, b"baseurl"):
        for match in _entries(_BASEURL, text):
            yield Address(text, match[1], match.start(1))
    for text in _texts(facts, b"repo", b"zypper"):
        shell = text.command.shell if text.command else None
        if shell is None or text.body is not None or not _adds_repository(shell):
            continue
        for at, word in text.words:
            if "://" in word.raw and not word.raw.strip("'\"").endswith(".repo"):
                uri = word.raw.strip("'\"").removeprefix("--add-repo=").removeprefix("--repo=")
                yield Address(text, uri, at + word.raw.index(uri))


def _adds_repository(shell: ShellCommand) -> bool:
    if shell.name == "zypper":
        return any(word.literal in ("ar", "addrepo") for word in shell.arguments)
    manages = shell.name == "yum-config-manager" or (
        shell.name == "dnf" and any(word.literal == "config-manager" for word in shell.arguments)
    )
    return manages and any(word.prefix.startswith("--add-repo") for word in shell.arguments)


def _texts(facts: Facts, *needles: bytes, stage: StageFacts | None = None) -> Iterator[Text]:
    """Every text of an instruction that holds one of these words; a script within a script counts once."""
    for one in facts.stages if stage is None else (stage,):
        for instruction in one.body:
            if instruction.onbuild or not isinstance(instruction, Run | Copy):
                continue
            if not holds(facts.document.source, needles, instruction.span.start, instruction.span.end):
                continue
            if isinstance(instruction, Run):
                yield from _of_run(facts, one, instruction)
            else:
                yield from (_of_heredoc(facts, one, instruction, heredoc) for heredoc in instruction.heredocs)


def _of_run(facts: Facts, stage: StageFacts, run: Run) -> Iterator[Text]:
    script = facts.shell(run)
    for shell in script.commands:
        if shell.script is not None:
            continue
        command = Command(shell, run, stage, script)
        yield _of_words(shell.words, run, stage, command)
        for redirect in shell.redirects:
            if redirect.body is not None:
                body = decode(redirect.body.of(facts.document.source))
                yield Text(body, run, stage, command, body=redirect.body, expands=_expands(redirect))
    for assign in script.assigns:
        if assign.value is not None and " " in assign.value.raw:
            yield _of_words((assign.value,), run, stage, None)


def _of_words(words: tuple[ShellWord, ...], run: Run, stage: StageFacts, command: Command | None) -> Text:
    at, places = 0, []
    for word in words:
        places.append((at, word))
        at += len(word.raw) + 1
    return Text(" ".join(word.raw for word in words), run, stage, command, tuple(places))


def _of_heredoc(facts: Facts, stage: StageFacts, instruction: Copy, heredoc: Heredoc) -> Text:
    body = decode(heredoc.content.of(facts.document.source))
    return Text(body, instruction, stage, None, body=heredoc.content, expands=heredoc.expand)


def _expands(redirect: Redirect) -> bool:
    return redirect.target is None or not any(mark in redirect.target.raw for mark in "'\"\\")
