"""AP309."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package
from archpatch.platforms import Convention, arch_words
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix
from archpatch_rules.package.fetched import fetched_fix, held_fix
from archpatch_rules.package.which import installs, is_fine, names_it

_MANAGERS = ("yum", "dnf", "microdnf", "tdnf", "zypper", "rpm")


class RpmArchLiteral(Rule):
    """An rpm package is asked for by the name of one architecture (`glibc.i686`, `tool-1.0.x86_64.rpm`).

    On arm64 the build ends with `No match for argument`, `Unable to find a match`, or, for a file, with `package
    tool.x86_64 is intended for a different architecture`.

    PostgreSQL's `pgdg-redhat-repo-latest.noarch.rpm` is for one all the same: that of `EL-9-x86_64` brings the key that
    signs the packages for amd64, and those for arm64 are refused (`GPG signature verification error`).

    It is fine in a branch that asks for the architecture, and where the package for the other one is named beside it. A
    file that the same stage downloads is the download's matter.

    The fix takes `.x86_64` off a name: dnf and yum then install that of the machine. It is unsafe, for nobody knows
    whether the repository has it for arm64. In a URL it puts the architecture in its place, safe where the publisher is
    known to have the other file, and in the name of a file that comes along in a folder, unsafe. For `.i686` there is
    none: arm64 has no 32-bit x86 libraries.
    """

    code, name, severity = "AP309", "rpm-arch-literal", Severity.ERROR
    hints = (".x86_64", ".i686", ".i386", ".aarch64", ".rpm")
    errors = (
        "No match for argument",
        "Unable to find a match",
        "is intended for a different architecture",
        "repomd.xml GPG signature verification error",
    )
    examples = (
        Example(
            "FROM rockylinux:9\nRUN dnf install -y openssl-devel.x86_64 git\n",
            "FROM rockylinux:9\nRUN dnf install -y openssl-devel git\n",
            applicability="unsafe",
        ),
        Example(
            "FROM centos:7\nRUN yum install -y glibc.i686 libstdc++.i686\n",
            "FROM centos:7\nRUN yum install -y glibc.i686 libstdc++.i686\n",
        ),
        Example(
            "FROM rockylinux:9\nRUN dnf install -y https://example.com/tool-1.0.x86_64.rpm\n",
            'FROM rockylinux:9\nRUN dnf install -y "https://example.com/tool-1.0.$(uname -m).rpm"\n',
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nCOPY packages /tmp/\nRUN rpm -i /tmp/tool-1.0.x86_64.rpm\n",
            'FROM rockylinux:9\nCOPY packages /tmp/\nRUN rpm -i "/tmp/tool-1.0.$(uname -m).rpm"\n',
            title="Out of a folder",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nCOPY tool-1.0.x86_64.rpm /tmp/\nRUN rpm -i /tmp/tool-1.0.x86_64.rpm\n",
            "FROM rockylinux:9\nCOPY tool-1.0.x86_64.rpm /tmp/\nRUN rpm -i /tmp/tool-1.0.x86_64.rpm\n",
        ),
        Example(
            "FROM rockylinux:9\nRUN dnf install -y https://download.postgresql.org/pub/repos/yum/reporpms/EL-9-x86_64"
            "/pgdg-redhat-repo-latest.noarch.rpm\n",
            'FROM rockylinux:9\nRUN dnf install -y "https://download.postgresql.org/pub/repos/yum/reporpms/EL-9-$(uname -m)'
            '/pgdg-redhat-repo-latest.noarch.rpm"\n',
            title="A repository's package, whose key is for one architecture",
            applicability="safe",
        ),
        Example("FROM rockylinux:9\nRUN dnf install -y openssl-devel git\n"),
        Example("FROM rockylinux:9\nRUN dnf install -y https://example.com/x86_64/release-9.noarch.rpm\n"),
        Example(
            "FROM rockylinux:9\nRUN curl -fsSLO https://example.com/t-1.0.x86_64.rpm && rpm -i t-1.0.x86_64.rpm\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each name or file, one for each command that installs those of i686."""
        for install in installs(facts, *_MANAGERS):
            old = [
                one
                for one in install.packages
                if Convention.RPM.read(one.arch or "") == "386" or one.arch == "i386"
            ]
            if old and not is_fine(facts, install, old[0]):
                yield self.finding(
                    old[0].word.span,
                    f"{old[0].name} is installed for 32-bit x86: arm64 has no such package.",
                    related=tuple(Related(one.word.span, "and this one") for one in old[1:6]),
                )
            for package in install.packages:
                arch = Convention.RPM.read(package.arch or "") or _of_file(facts, package)
                if (
                    arch not in ("amd64", "arm64")
                    or arch == facts.named_arch
                    or is_fine(facts, install, package)
                ):
                    continue
                if package.arch is not None:
                    yield self._named(install, package)
                elif "://" in package.name or not _is_downloaded(facts, install, package):
                    yield self._file(document, facts, install, package)

    def _named(self, install: Install, package: Package) -> Finding:
        span = package.word.find(f".{package.arch}")
        fix = None
        if span is not None and names_it(install, package) and install.manager != "rpm":
            title = "Install the package of the machine's own architecture"
            fix = Fix(title, (Edit.delete(span),), Applicability.UNSAFE)
        return self.finding(
            package.word.span,
            f"{package.name} is asked for as {package.arch} on every platform: another machine does not find it.",
            fix,
        )

    def _file(self, document: Document, facts: Facts, install: Install, package: Package) -> Finding:
        name = package.name.rsplit("/", 1)[-1]
        match = facts.tables.asset(package.name) if "noarch" in name else None
        cost = match.asset.note if match else "rpm refuses it on another one"
        return self.finding(
            package.word.span,
            f"{name} is a package for one architecture, and is installed on every platform: {cost}.",
            fetched_fix(document, facts, package)
            if "://" in package.name
            else held_fix(facts, install, package, "x86_64"),
        )


def _of_file(facts: Facts, package: Package) -> str | None:
    name = package.name.rsplit("/", 1)[-1]
    if not package.local or not name.endswith(".rpm"):
        return None
    if "noarch" in name:
        return _of_folder(facts, package.name)
    return next((word.arch for word in reversed(list(arch_words(name)))), None)


def _of_folder(facts: Facts, url: str) -> str | None:
    """The architecture of a file that calls itself noarch and that the table knows to be for one all the same."""
    match = facts.tables.asset(url) if "://" in url else None
    if match is None or not match.exact:
        return None
    return next((match.asset.arch_of(one.place, url[one.start : one.end]) for one in match.tokens), None)


def _is_downloaded(facts: Facts, install: Install, package: Package) -> bool:
    name = package.name.rsplit("/", 1)[-1]
    chain = install.command.stage.chain
    outputs = ((one.output or "").rsplit("/", 1)[-1] for one in facts.downloads if one.stage in chain)
    return name in outputs or any(name == one.file_name for one in facts.downloads if one.stage in chain)
