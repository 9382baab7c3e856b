"""AP404."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.download.which import Pitfall, downloads


class VersionBeforeArm64(Rule):
    """A tool is downloaded at a version that its publisher did not yet build for arm64.

    No spelling of the URL helps: the file does not exist, and a download that follows the architecture ends in 404.

    It is fine in a branch for amd64 alone.

    There is no fix: a newer version is needed, and only its user can tell whether it will do.
    """

    code, name, severity = "AP404", "version-before-arm64", Severity.WARNING
    hints = ("://",)
    errors = ("404", "curl: (22) The requested URL returned error: 404", "exec format error")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSLO https://github.com/Kitware/CMake/releases/download/v3.16.2/cmake-3.16.2-Linux-x86_64.sh\n",
            "FROM debian\n"
            "RUN curl -fsSLO https://github.com/Kitware/CMake/releases/download/v3.16.2/cmake-3.16.2-Linux-x86_64.sh\n",
            applicability="manual",
        ),
        Example(
            "FROM debian\n"
            "ENV DOCKERIZE_VERSION v0.6.1\n"
            "ARG TARGETARCH\n"
            "RUN wget https://github.com/jwilder/dockerize/releases/download/$DOCKERIZE_VERSION/dockerize-linux-$TARGETARCH-$DOCKERIZE_VERSION.tar.gz\n",
            "FROM debian\n"
            "ENV DOCKERIZE_VERSION v0.6.1\n"
            "ARG TARGETARCH\n"
            "RUN wget https://github.com/jwilder/dockerize/releases/download/$DOCKERIZE_VERSION/dockerize-linux-$TARGETARCH-$DOCKERIZE_VERSION.tar.gz\n",
            applicability="manual",
            title="A URL that follows the architecture to nowhere",
        ),
        Example(
            "FROM debian\nRUN wget https://github.com/gohugoio/hugo/releases/download/v0.120.0/hugo_0.120.0_Linux-64bit.tar.gz\n",
            "FROM debian\nRUN wget https://github.com/gohugoio/hugo/releases/download/v0.120.0/hugo_0.120.0_Linux-64bit.tar.gz\n",
            applicability="manual",
            title="A version from which on arm64's file has another name",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN wget https://github.com/jwilder/dockerize/releases/download/v0.7.0/dockerize-linux-$TARGETARCH-v0.7.0.tar.gz\n",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.TOO_OLD):
            assert download.match is not None
            asset, renamed = download.match.asset, download.match.renamed
            title = (
                "Take the file under its newer name"
                if renamed
                else f"Take a version of {asset.tool} that is built for arm64"
            )
            yield self.finding(
                download.span,
                _message(asset.tool, asset.since, download.match.version, renamed)
                + (f" {asset.note[:1].upper()}{asset.note[1:]}." if asset.note else ""),
                Fix(title, (), Applicability.MANUAL),
            )


def _message(tool: str, since: str, version: str | None, renamed: bool) -> str:
    if renamed:
        return f"{tool} {version} has a file for arm64, and not under a name like this one."
    since = since.partition(" ")[0]
    first = since.removeprefix("~").removeprefix(">=").replace(">", "after ")
    if since.startswith("~"):
        return (
            f"{tool} {version} is older than the versions that are known to have a build for arm64, "
            f"{first} and newer; which one was the first is not known for sure."
        )
    return f"{tool} {version} has no build for arm64; the first one is {first}."
