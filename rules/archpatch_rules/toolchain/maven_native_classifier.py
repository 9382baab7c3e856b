"""AP608."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Command, Facts, PlatformKind, written
from archpatch.facts.jars import arm64_of_jar
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import AMD64
from archpatch.rewrite import arch_case_in, delete_option
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, Span

_TOOLS = frozenset({"mvn", "mvnw", "gradle", "gradlew", "sbt"})
_ARTIFACT = r"-Dartifact=([\w.-]+:[\w.-]+):[\w.:-]+:linux-x86_64"
_IN_VARIABLES = ("-Djavacpp.platform=linux-x86_64", "-Dos.detected.classifier=linux-x86_64")
_PROPERTY = r"-[DP](os\.detected\.(?:classifier|arch)|javacpp\.platform)=(?:linux-)?x86_64"


class MavenNativeClassifier(Rule):
    """A Java build is told to take native libraries for amd64: `-Dos.detected.classifier=linux-x86_64`.

    The classifier of an artifact that Maven fetches (`-Dartifact=...:linux-x86_64`) says the same.

    The jar then holds amd64 libraries on every platform. On linux/arm64 it ends in `UnsatisfiedLinkError`, netty
    falls back to plain Java, or a protoc for amd64 runs into `exec format error` during the build.

    It is fine where the build takes the libraries of several platforms, and in a branch for amd64.

    `os.detected` is what the build finds out itself: the fix takes the property away. JavaCPP's platform is chosen in
    a `case`. Both are unsafe: an old library may have nothing for arm64. There is none in a variable (`MAVEN_OPTS`).
    """

    code, name, severity = "AP608", "maven-native-classifier", Severity.WARNING
    hints = ("os.detected", "javacpp.platform", ":linux-x86_64")
    errors = ("UnsatisfiedLinkError", "exec format error")
    examples = (
        Example(
            "FROM maven:3-eclipse-temurin-21\nRUN mvn package -Dos.detected.classifier=linux-x86_64 -q\n",
            "FROM maven:3-eclipse-temurin-21\nRUN mvn package -q\n",
            applicability="unsafe",
        ),
        Example(
            "FROM maven:3-eclipse-temurin-21\nRUN mvn package -Djavacpp.platform=linux-x86_64\n",
            "FROM maven:3-eclipse-temurin-21\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    mvn package -Djavacpp.platform=linux-${_arch}\n",
            applicability="unsafe",
        ),
        Example(
            "FROM maven:3-eclipse-temurin-21\n"
            "RUN mvn dependency:get -Dartifact=io.netty:netty-transport-native-epoll:4.1.94.Final:jar:linux-x86_64\n",
            "FROM maven:3-eclipse-temurin-21\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch_64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    mvn dependency:get -Dartifact=io.netty:netty-transport-native-epoll:4.1.94.Final:jar:linux-${_arch}\n",
            "An artifact",
            applicability="unsafe",
        ),
        Example(
            'FROM maven:3-eclipse-temurin-21\nENV MAVEN_OPTS="-Xmx1g -Djavacpp.platform=linux-x86_64"\nRUN mvn package\n',
            'FROM maven:3-eclipse-temurin-21\nENV MAVEN_OPTS="-Xmx1g -Djavacpp.platform=linux-x86_64"\nRUN mvn package\n',
            "In a variable",
        ),
        Example(
            "FROM maven:3-eclipse-temurin-21\nENV MAVEN_OPTS=-Djavacpp.platform=linux-x86_64\n"
            'RUN [ "$(uname -m)" = x86_64 ] || export MAVEN_OPTS=-Djavacpp.platform=linux-arm64; mvn package\n',
            title="Set anew on arm64",
        ),
        Example("FROM maven:3-eclipse-temurin-21\nRUN mvn package -Dos.detected.classifier=windows-x86_64\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every such property."""
        if only_asked_for(facts, AMD64.arch):
            return
        for command in facts.commands_with(*self.hints):
            if command.shell.name not in _TOOLS or not command.stage.reached:
                continue
            for word in command.shell.arguments:
                match = re.fullmatch(_PROPERTY, word.literal or "") or re.fullmatch(
                    _ARTIFACT, word.literal or ""
                )
                if not match or why_fine(facts, command.run, word.span, command):
                    continue
                native = command.stage.kind is PlatformKind.TARGET and not command.run.json
                yield self.finding(
                    word.span,
                    f"`{match[1]}` names amd64: native libraries or programs for amd64 are taken on every platform, and fail on "
                    "linux/arm64 when they are loaded.",
                    _fix(document, facts, command, word, match[1]) if native else None,
                )
        for place in () if _names_arm64(document) else written(facts, *_IN_VARIABLES):
            text = next(text for text in _IN_VARIABLES if text in place.value)
            span = next(place.places(text), None)
            if not place.name or span is None or not place.stage.reached:
                continue
            if why_arch_is_fine(facts, "amd64", place.instruction, span, place.command) is None:
                yield self.finding(
                    span,
                    f"`{text}` names amd64: whatever build gets ${place.name} takes native libraries for amd64 on every platform, "
                    "and they fail on linux/arm64 when they are loaded.",
                )


def _names_arm64(document: Document) -> bool:
    """Whether a property says arm64 somewhere: a script may set the variable anew there."""
    return (
        re.search(rb"(?:javacpp\.platform|detected\.classifier)=linux-(?:arm64|aarch)", document.source)
        is not None
    )


def _fix(document: Document, facts: Facts, command: Command, word: ShellWord, name: str) -> Fix | None:
    if name.startswith("os."):
        edits = (delete_option(document, word.span),)
        return Fix("Let the build find it out", edits, Applicability.UNSAFE)
    arm64 = "arm64" if name == "javacpp.platform" else arm64_of_jar(f"/{name}".replace(":", "/"))
    span = word.find("linux-x86_64")
    if arm64 is None or span is None:
        return None
    place = Span(span.start + len("linux-"), span.end)
    chosen = arch_case_in(document, facts, command.run, word, place, {"amd64": "x86_64", "arm64": arm64})
    return Fix("Choose it by architecture", chosen, Applicability.UNSAFE) if chosen else None
