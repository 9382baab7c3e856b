"""Time grows with the file and no faster: fourteen shapes, each at one size and at twice that size.

A shape that took time squared would take four times as long at every try. What a busy machine adds comes and goes:
both sizes are timed anew, in turn, until their best times tell the two apart.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archpatch import engine, registry
from archpatch.facts import MemoryContext
from archpatch.syntax.parse import parse

RULES = registry.load()
MARGIN = 3.0  # squared growth is 4
TRIES = 12
SIZE = 12_000

Shape = Callable[[int], str]

SHAPES: dict[str, Shape] = {
    "many instructions": lambda n: "FROM debian:12\n" + "RUN apt-get install -y gcc-amd64\n" * (n // 33),
    "one RUN of many continuation lines": lambda n: (
        "FROM debian:12\nRUN true \\\n" + "  && echo x86_64 \\\n" * (n // 18) + "  && true\n"
    ),
    "comments inside a continuation": lambda n: (
        "FROM debian:12\nRUN true \\\n" + "# amd64\n" * (n // 8) + "  && true\n"
    ),
    "many stages that build on each other": lambda n: (
        "FROM debian:12 AS s0\n" + "".join(f"FROM s{i} AS s{i + 1}\nARG TARGETARCH\n" for i in range(n // 40))
    ),
    "copies between stages": lambda n: (
        "FROM debian:12 AS s0\n"
        + "".join(f"FROM scratch AS s{i + 1}\nCOPY --from=s{i} /a /a\n" for i in range(n // 48))
    ),
    "one heredoc": lambda n: "FROM debian:12\nRUN <<EOF\n" + "echo $TARGETARCH amd64\n" * (n // 23) + "EOF\n",
    "many heredocs": lambda n: (
        "FROM debian:12\n" + "RUN <<EOF\ncurl -LO https://example.com/t-amd64\nEOF\n" * (n // 50)
    ),
    "arms of a case": lambda n: (
        'FROM debian:12\nARG TARGETARCH\nRUN case "$TARGETARCH" in \\\n'
        + "".join(f"  x{i}) A={i} ;; \\\n" for i in range(n // 18))
        + "  esac; echo $A\n"
    ),
    "arguments": lambda n: (
        "FROM debian:12\n" + "".join(f"ARG A{i}=amd64\nENV B{i}=$A{i}\n" for i in range(n // 32))
    ),
    "one long line": lambda n: "FROM debian:12\nRUN echo " + "amd64 " * (n // 6) + "\n",
    "assignments of one line": lambda n: "FROM debian:12\nRUN <<EOF\n" + "A=amd64 " * (n // 8) + "\nx\nEOF\n",
    "quotes that never end": lambda n: "FROM debian:12\nRUN echo '" + "\"x86_64 '" * (n // 10) + "\n",
    "nested expansions": lambda n: "FROM debian:12\n" + "ENV A=${B:-${C:-${D:-amd64}}}\n" * (n // 30),
    "downloads": lambda n: (
        "FROM debian:12\n" + "RUN curl -fsSLO https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubectl\n" * (n // 66)
    ),
}


def _seconds(text: str) -> float:
    source = text.encode()
    gc.collect()
    start = time.process_time()
    engine.check(parse(source, Path("Dockerfile")), RULES, engine.Settings(), MemoryContext({}))
    return time.process_time() - start


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_twice_the_file_takes_about_twice_the_time(shape: Shape) -> None:
    size = SIZE
    _seconds(shape(size))  # what is made once, on first use
    while (once := _seconds(shape(size))) < 0.02 and size < 400_000:  # too short for the clock
        size *= 2
    twice = _seconds(shape(2 * size))
    for _ in range(TRIES):
        if twice <= MARGIN * once:
            return
        once = min(once, _seconds(shape(size)))
        twice = min(twice, _seconds(shape(2 * size)))
    assert twice <= MARGIN * once, f"{size} bytes: {once:.3f} s, {2 * size} bytes: {twice:.3f} s"
