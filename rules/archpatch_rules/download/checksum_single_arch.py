"""AP406."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.download.which import Pitfall, downloads


class ChecksumSingleArch(Rule):
    """A download is held against one literal checksum, which can only be that of one architecture's file.

    Either the URL names amd64 as well, and every platform gets that file, or the URL follows the architecture and
    the build fails for all others (`FAILED`, `digest mismatch`).

    It is fine where each architecture has a checksum of its own.

    No fix is written: the other checksum has to be taken from the publisher, by someone who trusts it. A checksum is
    never dropped.
    """

    code, name, severity = "AP406", "checksum-single-arch", Severity.WARNING
    hints = ("://",)
    errors = ("FAILED", "computed checksum did NOT match", "digest mismatch")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSLo /bin/gosu https://github.com/tianon/gosu/releases/download/1.17/gosu-amd64 \\\n"
            '    && echo "bbc4136d03ab138b1ad66fa4fc051bafc6cc7ffae632b069a53657279a450de3  /bin/gosu" | sha256sum -c\n',
            "FROM debian\n"
            "RUN curl -fsSLo /bin/gosu https://github.com/tianon/gosu/releases/download/1.17/gosu-amd64 \\\n"
            '    && echo "bbc4136d03ab138b1ad66fa4fc051bafc6cc7ffae632b069a53657279a450de3  /bin/gosu" | sha256sum -c\n',
            applicability="manual",
        ),
        Example(
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "ADD --checksum=sha256:bbc4136d03ab138b1ad66fa4fc051bafc6cc7ffae632b069a53657279a450de3 "
            "https://github.com/tianon/gosu/releases/download/1.17/gosu-${TARGETARCH} /bin/gosu\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            "ADD --checksum=sha256:bbc4136d03ab138b1ad66fa4fc051bafc6cc7ffae632b069a53657279a450de3 "
            "https://github.com/tianon/gosu/releases/download/1.17/gosu-${TARGETARCH} /bin/gosu\n",
            title="The URL follows the architecture, the checksum does not",
            applicability="manual",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN curl -fsSLO https://github.com/tianon/gosu/releases/download/1.17/gosu-${TARGETARCH} \\\n"
            "    && curl -fsSLO https://github.com/tianon/gosu/releases/download/1.17/SHA256SUMS \\\n"
            "    && grep gosu-${TARGETARCH}$ SHA256SUMS | sha256sum -c\n",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.CHECKSUM):
            what = "follows the architecture" if download.varies else "is that of amd64 on every platform"
            known = download.match.asset if download.match else None
            where = (
                f" {known.tool} publishes them in {known.checksum.replace('{asset}', 'FILE')}."
                if known and known.checksum
                else ""
            )
            yield self.finding(
                download.span,
                f"The URL {what}, and the checksum beside it holds for one architecture alone.{where}",
                Fix("Choose URL and checksum by architecture in a case", (), Applicability.MANUAL),
                related=tuple(Related(digest.span, "the checksum") for digest in download.digests[:3]),
            )
