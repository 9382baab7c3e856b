"""AP104."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from archpatch.facts import AUTOMATIC, Facts
from archpatch.platforms import AMD64, arch_of
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Arg, Declaration, Document
from archpatch.text import Applicability, Edit, Fix, Span

_MOST_STAGES = 50  # that stand on one: with more of them something sees it


class PlatformArgDefault(Rule):
    """A default on an automatic platform argument (`ARG TARGETARCH=amd64`) wins over the value BuildKit sets.

    Before the first FROM and inside a stage alike: the build for arm64 then sees `amd64`, compiles or fetches
    amd64 binaries and ships them in an image labelled arm64, without an error or a warning. An empty default
    (`ARG TARGETARCH=`) and one that names itself (`ARG TARGETARCH=$TARGETARCH` in a stage) give the empty string.
    `ARG BUILDPLATFORM=linux/amd64` holds every `$BUILDPLATFORM` stage to amd64, on arm64 machines too.

    It is fine before the first FROM when the default is the automatic value itself (`ARG
    TARGETARCH=${TARGETARCH:-amd64}`), and harmless, a note, where it says what is true for all platforms that are
    asked for (`ARG TARGETOS=linux`). It is fine too in a stage where nothing comes after it that sees the value.

    The fix strips the default. An amd64 build on BuildKit stays the same where the default said amd64, so there it is
    safe. Builders that set no automatic args (the legacy builder, podman before 5) lose their fallback: give it where
    the value is used, `${TARGETARCH:-amd64}`.
    """

    code, name, severity = "AP104", "platform-arg-default", Severity.WARNING
    hints = tuple(sorted(name.lower() + "=" for name in AUTOMATIC))
    errors = ("exec format error", "rosetta error: failed to open elf at /lib64/ld-linux-x86-64.so.2")
    examples = (
        Example(
            "FROM golang:1.23 AS build\n"
            "ARG TARGETOS=linux TARGETARCH=amd64\n"
            "RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "FROM golang:1.23 AS build\n"
            "ARG TARGETOS TARGETARCH\n"
            "RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "In a stage",
            applicability="safe",
        ),
        Example(
            "ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM node:22 AS build\nRUN npm ci\nFROM scratch\n",
            "ARG BUILDPLATFORM\nFROM --platform=$BUILDPLATFORM node:22 AS build\nRUN npm ci\nFROM scratch\n",
            "Before the first FROM",
            applicability="safe",
        ),
        Example(
            "FROM debian\nARG TARGETARCH=\nRUN echo ${TARGETARCH}\n",
            "FROM debian\nARG TARGETARCH\nRUN echo ${TARGETARCH}\n",
            "An empty default",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nARG TARGETARCH=${TARGETARCH:-amd64}\nRUN echo $TARGETARCH\n",
            "FROM debian\nARG TARGETARCH\nRUN echo $TARGETARCH\n",
            "In a stage it cannot see itself",
            applicability="safe",
        ),
        Example(
            "ARG TARGETARCH=${TARGETARCH:-amd64}\nFROM debian\nARG TARGETARCH\nRUN echo $TARGETARCH\n",
            title="Before the first FROM it can",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\nRUN echo ${TARGETARCH:-amd64}\n",
            title="A fallback where it is used",
        ),
        Example(
            "FROM debian AS base-amd64\nFROM debian AS base-arm64\nRUN true\nARG TARGETARCH=\nFROM base-${TARGETARCH}\n"
            "COPY init.sh /\n",
            title="Nothing sees it: FROM takes BuildKit's own value",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every declaration of an automatic arg with a default that is not its automatic value."""
        for instruction in document.instructions:
            if not isinstance(instruction, Arg):
                continue
            for declaration in instruction.declarations:
                if declaration.name.value in AUTOMATIC and declaration.value is not None:
                    yield from self._judge(facts, instruction, declaration)

    def _judge(self, facts: Facts, instruction: Arg, declaration: Declaration) -> Iterator[Finding]:
        name, value = declaration.name.value, declaration.value
        assert value is not None
        in_stage = facts.stage_of(instruction) is not None
        given = {target: facts.scope(instruction, target).expand(value).text for target in facts.targets}
        wanted = {target: facts.automatic(name, target) for target in facts.targets}
        true = all(given[target] == wanted[target] for target in facts.targets)
        if (true and not in_stage and name in value.value) or _own_arch(facts, value.value):
            return
        if in_stage and not _is_seen(facts, instruction, name):
            return
        amd64 = facts.scope(instruction, AMD64).expand(value).text
        keeps = amd64 is not None and amd64 == facts.automatic(name, AMD64)
        fix = Fix(
            f"Strip the default of {name}",
            (Edit.delete(Span(declaration.name.span.end, declaration.span.end)),),
            Applicability.SAFE if keeps else Applicability.UNSAFE,
        )
        shown = f"`{value.value}`" if value.value else "the empty string"
        if name in ("BUILDPLATFORM", "BUILDARCH") and "$" not in value.value:
            yield self.finding(
                declaration.span,
                f"BuildKit sets {name}, but a default wins over its value: stages that run on the build platform are held to "
                f"{shown}, emulated on every other machine, and whatever comes from them is built there. Declare it "
                "without a default.",
                fix,
            )
        elif true:
            message = (
                f"{name} is set by BuildKit; this default ({shown}) wins over it, and only happens to agree."
            )
            yield self.finding(declaration.span, message, fix, severity=Severity.NOTE)
        else:
            where = "in this stage" if in_stage else "in the whole file"
            yield self.finding(
                declaration.span,
                f"BuildKit sets {name}, but a default wins over its value: {where} it is {shown} for every platform, so "
                "the linux/arm64 image gets what is meant for another architecture. Declare it without a default.",
                fix,
            )


def _own_arch(facts: Facts, value: str) -> bool:
    """A file for one architecture by its name says its own architecture."""
    return facts.named_arch is not None and arch_of(value) == facts.named_arch


def _is_seen(facts: Facts, instruction: Arg, name: str) -> bool:
    """Whether something after an ARG of a stage sees its value: what names it, and every RUN, which has it in its
    environment."""
    stage = facts.stage_of(instruction)
    if stage is None or instruction.onbuild:
        return True
    after = [*stage.every_run[-1:], *(use.instruction for use in facts.uses(name, stage=stage)[-1:])]
    if any(one.span.start > instruction.span.start for one in after):
        return True
    below = list(islice(stage.descendants(), _MOST_STAGES))
    return len(below) == _MOST_STAGES or any(one.every_run or facts.uses(name, stage=one) for one in below)
