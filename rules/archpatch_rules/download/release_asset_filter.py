"""AP412."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, PlatformKind, StageFacts
from archpatch.facts.suppressors import Suppressor, why_fine
from archpatch.platforms import ArchWord, arch_words
from archpatch.rewrite import arch_case, declare_arg, substitute
from archpatch.rewrite.downloads import Words, convention_of
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, regex

_FILTERS = frozenset({"grep", "egrep", "fgrep", "rg", "jq", "awk", "gawk", "sed"})
_FAR = 1 << 13  # bytes of one pipe
_FETCHERS = frozenset({"curl", "wget", "wget2", "http"})
_REPOSITORY = regex(r"github\.com/(?:repos/)?([\w.-]+/[\w.-]+)/releases")


class ReleaseAssetFilter(Rule):
    """The files of a release are asked for, and the one for amd64 is picked from the answer on every platform.

    Nothing fails where the image is built; on arm64 the file cannot be executed.

    It is fine in a branch that asks for the architecture, and where the filter names the others too.

    The fix puts `${TARGETARCH}` in place of `amd64`, and `$(uname -m)` in place of `x86_64`; beside `Linux_x86_64` the
    file for arm64 is mostly `Linux_arm64`, which a `case` chooses. Where the tables know files of that repository, theirs
    is the word for arm64. It is unsafe: what the release calls that file is not known for sure.
    """

    code, name, severity = "AP412", "release-asset-filter", Severity.WARNING
    hints = ("/releases", "release download")
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSL https://api.github.com/repos/o/r/releases/latest | grep download_url | grep linux-amd64 "
            "| cut -d '\"' -f 4 | wget -qi -\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSL https://api.github.com/repos/o/r/releases/latest | grep download_url | grep linux-${TARGETARCH} "
            "| cut -d '\"' -f 4 | wget -qi -\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\n"
            "RUN URL=$(curl -fsSL https://api.github.com/repos/o/r/releases/latest "
            "| jq -r '.assets[].browser_download_url | select(contains(\"x86_64\"))') && curl -fsSLO $URL\n",
            "FROM debian\n"
            "RUN URL=$(curl -fsSL https://api.github.com/repos/o/r/releases/latest "
            '| jq -r ".assets[].browser_download_url | select(contains(\\"$(uname -m)\\"))") && curl -fsSLO $URL\n',
            applicability="unsafe",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -fsSL https://api.github.com/repos/o/r/releases/latest | grep -o 'https.*Linux_x86_64.tar.gz' | xargs curl -fsSLO\n",
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            '    esac && \\\n    curl -fsSL https://api.github.com/repos/o/r/releases/latest | grep -o "https.*Linux_${_arch}.tar.gz" '
            "| xargs curl -fsSLO\n",
            applicability="unsafe",
            title="GoReleaser's names",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -fsSL https://api.github.com/repos/cdr/code-server/releases/latest | grep -o 'https.*-linux-x86_64.tar.gz' "
            "| xargs curl -fsSLO\n",
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    curl -fsSL https://api.github.com/repos/cdr/code-server/releases/latest "
            '| grep -o "https.*-linux-${_arch}.tar.gz" | xargs curl -fsSLO\n',
            applicability="unsafe",
            title="The publisher's word for arm64",
        ),
        Example(
            "FROM debian\nRUN gh release download v1 -R o/r -p '*_linux64.tar.gz'\n",
            "FROM debian\nRUN gh release download v1 -R o/r -p '*_linux64.tar.gz'\n",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -fsSL https://api.github.com/repos/o/r/releases/latest | grep -E 'amd64|arm64' > /assets\n",
        ),
        Example(
            "FROM debian\nRUN ls | grep amd64; curl -fsSLO https://example.com/releases/x\n",
            title="Not in one pipe",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each filter."""
        for command in facts.commands_with(*self.hints):
            if command.stage.kind is PlatformKind.CONSTANT or command.shell.only_on is not None:
                continue
            if not _picks(document, command):
                continue
            for word, span, found in _arches(command):
                why = why_fine(facts, command.run, span, command)
                if why in (None, Suppressor.TRANSLATION):
                    yield self.finding(
                        span,
                        f"The file for amd64 ({found.text}) is picked on every platform.",
                        _fix(document, facts, command, word, span, found),
                    )


def _picks(document: Document, command: Command) -> bool:
    """Whether a command chooses among the files of a release."""
    shell = command.shell
    if shell.name == "gh":
        return [word.literal for word in shell.arguments[:2]] == ["release", "download"]
    if shell.name not in _FILTERS:
        return False
    source, end = document.source, shell.span.start
    # Nothing but pipes may part the two.
    start = max(command.run.span.start, end - _FAR)
    first = max(start, *(source.rfind(mark, start, end) for mark in (b"||", b";", b"&&")))
    return any(
        other.name in _FETCHERS
        and any("/releases" in word.raw for word in other.arguments)
        and source[other.span.end : end].lstrip(b" \\\t\r\n").startswith(b"|")
        for other in command.script.commands_by_place.within(Span(first, end))
    )


def _arches(command: Command) -> Iterator[tuple[ShellWord, Span, ArchWord]]:
    for word in command.shell.arguments:
        words = arch_words(word.raw)
        if len({found.arch for found in words}) != 1:
            continue
        span = word.find(words[0].text)
        if span is not None and words[0].arch == "amd64":
            yield word, span, words[0]


def _fix(
    document: Document, facts: Facts, command: Command, word: ShellWord, span: Span, found: ArchWord
) -> Fix | None:
    if command.stage.kind is not PlatformKind.TARGET or command.run.json or not command.script.readable:
        return None
    chosen = _chosen(document, facts, command, word, span, found)
    edit = substitute(word, span, chosen[1], command) if chosen else None
    if chosen is None or edit is None:
        return None
    edits = (*chosen[0], edit)
    return Fix("Pick the file for the architecture that is built", edits, Applicability.UNSAFE)


def _published(facts: Facts, command: Command, text: str) -> Words | None:
    """The spellings that the tables have for files of the repository whose release is asked for.

    Where none of its files says `text` for amd64, what all of them say for arm64.
    """
    told = command.shell.option("-R", "--repo") if command.shell.name == "gh" else None
    named = facts.once(_repositories, command.stage).get(command.run.span.start, set())
    repositories = named if told is None else {told.raw}
    if len(repositories) != 1:
        return None
    pairs = {(before, after) for before, after in facts.tables.spellings(next(iter(repositories))) if before}
    arm64 = {after for before, after in pairs if before == text} or {after for _, after in pairs}
    return {"amd64": text, "arm64": arm64.pop()} if len(arm64) == 1 else None


def _chosen(
    document: Document, facts: Facts, command: Command, word: ShellWord, span: Span, found: ArchWord
) -> tuple[tuple[Edit, ...], str] | None:
    """What to write in place of the architecture, and the edits that make it work."""
    words = _published(facts, command, found.text) or convention_of(found.text, word.raw[: found.start])
    if words is None:
        return None
    pair = (found.text, words["arm64"])
    if pair == ("amd64", "arm64"):
        return declare_arg(document, facts, command.run, "TARGETARCH"), "${TARGETARCH}"
    if pair == ("x86_64", "aarch64"):
        return (), "$(uname -m)"
    return arch_case(document, facts, command.run, words, (span,))


def _repositories(facts: Facts, stage: StageFacts) -> dict[int, set[str]]:
    """By place of a RUN, the repositories that its commands ask for."""
    found: dict[int, set[str]] = {}
    for command in stage.commands_with("/releases", later=True):
        if command.shell.name in _FETCHERS:
            for match in (_REPOSITORY.search(word.raw) for word in command.shell.arguments):
                if match:
                    found.setdefault(command.run.span.start, set()).add(match[1])
    return found
