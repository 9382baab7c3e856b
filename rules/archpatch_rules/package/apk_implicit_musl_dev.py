"""AP313."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install
from archpatch.rewrite import add_packages
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.which import stages


class ApkImplicitMuslDev(Rule):
    """On Alpine, g++ is installed, and the headers of the C library come with it unsaid.

    Nothing fails: Alpine's g++ depends on them. Whoever later replaces `g++` by `gcc` loses them, and packages that are
    compiled on arm64 alone then end with `fatal error: stdio.h: No such file or directory`.

    It is fine as it is; the explicit style writes out what the build relies on. `build-base` and `alpine-sdk` say it.

    The fix adds `musl-dev` to the same `apk add`. It is safe: the package is installed already.
    """

    code, name, severity = "AP313", "apk-implicit-musl-dev", Severity.NOTE
    style = Style.EXPLICIT
    hints = ("g++",)
    errors = ("fatal error: stdio.h: No such file or directory",)
    examples = (
        Example(
            "FROM python:3.12-alpine\nRUN apk add --no-cache g++ linux-headers\n",
            "FROM python:3.12-alpine\nRUN apk add --no-cache g++ linux-headers musl-dev\n",
            style=Style.EXPLICIT,
            applicability="safe",
        ),
        Example("FROM python:3.12-alpine\nRUN apk add --no-cache g++ musl-dev\n", style=Style.EXPLICIT),
        Example("FROM python:3.12-alpine\nRUN apk add --no-cache build-base g++\n", style=Style.EXPLICIT),
        Example("FROM debian\nRUN apt-get install -y g++\n", style=Style.EXPLICIT),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage."""
        for stage in stages(facts):
            if not stage.any_install(_is_compiler, "apk") or stage.any_install(_says_it, "apk"):
                continue
            for install in stage.installs_by("apk"):
                package = next((one for one in install.packages if one.name == "g++"), None)
                if package is not None and install.command.shell.only_on is None:
                    words = [one.word for one in install.packages]
                    yield self.finding(
                        package.word.span,
                        "g++ brings the C library's headers with it; musl-dev says so.",
                        Fix(
                            "Write out musl-dev",
                            add_packages(document, words, ["musl-dev"]),
                            Applicability.SAFE,
                        ),
                    )
                    break


def _is_compiler(install: Install) -> bool:
    return install.has("g++")


def _says_it(install: Install) -> bool:
    return install.has("musl-dev", "libc-dev", "build-base", "alpine-sdk")
