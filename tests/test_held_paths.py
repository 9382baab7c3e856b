"""Paths of COPY and ADD that come out of a variable (AP802)."""

from __future__ import annotations

import pytest

from archpatch.checking import Settings
from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

ONLY = Settings(select=("AP802",))


def found(text: str) -> int:
    return len(check(parse(text.encode()), load(), ONLY).findings)


def fixed(text: str) -> str:
    return fix(parse(text.encode()), load(), ONLY, level=Applicability.UNSAFE).source.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "FROM debian\nENV BIN out/amd64/app\nCOPY ${BIN} /app\n",
            "FROM debian\nARG TARGETARCH\nENV BIN out/${TARGETARCH}/app\nCOPY ${BIN} /app\n",
        ),
        (
            "ARG BIN=out/amd64/app\nFROM debian\nARG BIN\nADD $BIN /app\n",
            "ARG BIN=out/${TARGETARCH}/app\nFROM debian\nARG BIN\nADD $BIN /app\n",
        ),
        (
            'FROM debian\nARG DIR="out/linux-amd64"\nCOPY --chmod=755 $DIR/app /app\n',
            'FROM debian\nARG TARGETARCH\nARG DIR="out/linux-${TARGETARCH}"\nCOPY --chmod=755 $DIR/app /app\n',
        ),
    ],
    ids=["ENV", "before the first FROM", "a part of the path"],
)
def test_a_value_that_only_a_copy_takes_follows_the_target(before: str, after: str) -> None:
    assert found(before) == 1
    assert fixed(before) == after
    assert found(after) == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("FROM debian\nARG BIN=out/x86_64/app\nCOPY $BIN /app\n", id="another spelling"),
        pytest.param("FROM debian\nARG BIN='out/amd64/app'\nCOPY $BIN /app\n", id="single quotes"),
        pytest.param("FROM debian\nARG BIN=out/amd64/app\nCOPY $BIN /app\nRUN $BIN\n", id="used by a RUN too"),
        pytest.param("FROM debian\nARG BIN=out/app-amd64\nCOPY $BIN /opt/\n", id="named so in the image"),
        pytest.param("FROM debian AS a\nFROM debian\nARG BIN=out/amd64/app\nCOPY --from=a $BIN /app\n", id="of a stage"),
    ],
)  # fmt: skip
def test_a_value_that_may_hang_on_more_is_found_and_left(text: str) -> None:
    assert found(text) == 1
    assert fixed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("FROM debian\nARG A=out/amd64/app\nARG B=out/arm64/app\nCOPY $A $B /opt/\n", id="both"),
        pytest.param("FROM debian\nARG BIN\nCOPY $BIN /app\n", id="given from outside"),
        pytest.param("FROM debian\nARG GOARCH=amd64\nCOPY app-$GOARCH /app\n", id="Go's own variable"),
        pytest.param("FROM debian\nARG TARGETARCH\nARG BIN=out/$TARGETARCH/app\nCOPY $BIN /app\n", id="follows already"),
        pytest.param("FROM debian\nENV D=/usr/lib/x86_64-linux-gnu\nCOPY --from=x $D $D\n", id="a library folder"),
        pytest.param("FROM debian\nARG NOTES=docs/amd64.md\nCOPY $NOTES /notes\n", id="a text"),
        pytest.param("FROM debian\nARG BIN=out/amd64/app\nRUN $BIN\n", id="never copied"),
        pytest.param("FROM --platform=linux/amd64 debian AS amd64\nARG BIN=out/amd64/app\nCOPY $BIN /app\nFROM debian\n", id="a stage for amd64"),
    ],
)  # fmt: skip
def test_what_is_right_is_no_finding(text: str) -> None:
    assert found(text) == 0
