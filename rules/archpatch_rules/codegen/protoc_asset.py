"""AP501."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.facts.targets import others
from archpatch.rewrite.downloads import respell, table_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.download.which import Pitfall, downloads


class ProtocAsset(Rule):
    """protoc is downloaded under a name that exists on amd64 alone.

    Its archives say `x86_64` and `aarch_64`, with an underscore that no tool prints: `$(uname -m)` gives `aarch64`,
    `$TARGETARCH` gives `arm64`, and both end in 404. A hard-coded `x86_64` ends in `exec format error` (exit code 126,
    or 1 with "Exec format error" from the build tool).

    It is fine in a branch that asks for the architecture. In a stage that only generates sources,
    `FROM --platform=$BUILDPLATFORM` is the faster way, with BUILDARCH for the name.

    The fix chooses the name in a `case`. It is safe from 3.5.1 on, the first release with `aarch_64`; unsafe where
    amd64 got no archive so far either (`linux-${TARGETARCH}`).
    """

    code, name, severity = "AP501", "protoc-asset", Severity.WARNING
    hints = ("protoc-",)
    errors = ("404", "exec format error", "protoc exited with code 139")
    examples = (
        Example(
            "FROM debian\n"
            "ARG PROTOC_VERSION=25.1\n"
            "RUN curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v${PROTOC_VERSION}/protoc-${PROTOC_VERSION}-linux-x86_64.zip \\\n"
            "    && unzip protoc-${PROTOC_VERSION}-linux-x86_64.zip -d /usr/local\n",
            "FROM debian\n"
            "ARG PROTOC_VERSION=25.1\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch_64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac \\\n    && curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v${PROTOC_VERSION}/protoc-${PROTOC_VERSION}-linux-${_arch}.zip \\\n"
            "    && unzip protoc-${PROTOC_VERSION}-linux-${_arch}.zip -d /usr/local\n",
            applicability="safe",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-$(uname -m).zip\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch_64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-${_arch}.zip\n",
            applicability="safe",
            title="The kernel's names fit amd64 alone",
        ),
        Example(
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-${TARGETARCH}.zip\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch_64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-${_arch}.zip\n",
            applicability="unsafe",
            title="Docker's names fit neither",
        ),
        Example(
            "FROM debian\n"
            "RUN PB_ARCH=$(uname -m | sed s/aarch64/aarch_64/) && "
            "curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-${PB_ARCH}.zip\n",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.PROTOC):
            assert download.match is not None
            respelled = respell(document, facts, download, table_words(download))
            sure = _says_x86_64(download) and all(download.match.published(arch) for arch in others(facts))
            yield self.finding(
                download.span,
                "protoc's archives are named x86_64 and, for arm64, aarch_64: neither uname -m nor TARGETARCH says so.",
                respelled.fix("Choose protoc's archive by architecture", sure) if respelled else None,
            )


def _says_x86_64(download: Download) -> bool:
    """Whether amd64 gets its archive as it is: `linux-${TARGETARCH}` is found for no architecture."""
    words = table_words(download)
    return all(token.text == words[token.place].get("amd64") for token in download.tokens)
