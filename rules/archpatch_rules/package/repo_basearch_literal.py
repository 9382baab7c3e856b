"""AP310."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.repositories import Address, rpm_addresses
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.platforms import ArchWord, arch_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import Literal, Quote
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch_rules.package.which import stages


class RepoBasearchLiteral(Rule):
    """An rpm repository is set up with the architecture written out in its address.

    On arm64 dnf or yum read the packages of the other architecture: `Error: Unable to find a match`, `no package ...
    available`, or nothing at all is said and only packages without an architecture are seen.

    It is fine in a branch that asks for the architecture, where the address says `$basearch`, and where the same stage
    sets up the repository for the other architectures too: of each, packages of a foreign one are passed over.

    The fix writes `$basearch`, which dnf and yum replace by `x86_64` or `aarch64`. It is unsafe: nobody knows whether the
    publisher has the other folder. NVIDIA calls its folder `sbsa`, so that there is none.
    """

    code, name, severity = "AP310", "repo-basearch-literal", Severity.ERROR
    hints = ("x86_64", "aarch64", "amd64")
    errors = (
        "Error: Unable to find a match",
        "Failed to download metadata for repo",
        "No match for argument",
    )
    examples = (
        Example(
            "FROM rockylinux:9\n"
            "RUN printf '[t]\\nbaseurl=https://rpm.example.com/el9/x86_64/\\n' > /etc/yum.repos.d/t.repo\n",
            "FROM rockylinux:9\n"
            "RUN printf '[t]\\nbaseurl=https://rpm.example.com/el9/$basearch/\\n' > /etc/yum.repos.d/t.repo\n",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nRUN cat <<EOF > /etc/yum.repos.d/t.repo\n[t]\nbaseurl=https://rpm.example.com/x86_64\nEOF\n",
            "FROM rockylinux:9\nRUN cat <<EOF > /etc/yum.repos.d/t.repo\n[t]\nbaseurl=https://rpm.example.com/\\$basearch\nEOF\n",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nRUN dnf config-manager --add-repo https://rpm.example.com/el9/x86_64\n",
            "FROM rockylinux:9\nRUN dnf config-manager --add-repo https://rpm.example.com/el9/\\$basearch\n",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nRUN printf '[t]\\nbaseurl=https://rpm.example.com/el9/$basearch/\\n' > /etc/yum.repos.d/t.repo\n"
        ),
        Example("FROM rockylinux:9\nRUN dnf config-manager --add-repo https://rpm.example.com/tool.repo\n"),
        Example(
            "FROM rockylinux:9\nRUN dnf config-manager --add-repo https://rpm.example.com/el9/x86_64\n"
            "RUN dnf config-manager --add-repo https://rpm.example.com/el9/aarch64\n",
            title="One for each architecture",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each address."""
        concerned = list(stages(facts))
        named = [(address, found) for address in rpm_addresses(facts) if (found := _named(address))]
        beside: dict[tuple[int, str], set[str]] = {}
        for address, found in named:
            beside.setdefault(_elsewhere(address, found), set()).add(found.arch)
        for address, found in named:
            if found.arch == facts.named_arch or address.text.stage not in concerned:
                continue
            if beside[_elsewhere(address, found)].issuperset(("amd64", *others(facts))):
                continue
            start = address.start + found.start
            span = address.text.span(start, start + len(found.text))
            if (
                span is not None
                and why_fine(facts, address.text.instruction, span, address.text.command) is None
            ):
                yield self.finding(
                    span,
                    f"This repository is read for {found.text} on every platform; `$basearch` names the machine's own.",
                    _fix(address, found, span),
                )


def _named(address: Address) -> ArchWord | None:
    return next((word for word in arch_words(address.uri) if word.arch in ("amd64", "arm64")), None)


def _elsewhere(address: Address, found: ArchWord) -> tuple[int, str]:
    """The stage and what is left of an address without the architecture: the same for that of another one."""
    return address.text.stage.index, f"{address.uri[: found.start]}\0{address.uri[found.end :]}"


def _fix(address: Address, found: ArchWord, span: Span) -> Fix | None:
    text = address.text
    if (
        found.text not in ("x86_64", "aarch64")
        or "nvidia.com" in address.uri
        or text.stage.distro.name == "opensuse"
    ):
        return None
    word = text.word(span)
    if text.body is None:
        part = next((one for one in word.parts if span in one.span), None) if word else None
        if not isinstance(part, Literal) or (text.command and not text.command.script.readable):
            return None
        plain = part.quote is Quote.SINGLE
    else:
        plain = not text.expands
    name = "$basearch" if plain else "\\$basearch"
    return Fix(
        "Let the package manager name the architecture", (Edit.replace(span, name),), Applicability.UNSAFE
    )
