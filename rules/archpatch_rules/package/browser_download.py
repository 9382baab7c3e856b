"""AP327."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, StageFacts
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span
from archpatch_rules.package.which import is_fine, stages

_BRANDED = frozenset({"chrome", "chrome-beta", "chrome-dev", "msedge", "msedge-beta", "msedge-dev"})
_SKIPS = ("PUPPETEER_SKIP_DOWNLOAD", "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD", "PUPPETEER_EXECUTABLE_PATH")


class BrowserDownload(Rule):
    """A test tool downloads a browser that its maker has for amd64 alone.

    `playwright install chrome` (and msedge) refuses arm64: `ERROR: not supported on Linux Arm64`. `npm install puppeteer`
    downloads Chrome for x86_64 wherever it runs, and on arm64 the start ends with `exec format error` or `rosetta error`.

    It is fine with Playwright's own browsers (`playwright install chromium`), where Puppeteer is told to leave the download
    (`PUPPETEER_SKIP_DOWNLOAD`) and to use the distribution's chromium, and in a branch for amd64.

    There is no fix: which browser the tests are to run in is for a person to choose.
    """

    code, name, severity = "AP327", "browser-download", Severity.WARNING
    hints = ("playwright", "puppeteer")
    errors = ("not supported on Linux Arm64", "rosetta error: failed to open elf", "exec format error")
    examples = (
        Example(
            "FROM node:22\nRUN npx playwright install --with-deps chrome\n",
            "FROM node:22\nRUN npx playwright install --with-deps chrome\n",
        ),
        Example(
            "FROM node:22\nRUN npm install -g puppeteer\n", "FROM node:22\nRUN npm install -g puppeteer\n"
        ),
        Example("FROM node:22\nRUN npx playwright install --with-deps chromium\n"),
        Example("FROM node:22\nENV PUPPETEER_SKIP_DOWNLOAD=1\nRUN npm install -g puppeteer\n"),
        Example("FROM node:22\nRUN npm install puppeteer-core\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command."""
        if "arm64" not in others(facts):
            return
        skips = any(name.encode() in document.source for name in _SKIPS)
        for stage in stages(facts):
            for command in stage.commands_with(*self.hints, later=True):
                span = _branded(command)
                if span is not None and why_fine(facts, command.run, span, command) is None:
                    yield self.finding(
                        span,
                        "Chrome and Edge are downloaded, which Playwright does not offer for Linux on arm64; its own chromium is "
                        "there for both.",
                    )
            if not skips:
                yield from self._puppeteer(facts, stage)

    def _puppeteer(self, facts: Facts, stage: StageFacts) -> Iterator[Finding]:
        for install in stage.installs_by(known=_PUPPETEER):
            for package in install.packages:
                if (
                    install.manager in ("npm", "yarn", "pnpm")
                    and package.name == "puppeteer"
                    and not is_fine(facts, install, package)
                ):
                    yield self.finding(
                        package.word.span,
                        "puppeteer downloads Chrome for x86_64 on every platform. Set PUPPETEER_SKIP_DOWNLOAD=1, install the "
                        "distribution's chromium, and name it in PUPPETEER_EXECUTABLE_PATH.",
                    )


_PUPPETEER = frozenset({"puppeteer"})


def _branded(command: Command) -> Span | None:
    words = command.shell.arguments
    texts = [word.literal or "" for word in words]
    if (command.shell.name != "playwright" and "playwright" not in texts) or "install" not in texts:
        return None
    after = texts.index("install")
    return next(
        (word.span for word, text in zip(words[after:], texts[after:], strict=True) if text in _BRANDED), None
    )
