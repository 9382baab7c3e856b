"""AP705."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Written, written
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import arch_of
from archpatch.rewrite.paths import uname_edits
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document
from archpatch.text import Applicability, Edit, Fix, Span, regex

# mod.cpython-312-x86_64-linux-gnu.so, build/lib.linux-x86_64-3.12, build/temp.linux-x86_64-cpython-312
_SUFFIX = regex(
    r"cpython-\d+[a-z]?-(x86_64|aarch64)-linux-(?:gnu|musl)|(?:lib|temp)\.linux-(x86_64|aarch64)-(?:cpython-)?[\d.]+"
)


class PythonExtSuffix(Rule):
    """A compiled Python module is named with one architecture: `mod.cpython-312-x86_64-linux-gnu.so`.

    On arm64 the build makes `mod.cpython-312-aarch64-linux-gnu.so` in `build/lib.linux-aarch64-cpython-312`: what copies
    or loads it by the other name fails.

    It is fine in a branch that asks for the architecture.

    The fix writes `$(uname -m)` in a RUN of a stage that runs on the target, which keeps amd64 as it is: safe. A COPY
    takes any architecture's file (`*`), where its destination does not name it: unsafe.
    """

    code, name, severity = "AP705", "python-ext-suffix", Severity.WARNING
    hints = ("cpython-", "lib.linux-", "temp.linux-")
    errors = (
        "cp: cannot stat '/app/mod.cpython-312-x86_64-linux-gnu.so': No such file or directory",
        "ModuleNotFoundError: No module named",
    )
    examples = (
        Example(
            "FROM python:3.12\nRUN cp build/lib.linux-x86_64-3.12/fast.cpython-312-x86_64-linux-gnu.so /opt/fast.so\n",
            "FROM python:3.12\n"
            'RUN cp build/lib.linux-"$(uname -m)"-3.12/fast.cpython-312-"$(uname -m)"-linux-gnu.so /opt/fast.so\n',
            applicability="safe",
        ),
        Example(
            "FROM python:3.12 AS build\nRUN python setup.py build_ext --inplace\nFROM python:3.12-slim\n"
            "COPY --from=build /app/fast.cpython-312-x86_64-linux-gnu.so /app/\n",
            "FROM python:3.12 AS build\nRUN python setup.py build_ext --inplace\nFROM python:3.12-slim\n"
            "COPY --from=build /app/fast.cpython-312-*-linux-gnu.so /app/\n",
            applicability="unsafe",
        ),
        Example("FROM python:3.12\nCOPY --from=build /app/fast.cpython-312-*.so /app/\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each word."""
        for place in written(facts, "-x86_64-", "-aarch64-"):
            match = _SUFFIX.search(place.value)
            span = None if match is None else next(place.places(match[0]), None)
            if match is None or span is None:
                continue
            word = match[1] or match[2]
            arch = arch_of(word) or ""
            if why_arch_is_fine(facts, arch, place.instruction, span, place.command) is not None:
                continue
            yield self.finding(
                span,
                f"Python puts the name of the machine into this file's name: `{word}` is there on {arch} alone, and "
                "elsewhere the file is called otherwise.",
                _fix(facts, place, word, arch),
            )


def _fix(facts: Facts, place: Written, word: str, arch: str) -> Fix | None:
    texts = [match[0] for match in _SUFFIX.finditer(place.value) if word in match[0]]
    edits = tuple(edit for text in dict.fromkeys(texts) for edit in uname_edits(facts, place, text, word))
    if edits:
        safe = Applicability.SAFE if arch == "amd64" else Applicability.UNSAFE
        return Fix("Ask the machine for its name", edits, safe)
    copy = place.instruction
    if not isinstance(copy, Copy) or copy.json or place.word not in copy.sources or copy.destination is None:
        return None
    if word in copy.destination.value or not copy.destination.value.endswith("/"):
        return None
    changes = []
    for text in dict.fromkeys(texts):
        for span in place.places(text):
            start = span.start + text.index(word)
            changes.append(Edit.replace(Span(start, start + len(word)), "*"))
    return Fix("Take the file of the machine that is built", tuple(changes), Applicability.UNSAFE)
