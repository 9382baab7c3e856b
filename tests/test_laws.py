"""The built-in rules keep the laws of `archpatch.testing`."""

from __future__ import annotations

import sys

import pytest

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
    module = type(rule).__module__
    assert module.rpartition(".")[2] == rule.name.replace("-", "_")
    others = [
        other
        for other in vars(sys.modules[module]).values()
        if isinstance(other, type) and issubclass(other, Rule) and other.__module__ == module
    ]
    assert others == [type(rule)]


def test_the_registry_gives_the_built_in_rules() -> None:
    assert set(RULES) <= set(load())
