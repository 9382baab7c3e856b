"""AP307."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.which import installs, is_fine, on_amd64_alone, others

_CROSS = re.compile(
    r"(?:(?P<tool>gcc|g\+\+|gfortran|cpp|gobjc|gnat|gdc)(?:-[\d.]+)?-(?P<triple>[a-z0-9-]+-linux-gnu[a-z0-9_]*)"
    r"|crossbuild-essential-(?P<build>[a-z0-9]+)|libc6(?:-dev)?-(?P<libc>[a-z0-9]+)-cross)$"
)
_OWN = {"aarch64-linux-gnu": "arm64", "arm64": "arm64", "x86-64-linux-gnu": "amd64", "amd64": "amd64"}


class CrossToolchainPackage(Rule):
    """A cross compiler is installed as a package that is not there for every machine.

    `gcc-aarch64-linux-gnu` exists for amd64: Debian 12 and Ubuntu 22.04 have none for arm64, where the plain compiler
    does the same, and the build ends with `Unable to locate package`. `gcc-x86-64-linux-gnu` is the reverse.

    It is fine in a stage on `$BUILDPLATFORM` (it then asks for the machine that builds), in a branch that asks for the
    architecture, and where compilers for several architectures are installed.

    The fix installs the cross compiler on amd64 and the plain one elsewhere, for compilers of arm64 alone. It is
    unsafe: what calls `aarch64-linux-gnu-gcc` by name finds it on Debian with either, but not everywhere.
    """

    code, name, severity = "AP307", "cross-toolchain-package", Severity.WARNING
    hints = ("-linux-gnu", "crossbuild-essential", "-cross")
    errors = ("E: Unable to locate package gcc-aarch64-linux-gnu", "has no installation candidate")
    examples = (
        Example(
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y g++-aarch64-linux-gnu make\n",
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y "
            '$([ "$(dpkg --print-architecture)" = amd64 ] && echo g++-aarch64-linux-gnu || echo g++) make\n',
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu:20.04\nRUN apt-get update && apt-get install -y g++-i686-linux-gnu libc6-dev-i386-cross\n",
            "FROM ubuntu:20.04\nRUN apt-get update && apt-get install -y g++-i686-linux-gnu libc6-dev-i386-cross\n",
        ),
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y gcc-aarch64-linux-gnu gcc-x86-64-linux-gnu\n",
            title="Several",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM debian AS build\nRUN apt-get update && apt-get install -y gcc-aarch64-linux-gnu\n"
            "FROM debian\n",
            whole_file=True,
        ),
        Example("FROM debian\nRUN apt-get update && apt-get install -y gcc-arm-linux-gnueabihf\n", title="There for both"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command that installs compilers for one architecture."""
        for install in installs(facts, "apt"):
            found = [(one, made) for one in install.packages if (made := _made_for(one)) is not None]
            arches = {made for _, made in found}
            kept = [one for one, made in found if made in ("arm64", "amd64", "386")]
            if len(arches) != 1 or not kept or is_fine(facts, install, kept[0]):
                continue
            made = arches.pop()
            if made not in ("amd64", "386") and made not in others(facts):
                continue
            yield self.finding(
                kept[0].word.span,
                _message(kept[0], made),
                _fix(install, kept) if made == "arm64" else None,
                related=tuple(Related(one.word.span, "and this one") for one in kept[1:6]),
            )


def _made_for(package: Package) -> str | None:
    """The architecture that a cross compiler's package compiles for; None for any other package."""
    match = _CROSS.match(package.name)
    if match is None:
        return None
    word = match["triple"] or match["build"] or match["libc"]
    if re.match(r"i[3-6]86", word):
        return "386"
    return _OWN.get(word, word)


def _message(package: Package, made: str) -> str:
    if made == "386":
        return (
            f"{package.name} compiles for 32-bit x86. Which machines it exists for differs from release to release: on arm64, "
            "ask apt for it before the build relies on it."
        )
    other = "amd64" if made == "arm64" else "arm64"
    return (
        f"{package.name} compiles for {made} on another machine. On {made} itself Debian 12 and Ubuntu have no such package: "
        f"there the plain compiler is the one to install, and this one on {other} alone."
    )


def _fix(install: Install, found: list[Package]) -> Fix | None:
    edits = []
    for package in found:
        match = _CROSS.match(package.name)
        plain = {"build": "build-essential", "libc": "libc6-dev"}.get(match.lastgroup or "") if match else None
        if match is not None and match["tool"]:
            plain = match["tool"]
        edit = on_amd64_alone(install, package, plain) if plain and package.version is None else None
        if edit is None:
            return None
        edits.append(edit)
    return Fix("Install the plain compiler on the machine that it compiles for", tuple(edits), Applicability.UNSAFE)
