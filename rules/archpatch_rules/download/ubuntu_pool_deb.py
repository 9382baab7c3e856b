"""AP409."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.facts.origins import piece_at
from archpatch.rewrite import arch_case, substitute
from archpatch.rewrite.coupled import coupled, elsewhere
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document, Run
from archpatch.text import Applicability, Fix, agree, regex
from archpatch_rules.download.which import Pitfall, downloads

_PARTS = regex(r"https?://(?P<changes>[^/]+/ubuntu/pool/(?P<path>\S+_)amd64)\.deb")


class UbuntuPoolDeb(Rule):
    """A package is fetched from the pool of Ubuntu's archive, which holds amd64 alone.

    Ubuntu keeps other architectures on another host, `ports.ubuntu.com/ubuntu-ports`, so that a changed file name is
    not enough.

    It is fine within a branch that asks for the architecture.

    The fix chooses host and file in a `case`, and lets the commands that name the file follow. It is unsafe: the file
    for arm64 may have been removed.
    """

    code, name, severity = "AP409", "ubuntu-pool-deb", Severity.WARNING
    hints = ("/ubuntu/pool/",)
    errors = ("package architecture (amd64) does not match system (arm64)", "404  Not Found")
    examples = (
        Example(
            "FROM ubuntu:22.04\n"
            "RUN wget http://archive.ubuntu.com/ubuntu/pool/main/o/openssl/libssl1.1_1.1.1f-1_amd64.deb\n",
            "FROM ubuntu:22.04\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _deb=archive.ubuntu.com/ubuntu/pool/main/o/openssl/libssl1.1_1.1.1f-1_amd64 ;; \\\n"
            "      arm64|aarch64) _deb=ports.ubuntu.com/ubuntu-ports/pool/main/o/openssl/libssl1.1_1.1.1f-1_arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    wget http://${_deb}.deb\n",
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu:22.04\n"
            "RUN wget http://archive.ubuntu.com/ubuntu/pool/main/f/x_1_amd64.deb\nRUN dpkg -i x_1_amd64.deb\n",
            "FROM ubuntu:22.04\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _deb=archive.ubuntu.com/ubuntu/pool/main/f/x_1_amd64 ;; \\\n"
            "      arm64|aarch64) _deb=ports.ubuntu.com/ubuntu-ports/pool/main/f/x_1_arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    wget http://${_deb}.deb\nRUN dpkg -i x_1_${TARGETARCH}.deb\n",
            "The name of the file is used again",
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu:22.04\nRUN wget http://archive.ubuntu.com/ubuntu/pool/main/c/ca/ca-certificates_1_all.deb\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.POOL):
            yield self.finding(
                download.span,
                "Ubuntu's archive has packages for amd64 alone here; those for arm64 are in ports.ubuntu.com/ubuntu-ports.",
                _fix(document, facts, download),
            )


def _fix(document: Document, facts: Facts, download: Download) -> Fix | None:
    found = _PARTS.fullmatch(download.url)
    if not found or not isinstance(download.instruction, Run) or not isinstance(download.word, ShellWord):
        return None
    held = piece_at(download.pieces, *found.span("changes"))
    if held is None or held[1] is None or held[0].holder is not download.word:
        return None
    words = {"amd64": found["changes"], "arm64": f"ports.ubuntu.com/ubuntu-ports/pool/{found['path']}arm64"}
    case = arch_case(document, facts, download.instruction, words, (held[1],), "_deb")
    edit = substitute(download.word, held[1], case[1]) if case else None
    names = {token.place: "${TARGETARCH}" for token in download.tokens}
    beside = coupled(facts, download, names)
    others = elsewhere(document, facts, download, names, "TARGETARCH")
    if case is None or edit is None or beside is None or others is None:
        return None
    if (beside or others) and download.argument != "TARGETARCH":
        return None
    edits = dict.fromkeys((*case[0], edit, *beside, *others))
    if not agree(edits):
        return None
    return Fix("Choose host and file by architecture", tuple(edits), Applicability.UNSAFE)
