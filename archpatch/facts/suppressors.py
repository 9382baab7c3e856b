"""Why an architecture that is written out may be just right.

A rule asks `why_fine` before it reports a word like `amd64`. The other questions stand for themselves.
"""

from __future__ import annotations

import enum
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from typing import TYPE_CHECKING

from archpatch.facts.distro import Family
from archpatch.facts.graph import PlatformKind
from archpatch.facts.values import AUTOMATIC, Scope
from archpatch.platforms import AMD64, arch_words, arches_in
from archpatch.syntax.shell import Param, Script, ShellCommand, ShellWord, Substitution
from archpatch.syntax.shell_conditions import TESTS
from archpatch.syntax.tree import Arg, Env, Instruction, Run, Word
from archpatch.syntax.words import BadWord, Variable, split_parts, variables
from archpatch.text import Span, decode, encode, regex

if TYPE_CHECKING:
    from archpatch.facts.downloads import Download
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts


class Suppressor(enum.Enum):
    """Why a word that names an architecture is no pitfall."""

    GUARDED_BY_SELECTOR = "it stands in a branch that is taken on this architecture alone"
    FALLBACK_OF_AUTOMATIC = "it is the fallback of an automatic argument that is declared"
    TRANSLATION = "it is what a translation of architecture names looks for"
    ENUMERATES_ARCHES = "the other architecture is named beside it"
    NOT_AN_ARCH = "it names no architecture of the image: text, a label, another system"
    PER_ARCH_FAMILY = "the stage, or the file, is one of a family with a member for each architecture"
    UNREACHABLE = "no build for another architecture reaches the stage"
    DELIBERATE = "the stage is pinned to the architecture and says so in its name"
    ARCH_INDEPENDENT_OUTPUT = "what is taken from the pinned stage runs anywhere"
    USER_ARG = "the value is given by a build argument without a default"
    BUILD_TOOL = "the tool runs on the machine that builds"
    EMULATED = "the image has an emulator to run it"


_TRANSLATORS = frozenset(
    [
        "sed",
        "gsed",
        "tr",
        "awk",
        "gawk",
        "mawk",
        "jq",
        "yq",
        "grep",
        "egrep",
        "fgrep",
        "rg",
        "perl",
        "python",
        "python3",
    ]
)
_SPEAKERS = frozenset({"echo", "printf", ":", "LABEL"})
_FOREIGN = regex(
    r"windows(?!\.net\b)|darwin|macos|osx|android(?!/repository/|-ndk-[$\w{}]+-linux)|arm64-v8a|(?<!-linux-x86_64)\.exe\b|x64dbg|freebsd",
    re.IGNORECASE,
)
_TEXT_ONLY = frozenset({"LABEL", "MAINTAINER", "EXPOSE", "STOPSIGNAL"})
_ARCH_NAME = regex(r"amd64|x86|x64|intel|64bit")


def why_fine(
    facts: Facts,
    instruction: Instruction,
    span: Span,
    command: Command | None = None,
    *,
    fetched: bool = False,
) -> Suppressor | None:
    """Why the architecture written at `span` of `instruction` is right; None where nothing speaks for it.

    `command` is the command that holds it, where the caller knows it; else it is looked up in a RUN. `fetched`: it is in
    a URL that the command fetches, and no word that it looks for.
    """
    stage = facts.stage_of(instruction)
    if stage is not None and (found := stage.why_fine) is not None:
        return found
    if instruction.keyword in _TEXT_ONLY:
        return Suppressor.NOT_AN_ARCH
    if isinstance(instruction, Run):
        script = command.script if command else facts.shell(instruction)
        shell = command.shell if command else command_at(script, span)
        return _why_in_script(facts, instruction, script, shell, span, fetched)
    return _why_in_word(facts, instruction, span)


def why_stage_is_fine(stage: StageFacts) -> Suppressor | None:
    """Why a stage as a whole may be for one architecture: `StageFacts.why_fine`, which asks once."""
    if stage.distro.family is Family.WINDOWS:
        return Suppressor.NOT_AN_ARCH
    if stage.family_arch is not None or any(child.family_arch for child in stage.children):
        return Suppressor.PER_ARCH_FAMILY
    facts = stage.facts
    if stage.name and len(facts.once(_stages_alike).get(shape(stage.name), ())) > 1:
        return Suppressor.PER_ARCH_FAMILY
    if facts.named_arch == AMD64.arch and (facts.family or facts.folder_arch):
        return Suppressor.PER_ARCH_FAMILY
    if stage.targets and all(target.arch == "amd64" for target in stage.targets):
        return Suppressor.UNREACHABLE
    if stage.kind is PlatformKind.CONSTANT:
        if any(_ARCH_NAME.search(one.name or "") for one in stage.chain):
            return Suppressor.DELIBERATE
        if outputs_run_anywhere(stage):
            return Suppressor.ARCH_INDEPENDENT_OUTPUT
    return None


def _stages_alike(facts: Facts) -> Mapping[str, set[str]]:
    """The names of stages that name an architecture, by the name with that left open: `build-{A}`."""
    found: dict[str, set[str]] = {}
    for stage in facts.stages:
        if stage.name and (left := shape(stage.name)) != stage.name:
            found.setdefault(left, set()).add(stage.name)
    return found


def _why_in_script(
    facts: Facts, run: Run, script: Script, shell: ShellCommand | None, span: Span, fetched: bool
) -> Suppressor | None:
    if shell is not None and shell.only_on is not None:
        return Suppressor.GUARDED_BY_SELECTOR
    if any(assign.only_on is not None for assign in script.assigns_by_place.holding(span)):
        return Suppressor.GUARDED_BY_SELECTOR
    if any(True for _ in facts.compared.holding(span)):
        return Suppressor.GUARDED_BY_SELECTOR
    tested = script.tested_by_place
    if any(True for _ in tested.holding(span)) or any(True for _ in tested.within(span)):
        return Suppressor.GUARDED_BY_SELECTOR
    words = list(script.words_by_place.holding(span))
    scope = facts.scope(run)
    for word in words:
        for param in _params_of(word):
            if span in param.span and param.operator in (":-", "-", ":=", "="):
                return Suppressor.FALLBACK_OF_AUTOMATIC if _automatic(param.name, scope) else None
            if span in param.span and param.operator[:1] in ("/", "#", "%"):
                return Suppressor.TRANSLATION
    if shell is None:
        return _enumerated(arches_in(word.raw for word in words))
    if shell.name in _TRANSLATORS and not fetched and not _runs_module(shell):
        return Suppressor.TRANSLATION
    if shell.over:
        return Suppressor.ENUMERATES_ARCHES
    if shell.name in _SPEAKERS and not shell.redirects and not _piped(facts, shell):
        return Suppressor.NOT_AN_ARCH
    if any(_FOREIGN.search(word.raw) for word in words):
        return Suppressor.NOT_AN_ARCH
    stage = facts.stage_of(run)
    alike = _words_alike(stage, run.span.start) if stage and words else {}
    if any(len(alike.get(shape(word.raw.strip("\"'")), ())) > 1 for word in words):
        return Suppressor.ENUMERATES_ARCHES  # `... /opt/jdk-arm64 || ... /opt/jdk-amd64`
    if shell.name in TESTS and any(len(paths) > 1 for paths in alike.values()):
        return Suppressor.GUARDED_BY_SELECTOR  # `[ -d /opt/arm64 ] && ...`
    return _enumerated(shell.arches)


@lru_cache(maxsize=4)  # what a script names is asked for place by place
def _words_alike(stage: StageFacts, start: int) -> Mapping[str, set[str]]:
    """The paths that the RUN at `start` names for some architecture, by the text with the architecture left open."""
    run = stage.every_run[bisect_left(stage.every_run, start, key=lambda run: run.span.start)]
    found: dict[str, set[str]] = {}
    for command in stage.facts.shell(run).commands:
        for word in command.words:
            path = word.raw.strip("\"'")
            if "/" in path and "://" not in path and (left := shape(path)) != path:
                found.setdefault(left, set()).add(path)
    return found


def _automatic(name: str, scope: Scope) -> bool:
    return name in AUTOMATIC and name in scope


def _runs_module(shell: ShellCommand) -> bool:
    """Whether Python is given no text but one of its programs: `python -m pip`."""
    return shell.name.startswith("python") and shell.has("-m")


def _piped(facts: Facts, shell: ShellCommand) -> bool:
    after = facts.document.source[shell.span.end : shell.span.end + 200].lstrip(b" \t\\\r\n")
    return after.startswith(b"|") and not after.startswith(b"||")


def _enumerated(arches: Set[str]) -> Suppressor | None:
    """Whether amd64 and another architecture are named: `linux/amd64,linux/arm64`."""
    return Suppressor.ENUMERATES_ARCHES if "amd64" in arches and len(arches - {"386"}) > 1 else None


def command_at(script: Script, span: Span) -> ShellCommand | None:
    """The innermost command that holds a place."""
    return next(script.commands_by_place.holding(span), None)


def _params_of(word: ShellWord) -> Iterator[Param]:
    pending = list(word.parts)
    while pending:
        part = pending.pop()
        if isinstance(part, Param):
            yield part
            pending += part.operand
        elif isinstance(part, Substitution):
            pending += (
                inner for command in part.script.commands for one in command.words for inner in one.parts
            )


def _why_in_word(facts: Facts, instruction: Instruction, span: Span) -> Suppressor | None:
    scope = facts.scope(instruction)
    word = _dockerfile_word(instruction, span)
    if word is None:
        return None
    for variable, place in _variables(word, facts.escape):
        if span not in place:
            continue
        if variable.operator in (":-", "-"):
            known = variable.name in AUTOMATIC and (variable.name in scope or instruction.keyword == "FROM")
            return Suppressor.FALLBACK_OF_AUTOMATIC if known else None
        if variable.operator[:1] in ("/", "#", "%"):
            return Suppressor.TRANSLATION
        held = scope.get(variable.name)
        if (
            held is not None
            and held.declaration is not None
            and held.value.text is None
            and not held.value.names
        ):
            return Suppressor.USER_ARG
    if _FOREIGN.search(word.value):
        return Suppressor.NOT_AN_ARCH
    return _enumerated({found.arch for found in arch_words(word.value)})


def _dockerfile_word(instruction: Instruction, span: Span) -> Word | None:
    """The word of an instruction that holds a place: of a flag, the value of a variable, or any other."""
    words: Sequence[Word] = instruction.words
    if isinstance(instruction, Arg | Env):
        words = [one.value for one in instruction.declarations if one.value is not None]
    at = bisect_right(words, span.start, key=lambda word: word.span.start)
    flags = (flag.value for flag in instruction.flags if flag.value is not None)
    return next((word for word in (*flags, *words[max(0, at - 1) : at]) if span in word.span), None)


def _variables(word: Word, escape: str) -> Iterator[tuple[Variable, Span]]:
    try:
        parts = split_parts(word.value, escape)
    except BadWord:
        return
    for variable in variables(parts):
        at = decode(encode(word.verbatim)).find(word.value[variable.start : variable.end])
        if at >= 0:
            start = word.span.start + len(encode(word.verbatim[:at]))
            written = encode(word.value[variable.start : variable.end])
            yield variable, Span(start, start + len(written))


# What is taken from a stage

_NEUTRAL_FOLDERS = frozenset(
    [
        "dist",
        "build",
        "public",
        "static",
        "assets",
        "www",
        "site",
        "html",
        "resources",
        "docs",
        "migrations",
        "locale",
        "fonts",
        "images",
        "templates",
        "views",
        "storybook-static",
        "_site",
        ".next",
    ]
)
_NEUTRAL_FILES = regex(
    r"\.(?:m?js|css|html?|json|ya?ml|toml|md|txt|wasm|jar|war|ear|class|py|php|rb|erb|proto|pb|pb\.go|ts|tsx|svg|png"
    r"|jpe?g|gif|ico|ttf|woff2?|po|mo|xml|sql|csv|crt|pem|conf|cfg|ini|properties|whl|gpg|asc|sh)$|pb2?(?:_grpc)?\.py$"
)


def outputs_run_anywhere(stage: StageFacts) -> bool:
    """Whether everything that other stages take from a stage is of no architecture.

    False for a stage that is built upon, that is the last, or from which nothing is taken.
    """
    if stage.children or stage is stage.facts.final or not stage.copies_out:
        return False
    return all(
        copy.sources and all(runs_anywhere(source.value) for source in copy.sources)
        for copy in stage.copies_out
    )


def runs_anywhere(path: str) -> bool:
    """Whether a path names what has no architecture, as far as its name tells: `/app/dist`, `app.jar`."""
    parts = [part for part in path.strip("\"'").rstrip("/").split("/") if part not in ("", ".", "*")]
    if not parts:
        return False
    return parts[-1] in _NEUTRAL_FOLDERS or bool(_NEUTRAL_FILES.search(parts[-1]))


# Downloads


def why_download_is_fine(facts: Facts, download: Download) -> Suppressor | None:
    """Why a download that names one architecture is right, also because the file for another one is downloaded beside it."""
    fetched = download.kind == "python"
    for token in download.tokens:
        if token.span is not None:
            command = download.command if token.span in download.instruction.span else None
            holder = (
                token.piece.instruction if token.piece and token.piece.instruction else download.instruction
            )
            if (found := why_fine(facts, holder, token.span, command, fetched=fetched)) is not None:
                return found
    whole = why_fine(facts, download.instruction, download.word.span, download.command, fetched=fetched)
    if whole is not None:
        return whole
    if not download.tokens and download.varies:
        return Suppressor.USER_ARG
    return Suppressor.ENUMERATES_ARCHES if _has_sibling(facts, download) else None


def _has_sibling(facts: Facts, download: Download) -> bool:
    """Whether the stage fetches the same file for another architecture too."""
    if facts.once(_urls_alike)[download.stage.index, shape(download.url)] - {download.url}:
        return True
    match = download.match
    if match is None or all(token.text for token in download.tokens):
        return False
    # tini beside tini-arm64: the name of amd64's file says nothing
    return (download.stage.index, match.asset.tool) in facts.once(_tools_of_others)


def _urls_alike(facts: Facts) -> Mapping[tuple[int, str], set[str]]:
    """By number of a stage and shape of a URL (architectures left open), the URLs that it fetches."""
    found: dict[tuple[int, str], set[str]] = {}
    for download in facts.downloads:
        found.setdefault((download.stage.index, shape(download.url)), set()).add(download.url)
    return found


def _tools_of_others(facts: Facts) -> frozenset[tuple[int, str]]:
    """The tools that are fetched for another architecture than amd64, each with the number of the stage."""
    return frozenset(
        (one.stage.index, one.match.asset.tool)
        for one in facts.downloads
        if one.match is not None and arches_in((one.url,)) - {AMD64.arch}
    )


def shape(url: str) -> str:
    """A URL with its architectures left open."""
    pieces: list[str] = []
    at = 0
    for word in arch_words(url):
        pieces += (url[at : word.start], "{A}")
        at = word.end
    return "".join((*pieces, url[at:]))


def is_build_tool(download: Download) -> bool:
    """Whether the file runs on the machine that builds, so that BUILDARCH names its architecture."""
    return download.argument == "BUILDARCH"
