"""AP121."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archpatch.facts import Facts, Place, PlatformKind, StageFacts, Use
from archpatch.facts.suppressors import outputs_run_anywhere
from archpatch.facts.uses import uses_in
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Arg, Copy, Document, Run
from archpatch.text import Applicability, Edit, Fix, Span, encode

_TARGET = {"BUILDARCH": "TARGETARCH", "BUILDPLATFORM": "TARGETPLATFORM"}
_AWARE = frozenset({"TARGETARCH", "TARGETPLATFORM"})
_SPEAKERS = frozenset({"echo", "printf", ":"})


class BuildArchInTargetStage(Rule):
    """A stage of the target platform chooses its files by the build machine: `tool-linux-${BUILDARCH}.tar.gz`.

    BUILDARCH and BUILDPLATFORM name the machine that builds. Without `--platform=$BUILDPLATFORM` a stage runs on the
    target: on an amd64 machine the linux/arm64 image gets amd64 programs, which end in `exec format error` on an
    arm64 node. One that is built on an arm64 machine is right, so the fault hides where each platform has a builder
    of its own.

    It is fine in a stage of the build platform, in one that asks for the target as well, where it is only printed, and
    where what other stages take runs anywhere.

    The fix asks for the target in its place, and declares that argument where the other was declared. An amd64 build
    on an amd64 machine stays the same. There is no fix where the declaration stands in another stage, or another stage
    relies on it.
    """

    code, name, severity = "AP121", "build-arch-in-target-stage", Severity.WARNING
    hints = ("buildarch", "buildplatform")
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM debian\n"
            "ARG BUILDARCH\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${BUILDARCH}.tar.gz \\\n"
            "    && tar xf tool-linux-${BUILDARCH}.tar.gz\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLO https://example.com/tool-linux-${TARGETARCH}.tar.gz \\\n"
            "    && tar xf tool-linux-${TARGETARCH}.tar.gz\n",
            applicability="safe",
        ),
        Example(
            "FROM debian\nARG BUILDOS BUILDARCH\nADD https://example.com/go-${BUILDOS}-${BUILDARCH}.tar.gz /tmp/\n",
            "FROM debian\nARG BUILDOS TARGETARCH\nADD https://example.com/go-${BUILDOS}-${TARGETARCH}.tar.gz /tmp/\n",
            "In ADD",
            applicability="safe",
        ),
        Example(
            'FROM debian\nARG BUILDPLATFORM\nRUN case "$BUILDPLATFORM" in linux/amd64) A=x64 ;; linux/arm64) A=arm64 ;; esac '
            "&& curl -fsSLO https://example.com/tool-$A.zip\n",
            'FROM debian\nARG TARGETPLATFORM\nRUN case "$TARGETPLATFORM" in linux/amd64) A=x64 ;; linux/arm64) A=arm64 ;; esac '
            "&& curl -fsSLO https://example.com/tool-$A.zip\n",
            "The platform decides a branch",
            applicability="safe",
        ),
        Example(
            "FROM debian AS base\nARG BUILDARCH\nFROM base\nCOPY bin/tool-$BUILDARCH /tool\n",
            "FROM debian AS base\nARG BUILDARCH\nFROM base\nCOPY bin/tool-$BUILDARCH /tool\n",
            "Declared in another stage",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM debian AS site\nARG BUILDARCH\n"
            "RUN curl -fsSL https://example.com/hugo-${BUILDARCH}.tar.gz | tar xz && ./hugo\n"
            "FROM nginx\nCOPY --from=site /public /usr/share/nginx/html\n",
            title="The stage runs on the build machine",
        ),
        Example(
            "FROM debian\nARG BUILDPLATFORM\nARG TARGETPLATFORM\n"
            'RUN echo "built on $BUILDPLATFORM for $TARGETPLATFORM" > /log\n',
            title="Told, not used",
        ),
        Example(
            "FROM golang:1.23\nARG BUILDARCH TARGETARCH\n"
            'RUN if [ "$BUILDARCH" != "$TARGETARCH" ]; then export CGO_ENABLED=0; fi; go build .\n',
            title="Compared with the target",
        ),
        Example(
            "FROM debian AS tools\nARG BUILDARCH\n"
            "RUN curl -fsSL https://example.com/go.linux-${BUILDARCH}.tar.gz | tar xz -C /usr/local\n"
            "FROM tools\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH /usr/local/go/bin/go build -o /app .\n",
            title="A compiler that is told of the target",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each argument of a stage, at its first use."""
        aware = _aware(facts)
        for stage in facts.stages:
            if stage.kind is not PlatformKind.TARGET or not stage.reached or outputs_run_anywhere(stage):
                continue
            if stage.index in aware:
                continue  # it looks at both, and knows why
            for name, target in _TARGET.items():
                uses = list(_uses(facts, stage, frozenset({name})))
                chosen = [use for use in uses if _chooses(use)]
                if chosen:
                    yield self.finding(
                        chosen[0].span,
                        f"{name} names the machine that builds, and this stage runs on the target: an image for another "
                        f"platform gets files for the wrong machine (`exec format error`). Ask {target}.",
                        _fix(document, facts, stage, uses, name),
                    )


def _aware(facts: Facts) -> set[int]:
    """The numbers of the stages that look at the target too, and of those that they stand on."""
    found: set[int] = set()
    pending = [stage for stage in facts.stages if any(True for _ in _uses(facts, stage, _AWARE))]
    while pending:
        stage = pending.pop()
        if stage.index not in found:
            found.add(stage.index)
            parents = (stage.parent_for(target) for target in facts.targets)
            pending += (parent for parent in parents if parent is not None)
    return found


def _uses(facts: Facts, stage: StageFacts, names: frozenset[str]) -> Iterator[Use]:
    for instruction in stage.body:
        yield from uses_in(facts, stage, instruction, names)


def _chooses(use: Use) -> bool:
    """Whether what is fetched, copied or run hangs on it."""
    if not use.visible or use.assigned:
        return False
    if use.place is Place.SHELL:
        return use.command is None or use.command.name not in _SPEAKERS
    return use.place is Place.WORD and isinstance(use.instruction, Copy)


def _fix(document: Document, facts: Facts, stage: StageFacts, uses: Sequence[Use], name: str) -> Fix | None:
    """The target's argument in every use and in the one declaration; None where the stage is not on its own."""
    declared = [
        declaration
        for instruction in stage.body
        if isinstance(instruction, Arg)
        for declaration in instruction.declarations
        if declaration.name.value == name
    ]
    if len(declared) != 1 or any(use.assigned or not use.visible for use in uses):
        return None
    if any(use for other in stage.descendants() for use in _uses(facts, other, frozenset({name}))):
        return None
    if any(isinstance(use.instruction, Run) and not facts.shell(use.instruction).readable for use in uses):
        return None
    edits = [Edit.replace(declared[0].name.span, _TARGET[name])]
    for use in uses:
        text = use.span.of(document.source)
        if text.count(encode(name)) != 1:
            return None
        start = use.span.start + text.index(encode(name))
        edits.append(Edit.replace(Span(start, start + len(encode(name))), _TARGET[name]))
    return Fix(f"Ask {_TARGET[name]}", tuple(edits), Applicability.SAFE)
