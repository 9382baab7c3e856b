"""AP201."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, ImageUse
from archpatch.facts.written import why_arch_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document, Word
from archpatch.text import Applicability, Edit, Fix, Span, encode
from archpatch_rules.image.names import organisation


class BaseArchOrg(Rule):
    """The base is an official image under the name of one architecture: `amd64/debian`, `arm64v8/nginx`.

    These repositories hold one architecture each. BuildKit takes the image whatever platform is asked for: the result
    is labelled arm64, holds amd64 programs, and ends in `exec format error`. Where the machine has an emulator, nobody
    notices.

    It is fine in a file that is for that architecture by its name (`Dockerfile.amd64`), and in a stage of a per-arch
    family (`FROM amd64/debian AS base-amd64`).

    The fix leaves the organisation out: `debian` is the same image on amd64, and has the others too. It is unsafe,
    because an old tag may have been built for few of them; `archpatch verify` asks the registry. There is none for an
    image with a digest, nor for `i386/`, which somebody chose for its 32 bits.
    """

    code, name, severity = "AP201", "base-arch-org", Severity.WARNING
    hints = ("amd64/", "i386/", "arm32v", "arm64v8/", "ppc64le/", "s390x/", "riscv64/")
    errors = ("exec format error", "InvalidBaseImagePlatform")
    examples = (
        Example("FROM amd64/debian:12\n", "FROM debian:12\n", applicability="unsafe"),
        Example(
            "FROM golang:1.23 AS build\nFROM arm64v8/alpine\nCOPY --from=amd64/busybox /bin/busybox /bin/\n",
            "FROM golang:1.23 AS build\nFROM alpine\nCOPY --from=busybox /bin/busybox /bin/\n",
            "In COPY --from too",
            applicability="unsafe",
        ),
        Example(
            "ARG BASE=amd64/debian:12\nFROM ${BASE}\n",
            "ARG BASE=debian:12\nFROM ${BASE}\n",
            "The default of an argument",
            applicability="unsafe",
        ),
        Example("FROM i386/debian:12\n", "FROM i386/debian:12\n", "32 bits"),
        Example("FROM arm64v8/alpine\n", title="Its name says so", name="Dockerfile.arm64"),
        Example("FROM arm64v8/alpine\n", "FROM alpine\n", name="Dockerfile.amd64", applicability="unsafe"),
        Example(
            "FROM amd64/alpine AS base-amd64\nFROM arm64v8/alpine AS base-arm64\nFROM base-${TARGETARCH}\n",
            title="A stage for each architecture",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Images of the organisations of one architecture."""
        for use in facts.images:
            arch = organisation(use)
            if arch is None or why_arch_is_fine(facts, arch, use.instruction, use.word.span) is not None:
                continue
            owner, _, name = use.ref.repository.partition("/")
            span = use.ref.repository_span
            place = use.word.span
            if span is None:
                default = _default(facts, use)
                span = default.find(f"{owner}/") if default is not None else None
                if default is None or span is None:
                    continue  # where a variable holds the word alone, literal-arch-arg speaks
                place = default.span
            yield self.finding(
                place,
                f"`{owner}/` holds images for {arch} alone: whatever platform is asked for, this one is taken, and an image "
                f"for another architecture carries its label over {arch} programs. `{name}` has them all.",
                _fix(facts, use, span, owner, name, arch),
            )


def _default(facts: Facts, use: ImageUse) -> Word | None:
    """The default of the one argument that gives the image's name: `ARG BASE=amd64/debian`."""
    scope = facts.scope(use.instruction)
    held = [scope.get(name) for name in scope.used(use.word)]
    declaration = held[0].declaration if len(held) == 1 and held[0] is not None else None
    return declaration.value if declaration is not None else None


def _fix(facts: Facts, use: ImageUse, span: Span, owner: str, name: str, arch: str) -> Fix | None:
    if arch == "386" or use.ref.digest is not None or "/" in name:
        return None
    if facts.tables.image_lacks_arm64(name, use.ref.tag or "latest"):
        return None
    edit = Edit.delete(Span(span.start, span.start + len(encode(owner)) + 1))
    return Fix("Take the image that has every architecture", (edit,), Applicability.UNSAFE)
