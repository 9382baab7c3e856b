"""AP203."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, ImageUseKind, Variable, VariableKind
from archpatch.facts.values import names_in
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix
from archpatch_rules.image.names import NamedArch, named_arches

# Publishers who have each image once for each architecture, under Docker's words.
_SYSTEMATIC = (
    "k8s.gcr.io/",
    "registry.k8s.io/",
    "gcr.io/google_containers/",
    "gcr.io/google-containers/",
    "us.gcr.io/k8s-artifacts-prod/",
)


class BaseArchInName(Rule):
    """The base's name holds one architecture: `debian-base-amd64`, `manylinux2014_x86_64`, `pause-amd64`.

    An image of that name holds one architecture. Whatever platform is asked for, BuildKit takes it and labels the
    result with the platform asked for; the program ends in `exec format error`.

    It is fine in a file that is for that architecture by its name, in a stage of a per-arch family, and where the stage
    is pinned to that architecture as a tool.

    The fix writes `${TARGETARCH}`, which a FROM knows without an ARG, for publishers that name all their images so
    (Kubernetes); or it lets the ARG that holds the word follow it. amd64 gets the same image; it is unsafe, because
    nobody has asked the registry for the other one: `archpatch verify` does. Newer images mostly have one name for all.
    """

    code, name, severity = "AP203", "base-arch-in-name", Severity.WARNING
    hints = (
        "amd64",
        "x86_64",
        "x86-64",
        "x64",
        "64bit",
        "linux64",
        "arm64",
        "aarch64",
        "arm32",
        "armhf",
        "armv",
        "i386",
    )
    errors = ("exec format error", "InvalidBaseImagePlatform")
    examples = (
        Example(
            "FROM us.gcr.io/k8s-artifacts-prod/build-image/debian-base-amd64:v2.1.0\n",
            "FROM us.gcr.io/k8s-artifacts-prod/build-image/debian-base-${TARGETARCH}:v2.1.0\n",
            applicability="unsafe",
        ),
        Example(
            "ARG GOARCH=amd64\nFROM gcr.io/google-containers/debian-iptables-${GOARCH}:v12.0.1\n",
            "ARG GOARCH=${TARGETARCH}\nFROM gcr.io/google-containers/debian-iptables-${GOARCH}:v12.0.1\n",
            "By an argument",
            applicability="unsafe",
        ),
        Example(
            "FROM quay.io/pypa/manylinux2014_x86_64\n",
            "FROM quay.io/pypa/manylinux2014_x86_64\n",
            "A word that no automatic argument gives",
        ),
        Example("FROM registry.k8s.io/build-image/debian-base:v2.1.0\n"),
        Example(
            "FROM --platform=linux/amd64 example.com/cross-x86_64 AS tool\nFROM debian\n",
            title="A pinned tool",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Images whose repository names one architecture."""
        for named in named_arches(facts):
            variable = None if named.span is not None else _variable(facts, named)
            if named.tag or (variable is not None and variable.name != "GOARCH"):
                continue  # an ARG of one's own is literal-arch-arg's matter
            declared = variable.declaration if variable is not None else None
            yield self.finding(
                named.use.word.span,
                f"`{named.text}` is an image for {named.word.arch} alone: whatever platform is asked for, it is taken, "
                f"and an image for another architecture carries its label over {named.word.arch} programs.",
                _fix(named, variable),
                related=() if declared is None else (Related(declared.span, "the word comes from here"),),
            )


def _variable(facts: Facts, named: NamedArch) -> Variable | None:
    """The ARG before the first FROM that holds the word."""
    found = (facts.globals.get(name) for name in sorted(names_in(named.use.word.value, facts.escape)))
    given = (variable for variable in found if variable is not None and variable.kind is VariableKind.GLOBAL)
    return next((variable for variable in given if named.word.text in (variable.value.text or "")), None)


def _fix(named: NamedArch, variable: Variable | None) -> Fix | None:
    if (
        named.word.text != "amd64"
        or named.use.kind is not ImageUseKind.FROM
        or named.use.ref.digest is not None
    ):
        return None
    if not named.use.ref.name.startswith(_SYSTEMATIC):
        return None
    if variable is not None and variable.declaration is not None:
        value = variable.declaration.value
        span = value.find("amd64") if value is not None and value.value == "amd64" else None
    else:
        span = named.word_span
    if span is None:
        return None
    edit = Edit.replace(span, "${TARGETARCH}")
    return Fix("Take the image of the architecture that is built", (edit,), Applicability.UNSAFE)
