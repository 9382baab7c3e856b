"""AP608."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import AMD64, Convention
from archpatch.rewrite import arch_case, delete_option, substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, Span

_TOOLS = frozenset({"mvn", "mvnw", "gradle", "gradlew", "sbt"})
_PROPERTY = r"-[DP](os\.detected\.(?:classifier|arch)|javacpp\.platform)=(?:linux-)?x86_64"


class MavenNativeClassifier(Rule):
    """A Java build is told to take native libraries for amd64: `-Dos.detected.classifier=linux-x86_64`.

    The jar then holds amd64 libraries on every platform. On linux/arm64 it ends in `UnsatisfiedLinkError`, netty
    falls back to plain Java, or a protoc for amd64 runs into `exec format error` during the build.

    It is fine where the build takes the libraries of several platforms, and in a branch for amd64.

    `os.detected` is what the build finds out itself: the fix takes the property away. JavaCPP's platform is chosen in
    a `case`. Both are unsafe: an old library may have nothing for arm64.
    """

    code, name, severity = "AP608", "maven-native-classifier", Severity.WARNING
    hints = ("os.detected", "javacpp.platform")
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
            "    esac && mvn package -Djavacpp.platform=linux-${_arch}\n",
            applicability="unsafe",
        ),
        Example("FROM maven:3-eclipse-temurin-21\nRUN mvn package -Dos.detected.classifier=windows-x86_64\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every such property."""
        if all(target == AMD64 for target in facts.targets):
            return
        for command in facts.commands_with(*self.hints):
            if command.shell.name not in _TOOLS or not command.stage.reached:
                continue
            for word in command.shell.arguments:
                match = re.fullmatch(_PROPERTY, word.literal or "")
                if not match or why_fine(facts, command.run, word.span, command):
                    continue
                native = command.stage.kind is PlatformKind.TARGET and not command.run.json
                fix = None
                if native and match[1].startswith("os."):
                    fix = Fix(
                        "Let the build find it out",
                        (delete_option(document, word.span),),
                        Applicability.UNSAFE,
                    )
                elif native:
                    spelled = {"amd64": "x86_64", "arm64": Convention.DOCKER.spell("arm64") or ""}
                    case, span = (
                        arch_case(document, facts, command.run, spelled, (word.span,)),
                        word.find("x86_64"),
                    )
                    edit = substitute(word, Span(span.start, span.end), case[1]) if case and span else None
                    if case and edit:
                        fix = Fix("Choose it by architecture", (*case[0], edit), Applicability.UNSAFE)
                yield self.finding(
                    word.span,
                    f"`{match[1]}` names amd64: the jar takes native libraries for amd64 on every platform, and fails on "
                    "linux/arm64 when it loads them.",
                    fix,
                )
