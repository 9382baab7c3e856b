"""The nodes of a script: what runs inside of what, and after what."""

from __future__ import annotations

import pytest

from archpatch.facts.nodes import every_node, items_from
from archpatch.syntax.shell import ShellCommand
from tests.facts.build import facts_of


def commands_from(script: str) -> list[str]:
    """The operators and names of the items from the command `it` on."""
    (first, *_) = [one for one in facts_of(f"FROM a\nRUN {script}\n").commands() if one.shell.name == "it"]
    return [
        f"{item.node.name if isinstance(item.node, ShellCommand) else '?'} {item.operator}".strip()
        for item in items_from(first.script, first.shell)
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("it && b && c", ["it &&", "b &&", "c"], id="the first"),
        pytest.param("a && it && b", ["it &&", "b"], id="after another"),
        pytest.param("it \\\n  # why\n  && b || c", ["it &&", "b ||", "c"], id="over lines and comments"),
        pytest.param("it && b | c", ["it &&", "?"], id="before a pipeline"),
        pytest.param("if a; then it && b; fi", ["it &&", "b"], id="in an arm"),
        pytest.param("a || (it && b)", ["it &&", "b"], id="in a subshell"),
        pytest.param("sh -c 'it && b'", ["it &&", "b"], id="in the script of another shell"),
        pytest.param("a || it && b", [], id="only if another fails"),
        pytest.param("it | a && b", [], id="in a pipeline"),
        pytest.param("! it && b", [], id="negated"),
        pytest.param("it; b", [], id="no list of && and ||"),
    ],
)
def test_what_follows_a_command_in_its_list(script: str, expected: list[str]) -> None:
    assert commands_from(script) == expected


def test_every_node_is_met_once_in_the_order_of_the_file() -> None:
    facts = facts_of(
        "FROM a\nRUN if q; then a; else { b | c; }; fi; for x in 1; do sh -c 'd && e'; done; f() { g; }\n"
    )
    (run,) = facts.stages[0].runs
    names = [node.name for node in every_node(facts.shell(run).body) if isinstance(node, ShellCommand)]
    assert names == ["a", "b", "c", "sh", "d", "e", "g"]
