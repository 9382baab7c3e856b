"""AP402."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.rewrite.downloads import Words, guessed_words, in_own_folder, respell, table_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.download.which import Pitfall, downloads


class DownloadArchUnknown(Rule):
    """A file is downloaded for amd64 on every platform, from a publisher that no table knows.

    Nothing fails where the image is built; on arm64 the file cannot be executed. Whether there is one for arm64,
    and how it is spelled, is the publisher's to say: of the tools that write `x86_64`, every second one writes
    `arm64` beside it and not `aarch64`.

    A shared library (`.so`) and an AppImage are for one architecture, too, where the URL names none.

    It is fine in a branch that asks for the architecture, beside a download for the other one, and for files of
    another system or of none.

    The fix follows the convention that the URL begins: `amd64` goes with `arm64`, `x64` with `arm64`, `x86_64` with
    `aarch64` (but `Linux_x86_64` with `arm64`, the names that GoReleaser gives). It is unsafe, since it is a guess; add
    the file to a table of your own to have it known. There is none for a file in a folder that is called by its digest:
    the other one lies elsewhere.
    """

    code, name, severity = "AP402", "download-arch-unknown", Severity.WARNING
    hints = ("://",)
    errors = ("exec format error", "404", "cannot execute binary file: Exec format error")
    examples = (
        Example(
            "FROM debian\nRUN curl -fsSLo /bin/tool https://example.com/v1/tool-linux-amd64\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSLo /bin/tool https://example.com/v1/tool-linux-${TARGETARCH}\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\n"
            "RUN wget https://example.com/tool-1.0-x86_64.tar.gz \\\n"
            "    && tar xf tool-1.0-x86_64.tar.gz --strip-components=1 tool-1.0-x86_64/bin\n",
            "FROM debian\n"
            'RUN wget "https://example.com/tool-1.0-$(uname -m).tar.gz" \\\n'
            '    && tar xf "tool-1.0-$(uname -m).tar.gz" --strip-components=1 "tool-1.0-$(uname -m)/bin"\n',
            applicability="unsafe",
        ),
        Example(
            "FROM eclipse-temurin:21\nRUN wget https://example.com/org/bytedeco/openblas-0.3.23-linux-x86_64.jar\n",
            "FROM eclipse-temurin:21\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    wget https://example.com/org/bytedeco/openblas-0.3.23-linux-${_arch}.jar\n",
            applicability="unsafe",
            title="JavaCPP's names",
        ),
        Example(
            "FROM eclipse-temurin:21\nRUN wget https://example.com/codec-2.0-linux-x86_64.jar\n",
            "FROM eclipse-temurin:21\nRUN wget https://example.com/codec-2.0-linux-x86_64.jar\n",
            title="A jar's maker may have one of three words",
        ),
        Example(
            "FROM debian\nRUN wget https://example.com/tool_linux64.zip\n",
            "FROM debian\nRUN wget https://example.com/tool_linux64.zip\n",
            title="No convention says what goes with linux64",
        ),
        Example(
            "FROM debian\nRUN wget https://example.com/shop-1.0-cp34-cp34m-manylinux1_x86_64.whl\n",
            "FROM debian\nRUN wget https://example.com/shop-1.0-cp34-cp34m-manylinux1_x86_64.whl\n",
            title="A tag that no other architecture has",
        ),
        Example(
            "FROM debian\nRUN wget https://example.com/uploads/" + "0f" * 16 + "/tool_1.0_amd64.tgz\n",
            "FROM debian\nRUN wget https://example.com/uploads/" + "0f" * 16 + "/tool_1.0_amd64.tgz\n",
            title="A folder for one file",
        ),
        Example(
            "FROM debian\nRUN wget https://example.com/tool_Linux_x86_64.tar.gz\n",
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    wget https://example.com/tool_Linux_${_arch}.tar.gz\n",
            applicability="unsafe",
            title="GoReleaser's names",
        ),
        Example(
            "FROM debian\nRUN wget -O /opt/plugin.so https://example.com/v1/plugin-linux.so\n",
            "FROM debian\nRUN wget -O /opt/plugin.so https://example.com/v1/plugin-linux.so\n",
            title="A library that says nothing",
        ),
        Example(
            "FROM debian\nRUN wget https://example.com/v1/plugin.so https://example.com/v1/plugin-arm64.so\n"
        ),
        Example(
            "FROM debian\n"
            "RUN wget https://example.com/tool-linux-amd64.tgz \\\n"
            "    && wget https://example.com/tool-linux-arm64.tgz\n",
            title="Both are wanted",
        ),
        Example("FROM debian\nRUN wget https://example.com/tool-windows-amd64.zip\n"),
        Example(
            "FROM debian\nRUN wget -O t https://example.blob.core.windows.net/tool-linux-amd64\n",
            "FROM debian\nARG TARGETARCH\nRUN wget -O t https://example.blob.core.windows.net/tool-linux-${TARGETARCH}\n",
            "A store of Azure's, whose host says windows",
            applicability="unsafe",
        ),
        Example("FROM debian\nRUN wget https://example.com/pool/x86_64/tool-release.noarch.rpm\n"),
        Example("FROM debian\nARG TOOL_URL\nRUN curl -fsSLO ${TOOL_URL}/tool\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.UNNAMED):
            yield self.finding(
                download.span,
                f"`{download.file_name}` is machine code, for one architecture, and its URL names none: every platform gets "
                "the same file.",
            )
        for download in downloads(facts, Pitfall.UNKNOWN):
            words = table_words(download) or guessed_words(download)
            respelled = respell(document, facts, download, words) if words else None
            yield self.finding(
                download.span,
                _message(download, words),
                respelled.fix("Download for the architecture that is built", sure=False)
                if respelled
                else None,
            )


def _message(download: Download, words: tuple[Words, ...] | None) -> str:
    here = ", ".join(dict.fromkeys(token.text for token in download.tokens))
    if download.match is not None:
        hint = (
            f"other files of {download.match.asset.tool} say {words[0]['arm64'] if words else '?'} for arm64."
        )
    elif words is None and in_own_folder(download):
        hint = "the one for another architecture lies in a folder of its own."
    elif words is None:
        hint = "how the file for another one is spelled is not known."
    else:
        hint = (
            f"one for arm64 would be spelled {words[0]['arm64']}, if the publisher keeps to the convention."
        )
    return f"This file is downloaded for amd64 ({here}) on every platform; {hint}"
