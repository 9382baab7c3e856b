"""A stage for each architecture, for what has no shell that could choose: ADD of a URL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from archpatch.facts import Download, Facts, PlatformKind, VariableKind
from archpatch.facts.targets import choices
from archpatch.rewrite import attached_start
from archpatch.syntax.tree import Copy, Document, Word
from archpatch.syntax.words import BadWord, names
from archpatch.text import Edit, Span, decode, encode, regex


def fetch_stages(
    document: Document, facts: Facts, download: Download, words: Sequence[Mapping[str, str]]
) -> tuple[Edit, ...] | None:
    """Fetch a file in a stage for each architecture, and copy it from the one that is built.

    The file gets the mode and the owner that ADD gives it. None where that cannot be written down: several sources,
    a folder as destination (the file's name may differ), stages that are named by number, variables that only the
    stage itself knows.
    """
    instruction, word = download.instruction, download.word
    destination = instruction.destination if isinstance(instruction, Copy) else None
    if not isinstance(instruction, Copy) or not isinstance(word, Word) or destination is None:
        return None
    if len(instruction.sources) != 1 or instruction.json or download.digests or word.value != word.verbatim:
        return None
    if may_be_folder(document, destination) or "$" in destination.value or facts.once(counts_stages):
        return None
    if download.stage.kind is not PlatformKind.TARGET:
        return None
    declared = _declarations(document, facts, download, word)
    arches = choices(facts)
    urls = {arch: _url(download, word, words, arch) for arch in arches}
    if declared is None or not all(urls.values()):
        return None
    base = _free_name(document)
    newline = decode(document.newline)
    stages = [[f"FROM scratch AS {base}-{arch}", *declared, f"ADD {url} /file"] for arch, url in urls.items()]
    blocks = [*stages, [f"FROM {base}-${{TARGETARCH}} AS {base}"]]
    text = "".join(newline.join(block) + newline * 2 for block in blocks)
    flags = "".join(decode(flag.span.of(document.source)) + " " for flag in instruction.flags)
    start = instruction.keyword_span.start
    return (
        Edit.insert(attached_start(document, download.stage.head), text),
        Edit.replace(Span(start, word.span.end), f"COPY --from={base} {flags}/file"),
    )


_FOLDERS = frozenset(
    {
        "tmp",
        "opt",
        "bin",
        "sbin",
        "lib",
        "local",
        "share",
        "src",
        "usr",
        "var",
        "etc",
        "root",
        "home",
        "srv",
        "app",
    }
)


def may_be_folder(document: Document, destination: Word) -> bool:
    """Whether ADD may put the file into this folder, under the name that the URL has."""
    path = destination.value
    if path.endswith(("/", ".")) or path.rpartition("/")[2] in _FOLDERS:
        return True
    return mentioned(document, f"{path}/")


_URLS = regex(rb"\b(?:https?|ftp)://\S+")


def mentioned(document: Document, path: str, whole: bool = False) -> bool:
    """Whether a path, or one that begins so, stands in the file, URLs left out; `whole`: the path itself."""
    end = rb"(?![\w.-])" if whole else b""
    text = _URLS.sub(b"", document.source)
    return re.search(rb"(?<![\w.-])" + re.escape(encode(path)) + end, text) is not None


def _url(download: Download, word: Word, words: Sequence[Mapping[str, str]], arch: str) -> str | None:
    """The URL for one architecture, its other variables as written."""
    text = encode(word.verbatim)
    for token in sorted(download.tokens, key=lambda token: token.start, reverse=True):
        span = (
            token.piece.source if token.span is None and token.piece else token.span
        )  # empty spans are false
        spelled = words[token.place].get(arch)
        if span is None or spelled is None or span not in word.span:
            return None
        start, end = span.start - word.span.start, span.end - word.span.start
        text = text[:start] + encode(spelled) + text[end:]
    return decode(text)


def _declarations(document: Document, facts: Facts, download: Download, word: Word) -> list[str] | None:
    """The lines that make the URL's variables known to another stage; None where one cannot be made known."""
    computed = {name for token in download.tokens if token.piece for name in token.piece.names}
    try:
        used = sorted(names(word.value, document.escape) - computed)
    except BadWord:
        return None
    scope = facts.scope(download.instruction)
    lines = []
    for name in used:
        found = scope.get(name)
        if found is None or found.declaration is None or found.inherited or found.kind is VariableKind.GLOBAL:
            return None
        value = found.declaration.value
        if value is not None and "$" in value.value:
            return None
        keyword = "ENV" if found.kind is VariableKind.ENV else "ARG"
        lines.append(f"{keyword} {name}" if value is None else f"{keyword} {name}={value.verbatim}")
    return lines


def counts_stages(facts: Facts) -> bool:
    """Whether a stage is named by its number somewhere: a new stage would shift it. To be asked with `Facts.once`."""
    copies = (step for step in facts.document.instructions if isinstance(step, Copy))
    return any(copy.source_stage.value.isdecimal() for copy in copies if copy.source_stage)


def _free_name(document: Document) -> str:
    taken = {stage.name for stage in document.stages}
    return next(name for name in _candidates() if not any(one and one.startswith(name) for one in taken))


def _candidates() -> Iterator[str]:
    yield "fetch"
    number = 2
    while True:
        yield f"fetch{number}"
        number += 1
