"""AP109."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from archpatch.facts import Command, Facts, PlatformKind, StageFacts
from archpatch.facts.compiles import compiled_by
from archpatch.rewrite import insert_before
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.syntax.tree import Arg, Document
from archpatch.text import Applicability, Edit, Fix

_COMPILERS = frozenset(
    [
        "gcc",
        "g++",
        "clang",
        "cc",
        "build-base",
        "build-essential",
        "musl-dev",
        "make",
        "cmake",
        "gcc-c++",
        "rust",
        "cargo",
    ]
)
# What compilers that an image brings along are called by.
_CALLED = ("gcc", "g++", "clang", "cc ", "rustc", "cargo", "cmake", "make", "swift build", "ghc", "gfortran")


class ImplicitTargetPlatform(Rule):
    """A stage that compiles native code relies on FROM choosing the target platform unsaid.

    BuildKit does choose it, so nothing is wrong. A reader may not know; older builders (podman before 5) may choose
    otherwise.

    In the minimal style this is a note and stays as it is: Docker's own check calls the flag redundant.

    The explicit style writes `ARG TARGETPLATFORM` above the first FROM and `--platform=$TARGETPLATFORM` on the FROM that
    names the image, never on one that names a stage, where BuildKit ignores it. The build stays the same, so it is
    safe; the legacy builder, which sets no such argument, cannot read the file any more.
    """

    code, name, severity = "AP109", "implicit-target-platform", Severity.NOTE
    style = Style.EXPLICIT
    hints = tuple(sorted({*_COMPILERS, *_CALLED}))
    examples = (
        Example(
            "FROM python:3.12-alpine AS base\nFROM base AS builder\nRUN apk add --no-cache g++ && pip install grpcio\n"
            "FROM base\nCOPY --from=builder /usr/local /usr/local\n",
            "ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM python:3.12-alpine AS base\nFROM base AS builder\n"
            "RUN apk add --no-cache g++ && pip install grpcio\nFROM base\nCOPY --from=builder /usr/local /usr/local\n",
            style=Style.EXPLICIT,
            applicability="safe",
        ),
        Example(
            "FROM rust:1.80\nRUN cargo build --release\n",
            "ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM rust:1.80\nRUN cargo build --release\n",
            "With the image's own compiler",
            style=Style.EXPLICIT,
            applicability="safe",
        ),
        Example(
            "FROM golang:1.23\nRUN go build -o /app .\n",
            title="Go needs none of the image",
            style=Style.EXPLICIT,
        ),
        Example("FROM python:3.12-alpine\nRUN pip install flask\n", title="Nothing is compiled"),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23\nRUN apt-get install -y gcc\nFROM scratch\n",
            title="It says where it runs",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Image stages without a flag on which something is compiled, there or in a stage built on them."""
        for stage in facts.stages:
            if (
                stage.image is None
                or stage.head.platform is not None
                or stage.kind is not PlatformKind.TARGET
            ):
                continue
            if stage.members or not any(map(_compiles, chain((stage,), stage.descendants()))):
                continue
            image = stage.head.image
            edits = [Edit.insert(image.span.start, "--platform=$TARGETPLATFORM ")]
            if not _declared(document):
                edits.append(insert_before(document, document.stages[0].head, "ARG TARGETPLATFORM"))
            yield self.finding(
                image.span,
                "Native code is compiled on this image for the target platform, which FROM chooses unsaid.",
                Fix("Say the target platform", tuple(edits), Applicability.SAFE),
            )


def _declared(document: Document) -> bool:
    """Whether the file declares the argument before its first FROM."""
    return any(
        declaration.name.value == "TARGETPLATFORM"
        for instruction in document.globals
        if isinstance(instruction, Arg)
        for declaration in instruction.declarations
    )


def _compiles(stage: StageFacts) -> bool:
    installs = stage.installs_by(known=_COMPILERS)
    return any(not install.names.isdisjoint(_COMPILERS) for install in installs) or any(
        _is_native(command) for command in stage.commands_with(*_CALLED)
    )


def _is_native(command: Command) -> bool:
    """Whether a command of the image's own compiles for it; Go does so for whatever it is told, with no C library."""
    return command.shell.name != "go" and compiled_by(command) is not None
