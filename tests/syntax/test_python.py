"""Python read for strings, calls and comparisons."""

from __future__ import annotations

import pytest

from archpatch.syntax.python import PythonModule, read_python

SETUP = """\
# -*- coding: latin-1 -*-
# é
import platform
from setuptools import Extension, setup
if platform.machine() == "x86_64":
    FLAGS = ["-mavx2", '-O3']
elif platform.machine() in ('aarch64', "arm64"):
    FLAGS = []
setup(ext_modules=[Extension("a", ["é.c"], extra_compile_args=["-march=native", "a\\tb"])])
"""


def module(text: str, base: int = 0) -> PythonModule:
    found = read_python(text.encode(), base)
    assert found is not None
    return found


def test_strings_have_the_spans_of_the_file() -> None:
    source = b"#" * 7 + SETUP.encode()
    for string in module(SETUP, 7).strings:
        assert string.span.of(source)[:1] in b"\"'"
        if string.inner is not None:
            assert string.inner.of(source).decode() == string.value


def test_a_string_with_escapes_has_no_inner_span() -> None:
    assert [string.inner for string in module(SETUP).strings if string.value == "a\tb"] == [None]


def test_calls_have_their_keywords() -> None:
    call = next(one for one in module(SETUP).calls if one.name == "Extension")
    argument = call.keyword("extra_compile_args")
    assert argument is not None
    assert [string.value for string in argument.strings] == ["-march=native", "a\tb"]
    assert call.keyword("nothing") is None


def test_comparisons_with_strings_are_found() -> None:
    found = module(SETUP).comparisons
    assert [(one.left, one.operator, [string.value for string in one.strings]) for one in found] == [
        ("platform.machine()", "==", ["x86_64"]),
        ("platform.machine()", "in", ["aarch64", "arm64"]),
    ]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"def (", id="no Python"),
        pytest.param(b"print 'old'", id="Python 2"),
        pytest.param(b"# \xe9\n", id="not UTF-8"),
        pytest.param(b"x = " + b"(" * 3000, id="deep"),
    ],
)
def test_what_is_no_python_gives_nothing(source: bytes) -> None:
    assert read_python(source) is None


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_bom_and_crlf_move_nothing(newline: str) -> None:
    source = b"\xef\xbb\xbf" + newline.join(("x = 1", "y = 'amd64'", "")).encode()
    (string,) = read_python(source).strings  # type: ignore[union-attr] # it is Python
    assert string.span.of(source) == b"'amd64'"
