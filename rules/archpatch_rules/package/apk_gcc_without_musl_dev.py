"""AP312."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, StageFacts
from archpatch.rewrite import add_packages
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.musl import built_from_source, is_plain_alpine, lacks
from archpatch_rules.package.which import stages

_COMPILING = frozenset({"pip", "npm", "yarn", "pnpm", "gem", "bundle"})


class ApkGccWithoutMuslDev(Rule):
    """On Alpine, gcc is installed without the headers of the C library, and packages that may have to be compiled.

    On amd64 pip, npm or gem find finished binaries and never call the compiler. On arm64 there is none for some
    package, it is compiled, and ends with `fatal error: stdio.h: No such file or directory` or `cannot find crti.o`.

    It is fine with `musl-dev` or `libc-dev`, and with what brings them: `g++`, `build-base`, `alpine-sdk`, `go`, `cargo`.

    The fix adds `musl-dev` to the same `apk add`. It is safe: amd64 gets a package more. It is an error where the
    requirements name a package that is known to be compiled on arm64, else a warning.
    """

    code, name, severity = "AP312", "apk-gcc-without-musl-dev", Severity.ERROR
    hints = ("gcc", "clang")
    errors = (
        "fatal error: stdio.h: No such file or directory",
        "fatal error: limits.h: No such file or directory",
        "cannot find crti.o",
        "cannot find Scrt1.o",
        "C compiler cannot create executables",
    )
    examples = (
        Example(
            "FROM python:3.12-alpine\nRUN apk add --no-cache gcc libffi-dev\nRUN pip install cffi==1.16.0\n",
            "FROM python:3.12-alpine\nRUN apk add --no-cache gcc libffi-dev musl-dev\nRUN pip install cffi==1.16.0\n",
            applicability="safe",
        ),
        Example(
            "FROM node:22-alpine\nRUN apk add --no-cache \\\n    gcc \\\n    make\nCOPY . .\nRUN npm ci\n",
            "FROM node:22-alpine\nRUN apk add --no-cache \\\n    gcc \\\n    make \\\n    musl-dev\nCOPY . .\nRUN npm ci\n",
            applicability="safe",
        ),
        Example(
            "FROM python:3.12-alpine\nRUN apk add --no-cache g++\nRUN pip install cffi==1.16.0\n",
            title="g++ brings it",
        ),
        Example(
            "FROM python:3.12-alpine\nRUN apk add --no-cache gcc musl-dev\nRUN pip install cffi==1.16.0\n"
        ),
        Example("FROM alpine\nRUN apk add --no-cache gcc\n", title="Nothing is compiled"),
        Example("FROM python:3.12-alpine\nRUN apk add --no-cache gcc $DEPS\nRUN pip install cffi==1.16.0\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage that installs the compiler."""
        for stage in stages(facts):
            if not is_plain_alpine(stage):
                continue
            add = next((one for one in stage.installs_by("apk") if one.has("gcc", "clang")), None)
            if add is None or add.command.shell.only_on is not None:
                continue
            users = list(_compile(stage, add.run.span.start))
            if not users or lacks(stage, ["musl-dev"]) != ["musl-dev"]:
                continue
            known = [one.name for install in users for one, _ in built_from_source(facts, install)]
            words = [package.word for package in add.packages]
            compiler = next(package for package in add.packages if package.name in ("gcc", "clang"))
            what = f"{known[0]} is" if known else "what has no finished binary is"
            yield self.finding(
                compiler.word.span,
                f"{compiler.name} comes without the C library's headers: on arm64, {what} compiled and does not find stdio.h. "
                "musl-dev has them.",
                Fix("Add musl-dev", add_packages(document, words, ["musl-dev"]), Applicability.SAFE),
                severity=Severity.ERROR if known else Severity.WARNING,
                related=(Related(users[0].command.shell.span, "this may compile"),),
            )


def _compile(stage: StageFacts, after: int) -> Iterator[Install]:
    """Installations, in this stage or those built on it, that compile what has no finished binary."""
    for one in (stage, *stage.children):
        for install in one.installs_by(*_COMPILING):
            if install.run.span.start >= after and not any(
                word.raw.startswith("--only-binary") for word in install.options
            ):
                yield install
