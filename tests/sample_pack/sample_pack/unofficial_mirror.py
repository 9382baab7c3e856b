"""SP101."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix


class UnofficialMirror(Rule):
    """The base image comes from a mirror that holds amd64 images only.

    On arm64 the build fails with `no match for platform in manifest`.

    It is fine for images that the company builds for amd64 alone.

    The fix takes the image from Docker Hub. It may be another build of the same version, so it is unsafe.
    """

    code, name, severity = "SP101", "unofficial-mirror", Severity.ERROR
    hints = ("mirror.example.com",)
    errors = ("no match for platform in manifest",)
    examples = (
        Example(
            "FROM mirror.example.com/library/debian:bookworm\nRUN make\n",
            "FROM debian:bookworm\nRUN make\n",
            applicability="unsafe",
        ),
        Example("FROM debian:bookworm\nRUN make\n"),
        Example("FROM ghcr.io/library/debian:bookworm\nRUN curl https://mirror.example.com/x\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every FROM that names the mirror."""
        for stage in facts.stages:
            image = stage.image
            if image is None or image.registry != "mirror.example.com" or image.word is None:
                continue
            span = image.word.find("mirror.example.com/library/")
            if span is not None:
                fix = Fix("Take it from Docker Hub", (Edit.delete(span),), Applicability.UNSAFE)
                yield self.finding(span, "This mirror holds no arm64 images", fix)
