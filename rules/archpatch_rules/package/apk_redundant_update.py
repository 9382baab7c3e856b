"""AP317."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.syntax.shell import ShellCommand
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, decode


class ApkRedundantUpdate(Rule):
    """`apk update` stands before an `apk add --no-cache`, which fetches the index itself.

    The index is fetched twice, and the first one stays in the image until something removes it. It is no matter of
    architectures; builds for several of them take the time several times.

    It is fine where some `apk add` of the same instruction has no `--no-cache`, or `apk upgrade` uses the index. The rule
    is asked only when it is named.

    The fix takes `apk update &&` away. It is unsafe, as everything is that takes a command away.
    """

    code, name, severity = "AP317", "apk-redundant-update", Severity.NOTE
    style = Style.EXPLICIT
    opt_in = True
    hints = ("apk update",)
    errors = ()
    examples = (
        Example(
            "FROM alpine\nRUN apk update \\\n    && apk add --no-cache jq\n",
            "FROM alpine\nRUN apk add --no-cache jq\n",
            style=Style.EXPLICIT,
            applicability="unsafe",
        ),
        Example("FROM alpine\nRUN apk update && apk add jq\n", style=Style.EXPLICIT),
        Example(
            "FROM alpine\nRUN apk update && apk upgrade && apk add --no-cache jq\n", style=Style.EXPLICIT
        ),
        Example("FROM alpine\nRUN apk add --no-cache jq\n", style=Style.EXPLICIT),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each `apk update`."""
        for command in facts.commands_with("apk"):
            if not _is_apk(command.shell, "update"):
                continue
            adds = [one for one in command.script.commands if _is_apk(one, "add")]
            used = any(
                _is_apk(one, verb)
                for one in command.script.commands
                for verb in ("upgrade", "fetch", "search")
            )
            if adds and not used and all(one.has("--no-cache") for one in adds):
                yield self.finding(
                    command.shell.span,
                    "`apk add --no-cache` fetches the index itself: `apk update` before it is for nothing.",
                    _fix(document, command),
                )


def _is_apk(shell: ShellCommand, verb: str) -> bool:
    return shell.name == "apk" and any(word.literal == verb for word in shell.arguments)


def _fix(document: Document, command: Command) -> Fix | None:
    """Everything up to the next command, where nothing but `&&` stands between."""
    end = command.shell.span.end
    after = [one.span.start for one in command.script.commands if one.span.start >= end]
    if not after or not command.script.readable:
        return None
    between = decode(document.source[end : min(after)]).replace(document.escape, "")
    if between.strip() != "&&":
        return None
    return Fix("Drop it", (Edit.delete(Span(command.shell.span.start, min(after))),), Applicability.UNSAFE)
