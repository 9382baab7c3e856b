"""Which assignments reach a command."""

from __future__ import annotations

import pytest

from archpatch.syntax.shell import reaching, read
from archpatch.text import Span


def values(text: str, own: bool = True) -> list[str | None]:
    """The values that X may have at the command `z`; None: what it had before, "?": not known."""
    source = text.encode()
    script = read(source, Span(0, len(source)))
    assert script.readable, script.problem
    command = next(one for one in script.commands if one.name == "z")
    found = reaching(script, command, "X", own=own)
    return [None if one is None else one.value.raw if one.value else "?" for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("z", [None], id="nothing"),
        pytest.param("X=1; z", ["1"], id="one"),
        pytest.param("X=1; X=2; z; X=3", ["2"], id="the last before"),
        pytest.param("export X=1 && a && z", ["1"], id="export in a list"),
        pytest.param("X=1 z", ["1"], id="prefix"),
        pytest.param("X=1 a; z", [None], id="prefix of another"),
        pytest.param("if a; then X=1; else X=2; fi; z", ["1", "2"], id="if with else"),
        pytest.param("if a; then X=1; fi; z", [None, "1"], id="if alone"),
        pytest.param("if a; then X=1; else z; fi", [None], id="the other arm"),
        pytest.param("case $a in b) X=1;; c) X=2;; esac; z", [None, "1", "2"], id="case"),
        pytest.param("case $a in b) X=1;; *) X=2;; esac; z", ["1", "2"], id="case with default"),
        pytest.param("case $a in b) X=1;; *) exit 1;; esac; z", ["1"], id="an arm that ends the script"),
        pytest.param("[ $a ] && X=1; z", [None, "1"], id="after a test"),
        pytest.param("[ $a ] && X=1 || X=2; z", ["1", "2"], id="test with both"),
        pytest.param("[ $a ] && X=1 && z", ["1"], id="in the list of a test"),
        pytest.param("a || X=1; z", [None, "1"], id="after a failure"),
        pytest.param("X=1; (X=2; z)", ["2"], id="inside of a subshell"),
        pytest.param("X=1; (X=2); z", ["1"], id="after a subshell"),
        pytest.param("X=1; { X=2; }; z", ["2"], id="after a group"),
        pytest.param("X=1 | a; z", [None], id="in a pipe"),
        pytest.param("for X in a b; do z; done", ["?"], id="loop variable"),
        pytest.param("for i in a b; do z; X=1; done", [None, "1"], id="later in a loop"),
        pytest.param("a | while read X; do z; done", ["?"], id="read"),
        pytest.param("X=1; X+=2; z", ["1", "2"], id="appended"),
        pytest.param("X=1; unset X; z", [None], id="unset"),
        pytest.param("X=1; a $(z)", ["1"], id="in a substitution"),
        pytest.param("X=1; sh -c 'z'", ["1"], id="in sh -c"),
        pytest.param("Y=$(X=1; a); z", [None], id="set in a substitution"),
    ],
)
def test_assignments_reach_a_command(text: str, expected: list[str | None]) -> None:
    assert values(text) == expected


def test_a_command_s_own_words_do_not_see_its_prefix() -> None:
    assert values("X=1; X=2 z $X", own=False) == ["1"]
