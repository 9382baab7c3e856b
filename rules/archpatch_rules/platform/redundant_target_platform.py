"""AP110."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rewrite import delete_flag
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix


class RedundantTargetPlatform(Rule):
    """`FROM --platform=$TARGETPLATFORM image` says what BuildKit does anyway.

    An image without the flag is pulled for the target platform. The flag costs nothing but a warning of BuildKit's
    check (RedundantTargetPlatform) and of hadolint (DL3065).

    It is wanted in the explicit style, and by builders that set no target platform for a plain FROM (podman before 5);
    with a default on TARGETPLATFORM it is a pin and no repetition (platform-arg-default).

    The fix drops the flag: the build stays the same, so it is safe. The rule is asked only when it is named.
    """

    code, name, severity = "AP110", "redundant-target-platform", Severity.NOTE
    style, opt_in = Style.MINIMAL, True
    hints = ("targetplatform",)
    also = ("RedundantTargetPlatform", "DL3065")
    examples = (
        Example(
            "FROM --platform=$TARGETPLATFORM debian:bookworm-slim\nRUN true\n",
            "FROM debian:bookworm-slim\nRUN true\n",
            applicability="safe",
        ),
        Example(
            "ARG TARGETPLATFORM=linux/amd64\nFROM --platform=$TARGETPLATFORM debian:bookworm-slim\n",
            title="With a default it is a pin",
        ),
        Example("FROM --platform=$BUILDPLATFORM debian:bookworm-slim\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Flags that hold nothing but the automatic TARGETPLATFORM."""
        for stage in facts.stages:
            flag = stage.head.platform
            if flag is None or flag.value is None or stage.parent is not None:
                continue
            if flag.value.value.strip("\"'") not in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
                continue
            if all(stage.platform(target).platform == target for target in facts.targets):
                yield self.finding(
                    flag.span,
                    "The target platform is what a FROM without the flag gets too.",
                    Fix("Drop the redundant flag", (delete_flag(document, flag),), Applicability.SAFE),
                )
