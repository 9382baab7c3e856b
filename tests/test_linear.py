"""Work grows with the file and no faster: the shapes of `benchmarks/linear.py`, each at one size and at twice that size.

Counted, not timed: a busy machine changes no count. `python -m benchmarks.linear` has the clock, up to 1 MiB.
"""

from __future__ import annotations

import pytest

from benchmarks.linear import SHAPES, Shape, checked
from tests.conftest import examples
from tests.steps import steps

pytestmark = pytest.mark.long
MARGIN = 2.3
SIZE = examples(8_000, 50_000)
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
