"""AP331."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.repositories import apt_addresses
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.package.google_chrome import is_chrome
from archpatch_rules.package.which import stages


class AptRepositoryWithoutArm64(Rule):
    """An apt repository is set up whose publisher has no packages for arm64.

    On arm64 `apt-get update` finds nothing there, and `apt-get install` ends with `Unable to locate package`, or takes
    the distribution's package of that name.

    It is fine in a branch that asks for the architecture. Which repositories have arm64 is a table of the project's,
    see docs/data.md; of others nothing is said.

    There is no automatic fix: leave out what is installed from it on arm64, or take it from somewhere else.
    """

    code, name, severity = "AP331", "apt-repository-without-arm64", Severity.ERROR
    hints = ("deb ",)
    errors = ("Unable to locate package", "has no installation candidate")
    examples = (
        Example(
            "FROM debian:11\n"
            'RUN echo "deb http://repo.mongodb.org/apt/debian bullseye/mongodb-org/6.0 main" > /etc/apt/sources.list.d/m.list\n',
            "FROM debian:11\n"
            'RUN echo "deb http://repo.mongodb.org/apt/debian bullseye/mongodb-org/6.0 main" > /etc/apt/sources.list.d/m.list\n',
        ),
        Example(
            'FROM ubuntu:22.04\nRUN echo "deb https://repo.mongodb.org/apt/ubuntu jammy/mongodb-org/6.0 multiverse" > /x.list\n'
        ),
        Example('FROM debian:11\nRUN echo "deb https://apt.example.com stable main" > /x.list\n'),
        Example(
            'FROM debian:11\nRUN [ "$(uname -m)" != x86_64 ] || echo "deb https://apt.repos.intel.com/oneapi all main" > /x.list\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each address; those with architectures of their own are apt-arch-amd64's."""
        if "arm64" not in others(facts):
            return
        concerned = list(stages(facts))
        for address in apt_addresses(facts):
            text, span = address.text, address.span
            if span is None or text.stage not in concerned or "arch=" in text.value or is_chrome(address.uri):
                continue
            if facts.tables.repository_has_arm64(address.uri) is not False or "ubuntu.com" in address.uri:
                continue  # Ubuntu's own are ubuntu-archive-host's
            if why_fine(facts, text.instruction, span, text.command) is None:
                yield self.finding(
                    span,
                    "This repository has no packages for arm64: there, what is installed from it cannot be found. Leave it "
                    "out on arm64, or take it from somewhere else.",
                )
