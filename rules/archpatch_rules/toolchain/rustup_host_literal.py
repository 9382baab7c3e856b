"""AP612."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts
from archpatch.facts.suppressors import why_fine
from archpatch.rewrite import delete_option
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, encode, regex
from archpatch_rules.toolchain.stages import for_each_target

_HOST = regex(r"x86_64-unknown-linux-(?:gnu|musl)$")
# <channel>[-<date>][-<host>]
_TOOLCHAIN = regex(
    r"\+?(?:stable|beta|nightly|\d+\.\d+[\w.-]*?)(?:-\d{4}-\d\d-\d\d)?(-x86_64-unknown-linux-(?:gnu|musl))$"
)
_INSTALLERS = frozenset(
    {"rustup", "rustup-init", "rustup-init.sh", "sh", "bash"}
)  # `| sh -s -- --default-host`
_FORCED = "--force-non-host"


class RustupHostLiteral(Rule):
    """rustup is told to run a compiler for amd64: `rustup default stable-x86_64-unknown-linux-gnu`, `--default-host`.

    On linux/arm64 rustup stops with `toolchain ... may not be able to run on this system`, or installs a compiler that
    cannot run there.

    It is fine in a branch for amd64, and with `--force-non-host`, which says that it is meant.

    The fix takes the host away: rustup takes the one of the machine it runs on
    (https://rust-lang.github.io/rustup/concepts/toolchains.html). It is unsafe, for on Alpine that is a host with
    musl. What to build for is told by `--target`, see cargo-target-literal.
    """

    code, name, severity = "AP612", "rustup-host-literal", Severity.WARNING
    hints = ("x86_64-unknown-linux",)
    errors = ("may not be able to run on this system", "is not applicable to the")
    examples = (
        Example(
            "FROM rust\nRUN rustup default stable-x86_64-unknown-linux-gnu\n",
            "FROM rust\nRUN rustup default stable\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -sSf https://sh.rustup.rs | sh -s -- -y --default-host x86_64-unknown-linux-gnu --profile minimal\n",
            "FROM debian\nRUN curl -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal\n",
            "The installer",
            applicability="unsafe",
        ),
        Example("FROM rust\nRUN rustup toolchain install --force-non-host stable-x86_64-unknown-linux-gnu\n"),
        Example("FROM rust\nRUN rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl\n"),
        Example(
            'FROM rust\nRUN [ "$(uname -m)" != x86_64 ] || rustup default stable-x86_64-unknown-linux-gnu\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Toolchains and default hosts for amd64, in stages of the target platform."""
        for stage in for_each_target(facts):
            for command in stage.commands_with("x86_64-unknown-linux", later=True):
                for word, edit in _hosts(document, command):
                    if why_fine(facts, command.run, word.span, command) is None:
                        yield self.finding(
                            word.span,
                            f"`{word.raw}` asks rustup for a compiler that runs on amd64 alone: on linux/arm64 it is "
                            "refused, or does not start.",
                            Fix("Take the machine's own", (edit,), Applicability.UNSAFE) if edit else None,
                        )


def _hosts(document: Document, command: Command) -> Iterator[tuple[ShellWord, Edit | None]]:
    """The words that name a host, and how to take it away."""
    shell = command.shell
    if shell.has(_FORCED):
        return
    installs = shell.name in _INSTALLERS
    if installs and (host := shell.option("--default-host")) is not None and _HOST.match(host.literal or ""):
        yield host, _without_option(document, command, host)
    if installs or shell.name in ("cargo", "rustc"):
        for word in shell.arguments:
            found = _TOOLCHAIN.match((word.literal or "").removeprefix("--default-toolchain="))
            span = word.find(found[1]) if found else None
            if span is not None:
                exact = found and len(span) == len(encode(found[1])) and not command.run.json
                yield word, Edit.delete(span) if exact else None


def _without_option(document: Document, command: Command, value: ShellWord) -> Edit | None:
    words = command.shell.words
    at = next((at for at, word in enumerate(words) if value.span in word.span), 0)
    first = words[at] if words[at].raw.startswith("--") else words[at - 1]
    return None if command.run.json else delete_option(document, Span(first.span.start, words[at].span.end))
