"""The fix of a package that is a file at a URL, for Debian's and rpm's package managers alike."""

from __future__ import annotations

from archpatch.facts import Facts, Package
from archpatch.facts.targets import others
from archpatch.rewrite.downloads import guessed_words, respell, table_words
from archpatch.syntax.tree import Document
from archpatch.text import Fix


def fetched_fix(document: Document, facts: Facts, package: Package) -> Fix | None:
    """Take the file of the architecture that is built; None where its name is not known, or the package is no URL."""
    download = next((one for one in facts.downloads if one.word.span == package.word.span), None)
    words = (table_words(download) or guessed_words(download)) if download else None
    respelled = respell(document, facts, download, words) if download and words else None
    if respelled is None or download is None:
        return None
    match = download.match
    known = match is not None and all(match.published(arch) is True for arch in others(facts))
    return respelled.fix("Install the file for the architecture that is built", known)
