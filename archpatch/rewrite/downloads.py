"""Respelling a download: the architecture in its URL, and with it what hangs on the file's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from archpatch.facts import Download, Facts, PlatformKind, UrlToken
from archpatch.facts.checksums import reads_foreign_list
from archpatch.facts.jars import arm64_of_jar
from archpatch.facts.origins import Piece, piece_at, text_of, trace
from archpatch.facts.targets import choices, only_asked_for
from archpatch.platforms import AMD64, ARM64, Convention
from archpatch.rewrite import (
    arch_case,
    declare_arg,
    in_one_pair,
    in_place,
    is_nested,
    set_by_case,
    substitute,
    substitute_word,
)
from archpatch.rewrite.added import fetch_by_docker_name, fetch_under_one_name
from archpatch.rewrite.coupled import coupled, elsewhere, in_destination, is_guessed, words_of
from archpatch.rewrite.names import clusters
from archpatch.rewrite.others import others_of
from archpatch.rewrite.paths import declare_spelling, declare_variable
from archpatch.rewrite.stages import fetch_stages
from archpatch.rewrite.unnamed import unnamed_name
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Copy, Declaration, Document, Run, Word
from archpatch.text import Applicability, Edit, Fix, agree, encode, regex

Words = Mapping[str, str]
"""How each architecture (as in Platform.arch) is spelled at one place of a URL."""


def table_words(download: Download) -> tuple[Words, ...]:
    """The spellings that the table has for each place of a URL; empty where it has none."""
    if download.match is None:
        return ()
    words = download.match.asset.words
    places = max((token.place for token in download.tokens), default=-1) + 1
    return tuple({arch: spelled[place] for arch, spelled in words} for place in range(places))


_X86_WHEEL = regex(r"-manylinux(?:1|2010)_x86_64\.whl$")
# A folder that is called by the digest of the one file in it: MD5, SHA-256, what PyPI leaves of BLAKE2. Forty digits may
# be a commit, whose folder has the files of every architecture.
_OWN_FOLDER = regex(r"/(?:[0-9a-f]{32}|[0-9a-f]{60}|[0-9a-f]{64})/")


def guessed_words(download: Download) -> tuple[Words, ...] | None:
    """The spellings that the convention of the URL has; None where there is more than one that would fit.

    Counted in the table: beside `tool_Linux_x86_64` stands `arm64` (241 of 250, GoReleaser's names), beside any other
    `x86_64` mostly `aarch64` (297 of 352). A wheel's name has the kernel's word (the platform tag of PEP 425); the tags
    manylinux1 and manylinux2010 are for x86 alone (PEP 513, PEP 571). In a folder that is called by a file's digest lies no
    other file.
    """
    if _X86_WHEEL.search(download.file_name) or in_own_folder(download):
        return None
    found: dict[int, Words] = {}
    for token in download.tokens:
        before = "" if download.file_name.endswith(".whl") else download.url[: token.start]
        spelled = convention_of(token.text, before)
        if token.text == "x86_64" and download.file_name.endswith(".jar"):
            word = arm64_of_jar(download.url)
            spelled = {"amd64": token.text, "arm64": word} if word else None
        if spelled is None or found.setdefault(token.place, spelled) != spelled:
            return None
    return tuple(found[place] for place in sorted(found))


def in_own_folder(download: Download) -> bool:
    """Whether a file lies in a folder that is called by its digest, where no other one is."""
    return _OWN_FOLDER.search(download.url) is not None


def convention_of(text: str, before: str) -> Words | None:
    """The spellings that go with a word for amd64, by the text before it in a file's name; None where none is known."""
    if text == "x86_64" and before.endswith(("Linux_", "linux_")):
        return {"amd64": text, "arm64": "arm64"}
    convention = {"amd64": Convention.DOCKER, "x86_64": Convention.UNAME, "x64": Convention.NODE}.get(text)
    if convention is None:
        return None
    spelled = {arch: convention.spell(arch) for arch in ("amd64", "arm64", "ppc64le", "s390x", "riscv64")}
    return {arch: word for arch, word in spelled.items() if word}


class Respelling(Struct, frozen=True):
    """Edits that make a download follow the architecture. `across`: other instructions are changed or made too, a list
    of checksums from elsewhere has to know the file, or a name goes with it that has its version and nothing else."""

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

    None where no edit is known to be right: in the exec form, within `sh -c`, in a stage whose platform is fixed, under
    ONBUILD where anything else of the file names the architecture, where an instruction that cannot be changed too relies on the file's name.
    """
    found = _respell(document, facts, download, words)
    if found is None or not agree(found.edits):
        return None  # two instructions want one line declared, each in its own way
    loose = reads_foreign_list(download.stage, download.instruction) or is_guessed(facts, download)
    return replace(found, across=True) if download.instruction.onbuild or loose else found


def _respell(
    document: Document, facts: Facts, download: Download, words: Sequence[Words]
) -> Respelling | None:
    argument = download.argument
    run = isinstance(download.instruction, Run)
    if (
        argument is None
        or (download.instruction.onbuild and not _is_alone(document, download))
        or not download.tokens
        or not (download.command is None or download.command.script.readable)
        or (run and download.instruction.json)
    ):
        return None
    if _is_held(download) and len(words) == 1 and not _is_dockers(facts, words[0]):
        return _respell_held(document, facts, download, words[0])
    made = _by_expressions(document, facts, download, words, _expression)
    if made is not None and sum(b'case "' in edit.text for edit in made.edits) > 1:
        # A `case` for each RUN that goes by the file's name: one argument says the same for all of them.
        made = _by_expressions(document, facts, download, words, _variable) or made
    return made


_Choice = Callable[[Document, Facts, Download, Words, str], tuple[tuple[Edit, ...], str] | None]


def _by_expressions(
    document: Document, facts: Facts, download: Download, words: Sequence[Words], choose: _Choice
) -> Respelling | None:
    argument = download.argument
    edits: list[Edit] = []
    expressions: dict[int, str] = {}
    for place, spelled in enumerate(words):
        chosen = choose(document, facts, download, spelled, argument) if argument else None
        if chosen is None:
            return None if download.instruction.onbuild else _by_stages(document, facts, download, words)
        if not all(_before_stages(facts, token) for token in download.tokens if token.place == place):
            edits += chosen[0]
        expressions[place] = chosen[1]
    if argument is None or sum(map(set_by_case, expressions.values())) > 1:
        return None  # two variables of one `case`
    for token in download.tokens:
        made = _replaced(document, facts, token, expressions[token.place], argument, download)
        if made is None:
            return None
        edits += made
    others = elsewhere(
        document, facts, download, expressions, argument, words[0] if len(words) == 1 else None
    )
    beside = coupled(facts, download, expressions, others or ())
    goal = in_destination(document, facts, download, argument)
    ending = unnamed_name(facts, download, expressions)
    if beside is None or others is None or goal is None or ending is None:
        return None
    across = bool(others or goal) or any(_before_stages(facts, token) for token in download.tokens)
    every = tuple(dict.fromkeys((*edits, *beside, *others, *goal, *ending)))
    if download.command is not None:
        every = in_one_pair(download.command, words_of(download.command.script), every)
    return Respelling(every, across)


def respell_arms(facts: Facts, download: Download, words: Sequence[Words]) -> tuple[Edit, ...] | None:
    """The edits where the arms of a `case` set a word for each architecture, and it is not the publisher's.

    None where the words are set otherwise, or the download of another file uses them too.
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
            wanted = words[token.place].get(target.arch) if token.place < len(words) else None
            if (
                piece is None
                or span is None
                or wanted is None
                or piece.assign is None
                or piece.assign.only_on is None
            ):
                return None
            if any(_uses(other, piece) for other in facts.downloads if not _beside(other, download)):
                return None
            if span.of(facts.document.source) != encode(wanted):
                edits.append(Edit.replace(span, wanted))
    return tuple(dict.fromkeys(edits)) or None


def _beside(other: Download, download: Download) -> bool:
    """Whether it is the same file, or its checksum or signature: `tool-amd64.tgz.sha256`."""
    return other.url.startswith(download.url) or download.url.startswith(other.url)


def _uses(download: Download, piece: Piece) -> bool:
    return any(token.piece and token.piece.assign == piece.assign for token in download.tokens)


def _by_stages(
    document: Document, facts: Facts, download: Download, words: Sequence[Words]
) -> Respelling | None:
    if not isinstance(download.instruction, Copy):
        return None
    edits = None
    folder = download.url.partition("?")[0].rstrip("/").rfind("/")
    named = any(token.end > folder for token in download.tokens)  # else nothing hangs on the file's name
    if not named or not others_of(download.stage).naming(clusters(download)):
        plain = fetch_by_docker_name(document, facts, download, words[0]) if len(words) == 1 else None
        edits = plain or fetch_stages(document, facts, download, words)
    if edits is None and len(words) == 1:
        edits = fetch_under_one_name(document, facts, download, words[0])
    return Respelling(edits, True) if edits else None


def _expression(
    document: Document, facts: Facts, download: Download, words: Words, argument: str
) -> tuple[tuple[Edit, ...], str] | None:
    """What to write in place of the architecture, and the edits that make it work."""
    arches = [arch for arch in choices(facts) if arch in words]
    if _is_dockers(facts, words):
        return declare_arg(document, facts, download.instruction, argument), f"${{{argument}}}"
    if not isinstance(download.instruction, Run):
        return None
    native = download.stage.kind is PlatformKind.TARGET
    if native and all(words[arch] == Convention.UNAME.spell(arch) for arch in arches):
        return (), "$(uname -m)"
    return arch_case(document, facts, download.instruction, words, (download.span,), argument=argument)


def _variable(
    document: Document, facts: Facts, download: Download, words: Words, argument: str
) -> tuple[tuple[Edit, ...], str] | None:
    """The same for all instructions of a stage."""
    amd64, arm64 = words.get(AMD64.arch), words.get(ARM64.arch)
    if not amd64 or not arm64 or argument != "TARGETARCH":
        return None
    if not only_asked_for(facts, AMD64.arch, ARM64.arch):
        return None
    return declare_variable(document, facts, download.instruction, amd64, arm64)


def _is_alone(document: Document, download: Download) -> bool:
    """Whether a RUN names the architecture of its file, and nothing outside of it does."""
    own = download.instruction.span
    texts = {encode(token.text) for token in download.tokens}
    inside = own.of(document.source)
    return (
        isinstance(download.instruction, Run)
        and all(token.span is not None and token.span in own for token in download.tokens)
        and all(text and document.source.count(text) == inside.count(text) for text in texts)
    )


def _is_dockers(facts: Facts, words: Words) -> bool:
    return all(words[arch] == Convention.DOCKER.spell(arch) for arch in choices(facts) if arch in words)


def _is_held(download: Download) -> bool:
    """Whether a RUN or ADD fetches what an ENV or ARG names: the architecture stands where no shell is."""
    return all(
        token.span is not None and token.piece is not None and token.piece.declaration is not None
        for token in download.tokens
    )


def _respell_held(document: Document, facts: Facts, download: Download, words: Words) -> Respelling | None:
    """The edits in the ENV or ARG, and wherever else the file's name stands; None where one place cannot follow, as a RUN
    with words that are not the kernel's: a shell would have to spell them."""
    amd64, arm64 = words.get(AMD64.arch), words.get(ARM64.arch)
    if not amd64 or not arm64 or download.argument != "TARGETARCH":
        return None
    if not only_asked_for(facts, AMD64.arch, ARM64.arch):
        return None
    edits: list[Edit] = []
    for token in download.tokens:
        piece = token.piece
        if piece is None or token.span is None or not isinstance(piece.holder, Word):
            return None
        if piece.instruction is None or facts.stage_of(piece.instruction) is None:
            return None
        chosen = declare_spelling(document, facts, piece.instruction, amd64, arm64)
        edit = substitute_word(piece.holder, token.span, chosen[1]) if chosen else None
        if chosen is None or edit is None:
            return None
        edits += (*chosen[0], edit)
    kernels = (amd64, arm64) == tuple(map(Convention.UNAME.spell, (AMD64.arch, ARM64.arch)))
    uname = "$(uname -m)" if kernels and download.stage.kind is PlatformKind.TARGET else ""
    expressions = {token.place: uname for token in download.tokens}
    others = elsewhere(document, facts, download, expressions, "TARGETARCH", words if uname else None)
    beside = coupled(facts, download, expressions, others or ())
    if others is None or beside is None or ((others or beside) and not uname):
        return None
    return Respelling(tuple(dict.fromkeys((*edits, *others, *beside))), True)


def _replaced(
    document: Document,
    facts: Facts,
    token: UrlToken,
    expression: str,
    argument: str,
    download: Download,
) -> tuple[Edit, ...] | None:
    """The edits at the place of a token: in the URL, or in the assignment or ENV that holds it."""
    piece, command = token.piece, download.command
    if piece is None or piece.instruction is None:
        return None
    if piece.assign is not None and piece.assign.only_on is not None:
        return None  # one arm of several: what the others set would stay
    span = token.span
    if span is None:  # `$ARCH` or `$(uname -m)` in the URL, spelled as nobody publishes
        span = piece.use or piece.source
        if span is None or piece.text != token.text:
            return None
        holder = download.word if span == piece.use else piece.holder
        return (in_place(holder, span, expression, command),)
    if isinstance(piece.holder, ShellWord):
        edit = substitute(piece.holder, span, expression, command)
        nested = command is not None and is_nested(command.script, span)
        # Within `sh -c '...'` quotes cannot be closed and opened again.
        return None if edit is None or (nested and b"'" in edit.text) else (edit,)
    if not isinstance(piece.holder, Word) or expression != f"${{{argument}}}":
        return None
    edit = substitute_word(piece.holder, span, expression)
    if edit is None:
        return None
    if _before_stages(facts, token):  # there an automatic argument needs no ARG
        return (edit,) if _takes_alone(facts, download, piece.declaration) else None
    return (*declare_arg(document, facts, piece.instruction, argument), edit)


def _before_stages(facts: Facts, token: UrlToken) -> bool:
    """Whether an architecture is written in an ARG before the first FROM."""
    piece = token.piece
    if piece is None or piece.declaration is None or piece.instruction is None:
        return False
    return facts.stage_of(piece.instruction) is None


def _takes_alone(facts: Facts, download: Download, declaration: Declaration | None) -> bool:
    """Whether nothing but the instruction of a download uses a value."""
    uses = facts.uses(declaration.name.value) if declaration else ()
    return all(use.instruction is download.instruction for use in uses)
