"""AP802."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StageFacts, source_of
from archpatch.facts.programs import program_arch
from archpatch.rewrite.paths import name_edits
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Edit, Fix
from archpatch_rules.copied.held_paths import follow_value, held_paths
from archpatch_rules.copied.paths import (
    ArchPath,
    arch_paths,
    context_path,
    follow_target,
    is_rootfs,
    keeps_name,
    other_arch_file,
)


class ArchPathCopy(Rule):
    """COPY takes a path that names one architecture: `COPY release/linux-amd64/app /app`.

    Whatever platform is built, that file is taken: the image for arm64 gets a program for amd64, silently, or the build
    fails because the stage that it comes from made `linux-arm64` this time.

    It is fine beside a COPY of the other path, in a stage of a per-arch family, and for text that is only about an
    architecture.

    The fix writes `${TARGETARCH}` into the path, and into the commands of the stage it is taken from that use the same
    name. It is safe where the build context holds the file for arm64 too; else unsafe, for whoever makes the files has
    to make the other one. `x86_64` is respelled by `${NAME/from/to}`, which a frontend of 2023-11 or newer (1.7) knows;
    goreleaser's `amd64_v1` becomes a pattern, since arm64 has another ending.
    Where ENTRYPOINT or CMD starts the file by that name, it gets one without the architecture. There is none where the
    file bears the architecture in the image too, and nothing names it there: it may be for other machines.
    """

    code, name, severity = "AP802", "arch-path-copy", Severity.WARNING
    hints = (
        "amd64",
        "x86_64",
        "x86-64",
        "x64",
        "64bit",
        "64-bit",
        "linux64",
        "arm64",
        "aarch64",
        "aarch_64",
        "armv8",
    )
    errors = ("exec format error", '"/dist/app_linux_amd64": not found')
    examples = (
        Example(
            "FROM debian\nCOPY release/linux-amd64/app /app\n",
            "FROM debian\nARG TARGETARCH\nCOPY release/linux-${TARGETARCH}/app /app\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY dist/app-amd64.tar /opt/app\n",
            "FROM debian\nARG TARGETARCH\nCOPY dist/app-${TARGETARCH}.tar /opt/app\n",
            "Both are in the context",
            files={"dist/app-amd64.tar": "", "dist/app-arm64.tar": ""},
            applicability="safe",
        ),
        Example(
            "FROM alpine\nCOPY dist/app_linux_amd64_v1/app /usr/bin/app\n",
            "FROM alpine\nARG TARGETARCH\nCOPY dist/app_linux_${TARGETARCH}*/app /usr/bin/app\n",
            "goreleaser's folders, which say the level of amd64 too",
            applicability="unsafe",
        ),
        Example(
            "FROM golang AS build\nRUN make dist/app-linux-amd64\nFROM debian\n"
            "COPY --from=build /src/dist/app-linux-amd64 /usr/bin/app\n",
            "FROM golang AS build\nARG TARGETARCH\nRUN make dist/app-linux-${TARGETARCH}\nFROM debian\nARG TARGETARCH\n"
            "COPY --from=build /src/dist/app-linux-${TARGETARCH} /usr/bin/app\n",
            "With the command that makes it",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nADD tool-x86_64.rpm /\nRUN rpm -i /tool-x86_64.rpm\n",
            "FROM rockylinux:9\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            'ADD tool-${TARGET_ARCH}.rpm /\nRUN rpm -i "/tool-$(uname -m).rpm"\n',
            "The kernel's word, and a command that uses the file",
            applicability="unsafe",
        ),
        Example(
            "FROM eclipse-temurin:21\nCOPY lib/netty-tcnative-2.0.61-linux-x86_64.jar /lib/\n",
            "FROM eclipse-temurin:21\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch_64}\n"
            "COPY lib/netty-tcnative-2.0.61-linux-${TARGET_ARCH}.jar /lib/\n",
            "Netty's word",
            applicability="unsafe",
        ),
        Example(
            "FROM eclipse-temurin:21\nCOPY lib/codec-2.0-linux-x86_64.jar /lib/\n",
            "FROM eclipse-temurin:21\nCOPY lib/codec-2.0-linux-x86_64.jar /lib/\n",
            "How this maker spells it is not known",
        ),
        Example(
            'FROM debian\nCOPY app-x64 /opt/\nCMD ["/opt/app-x64"]\n',
            'FROM debian\nARG TARGETARCH\nCOPY app-${TARGETARCH/amd64/x64} /opt/app\nCMD ["/opt/app"]\n',
            "Started by that name",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY linux/amd64 /opt/\nRUN GOARCH=amd64 sh -c 'echo hello; /opt/amd64 --version'\n",
            "FROM debian\nARG TARGETARCH\nCOPY linux/${TARGETARCH} /opt/\n"
            "RUN GOARCH=amd64 sh -c 'echo hello; /opt/${TARGETARCH} --version'\n",
            "Its name is nothing but the word",
            applicability="unsafe",
        ),
        Example(
            "FROM rust AS build\nRUN dx build --release\nFROM debian\n"
            "COPY --from=build /app/target/x86_64-unknown-linux-gnu/server-release/app /app\n",
            "FROM rust AS build\nRUN dx build --release\nFROM debian\n"
            "COPY --from=build /app/target/x86_64-unknown-linux-gnu/server-release/app /app\n",
            "A folder that a tool names for the machine that it compiles on",
        ),
        Example(
            "FROM debian\nCOPY --from=tools /bin/probe-amd64 /srv/probe-amd64\n",
            "FROM debian\nCOPY --from=tools /bin/probe-amd64 /srv/probe-amd64\n",
            "Named so in the image too, for whom nothing says",
        ),
        Example(
            "FROM debian\nCOPY app-linux-amd64 /opt/\nCOPY <<EOF /run.sh\nexec /opt/app-linux-amd64\nEOF\n",
            "FROM debian\nCOPY app-linux-amd64 /opt/\nCOPY <<EOF /run.sh\nexec /opt/app-linux-amd64\nEOF\n",
            "A script written out in the file starts it by that name",
        ),
        Example(
            "FROM debian\nARG BIN=release/linux-amd64/app\nCOPY $BIN /app\n",
            "FROM debian\nARG TARGETARCH\nARG BIN=release/linux-${TARGETARCH}/app\nCOPY $BIN /app\n",
            "The path comes out of an ARG",
            applicability="unsafe",
        ),
        Example("FROM debian\nARG TARGETARCH\nCOPY release/linux-${TARGETARCH}/app /app\n"),
        Example("FROM debian\nCOPY app-amd64 app-arm64 /opt/\n", title="Both"),
        Example(
            "FROM nginx\nCOPY docs/amd64/ /usr/share/nginx/html/amd64/\n", title="What is written about it"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each source."""
        for found in arch_paths(facts):
            if found.span is None or is_rootfs(facts, found) or _is_program(facts, found):
                continue
            other = "arm64" if found.word.arch == "amd64" else "amd64"
            yield self.finding(
                found.source.span,
                f"This path is for {found.word.arch} by its name, and it is copied whatever platform is built: the image "
                f"for {other} gets what is made for {found.word.arch}, or there is no such file.",
                _fix(document, facts, found),
            )
        for held in held_paths(facts):
            name = held.piece.declaration.name.value if held.piece.declaration else ""
            yield self.finding(
                held.source.span,
                f"This path comes out of {name} and is `{held.path}`, for {held.word.arch} by its name, whatever platform is "
                "built.",
                follow_value(document, facts, held),
                related=(Related(held.span, "the architecture"),),
            )


def _is_program(facts: Facts, found: ArchPath) -> bool:
    """Whether prebuilt-elf-in-context sees what it is."""
    if facts.context is None or found.copy.source_stage is not None or "$" in found.source.value:
        return False
    return program_arch(facts.context.head(context_path(found.source.value)) or b"") is not None


def _fix(document: Document, facts: Facts, found: ArchPath) -> Fix | None:
    known = found.copy.source_stage is None and other_arch_file(facts, found) is not None
    fix = follow_target(document, facts, found, safe=known and keeps_name(found))
    if fix is None or found.copy.source_stage is None:
        return fix
    source = source_of(facts, found.copy)
    if source is None:
        return None  # the paths of an image are what they are
    made = _made_by(document, facts, source, found)
    if made is None or source.kind is PlatformKind.CONSTANT:
        return None
    return Fix(fix.title, (*fix.edits, *made), fix.applicability)


def _made_by(
    document: Document, facts: Facts, source: StageFacts, found: ArchPath
) -> tuple[Edit, ...] | None:
    """The same in the commands of the stage that use the name; None where one cannot be changed."""
    name = next(part for part in found.source.value.split("/") if found.word.text in part)
    if "$" in name:
        return None
    edits = (
        () if name == found.word.text else name_edits(document, facts, source.chain, name, found.word.text)
    )
    return None if not edits and "-unknown-" in name else edits  # a Rust target that the base image chooses
