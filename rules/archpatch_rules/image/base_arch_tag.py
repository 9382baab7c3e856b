"""AP202."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch_rules.image.names import NamedArch, named_arches

# Repositories where each tag with an architecture at its end has one without that holds them all.
_FAMILIES = ("mcr.microsoft.com/dotnet/", "public.ecr.aws/lambda/", "gcr.io/distroless/")
_SPELLED = {"amd64": "amd64", "x86_64": "amd64", "x64": "amd64", "arm64": "arm64", "arm64v8": "arm64"}


class BaseArchTag(Rule):
    """The base's tag names one architecture: `dotnet/runtime-deps:8.0-alpine-amd64`, `lambda/python:3.12-x86_64`.

    Such a tag holds one architecture. Whatever platform is asked for, BuildKit takes it, labels the result with the
    platform asked for, and the program ends in `exec format error`.

    It is fine in a file that is for that architecture by its name, and in a stage of a per-arch family.

    The fix leaves the ending out where the publisher is known to have the same tag for all (.NET, AWS Lambda,
    distroless), and with it a digest, which would still name the one image. It is unsafe: pin the digest of the new
    tag again, and let `archpatch verify` ask the registry. For other publishers look whether there is a tag without
    it, or take `tag-${TARGETARCH}`, which needs no ARG in a FROM.
    """

    code, name, severity = "AP202", "base-arch-tag", Severity.WARNING
    hints = (
        "amd64",
        "x86_64",
        "x86-64",
        "x64",
        "64bit",
        "linux64",
        "arm64",
        "aarch64",
        "arm32",
        "armhf",
        "armv",
        "i386",
    )
    errors = ("exec format error", "InvalidBaseImagePlatform", "no match for platform in manifest")
    examples = (
        Example(
            "FROM mcr.microsoft.com/dotnet/runtime-deps:8.0.2-alpine3.18-amd64\n",
            "FROM mcr.microsoft.com/dotnet/runtime-deps:8.0.2-alpine3.18\n",
            applicability="unsafe",
        ),
        Example(
            "FROM public.ecr.aws/lambda/python:3.12-x86_64@sha256:" + "0" * 64 + " AS core\n",
            "FROM public.ecr.aws/lambda/python:3.12 AS core\n",
            "With the digest of the one image",
            applicability="unsafe",
        ),
        Example("FROM example.com/tool:1.0-linux-amd64\n", "FROM example.com/tool:1.0-linux-amd64\n"),
        Example("FROM example.com/tool:1.0-${TARGETARCH}\n"),
        Example(
            "FROM example.com/sdk:8.0-cross-arm64 AS sysroot\nFROM debian\nCOPY --from=sysroot /sysroot /sysroot\n",
            title="What a cross compiler builds for",
        ),
        Example(
            "FROM public.ecr.aws/lambda/python:3.12-arm64\n",
            title="Its name says so",
            name="Dockerfile.arm64",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Images whose tag names one architecture."""
        for named in named_arches(facts):
            if not named.tag:
                continue
            yield self.finding(
                named.use.word.span,
                f"The tag `{named.text}` is for {named.word.arch} alone: whatever platform is asked for, this image is "
                f"taken, and one for another architecture carries its label over {named.word.arch} programs.",
                _fix(named),
            )


def _fix(named: NamedArch) -> Fix | None:
    ref, span = named.use.ref, named.span
    if span is None or not ref.name.startswith(_FAMILIES) or named.word.text not in _SPELLED:
        return None
    if named.word.end != len(named.text) or named.text[named.word.start - 1 : named.word.start] != "-":
        return None
    if ref.digest is not None and ref.digest_span is None:
        return None
    end = ref.digest_span.end if ref.digest_span is not None else span.end
    edit = Edit.delete(Span(span.start + named.word.start - 1, end))
    title = "Take the tag that has every architecture"
    return Fix(title + (", without the digest" if ref.digest else ""), (edit,), Applicability.UNSAFE)
