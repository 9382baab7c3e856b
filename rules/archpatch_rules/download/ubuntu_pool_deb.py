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
from archpatch.text import Applicability, Fix, Span, agree, regex
from archpatch_rules.download.which import Pitfall, downloads

_PARTS = regex(r"https?://(?P<host>[^/]+/ubuntu)/pool/\S+_(?P<arch>amd64)\.deb")
_PORTS = "ports.ubuntu.com/ubuntu-ports"


class UbuntuPoolDeb(Rule):
    """A package is fetched from the pool of Ubuntu's archive, which holds amd64 alone.

    Ubuntu keeps other architectures on another host, `ports.ubuntu.com/ubuntu-ports`, so that a changed file name is
    not enough.

    It is fine within a branch that asks for the architecture.

    The fix chooses the host in a `case`, and lets the file's name and the commands that have it follow. It is unsafe: the file
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
            "      amd64|x86_64) _mirror=archive.ubuntu.com/ubuntu ;; \\\n"
            "      arm64|aarch64) _mirror=ports.ubuntu.com/ubuntu-ports ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    wget http://${_mirror}/pool/main/o/openssl/libssl1.1_1.1.1f-1_${TARGETARCH}.deb\n",
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu:22.04\n"
            "RUN wget http://archive.ubuntu.com/ubuntu/pool/main/f/x_1_amd64.deb\nRUN dpkg -i x_1_amd64.deb\n",
            "FROM ubuntu:22.04\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _mirror=archive.ubuntu.com/ubuntu ;; \\\n"
            "      arm64|aarch64) _mirror=ports.ubuntu.com/ubuntu-ports ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    wget http://${_mirror}/pool/main/f/x_1_${TARGETARCH}.deb\nRUN dpkg -i x_1_${TARGETARCH}.deb\n",
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
    if not found or not isinstance(download.instruction, Run) or download.argument is None:
        return None
    places = [_place(download, *found.span(name)) for name in ("host", "arch")]
    word, argument = download.word, f"${{{download.argument}}}"
    if None in places or not isinstance(word, ShellWord):
        return None
    spans = [span for span in places if span is not None]
    words = {"amd64": found["host"], "arm64": _PORTS}
    case = arch_case(
        document, facts, download.instruction, words, spans, "_mirror", argument=download.argument
    )
    if case is None:
        return None
    made = [substitute(word, span, text) for span, text in zip(spans, (case[1], argument), strict=True)]
    names = {token.place: argument for token in download.tokens}
    beside = coupled(facts, download, names)
    others = elsewhere(document, facts, download, names, download.argument)
    if None in made or beside is None or others is None:
        return None
    edits = dict.fromkeys((*case[0], *(edit for edit in made if edit is not None), *beside, *others))
    if not agree(edits):
        return None
    return Fix("Choose host and file by architecture", tuple(edits), Applicability.UNSAFE)


def _place(download: Download, start: int, end: int) -> Span | None:
    """Where a part of the URL is written out, in the command that fetches it."""
    piece, span = piece_at(download.pieces, start, end) or (None, None)
    return span if piece is not None and piece.holder is download.word else None
