"""AP505."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import only_asked_for
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span

_TOOLS = frozenset({"mvn", "mvnw", "./mvnw"})
_ARTIFACT = rb"<(protocArtifact|pluginArtifact)>[^<>]*:exe:linux-x86_64\s*</\1>"
_COMMENT = rb"(?s)<!--.*?-->"


def _pom(classifier: str) -> dict[str, str]:
    artifact = f"com.google.protobuf:protoc:3.25.1:exe:{classifier}"
    return {
        "pom.xml": f"<project>\n  <configuration>\n    <protocArtifact>{artifact}</protocArtifact>\n  </configuration>\n</project>\n"
    }


class MavenProtobufExe(Rule):
    """A pom.xml names the protoc of amd64, and the Dockerfile builds it for every platform.

    `<protocArtifact>com.google.protobuf:protoc:3.25.1:exe:linux-x86_64</protocArtifact>` makes Maven fetch and run a
    program for amd64. On an arm64 machine the build ends in `exec format error`, or works by chance where emulation
    is set up.

    It is fine with `${os.detected.classifier}`, which os-maven-plugin sets, in a stage on one fixed platform, and in a
    branch for amd64.

    There is no fix: the pom.xml is mended, with `${os.detected.classifier}` in place of `linux-x86_64`.
    """

    code, name, severity = "AP505", "maven-protobuf-exe", Severity.WARNING
    hints = ("mvn",)
    errors = ("exec format error", "protoc did not exit cleanly")
    examples = (
        Example(
            "FROM maven:3-eclipse-temurin-21\nCOPY . .\nRUN mvn -q package\n",
            "FROM maven:3-eclipse-temurin-21\nCOPY . .\nRUN mvn -q package\n",
            files=_pom("linux-x86_64"),
        ),
        Example(
            "FROM maven:3-eclipse-temurin-21\nCOPY . .\nRUN mvn -q package\n",
            title="Maven finds it out",
            files=_pom("${os.detected.classifier}"),
        ),
        Example(
            "FROM --platform=linux/amd64 maven:3-eclipse-temurin-21 AS build\nCOPY . .\nRUN mvn -q package\n"
            "FROM eclipse-temurin:21-jre\nCOPY --from=build /target/app.jar /app.jar\n",
            title="In a stage of amd64, which makes a jar",
            files=_pom("linux-x86_64"),
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """The first Maven command of the file that runs where arm64 may be."""
        if facts.context is None or facts.named_arch == "amd64" or only_asked_for(facts, "amd64"):
            return
        for command in facts.commands_with("mvn", "mvnw"):
            shell, kind = command.shell, command.stage.kind
            if shell.name not in _TOOLS or not command.stage.reached or kind is PlatformKind.CONSTANT:
                continue
            if why_fine(facts, command.run, shell.span, command) is not None:
                continue
            for path in facts.context.files("pom.xml", "*/pom.xml"):
                place = _artifact(facts.context.read(path))
                if place is not None:
                    yield self._of(document, shell.words[0].span, path, place)
                    return

    def _of(self, document: Document, span: Span, path: Path, place: Span) -> Finding:
        return self.finding(
            span,
            f"{path} names a protoc for amd64, and this runs it: `exec format error` on arm64. Write "
            "`${os.detected.classifier}` in place of `linux-x86_64`.",
            related=(Related(place, "the program for amd64", document.path.parent / path),),
        )


def _artifact(source: bytes | None) -> Span | None:
    """Where a pom.xml names such a program."""
    if source is None or b":exe:linux-x86_64" not in source:
        return None
    text = re.sub(_COMMENT, lambda match: b" " * len(match[0]), source)
    found = re.search(_ARTIFACT, text)
    return Span(found.start(), found.end()) if found else None
