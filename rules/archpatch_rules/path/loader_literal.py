"""AP704."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Family, PlatformKind, Written, source_of, written
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.rewrite.paths import declare_spelling, respelled_copy, uname_edits
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document
from archpatch.text import Applicability, Edit, Fix

_LOADERS = {
    "ld-linux-x86-64.so": "amd64",
    "ld-linux-aarch64.so": "arm64",
    "musl-x86_64": "amd64",
    "musl-aarch64": "arm64",
}
_GLIBC, _GLIBC_ARM64 = "lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"
_MUSL = {"musl-x86_64": "x86_64", "musl-aarch64": "aarch64"}


class LoaderLiteral(Rule):
    """The dynamic loader is named for one architecture: `/lib64/ld-linux-x86-64.so.2`, `/lib/ld-musl-x86_64.so.1`.

    On arm64 it is `/lib/ld-linux-aarch64.so.1`, and Debian's arm64 has no `/lib64` at all: a COPY of it fails the build.
    A program whose loader is missing ends with `no such file or directory` although it is there.

    It is fine in a branch that asks for the architecture. Alpine's glibc workarounds have a rule of their own:
    alpine-glibc-hack.

    The fix writes `$(uname -m)` into names of musl in a RUN, which keeps amd64 as it is: safe. A COPY out of another stage
    takes the word by `${NAME/from/to}`, which a frontend of 2023-11 or newer (1.7) knows: unsafe. So does a COPY of glibc's
    loader to its own place, folder and all. Elsewhere there is none for glibc: stand on an image that has a C library
    (`gcr.io/distroless/cc`), or link statically.
    """

    code, name, severity = "AP704", "loader-literal", Severity.WARNING
    hints = ("ld-linux-", "musl-x86_64", "musl-aarch64", "/lib64")
    errors = (
        '"/lib64": not found',
        "exec /app: no such file or directory",
        "Could not open '/lib64/ld-linux-x86-64.so.2': No such file or directory",
        "rosetta error: failed to open elf at /lib64/ld-linux-x86-64.so.2",
    )
    examples = (
        Example(
            "FROM debian:bookworm AS build\nFROM scratch\nCOPY --from=build /lib64 /lib64\n",
            "FROM debian:bookworm AS build\nFROM scratch\nCOPY --from=build /lib64 /lib64\n",
            "A folder that Debian's arm64 does not have",
        ),
        Example(
            "FROM debian:bookworm AS build\nFROM scratch\nCOPY --from=build /lib64/ld-linux-x86-64.so.2 /lib64/\n",
            "FROM debian:bookworm AS build\nFROM scratch\nARG TARGETARCH\n"
            "ARG LOADER=${TARGETARCH/amd64/lib64/ld-linux-x86-64.so.2}\n"
            "ARG LOADER=${LOADER/arm64/lib/ld-linux-aarch64.so.1}\n"
            "COPY --from=build /${LOADER} /${LOADER}\n",
            "glibc's, to where programs look for it",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN patchelf --set-interpreter /lib64/ld-linux-x86-64.so.2 /opt/tool\n",
            "FROM debian\nRUN patchelf --set-interpreter /lib64/ld-linux-x86-64.so.2 /opt/tool\n",
        ),
        Example(
            "FROM debian\nRUN mkdir /out && cp /lib64/ld-linux-x86-64.so.* /out/\n",
            "FROM debian\nRUN mkdir /out && cp /lib64/ld-linux-x86-64.so.* /out/\n",
            "Of any version",
        ),
        Example(
            "FROM alpine\nRUN echo /usr/local/lib > /etc/ld-musl-x86_64.path\n",
            'FROM alpine\nRUN echo /usr/local/lib > "/etc/ld-musl-$(uname -m).path"\n',
            "musl's names end with that of the machine",
            applicability="safe",
        ),
        Example(
            "FROM alpine AS build\nFROM scratch\nCOPY --from=build /lib/ld-musl-x86_64.so.1 /lib/\n",
            "FROM alpine AS build\nFROM scratch\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "COPY --from=build /lib/ld-musl-${TARGET_ARCH}.so.1 /lib/\n",
            "musl's, out of another stage",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9 AS build\nFROM scratch\nCOPY --from=build /lib64 /lib64\n", title="Red Hat's"
        ),
        Example('FROM alpine\nRUN echo /usr/local/lib > "/etc/ld-musl-$(uname -m).path"\n'),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            'RUN if [ "$TARGETARCH" = amd64 ]; then ls /lib64/ld-linux-x86-64.so.2; else ls /lib; fi\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Words with the name of a loader, and copies of Debian's /lib64."""
        for place in written(facts, *_LOADERS):
            text = next(name for name in _LOADERS if name in place.value)
            span = next(place.places(text), None)
            if span is None or _is_hack(place, text) or _is_said_of_source(place, text):
                continue
            arch = _LOADERS[text]
            if why_arch_is_fine(facts, arch, place.instruction, span, place.command) is not None:
                continue
            yield self.finding(
                span,
                f"The dynamic loader has this name on {arch} alone; in an image for another architecture it is not there, "
                "and programs that ask for it do not start.",
                _fix(document, facts, place, text),
            )
        for place in written(facts, "/lib64"):
            if _is_debian_lib64(facts, place):
                yield self.finding(
                    place.word.span,
                    "Debian's image for arm64 has no /lib64, so this COPY fails there; its loader is in /lib.",
                )


def _is_hack(place: Written, text: str) -> bool:
    """Whether glibc's loader is asked for, or made, on Alpine: alpine-glibc-hack says what there is to say."""
    if place.stage.distro.family is not Family.ALPINE or place.command is None:
        return False
    return text not in _MUSL or "libc.musl" in place.value


def _is_said_of_source(place: Written, text: str) -> bool:
    """Whether it is where a COPY puts glibc's loader: one finding on what it takes says it all."""
    copy = place.instruction
    return (
        isinstance(copy, Copy)
        and text not in _MUSL
        and place.word is copy.destination
        and any(text in source.value for source in copy.sources)
    )


def _is_debian_lib64(facts: Facts, place: Written) -> bool:
    """Whether a COPY takes /lib64 itself out of a stage or an image of Debian."""
    copy = place.instruction
    if not isinstance(copy, Copy) or place.word not in copy.sources:
        return False
    if place.value.rstrip("/*") != "/lib64":
        return False
    source = source_of(facts, copy)
    if source is None or source.distro.family is not Family.DEBIAN:
        return False
    return why_arch_is_fine(facts, "amd64", copy, place.word.span) is None


def _fix(document: Document, facts: Facts, place: Written, text: str) -> Fix | None:
    if isinstance(place.instruction, Copy):
        edits = (
            respelled_copy(document, facts, place, text)
            if text in _MUSL
            else _other_loader(document, facts, place)
        )
        return Fix("Copy the target's", edits, Applicability.UNSAFE) if edits else None
    if text not in _MUSL:
        return None
    edits = uname_edits(facts, place, text, _MUSL[text])
    safe = Applicability.SAFE if _LOADERS[text] == "amd64" else Applicability.UNSAFE
    return Fix("Ask the machine for its name", edits, safe) if edits else None


def _other_loader(document: Document, facts: Facts, place: Written) -> tuple[Edit, ...]:
    """The edits of a COPY that takes glibc's loader, and nothing else, to its own place; nothing for others.

    Programs for arm64 ask for /lib/ld-linux-aarch64.so.1, whatever the distribution.
    """
    copy = place.instruction
    if not isinstance(copy, Copy) or copy.json or copy.onbuild or copy.source_stage is None:
        return ()
    goal = copy.destination
    if goal is None or [word.verbatim for word in copy.sources] != [f"/{_GLIBC}"]:
        return ()
    if goal.verbatim not in (f"/{_GLIBC}", "/lib64/") or not only_asked_for(facts, "amd64", "arm64"):
        return ()
    source = source_of(facts, copy)
    if any(one.kind is not PlatformKind.TARGET for one in (place.stage, source) if one is not None):
        return ()
    if source is not None and source.distro.family is Family.ALPINE:
        return ()
    chosen = declare_spelling(document, facts, copy, _GLIBC, _GLIBC_ARM64, "LOADER")
    if chosen is None:
        return ()
    written_anew = f"/{chosen[1]}"
    return (*chosen[0], *(Edit.replace(word.span, written_anew) for word in (*copy.sources, goal)))
