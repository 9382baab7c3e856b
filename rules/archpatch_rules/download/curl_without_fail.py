"""AP407."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.facts.suppressors import why_download_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix


class CurlWithoutFail(Rule):
    """A download that depends on the architecture does not notice that the file is not there.

    Without `-f`, curl saves the error page and is content: on a platform whose file does not exist, "Not Found"
    becomes the tool (`line 1: Not: command not found`, `gzip: stdin: not in gzip format`).

    It is fine where the download is for one architecture, or something else checks the file.

    The fix adds `-f`. What is fetched stays the same; it is unsafe because a build that went through on an error page
    now stops.
    """

    code, name, severity = "AP407", "curl-without-fail", Severity.NOTE
    hints = ("curl",)
    errors = ("Not: command not found", "not in gzip format", "This does not look like a tar archive")
    examples = (
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -LO https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fLO https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN curl --location -o /bin/x https://example.com/tool-$(uname -m)\n",
            "FROM debian\nRUN curl -f --location -o /bin/x https://example.com/tool-$(uname -m)\n",
            applicability="unsafe",
        ),
        Example("FROM debian\nRUN curl -fsSLO https://example.com/tool-$(uname -m)\n"),
        Example("FROM debian\nRUN curl -sSLO https://example.com/tool.tar.gz\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download by curl whose file depends on the architecture."""
        for download in facts.downloads:
            if download.fails_loudly or download.digests or not (download.varies or download.tokens):
                continue
            if why_download_is_fine(facts, download) is None and (edit := _edit(download)) is not None:
                yield self.finding(
                    download.word.span,
                    "curl takes an error page for the file; with -f the build stops where a platform has none.",
                    Fix("Let curl fail", (edit,), Applicability.UNSAFE),
                )


def _edit(download: Download) -> Edit | None:
    if download.command is None:
        return None
    shell = download.command.shell
    for word in shell.arguments:
        if re.fullmatch(r"-[sSLkgOJ]+", word.raw) and len(word.raw) == len(word.span):
            return Edit.insert(word.span.start + 1, "f")
    name = next((word for word in shell.words if word.raw.rsplit("/", 1)[-1] == "curl"), None)
    return Edit.insert(name.span.end, " -f") if name else None
