"""AP607."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Command, Facts, Family, PlatformKind
from archpatch.facts.assigned import Assigned, assigned
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import only_asked_for
from archpatch.platforms import AMD64
from archpatch.rewrite import delete_option
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document, Instruction
from archpatch.text import Applicability, Edit, Fix, Span

_PREFIX = r"x86_64-(?:\w+-)?linux-(?:gnu|musl)-(?=\w)"
_HOST = r"--(?:host|build)=x86_64-(?:\w+-)?linux(?:-(?:gnu|musl))?"
_COMPILERS = ("CC", "CXX", "LD", "AR", "RANLIB", "STRIP", "NM", "CPP", "FC")
_ARGUMENT = (
    r"-DCMAKE_SYSTEM_PROCESSOR=(?:x86_64|amd64)|architecture=x86|target_arch=x64"
    r"|-DCMAKE_(?:C|CXX|ASM)_COMPILER(?::\w+)?=(?:/usr/bin/)?x86_64-(?:\w+-)?linux-gnu-[\w+]+"
)


class ToolchainTriple(Rule):
    """A C toolchain is named for one architecture: `CC=x86_64-linux-gnu-gcc`, `--host=x86_64-linux-gnu`.

    On linux/arm64 there is no such compiler (`x86_64-linux-gnu-gcc: not found`), or configure takes the build for a
    cross build to amd64 and makes a foreign program, or the wrong assembly.

    It is fine for a cross compiler to another system (`x86_64-w64-mingw32`), for an amd64 cross build whose compiler
    the stage installs, and in a branch for amd64.

    In a stage of the target platform the plain names are right: the fix takes the prefix or the option away. It is
    unsafe: configure then finds the machine out itself. OpenSSL's `./Configure linux-x86_64` becomes `./config`.
    """

    code, name, severity = "AP607", "toolchain-triple", Severity.WARNING
    hints = (
        *("x86_64-linux", "x86_64-alpine", "x86_64-pc", "x86_64-unknown", "x86_64-redhat", "linux-x86_64"),
        *("system_processor=", "architecture=x86", "target_arch=x64"),
    )
    errors = ("x86_64-linux-gnu-gcc: not found", "C compiler cannot create executables", "exec format error")
    examples = (
        Example(
            "FROM debian\nRUN CC=x86_64-linux-gnu-gcc make\n",
            "FROM debian\nRUN CC=gcc make\n",
            applicability="unsafe",
        ),
        Example(
            "FROM golang:1.22\nRUN CC=x86_64-linux-musl-gcc CGO_ENABLED=1 go build ./...\n",
            "FROM golang:1.22\nRUN CC=x86_64-linux-musl-gcc CGO_ENABLED=1 go build ./...\n",
            "The plain compiler is for another C library",
        ),
        Example(
            "FROM debian\nRUN ./configure --build=x86_64-linux-gnu --prefix=/usr && make\n",
            "FROM debian\nRUN ./configure --prefix=/usr && make\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN ./Configure linux-x86_64 --prefix=/usr && make\n",
            "FROM debian\nRUN ./config --prefix=/usr && make\n",
            "OpenSSL",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN cmake -DCMAKE_SYSTEM_PROCESSOR=x86_64 .\n",
            "FROM debian\nRUN cmake .\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN cmake -DCMAKE_C_COMPILER=x86_64-linux-gnu-gcc -S . -B build\n",
            "FROM debian\nRUN cmake -S . -B build\n",
            "CMake's compiler",
            applicability="unsafe",
        ),
        Example("FROM debian\nRUN ./configure --host=x86_64-w64-mingw32 && make\n"),
        Example("FROM debian\nRUN apt-get install -y gcc-x86-64-linux-gnu && CC=x86_64-linux-gnu-gcc make\n"),
        Example('FROM debian\nRUN ./configure --build="$(dpkg-architecture -qDEB_BUILD_GNU_TYPE)" && make\n'),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every compiler and every option that names a triple of amd64."""
        if facts.named_arch or only_asked_for(facts, AMD64.arch):
            return
        for span, edits, instruction, command in (*self._variables(facts), *self._options(document, facts)):
            stage = facts.stage_of(instruction)
            if stage is None or not stage.reached or stage.kind is not PlatformKind.TARGET:
                continue
            if why_fine(facts, instruction, span, command) or _installs_cross(facts):
                continue
            can = bool(edits) and not instruction.json
            fix = (
                Fix("Leave it to the toolchain of the platform", edits, Applicability.UNSAFE) if can else None
            )
            yield self.finding(
                span,
                f"`{span.of(document.source).decode(errors='replace')}` names a toolchain for amd64: on linux/arm64 it is not "
                "there, or makes a foreign program. The plain names are right on every platform.",
                fix,
            )

    def _variables(
        self, facts: Facts
    ) -> Iterator[tuple[Span, tuple[Edit, ...], Instruction, Command | None]]:
        for place in assigned(facts, *_COMPILERS):
            match = re.match(_PREFIX, place.value or "")
            span = place.word.find(match[0]) if match else None
            if match and span is not None:
                edits = () if _changes_libc(place, match[0]) else (Edit.delete(span),)
                yield place.span, edits, place.instruction, place.command

    def _options(
        self, document: Document, facts: Facts
    ) -> Iterator[tuple[Span, tuple[Edit, ...], Instruction, Command | None]]:
        for command in facts.commands_with(*self.hints):
            shell = command.shell
            if shell.name == "Configure" and shell.has("linux-x86_64"):
                name = next(word for word in shell.words if word.raw.endswith("Configure"))
                option = next(word for word in shell.arguments if word.literal == "linux-x86_64")
                at = Span(name.span.end - len("Configure"), name.span.end)
                edits = (Edit.replace(at, "config"), delete_option(document, option.span))
                yield option.span, edits, command.run, command
            elif shell.name in ("configure", "cmake", "b2", "bjam", "gyp", "node-gyp", "autogen.sh"):
                for word in shell.arguments:
                    if _names_amd64(word):
                        yield word.span, (delete_option(document, word.span),), command.run, command


def _changes_libc(place: Assigned, prefix: str) -> bool:
    """Whether the plain compiler makes programs for another C library: `x86_64-linux-musl-gcc` where glibc is."""
    return "-musl-" in prefix and (place.stage is None or place.stage.distro.family is not Family.ALPINE)


def _names_amd64(word: ShellWord) -> bool:
    return bool(re.fullmatch(_HOST, word.literal or "") or re.fullmatch(_ARGUMENT, word.literal or ""))


def _installs_cross(facts: Facts) -> bool:
    """Whether a cross compiler to amd64 is installed, which is there on arm64 too."""
    names = {name for stage in facts.stages for install in stage.installs for name in install.names}
    return any("x86-64-linux" in name for name in names)
