"""An argument that several fixes of a stage need is declared once, above all of them."""

from __future__ import annotations

import pytest

from archpatch.checking import Settings
from archpatch.engine import fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

CACHE = "RUN --mount=type=cache,target=/app/target cargo build\n"
FLAGS = "RUN gcc -mavx a.c\n"
MIRROR = "RUN echo 'deb http://archive.ubuntu.com/ubuntu jammy main' > /etc/apt/sources.list\n"
URL = "RUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl\n"


def mended(text: str) -> str:
    """The text once all fixes of all rules are in."""
    outcome = fix(parse(text.encode()), load(), Settings(), None, Applicability.UNSAFE)
    assert not outcome.demoted
    return outcome.source.decode()


@pytest.mark.parametrize(
    "steps",
    [(CACHE, CACHE), (FLAGS, FLAGS), (MIRROR, "RUN true\n", MIRROR), (FLAGS, URL, CACHE), (URL, FLAGS)],
    ids=["two caches", "two sets of flags", "two mirrors", "three kinds", "a word of an architecture first"],
)
def test_fixes_of_one_stage_declare_an_argument_once(steps: tuple[str, ...]) -> None:
    after = mended("FROM ubuntu:22.04\nRUN true\n" + "".join(steps))
    assert after.count("ARG TARGETARCH\n") == 1
    assert after.startswith("FROM ubuntu:22.04\nRUN true\nARG TARGETARCH\n")


def test_each_stage_has_a_declaration_of_its_own() -> None:
    after = mended(f"FROM ubuntu:22.04 AS a\n{FLAGS}FROM ubuntu:22.04\nCOPY --from=a /x /x\n{FLAGS}")
    assert after.count("ARG TARGETARCH\n") == 2


@pytest.mark.parametrize(
    ("below", "left"),
    [
        ("ARG TARGETARCH\n", ""),
        ("RUN true\n\nARG TARGETARCH\n\nRUN false\n", "RUN true\n\nRUN false\n"),
        ("ARG TARGETOS TARGETARCH\n", "ARG TARGETOS\n"),
        ("ARG TARGETARCH TARGETOS\n", "ARG TARGETOS\n"),
        ("# why\nARG TARGETARCH\n", "# why\nARG TARGETARCH\n"),
        ("ARG TARGETARCH=amd64\n", "ARG TARGETARCH\n"),
        ("ENV TARGETARCH=x\nARG TARGETARCH\n", "ENV TARGETARCH=x\nARG TARGETARCH\n"),
        ("ARG \\\n  TARGETARCH\n", "ARG \\\n  TARGETARCH\n"),
        ("FROM ubuntu:22.04\nARG TARGETARCH\n", "FROM ubuntu:22.04\nARG TARGETARCH\n"),
    ],
)
def test_a_declaration_below_is_moved_where_that_changes_nothing_else(below: str, left: str) -> None:
    after = mended(f"FROM ubuntu:22.04\n{URL}{below}")
    head = "FROM ubuntu:22.04\nARG TARGETARCH\nRUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl\n"
    assert after == head + left


GOSU = "https://github.com/tianon/gosu/releases/download/1.17/gosu-"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"ADD {GOSU}amd64 /bin/gosu-amd64\nRUN chmod 755 /bin/gosu-amd64\n",
            f"ARG TARGETARCH\nADD {GOSU}${{TARGETARCH}} /bin/gosu-${{TARGETARCH}}\nRUN chmod 755 /bin/gosu-${{TARGETARCH}}\n",
            id="its own name",
        ),
        pytest.param(
            f"ADD {GOSU}amd64 /bin/gosu\nRUN chmod 755 /bin/gosu\n",
            f"ARG TARGETARCH\nADD {GOSU}${{TARGETARCH}} /bin/gosu\nRUN chmod 755 /bin/gosu\n",
            id="another name",
        ),
        pytest.param(
            f'ADD {GOSU}amd64 "/bin/gosu-amd64"\nRUN chmod 755 /bin/gosu-amd64\n',
            f'ARG TARGETARCH\nADD {GOSU}${{TARGETARCH}} "/bin/gosu-${{TARGETARCH}}"\nRUN chmod 755 /bin/gosu-${{TARGETARCH}}\n',
            id="in quotes",
        ),
        pytest.param(
            f'ADD {GOSU}amd64 /bin/gosu-amd64\nENTRYPOINT ["/bin/gosu-amd64"]\n',
            None,
            id="a start that names it",
        ),
    ],
)
def test_the_place_that_add_gives_a_file_follows_its_name(before: str, after: str | None) -> None:
    head = "FROM ubuntu:22.04\n"
    assert mended(head + before) == head + (before if after is None else after)
