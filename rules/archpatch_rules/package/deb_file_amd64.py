"""AP306."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Download, Facts, Install, Package
from archpatch.platforms import ArchWord, arch_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.package.fetched import fetched_fix, held_fix
from archpatch_rules.package.which import is_fine, packages


class DebFileAmd64(Rule):
    """A Debian package is installed from a file for one architecture.

    On another one dpkg refuses it: `package architecture (amd64) does not match system (arm64)`.

    It is fine in a branch that asks for the architecture, beside the package for the other one, and in a stage that is
    pinned. A file that the same stage downloads is the download's matter.

    For a URL the fix puts the architecture in its place; it is safe where the publisher is known to have the other
    file. For a file that comes along in a folder of the build context the name takes `${TARGETARCH}`. That is unsafe: the
    context must bring the other one too. Where a COPY names the file, the fix is that of the COPY.
    """

    code, name, severity = "AP306", "deb-file-amd64", Severity.ERROR
    hints = (".deb",)
    errors = (
        "package architecture (amd64) does not match system (arm64)",
        "dpkg: error processing archive",
    )
    examples = (
        Example(
            "FROM debian\nCOPY tool_1.0_amd64.deb /tmp/\nRUN dpkg -i /tmp/tool_1.0_amd64.deb\n",
            "FROM debian\nCOPY tool_1.0_amd64.deb /tmp/\nRUN dpkg -i /tmp/tool_1.0_amd64.deb\n",
        ),
        Example(
            "FROM debian\nCOPY packages /tmp/\nRUN dpkg -i /tmp/tool_*_amd64.deb && rm /tmp/tool_*_amd64.deb\n",
            "FROM debian\nCOPY packages /tmp/\nARG TARGETARCH\n"
            "RUN dpkg -i /tmp/tool_*_${TARGETARCH}.deb && rm /tmp/tool_*_${TARGETARCH}.deb\n",
            title="Out of a folder",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY . /tmp/\nRUN tar -xf /tmp/all.tgz && dpkg -i all/tool_1.0_amd64.deb\n",
            "FROM debian\nCOPY . /tmp/\nRUN tar -xf /tmp/all.tgz && dpkg -i all/tool_1.0_amd64.deb\n",
            title="Out of an archive, whose files nobody knows",
        ),
        Example(
            "FROM debian\nRUN apt-get install -y https://example.com/tool_1.0_amd64.deb\n",
            "FROM debian\nARG TARGETARCH\nRUN apt-get install -y https://example.com/tool_1.0_${TARGETARCH}.deb\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN wget https://example.com/tool_1.0_amd64.deb && dpkg -i tool_1.0_amd64.deb\n",
            title="The download is what is wrong",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            "RUN wget https://example.com/tool_${TARGETARCH}.deb && dpkg -i tool_amd64.deb\n",
            "FROM debian\nARG TARGETARCH\n"
            "RUN wget https://example.com/tool_${TARGETARCH}.deb && dpkg -i tool_amd64.deb\n",
            "The download follows, the name does not",
        ),
        Example("FROM debian\nARG TARGETARCH\nRUN dpkg -i /tmp/tool_${TARGETARCH}.deb\n"),
        Example("FROM debian\nRUN dpkg -i /tmp/tool_1.0_all.deb\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each file."""
        for install, package in packages(facts, "dpkg", "apt"):
            found = _architecture(package)
            if found is None or found.arch == facts.named_arch or is_fine(facts, install, package):
                continue
            span = package.word.find(found.text) or package.word.span
            if "://" in package.name:
                yield self.finding(span, _message(package, found), fetched_fix(document, facts, package))
            elif not _is_downloaded(facts, install, package):
                fix = held_fix(facts, install, package, "amd64") if found.text == "amd64" else None
                yield self.finding(span, _message(package, found), fix)


def _architecture(package: Package) -> ArchWord | None:
    """The architecture in the name of a .deb file."""
    name = package.name.rsplit("/", 1)[-1]
    if not package.local or not name.endswith(".deb"):
        return None
    words = [word for word in arch_words(name) if word.arch in ("amd64", "arm64", "386")]
    return words[-1] if words else None


def _message(package: Package, found: ArchWord) -> str:
    name = package.name.rsplit("/", 1)[-1]
    return f"{name} is a package for {found.text}, and is installed on every platform: dpkg refuses it on another one."


def _is_downloaded(facts: Facts, install: Install, package: Package) -> bool:
    """Whether a download gives the file this name on every platform, and so is what is to be mended."""
    name = package.name.rsplit("/", 1)[-1]
    return any(
        name == _output(one) if one.explicit else name == one.file_name and not one.varies
        for one in facts.downloads
        if one.stage in install.command.stage.chain
    )


def _output(download: Download) -> str:
    return (download.output or "").rsplit("/", 1)[-1]
