"""AP303."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package, PlatformKind
from archpatch.rewrite import declare_arg
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix
from archpatch_rules.package.which import is_fine, names_it, on_amd64_alone, packages, safe_if

_OTHER_RULES = (
    "google-chrome",
    "gcc-",
    "g++-",
    "gfortran-",
    "gobjc",
    "gnat-",
    "cpp-",
    "crossbuild-",
    "binutils-",
    "lib32",
    "libx32",
    "libc6-",
)
_HARDWARE = (
    "intel",
    "i965",
    "amd64-microcode",
    "beignet",
    "cpuid",
    "iucode-tool",
    "libmfx",
    "memtest86",
    "msr-tools",
    "va-driver",
)


class AptPackageAmd64Only(Rule):
    """A Debian package is installed that exists for amd64 alone.

    On arm64 the build ends with `Unable to locate package` or `has no installation candidate`.

    It is fine in a branch that asks for the architecture, and in a stage that is for amd64 on purpose.

    Where only the name differs (`linux-headers-amd64`), the fix puts `${TARGETARCH}` into it, and is safe. Packages for
    Intel's or AMD's own hardware are installed on amd64 alone then, which is unsafe: whether something needs them is
    for a person to say. So is what stands in for a package elsewhere, where something does (`msodbcsql18` for
    `msodbcsql17`): it may have other paths. For others there is none.
    """

    code, name, severity = "AP303", "apt-package-amd64-only", Severity.ERROR
    hints = ("install",)
    errors = ("E: Unable to locate package", "has no installation candidate")
    examples = (
        Example(
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y make linux-headers-amd64\n",
            "FROM debian:bookworm\nARG TARGETARCH\n"
            "RUN apt-get update && apt-get install -y make linux-headers-${TARGETARCH}\n",
            applicability="safe",
        ),
        Example(
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y intel-microcode\n",
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y "
            '$([ "$(dpkg --print-architecture)" = amd64 ] && echo intel-microcode)\n',
            applicability="unsafe",
        ),
        Example(
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y syslinux\n",
            "FROM debian:bookworm\nRUN apt-get update && apt-get install -y syslinux\n",
        ),
        Example("FROM debian:bookworm\nRUN apt-get update && apt-get install -y grub-common\n"),
        Example(
            "FROM debian:bookworm\n"
            'RUN apt-get update && if [ "$(uname -m)" = x86_64 ]; then apt-get install -y intel-microcode; fi\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each package."""
        names = facts.tables.deb_names
        for install, package in packages(facts, "apt", known=names):
            if (
                package.name not in names
                or package.local
                or package.arch is not None
                or package.name.startswith(_OTHER_RULES)
            ):
                continue
            row = facts.tables.package_lacks_arm64("apt", package.name)
            if (row is None and not _debian_lacks(facts, install, package)) or is_fine(
                facts, install, package
            ):
                continue
            because = f" ({row['note']})" if row is not None and row["note"] else ""
            instead = (
                f" There, {row['instead']} is what stands in for it."
                if row is not None and row["instead"]
                else ""
            )
            yield self.finding(
                package.word.span,
                f"{package.name} exists for amd64 alone{because}: on arm64, apt does not find it.{instead}",
                _fix(document, facts, install, package, row["instead"] if row is not None else ""),
            )


def _debian_lacks(facts: Facts, install: Install, package: Package) -> bool:
    distro = install.command.stage.distro
    return distro.name == "debian" and facts.tables.debian_lacks_arm64(package.name, distro.release)


def _fix(document: Document, facts: Facts, install: Install, package: Package, instead: str) -> Fix | None:
    if install.command.stage.kind is not PlatformKind.TARGET or package.version is not None:
        return None
    if package.name in ("linux-headers-amd64", "linux-image-amd64"):
        span = package.word.find("amd64")
        if span is None or not names_it(install, package):
            return None
        edits = (
            *declare_arg(document, facts, install.run, "TARGETARCH"),
            Edit.replace(span, "${TARGETARCH}"),
        )
        return Fix("Name the package after the architecture that is built", edits, safe_if(facts, True))
    if any(word in package.name for word in _HARDWARE) and (edit := on_amd64_alone(install, package)):
        return Fix("Install it on amd64 alone", (edit,), Applicability.UNSAFE)
    if instead and (edit := on_amd64_alone(install, package, instead)):
        return Fix("Install what stands in for it on other architectures", (edit,), Applicability.UNSAFE)
    return None
