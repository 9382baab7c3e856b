"""What is known of Alpine's packages and of Python packages on it.

Sources: the depends of aports' APKBUILDs (gcc, build-base, alpine-sdk, go, rust, nodejs); PyPI's files for
musllinux_1_1 and musllinux_1_2, x86_64 and aarch64, Python 3.12, looked up in 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from archpatch.facts import Facts, Family, Install, StageFacts
from archpatch.facts.requirements import Requirement, python_requirements

_COMPILER = frozenset({"gcc", "musl-dev", "libc-dev", "libstdc++", "libgcc"})
_BRINGS = {
    "g++": _COMPILER,
    "build-base": _COMPILER | {"g++", "make", "binutils"},
    "alpine-sdk": _COMPILER | {"g++", "make", "binutils", "build-base", "git"},
    "go": frozenset({"gcc", "musl-dev", "libc-dev", "libgcc"}),
    "rust": _COMPILER,
    "cargo": _COMPILER | {"rust"},
    "php-dev": _COMPILER | {"g++", "make"},
    "gcc": frozenset({"libgcc"}),
    "libstdc++": frozenset({"libgcc"}),
    "nodejs": frozenset({"libstdc++", "libgcc"}),
    "npm": frozenset({"nodejs", "libstdc++", "libgcc"}),
    "musl-dev": frozenset({"libc-dev"}),
    "libc-dev": frozenset({"musl-dev"}),
}
_PLAIN = frozenset({"alpine", "python", "node", "ruby", "golang", "pypy"})


class SourceBuild(NamedTuple):
    """A Python package whose versions before `until` have a wheel for musl on x86_64 and none on aarch64: what
    building it takes, and whether it is C++ (then it needs libstdc++ where it runs)."""

    until: tuple[int, ...]
    needs: tuple[str, ...]
    cxx: bool


_SOURCE_BUILDS = {
    "grpcio": SourceBuild((1, 71), ("g++", "linux-headers"), True),
    "grpcio-tools": SourceBuild((1, 71), ("g++", "linux-headers"), True),
    "cffi": SourceBuild((1, 17), ("gcc", "musl-dev", "libffi-dev"), False),
}


def built_from_source(facts: Facts, install: Install) -> Iterator[tuple[Requirement, SourceBuild]]:
    """The packages of a `pip install` that are compiled on Alpine's aarch64 and not on its x86_64."""
    for requirement in python_requirements(facts, install):
        build = _SOURCE_BUILDS.get(requirement.name)
        if build is not None and requirement.version is not None and requirement.number < build.until:
            yield requirement, build


def is_plain_alpine(stage: StageFacts) -> bool:
    """Whether a stage stands on an official image of Alpine: what such an image brings is known."""
    image = stage.root.image
    return (
        stage.root.image_distro.family is Family.ALPINE
        and image is not None
        and image.name in _PLAIN
        and image.registry == "docker.io"
    )


def installed(stage: StageFacts) -> frozenset[str] | None:
    """The names of what a stage and those below it install with apk, what they bring included; None: not known."""
    if stage.any_install(_is_incomplete, "apk"):
        return None
    return frozenset(
        name
        for install in stage.all_installs("apk")
        for one in install.names
        for name in (one, *_brought(one))
    )


def lacks(stage: StageFacts, names: Iterable[str]) -> list[str] | None:
    """Those of Alpine's packages that a stage and those below it do not install, in order; None: not known."""
    if stage.any_install(_is_incomplete, "apk"):
        return None
    return sorted(name for name in names if not stage.any_install(_brings(name), "apk"))


def _is_incomplete(install: Install) -> bool:
    return not install.complete


@cache
def _brings(name: str) -> Callable[[Install], bool]:
    return lambda install: any(name == one or name in _brought(one) for one in install.names)


def _brought(name: str) -> frozenset[str]:
    """What a package brings along."""
    known = "php-dev" if name.startswith("php") and name.endswith("-dev") else name
    return _BRINGS.get(known, frozenset())


def last_add(stage: StageFacts) -> Install | None:
    """The last `apk add` of a stage that lists packages: the one to add to."""
    return stage.facts.once(_last_add, stage.index)


def _last_add(facts: Facts, stage: int) -> Install | None:
    adds = [
        install
        for install in facts.stages[stage].installs_by("apk")
        if install.packages and install.command.shell.only_on is None
    ]
    return adds[-1] if adds else None
