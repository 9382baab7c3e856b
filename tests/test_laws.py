"""The built-in rules keep the laws of `archpatch.testing`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import archpatch_rules
from archpatch.deferred import INDEX, Deferred, index_of
from archpatch.registry import load
from archpatch.rule import Example, Rule
from archpatch.testing import assert_lawful, assert_well_formed, every_example, example_id
from archpatch_rules import RULES


@pytest.mark.parametrize("rule", RULES, ids=example_id)
def test_every_rule_is_well_formed(rule: Rule) -> None:
    assert_well_formed(rule)


@pytest.mark.parametrize(("rule", "example"), every_example(RULES), ids=example_id)
def test_every_example_is_lawful(rule: Rule, example: Example) -> None:
    assert_lawful(rule, example, RULES)


@pytest.mark.parametrize("rule", RULES, ids=example_id)
def test_a_rule_has_a_file_of_its_own_named_as_the_rule(rule: Rule) -> None:
    assert isinstance(rule, Deferred)
    module = type(rule.rule).__module__
    assert module.rpartition(".")[2] == rule.name.replace("-", "_")
    others = [
        other
        for other in vars(sys.modules[module]).values()
        if isinstance(other, type) and issubclass(other, Rule) and other.__module__ == module
    ]
    assert others == [type(rule.rule)]


def test_the_registry_gives_the_built_in_rules() -> None:
    assert set(RULES) <= set(load())


def test_the_index_lists_every_rule_as_its_file_says_it() -> None:
    stale = "run: python -m archpatch.deferred archpatch_rules"
    assert Path(archpatch_rules.__file__).with_name(INDEX).read_bytes() == index_of(archpatch_rules), stale


def test_a_rule_of_an_index_is_not_imported_before_it_is_asked() -> None:
    script = (
        "import sys; from archpatch.registry import load; from archpatch.engine import check;"
        "from archpatch.syntax.parse import parse; check(parse(b'FROM debian'), load());"
        "print(sorted(name for name in sys.modules if name.startswith('archpatch_rules.platform.')))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "final_stage" not in ran.stdout
