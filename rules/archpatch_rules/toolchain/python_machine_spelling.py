"""AP621."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archpatch.facts import Facts
from archpatch.facts.pythons import PythonText, python_texts
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, encode

if TYPE_CHECKING:
    from archpatch.syntax.python import PythonComparison, PythonString

_SELECTORS = frozenset(
    name + tail
    for name in ("platform.machine()", "os.uname().machine", "platform.uname().machine", "machine()")
    for tail in ("", ".lower()")
)
# What Linux says, by what other systems or Docker say.
_ON_LINUX = {"arm64": "aarch64", "amd64": "x86_64", "AMD64": "x86_64"}


class PythonMachineSpelling(Rule):
    """Python asks for the machine and knows one spelling: `platform.machine() == "arm64"`.

    `platform.machine()` is the kernel's word: on Linux x86_64 and aarch64. `arm64` is what macOS says, `AMD64` what
    Windows says; in an image such a comparison is never true, so the code for other machines is taken, in silence.
    This holds for a setup.py that the image builds, for heredocs and for `python -c`.

    It is fine where both spellings are asked for.

    The fix asks for both. For arm64 an amd64 build goes on as before; it is unsafe all the same, for a branch that
    nobody has run yet is taken from now on. In a setup.py the fix edits that file.
    """

    code, name, severity = "AP621", "python-machine-spelling", Severity.WARNING
    hints = ("python", "pip")
    examples = (
        Example(
            "FROM python:3.12\n"
            "RUN python3 <<EOF\n"
            "import platform\n"
            'flags = "-neon" if platform.machine() == "arm64" else "-sse"\n'
            'open("/flags", "w").write(flags)\n'
            "EOF\n",
            "FROM python:3.12\n"
            "RUN python3 <<EOF\n"
            "import platform\n"
            'flags = "-neon" if platform.machine() in ("arm64", "aarch64") else "-sse"\n'
            'open("/flags", "w").write(flags)\n'
            "EOF\n",
            "In a heredoc",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nRUN python -c 'import os; print(os.uname().machine != \"arm64\")' > /machine\n",
            "FROM python:3.12\n"
            'RUN python -c \'import os; print(os.uname().machine not in ("arm64", "aarch64"))\' > /machine\n',
            "On the command line",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nCOPY . .\nRUN pip install .\n",
            "FROM python:3.12\nCOPY . .\nRUN pip install .\n",
            "In the setup.py that the image builds",
            files={
                "setup.py": "import platform\n\nfrom setuptools import setup\n\n"
                'NEON = platform.machine() in ["arm64"]\nsetup(name="shop")\n'
            },
            files_after={
                "setup.py": "import platform\n\nfrom setuptools import setup\n\n"
                'NEON = platform.machine() in ["arm64", "aarch64"]\nsetup(name="shop")\n'
            },
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nCOPY . .\nRUN pip install .\n",
            files={"setup.py": 'import platform\nNEON = platform.machine() in ("arm64", "aarch64")\n'},
        ),
        Example(
            "FROM python:3.12\nCOPY . .\nRUN pip install flask\n",
            title="The package is not built",
            files={"setup.py": 'import platform\nNEON = platform.machine() == "arm64"\n'},
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Comparisons of the machine with words that Linux never says."""
        for text in python_texts(facts, b"machine"):
            asked = {
                string.value
                for comparison in text.module.comparisons
                if comparison.left in _SELECTORS
                for string in comparison.strings
            }
            for comparison in text.module.comparisons:
                wrong = [string for string in comparison.strings if string.value in _ON_LINUX]
                if comparison.left not in _SELECTORS or not wrong or not text.stage.reached:
                    continue
                right = _ON_LINUX[wrong[0].value]
                if right in asked or len({_ON_LINUX[string.value] for string in wrong}) > 1:
                    continue
                where = Related(text.run.keyword_span, "run by this instruction")
                yield self.finding(
                    comparison.span,
                    f"On Linux `{comparison.left}` is never `{wrong[0].value}`, it says `{right}`: in the image this is never "
                    "true. Ask for both spellings.",
                    _fix(text, comparison, wrong[-1], right),
                    path=text.path,
                    related=(where,) if text.path is not None else (),
                )


def _fix(text: PythonText, comparison: PythonComparison, wrong: PythonString, right: str) -> Fix | None:
    source, written = text.source, wrong.span.of(text.source)
    if wrong.inner is None or wrong.span.end > comparison.span.end:
        return None
    quote = source[wrong.inner.end : wrong.span.end]
    if quote not in (b"'", b'"'):
        return None
    added = written + b", " + quote + encode(right) + quote
    if comparison.operator in ("in", "not in"):
        edits: tuple[Edit, ...] = (Edit.replace(wrong.span, added, text.path),)
    else:
        operator = comparison.operator.encode()
        between = Span(comparison.span.start, wrong.span.start)
        at = between.of(source).rfind(operator)
        if at < 0 or len(comparison.strings) != 1 or comparison.span.end != wrong.span.end:
            return None
        start = between.start + at
        word = b"in" if comparison.operator == "==" else b"not in"
        edits = (
            Edit.replace(Span(start, start + len(operator)), word, text.path),
            Edit.replace(wrong.span, b"(" + added + b")", text.path),
        )
    return Fix("Ask for both spellings", edits, Applicability.UNSAFE)
