"""The fix of a package that is a file, at a URL or in the build, for Debian's and rpm's package managers alike."""

from __future__ import annotations

from collections.abc import Mapping

from archpatch.facts import Download, Facts, Install, Package, StageFacts
from archpatch.facts.targets import others
from archpatch.rewrite.downloads import guessed_words, respell, table_words
from archpatch.rewrite.paths import MOST_EDITS, name_edits
from archpatch.syntax.tree import Copy, Document
from archpatch.text import Applicability, Fix, Span, encode


def fetched_fix(document: Document, facts: Facts, package: Package) -> Fix | None:
    """Take the file of the architecture that is built; None where its name is not known, or the package is no URL."""
    download = facts.once(_by_word).get(package.word.span)
    words = (table_words(download) or guessed_words(download)) if download else None
    respelled = respell(document, facts, download, words) if download and words else None
    if respelled is None or download is None:
        return None
    match = download.match
    known = match is not None and all(match.published(arch) is True for arch in others(facts))
    return respelled.fix("Install the file for the architecture that is built", known)


def _by_word(facts: Facts) -> Mapping[Span, Download]:
    """The downloads by the words that give their URLs, of each the first."""
    return {one.word.span: one for one in reversed(facts.downloads)}


def held_fix(facts: Facts, install: Install, package: Package, word: str) -> Fix | None:
    """Let the name of a file that is there already follow the architecture wherever it is used; `word` is what it says.

    None where something else names the file, as a COPY, where it may come out of an archive, where one place cannot be
    changed, and in a file of more packages than anyone writes by hand: each would be looked for in all of it.
    """
    return facts.once(_held_fix, install.command.stage, package.name.rsplit("/", 1)[-1], word)


def _held_fix(facts: Facts, stage: StageFacts, name: str, word: str) -> Fix | None:
    if not facts.once(_few_files) or not facts.once(_is_brought, stage):
        return None
    edits = name_edits(facts.document, facts, (stage,), name, word)
    changed = {edit for edit in edits or () if len(edit.span)}
    if not edits or len(changed) != facts.document.source.count(encode(name)):
        return None
    return Fix(
        "Install the file of the architecture that is built",
        tuple(dict.fromkeys(edits)),
        Applicability.UNSAFE,
    )


_UNPACKERS = ("tar", "unzip", "7z", "bsdtar")


def _is_brought(_: Facts, stage: StageFacts) -> bool:
    """Whether a file that nothing names comes out of the build context: a COPY takes a folder, and nothing is unpacked."""
    steps = (step for one in stage.chain for step in one.body)
    copied = any(isinstance(step, Copy) and step.source_stage is None for step in steps)
    return copied and not any(
        command.shell.name in _UNPACKERS for command in stage.commands_with(*_UNPACKERS)
    )


def _few_files(facts: Facts) -> bool:
    source = facts.document.source
    return source.count(b".deb") + source.count(b".rpm") <= MOST_EDITS
