"""AP302."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, StageFacts
from archpatch.facts.repositories import apt_addresses
from archpatch.facts.suppressors import why_fine
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span
from archpatch_rules.package.which import is_fine, packages, stages

_PACKAGES = frozenset(
    ["google-chrome-stable", "google-chrome-beta", "google-chrome-unstable", "google-chrome"]
)
_REPOSITORY = "dl.google.com/linux/chrome"


class GoogleChrome(Rule):
    """Google Chrome is installed, which Google published for amd64 alone.

    On arm64 the build ends with `has no installation candidate` or `Unable to locate package google-chrome-stable`.
    Google announced packages for arm64 in 2026; older versions have none, and a repository line that says `arch=amd64`
    would not find them either.

    It is fine in a branch that is for amd64 alone.

    There is no fix: which browser the tests are to run in is for a person to choose. Debian and Alpine build Chromium
    for both architectures: `chromium` and `chromium-driver`, with `CHROME_BIN` or `PUPPETEER_EXECUTABLE_PATH` set to
    `/usr/bin/chromium`.
    """

    code, name, severity = "AP302", "google-chrome", Severity.ERROR
    hints = ("google-chrome", _REPOSITORY)
    errors = ("Unable to locate package google-chrome-stable", "has no installation candidate")
    examples = (
        Example(
            "FROM debian\n"
            'RUN echo "deb [arch=amd64] http://dl.google.com/linux/chrome/deb/ stable main" > /etc/apt/sources.list.d/c.list \\\n'
            " && apt-get update && apt-get install -y google-chrome-stable\n",
            "FROM debian\n"
            'RUN echo "deb [arch=amd64] http://dl.google.com/linux/chrome/deb/ stable main" > /etc/apt/sources.list.d/c.list \\\n'
            " && apt-get update && apt-get install -y google-chrome-stable\n",
        ),
        Example(
            "FROM example.com/base\nRUN yum install -y google-chrome-stable\n",
            "FROM example.com/base\nRUN yum install -y google-chrome-stable\n",
            "From a repository that the base image knows",
        ),
        Example("FROM debian\nRUN apt-get update && apt-get install -y chromium chromium-driver\n"),
        Example(
            'FROM debian\nRUN if [ "$(dpkg --print-architecture)" = amd64 ]; then apt-get install -y google-chrome-stable; '
            "else apt-get install -y chromium; fi\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage: at the repository, else at the first package."""
        for stage in stages(facts):
            places = list(_places(facts, stage))
            if places:
                yield self.finding(
                    places[0],
                    "Google published Chrome for Linux on amd64 alone until 2026: on arm64 there is nothing to install. "
                    "The distribution's chromium is there for both.",
                    related=tuple(Related(span, "belongs to it") for span in places[1:4]),
                )


def is_chrome(uri: str) -> bool:
    """Whether an apt source is Chrome's."""
    return _REPOSITORY in uri


def _places(facts: Facts, stage: StageFacts) -> Iterator[Span]:
    for repository in apt_addresses(facts):
        span = repository.span
        if (
            repository.text.stage is stage
            and span is not None
            and is_chrome(repository.uri)
            and why_fine(facts, repository.text.instruction, span, repository.text.command) is None
        ):
            yield span
    for install, package in packages(facts, "apt", "yum", "dnf", "microdnf"):
        if (
            install.command.stage is stage
            and package.name in _PACKAGES
            and not is_fine(facts, install, package)
        ):
            yield package.word.span
