"""AP207."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Family, written
from archpatch.facts.written import why_arch_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span

_IMAGES = frozenset(
    {"frolvlad/alpine-glibc", "jeanblanchard/alpine-glibc", "nimmis/alpine-glibc", "sgerrand/alpine-glibc"}
)
_TEXTS = ("alpine-pkg-glibc", "ld-linux-x86-64.so.2", "libc.musl-x86_64")


class AlpineGlibcHack(Rule):
    """Programs for glibc are made to run on Alpine by means that exist for amd64 alone.

    The packages of `alpine-pkg-glibc` are built for x86_64; a link from `libc.musl-x86_64.so.1` to
    `ld-linux-x86-64.so.2` has another name on both ends on arm64. There apk says `ERROR: glibc: package architecture`
    or the program `no such file or directory`.

    It is fine in a branch for amd64, if the other branch has an answer too.

    There is no automatic fix. Best is a base with glibc (`debian:bookworm-slim`, `gcr.io/distroless/cc`) or a build of
    the program for musl; `apk add gcompat` carries simple programs on both architectures.
    """

    code, name, severity = "AP207", "alpine-glibc-hack", Severity.WARNING
    hints = ("alpine-pkg-glibc", "alpine-glibc", "ld-linux-x86-64.so.2", "libc.musl-x86_64")
    errors = (
        "Error loading shared library ld-linux-x86-64.so.2: No such file or directory",
        "Error relocating: __vfprintf_chk: symbol not found",
        "glibc: unable to select packages",
    )
    examples = (
        Example(
            "FROM alpine:3.19\nRUN mkdir /lib64 && ln -s /lib/libc.musl-x86_64.so.1 /lib64/ld-linux-x86-64.so.2\n",
            "FROM alpine:3.19\nRUN mkdir /lib64 && ln -s /lib/libc.musl-x86_64.so.1 /lib64/ld-linux-x86-64.so.2\n",
        ),
        Example("FROM frolvlad/alpine-glibc:latest\n", "FROM frolvlad/alpine-glibc:latest\n"),
        Example("FROM alpine:3.19\nRUN apk add --no-cache gcompat\n"),
        Example("FROM debian\nRUN ls /lib64/ld-linux-x86-64.so.2\n", title="glibc's own"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Images made for it, and one finding for each instruction that makes one."""
        for use in facts.images:
            if (
                use.ref.name in _IMAGES
                and why_arch_is_fine(facts, "amd64", use.instruction, use.word.span) is None
            ):
                yield self.finding(
                    use.word.span,
                    f"`{use.ref.name}` puts glibc onto Alpine by packages that were built for x86_64 alone. Take a base "
                    "with glibc.",
                )
        seen: set[Span] = set()
        for place in written(facts, *_TEXTS):
            text = next(text for text in _TEXTS if text in place.value)
            span = next(place.places(text), None)
            if span is None or place.instruction.span in seen or place.command is None:
                continue
            if place.stage.distro.family not in (Family.ALPINE, Family.UNKNOWN) or place.value.endswith(
                ".pub"
            ):
                continue
            if text == "ld-linux-x86-64.so.2" and place.stage.distro.family is not Family.ALPINE:
                continue
            if why_arch_is_fine(facts, "amd64", place.instruction, span, place.command) is None:
                seen.add(place.instruction.span)
                yield self.finding(
                    span,
                    "This lets programs for glibc run on Alpine, on amd64 alone: the package and the loader have no such "
                    "names on arm64. Take a base with glibc, or `apk add gcompat`.",
                )
