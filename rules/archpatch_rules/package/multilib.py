"""AP304."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.which import installs, is_fine, on_amd64_alone

_LIBRARIES = ("lib32", "libx32", "libc6-i386", "libc6-dev-i386", "libc6-x32", "libc6-dev-x32")
_COMPILERS = ("gcc", "g++", "gfortran", "gobjc")
_NEEDS_32_BIT = (b"-m32", b":i386", b"i686", b"steam", b"wine", b"lib32/", b"build-tools", b"android")


class Multilib(Rule):
    """Compilers or libraries for 32-bit x86 programs are installed (`gcc-multilib`, `lib32stdc++6`).

    They exist for amd64 alone. On arm64 the build ends with `Unable to locate package gcc-multilib` or `has no
    installation candidate`; 32-bit x86 programs do not run there anyway.

    It is fine in a branch that asks for the architecture.

    Where nothing else in the file speaks of 32-bit programs, the fix keeps compilers and headers to amd64, with the
    plain compiler elsewhere. It is unsafe: the build may compile with `-m32` in a script. For libraries alone there is none:
    a program needs them to run.
    """

    code, name, severity = "AP304", "multilib", Severity.ERROR
    hints = ("multilib", *_LIBRARIES)
    errors = ("E: Unable to locate package gcc-multilib", "has no installation candidate")
    examples = (
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y gcc-multilib make\n",
            "FROM debian\nRUN apt-get update && apt-get install -y "
            '"$([ "$(dpkg --print-architecture)" = amd64 ] && echo gcc-multilib || echo gcc)" make\n',
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y lib32stdc++6 lib32z1\n",
            "FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y lib32stdc++6 lib32z1\n",
        ),
        Example("FROM debian\nRUN apt-get update && apt-get install -y gcc make\n"),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            'RUN if [ "$TARGETARCH" = amd64 ]; then apt-get install -y gcc-multilib; fi\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command that installs such packages."""
        needed = any(word in document.source for word in _NEEDS_32_BIT)
        for install in installs(facts, "apt"):
            found = [
                one for one in install.packages if _is_multilib(one) and not is_fine(facts, install, one)
            ]
            if found:
                verb = (
                    "is for 32-bit x86 programs and exists"
                    if len(found) == 1
                    else "are for 32-bit x86 programs and exist"
                )
                yield self.finding(
                    found[0].word.span,
                    f"{', '.join(one.name for one in found)} {verb} for amd64 alone: on arm64, apt does not find them.",
                    None if needed else _fix(install, found),
                    related=tuple(Related(one.word.span, "and this one") for one in found[1:6]),
                )


def _is_multilib(package: Package) -> bool:
    name = package.name
    if package.arch is not None or package.local or name.endswith("-cross") or "-linux-" in name:
        return False
    return name.startswith(_LIBRARIES) or (name.endswith("-multilib") and name.startswith(_COMPILERS))


def _fix(install: Install, found: list[Package]) -> Fix | None:
    edits = []
    for package in found:
        plain = package.name.removesuffix("-multilib")
        headers = "-dev" in package.name and plain == package.name
        if package.version is not None or (plain == package.name and not headers):
            return None
        edit = on_amd64_alone(install, package, "" if headers else plain)
        if edit is None:
            return None
        edits.append(edit)
    return Fix("Keep what is for 32-bit x86 to amd64", tuple(edits), Applicability.UNSAFE)
