"""AP108."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, PlatformKind, StageFacts
from archpatch.facts.compiles import compiled_by, follows_target, taken_into_target
from archpatch.facts.targets import choices
from archpatch.rewrite import arch_case, declare_arg
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.shell import Origin, Selector, ShellWord, Substitution, origin_of_command
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, decode

_HOST = frozenset({Selector.UNAME, Selector.DPKG, Selector.APK, Selector.RPM})


class HostArchInBuildStage(Rule):
    """A stage on the build machine's platform chooses by its own architecture what the image will hold.

    `uname -m` and its like name the machine that the stage runs on. In a stage of `--platform=$BUILDPLATFORM`, or of
    a constant, that is never the target: the linux/arm64 image gets the files for the machine that built it, amd64 on
    most, and ends in `exec format error`.

    It is fine for tools that run within the stage, and in a stage of the target platform.

    The fix asks TARGETARCH in its place. An amd64 build on an amd64 machine stays the same; it is unsafe, for the
    stage may run what it chose.
    """

    code, name, severity = "AP108", "host-arch-in-build-stage", Severity.WARNING
    hints = ("--platform",)
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM debian AS fetch\n"
            "RUN curl -fsSLo /tool https://example.com/tool-$(dpkg --print-architecture)\n"
            "FROM debian\n"
            "COPY --from=fetch /tool /usr/bin/tool\n",
            "FROM --platform=$BUILDPLATFORM debian AS fetch\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLo /tool https://example.com/tool-${TARGETARCH}\n"
            "FROM debian\n"
            "COPY --from=fetch /tool /usr/bin/tool\n",
            "Debian's names are Docker's",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=linux/amd64 alpine AS fetch\n"
            'RUN wget -O /tool "https://example.com/tool-$(uname -m)"\n'
            "FROM alpine\n"
            "COPY --from=fetch /tool /usr/bin/tool\n",
            "FROM --platform=linux/amd64 alpine AS fetch\n"
            "ARG TARGETARCH\n"
            'RUN case "$TARGETARCH" in \\\n'
            "      amd64) _arch=x86_64 ;; \\\n"
            "      arm64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: $TARGETARCH"; exit 1 ;; \\\n'
            '    esac && \\\n    wget -O /tool "https://example.com/tool-${_arch}"\n'
            "FROM alpine\n"
            "COPY --from=fetch /tool /usr/bin/tool\n",
            "The kernel's are not",
            applicability="unsafe",
        ),
        Example(
            "FROM alpine AS fetch\n"
            'RUN wget -O /tool "https://example.com/tool-$(uname -m)"\n'
            "FROM alpine\n"
            "COPY --from=fetch /tool /usr/bin/tool\n",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN curl -fsSLo /usr/bin/buf https://example.com/buf-$(uname -m) && buf generate\n"
            "ARG TARGETARCH\n"
            "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM alpine\n"
            "COPY --from=build /app /app\n",
            title="The tool runs in the stage",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Commands that ask the machine for its architecture where the image takes what they choose."""
        for stage in facts.stages:
            if stage.kind not in (PlatformKind.BUILD, PlatformKind.CONSTANT) or not stage.reached:
                continue
            if stage.why_fine is not None:
                continue
            for command in stage.commands:
                origin = origin_of_command(command.shell, {})
                if origin is None or origin.selector not in _HOST or command.shell.only_on is not None:
                    continue
                if follows_target(facts, command) or not (taken := _taken(document, facts, stage, command)):
                    continue
                yield self.finding(
                    command.shell.span,
                    f"`{origin.selector.value}` names the machine that this stage runs on, not the target: the image for another "
                    "platform takes files for the wrong machine (`exec format error`). Ask TARGETARCH.",
                    self._fix(document, facts, command, origin),
                    related=(Related(taken, "what it chooses is taken here"),),
                )

    def _fix(self, document: Document, facts: Facts, command: Command, origin: Origin) -> Fix | None:
        place = _substitution(command)
        convention = origin.selector.convention
        if place is None or origin.translated or convention is None:
            return None
        words = {arch: word for arch in choices(facts) if (word := convention.spell(arch))}
        if all(arch == word for arch, word in words.items()):
            edits: tuple[Edit, ...] = declare_arg(document, facts, command.run, "TARGETARCH")
            expression = "${TARGETARCH}"
        else:
            case = arch_case(document, facts, command.run, words, (place.span,))
            if case is None:
                return None
            edits, expression = case
        edit = Edit.replace(place.span, expression)
        if any(edit.clashes(other) for other in edits):
            return None  # what it answers is the first command of the RUN: the case would stand in the same place
        return Fix("Ask for the target's architecture", (*edits, edit), Applicability.UNSAFE)


def _taken(document: Document, facts: Facts, stage: StageFacts, command: Command) -> Span | None:
    """Where a stage of the target takes a file that the same RUN speaks of; None where nobody does."""
    if any(compiled_by(other) for other in stage.commands):
        return None  # what is taken may be the compiler's work
    text = decode(command.run.span.of(document.source))
    for copy in taken_into_target(facts, stage):
        for word in copy.sources:
            name = word.value.strip("\"'").rstrip("/*").rsplit("/", 1)[-1]
            if name and name in text:
                return copy.instruction.keyword_span
    return None


def _substitution(command: Command) -> Substitution | None:
    """The `$(...)` that holds this command and nothing else."""
    words: list[ShellWord] = []
    for other in command.script.commands:
        words += other.words
    words += [assign.value for assign in command.script.assigns if assign.value is not None]
    words += [switch.subject for switch in command.script.switches]
    for word in words:
        for part in word.parts:
            if isinstance(part, Substitution) and part.script.commands == (command.shell,):
                return part
    return None
