"""AP330."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archpatch.facts import Facts, Install, StageFacts
from archpatch.facts.managers import words_of
from archpatch.facts.requirements import Requirement, python_requirements
from archpatch.facts.targets import others
from archpatch.rewrite import add_packages, insert_before
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.which import stages


class _SourceBuild(NamedTuple):
    """A Python package whose versions before `until` have a wheel for glibc on x86_64 and none on aarch64; `needs`: what
    compiling it takes of Debian, empty where that hangs on more than packages."""

    until: tuple[int, ...]
    needs: tuple[str, ...]


# Source: PyPI's files for manylinux, x86_64 and aarch64, as pip chooses among them, looked up in 2026-11.
_SOURCE_BUILDS = {
    "psutil": _SourceBuild((6,), ("gcc", "libc6-dev")),
    "netifaces": _SourceBuild((0, 12), ("gcc", "libc6-dev")),
    "pynacl": _SourceBuild((1, 5), ("gcc", "libc6-dev", "make")),
    "confluent-kafka": _SourceBuild((2, 1), ()),
}
# Packages of Debian that are a compiler, or may bring one.
_COMPILERS = words_of(
    """
    build-essential cargo ccache checkinstall clang cmake debhelper devscripts dpkg-dev g++ gcc gfortran golang golang-go
    libtool node-gyp npm python3-pip r-base rustc tcc
    """
)
_OTHER_SOURCES = ("--find-links", "-f", "--index-url", "-i", "--extra-index-url", "--no-index")


class PipWithoutCompiler(Rule):
    """pip installs a version that has no wheel for arm64, in an image without a compiler (`python:3.12-slim`).

    On amd64 pip takes the finished wheel. On arm64 it compiles the package, and the build ends with `error: command 'gcc'
    failed: No such file or directory`.

    It is fine where a compiler is installed, with wheels of one's own, and with a version that has wheels for both. Only
    packages that are known to differ so count, at the version that the requirements pin.

    The fix adds what compiling takes to the stage's own `apt-get install`, which is safe: amd64 gets packages more. Where
    there is none above, it makes one, which is unsafe. A newer version of the package is the better cure.
    """

    code, name, severity = "AP330", "pip-without-compiler", Severity.ERROR
    hints = ("pip",)
    errors = (
        "error: command 'gcc' failed: No such file or directory",
        "error: command 'x86_64-linux-gnu-gcc' failed",
        "unable to execute 'gcc': No such file or directory",
        "error: subprocess-exited-with-error",
    )
    examples = (
        Example(
            "FROM python:3.11-slim\nRUN apt-get update && apt-get install -y --no-install-recommends curl\n"
            "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
            "FROM python:3.11-slim\nRUN apt-get update && apt-get install -y --no-install-recommends curl gcc libc6-dev\n"
            "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": "flask==3.0.0\npsutil==5.9.8\n"},
            applicability="safe",
        ),
        Example(
            "FROM python:3.9-slim-bullseye\nRUN pip install pynacl==1.4.0\n",
            "FROM python:3.9-slim-bullseye\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make "
            "&& rm -rf /var/lib/apt/lists/*\n"
            "RUN pip install pynacl==1.4.0\n",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.11-slim\nRUN pip install confluent-kafka==2.0.2\n",
            "FROM python:3.11-slim\nRUN pip install confluent-kafka==2.0.2\n",
            "It takes a library of a certain version too",
        ),
        Example("FROM python:3.11-slim\nRUN pip install psutil==6.1.0 netifaces\n", title="Wheels for both"),
        Example(
            "FROM python:3.11-slim\nRUN apt-get update && apt-get install -y build-essential\nRUN pip install psutil==5.9.8\n"
        ),
        Example("FROM python:3.11\nRUN pip install psutil==5.9.8\n", title="The whole image has a compiler"),
        Example(
            "FROM python:3.11-slim\nCOPY wheels /wheels\nRUN pip install --find-links /wheels psutil==5.9.8\n",
            title="Wheels of one's own",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each `pip install`."""
        if "arm64" not in others(facts):
            return
        for stage in stages(facts):
            pips = list(stage.installs_by("pip")) if _is_slim(stage) else []
            if not pips or stage.any_install(_may_be_compiler, "apt", "dpkg"):
                continue
            for install in pips:
                compiled = next(_compiled(facts, install), None)
                if compiled is None or install.command.shell.only_on is not None:
                    continue
                requirement, build = compiled
                yield self.finding(
                    install.command.shell.span,
                    f"{requirement.name} {requirement.version} has no wheel for arm64, and is compiled there: this image has "
                    "no compiler.",
                    _fix(document, install, build),
                    related=(Related(stage.root.head.span, "the image"),),
                )


def _is_slim(stage: StageFacts) -> bool:
    image = stage.root.image
    return image is not None and image.official and image.name == "python" and "slim" in (image.tag or "")


def _may_be_compiler(install: Install) -> bool:
    """Whether a compiler is among the packages of Debian, or what they are is not known."""
    names = {name.rstrip("-0123456789.") for name in install.names} | install.names
    return not install.complete or not _COMPILERS.isdisjoint(names)


def _compiled(facts: Facts, install: Install) -> Iterator[tuple[Requirement, _SourceBuild]]:
    given = [word.raw.partition("=")[0] for word in install.options]
    if any(name in given for name in _OTHER_SOURCES) or install.option("--only-binary") is not None:
        return
    for requirement in python_requirements(facts, install):
        build = _SOURCE_BUILDS.get(requirement.name)
        if build is None or requirement.version is None or requirement.marked:
            continue
        if requirement.number and requirement.number < build.until:
            yield requirement, build


def _fix(document: Document, install: Install, build: _SourceBuild) -> Fix | None:
    stage = install.command.stage
    above = [
        one
        for one in stage.installs_by("apt")
        if one.run.span.start < install.run.span.start and one.packages and one.command.shell.only_on is None
    ]
    if not build.needs:
        return None
    if above:
        missing = [name for name in build.needs if not above[-1].has(name)]
        edits = add_packages(document, [package.word for package in above[-1].packages], missing)
        return Fix("Add what compiling takes", edits, Applicability.SAFE)
    if stage.user is not None:
        return None
    line = (
        f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(build.needs)} "
        "&& rm -rf /var/lib/apt/lists/*"
    )
    return Fix(
        "Install what compiling takes", (insert_before(document, install.run, line),), Applicability.UNSAFE
    )
