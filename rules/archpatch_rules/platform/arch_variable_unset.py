"""AP120."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, StageFacts, Use
from archpatch.rewrite import declare_arg
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document, Run
from archpatch.text import Applicability, Edit, Fix, decode

# Names that people give to the architecture, and the automatic argument of the same spelling where there is one.
_NAMES = {
    "GOARCH": "TARGETARCH",
    "GOOS": "TARGETOS",
    "ARCH": None,
    "TARGET_ARCH": None,
    "TARGET_PLATFORM": None,
    "IMAGE_ARCH": None,
    "BUILD_ARCH": None,
    "DOCKER_ARCH": None,
    "CPU_ARCH": None,
    "DEB_ARCH": None,
}


class ArchVariableUnset(Rule):
    """A variable for the architecture (`$GOARCH`, `$ARCH`) is used in a stage where nothing sets it.

    It is empty there: a replacement puts nothing in, a URL loses its architecture. Often it is set in another
    stage of the file, whose arguments do not reach this one.

    It is fine where the stage inherits it, the shell sets it or reads it from a file, a fallback stands beside it, or the
    base image may set it in its environment: so only stages on official base images are looked at.

    For GOARCH and GOOS the fix uses BuildKit's TARGETARCH and TARGETOS, which have the same spelling, and declares them.
    What was empty is filled in on amd64 too, so it is unsafe. Other names have no automatic fix: declare them, and
    set them from TARGETARCH.
    """

    code, name, severity = "AP120", "arch-variable-unset", Severity.WARNING
    hints = tuple(sorted(name.lower() for name in _NAMES))
    errors = ("404", "curl: (22) The requested URL returned error: 404")
    examples = (
        Example(
            "FROM golang:1.23 AS build\nARG GOARCH\nRUN go build -o /app .\n"
            "FROM alpine:3.20\nRUN sed -i s/x86_64/${GOARCH}/ /etc/app.conf\n",
            "FROM golang:1.23 AS build\nARG GOARCH\nRUN go build -o /app .\n"
            "FROM alpine:3.20\nARG TARGETARCH\nRUN sed -i s/x86_64/${TARGETARCH}/ /etc/app.conf\n",
            "Declared in another stage",
            applicability="unsafe",
        ),
        Example(
            "FROM debian:12\nRUN wget https://example.com/tool-${ARCH}.tgz\n",
            "FROM debian:12\nRUN wget https://example.com/tool-${ARCH}.tgz\n",
            "Declared nowhere",
        ),
        Example("FROM debian:12\nARG ARCH\nRUN wget https://example.com/tool-${ARCH}.tgz\n"),
        Example(
            "FROM debian:12\nRUN ARCH=$(dpkg --print-architecture) && wget https://example.com/tool-${ARCH}.tgz\n"
        ),
        Example(
            "FROM debian:12\nRUN echo ARCH=$(dpkg --print-architecture) >> /etc/environment\n"
            "RUN . /etc/environment && wget https://example.com/tool-${ARCH}.tgz\n",
            title="Kept in a file",
        ),
        Example(
            "FROM debian:12\nRUN ARCH=$(dpkg --print-architecture) && echo $ARCH\n"
            "RUN . /etc/os-release && wget https://example.com/tool-${ARCH}.tgz\n",
            "FROM debian:12\nRUN ARCH=$(dpkg --print-architecture) && echo $ARCH\n"
            "RUN . /etc/os-release && wget https://example.com/tool-${ARCH}.tgz\n",
            "Forgotten with the RUN before",
        ),
        Example(
            "FROM vendor/base:1\nRUN wget https://example.com/tool-${ARCH}.tgz\n",
            title="The image may set it",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage and name, at the first use."""
        groups: dict[tuple[int, str], list[Use]] = {}
        for use in facts.uses(*_NAMES):
            if not use.visible and not use.assigned and not use.operator and use.stage and _plain(use.stage):
                groups.setdefault((use.stage.index, use.name), []).append(use)
        for uses in groups.values():
            first, *others = uses
            yield self.finding(
                first.span,
                f"{first.name} is empty here: nothing sets it in this stage, neither an ARG or ENV nor the base image.",
                _fix(document, facts, uses),
                related=tuple(Related(use.span, "used here too") for use in others[:5]),
            )


def _plain(stage: StageFacts) -> bool:
    """Whether the base is an official image, which sets no such variable, or scratch."""
    root = stage.root
    if root.is_scratch:
        return True
    image = root.image
    return image is not None and image.known and "/" not in image.familiar.partition(":")[0]


def _fix(document: Document, facts: Facts, uses: list[Use]) -> Fix | None:
    automatic = _NAMES[uses[0].name]
    runs = (use.instruction for use in uses if isinstance(use.instruction, Run))
    if automatic is None or not all(facts.shell(run).readable for run in runs):
        return None
    edits = list(declare_arg(document, facts, uses[0].instruction, automatic))
    for use in uses:
        text = decode(use.span.of(document.source))
        edits.append(Edit.replace(use.span, text.replace(use.name, automatic)))
    return Fix(f"Use {automatic}", tuple(edits), Applicability.UNSAFE)
