"""What rules of packages ask: which installations count, and how a package is kept to amd64."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package, PlatformKind, StageFacts
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.rewrite import guarded
from archpatch.syntax.shell import Literal, Param, Quote
from archpatch.text import Applicability, Edit


def safe_if(facts: Facts, known: bool) -> Applicability:
    """How far a fix may be trusted that is `known` to be right on arm64: of other architectures nothing is known."""
    return Applicability.SAFE if known and set(others(facts)) <= {"arm64"} else Applicability.UNSAFE


def stages(facts: Facts) -> Iterator[StageFacts]:
    """The stages that run on each target: one on the machine that builds, or pinned, gets what fits it."""
    if others(facts):
        yield from (
            stage for stage in facts.stages if stage.kind not in (PlatformKind.BUILD, PlatformKind.CONSTANT)
        )


def installs(facts: Facts, *managers: str, known: frozenset[str] | None = None) -> Iterator[Install]:
    """The installations by these managers that every target does, or a later build on it; `known` as in packages()."""
    for stage in stages(facts):
        for install in stage.installs_by(*managers, known=known, later=True):
            if install.command.shell.only_on is None:
                yield install


def packages(
    facts: Facts, *managers: str, known: frozenset[str] | None = None
) -> Iterator[tuple[Install, Package]]:
    """The packages that these managers install for every target; with `known`, those of the RUNs that may name one of
    these."""
    for install in installs(facts, *managers, known=known):
        for package in install.packages:
            yield install, package


def is_fine(facts: Facts, install: Install, package: Package) -> bool:
    """Whether something speaks for the architecture that a package has in its name."""
    return why_fine(facts, install.run, package.word.span, install.command) is not None


def names_it(install: Install, package: Package) -> bool:
    """Whether the package stands unquoted in a RUN whose script was read, as text or variables: it can be edited."""
    return (
        install.command.script.readable
        and not install.run.json
        and all(isinstance(part, Literal | Param) and part.quote is Quote.NONE for part in package.word.parts)
    )


def on_amd64_alone(install: Install, package: Package, instead: str = "") -> Edit | None:
    """Install a package on amd64 alone, and `instead` elsewhere; None where its name cannot be replaced."""
    if not names_it(install, package):
        return None
    if any(one.name == instead for one in install.packages):
        instead = ""  # it is installed anyway
    otherwise = f" || echo {instead}" if instead else ""
    name = package.word.raw
    asked = f'$([ "$(dpkg --print-architecture)" = amd64 ] && echo {name}{otherwise})'
    if (
        instead and package.word.literal is not None
    ):  # one word either way; else none is wanted on other platforms
        asked = guarded(asked, package.word.span, install.command)
    return Edit.replace(package.word.span, asked)
