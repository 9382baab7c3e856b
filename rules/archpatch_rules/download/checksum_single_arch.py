"""AP406."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts
from archpatch.facts.targets import others
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.download.which import Pitfall, downloads


class ChecksumSingleArch(Rule):
    """A download is held against one literal checksum, which can only be that of one architecture's file.

    Either the URL names amd64 as well, and every platform gets that file, or the URL follows the architecture and
    the build fails for all others (`FAILED`, `digest mismatch`).

    It is fine where each architecture has a checksum of its own.

    No fix is written: the other checksum has to be taken from the publisher, by someone who trusts it. Where the other
    file is known, the finding names the command that computes its checksum, and the publisher's list. A checksum is
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
            told = (_computed(facts, download), _published(facts, download))
            where = f" {'; '.join(one for one in told if one)}." if any(told) else ""
            chosen = "the checksum" if download.varies else "URL and checksum"
            yield self.finding(
                download.span,
                f"The URL {what}, and the checksum beside it holds for one architecture alone.{where}",
                Fix(f"Choose {chosen} by architecture in a case", (), Applicability.MANUAL),
                related=tuple(Related(digest.span, "the checksum") for digest in download.digests[:3]),
            )


# The programs that compute a checksum, by its length in hexadecimal digits.
_PROGRAMS = {32: "md5sum", 40: "sha1sum", 56: "sha224sum", 64: "sha256sum", 96: "sha384sum", 128: "sha512sum"}


def _computed(facts: Facts, download: Download) -> str:
    """The command that gives the other checksum; "" where the other file is not known."""
    url = download.url_for(others(facts)[0])
    digest = download.digests[0].text.rpartition(":")[2]
    program = _PROGRAMS.get(len(digest)) if url and not set(url) & set("?&;'\"$ ") else None
    return f"`curl -fsSL {url} | {program}` gives that of {others(facts)[0]}'s file" if program else ""


def _published(facts: Facts, download: Download) -> str:
    """Where the publisher has the checksums; "" where the table does not know."""
    match = download.match
    if match is None or not match.asset.checksum:
        return ""
    url, name = download.url_for(others(facts)[0]) or "", match.asset.checksum
    folder, slash, file = url.rpartition("/")
    name = name.replace("{asset}", file or "FILE").replace("{v}", (match.version or "").removeprefix("v"))
    beside = (
        name if "{" in name or " " in name else folder + slash + name
    )  # "the release notes" lie elsewhere
    return f"{match.asset.tool} publishes them in {beside}"
