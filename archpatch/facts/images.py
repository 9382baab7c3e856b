"""References of images: `registry/repository:tag@digest`, and where each part stands in the file.

Source: distribution/reference, as BuildKit uses it for FROM, `COPY --from` and `RUN --mount=from`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from archpatch.syntax.tree import Word
from archpatch.text import Span, encode, regex

_HOME = "docker.io"


class ImageRef(Struct, frozen=True):
    """An image reference in parts; `registry` and `library/` are filled in as Docker fills them in.

    A part that holds an unknown variable keeps it as written. The spans are those of the parts in the file: None
    where a part is absent, or comes out of a variable or quotes in it.
    """

    registry: str
    repository: str
    tag: str | None
    digest: str | None
    word: Word | None = None
    registry_span: Span | None = None
    repository_span: Span | None = None
    tag_span: Span | None = None
    digest_span: Span | None = None

    @property
    def name(self) -> str:
        """The familiar name without tag and digest: `python`, `ghcr.io/org/tool`."""
        if self.registry != _HOME:
            return f"{self.registry}/{self.repository}"
        return self.repository.removeprefix("library/")

    @property
    def familiar(self) -> str:
        """The familiar name with tag and digest, as a person would write it."""
        tag = "" if self.tag is None else f":{self.tag}"
        return f"{self.name}{tag}" + ("" if self.digest is None else f"@{self.digest}")

    @property
    def known(self) -> bool:
        """Whether no unknown variable is left in it."""
        return "$" not in self.familiar and "$" not in self.registry

    @property
    def official(self) -> bool:
        """Whether it is one of Docker's official images (`docker.io/library/...`)."""
        return self.registry == _HOME and self.repository.startswith("library/")


class _Parts(NamedTuple):
    """The texts of a reference as written; None where absent."""

    registry: str | None
    repository: str
    tag: str | None
    digest: str | None


def parse_image(text: str, word: Word | None = None) -> ImageRef:
    """The parts of `text`, the expanded value of `word`. Any text gives a reference: BuildKit judges it later."""
    parts = _split(text)
    registry, repository = parts.registry or _HOME, parts.repository
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = _HOME
    if registry == _HOME and "/" not in repository:
        repository = f"library/{repository}"
    spans = _spans(parts, word) if word is not None else (None, None, None, None)
    return ImageRef(registry, repository, parts.tag, parts.digest, word, *spans)


_VARIABLE = regex(r"\$(?:\{[^}]*\}|\w+)")


@lru_cache(maxsize=1024)
def _split(text: str) -> _Parts:
    # `:` and `/` of `${X:-y/z}` separate nothing: cut on a text in which variables are blanked out.
    mask = _VARIABLE.sub(lambda match: "\0" * len(match[0]), text)
    at = mask.find("@")
    digest = None if at < 0 else text[at + 1 :]
    end = len(text) if at < 0 else at
    colon = mask.rfind(":", mask.rfind("/", 0, end) + 1, end)
    tag = None if colon < 0 else text[colon + 1 : end]
    end = end if colon < 0 else colon
    slash = mask.find("/", 0, end)
    first = text[:slash] if slash > 0 else ""
    if first and (set(mask[:slash]) & {".", ":", "\0"} or first == "localhost" or first != first.lower()):
        return _Parts(first, text[slash + 1 : end], tag, digest)
    return _Parts(None, text[:end], tag, digest)


def _spans(parts: _Parts, word: Word) -> tuple[Span | None, Span | None, Span | None, Span | None]:
    """Where the parts stand: known when the same split of the written text gives the same part."""
    quote = word.verbatim[:1] if word.verbatim[:1] in ("'", '"') else ""
    inner = word.verbatim.removeprefix(quote).removesuffix(quote) if quote else word.verbatim
    if not inner.isprintable() or "\\" in inner or "`" in inner:
        return (None, None, None, None)
    written = _split(inner)
    base = word.span.start + len(quote)

    def place(mine: str | None, theirs: str | None, at: int) -> Span | None:
        if mine is None or mine != theirs or "$" in mine:
            return None
        start = base + len(encode(inner[:at]))
        return Span(start, start + len(encode(mine)))

    repository_at = 0 if written.registry is None else len(written.registry) + 1
    tag_at = repository_at + len(written.repository) + 1
    digest_at = tag_at + (0 if written.tag is None else len(written.tag) + 1)
    return (
        place(parts.registry, written.registry, 0),
        place(parts.repository, written.repository, repository_at),
        place(parts.tag, written.tag, tag_at),
        place(parts.digest, written.digest, digest_at),
    )
