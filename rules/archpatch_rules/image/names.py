"""Architectures in the names of images: where, and whether anything speaks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from msgspec import Struct

from archpatch.facts import Facts, ImageUse, ImageUseKind
from archpatch.facts.suppressors import shape
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import ArchWord, arch_words
from archpatch.text import Span, encode, regex

# Docker's own organisations, one for each architecture, with the official images in it.
ORGANISATIONS = {
    "amd64": "amd64",
    "i386": "386",
    "arm32v5": "arm",
    "arm32v6": "arm",
    "arm32v7": "arm",
    "arm64v8": "arm64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}


# The architecture in the name of a cross compiler's image is what it builds for.
_CROSS = regex(r"(?:^|[-_./])x?cross(?:[-_./]|$)")


class NamedArch(Struct, frozen=True):
    """An architecture in the tag or in the repository of an image. `span` is None where a variable holds it."""

    use: ImageUse
    word: ArchWord
    text: str  # the tag, or the repository
    span: Span | None  # that of `text`
    tag: bool

    @property
    def word_span(self) -> Span | None:
        """Where the word for the architecture stands."""
        if self.span is None:
            return None
        start = self.span.start + len(encode(self.text[: self.word.start]))
        return Span(start, start + len(encode(self.word.text)))


def named_arches(facts: Facts) -> Iterator[NamedArch]:
    """Every image whose tag or repository names one architecture, when nothing speaks for it; a stage that takes files of
    the image for each architecture wants them all."""
    alike: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    for use in facts.images:
        for taker in _takers(use):
            alike[taker, shape(use.ref.familiar)].add(use.ref.familiar)
    for use in facts.images:
        ref = use.ref
        if organisation(use) is not None or any(
            _CROSS.search(text) for text in (ref.repository, ref.tag or "")
        ):
            continue
        if any(len(alike[taker, shape(ref.familiar)]) > 1 for taker in _takers(use)):
            continue
        for text, span, tag in ((ref.tag, ref.tag_span, True), (ref.repository, ref.repository_span, False)):
            words = arch_words(text) if text else ()
            if len({word.arch for word in words}) != 1 or text is None:
                continue
            if why_arch_is_fine(facts, words[0].arch, use.instruction, use.word.span) is None:
                yield NamedArch(use, words[-1], text, span, tag)
                break  # one finding for each image


def _takers(use: ImageUse) -> set[int]:
    """The stages that take files of an image, straight or out of the stage that is built on it."""
    through = use.stage.copies_out if use.kind is ImageUseKind.FROM else ()
    return {use.stage.index, *(copy.by.index for copy in through)}


def organisation(use: ImageUse) -> str | None:
    """The architecture of the organisation an image belongs to: `arm64` of `arm64v8/debian`."""
    if use.ref.registry != "docker.io":
        return None
    first, slash, _ = use.ref.repository.partition("/")
    return ORGANISATIONS.get(first) if slash else None
