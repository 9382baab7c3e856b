"""AP702."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Family, PlatformKind, Written, steps_with, written
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import arch_of
from archpatch.rewrite import declare_arg
from archpatch.rewrite.paths import substitute_written
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document
from archpatch.text import Applicability, Edit, Fix, Span, regex

# A folder of a JDK whose name ends with the architecture. Bounded: a long word of such names must not take time squared.
_JVM = regex(
    r"(?<![\w.+-])[\w.+-]{0,60}?(?:java|jdk|jre|zulu|temurin|hotspot|openj9|corretto)"
    r"[\w.+-]{0,60}?([-.])(amd64|x86_64|arm64|aarch64)"
    r"(?=$|[/:\"'\s;)])"
)
# Packages for Debian whose folders end with dpkg's word on every architecture.
_DEBIAN = regex(r"(?:java-[\w.]+-openjdk|openjdk|temurin-\d+-\w+|adoptopenjdk-\d+-\w+|msopenjdk-\d+)-amd64$")


class JavaHomeArch(Rule):
    """The path of a JDK ends with the name of one architecture: `/usr/lib/jvm/java-17-openjdk-amd64`.

    Debian and Ubuntu put the architecture into the folder's name; on arm64 it is `java-17-openjdk-arm64`. The build
    goes through, and Maven, Gradle or the service stop with `JAVA_HOME is not defined correctly`.

    It is fine where the file itself makes that folder, and in a branch that asks for the architecture.

    The fix puts `${TARGETARCH}` there, which is Debian's word too for amd64 and arm64, or `$(dpkg
    --print-architecture)` within a RUN. amd64 stays the same: it is safe for the folders of Debian's own OpenJDK,
    Temurin and Microsoft's. Builders that set no automatic arguments need `--build-arg TARGETARCH` with it. Red Hat's
    `.x86_64` folders have a link without that ending.
    """

    code, name, severity = "AP702", "java-home-arch", Severity.WARNING
    hints = ("-amd64", ".x86_64", "-arm64", ".aarch64")
    errors = (
        "The JAVA_HOME environment variable is not defined correctly",
        "JAVA_HOME is set to an invalid directory: /usr/lib/jvm/java-17-openjdk-amd64",
    )
    examples = (
        Example(
            "FROM debian:bookworm\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n",
            "FROM debian:bookworm\nARG TARGETARCH\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-${TARGETARCH}\n",
            applicability="safe",
        ),
        Example(
            "FROM ubuntu:22.04\nRUN ln -s java-8-openjdk-amd64 /usr/lib/jvm/default-jvm\n",
            'FROM ubuntu:22.04\nRUN ln -s "java-8-openjdk-$(dpkg --print-architecture)" /usr/lib/jvm/default-jvm\n',
            "In a RUN",
            applicability="safe",
        ),
        Example(
            'FROM debian:bookworm\nCMD ["/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-jar", "/app.jar"]\n',
            'FROM debian:bookworm\nCMD ["/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-jar", "/app.jar"]\n',
            "Nothing expands there",
        ),
        Example("FROM rockylinux:9\nRUN dnf install -y java-17-openjdk.x86_64\n", title="A package"),
        Example("FROM debian:bookworm\nENV JAVA_HOME=/usr/lib/jvm/default-java\n", title="A link without it"),
        Example(
            "FROM debian:bookworm\nCOPY jre /opt/java-17-amd64\nENV JAVA_HOME=/opt/java-17-amd64\n",
            title="A folder that the file makes itself",
        ),
        Example(
            "FROM debian\n"
            'RUN if [ -d "/usr/lib/jvm/java-17-openjdk-arm64" ]; then ln -s /usr/lib/jvm/java-17-openjdk-arm64 /jdk; '
            "else ln -s /usr/lib/jvm/java-17-openjdk-amd64 /jdk; fi\n",
            title="It looks which one is there",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each such folder in a word."""
        for place in written(facts, "-amd64", ".x86_64", "-arm64", ".aarch64"):
            for match in _JVM.finditer(place.value):
                arch = arch_of(match[2])
                if arch is None or not names_jvm(place) or facts.once(_made_here, match[0]):
                    continue
                span = next(place.places(match[0]), None)
                if span is None or why_arch_is_fine(facts, arch, place.instruction, span, place.command):
                    continue
                yield self.finding(
                    span,
                    f"A JDK's folder is called `{match[0]}` on {arch} alone, so this path does not exist in the image for "
                    "another architecture, and Java is not found there.",
                    _fix(document, facts, place, match[0], match[2]),
                )


def names_jvm(place: Written) -> bool:
    """Whether a word is the path of a JDK."""
    if "://" in place.value or isinstance(place.instruction, Copy) or not _JVM.search(place.value):
        return False
    if "/" in place.value or "JAVA" in place.name:
        return True
    command = place.command
    installs = command is not None and any(one.command.shell is command.shell for one in place.stage.installs)
    return command is not None and not installs  # there it is a package


def _made_here(facts: Facts, folder: str) -> bool:
    return any(
        folder in step.destination.value
        for step in steps_with(facts, folder)
        if isinstance(step, Copy) and step.destination
    )


def _fix(document: Document, facts: Facts, place: Written, folder: str, word: str) -> Fix | None:
    argument = {PlatformKind.TARGET: "TARGETARCH", PlatformKind.BUILD: "BUILDARCH"}.get(place.stage.kind)
    if word not in ("amd64", "arm64") or argument is None or place.stage.distro.family is Family.RPM:
        return None
    if not only_asked_for(facts, "amd64", "arm64", "s390x", "riscv64"):
        return None  # dpkg has other words than TARGETARCH for these
    expression = f"${{{argument}}}" if place.command is None else "$(dpkg --print-architecture)"
    edits: list[Edit] = []
    for span in place.places(folder):
        edit = substitute_written(place, Span(span.end - len(word), span.end), expression)
        if edit is None:
            return None
        edits.append(edit)
    if place.command is None:
        edits += declare_arg(document, facts, place.instruction, argument)
    known = _DEBIAN.search(folder) and place.stage.distro.family is Family.DEBIAN
    return Fix(
        "Name the folder of the architecture that is built",
        tuple(edits),
        Applicability.SAFE if known else Applicability.UNSAFE,
    )
