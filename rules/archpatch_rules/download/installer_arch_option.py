"""AP410."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, PlatformKind
from archpatch.facts.scripts import read_by, script_of
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import arch_words
from archpatch.rewrite import declare_arg, substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, Span

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_OPTIONS = ("--arch", "--architecture", "--cpu", "--platform")
_VARIABLES = frozenset({"ARCH", "ARCHITECTURE", "CPU_ARCH", "INSTALL_ARCH"})


class InstallerArchOption(Rule):
    """An installer is told to fetch amd64, on every platform.

    Most installers ask the machine themselves; an option that names amd64 takes that away from them. So does a variable
    in front of the command: ARCH and its like for what is called an installer, any that a script of the build context reads.

    It is fine within a branch that asks for the architecture.

    The fix puts `${TARGETARCH}` in its place where the option reads `amd64`. It is unsafe: what words an installer
    takes is its own affair. For other words there is none; leave the option out if the installer can do without.
    """

    code, name, severity = "AP410", "installer-arch-option", Severity.WARNING
    hints = ("--arch", "--cpu", "--platform", "arch=", "platform=", "target=", "cpu=", "machine=")
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM debian\nRUN curl -fsSL https://example.com/install.sh | sh -s -- --arch amd64\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSL https://example.com/install.sh | sh -s -- --arch ${TARGETARCH}\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN ARCH=x86_64 ./install.sh\n",
            "FROM debian\nRUN ARCH=x86_64 ./install.sh\n",
        ),
        Example(
            "FROM debian\nCOPY scripts /scripts\nRUN PLATFORM=amd64 /scripts/fetch.sh\n",
            "FROM debian\nCOPY scripts /scripts\nARG TARGETARCH\nRUN PLATFORM=${TARGETARCH} /scripts/fetch.sh\n",
            "A variable that a script of the build context reads",
            files={"scripts/fetch.sh": 'wget "https://example.com/tool-$PLATFORM.tgz"\n'},
            applicability="unsafe",
        ),
        Example("FROM debian\nRUN curl -fsSL https://example.com/install.sh | sh -s -- --version 1.2\n"),
        Example("FROM debian\nARG TARGETARCH\nRUN ./install.sh --arch ${TARGETARCH}\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each option."""
        for command in facts.commands_with(*self.hints):
            if command.stage.kind is PlatformKind.CONSTANT:
                continue
            for word, span, text in _arches(facts, command):
                if why_fine(facts, command.run, span, command) is None:
                    yield self.finding(
                        span,
                        f"The installer is told to fetch {text} on every platform.",
                        _fix(document, facts, command, word, span, text),
                    )


def _installs(command: Command) -> bool:
    name = command.shell.name
    if name in _SHELLS:
        return bool(command.shell.arguments) and command.shell.script is None
    return "install" in name or "setup" in name


def _arches(facts: Facts, command: Command) -> Iterator[tuple[ShellWord, Span, str]]:
    words = _told(command) if _installs(command) else []
    if assigned := [assign for assign in command.shell.assigns if assign.prefix and assign.value is not None]:
        script = script_of(facts, command)
        known = read_by(facts, script) if script is not None else frozenset()
        words += [one.value for one in assigned if one.name in known and one.value and one.value not in words]
    for word in words:
        text = word.literal
        found = next(iter(arch_words(text)), None) if text else None
        span = word.find(found.text) if found else None
        if found is not None and span is not None and found.arch == "amd64":
            yield word, span, found.text


def _told(command: Command) -> list[ShellWord]:
    """What an installer is told by options and variables that are called as such."""
    words = [value for option in _OPTIONS if (value := command.shell.option(option)) is not None]
    return words + [
        assign.value
        for assign in command.shell.assigns
        if assign.name in _VARIABLES and assign.value is not None
    ]


def _fix(
    document: Document, facts: Facts, command: Command, word: ShellWord, span: Span, text: str
) -> Fix | None:
    if text != "amd64" or command.stage.kind is not PlatformKind.TARGET or command.run.json:
        return None
    edit = substitute(word, span, "${TARGETARCH}")
    if edit is None:
        return None
    edits = (*declare_arg(document, facts, command.run, "TARGETARCH"), edit)
    return Fix("Pass on the architecture that is built", edits, Applicability.UNSAFE)
