"""Respelling a download: the architecture in its URL, and every word of the RUN that hangs on the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from archpatch.facts import Command, Download, Facts, PlatformKind, UrlToken
from archpatch.facts.origins import Piece, piece_at, text_of, trace
from archpatch.facts.suppressors import command_at
from archpatch.platforms import AMD64, ARM64, Convention, arch_words
from archpatch.rewrite import arch_case, declare_arg, substitute, substitute_word
from archpatch.rewrite_stages import fetch_stages
from archpatch.syntax.shell import Script, ShellWord
from archpatch.syntax.tree import Copy, Document, Env, Instruction, Run, Word
from archpatch.text import Applicability, Edit, Fix, Span, decode, encode

Words = Mapping[str, str]
"""How each architecture (as in Platform.arch) is spelled at one place of a URL."""

_ENDING = re.compile(r"(?:\.(?:tar|tgz|gz|xz|bz2|zst|zip|deb|rpm|txz|tbz2|sha\d+(?:sum)?|asc|sig|md5))+$")


def table_words(download: Download) -> tuple[Words, ...]:
    """The spellings that the table has for each place of a URL; empty where it has none."""
    if download.match is None:
        return ()
    words = download.match.asset.words
    places = max((token.place for token in download.tokens), default=-1) + 1
    return tuple({arch: spelled[place] for arch, spelled in words} for place in range(places))


def guessed_words(download: Download) -> tuple[Words, ...] | None:
    """The spellings that the convention of the URL has; None where there is more than one that would fit."""
    found = []
    for text in dict.fromkeys(token.text for token in sorted(download.tokens, key=lambda token: token.place)):
        convention = {"amd64": Convention.DOCKER, "x86_64": Convention.UNAME, "x64": Convention.NODE}.get(
            text
        )
        if convention is None:
            return None
        words = {arch: convention.spell(arch) for arch in ("amd64", "arm64", "ppc64le", "s390x", "riscv64")}
        found.append({arch: word for arch, word in words.items() if word})
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Respelling:
    """Edits that make a download follow the architecture. `across`: other instructions are changed or made too."""

    edits: tuple[Edit, ...]
    across: bool

    def fix(self, title: str, sure: bool) -> Fix:
        """The fix: safe when the file is `sure` to be there and nothing outside of its instruction changes."""
        safe = sure and not self.across
        return Fix(title, self.edits, Applicability.SAFE if safe else Applicability.UNSAFE)


def respell(
    document: Document, facts: Facts, download: Download, words: Sequence[Words]
) -> Respelling | None:
    """The edits that make a download follow the architecture; `words` has the spellings for each place of the URL.

    None where no edit is known to be right: in the exec form, within `sh -c`, in a stage whose platform is fixed,
    where an instruction that cannot be changed too relies on the file's name.
    """
    argument = download.argument
    run = isinstance(download.instruction, Run)
    if argument is None or not download.tokens or _nested(download) or (run and download.instruction.json):
        return None
    edits: list[Edit] = []
    expressions: dict[int, str] = {}
    for place, spelled in enumerate(words):
        chosen = _expression(document, facts, download, spelled, argument)
        if chosen is None:
            return _by_stages(document, facts, download, words)
        edits += chosen[0]
        expressions[place] = chosen[1]
    if sum("_arch" in expression for expression in expressions.values()) > 1:
        return None  # two variables of one `case`
    for token in download.tokens:
        made = _replaced(document, facts, token, expressions[token.place], argument)
        if made is None:
            return None
        edits += made
    coupled = _coupled(facts, download, expressions)
    elsewhere = _elsewhere(document, facts, download, expressions, argument)
    if coupled is None or elsewhere is None:
        return None
    return Respelling(tuple(dict.fromkeys((*edits, *coupled, *elsewhere))), bool(elsewhere))


def respell_arms(facts: Facts, download: Download, words: Sequence[Words]) -> tuple[Edit, ...] | None:
    """The edits where the arms of a `case` set a word for each architecture, and it is not the publisher's.

    None where the words are set otherwise, or another download uses them too.
    """
    command, edits = download.command, []
    if command is None or not isinstance(download.word, ShellWord):
        return None
    for target in dict.fromkeys((AMD64, *facts.targets)):
        pieces = trace(facts, command, download.word, target)
        match = facts.tables.asset(text_of(pieces))
        for token in (
            match.tokens if match and match.asset == (download.match and download.match.asset) else ()
        ):
            held = piece_at(pieces, token.start, token.end)
            piece, span = held if held else (None, None)
            wanted = words[token.place].get(target.arch)
            if (
                piece is None
                or span is None
                or wanted is None
                or piece.assign is None
                or piece.assign.only_on is None
            ):
                return None
            if any(_uses(other, piece) for other in facts.downloads if other is not download):
                return None
            if span.of(facts.document.source) != encode(wanted):
                edits.append(Edit.replace(span, wanted))
    return tuple(dict.fromkeys(edits)) or None


def _uses(download: Download, piece: Piece) -> bool:
    return any(token.piece and token.piece.assign == piece.assign for token in download.tokens)


def _by_stages(
    document: Document, facts: Facts, download: Download, words: Sequence[Words]
) -> Respelling | None:
    if not isinstance(download.instruction, Copy) or _clusters(download, _texts(document, facts, download)):
        return None
    edits = fetch_stages(document, facts, download, words)
    return Respelling(edits, True) if edits else None


def _nested(download: Download) -> bool:
    """Whether the command stands in a script of its own, whose shell may not see what the RUN's shell sets, or in
    one that was not read."""
    if download.command is None:
        return False
    if not download.command.script.readable:
        return True
    span = download.command.shell.span
    return any(
        other.script is not None and span in other.script.span for other in download.command.script.commands
    )


def _expression(
    document: Document, facts: Facts, download: Download, words: Words, argument: str
) -> tuple[tuple[Edit, ...], str] | None:
    """What to write in place of the architecture, and the edits that make it work."""
    arches = [arch for arch in _wanted(facts) if arch in words]
    if all(words[arch] == Convention.DOCKER.spell(arch) for arch in arches):
        return declare_arg(document, facts, download.instruction, argument), f"${{{argument}}}"
    if not isinstance(download.instruction, Run):
        return None
    native = download.stage.kind is PlatformKind.TARGET
    if native and all(words[arch] == Convention.UNAME.spell(arch) for arch in arches):
        return (), "$(uname -m)"
    return arch_case(document, facts, download.instruction, words, argument=argument)


def _wanted(facts: Facts) -> list[str]:
    return list(dict.fromkeys((AMD64.arch, ARM64.arch, *(target.arch for target in facts.targets))))


def _replaced(
    document: Document, facts: Facts, token: UrlToken, expression: str, argument: str
) -> tuple[Edit, ...] | None:
    """The edits at the place of a token: in the URL, or in the assignment or ENV that holds it."""
    piece = token.piece
    if piece is None or piece.instruction is None:
        return None
    span = token.span
    if span is None:  # `$ARCH` or `$(uname -m)` in the URL, spelled as nobody publishes
        span = piece.use or piece.source
        return (Edit.replace(span, expression),) if span and piece.text == token.text else None
    if isinstance(piece.holder, ShellWord):
        edit = substitute(piece.holder, span, expression)
        return None if edit is None else (edit,)
    if not isinstance(piece.holder, Word) or expression != f"${{{argument}}}":
        return None
    if facts.stage_of(piece.instruction) is None:
        return None
    edit = substitute_word(piece.holder, span, expression)
    return None if edit is None else (*declare_arg(document, facts, piece.instruction, argument), edit)


# What hangs on the name of the file


def _coupled(facts: Facts, download: Download, expressions: Mapping[int, str]) -> tuple[Edit, ...] | None:
    """Edits of the same RUN where another word repeats the part of the URL that changes; None where one does that
    cannot be edited."""
    if download.command is None:
        return ()
    return _in_script(facts, download, download.command, expressions)


def _in_script(
    facts: Facts, download: Download, command: Command, expressions: Mapping[int, str]
) -> tuple[Edit, ...] | None:
    """The edits of one script; `command` is any of its commands."""
    places = {token.text: token.place for token in download.tokens if token.text}
    changed = [token.span for token in download.tokens if token.span is not None]
    edits: list[Edit] = []
    for word, only_on in _words(command.script):
        if only_on is not None or not any(text in word.raw or "$" in word.raw for text in places):
            continue
        shell = command_at(command.script, word.span) or command.shell
        for text, held in _mentions(facts, replace(command, shell=shell), word, download, places):
            piece, span = held if held else (None, None)
            if piece is None or span in changed:
                continue  # changed in its own place
            if span is None:
                if piece.use and piece.text == text and download.varies:
                    edits.append(Edit.replace(piece.use, expressions[places[text]]))
                continue
            if piece.holder is word:
                edit = substitute(word, span, expressions[places[text]])
                if edit is None:
                    return None
                edits.append(edit)
            elif piece.declaration is not None:
                return None
    return tuple(edits)


def _words(script: Script) -> Iterator[tuple[ShellWord, frozenset[str] | None]]:
    for command in script.commands:
        for word in command.words:
            yield word, command.only_on
        for redirect in command.redirects:
            if redirect.target is not None:
                yield redirect.target, command.only_on
    for assign in script.assigns:
        if assign.value is not None:
            yield assign.value, assign.only_on


def _mentions(
    facts: Facts, command: Command, word: ShellWord, download: Download, places: Mapping[str, int]
) -> Iterator[tuple[str, tuple[Piece, Span | None] | None]]:
    """Every architecture in a word that belongs to the name of the file, and where it is written."""
    pieces = trace(facts, command, word, AMD64)
    text = text_of(pieces)
    parts = _parts(download.url)
    if "://" in text and not _same_folder(text, parts):
        return
    for found in arch_words(text):
        if found.text in places and _repeats(text, found.start, found.end, parts):
            yield found.text, piece_at(pieces, found.start, found.end)


def _parts(url: str) -> tuple[str, ...]:
    """The parts of a URL's path, the file's name without the ending of an archive."""
    path = url.partition("?")[0].split("/")[3:]
    return tuple(_ENDING.sub("", part) if at == len(path) - 1 else part for at, part in enumerate(path))


def _same_folder(url: str, parts: Sequence[str]) -> bool:
    """Whether another URL lies beside the download: its signature, its checksums."""
    mine = _parts(url)
    return mine[:-1] == tuple(parts[:-1]) or parts[-1] in mine[-1]


def _repeats(text: str, start: int, end: int, parts: Sequence[str]) -> bool:
    """Whether the part of a path around a word is one of the URL's, or holds the name of its file."""
    first = max(text.rfind(mark, 0, start) for mark in "/ =,:\"'^|(\n\t") + 1
    last = min((at for mark in "/ =,:\"'$|)\n\t" if (at := text.find(mark, end)) >= 0), default=len(text))
    part = _ENDING.sub("", text[first:last].replace("\\", ""))
    return any(part == other or (len(part) > end - start and part in other) for other in parts) or (
        parts[-1] in part and len(parts[-1]) > end - start
    )


_CLUSTER = re.compile(r"[A-Za-z0-9]+[-_.]$")
_URLS = re.compile(r"\b(?:https?|ftp)://\S+")


def _elsewhere(
    document: Document, facts: Facts, download: Download, expressions: Mapping[int, str], argument: str
) -> tuple[Edit, ...] | None:
    """Edits of other instructions that name the file, or what it unpacks to; None where one cannot be changed."""
    texts = _texts(document, facts, download)
    clusters = _clusters(download, texts)
    if not clusters:
        return ()
    edits: list[Edit] = []
    for instruction, text in texts:
        if not any(cluster in text for cluster in clusters):
            continue
        if not isinstance(instruction, Run) or instruction.json or instruction not in download.stage.runs:
            named = _in_words(document, facts, instruction, download, argument)
            if named is None or (not named and _may_mention(text, download)):
                return None
            edits += named
            continue
        script = facts.shell(instruction)
        if not script.readable or not script.commands:
            return None
        command = Command(script.commands[0], instruction, download.stage, script)
        found = _in_script(facts, download, command, expressions)
        if found is None:
            return None
        edits += found
    if edits and any(expression != f"${{{argument}}}" for expression in expressions.values()):
        return None  # what the `case` sets ends with its RUN
    return tuple(edits)


def _in_words(
    document: Document, facts: Facts, instruction: Instruction, download: Download, argument: str
) -> tuple[Edit, ...] | None:
    """Edits of COPY, ADD, ENV or WORKDIR, which expand the argument; nothing for other instructions."""
    if instruction.keyword not in ("COPY", "ADD", "ENV", "WORKDIR") or instruction.onbuild:
        return ()
    words = [word for word in instruction.words if word.value == word.verbatim]
    if isinstance(instruction, Env):
        words = [held for one in instruction.declarations if (held := one.value) is not None]
    places = {token.text for token in download.tokens}
    edits: list[Edit] = []
    for word in words:
        for found in arch_words(word.verbatim):
            if found.text in places and _repeats(word.verbatim, found.start, found.end, _parts(download.url)):
                start = word.span.start + len(encode(word.verbatim[: found.start]))
                span = Span(start, start + len(encode(found.text)))
                edit = substitute_word(word, span, f"${{{argument}}}")
                if edit is None:
                    return None
                edits.append(edit)
    return (*declare_arg(document, facts, instruction, argument), *edits) if edits else ()


def _may_mention(text: str, download: Download) -> bool:
    """Whether a text outside of RUN speaks of the file; where variables stand in it, it may."""
    words = {token.text for token in download.tokens}
    parts = _parts(download.url)
    return any(
        found.text in words
        and (
            _repeats(text, found.start, found.end, parts) or "$" in text[max(0, found.start - 60) : found.end]
        )
        for found in arch_words(text)
    )


def _clusters(download: Download, texts: Sequence[tuple[Instruction, str]]) -> set[str]:
    """The pieces of the file's name with the architecture in them that other instructions speak of."""
    clusters = set()
    for token in download.tokens:
        before = _CLUSTER.search(download.url[: token.start])
        if before and token.text:
            clusters.add(before[0] + token.text)
    return {cluster for cluster in clusters if any(cluster in text for _, text in texts)}


def _texts(document: Document, facts: Facts, download: Download) -> list[tuple[Instruction, str]]:
    """The other instructions of the stage, and of those that take files from it, without URLs. Those that fetch for
    themselves are left out: what they name is theirs."""
    fetching = [other.instruction for other in facts.downloads if other.tokens]
    stages = {download.stage.index, *(stage.index for stage in download.stage.feeds)}
    return [
        (other, _URLS.sub("", decode(Span(other.body.start, other.span.end).of(document.source))))
        for stage in facts.stages
        if stage.index in stages
        for other in stage.body
        if other.keyword not in ("LABEL", "ARG") and not any(other is fetch for fetch in fetching)
    ]
