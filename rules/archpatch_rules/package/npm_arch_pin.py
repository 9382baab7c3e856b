"""AP324."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, Install, PlatformKind, StageFacts
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import only_asked_for, others
from archpatch.platforms import Convention
from archpatch.rewrite import substitute
from archpatch.rewrite.paths import declare_spelling
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document, Env, Instruction, Word
from archpatch.text import Applicability, Edit, Fix, Span, regex
from archpatch_rules.package.which import installs, is_fine

_VARIABLES = frozenset({"npm_config_arch", "npm_config_target_arch", "npm_config_cpu", "electron_arch"})
_TOOLS = frozenset(
    {"npm", "yarn", "pnpm", "npx", "prebuild-install", "node-pre-gyp", "electron-rebuild", "node-gyp"}
)
_PACKAGE = regex(r"(?:@[\w.-]+/)?[\w.-]*linux-(x64|arm64)(?:-gnu|-musl)?$")


class NpmArchPin(Rule):
    """npm is told to take native modules for one architecture (`npm_config_arch=x64`, `@esbuild/linux-x64`).

    Nothing fails where the image is built. On arm64 node ends with `invalid ELF header`, or with `Cannot find module
    @rollup/rollup-linux-arm64-gnu`; npm itself may refuse with `EBADPLATFORM`.

    It is fine where packages for both are installed (npm keeps the one that fits), in a branch that asks for the
    architecture, and for an Electron or Lambda package that is meant for one.

    The fix asks node, `$(node -p process.arch)`, on the command line, and lets a variable of ENV follow TARGETARCH. It is
    unsafe. For a package there is none: leave it out, npm takes what fits the machine.
    """

    code, name, severity = "AP324", "npm-arch-pin", Severity.WARNING
    hints = ("npm_config_", "--arch", "--cpu", "--target_arch", "linux-x64", "linux-arm64", "electron_arch")
    errors = ("invalid ELF header", "EBADPLATFORM", "Cannot find module @rollup/rollup-linux-arm64-gnu")
    examples = (
        Example(
            "FROM node:22\nCOPY package*.json ./\nRUN npm ci --cpu=x64\n",
            'FROM node:22\nCOPY package*.json ./\nRUN npm ci --cpu="$(node -p process.arch)"\n',
            applicability="unsafe",
        ),
        Example(
            "FROM node:22\nENV npm_config_arch=x64\nCOPY . .\nRUN npm ci\n",
            "FROM node:22\nARG TARGETARCH\nENV npm_config_arch=${TARGETARCH/amd64/x64}\nCOPY . .\nRUN npm ci\n",
            applicability="unsafe",
        ),
        Example(
            "FROM node:22\nRUN npm install --no-save @esbuild/linux-x64\n",
            "FROM node:22\nRUN npm install --no-save @esbuild/linux-x64\n",
        ),
        Example(
            "FROM node:22\nRUN npm install --no-save @esbuild/linux-x64 @esbuild/linux-arm64\n", title="Both"
        ),
        Example("FROM node:22\nARG TARGETARCH\nRUN npm_config_arch=$TARGETARCH npm ci\n"),
        Example("FROM node:22\nRUN npm ci --cpu=x64 --cpu=arm64\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each variable, option and package."""
        if not others(facts):
            return
        for stage in facts.stages:
            if stage.kind is not PlatformKind.CONSTANT:
                yield from self._variables(document, facts, stage)
                yield from self._commands(facts, stage)
        for install in installs(facts, "npm", "yarn", "pnpm"):
            yield from self._packages(facts, install)

    def _variables(self, document: Document, facts: Facts, stage: StageFacts) -> Iterator[Finding]:
        """Those that an ENV sets."""
        for step in (step for step in stage.body if isinstance(step, Env)):
            for declaration in step.declarations:
                value = declaration.value
                if declaration.name.value.lower() not in _VARIABLES or value is None:
                    continue
                if (
                    _is_pin(facts, value.value.strip("\"'"))
                    and why_fine(facts, step, declaration.span) is None
                ):
                    fix = _follow(document, facts, step, value)
                    yield self.finding(declaration.span, _message("later npm installs"), fix)

    def _commands(self, facts: Facts, stage: StageFacts) -> Iterator[Finding]:
        """Options of npm and its like, and variables that a script sets."""
        for command in stage.commands_with(*self.hints, later=True):
            for word in _words(command):
                if not _is_pin(facts, word.literal or "") or _has_both(command):
                    continue
                if why_fine(facts, command.run, word.span, command) is None:
                    yield self.finding(word.span, _message("npm"), _fix(command, word, word.span))

    def _packages(self, facts: Facts, install: Install) -> Iterator[Finding]:
        found = [(one, match) for one in install.packages if (match := _PACKAGE.match(one.name))]
        if len({match[1] for _, match in found}) != 1 or install.has("electron"):
            return
        package, match = found[0]
        if not is_fine(facts, install, package) and Convention.NODE.read(match[1]) != facts.named_arch:
            yield self.finding(
                package.word.span,
                f"{package.name} is for one architecture, and is installed on every platform: another one does not find its own.",
            )


def _is_pin(facts: Facts, word: str) -> bool:
    """Whether a word of node's names one architecture, and not the one that the file is for."""
    arch = Convention.NODE.read(word)
    return arch in ("amd64", "arm64") and arch != facts.named_arch


def _follow(document: Document, facts: Facts, step: Instruction, value: Word) -> Fix | None:
    """Node says `x64` and `arm64`."""
    stage = facts.stage_of(step)
    span = value.find("x64")
    if span is None or stage is None or stage.kind is not PlatformKind.TARGET or step.onbuild:
        return None
    if not only_asked_for(facts, "amd64", "arm64"):
        return None
    chosen = declare_spelling(document, facts, step, "x64", "arm64")
    if chosen is None:
        return None
    edits = (*chosen[0], Edit.replace(span, chosen[1]))
    return Fix("Let it follow TARGETARCH", edits, Applicability.UNSAFE)


def _message(what: str) -> str:
    return f"{what} take native modules for one architecture on every platform: node cannot load them on another one."


def _words(command: Command) -> Iterator[ShellWord]:
    shell = command.shell
    if shell.name in _TOOLS:
        options = (shell.option(name) for name in ("--arch", "--cpu", "--target_arch", "--target-arch"))
        yield from (word for word in options if word is not None)
        yield from (
            one.value for one in shell.assigns if one.name.lower() in _VARIABLES and one.value is not None
        )
    if shell.name == "export":
        for assign in command.script.assigns:
            if assign.span in shell.span and assign.name.lower() in _VARIABLES and assign.value is not None:
                yield assign.value


def _has_both(command: Command) -> bool:
    text = " ".join(word.raw for word in command.shell.arguments)
    return "x64" in text and "arm64" in text


def _fix(command: Command, word: ShellWord, span: Span) -> Fix | None:
    if command.stage.kind is not PlatformKind.TARGET or not command.script.readable or command.run.json:
        return None
    edit = substitute(word, span, "$(node -p process.arch)", command)
    return Fix("Ask node for the architecture", (edit,), Applicability.UNSAFE) if edit else None
