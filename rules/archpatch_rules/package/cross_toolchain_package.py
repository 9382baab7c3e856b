"""AP307."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package
from archpatch.facts.targets import others
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, regex
from archpatch_rules.package.which import installs, is_fine, on_amd64_alone

_CROSS = regex(
    r"(?:(?P<tool>gcc|g\+\+|gfortran|cpp)(?:-[\d.]+)?-aarch64-linux-gnu|crossbuild-essential-arm64|libc6-dev-arm64-cross)$"
)
_NEWER = ("noble", "24.04", "24.10", "25.04", "25.10", "26.04", "questing", "plucky", "resolute", "oracular")


class CrossToolchainPackage(Rule):
    """A cross compiler for arm64 is installed as a package that arm64 itself does not have.

    `gcc-aarch64-linux-gnu` exists for amd64: Debian 12, Ubuntu 22.04 and older releases have none for arm64, where the
    plain compiler does the same, and the build ends with `Unable to locate package`.

    It is fine in a stage on `$BUILDPLATFORM` (it then asks for the machine that builds), in a branch that asks for the
    architecture, and from Debian 13 and Ubuntu 24.04 on, which have it for both.

    The fix installs the cross compiler on amd64 and the plain one elsewhere. It is unsafe: what calls
    `aarch64-linux-gnu-gcc` by name finds it on Debian with either, but other tools of that prefix may be missing.
    """

    code, name, severity = "AP307", "cross-toolchain-package", Severity.WARNING
    hints = ("-linux-gnu", "crossbuild-essential", "-cross")
    errors = ("E: Unable to locate package gcc-aarch64-linux-gnu", "has no installation candidate")
    examples = (
        Example(
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y g++-aarch64-linux-gnu make\n",
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y "
            '"$([ "$(dpkg --print-architecture)" = amd64 ] && echo g++-aarch64-linux-gnu || echo g++)" make\n',
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM debian AS build\nRUN apt-get update && apt-get install -y gcc-aarch64-linux-gnu\n"
            "FROM debian\n",
            whole_file=True,
        ),
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y gcc-arm-linux-gnueabihf\n",
            title="There for both",
        ),
        Example("FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y gcc-aarch64-linux-gnu\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command that installs such packages."""
        if "arm64" not in others(facts):
            return
        for install in installs(facts, "apt"):
            found = [
                one for one in install.packages if _CROSS.match(one.name) and _is_lacking(facts, install, one)
            ]
            if found and not is_fine(facts, install, found[0]):
                yield self.finding(
                    found[0].word.span,
                    f"{found[0].name} compiles for arm64 on another machine: this release has no such package for arm64 itself, "
                    "where the plain compiler is the one to install.",
                    _fix(install, found),
                    related=tuple(Related(one.word.span, "and this one") for one in found[1:6]),
                )


def _is_lacking(facts: Facts, install: Install, package: Package) -> bool:
    """Whether the release has the package for amd64 alone: from gcc 14 on there is one for each machine."""
    distro = install.command.stage.distro
    if distro.name == "ubuntu":
        return distro.release is not None and distro.release not in _NEWER
    if distro.name == "debian" and distro.release in ("bookworm", "trixie", None):
        return facts.tables.debian_lacks_arm64(package.name, distro.release)
    return distro.name == "debian" and distro.release in ("bullseye", "buster", "stretch", "jessie")


def _fix(install: Install, found: list[Package]) -> Fix | None:
    edits = []
    for package in found:
        match = _CROSS.match(package.name)
        tool = match["tool"] if match else None
        plain = tool or ("build-essential" if package.name.startswith("crossbuild") else "libc6-dev")
        edit = on_amd64_alone(install, package, plain) if package.version is None else None
        if edit is None:
            return None
        edits.append(edit)
    return Fix("Install the plain compiler where it is the one for arm64", tuple(edits), Applicability.UNSAFE)
