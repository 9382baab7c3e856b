"""AP326."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, PlatformKind
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import only_asked_for, others
from archpatch.platforms import ArchWord, arch_words
from archpatch.rewrite import arch_case_in
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Fix, Span, decode
from archpatch_rules.package.which import safe_if

# What is compiled to a program by which option, and how arm64 is spelled there.
_OPTIONS = {
    "pkg": ("-t", "--target", "--targets"),
    "nexe": ("-t", "--target"),
    "bun": ("--target",),
    "deno": ("--target",),
}
_ARM64 = {"x64": "arm64", "x86_64": "aarch64"}


class JsCompileTarget(Rule):
    """A JavaScript program is compiled for one architecture (`pkg -t node18-linux-x64`, `bun build --target=bun-linux-x64`).

    Nothing fails where the image is built, for these tools carry the other runtime along. On arm64 the image ends with
    `exec format error`.

    It is fine where several targets are named, in one command or in several, for other systems, and in a branch that asks for the architecture.

    The fix chooses the target by `TARGETARCH`. It is safe: amd64 stays the same, and pkg, bun and deno have the target for
    arm64 too. nexe has a finished Node.js for few targets and asks for `--build` else: there it is unsafe.
    """

    code, name, severity = "AP326", "js-compile-target", Severity.ERROR
    hints = (
        *("linux-x64", "linux-arm64", "alpine-x64", "alpine-arm64", "linuxstatic-x64", "linuxstatic-arm64"),
        *("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"),
    )
    errors = ("exec format error", "cannot execute binary file: Exec format error")
    examples = (
        Example(
            "FROM oven/bun:1\nRUN bun build --compile --target=bun-linux-x64 ./app.ts --outfile /app\n",
            "FROM oven/bun:1\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    bun build --compile --target=bun-linux-${_arch} ./app.ts --outfile /app\n",
            applicability="safe",
        ),
        Example(
            "FROM oven/bun:1\nRUN bun build --compile --target=bun-linux-x64-baseline ./app.ts --outfile /app\n",
            "FROM oven/bun:1\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64-baseline ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    bun build --compile --target=bun-linux-${_arch} ./app.ts --outfile /app\n",
            "A level that x64 alone has",
            applicability="safe",
        ),
        Example(
            "FROM node:18\nRUN npx pkg -t node18-linux-x64 -o /app .\n",
            "FROM node:18\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    npx pkg -t node18-linux-${_arch} -o /app .\n",
            applicability="safe",
        ),
        Example(
            "FROM node:18\nRUN npx pkg -t node18-linux-x64 .\n",
            "FROM node:18\nRUN npx pkg -t node18-linux-x64 .\n",
            "For a platform that is spelled by no convention",
            platforms=("linux/amd64", "linux/arm/v7"),
        ),
        Example(
            "FROM node:18-alpine\nRUN npx pkg . --targets node18-alpine-x64\n",
            "FROM node:18-alpine\nRUN npx pkg . --targets node18-alpine-x64\n",
            "Of musl there may be none for arm64",
        ),
        Example("FROM node:18\nRUN npx pkg -t node18-linux-x64,node18-linux-arm64 .\n", title="Both"),
        Example(
            "FROM oven/bun:1\nRUN bun build --compile --target=bun-linux-x64 a.ts --outfile a-x64"
            " && bun build --compile --target=bun-linux-arm64 a.ts --outfile a-arm64\n",
            title="Both, one after the other",
        ),
        Example("FROM node:18\nRUN npx pkg -t node18-win-x64 .\n", title="Another system"),
        Example("FROM oven/bun:1\nRUN bun build --compile ./app.ts --outfile /app\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each target."""
        if not others(facts):
            return
        named = [
            (command, *target)
            for command in facts.commands_with(*self.hints)
            if command.stage.kind is not PlatformKind.CONSTANT
            for target in _targets(command)
        ]
        if {"amd64", "arm64"} <= {found.arch for _, _, found, _ in named}:
            return  # one program for each
        for command, word, found, span in named:
            if found.arch != facts.named_arch and why_fine(facts, command.run, span, command) is None:
                yield self.finding(
                    span,
                    f"The program is compiled for {found.text} on every platform: it does not run on another one.",
                    _fix(document, facts, command, word, found, span),
                )


def _tool(command: Command) -> str:
    name = command.shell.name
    if name in ("npx", "bunx", "pnpx"):
        words = [word.literal or "" for word in command.shell.arguments if not word.raw.startswith("-")]
        name = words[0].rsplit("/", 1)[-1].partition("@")[0] if words else ""
    return name


def _targets(command: Command) -> Iterator[tuple[ShellWord, ArchWord, Span]]:
    for option in _OPTIONS.get(_tool(command), ()):
        word = command.shell.option(option)
        if word is None or ("linux" not in word.raw and "alpine" not in word.raw):
            continue
        words = [one for one in arch_words(word.raw) if one.arch in ("amd64", "arm64")]
        span = word.find(words[0].text) if len(words) == 1 else None
        if span is not None:
            yield word, words[0], span


def _fix(
    document: Document, facts: Facts, command: Command, word: ShellWord, found: ArchWord, span: Span
) -> Fix | None:
    if found.text not in _ARM64 or "alpine" in word.raw or not only_asked_for(facts, "amd64", "arm64"):
        return None  # each tool spells others in its own way, or has none
    level = word.find(f"{found.text}-baseline") or word.find(f"{found.text}-modern")  # bun's: of x64 alone
    text = decode(level.of(document.source)) if level is not None else found.text
    span = level or span
    words = {"amd64": text, "arm64": _ARM64[found.text]}
    edits = arch_case_in(document, facts, command.run, word, span, words)
    if edits is None:
        return None
    sure = _tool(command) != "nexe"
    return Fix("Compile for the architecture that is built", edits, safe_if(facts, sure))
