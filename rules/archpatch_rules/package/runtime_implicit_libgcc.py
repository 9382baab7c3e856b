"""AP315."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install
from archpatch.rewrite import add_packages
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.which import stages

_SAY_IT = frozenset({"libgcc", "gcc", "g++", "build-base", "alpine-sdk"})


class RuntimeImplicitLibgcc(Rule):
    """On Alpine, libstdc++ is installed, and libgcc_s comes with it unsaid.

    Nothing fails: Alpine's libstdc++ depends on libgcc. Compiled packages need both; whoever later finds libstdc++
    superfluous takes away both, and arm64 ends with `Error loading shared library libgcc_s.so.1`.

    It is fine as it is; the explicit style writes out what the image relies on.

    The fix adds `libgcc` to the same `apk add`. It is safe: the package is installed already.
    """

    code, name, severity = "AP315", "runtime-implicit-libgcc", Severity.NOTE
    style = Style.EXPLICIT
    hints = ("libstdc++",)
    errors = ("Error loading shared library libgcc_s.so.1", "cannot find -lgcc_s")
    examples = (
        Example(
            "FROM python:3.12-alpine\nRUN apk add --no-cache libstdc++\n",
            "FROM python:3.12-alpine\nRUN apk add --no-cache libstdc++ libgcc\n",
            style=Style.EXPLICIT,
            applicability="safe",
        ),
        Example("FROM python:3.12-alpine\nRUN apk add --no-cache libgcc libstdc++\n", style=Style.EXPLICIT),
        Example("FROM python:3.12-alpine\nRUN apk add --no-cache g++ libstdc++\n", style=Style.EXPLICIT),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage."""
        for stage in stages(facts):
            if not stage.any_install(_is_library, "apk") or stage.any_install(_says_it, "apk"):
                continue
            for install in stage.installs_by("apk"):
                package = next((one for one in install.packages if one.name == "libstdc++"), None)
                if package is not None and install.command.shell.only_on is None:
                    words = [one.word for one in install.packages]
                    yield self.finding(
                        package.word.span,
                        "libstdc++ brings libgcc with it; writing it out says that it is needed.",
                        Fix(
                            "Write out libgcc", add_packages(document, words, ["libgcc"]), Applicability.SAFE
                        ),
                    )
                    break


def _is_library(install: Install) -> bool:
    return install.has("libstdc++")


def _says_it(install: Install) -> bool:
    return not _SAY_IT.isdisjoint(install.names)
