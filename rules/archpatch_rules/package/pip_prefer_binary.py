"""AP318."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.requirements import python_requirements
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.syntax.tree import Document
from archpatch_rules.package.musl import is_plain_alpine
from archpatch_rules.package.which import stages

_TOOLS = frozenset({"pip", "setuptools", "wheel", "poetry", "pipenv", "uv", "virtualenv"})


class PipPreferBinary(Rule):
    """On Alpine, pip may take the newest source of an unpinned package, where an older version has a wheel.

    Wheels for musl on arm64 come later than others. pip takes the newest version, compiles it on arm64 alone, and the
    build needs compilers and time that amd64 does not.

    It is fine with pinned versions, where the option changes nothing, and with `--prefer-binary` or `--only-binary`.
    The rule is asked only when it is named: most packages are pure Python, and it cannot tell.

    There is no fix: `--prefer-binary` may give the two architectures different versions. Pinning them is the better cure.
    """

    code, name, severity = "AP318", "pip-prefer-binary", Severity.NOTE
    style = Style.EXPLICIT
    opt_in = True
    hints = ("pip",)
    errors = ("error: command 'gcc' failed: No such file or directory",)
    examples = (
        Example(
            "FROM python:3.12-alpine\nRUN pip install flask pandas\n",
            "FROM python:3.12-alpine\nRUN pip install flask pandas\n",
            style=Style.EXPLICIT,
        ),
        Example("FROM python:3.12-alpine\nRUN pip install flask==3.0.0\n", style=Style.EXPLICIT),
        Example("FROM python:3.12-alpine\nRUN pip install --prefer-binary flask\n", style=Style.EXPLICIT),
        Example("FROM python:3.12-slim\nRUN pip install flask\n", style=Style.EXPLICIT),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each `pip install`."""
        for stage in stages(facts):
            if not is_plain_alpine(stage):
                continue
            for install in stage.installs:
                if install.manager != "pip" or any("-binary" in word.raw for word in install.options):
                    continue
                loose = [one.name for one in python_requirements(facts, install) if one.version is None]
                loose = [name for name in loose if name not in _TOOLS]
                if loose:
                    yield self.finding(
                        install.command.shell.span,
                        f"{loose[0]} is not pinned: where its newest version has no wheel for Alpine on arm64, it is compiled "
                        "there alone. Pin it, or let pip take an older wheel with --prefer-binary.",
                    )
