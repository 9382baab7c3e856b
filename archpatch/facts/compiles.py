"""Commands that make native code, and what a stage hands on to the image that is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archpatch.facts.dotnet import told_nothing
from archpatch.facts.graph import CopyOut, PlatformKind
from archpatch.facts.managers import words_of
from archpatch.facts.packages import Install
from archpatch.facts.suppressors import runs_anywhere
from archpatch.syntax.tree import Word
from archpatch.text import holds

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts

_COMPILERS = words_of("gcc g++ cc c++ clang clang++ rustc ghc gfortran nvcc")
_VERBS = {
    "go": ("build", "install"),
    "cargo": ("build", "install", "rustc", "zigbuild"),
    "swift": ("build",),
    "zig": ("build", "build-exe"),
    "cmake": ("--build",),
    "meson": ("compile",),
    "crystal": ("build",),
    "nim": ("c", "compile"),
    "dart": ("compile",),
    "stack": ("build", "install"),
    "cabal": ("build", "install"),
}
_MAKERS = words_of("make gmake ninja pyinstaller native-image nexe")
_GENERAL = words_of("make gmake ninja")
_SPEAKING = (b"xx-", b"TARGETARCH", b"TARGETPLATFORM", b"TARGETOS")
_IMAGES = words_of("golang rust gcc swift haskell buildpack-deps")
_PACKAGES = words_of(
    "gcc g++ clang build-essential build-base gcc-c++ golang go rust cargo ghc alpine-sdk base-devel"
)


def compiled_by(command: Command) -> str | None:
    """The name of the compiler or build tool, when the command makes native code for the machine it runs on unless
    told otherwise; else None."""
    shell = command.shell
    name = shell.name
    first = shell.arguments[0].literal if shell.arguments else None
    if name in _VERBS:
        return name if first in _VERBS[name] else None
    if name in _COMPILERS:
        return name if len(shell.arguments) > 1 else None  # `gcc --version`
    if name in _MAKERS:
        return name if name not in _GENERAL or _has_compiler(command.stage) else None
    return name if told_nothing(command) else None


def _has_compiler(stage: StageFacts) -> bool:
    """Whether the image is one of a compiled language, or a compiler is installed: `make` alone may make anything."""
    image = stage.root.image
    if image is not None and image.repository.rsplit("/", 1)[-1] in _IMAGES:
        return True
    return stage.any_install(_is_of_compiler)


def _is_of_compiler(install: Install) -> bool:
    return not _PACKAGES.isdisjoint(install.names)


def taken_into_target(facts: Facts, stage: StageFacts) -> tuple[CopyOut, ...]:
    """What stages of the target platform take from a stage, or from one built upon it, that may be native code."""
    upon = [one for one in facts.stages if stage in one.chain]
    return tuple(
        copy
        for one in upon
        for copy in one.copies_out
        if copy.by.reached
        and copy.by.kind is PlatformKind.TARGET
        and any(map(_may_be_native, _sources(copy)))
    )


def _sources(copy: CopyOut) -> tuple[Word, ...]:
    return tuple(word for word in copy.sources if copy.mount is None)


_DATA = ("/etc/", "/usr/share/", "/var/lib/", "/home/", "/root/.cache")


def _may_be_native(word: Word) -> bool:
    path = word.value.strip("\"'")
    return not runs_anywhere(path) and not path.startswith(_DATA) and path.rstrip("/") != "/etc"


def follows_target(facts: Facts, command: Command) -> bool:
    """Whether anything on the same base speaks of the target: a RUN that names a target argument or a helper for
    cross-compiling (`xx-go`), a variable that hangs on one."""
    source = facts.document.source
    root = command.stage.root
    for stage in (stage for stage in facts.stages if stage.root is root):
        for run in stage.runs:
            if holds(source, _SPEAKING, run.span.start, run.span.end):
                return True
    return any(name.startswith("TARGET") for name in _hanging(facts, command))


def _hanging(facts: Facts, command: Command) -> Iterator[str]:
    """The automatic arguments that variables of the scope hang on, other than those arguments themselves."""
    scope = facts.scope(command.run)
    for name in scope.every_name():
        variable = scope.get(name)
        if variable is not None and not name.startswith(("TARGET", "BUILD")):
            yield from variable.value.names
