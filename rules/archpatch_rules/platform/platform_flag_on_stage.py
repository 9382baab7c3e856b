"""AP103."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, StageFacts
from archpatch.platforms import Platform, UnknownPlatform
from archpatch.rewrite import delete_flag
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix


class PlatformFlagOnStage(Rule):
    """`--platform` on a `FROM` that names an earlier stage does nothing.

    BuildKit takes the platform of the stage that is named and ignores the flag, without a word. Whoever wrote
    `FROM --platform=$TARGETPLATFORM base` below a base on `$BUILDPLATFORM` believes that the image is now right;
    it still holds the binaries of the build machine.

    There is no case in which the flag has an effect; where it repeats what the base has anyway it is only noise,
    and a note.

    The fix deletes it: the build is the same byte for byte, so it is safe. What was meant is mended where the image
    is named: on the `FROM` of the base stage (final-stage-on-build-platform).
    """

    code, name, severity = "AP103", "platform-flag-on-stage", Severity.WARNING
    hints = ("--platform",)
    also = ("RedundantTargetPlatform", "FromPlatformFlagConstDisallowed", "DL3029", "DL3065")
    examples = (
        Example(
            "FROM --platform=linux/amd64 debian:bookworm-slim AS tools-amd64\n"
            "FROM --platform=linux/arm64 tools-amd64 AS build\n"
            "RUN make\n"
            "FROM scratch\n"
            "COPY --from=build /out /\n",
            "FROM --platform=linux/amd64 debian:bookworm-slim AS tools-amd64\n"
            "FROM tools-amd64 AS build\n"
            "RUN make\n"
            "FROM scratch\n"
            "COPY --from=build /out /\n",
            "Asks for another platform than the stage has",
            applicability="safe",
        ),
        Example(
            "FROM python:3.12 AS base\nFROM --platform=$TARGETPLATFORM base\nRUN pip install flask\n",
            "FROM python:3.12 AS base\nFROM base\nRUN pip install flask\n",
            "Repeats what the stage has anyway: a note",
            applicability="safe",
        ),
        Example("FROM python:3.12 AS base\nFROM base\nRUN pip install flask\n"),
        Example("FROM --platform=$BUILDPLATFORM golang:1.23 AS build\nRUN go version\nFROM scratch\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every flag on a FROM whose base is a stage."""
        for stage in facts.stages:
            flag, parent = stage.head.platform, stage.parent
            if flag is None or parent is None:
                continue
            differs = self._differs(facts, stage)
            yield self.finding(
                flag.span,
                f"`{flag.value.value if flag.value else ''}` has no effect: `{stage.head.image.value}` is an earlier stage, and a "
                "stage keeps the platform of its base image"
                + (". Set the platform where the image is named." if differs else ", which is the same."),
                Fix(
                    "Delete the flag that BuildKit ignores",
                    (delete_flag(document, flag),),
                    Applicability.SAFE,
                ),
                severity=Severity.WARNING if differs else Severity.NOTE,
                related=(Related(parent.root.head.span, "the platform is decided here"),),
            )

    def _differs(self, facts: Facts, stage: StageFacts) -> bool:
        """Whether the flag asks, for some target, for another platform than the stage has."""
        flag = stage.head.platform
        if flag is None or flag.value is None:
            return False
        for target in facts.targets:
            wanted = facts.scope(stage.head, target).expand(flag.value).text
            has = stage.platform(target).platform
            try:
                if wanted and has is not None and Platform.parse(wanted) != has:
                    return True
            except UnknownPlatform:
                return True
        return False
