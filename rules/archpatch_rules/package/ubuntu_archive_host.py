"""AP308."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.repositories import Address, apt_addresses
from archpatch.facts.suppressors import why_fine
from archpatch.rewrite import arch_case, substitute
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document, Instruction, Run
from archpatch.text import Applicability, Fix, Span, regex
from archpatch_rules.package.which import stages

_OFFICIAL = regex(r"[a-z]+://((?:[a-z.]+\.)?archive\.ubuntu\.com/ubuntu|security\.ubuntu\.com/ubuntu)(?=/?$)")
_PORTS = "ports.ubuntu.com/ubuntu-ports"
_MIRROR = regex(
    r"[a-z]+://(?:mirrors?\.[a-z0-9.-]+|ftp\.[a-z0-9.-]+|[a-z0-9.-]*mirror[a-z0-9.-]*)/(?:[Ll]inux/)?ubuntu/?$"
)


class UbuntuArchiveHost(Rule):
    """apt is pointed at a mirror of Ubuntu that has packages for amd64 and i386 alone.

    Ubuntu keeps the other architectures on ports.ubuntu.com/ubuntu-ports: on arm64 `apt-get update` ends with
    `404  Not Found` for `binary-arm64/Packages`.

    It is fine in a branch that asks for the architecture, and for lines of `deb-src`. A `sed` that replaces the host in
    the image's own list finds nothing on arm64, where the list names ports.ubuntu.com already, and does no harm.

    The fix chooses host and path by architecture, for Ubuntu's own hosts. It is unsafe, for the release may be one that
    was never made for arm64. For other mirrors there is none: whether they carry ubuntu-ports, and where, they say.
    """

    code, name, severity = "AP308", "ubuntu-archive-host", Severity.ERROR
    hints = ("ubuntu",)
    errors = ("404  Not Found", "binary-arm64/Packages", "does not have a Release file")
    examples = (
        Example(
            "FROM ubuntu:22.04\n"
            'RUN echo "deb http://archive.ubuntu.com/ubuntu jammy universe" >> /etc/apt/sources.list\n',
            "FROM ubuntu:22.04\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _mirror=archive.ubuntu.com/ubuntu ;; \\\n"
            "      arm64|aarch64) _mirror=ports.ubuntu.com/ubuntu-ports ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            '    esac && \\\n    echo "deb http://${_mirror} jammy universe" >> /etc/apt/sources.list\n',
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu\nRUN echo 'deb http://mirrors.example.org/ubuntu/ jammy main' > /etc/apt/sources.list\n",
            "FROM ubuntu\nRUN echo 'deb http://mirrors.example.org/ubuntu/ jammy main' > /etc/apt/sources.list\n",
        ),
        Example(
            "FROM ubuntu\nRUN echo 'deb http://ports.ubuntu.com/ubuntu-ports jammy main' > /etc/apt/sources.list\n"
        ),
        Example(
            "FROM ubuntu\nRUN echo 'deb-src http://archive.ubuntu.com/ubuntu jammy main' >> /etc/apt/sources.list\n"
        ),
        Example("FROM ubuntu\nRUN sed -i s/archive.ubuntu.com/mirrors.example.org/ /etc/apt/sources.list\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each instruction."""
        concerned = list(stages(facts))
        found: dict[int, list[Address]] = {}
        for address in apt_addresses(facts):
            text, span = address.text, address.span
            if (
                text.stage in concerned
                and span is not None
                and (_OFFICIAL.match(address.uri) or _MIRROR.match(address.uri))
            ) and (
                why_fine(facts, text.instruction, span, text.command) is None and "arch=" not in text.value
            ):
                found.setdefault(text.instruction.span.start, []).append(address)
        first: dict[int, Instruction] = {}
        for addresses in found.values():
            above = first.setdefault(addresses[0].text.stage.index, addresses[0].text.instruction)
            spans = [span for address in addresses if (span := address.span) is not None]
            yield self.finding(
                spans[0],
                f"{addresses[0].uri} has Ubuntu's packages for amd64 and i386 alone: on arm64, `apt-get update` ends in 404. "
                "Those for arm64 are on ports.ubuntu.com/ubuntu-ports.",
                _fix(document, facts, addresses, above),
                related=tuple(Related(span, "and this line") for span in spans[1:6]),
            )


def _fix(document: Document, facts: Facts, addresses: list[Address], above: Instruction) -> Fix | None:
    run = addresses[0].text.instruction
    hosts = {match[1] for address in addresses if (match := _OFFICIAL.match(address.uri))}
    if len(hosts) != 1 or not isinstance(run, Run) or any(not _OFFICIAL.match(one.uri) for one in addresses):
        return None
    host = hosts.pop()
    words = {target.arch: _PORTS for target in facts.targets} | dict.fromkeys(("amd64", "386"), host)
    places: list[tuple[ShellWord, Span]] = []
    for address in addresses:
        at = address.start + address.uri.index(host)
        span = address.text.span(at, at + len(host))
        word = address.text.word(span) if span else None
        if span is None or word is None:
            return None
        places.append((word, span))
    words = {"arm64": _PORTS} | words
    chosen = arch_case(document, facts, run, words, [span for _, span in places], "_mirror", above=above)
    if chosen is None:
        return None
    made = [edit for word, span in places if (edit := substitute(word, span, chosen[1])) is not None]
    if len(made) < len(places):
        return None
    return Fix("Choose the mirror by architecture", (*chosen[0], *made), Applicability.UNSAFE)
