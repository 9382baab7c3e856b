"""AP203."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, ImageUse, ImageUseKind, Variable, VariableKind
from archpatch.facts.targets import choices
from archpatch.facts.values import names_in
from archpatch.platforms import Convention
from archpatch.rewrite import attached_start
from archpatch.rewrite.stages import counts_stages
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document, From
from archpatch.text import Applicability, Edit, Fix, decode, regex
from archpatch_rules.image.names import NamedArch, named_arches

# Publishers who have each image once for each architecture, under Docker's words.
_SYSTEMATIC = (
    "k8s.gcr.io/",
    "registry.k8s.io/",
    "gcr.io/google_containers/",
    "gcr.io/google-containers/",
    "us.gcr.io/k8s-artifacts-prod/",
)


# PyPA's images for building wheels: one for each architecture, under the kernel's words. Source: the manylinux project's
# README; manylinux1 and manylinux2010 are for x86 alone.
_WHEELS = regex(r"pypa/((?:manylinux2014|manylinux_2_\d+|musllinux_1_\d+))_x86_64")
_WHEEL_ARCHES = frozenset({"amd64", "arm64", "ppc64le", "s390x"})


class BaseArchInName(Rule):
    """The base's name holds one architecture: `debian-base-amd64`, `manylinux2014_x86_64`, `pause-amd64`.

    An image of that name holds one architecture. Whatever platform is asked for, BuildKit takes it and labels the
    result with the platform asked for; the program ends in `exec format error`.

    It is fine in a file that is for that architecture by its name, in a stage of a per-arch family, and where the stage
    is pinned to that architecture as a tool.

    The fix writes `${TARGETARCH}`, which a FROM knows without an ARG, for publishers that name all their images so
    (Kubernetes); or it lets the ARG that holds the word follow it. PyPA's images for wheels say `x86_64` and `aarch64`,
    which no argument holds: there it makes a stage for each. amd64 gets the same image; it is unsafe, because nobody has
    asked the registry for the other one (`archpatch verify` does), and because `--target` by number would count new
    stages. Newer images mostly have one name for all.
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
            "FROM quay.io/pypa/manylinux_2_28_x86_64:2024.07.02-0 AS wheels\nRUN /opt/python/cp312-cp312/bin/pip wheel /src\n",
            "FROM quay.io/pypa/manylinux_2_28_x86_64:2024.07.02-0 AS manylinux_2_28-amd64\n\n"
            "FROM quay.io/pypa/manylinux_2_28_aarch64:2024.07.02-0 AS manylinux_2_28-arm64\n\n"
            "FROM manylinux_2_28-${TARGETARCH} AS wheels\nRUN /opt/python/cp312-cp312/bin/pip wheel /src\n",
            "PyPA's images: a stage for each architecture",
            applicability="unsafe",
            whole_file=True,
        ),
        Example(
            "FROM quay.io/pypa/manylinux1_x86_64\n",
            "FROM quay.io/pypa/manylinux1_x86_64\n",
            "One that there never was for arm64",
        ),
        Example(
            "FROM dockcross/linux-x64\n",
            "FROM dockcross/linux-x64\n",
            "A publisher whose other names are not known",
        ),
        Example("FROM registry.k8s.io/build-image/debian-base:v2.1.0\n"),
        Example(
            "FROM debian\nCOPY --from=example.com/agent-amd64 /agent /srv/agent-amd64\n"
            "COPY --from=example.com/agent-arm64 /agent /srv/agent-arm64\n",
            title="The files of both",
        ),
        Example(
            "FROM example.com/agent:1-amd64 AS amd\nFROM example.com/agent:1-arm64 AS arm\nFROM scratch\n"
            "COPY --from=amd /agent /agent-amd64\nCOPY --from=arm /agent /agent-arm64\n",
            title="The files of both, each from a stage",
        ),
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
                _fix(named, variable) or _stage_for_each(document, facts, named),
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


def _stage_for_each(document: Document, facts: Facts, named: NamedArch) -> Fix | None:
    """A stage for each architecture, and FROM that picks among them; for every FROM of this image at once."""
    ref = named.use.ref
    match = _WHEELS.fullmatch(ref.repository)
    if match is None or ref.registry != "quay.io" or ref.digest is not None or facts.once(counts_stages):
        return None
    arches = choices(facts)
    uses = [use for use in facts.images if use.ref.repository == ref.repository]
    if not _WHEEL_ARCHES.issuperset(arches) or not all(_plain(use, ref.tag) for use in uses):
        return None
    family = match[1]
    if any((stage.name or "").startswith(f"{family}-") for stage in facts.stages):
        return None
    newline = decode(document.newline)
    image = named.use.word.verbatim
    stages = "".join(
        f"FROM {image.replace('_x86_64', f'_{Convention.UNAME.spell(arch)}')} AS {family}-{arch}{newline * 2}"
        for arch in arches
    )
    edits = [Edit.insert(attached_start(document, uses[0].instruction), stages)]
    edits += (Edit.replace(use.word.span, f"{family}-${{TARGETARCH}}") for use in uses)
    return Fix("Take the image of the architecture that is built", tuple(edits), Applicability.UNSAFE)


def _plain(use: ImageUse, tag: str | None) -> bool:
    """Whether a FROM names the image in so many words, for the platform that is built, with this tag."""
    head = use.instruction
    return (
        isinstance(head, From)
        and head.platform is None
        and use.ref.repository_span is not None
        and use.ref.tag == tag
        and use.ref.digest is None
    )
