"""Patterns are compiled when they are first used; here all of them are."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

import archpatch
import archpatch_rules
from archpatch.text import regex


def modules() -> Iterator[ModuleType]:
    for package in (archpatch, archpatch_rules):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def test_every_pattern_of_every_module_compiles() -> None:
    lazy = type(regex(""))
    seen = 0
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, lazy):
                assert re.compile(value.pattern, value.flags), f"{module.__name__}.{name}"
                seen += 1
    assert seen > 100


def test_a_pattern_has_the_methods_of_a_compiled_one() -> None:
    pattern = regex("(?P<a>A)b*", re.IGNORECASE)
    assert pattern.search("xaBB") is not None
    assert pattern.sub(r"<\1>", "abAbb") == "<a><A>"
    assert pattern.groupindex["a"] == 1
    assert regex(rb"a").findall(b"aba") == [b"a", b"a"]


def test_a_pattern_that_is_wrong_says_so_at_its_first_use() -> None:
    with pytest.raises(re.error):
        regex("(").match("")
