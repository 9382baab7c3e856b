"""AP112."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts, ImageUse, ImageUseKind, PlatformKind, StageFacts
from archpatch.facts.suppressors import runs_anywhere
from archpatch.rewrite import insert_before
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document, Instruction, Run
from archpatch.text import Applicability, Edit, Fix, encode

_PROGRAMS = ("/bin", "/sbin")


class ImageCopyIntoBuildStage(Rule):
    """A program is copied from an image into a stage on the build machine's platform.

    `COPY --from=<image>` always takes the image of the target platform, wherever it is copied to, and so does
    `RUN --mount=from=<image>`. In a stage of `--platform=$BUILDPLATFORM` a build for linux/arm64 on an amd64 machine so
    gets an arm64 program, which ends in `exec format error` there, or runs slowly under emulation.

    It is fine where the image holds scripts alone (tonistiigi/xx), where what is copied is data, and where the stage
    does not run it.

    The fix gives the image a stage of its own on the build platform. It is unsafe: another stage comes in, and
    `--target` by number would count it.
    """

    code, name, severity = "AP112", "image-copy-into-build-stage", Severity.WARNING
    hints = ("--platform",)
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM python:3.12-slim AS build\n"
            "COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv\n"
            "RUN uv sync\n"
            "FROM python:3.12-slim\n"
            "COPY --from=build /app/dist /app\n",
            "FROM --platform=$BUILDPLATFORM ghcr.io/astral-sh/uv:0.5 AS uv\n"
            "FROM --platform=$BUILDPLATFORM python:3.12-slim AS build\n"
            "COPY --from=uv /uv /bin/uv\n"
            "RUN uv sync\n"
            "FROM python:3.12-slim\n"
            "COPY --from=build /app/dist /app\n",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM python:3.12-slim AS build\n"
            "RUN --mount=from=ghcr.io/astral-sh/uv:0.5,source=/uv,target=/bin/uv uv sync\n"
            "FROM python:3.12-slim\n"
            "COPY --from=build /app/dist /app\n",
            "FROM --platform=$BUILDPLATFORM ghcr.io/astral-sh/uv:0.5 AS uv\n"
            "FROM --platform=$BUILDPLATFORM python:3.12-slim AS build\n"
            "RUN --mount=from=uv,source=/uv,target=/bin/uv uv sync\n"
            "FROM python:3.12-slim\n"
            "COPY --from=build /app/dist /app\n",
            "Mounted for one RUN",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "COPY --from=tonistiigi/xx:1.6.1 / /\n"
            "FROM alpine\n"
            "COPY --from=build /etc/passwd /etc/passwd\n",
            title="Scripts run anywhere",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv\nRUN uv sync\n",
            title="A stage of the target platform",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """COPY --from=image, or a mount from one, of a program that a build-platform stage then runs."""
        for use in facts.images:
            step = use.instruction
            if use.kind is ImageUseKind.FROM or step.onbuild:
                continue
            if (
                use.stage.kind is not PlatformKind.BUILD
                or not use.stage.reached
                or use.ref.name == "tonistiigi/xx"
            ):
                continue
            programs = _copied(use.stage, step) if isinstance(step, Copy) else _mounted(facts, step, use)
            if not programs:
                continue
            how = "COPY" if use.kind is ImageUseKind.COPY else "The mount"
            yield self.finding(
                use.word.span,
                f"{how} takes `{use.ref.familiar}` for the target platform, and this stage runs `{programs[0]}` on the build "
                "machine: a build for another platform ends in `exec format error`, or is emulated. Name the image in a "
                "`FROM --platform=$BUILDPLATFORM` of its own.",
                self._fix(document, facts, use),
            )

    def _fix(self, document: Document, facts: Facts, use: ImageUse) -> Fix | None:
        name = re.sub(r"[^a-z0-9]+", "-", use.ref.repository.rsplit("/", 1)[-1].lower())
        numbered = any(
            isinstance(step, Copy) and step.source_stage and step.source_stage.value.isdecimal()
            for stage in facts.stages
            for step in stage.body
        )
        if numbered or not use.ref.known or any(stage.name == name for stage in facts.stages):
            return None
        line = f"FROM --platform=$BUILDPLATFORM {use.word.value} AS {name}"
        edits = (insert_before(document, use.stage.head, line), Edit.replace(use.word.span, encode(name)))
        return Fix("Take it for the build platform", edits, Applicability.UNSAFE)


def _copied(stage: StageFacts, step: Copy) -> list[str]:
    """The programs that are copied into a folder of programs and that the stage runs."""
    goal = step.destination.value.rstrip("/") if step.destination else ""
    called = {command.shell.name for command in stage.commands if command.run.span.start > step.span.start}
    found = []
    for source in step.sources:
        name = source.value.rstrip("/").rsplit("/", 1)[-1]
        installed = goal.endswith(_PROGRAMS) or goal.rsplit("/", 1)[0].endswith(_PROGRAMS)
        if installed and not runs_anywhere(source.value) and name in called:
            found.append(name)
    return found


def _mounted(facts: Facts, step: Instruction, use: ImageUse) -> list[str]:
    """The program that is mounted, where the RUN starts it."""
    if not isinstance(step, Run):
        return []
    for mount in step.mounts:
        goal = mount.get("target", "dst", "destination")
        if mount.get("from") is not use.word or goal is None or runs_anywhere(goal.value):
            continue
        called = {command.shell.name for command in facts.commands_of(step, use.stage)}
        return [name for name in (goal.value.rsplit("/", 1)[-1],) if name and name in called]
    return []
