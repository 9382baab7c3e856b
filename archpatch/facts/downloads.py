"""Downloads: what a Dockerfile fetches by URL, where its architecture is written, and what hangs on the file name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.assets import UNKNOWN, Match
from archpatch.facts.arch_values import arch_value
from archpatch.facts.checksums import Digest, digests_of, digests_of_added
from archpatch.facts.graph import PlatformKind
from archpatch.facts.looped import each_item
from archpatch.facts.managers import words_of
from archpatch.facts.origins import Piece, piece_at, text_of, trace, trace_word
from archpatch.facts.python_fetches import python_fetches
from archpatch.facts.shells import Command
from archpatch.platforms import AMD64, Platform, arch_of, arch_words
from archpatch.syntax.shell import Param, Script, ShellCommand, ShellWord
from archpatch.syntax.tree import Copy, Run, Word
from archpatch.text import Span, holds, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts

FETCHERS = frozenset({"curl", "wget", "wget2", "aria2c", "fetch", "axel", "ADD"})
"""Commands (and ADD) that do nothing but fetch."""

INSTALLERS = words_of("pip pip3 uv npm yarn pnpm go cargo gem rpm yum dnf microdnf tdnf zypper apt apt-get")
"""Package managers that also take a URL."""

# Commands whose URLs are no files to fetch: text, pages, repositories, registries.
_OTHERS = frozenset(
    [
        "echo",
        "printf",
        "git",
        "sed",
        "awk",
        "grep",
        "egrep",
        "cat",
        "tee",
        "test",
        "[",
        "[[",
        "export",
        "set",
        "svn",
        "hg",
        "apt-key",
        "add-apt-repository",
        "rpmkeys",
        "yum-config-manager",
        "dnf-config-manager",
        "docker",
        "podman",
        "helm",
        "kubectl",
        "terraform",
        "poetry",
        "conda",
        "mamba",
        "bundle",
        "composer",
        "mvn",
        "gradle",
        "sbt",
        "php",
        "ruby",
        "sh",
        "bash",
        "ash",
        "env",
        "ssh",
        "rsync",
        "R",
        "Rscript",
        "julia",
        "cpan",
        "cpanm",
        "luarocks",
        "npx",
    ]
)

_URL = regex(r"(?:https?|ftp|gs|s3)://[^/\s]+/\S")
# Files of another system, or for every architecture: no word in their URL is one of Linux.
_FOREIGN = regex(
    r"windows(?!\.net\b)|darwin|macos|osx|mingw|cygwin|android-|(?<![a-z])win(?:32|64|-)"
    r"|(?<!-linux-x86_64)\.(?:exe|msi|dmg|pkg|apk\.idsig)(?:$|\?)",
    re.IGNORECASE,
)
_TOOLCHAIN = regex(r"(?:x86_64|amd64)[-_](?:arm|aarch64|riscv\d*)-(?:linux|none|unknown|eabi|elf)")
_ANY = regex(
    r"noarch|_all\.deb|-any\.whl|\.(?:gpg|key|repo|list|pem|crt|patch|diff|html?|md|ya?ml|json)(?:$|\?)",
    re.IGNORECASE,
)


class UrlToken(Struct, frozen=True):
    """An architecture spelled in a URL. `start` and `end` count characters of the URL on amd64.

    `text` is what stands there on amd64; `span` its bytes where it is written out, None where it is computed.
    `piece` is the part of the value that holds it, None where it lies across parts. `place`: 0 is {A} of the
    table's template, 1 is {B}; without a row of the table, words that differ are numbered.
    """

    text: str
    start: int
    end: int
    span: Span | None
    piece: Piece | None
    place: int = 0


class Download(Struct, frozen=True):
    """A file that is fetched. `url` is what amd64 fetches, UNKNOWN for what nobody knows.

    `kind` is the command's name, or "ADD". `word` is the argument that gives the URL, `pieces` what it is put
    together of. `tokens` are the architectures in the URL that amd64 asks for; none for a file that has none or
    is of another system. `match` is what the table says. `urls` are the URLs of the other targets where they differ.
    `output` is the local name as far as known, `explicit` whether the command names it. `digests` are literal
    checksums that the file is held against.
    """

    kind: str
    instruction: Run | Copy
    stage: StageFacts
    command: Command | None
    word: ShellWord | Word
    pieces: tuple[Piece, ...]
    url: str
    tokens: tuple[UrlToken, ...]
    match: Match | None
    urls: tuple[tuple[Platform, str], ...]
    output: str | None
    explicit: bool
    digests: tuple[Digest, ...]

    @property
    def only_on(self) -> frozenset[str] | None:
        """The architectures whose arm of a `case` or `if` it stands in; None: everywhere."""
        return self.command.shell.only_on if self.command else None

    @property
    def varies(self) -> bool:
        """Whether some target fetches another file than amd64."""
        return bool(self.urls)

    def url_for(self, arch: str) -> str | None:
        """The URL of the file for another architecture that is built; None where that is not known for sure."""
        told = next((url for target, url in self.urls if target.arch == arch), None)
        words = self.match.asset.spell(arch) if self.match and self.match.exact else None
        if told is None and words is not None and self.tokens and self.match and self.match.published(arch):
            told = self.url
            for token in sorted(self.tokens, key=lambda token: -token.start):
                told = told[: token.start] + words[token.place] + told[token.end :]
        return None if told is None or UNKNOWN in told else told

    @property
    def file_name(self) -> str:
        """The last part of the URL's path."""
        return self.url.partition("?")[0].partition("#")[0].rstrip("/").rsplit("/", 1)[-1]

    @property
    def span(self) -> Span:
        """What a finding points at: the architecture where it is written out, else the URL."""
        for token in self.tokens:
            if token.span is not None and len(token.span):
                return token.span
        return self.word.span

    @property
    def hard_coded(self) -> bool:
        """Whether every target fetches what amd64 fetches, by an architecture that this instruction writes out.

        One that stands in an ARG or ENV as its whole value is that declaration's matter.
        """
        return bool(self.tokens) and not self.varies and all(self._own(token) for token in self.tokens)

    def _own(self, token: UrlToken) -> bool:
        if token.span is None:  # `linux${BITS}`, put together of what is written
            return token.piece is None and all(piece.span is not None for piece in self.pieces)
        declaration = token.piece.declaration if token.piece else None
        if declaration is None or declaration.value is None:
            return True
        return declaration.value.value.strip("\"'") != token.text and arch_value(declaration) is None

    @property
    def fails_loudly(self) -> bool:
        """Whether a missing file stops the fetch: curl saves the error page unless told otherwise."""
        if self.kind != "curl" or self.command is None:
            return True
        return self.command.shell.has("-f", "--fail", "--fail-with-body") or any(
            "fail" in word.raw for word in self.command.shell.arguments if word.raw.startswith("--")
        )

    @property
    def argument(self) -> str | None:
        """The automatic argument that names the machine which runs the file (N10): TARGETARCH, or BUILDARCH for a
        tool that a build-platform stage runs itself; None where it is both, where the platform is fixed, or where the
        image itself is built on that platform: what is in it has to wait until it no longer is."""
        if self.stage.kind is PlatformKind.TARGET:
            return "TARGETARCH"
        final = self.stage.facts.final
        if self.stage.kind is not PlatformKind.BUILD or (final is not None and self.stage in final.chain):
            return None
        copied, used = self._copied_out(), self._used_later()
        if copied and used:
            return None
        return "TARGETARCH" if copied else "BUILDARCH"

    def _names(self) -> set[str]:
        tool = self.match.asset.tool if self.match else ""
        output = (self.output or "").rsplit("/", 1)[-1]
        return {name for name in (tool, output) if len(name) > 1 and UNKNOWN not in name}

    def _copied_out(self) -> bool:
        sources = [word.value for copy in self.stage.copies_out for word in copy.sources]
        return any(source.rstrip("/").endswith(name) for source in sources for name in self._names())

    def _used_later(self) -> bool:
        return any(
            command.shell.name in self._names()
            for command in self.stage.commands
            if command.shell.span.start > self.word.span.start
        )


def find_downloads(facts: Facts) -> Iterator[Download]:
    """Every download of a file, in its order. Stages on Windows are left out."""
    for stage in facts.stages:
        for instruction in stage.body:
            if isinstance(instruction, Copy) and instruction.keyword == "ADD":
                yield from _added(facts, stage, instruction)
        for run in stage.every_run:
            if _may_fetch(facts, run):
                yield from _fetched(facts, stage, run)


def _is_url(text: str) -> bool:
    """Whether it is one that somebody serves: none is longer or names more architectures than these."""
    return len(text) < 2048 and _URL.match(text) is not None and sum(1 for _ in arch_words(text)) < 16


def _may_fetch(facts: Facts, run: Run) -> bool:
    body = run.span.of(facts.document.source)
    return holds(body, (b"://",)) or (holds(body, (b"$",)) and holds(body, (b"curl", b"wget", b"aria2c")))


def _added(facts: Facts, stage: StageFacts, instruction: Copy) -> Iterator[Download]:
    for word in instruction.sources:
        pieces = trace_word(facts, instruction, word, AMD64)
        if not _is_url(text_of(pieces)):
            continue
        urls = {target: text_of(trace_word(facts, instruction, word, target)) for target in facts.targets}
        output = instruction.destination.value if instruction.destination else None
        yield _download(facts, "ADD", instruction, stage, None, word, pieces, urls, (output, True))


def _fetched(facts: Facts, stage: StageFacts, run: Run) -> Iterator[Download]:
    script = facts.shell(run)
    for shell in script.commands:
        name = shell.name
        if name.startswith("python"):
            command = Command(shell, run, stage, script)
            for at, pieces, urls in python_fetches(facts, command):
                yield _download(facts, "python", run, stage, command, at, pieces, urls, (None, True))
        words = _url_words(shell)
        if not words or name in _OTHERS:
            continue
        command = Command(shell, run, stage, script)
        for word in words:
            for pieces, urls in each_item(facts, command, word) if name in FETCHERS else ():
                if _is_url(url := text_of(pieces)):
                    yield _download(
                        facts, name, run, stage, command, word, pieces, urls, _output(command, url)
                    )
            pieces = trace(facts, command, word, AMD64)
            url = text_of(pieces)
            if not _is_url(url) or (name not in FETCHERS | INSTALLERS and not _is_file(pieces)):
                continue
            constant = all(piece.span is not None for piece in pieces) and not _shell_sets(script, word)
            urls = {
                target: url if constant else text_of(trace(facts, command, word, target))
                for target in facts.targets
            }
            yield _download(facts, name, run, stage, command, word, pieces, urls, _output(command, url))


def _shell_sets(script: Script, word: ShellWord) -> bool:
    """Whether a variable of a word is one that the script itself sets, maybe in a branch."""
    names = [part.name for part in word.parts if isinstance(part, Param)]
    return bool(names) and any(assign.name in names for assign in script.assigns)


def _url_words(shell: ShellCommand) -> list[ShellWord]:
    """The arguments that may be URLs; `--url=https://...` counts. A variable does for commands that fetch alone."""
    found = []
    fetches: bool | None = None
    for word in shell.words:
        raw = word.raw
        if "://" in raw[:40] and raw.lstrip("\"'").startswith(("http", "ftp", "gs:", "s3:")):
            found.append(word)
        elif raw.lstrip("\"'")[:1] == "$" and raw != "$@":
            if fetches is None:
                fetches = shell.name in FETCHERS
            if fetches:
                found.append(word)
        elif (
            raw.startswith("--url=")
            and shell.name == "curl"
            and (option := shell.option("--url")) is not None
        ):
            found.append(option)
    return found


def _is_file(pieces: Sequence[Piece]) -> bool:
    """Whether a URL that goes to a script or function of the file's own looks like a file to fetch."""
    url = text_of(pieces)
    return not url.endswith("/") and bool(arch_words(url))


def _output(command: Command, url: str) -> tuple[str | None, bool]:
    """The local name of a fetched file, and whether the command names it."""
    shell = command.shell
    if shell.name in ("wget", "wget2"):
        named = shell.option("-O", "--output-document")
    elif shell.name in ("curl", "aria2c", "fetch", "axel"):
        named = shell.option("-o", "--output", "--out")
    else:
        return None, False
    if named is None:
        named = next(
            (r.target for r in shell.redirects if r.operator in (">", ">|") and r.fd in (None, 1)), None
        )
    if named is not None:
        return (None, True) if named.raw == "-" else (named.literal, True)
    if shell.name == "curl" and not shell.has("-O", "--remote-name", "-J", "--remote-name-all"):
        return None, True  # to standard output
    return url.partition("?")[0].rsplit("/", 1)[-1], False


def _download(
    facts: Facts,
    kind: str,
    instruction: Run | Copy,
    stage: StageFacts,
    command: Command | None,
    word: ShellWord | Word,
    pieces: tuple[Piece, ...],
    urls: dict[Platform, str],
    output: tuple[str | None, bool],
) -> Download:
    url = text_of(pieces)
    match = facts.tables.asset(url)
    others = tuple((target, text) for target, text in urls.items() if text != url and target != AMD64)
    tokens = tuple(_tokens(url, pieces, match))
    digests: tuple[Digest, ...] = ()
    if tokens or others:
        if command is not None:
            digests = digests_of(facts, command, url, output[0])
        elif isinstance(instruction, Copy):
            digests = digests_of_added(facts, stage, instruction, url)
    return Download(
        kind, instruction, stage, command, word, pieces, url, tokens, match, others, *output, digests
    )


def _tokens(url: str, pieces: Sequence[Piece], match: Match | None) -> Iterator[UrlToken]:
    if match is not None:
        places = [(token.start, token.end, token.place) for token in match.tokens]
        if any(_arch(match, url[start:end], place) != "amd64" for start, end, place in places):
            return  # written for another architecture, on purpose
    elif _FOREIGN.search(url) or _ANY.search(url.rsplit("/", 1)[-1]):
        return
    else:
        path = url.find("/", url.find("://") + 3)
        words = [word for word in arch_words(url) if word.start > path]
        if _TOOLCHAIN.search(url):  # the architecture of the machine it runs on comes first
            words = words[:1]
        if any(word.arch != "amd64" for word in words):  # an asset of another machine, or one for many
            return
        texts = list(dict.fromkeys(word.text for word in words))
        places = [(word.start, word.end, texts.index(word.text)) for word in words]
    for start, end, place in places:
        found = piece_at(pieces, start, end)
        piece, span = found if found else (None, None)
        yield UrlToken(url[start:end], start, end, span, piece, place)


def _arch(match: Match, text: str, place: int) -> str | None:
    return match.asset.arch_of(place, text) or arch_of(text)
