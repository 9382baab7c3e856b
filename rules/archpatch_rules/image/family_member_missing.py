"""AP206."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.platforms import arch_words
from archpatch.rewrite import insert_before
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, decode


class FamilyMemberMissing(Rule):
    """`FROM build-${TARGETARCH}` has no stage for an architecture that is asked for.

    What names no stage names an image: the build for arm64 asks the registry for `docker.io/library/build-arm64`, which
    does not exist: `pull access denied, repository does not exist or may require authorization`.

    It is fine where the architecture is not asked for, and where no stage has such a name at all: then images are meant.

    The fix adds a stage of the missing name on top of the one for amd64, where nothing in that one speaks of an
    architecture. It is unsafe: whoever made a stage for each architecture had a reason. Else write the stage.
    """

    code, name, severity = "AP206", "family-member-missing", Severity.ERROR
    hints = ("targetarch", "targetplatform", "targetvariant", "buildarch")
    errors = ("pull access denied, repository does not exist or may require authorization",)
    examples = (
        Example(
            "FROM debian AS build-amd64\nRUN make\nFROM build-${TARGETARCH}\n",
            "FROM debian AS build-amd64\nRUN make\nFROM build-amd64 AS build-arm64\n\nFROM build-${TARGETARCH}\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian AS get-amd64\nADD https://example.com/x86_64.tgz /\nFROM get-${TARGETARCH}\n",
            "FROM debian AS get-amd64\nADD https://example.com/x86_64.tgz /\nFROM get-${TARGETARCH}\n",
            "The stage is for amd64 indeed",
        ),
        Example("FROM debian AS a-amd64\nFROM debian AS a-arm64\nFROM a-${TARGETARCH}\n"),
        Example("FROM example.com/base-${TARGETARCH}\n", title="An image"),
        Example(
            "FROM debian AS build-amd64\nFROM build-${TARGETARCH}\n",
            title="arm64 is not asked for",
            platforms=("linux/amd64",),
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each FROM of a family with a gap."""
        for stage in facts.stages:
            missing = stage.missing_members
            if not missing:
                continue
            wanted = ", ".join(f"`{stage.base(target).text}`" for target in missing)
            known = ", ".join(member.name or "" for member in stage.every_member.values())
            member = next(iter(stage.every_member.values()))
            yield self.finding(
                stage.head.image.span,
                f"No stage is called {wanted} (there is {known}), so the build for {missing[0]} looks for an image of "
                "that name and fails.",
                _fix(document, stage),
                related=(Related(member.head.span, "a stage of this family"),),
            )


def _fix(document: Document, stage: StageFacts) -> Fix | None:
    model = stage.every_member.get("amd64")
    names = [stage.base(target).text for target in stage.missing_members]
    if model is None or not model.name or model.kind is not PlatformKind.TARGET or None in names:
        return None
    if any(copy.word.value.isdecimal() for other in stage.facts.stages for copy in other.copies_in):
        return None  # a stage more would shift the numbers
    texts = [model.head.image.verbatim, *(decode(step.span.of(document.source)) for step in model.body)]
    if any(arch_words(text) for text in texts):
        return None
    lines = "".join(f"FROM {model.name} AS {name}\n" for name in names)
    edit = insert_before(document, stage.head, lines)
    return Fix("Add the missing stage on top of that for amd64", (edit,), Applicability.UNSAFE)
