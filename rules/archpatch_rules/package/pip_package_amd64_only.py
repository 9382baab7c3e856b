"""AP321."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install
from archpatch.facts.requirements import Requirement, python_requirements
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span
from archpatch_rules.package.musl import built_from_source, is_plain_alpine
from archpatch_rules.package.which import installs

# The first version with a wheel for aarch64, of packages that PyPI has no source of. Source: PyPI's files, as pip chooses
# among them, looked up in 2026-11.
_FIRST_WITH_ARM64 = {"tensorflow": (2, 10)}
_OTHER_SOURCES = ("--find-links", "-f", "--index-url", "-i", "--extra-index-url", "--no-index")


class PipPackageAmd64Only(Rule):
    """pip is asked for a package that has no wheel for arm64, and that cannot be compiled there either.

    On arm64 the build ends with `ERROR: No matching distribution found`. With `--only-binary=:all:` it does so for any
    package without a wheel for the architecture.

    So does an old version of a package that has wheels for arm64 since: `tensorflow` before 2.10.

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
        Example(
            "FROM python:3.8\nRUN pip install tensorflow==2.9.3\n",
            "FROM python:3.8\nRUN pip install tensorflow==2.9.3\n",
            "A version before the first with arm64",
        ),
        Example("FROM python:3.8\nRUN pip install tensorflow==2.10.0\n"),
        Example("FROM python:3.8\nCOPY wheels /wheels\nRUN pip install -f /wheels tensorflow==2.9.3\n"),
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
            yield from self._too_old(facts, install)
            yield from self._binary_only(facts, install)

    def _too_old(self, facts: Facts, install: Install) -> Iterator[Finding]:
        given = [word.raw.partition("=")[0] for word in install.options]
        if any(name in given for name in _OTHER_SOURCES) or is_plain_alpine(install.command.stage):
            return
        for requirement in python_requirements(facts, install):
            first, span = _FIRST_WITH_ARM64.get(requirement.name), _span(install, requirement)
            if first is None or not requirement.number or requirement.number >= first or requirement.marked:
                continue
            if why_fine(facts, install.run, span, install.command) is None:
                yield self.finding(
                    span,
                    f"{requirement.name} {requirement.version} has no wheel for arm64; the first one with it is "
                    f"{'.'.join(map(str, first))}.",
                )

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
