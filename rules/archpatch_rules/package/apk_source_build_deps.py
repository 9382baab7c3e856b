"""AP316."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install
from archpatch.facts.targets import others
from archpatch.rewrite import add_packages, insert_before
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.musl import built_from_source, is_plain_alpine, lacks, last_add
from archpatch_rules.package.which import stages


class ApkSourceBuildDeps(Rule):
    """On Alpine, pip installs a version that has no wheel for arm64, and what compiling it takes is not installed.

    On amd64 pip takes the finished wheel. On arm64 it compiles the package, and the build ends with `command 'gcc' failed`,
    `fatal error: linux/futex.h: No such file or directory`, or `ffi.h: No such file or directory`.

    It is fine where the packages are installed, and with a version that has wheels for both. Only packages that are known
    to differ so count, at the version that the requirements pin.

    The fix adds what is missing to the stage's own `apk add`, which is safe: amd64 gets packages more. Where there is no
    `apk add`, it makes one, which is unsafe. A newer version of the package is the better cure.
    """

    code, name, severity = "AP316", "apk-source-build-deps", Severity.ERROR
    hints = ("pip",)
    errors = (
        "error: command 'gcc' failed: No such file or directory",
        "fatal error: linux/futex.h: No such file or directory",
        "fatal error: ffi.h: No such file or directory",
        "error: subprocess-exited-with-error",
    )
    examples = (
        Example(
            "FROM python:3.12-alpine\nRUN apk add --no-cache g++\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
            "FROM python:3.12-alpine\nRUN apk add --no-cache g++ linux-headers\nCOPY requirements.txt .\n"
            "RUN pip install -r requirements.txt\n",
            files={"requirements.txt": "grpcio==1.66.2 \\\n    --hash=sha256:abc\n"},
            applicability="safe",
        ),
        Example(
            "FROM python:3.12-alpine\nRUN pip install cffi==1.16.0\n",
            "FROM python:3.12-alpine\nRUN apk add --no-cache gcc libffi-dev musl-dev\nRUN pip install cffi==1.16.0\n",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12-alpine\nRUN pip install cffi==1.17.1 grpcio\n",
            title="Versions with wheels for both",
        ),
        Example("FROM python:3.12-slim\nRUN pip install grpcio==1.66.2\n", title="glibc has wheels for both"),
        Example(
            "FROM python:3.12-alpine\nRUN apk add build-base linux-headers\nRUN pip install grpcio==1.66.2\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each `pip install`."""
        if "arm64" not in others(facts):
            return
        for stage in stages(facts):
            pips = list(stage.installs_by("pip")) if is_plain_alpine(stage) else []
            for install in pips:
                found = [
                    (one, build)
                    for one, build in built_from_source(facts, install)
                    if lacks(stage, build.needs)
                ]
                missing = lacks(stage, {name for _, build in found for name in build.needs})
                # a gcc without headers is another rule's matter
                if missing and missing != ["musl-dev"]:
                    requirement = found[0][0]
                    yield self.finding(
                        install.command.shell.span,
                        f"{requirement.name} {requirement.version} has no wheel for Alpine on arm64, and is compiled there: "
                        f"that takes {', '.join(missing)}.",
                        _fix(document, install, missing),
                        related=tuple(Related(stage.head.span, "the image") for _ in missing[:1]),
                    )


def _fix(document: Document, install: Install, missing: list[str]) -> Fix | None:
    add = last_add(install.command.stage)
    if add is not None:
        if add.run.span.start > install.run.span.start:
            return None
        edits = add_packages(document, [package.word for package in add.packages], missing)
        return Fix("Add what compiling takes", edits, Applicability.SAFE)
    if install.command.stage.user is not None:
        return None
    line = f"RUN apk add --no-cache {' '.join(missing)}"
    return Fix(
        "Install what compiling takes", (insert_before(document, install.run, line),), Applicability.UNSAFE
    )
