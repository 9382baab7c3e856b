"""AP403."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.facts.targets import others
from archpatch.rewrite.downloads import respell, respell_arms, table_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.download.which import Pitfall, downloads


class DownloadSpelling(Rule):
    """A download asks for the architecture in words that its publisher does not use.

    `$(uname -m)` says `aarch64`, and the file is named `arm64`: right on amd64, 404 on arm64. Of the tools that
    publish `x86_64`, half have `arm64` beside it; some have `amd64` beside `aarch64`. Without `curl -f` the error
    page becomes the tool.

    It is fine where the value is translated before it is used.

    The fix puts a `case` with the publisher's words before the command. What amd64 gets stays as it is, so it is safe.
    """

    code, name, severity = "AP403", "download-spelling", Severity.WARNING
    hints = ("://",)
    errors = ("404", "curl: (22) The requested URL returned error: 404", "Not: command not found")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSLo /bin/hadolint https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$(uname -m)\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    curl -fsSLo /bin/hadolint https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${_arch}\n",
            applicability="safe",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "ADD https://github.com/just-containers/s6-overlay/releases/download/v2.2.0.3/s6-overlay-${TARGETARCH}.tar.gz /tmp/\n",
            "FROM debian\nARG TARGETARCH\n"
            "ADD https://github.com/just-containers/s6-overlay/releases/download/v2.2.0.3/s6-overlay-${TARGETARCH}.tar.gz /tmp/\n",
            title="ADD has no shell that could translate",
        ),
        Example(
            "FROM debian\n"
            'RUN case "$(uname -m)" in x86_64) A=amd64 ;; aarch64) A=arm64 ;; esac; '
            "curl -fsSLO https://github.com/open-policy-agent/conftest/releases/download/v0.28.3/conftest_0.28.3_Linux_$A.tar.gz\n",
            "FROM debian\n"
            'RUN case "$(uname -m)" in x86_64) A=x86_64 ;; aarch64) A=arm64 ;; esac; '
            "curl -fsSLO https://github.com/open-policy-agent/conftest/releases/download/v0.28.3/conftest_0.28.3_Linux_$A.tar.gz\n",
            applicability="unsafe",
            title="Words of the file's own choice",
        ),
        Example(
            "FROM debian\n"
            "RUN A=$(uname -m) && "
            "curl -fsSLO https://github.com/open-policy-agent/conftest/releases/download/v0.28.3/conftest_0.28.3_Linux_$A.tar.gz "
            "&& tar xf conftest_0.28.3_Linux_$A.tar.gz\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    A=$(uname -m) && "
            "curl -fsSLO https://github.com/open-policy-agent/conftest/releases/download/v0.28.3/conftest_0.28.3_Linux_${_arch}.tar.gz "
            "&& tar xf conftest_0.28.3_Linux_${_arch}.tar.gz\n",
            applicability="safe",
            title="Words that repeat the name go with it",
        ),
        Example(
            "FROM debian\n"
            "RUN ARCH=$(uname -m | sed s/aarch64/arm64/) && "
            "curl -fsSLO https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$ARCH\n",
        ),
        Example(
            "FROM debian\n"
            "RUN arch() { case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; esac; } && "
            "curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/$(arch)/kubectl\n",
            title="A function of that name",
        ),
        Example(
            "FROM debian\nRUN curl -fsSLO https://download.docker.com/linux/static/stable/$(uname -m)/docker-27.0.1.tgz\n",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.SPELLING):
            assert download.match is not None
            asset = download.match.asset
            words = " and ".join(
                f"{arch} {' and '.join(dict.fromkeys(spelled))}"
                for arch in ("amd64", *others(facts))
                if (spelled := asset.spell(arch)) is not None
            )
            yield self.finding(
                download.span,
                f"{asset.tool} is published under other names than are asked for here: for {words}.",
                _fix(document, facts, download),
            )


def _fix(document: Document, facts: Facts, download: Download) -> Fix | None:
    words = table_words(download)
    tool = download.match.asset.tool if download.match else ""
    if arms := respell_arms(facts, download, words):
        return Fix(f"Spell the architecture as {tool} does", arms, Applicability.UNSAFE)
    respelled = respell(document, facts, download, words)
    same = download.match and all(
        token.text == words[token.place].get("amd64") for token in download.tokens
    )  # else amd64 gets nothing either, so far
    return respelled.fix(f"Spell the architecture as {tool} does", bool(same)) if respelled else None
