"""AP311."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import arch_words
from archpatch.rewrite import substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch_rules.package.which import stages


class ApkArchUrl(Rule):
    """apk is told of one architecture: by a URL with `/x86_64/`, or by `--arch x86_64`.

    On arm64 apk refuses the package (`uninstallable: arch: x86_64`), or, with `--arch`, installs programs that end with
    `exec format error`.

    It is fine in a branch that asks for the architecture, and with `--root`, where another system is put together.

    The fix asks apk itself, `$(apk --print-arch)`. It is safe for Alpine's own mirrors, which have the same folders for
    both; else unsafe.
    """

    code, name, severity = "AP311", "apk-arch-url", Severity.ERROR
    hints = ("apk",)
    errors = ("uninstallable", "arch: x86_64", "exec format error")
    examples = (
        Example(
            "FROM alpine\nRUN apk add https://dl-cdn.alpinelinux.org/alpine/v3.20/main/x86_64/zlib-1.3.1-r1.apk\n",
            'FROM alpine\nRUN apk add "https://dl-cdn.alpinelinux.org/alpine/v3.20/main/$(apk --print-arch)/zlib-1.3.1-r1.apk"\n',
            applicability="safe",
        ),
        Example(
            "FROM alpine\nRUN apk add --arch x86_64 jq\n",
            'FROM alpine\nRUN apk add --arch "$(apk --print-arch)" jq\n',
            applicability="unsafe",
        ),
        Example("FROM alpine\nRUN apk add --repository https://dl-cdn.alpinelinux.org/alpine/edge/main jq\n"),
        Example("FROM alpine\nRUN apk --arch x86_64 --root /sysroot --initdb add musl-dev\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each word."""
        for stage in stages(facts):
            for command in stage.commands_with("apk", later=True):
                if command.shell.name != "apk" or command.shell.option("--root", "-p") is not None:
                    continue
                for word, span, text, arch in _words(command):
                    if arch != facts.named_arch and why_fine(facts, command.run, span, command) is None:
                        yield self.finding(
                            span,
                            f"apk is told of {text} on every platform; `$(apk --print-arch)` names the machine's own.",
                            _fix(command, word, span, text),
                        )


def _words(command: Command) -> Iterator[tuple[ShellWord, Span, str, str]]:
    told = command.shell.option("--arch")
    for word in command.shell.arguments:
        is_value = told is not None and told.span in word.span
        if "://" not in word.raw and not is_value:
            continue
        folder = word.raw if is_value else word.raw.rpartition("/")[0]
        found = next((one for one in arch_words(folder) if one.arch in ("amd64", "arm64")), None)
        span = word.find(found.text) if found else None
        if found is not None and span is not None:
            yield word, span, found.text, found.arch


def _fix(command: Command, word: ShellWord, span: Span, text: str) -> Fix | None:
    if text not in ("x86_64", "aarch64") or not command.script.readable or command.run.json:
        return None
    edit: Edit | None = substitute(word, span, "$(apk --print-arch)", command)
    own = "alpinelinux.org/" in word.raw and text == "x86_64"
    applicability = Applicability.SAFE if own else Applicability.UNSAFE
    return Fix("Ask apk for the architecture", (edit,), applicability) if edit else None
