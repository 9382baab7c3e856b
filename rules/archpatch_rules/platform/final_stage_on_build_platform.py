"""AP101."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.rewrite import delete_flag
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix

_CHECKS = frozenset({"lint", "test", "tests", "check", "validate", "verify", "vet", "fmt", "format"})


class FinalStageOnBuildPlatform(Rule):
    """The image that is shipped comes from a stage that runs on the build machine's platform.

    `FROM --platform=$BUILDPLATFORM` holds a stage, and every stage that is built `FROM` it, to the machine that
    builds. BuildKit then labels the result with the platform that was asked for, whatever is inside: the arm64
    image is full of amd64 binaries. Nothing fails on an amd64 machine, not even running the image there; on an
    arm64 node it ends in `exec format error`. A pipeline with one native node per architecture hides it.

    It is fine on a stage whose files are only copied from (a cross-compiling builder, a front end's bundler), on a last
    stage that is a check by its name (`lint`, `test`) and starts nothing, and for a final `FROM scratch`, which always
    gets the target platform.

    The fix drops the flag from the FROM that names the image: the only place where it has an effect. An amd64
    build on an amd64 machine stays the same, so it is safe; where another stage cross-compiles on that same base,
    it would now be emulated, so there it is unsafe: a `FROM` of its own for that builder keeps it fast.
    """

    code, name, severity = "AP101", "final-stage-on-build-platform", Severity.WARNING
    hints = ("--platform",)
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM python:3.12-alpine AS base\n"
            "FROM base AS builder\n"
            "RUN pip install --prefix=/install flask\n"
            "FROM base\n"
            "COPY --from=builder /install /usr/local\n",
            "FROM python:3.12-alpine AS base\n"
            "FROM base AS builder\n"
            "RUN pip install --prefix=/install flask\n"
            "FROM base\n"
            "COPY --from=builder /install /usr/local\n",
            "The final stage inherits the flag through its base",
            applicability="safe",
        ),
        Example(
            "FROM --platform=${BUILDPLATFORM:-linux/amd64} node:22\nCOPY . .\n",
            "FROM node:22\nCOPY . .\n",
            "The only stage carries it",
            applicability="safe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS base\n"
            "FROM base AS build\n"
            "ARG TARGETARCH\n"
            "RUN GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM base\n"
            "COPY --from=build /app /app\n",
            "FROM golang:1.23 AS base\n"
            "FROM base AS build\n"
            "ARG TARGETARCH\n"
            "RUN GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM base\n"
            "COPY --from=build /app /app\n",
            "A cross-compiling builder shares the base, and would be emulated",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG TARGETARCH\n"
            "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM alpine:3.20\n"
            "COPY --from=build /app /app\n",
            title="A builder that cross-compiles belongs on the build platform",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS base\nRUN go env\nFROM base AS lint\nRUN go vet ./...\n",
            title="The last stage is a check and no image",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM busybox AS base\nFROM scratch\nCOPY --from=base /etc/passwd /etc/\n",
            title="FROM scratch always has the target platform",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """The flag of the root of the final stage's chain."""
        final = facts.final
        if final is None or final.kind is not PlatformKind.BUILD or _is_check(final):
            return
        platform = final.platform(facts.targets[0])
        root, flag = platform.root, platform.flag
        if flag is None:
            return
        cross = [
            stage for stage in facts.stages if stage is not final and _cross_compiles(facts, stage, root)
        ]
        fix = Fix(
            "Drop --platform from the stage that becomes the image",
            (delete_flag(document, flag),),
            Applicability.UNSAFE if cross else Applicability.SAFE,
        )
        through = "" if root is final else f" (through `FROM {final.head.image.value}`)"
        yield self.finding(
            flag.span,
            f"The final image{through} is built from a base of the build machine's platform: the linux/arm64 image holds "
            "that machine's binaries (amd64 on most), which end in `exec format error`. Leave the flag off; builder stages "
            "may keep theirs.",
            fix,
            related=() if root is final else (Related(final.head.span, "the final stage, on this base"),),
        )


def _is_check(stage: StageFacts) -> bool:
    """Whether a stage is there to be run in the build, by its name, and starts nothing."""
    words = set((stage.name or "").replace("_", "-").split("-"))
    return not words.isdisjoint(_CHECKS) and not any(
        instruction.keyword in ("ENTRYPOINT", "CMD") for instruction in stage.body
    )


def _cross_compiles(facts: Facts, stage: StageFacts, root: StageFacts) -> bool:
    """Whether a stage on the same base looks at the target, so wants the build platform."""
    return stage.root is root and any(
        use.name.startswith("TARGET") for use in facts.uses("TARGETARCH", "TARGETPLATFORM", stage=stage)
    )
