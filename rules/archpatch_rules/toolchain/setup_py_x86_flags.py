"""AP620."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.flags import X86_ONLY
from archpatch.facts.pythons import PythonText, python_texts
from archpatch.platforms import ARM64
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix

if TYPE_CHECKING:
    from archpatch.syntax.python import PythonString

_ARGUMENTS = ("extra_compile_args", "extra_link_args", "cflags", "compile_args")
_SETUP = (
    "from setuptools import Extension, setup\n\n"
    'setup(\n    name="shop",\n    ext_modules=[\n'
    '        Extension("fast", ["fast.c"], extra_compile_args=["-O3", "-mavx2"]),\n    ],\n)\n'
)


class SetupPyX86Flags(Rule):
    """A setup.py compiles its extension with options for x86 CPUs: `extra_compile_args=["-mavx2"]`.

    The Dockerfile looks right on every platform; yet `pip install .` ends on linux/arm64 in `unrecognized
    command-line option`, for no compiler there knows the option.

    It is fine where setup.py asks for the machine first.

    The fix edits setup.py: the option stays for x86_64 alone. It is unsafe: the code may need the instructions
    (`#include <immintrin.h>`), which arm64 has not.
    """

    code, name, severity = "AP620", "setup-py-x86-flags", Severity.WARNING
    hints = ("pip", "setup.py")
    errors = ("unrecognized command-line option", "Failed building wheel")
    examples = (
        Example(
            "FROM python:3.12\nCOPY . .\nRUN pip install .\n",
            "FROM python:3.12\nCOPY . .\nRUN pip install .\n",
            files={"setup.py": _SETUP},
            files_after={
                "setup.py": _SETUP.replace(
                    '"-mavx2"', '*(["-mavx2"] if platform.machine() in ("x86_64", "AMD64") else [])'
                ).replace("from setuptools", "import platform\nfrom setuptools", 1)
            },
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nCOPY . .\nRUN python lib/setup.py bdist_wheel\n",
            "FROM python:3.12\nCOPY . .\nRUN python lib/setup.py bdist_wheel\n",
            "Options in one text",
            files={"lib/setup.py": _SETUP.replace('["-O3", "-mavx2"]', '"-O3 -msse4.2".split()')},
        ),
        Example(
            "FROM python:3.12\nCOPY . .\nRUN pip install .\n",
            title="It asks for the machine",
            files={"setup.py": 'import platform\nif platform.machine() == "x86_64":\n    pass\n' + _SETUP},
        ),
        Example("FROM python:3.12\nRUN pip install flask\n", files={"setup.py": _SETUP}),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Options for x86 among the arguments of extensions."""
        if ARM64 not in facts.targets:
            return
        for text in python_texts(facts, b"-m"):
            stage = text.stage
            if text.path is None or not stage.reached or stage.kind is PlatformKind.CONSTANT:
                continue
            if b"machine" in text.source or b"x86_64" in text.source:
                continue  # it asks
            for string in _strings(text):
                flag = next((word for word in string.value.split() if re.fullmatch(X86_ONLY, word)), None)
                if flag is None:
                    continue
                yield self.finding(
                    string.span,
                    f"`{flag}` is for x86 alone: on linux/arm64 the compiler does not know it, and the build of this package "
                    "fails (`unrecognized command-line option`). Say it for x86_64 only.",
                    _fix(text, string),
                    path=text.path,
                    related=(Related(text.run.keyword_span, "built by this instruction"),),
                )


def _strings(text: PythonText) -> Iterator[PythonString]:
    seen: set[int] = set()
    for call in text.module.calls:
        for argument in call.arguments:
            if argument.keyword in _ARGUMENTS:
                for string in argument.strings:
                    if string.span.start not in seen:
                        seen.add(string.span.start)
                        yield string


def _fix(text: PythonText, string: PythonString) -> Fix | None:
    """A conditional element in place of the option, and the import that it needs."""
    source = text.source
    before, after = source[: string.span.start].rstrip()[-1:], source[string.span.end :].lstrip()[:1]
    if string.inner is None or before not in (b"[", b",") or after not in (b"]", b","):
        return None
    element = b"*([" + string.span.of(source) + b'] if platform.machine() in ("x86_64", "AMD64") else [])'
    edits = [Edit.replace(string.span, element, text.path)]
    if b"import platform\n" not in source:
        at = _first_import(source)
        if at is None:
            return None
        newline = b"\r\n" if b"\r\n" in source else b"\n"
        edits.append(Edit.insert(at, b"import platform" + newline, text.path))
    return Fix("Say it for x86_64 only", tuple(edits), Applicability.UNSAFE)


def _first_import(source: bytes) -> int | None:
    """Where the first import of a module begins, those from `__future__` left out."""
    at = 0
    for line in source.splitlines(keepends=True):
        if line.startswith((b"import ", b"from ")) and not line.startswith(b"from __future__"):
            return at
        at += len(line)
    return None
