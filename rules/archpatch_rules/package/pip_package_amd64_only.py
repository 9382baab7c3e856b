"""AP321."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install
from archpatch.facts.requirements import Requirement, python_requirements
from archpatch.facts.suppressors import why_fine
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span
from archpatch_rules.package.musl import built_from_source, is_plain_alpine
from archpatch_rules.package.which import installs, others


class PipPackageAmd64Only(Rule):
    """pip is asked for a package that has no wheel for arm64, and that cannot be compiled there either.

    On arm64 the build ends with `ERROR: No matching distribution found`. With `--only-binary=:all:` it does so for any
    package without a wheel for the architecture.

    It is fine in a branch that asks for the architecture, and with a marker: `mkl; platform_machine == "x86_64"`.

    There is no fix; the message names what stands in for the package, where something does (`oracledb` for `cx-Oracle`,
    `tensorflow` for `tensorflow-cpu`).
    """

    code, name, severity = "AP321", "pip-package-amd64-only", Severity.ERROR
    hints = ("pip",)
    errors = (
        "ERROR: No matching distribution found",
        "Could not find a version that satisfies the requirement",
    )
    examples = (
        Example(
            "FROM python:3.12\nRUN pip install intel-openmp numpy\n",
            "FROM python:3.12\nRUN pip install intel-openmp numpy\n",
        ),
        Example(
            "FROM python:3.12\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
            "FROM python:3.12\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": "numpy\nmkl==2024.0\n"},
        ),
        Example(
            "FROM python:3.12-alpine\nRUN pip install --only-binary=:all: grpcio==1.66.2\n",
            "FROM python:3.12-alpine\nRUN pip install --only-binary=:all: grpcio==1.66.2\n",
        ),
        Example("FROM python:3.12\nRUN pip install numpy\n"),
        Example('FROM python:3.12\nRUN if [ "$(uname -m)" = x86_64 ]; then pip install mkl; fi\n'),
        Example(
            "FROM python:3.12\nADD requirements.txt .\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": 'mkl==2024.0; platform_machine == "x86_64"\n'},
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each package."""
        if "arm64" not in others(facts):
            return
        for install in installs(facts, "pip"):
            for requirement in python_requirements(facts, install):
                row = facts.tables.package_lacks_arm64("pip", requirement.name)
                row = row or facts.tables.package_lacks_arm64("pip", requirement.name.replace("-", "_"))
                span = _span(install, requirement)
                if row is None or requirement.marked or why_fine(facts, install.run, span, install.command):
                    continue
                instead = f" {row['instead']} stands in for it." if row["instead"] else ""
                yield self.finding(
                    span, f"{requirement.name} has no wheel for arm64 ({row['note']}).{instead}"
                )
            yield from self._binary_only(facts, install)

    def _binary_only(self, facts: Facts, install: Install) -> Iterator[Finding]:
        option = install.option("--only-binary")
        if option is None or option.literal != ":all:" or not is_plain_alpine(install.command.stage):
            return
        for requirement, _ in built_from_source(facts, install):
            yield self.finding(
                _span(install, requirement),
                f"{requirement.name} {requirement.version} has no wheel for Alpine on arm64, and --only-binary forbids to "
                "compile it.",
                related=(Related(option.span, "nothing may be compiled"),),
            )


def _span(install: Install, requirement: Requirement) -> Span:
    """Where the command asks for it: the package's name, or the file that lists it."""
    for package in install.packages:
        if package.name == requirement.name and not package.local:
            return package.word.span
    return install.requirements[0].span if install.requirements else install.command.shell.span
