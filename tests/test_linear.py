"""Time grows with the file and no faster: the shapes of `benchmarks/linear.py`, each at one size and at twice that size.

A shape that took time squared would take four times as long at every try. What a busy machine adds comes and goes:
both sizes are timed anew, in turn, until their best times tell the two apart.
"""

from __future__ import annotations

import pytest

from benchmarks.linear import SHAPES, Shape, seconds
from tests.conftest import examples

pytestmark = pytest.mark.long
MARGIN = 3.0  # squared growth is 4
TRIES = 12
SIZE = examples(4_000, 50_000)
LEAST = 0.02  # seconds that the clock can tell apart


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_twice_the_file_takes_about_twice_the_time(shape: Shape) -> None:
    size = SIZE
    seconds(shape(size).encode())  # what is made once, on first use
    while (once := seconds(shape(size).encode())) < LEAST and size < 400_000:
        size *= 2
    twice = seconds(shape(2 * size).encode())
    for _ in range(TRIES):
        if twice <= MARGIN * once:
            return
        once = min(once, seconds(shape(size).encode()))
        twice = min(twice, seconds(shape(2 * size).encode()))
    assert twice <= MARGIN * once, f"{size} bytes: {once:.3f} s, {2 * size} bytes: {twice:.3f} s"
