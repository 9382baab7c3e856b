"""Work grows with the file and no faster: the shapes of `benchmarks/linear.py`, each at one size and at twice that size; and
examples of rules, so many times over and twice as many, as in `benchmarks/squares.py`.

Counted, not timed: a busy machine changes no count. `python -m benchmarks.linear` has the clock, up to 1 MiB.
"""

from __future__ import annotations

import pytest

from archpatch.look import rules
from archpatch.rule import Rule
from benchmarks.linear import SHAPES, Shape, checked
from benchmarks.squares import growth
from benchmarks.steps import steps
from tests.conftest import examples

pytestmark = pytest.mark.long
MARGIN = 2.3
SIZE = examples(8_000, 50_000)
MANY = 60  # times
MARGIN_OF_RULES = 2.7  # a fix may follow a name to as many places as MOST_EDITS says, and no further
LEAST = 50_000  # lines of Python, of which what a file costs at any size is a small part


def lines(shape: Shape, size: int) -> int:
    return steps(checked(shape(size).encode()))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_twice_the_file_is_about_twice_the_work(shape: Shape) -> None:
    size = SIZE
    lines(shape, size)  # what is made once, on first use
    while (once := lines(shape, size)) < LEAST and size < 150_000:
        size *= 2
    twice = lines(shape, 2 * size)
    assert twice <= MARGIN * once, f"{size} bytes: {once} lines of Python, {2 * size} bytes: {twice}"


def test_work_that_grows_with_the_square_is_counted_as_such() -> None:
    def squared(count: int) -> int:
        return steps(lambda: [one for one in range(count) for _ in range(one)])

    assert squared(200) > 3.5 * squared(100)


@pytest.mark.parametrize("rule", rules()[:: examples(9, 1)], ids=lambda rule: rule.name)
def test_twice_as_many_of_a_pitfall_are_about_twice_the_work(rule: Rule) -> None:
    grown = list(growth(rule.examples[0], MANY))
    assert grown, "no layout fits the example"
    for name, once, twice in grown:
        assert twice <= MARGIN_OF_RULES * once, f"{name}: {once} lines of Python, then {twice}"
