"""AP408."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.rewrite.downloads import respell, table_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Fix
from archpatch_rules.download.which import Pitfall, downloads


class LibcChange(Rule):
    """A tool that is published for musl on amd64 is published for glibc on arm64.

    The amd64 file is hard-coded, and the file for arm64 differs in more than the architecture: on Alpine and in
    images without a libc it cannot run (`not found`, although the file is there).

    It is fine within a branch that asks for the architecture.

    On a base with glibc the fix chooses the right file; it is unsafe, since the file may be meant for another stage.
    On musl there is none: take the distribution's package.
    """

    code, name, severity = "AP408", "libc-change", Severity.WARNING
    hints = ("musl",)
    errors = ("not found", "no such file or directory", "exec format error")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSL https://github.com/dandavison/delta/releases/download/0.17.0/delta-0.17.0-x86_64-unknown-linux-musl.tar.gz | tar xz\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64-unknown-linux-musl ;; \\\n"
            "      arm64|aarch64) _arch=aarch64-unknown-linux-gnu ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    curl -fsSL https://github.com/dandavison/delta/releases/download/0.17.0/delta-0.17.0-${_arch}.tar.gz | tar xz\n",
            applicability="unsafe",
        ),
        Example(
            "FROM alpine\n"
            "RUN wget https://github.com/dandavison/delta/releases/download/0.17.0/delta-0.17.0-x86_64-unknown-linux-musl.tar.gz\n",
            "FROM alpine\n"
            "RUN wget https://github.com/dandavison/delta/releases/download/0.17.0/delta-0.17.0-x86_64-unknown-linux-musl.tar.gz\n",
        ),
        Example(
            "FROM debian\n"
            'RUN [ "$(uname -m)" != x86_64 ] || wget https://github.com/dandavison/delta/releases/download/0.17.0/delta-0.17.0-x86_64-unknown-linux-musl.tar.gz\n',
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.LIBC):
            assert download.match is not None
            asset = download.match.asset
            yield self.finding(
                download.span,
                f"{asset.tool} is downloaded for amd64 and musl on every platform; the file for arm64 needs glibc"
                + (", which this image has not." if download.stage.distro.musl else "."),
                _fix(document, facts, download),
            )


def _fix(document: Document, facts: Facts, download: Download) -> Fix | None:
    if download.stage.distro.musl is not False or any(stage.distro.musl for stage in download.stage.feeds):
        return None
    respelled = respell(document, facts, download, table_words(download))
    return respelled.fix("Choose the file by architecture", sure=False) if respelled else None
