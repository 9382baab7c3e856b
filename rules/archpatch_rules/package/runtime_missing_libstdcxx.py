"""AP314."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import CopyOut, Facts, Install, StageFacts
from archpatch.facts.managers import words_of
from archpatch.facts.requirements import Requirement
from archpatch.facts.targets import others
from archpatch.rewrite import add_packages, attached_start
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, decode
from archpatch_rules.package.musl import built_from_source, installed, is_plain_alpine, last_add

_SITE = (
    "site-packages",
    "dist-packages",
    "venv",
    "/.local",
    "/install",
    "/usr/local",
    "/wheels",
    "/packages",
)
# Packages that do not bring libstdc++ with them; what any other one brings is not known.
_HARMLESS = words_of(
    """
    bash ca-certificates curl dumb-init git libc6-compat libffi libgcc libpq libressl openssl
    postgresql-libs py3-pip python3 shadow su-exec sudo tini tzdata wget
    """
)


class RuntimeMissingLibstdcxx(Rule):
    """An Alpine image takes Python packages from a build stage, and has no libstdc++ for those compiled there.

    On amd64 the finished wheel holds what it needs. On arm64 there is no wheel for this version, the package is compiled,
    and the image ends at its start with `Error loading shared library libstdc++.so.6: No such file or directory`.

    It is fine with `libstdc++` or a package that brings it. Only packages that are known to differ so between the
    architectures count, at the version that the requirements pin.

    The fix adds `libstdc++` to the stage's own `apk add`, which is safe: amd64 gets a package more. Where there is no
    `apk add`, it makes one below FROM, which is unsafe.
    """

    code, name, severity = "AP314", "runtime-missing-libstdcxx", Severity.ERROR
    hints = ("pip",)
    errors = (
        "Error loading shared library libstdc++.so.6",
        "Error loading shared library libgcc_s.so.1",
        "ImportError: Error loading shared library libstdc++.so.6: No such file or directory",
        "cannot find -lgcc_s",
    )
    examples = (
        Example(
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache g++ linux-headers\nCOPY requirements.txt .\n"
            "RUN pip install -r requirements.txt\n"
            "FROM python:3.12-alpine\nRUN apk add --no-cache ca-certificates\n"
            "COPY --from=builder /usr/local/lib/python3.12/ /usr/local/lib/python3.12/\n",
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache g++ linux-headers\nCOPY requirements.txt .\n"
            "RUN pip install -r requirements.txt\n"
            "FROM python:3.12-alpine\nRUN apk add --no-cache ca-certificates libstdc++\n"
            "COPY --from=builder /usr/local/lib/python3.12/ /usr/local/lib/python3.12/\n",
            files={"requirements.txt": "flask==3.0.0\ngrpcio==1.66.2\n"},
            applicability="safe",
            whole_file=True,
        ),
        Example(
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache build-base linux-headers\n"
            "RUN pip install --prefix=/install grpcio==1.66.2\n"
            "FROM python:3.12-alpine\nCOPY --from=builder /install /usr/local\n",
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache build-base linux-headers\n"
            "RUN pip install --prefix=/install grpcio==1.66.2\n"
            "FROM python:3.12-alpine\nRUN apk add --no-cache libstdc++\nCOPY --from=builder /install /usr/local\n",
            applicability="unsafe",
            whole_file=True,
        ),
        Example(
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache g++ linux-headers\n"
            "RUN pip install -t /deps grpcio==1.66.2\n"
            "FROM python:3.12-alpine\nRUN apk add --no-cache curl\nCOPY --from=builder /deps /srv\n",
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache g++ linux-headers\n"
            "RUN pip install -t /deps grpcio==1.66.2\n"
            "FROM python:3.12-alpine\nRUN apk add --no-cache curl libstdc++\nCOPY --from=builder /deps /srv\n",
            "A folder that pip is told of",
            applicability="safe",
            whole_file=True,
        ),
        Example(
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache g++ linux-headers\nRUN pip install grpcio==1.76.0\n"
            "FROM python:3.12-alpine\nCOPY --from=builder /usr/local /usr/local\n",
            title="A version with wheels for both",
            whole_file=True,
        ),
        Example(
            "FROM python:3.12-alpine AS builder\nRUN apk add --no-cache g++ linux-headers\nRUN pip install grpcio==1.66.2\n"
            "FROM python:3.12-alpine\nRUN apk add --no-cache libstdc++\nCOPY --from=builder /usr/local /usr/local\n",
            title="It is there",
            whole_file=True,
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for the last stage."""
        stage = facts.final
        if stage is None or "arm64" not in others(facts) or not is_plain_alpine(stage):
            return
        present = installed(stage)
        if (
            present is None
            or not present <= _HARMLESS
            or stage.root.image is None
            or stage.root.image.name == "node"
        ):
            return
        for copy in (copy for one in stage.chain for copy in one.copies_in):
            requirement = _compiled(facts, copy)
            if requirement is not None:
                version = f"{requirement.name} {requirement.version}"
                yield self.finding(
                    copy.word.span,
                    f"{version} is compiled on arm64, for it has no wheel there, and then needs libstdc++, which this image "
                    "does not have: it ends with `Error loading shared library libstdc++.so.6`.",
                    _fix(document, stage),
                    related=(Related(stage.head.span, "libstdc++ is missing in this image"),),
                )
                return


def _compiled(facts: Facts, copy: CopyOut) -> Requirement | None:
    """A package in C++ that is among what is taken and is compiled on arm64."""
    for install in copy.source.all_installs("pip"):
        if not any(_holds(source.value, install) for source in copy.sources):
            continue
        for requirement, build in built_from_source(facts, install):
            if build.cxx:
                return requirement
    return None


def _holds(path: str, install: Install) -> bool:
    """Whether what is copied may be where pip has put the packages: by its name, or since pip was told of that folder."""
    told = install.option("--prefix", "--target", "-t", "--root")
    folder = (told.literal or "").rstrip("/") if told is not None else ""
    return any(mark in path for mark in _SITE) or (
        folder != "" and f"{path.rstrip('/')}/".startswith(f"{folder}/")
    )


def _fix(document: Document, stage: StageFacts) -> Fix:
    add = last_add(stage)
    if add is not None:
        edits = add_packages(document, [package.word for package in add.packages], ["libstdc++"])
        return Fix("Add libstdc++", edits, Applicability.SAFE)
    newline = decode(document.newline)
    at = attached_start(document, stage.body[0])
    return Fix(
        "Install libstdc++",
        (Edit.insert(at, f"RUN apk add --no-cache libstdc++{newline}"),),
        Applicability.UNSAFE,
    )
