"""AP401."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.facts.targets import others
from archpatch.rewrite.downloads import respell, table_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Fix
from archpatch_rules.download.which import Pitfall, downloads


class DownloadArch(Rule):
    """A known tool is downloaded for amd64 on every platform.

    Nothing fails where the image is built: the file is fetched and unpacked. On arm64 it ends with
    `exec format error` as soon as it is called, in the build or at the customer's.

    It is fine within a branch that asks for the architecture, beside a download for the other one, and in a stage
    that is one of a per-arch family or is deliberately pinned.

    The fix spells the architecture as the publisher does: `${TARGETARCH}` where the names are Docker's,
    `$(uname -m)` where they are the kernel's, else a `case`. Words of the same RUN that repeat the name of the file
    go with it. It is safe when the table knows the file for every target at this version. Builders that set no
    automatic arguments (kaniko, the legacy builder, podman before 5) need `--build-arg TARGETARCH` with it.
    """

    code, name, severity = "AP401", "download-arch", Severity.WARNING
    hints = ("://",)
    errors = ("exec format error", "cannot execute binary file: Exec format error")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSLo /usr/local/bin/kubectl https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "RUN curl -fsSLo /usr/local/bin/kubectl https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl\n",
            applicability="safe",
            title="Docker's own names",
        ),
        Example(
            "FROM debian\n"
            "RUN curl -fsSL 'https://download.docker.com/linux/static/stable/x86_64/docker-27.0.1.tgz' | tar xz\n",
            "FROM debian\n"
            'RUN curl -fsSL "https://download.docker.com/linux/static/stable/$(uname -m)/docker-27.0.1.tgz" | tar xz\n',
            applicability="safe",
            title="The kernel's names, in single quotes",
        ),
        Example(
            "FROM debian\n"
            "ARG VERSION=v20.11.0\n"
            "RUN wget https://nodejs.org/dist/${VERSION}/node-${VERSION}-linux-x64.tar.xz \\\n"
            "    && tar xf node-${VERSION}-linux-x64.tar.xz -C /opt\n",
            "FROM debian\n"
            "ARG VERSION=v20.11.0\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac \\\n    && wget https://nodejs.org/dist/${VERSION}/node-${VERSION}-linux-${_arch}.tar.xz \\\n"
            "    && tar xf node-${VERSION}-linux-${_arch}.tar.xz -C /opt\n",
            applicability="safe",
            title="Names of no convention",
        ),
        Example(
            "FROM debian\nADD https://github.com/tianon/gosu/releases/download/1.17/gosu-amd64 /usr/local/bin/gosu\n",
            "FROM debian\nARG TARGETARCH\n"
            "ADD https://github.com/tianon/gosu/releases/download/1.17/gosu-${TARGETARCH} /usr/local/bin/gosu\n",
            applicability="safe",
        ),
        Example(
            "FROM debian\n"
            "ENV TINI_VERSION v0.19.0\n"
            "ADD --chmod=755 https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini /tini\n",
            "FROM debian\n"
            "ENV TINI_VERSION v0.19.0\n"
            "ARG TARGETARCH\n"
            "ADD --chmod=755 https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${TARGETARCH} /tini\n",
            applicability="unsafe",
            title="A name that says nothing is that of amd64; the same file has a name with it",
        ),
        Example(
            "FROM debian\n"
            "ENV V v2.2.0.3\n"
            "ADD https://github.com/just-containers/s6-overlay/releases/download/${V}/s6-overlay-amd64.tar.gz /s6.tgz\n",
            "FROM scratch AS fetch-amd64\n"
            "ENV V=v2.2.0.3\n"
            "ADD https://github.com/just-containers/s6-overlay/releases/download/${V}/s6-overlay-amd64.tar.gz /file\n"
            "\n"
            "FROM scratch AS fetch-arm64\n"
            "ENV V=v2.2.0.3\n"
            "ADD https://github.com/just-containers/s6-overlay/releases/download/${V}/s6-overlay-aarch64.tar.gz /file\n"
            "\n"
            "FROM fetch-${TARGETARCH} AS fetch\n"
            "\n"
            "FROM debian\n"
            "ENV V v2.2.0.3\n"
            "COPY --from=fetch /file /s6.tgz\n",
            applicability="unsafe",
            title="ADD has no shell that could choose the word",
        ),
        Example(
            "FROM debian\nRUN for file in helm-v3.15.0-linux-amd64 helm-v3.16.0-linux-amd64; do \\\n"
            "      curl -fsSLO https://get.helm.sh/$file.tar.gz; \\\n    done\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN for file in helm-v3.15.0-linux-${TARGETARCH} helm-v3.16.0-linux-${TARGETARCH}; do \\\n"
            "      curl -fsSLO https://get.helm.sh/$file.tar.gz; \\\n    done\n",
            applicability="safe",
            title="In a loop",
        ),
        Example(
            'FROM debian\nSHELL ["/bin/bash", "-c"]\nRUN files=(helm-v3.15.0-linux-amd64 "helm-v3.16.0-linux-amd64") \\\n'
            '    && for file in "${files[@]}"; do curl -fsSLO "https://get.helm.sh/$file.tar.gz"; done\n',
            'FROM debian\nSHELL ["/bin/bash", "-c"]\nARG TARGETARCH\n'
            'RUN files=(helm-v3.15.0-linux-${TARGETARCH} "helm-v3.16.0-linux-${TARGETARCH}") \\\n'
            '    && for file in "${files[@]}"; do curl -fsSLO "https://get.helm.sh/$file.tar.gz"; done\n',
            applicability="safe",
            title="Out of an array",
        ),
        Example(
            'FROM python:3.12\nRUN python -c "from urllib.request import urlretrieve; \\\n'
            "  urlretrieve('https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl', '/kubectl')\"\n",
            'FROM python:3.12\nARG TARGETARCH\nRUN python -c "from urllib.request import urlretrieve; \\\n'
            "  urlretrieve('https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl', '/kubectl')\"\n",
            applicability="safe",
            title="By Python",
        ),
        Example(
            "FROM debian\n"
            'RUN case "$(uname -m)" in \\\n'
            "      x86_64) curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl ;; \\\n"
            "      aarch64) curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/arm64/kubectl ;; \\\n"
            "    esac\n",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl\n",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.KNOWN):
            yield self.finding(download.span, _message(facts, download), _fix(document, facts, download))


def _message(facts: Facts, download: Download) -> str:
    assert download.match is not None
    asset = download.match.asset
    words = [token.text for token in download.tokens if token.text]
    here = f"the URL says {_listed(words)}" if words else "a URL that names no architecture is that of amd64"
    there = [
        f"for {arch} its publisher says {_listed([word.strip('-_') for word in spelled])}"
        for arch in others(facts)
        if (spelled := asset.spell(arch)) is not None
    ]
    return f"{asset.tool} is downloaded for amd64 on every platform: {'; '.join((here, *there))}."


def _listed(words: list[str]) -> str:
    return " and ".join(dict.fromkeys(words))


def _fix(document: Document, facts: Facts, download: Download) -> Fix | None:
    respelled = respell(document, facts, download, table_words(download))
    if respelled is None or download.match is None:
        return None
    sure = all(download.match.published(arch) for arch in others(facts))
    return respelled.fix(f"Download {download.match.asset.tool} for the architecture that is built", sure)
