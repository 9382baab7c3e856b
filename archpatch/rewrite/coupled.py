"""Words that hang on the name of a downloaded file: in the same RUN, and in other instructions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from archpatch.facts import Command, Download, Facts, StageFacts
from archpatch.facts.origins import Piece, piece_at, text_of, trace, trace_word
from archpatch.facts.suppressors import command_at
from archpatch.facts.targets import only_asked_for
from archpatch.platforms import AMD64, ARM64, ArchWord, arch_words
from archpatch.rewrite import (
    arch_case,
    declare_arg,
    in_place,
    is_nested,
    set_by_case,
    substitute,
    substitute_word,
)
from archpatch.rewrite.names import (
    belongs,
    clusters,
    joined_before,
    named_in,
    others_named,
    own_words,
    parts_of,
    repeats,
    speaks_otherwise,
    spelled_out,
)
from archpatch.rewrite.others import is_all_changed, others_of
from archpatch.rewrite.paths import declare_spelling, declare_variable
from archpatch.syntax.shell import Script, ShellWord
from archpatch.syntax.shell_conditions import TESTS
from archpatch.syntax.tree import Copy, Document, Env, Instruction, Run, Word
from archpatch.text import Edit, Span, decode

MOST = 200
"""Instructions that may name a file; with more of them no fix is made."""
_MOST_NAMES = 60  # architectures named in a script: each of its downloads is compared with each of them
_VARIABLE = "${TARGET_ARCH}"  # as declare_variable names it
_TAKING = frozenset({"mv", "cp", "cd", "install", "chmod", "ln"})
_Valued = tuple[ShellWord, tuple[Piece, ...], ArchWord, str]
_Naming = tuple[ShellWord, tuple[Piece, ...], ArchWord]  # a word, its value, and an architecture in that


def coupled(
    facts: Facts, download: Download, expressions: Mapping[int, str], others: Iterable[Edit] = ()
) -> tuple[Edit, ...] | None:
    """Edits of the same RUN where another word repeats the part of the URL that changes; None where one does that
    cannot be edited. What `others` change in an ENV, a word that expands it has already."""
    if download.command is None:
        return ()
    return _in_script(facts, download, download.command, expressions, others)


def _in_script(
    facts: Facts,
    download: Download,
    command: Command,
    expressions: Mapping[int, str],
    others: Iterable[Edit] = (),
) -> tuple[Edit, ...] | None:
    """The edits of one script; `command` is any of its commands."""
    places = {token.text: token.place for token in download.tokens if token.text}
    same = _branches(facts, command.script, download)
    hanging = _hanging(download, command, places, same)
    if hanging is None:
        return None
    changed = {*(token.span for token in download.tokens if token.span), *(edit.span for edit in others)}
    asked, values = _asking(command.stage, command.run.span.start)
    edits: list[Edit] = []
    for word, pieces, found in hanging:
        alone = text_of(pieces) == found.text and word not in same
        if alone and word.span in asked:
            continue
        piece, span = piece_at(pieces, found.start, found.end) or (None, None)
        if piece is None:
            return None  # written in pieces, as `am"d64"` is
        if span in changed or (alone and span is None and word.span in values):
            continue  # changed in its own place, or it is what the machine said, which others may ask for
        expression = expressions[places[found.text]]
        if span is not None:
            made = _respelled(word, piece, span, expression, command)
            if made is None:
                return None
            edits += made
        elif piece.use and piece.text == found.text and download.varies:
            edits.append(in_place(word, piece.use, expression, command))
    return tuple(edits)


def is_guessed(facts: Facts, download: Download) -> bool:
    """Whether nobody knows that a script fits what is fetched for another architecture: it takes something for the file's
    by its version alone, or goes on to use a path that names amd64 as the file does, and that is no other file's."""
    command = download.command
    if command is None:
        return False
    places = {token.text: token.place for token in download.tokens if token.text}
    parts = parts_of(download.url)
    named = _named(command, places) or []
    others = others_named((value for _, _, _, value in named), parts)
    return any(
        found.text in places
        and not belongs(value, found, parts)
        and (belongs(value, found, parts, others) or _is_used(command, word, value, others))
        for word, _, found, value in named
    )


def _is_used(command: Command, word: ShellWord, value: str, others: Sequence[str]) -> bool:
    """Whether a command after the download takes a relative path that is no other file's."""
    shell = command_at(command.script, word.span)
    if shell is None or shell.name not in _TAKING or word.span.start < command.shell.span.end:
        return False
    if value.startswith(("/", "$", "-")) or not any(one is word for one in shell.arguments[:-1]):
        return False
    return not any(part and (part in other or other in part) for part in value.split("/") for other in others)


def _hanging(
    download: Download, command: Command, places: Mapping[str, int], same: Sequence[ShellWord]
) -> list[_Naming] | None:
    """What a script names that hangs on the name of the file, `same` included; None where that cannot be told."""
    if any(speaks_otherwise(one, places) for one in same):
        return None
    named = _named(command, places)
    if named is None:
        return None
    parts = parts_of(download.url)
    others = others_named((value for _, _, _, value in named), parts)
    return [
        (word, pieces, found)
        for word, pieces, found, value in named
        if found.text in places and (word in same or belongs(value, found, parts, others))
    ]


def _named(command: Command, places: Mapping[str, int]) -> list[_Valued] | None:
    """What a script names, with the values of the words; None for more than _MOST_NAMES."""
    named = [*_naming(command.stage, command.run.span.start), *_naming_others(command, places)]
    if len(named) > _MOST_NAMES:
        return None
    return [(word, pieces, found, text_of(pieces)) for word, pieces, found in named]


def _respelled(
    word: ShellWord, piece: Piece, span: Span, expression: str, command: Command
) -> tuple[Edit, ...] | None:
    """The edit of `span`, or none where another word holds it and changes there; None where it cannot be changed."""
    nested = is_nested(command.script, span)
    if nested and set_by_case(expression):
        return None
    if piece.holder is not word:
        return None if piece.declaration is not None else ()
    edit = substitute(word, span, expression, command)
    return None if edit is None or (nested and b"'" in edit.text) else (edit,)


def _run_at(stage: StageFacts, start: int) -> Run:
    return stage.every_run[bisect_left(stage.every_run, start, key=lambda run: run.span.start)]


@lru_cache(maxsize=4)  # the downloads of a script follow each other
def _asking(stage: StageFacts, start: int) -> tuple[frozenset[Span], frozenset[Span]]:
    """The words that a test of the RUN at `start` compares, and the values of variables."""
    script = stage.facts.shell(_run_at(stage, start))
    asked = (word.span for command in script.commands if command.name in TESTS for word in command.words)
    values = (one.value.span for one in script.assigns if one.value is not None)
    return frozenset(asked), frozenset(values)


@lru_cache(maxsize=4)  # the downloads of a script follow each other
def _naming(stage: StageFacts, start: int) -> tuple[_Naming, ...]:
    """Every architecture that a word of the RUN at `start` names outside of arms for one."""
    run = _run_at(stage, start)
    script = stage.facts.shell(run)
    found: list[_Naming] = []
    for word, only_on in _words(script):
        if only_on is None:
            shell = command_at(script, word.span) or script.commands[0]
            pieces = trace(stage.facts, Command(shell, run, stage, script), word, AMD64)
            found += ((word, pieces, one) for one in arch_words(text_of(pieces)))
    return tuple(found)


def _naming_others(command: Command, places: Mapping[str, int]) -> Iterator[_Naming]:
    """The same for the spellings of one tool that name no architecture by themselves: `linux-64`, a whole triple."""
    texts = own_words(places)
    if not texts:
        return
    for word, only_on in _words(command.script):
        if only_on is None and ("$" in word.raw or any(text in word.raw for text in texts)):
            shell = command_at(command.script, word.span) or command.script.commands[0]
            within = Command(shell, command.run, command.stage, command.script)
            pieces = trace(command.stage.facts, within, word, AMD64)
            yield from ((word, pieces, one) for one in spelled_out(text_of(pieces), texts))


def _branches(facts: Facts, script: Script, download: Download) -> list[ShellWord]:
    """What other branches of a script set the variable to that holds the architecture of the URL: nothing uses it
    between there and here."""
    found = []
    for last in (one.piece.assign for one in download.tokens if one.piece and one.piece.assign):
        for other in script.assigns:
            if other.name != last.name or other.value is None or other.only_on is not None:
                continue
            between = decode(facts.document.source[other.span.end : last.span.start])
            if between and f"${other.name}" not in between and f"${{{other.name}" not in between:
                found.append(other.value)
    return found


def words_of(script: Script) -> Iterator[ShellWord]:
    """The words of a script's commands, the targets of their redirections, and the values that it assigns."""
    return (word for word, _ in _words(script))


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


def elsewhere(
    document: Document,
    facts: Facts,
    download: Download,
    expressions: Mapping[int, str],
    argument: str,
    words: Mapping[str, str] | None = None,
) -> tuple[Edit, ...] | None:
    """Edits of other instructions that name the file, or what it unpacks to; None where one cannot be changed.

    `words` are the spellings of the architectures at the one place of the URL: with them an instruction that cannot
    use the expression of the download gets one of its own.
    """
    plain = all(expression == f"${{{argument}}}" for expression in expressions.values())
    others = others_of(download.stage)
    names = clusters(download)
    named = others.naming(names)
    if len(named) > MOST:
        return None
    edits: list[Edit] = []
    for instruction, text in named:
        if is_all_changed(document, instruction, download, names):
            continue
        spelled = None if plain else words
        if isinstance(instruction, Run) and not instruction.json and instruction in download.stage.runs:
            script = facts.shell(instruction)
            if not script.readable or not script.commands:
                return None
            command = Command(script.commands[0], instruction, download.stage, script)
            found = _in_run(document, facts, download, command, expressions, argument, spelled, edits)
        else:
            variable = _VARIABLE in expressions.values()
            found = _in_words(
                document, facts, instruction, download, argument, spelled=spelled, named=variable
            )
            if not found and _may_mention(text, download):
                return None
        if found is None or (found and not plain and words is None):
            return None
        edits += found
    return tuple(edits)


def _in_run(
    document: Document,
    facts: Facts,
    download: Download,
    command: Command,
    expressions: Mapping[int, str],
    argument: str,
    words: Mapping[str, str] | None,
    others: Iterable[Edit],
) -> tuple[Edit, ...] | None:
    """The edits of another RUN. What a `case` sets ends with its RUN: this one gets its own."""
    if words is None or not any(map(set_by_case, expressions.values())):
        return _in_script(facts, download, command, expressions, others)
    found = _in_script(facts, download, command, expressions, others)
    if not found:
        return found
    case = arch_case(document, facts, command.run, words, [edit.span for edit in found], argument=argument)
    if case is None:
        return None
    found = _in_script(facts, download, command, dict.fromkeys(expressions, case[1]), others)
    return (*case[0], *found) if found else found


def in_destination(
    document: Document, facts: Facts, download: Download, argument: str
) -> tuple[Edit, ...] | None:
    """Edits of the place that an ADD gives the file, where it has the file's name; None where it cannot be changed."""
    instruction = download.instruction
    goal = instruction.destination if isinstance(instruction, Copy) else None
    if goal is None:
        return ()
    edits = _in_words(document, facts, instruction, download, argument, [goal])
    if goal.value != goal.verbatim:
        return None if edits or _may_mention(goal.value, download) else ()
    return edits


def _in_words(
    document: Document,
    facts: Facts,
    instruction: Instruction,
    download: Download,
    argument: str,
    words: Sequence[Word] | None = None,
    spelled: Mapping[str, str] | None = None,
    named: bool = False,
) -> tuple[Edit, ...] | None:
    """Edits of `words` of a COPY, ADD, ENV or WORKDIR, which expand the argument; nothing for other instructions.

    `spelled` has the words for amd64 and arm64 where they are not the argument's; `named`: a variable has them.
    """
    if instruction.keyword not in ("COPY", "ADD", "ENV", "WORKDIR") or instruction.onbuild:
        return ()
    if words is None:
        words = [word for word in instruction.words if word.value == word.verbatim]
        if isinstance(instruction, Env):
            words = [held for one in instruction.declarations if (held := one.value) is not None]
    places = {token.text for token in download.tokens}
    parts = parts_of(download.url)
    chosen: tuple[tuple[Edit, ...], str] | None = None
    edits: list[Edit] = []
    for word in words:
        pieces = trace_word(facts, instruction, word, AMD64)
        value = text_of(pieces)
        for found in named_in(value, places):
            if found.text not in places or not repeats(value, found.start, found.end, parts):
                continue
            piece, span = piece_at(pieces, found.start, found.end) or (None, None)
            if piece is None or piece.holder is not word:
                continue  # the matter of the ARG or ENV that holds it
            chosen = chosen or _declared(document, facts, instruction, argument, spelled, named)
            edit = substitute_word(word, span, chosen[1]) if chosen and span else None
            if edit is None:
                return None
            edits.append(edit)
    return (*chosen[0], *edits) if chosen else ()


def _declared(
    document: Document,
    facts: Facts,
    instruction: Instruction,
    argument: str,
    spelled: Mapping[str, str] | None,
    named: bool,
) -> tuple[tuple[Edit, ...], str] | None:
    """The declaration, and the expression that it is for."""
    if spelled is None:
        return declare_arg(document, facts, instruction, argument), f"${{{argument}}}"
    amd64, arm64 = spelled.get(AMD64.arch), spelled.get(ARM64.arch)
    if (
        not amd64
        or not arm64
        or argument != "TARGETARCH"
        or not only_asked_for(facts, AMD64.arch, ARM64.arch)
    ):
        return None
    declare = declare_variable if named else declare_spelling
    return declare(document, facts, instruction, amd64, arm64)


def _may_mention(text: str, download: Download) -> bool:
    """Whether a text outside of RUN speaks of the file; where variables stand in it, it may."""
    words = {token.text for token in download.tokens}
    parts = parts_of(download.url)
    # `linux-amd64` is not of `tool_linux_amd64`: what stands before the word is the same, or nothing plain.
    before = {"", *(joined_before(download.url, token.start) for token in download.tokens)}
    return any(
        found.text in words
        and joined_before(text, found.start) in before
        and (
            repeats(text, found.start, found.end, parts) or "$" in text[max(0, found.start - 60) : found.end]
        )
        for found in named_in(text, words)
    )
