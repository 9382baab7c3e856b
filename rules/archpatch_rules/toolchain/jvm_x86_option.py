"""AP614."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, written
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import ARM64
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span, encode, regex

# Sources: openjdk/jdk#23409 (UseAVX on linux-aarch64), itzg/docker-minecraft-server#3495 (the others, on arm64).
_X86 = regex(
    r"-XX:(?:(?:UseAVX|UseSSE)=\d+|[+-](?:UseFastStosb|UseNewLongLShift|UseXmmI2D|UseXmmI2F|UseXmmLoadAndClearUpper"
    r"|UseXmmRegToRegMoveAll)(?![A-Za-z]))"
)
# Java 8 has these options on every CPU.
_JAVA_8 = regex(r"(?:^|[-_:/]|j[dr]k|java|openjdk)-?(?:1\.)?8(?=$|[-_.u])")
_JAVA_8_INSTALLED = regex(rb"(?:jdk|jre|java|corretto|temurin|zulu)[-_]?(?:1\.)?8(?!\d)")
_TOLERANT = encode("-XX:+IgnoreUnrecognizedVMOptions")


class JvmX86Option(Rule):
    """Java is started with an option that its virtual machine has on x86 alone: `-XX:UseAVX=2`, `-XX:UseSSE=3`.

    On arm64 HotSpot knows no such option and does not start: `Unrecognized VM option 'UseAVX=2'`.

    It is fine in a branch for amd64, with `-XX:+IgnoreUnrecognizedVMOptions`, and with Java 8 (its image, or a package that the file names).

    There is no automatic fix: an option that works around a fault on one CPU can mostly be left out; otherwise put
    `-XX:+IgnoreUnrecognizedVMOptions` in front of it.
    """

    code, name, severity = "AP614", "jvm-x86-option", Severity.ERROR
    hints = ("-xx:",)
    errors = ("Unrecognized VM option 'UseAVX=2'", "Error: Could not create the Java Virtual Machine.")
    examples = (
        Example(
            'FROM eclipse-temurin:17\nENV JAVA_OPTS="-Xmx1g -XX:UseAVX=2"\nCMD java $JAVA_OPTS -jar /app.jar\n',
            'FROM eclipse-temurin:17\nENV JAVA_OPTS="-Xmx1g -XX:UseAVX=2"\nCMD java $JAVA_OPTS -jar /app.jar\n',
        ),
        Example(
            'FROM eclipse-temurin:17\nENTRYPOINT ["java", "-XX:UseSSE=3", "-jar", "/app.jar"]\n',
            'FROM eclipse-temurin:17\nENTRYPOINT ["java", "-XX:UseSSE=3", "-jar", "/app.jar"]\n',
        ),
        Example(
            'FROM eclipse-temurin:17\nENV JAVA_OPTS="-XX:+IgnoreUnrecognizedVMOptions -XX:UseAVX=2"\n',
            title="Told to pass over what it does not know",
        ),
        Example(
            "FROM eclipse-temurin:17\n"
            'RUN if [ "$(uname -m)" = x86_64 ]; then java -XX:UseAVX=2 -Xshare:dump; else java -Xshare:dump; fi\n'
        ),
        Example('FROM eclipse-temurin:8-jre\nENV JAVA_OPTS="-XX:UseAVX=2"\n', title="Java 8"),
        Example(
            'FROM debian\nRUN apt-get install -y openjdk-8-jre\nENTRYPOINT ["java", "-XX:UseSSE=3", "-jar", "/a.jar"]\n',
            title="Java 8 out of a package",
        ),
        Example('FROM eclipse-temurin:17\nENV JAVA_OPTS="-XX:+UseG1GC -XX:MaxRAMPercentage=75"\n'),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each option."""
        if ARM64 not in facts.targets or _TOLERANT in document.source:
            return
        if _JAVA_8_INSTALLED.search(facts.lowered):
            return
        seen: set[Span] = set()
        for place in written(facts, "-XX:"):
            image = place.stage.root.image
            if image is not None and _JAVA_8.search(image.familiar):
                continue
            for option in dict.fromkeys(match[0] for match in _X86.finditer(place.value)):
                for span in place.places(option):
                    fine = why_arch_is_fine(facts, "amd64", place.instruction, span, place.command)
                    if fine is None and span not in seen:
                        seen.add(span)
                        yield self.finding(
                            span,
                            f"`{option}` is an option of Java on x86 alone: on arm64 the virtual machine stops with "
                            f"`Unrecognized VM option '{option.removeprefix('-XX:').lstrip('+-')}'`.",
                        )
