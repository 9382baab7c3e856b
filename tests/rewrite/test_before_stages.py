"""Downloads whose architecture is written in an ARG before the first FROM."""

from __future__ import annotations

import pytest

from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

NAME = "helm-v3.10.0-linux-amd64.tar.gz"
GET = "RUN curl -fsSLO https://get.helm.sh/$F"


def codes(text: str) -> list[str]:
    return [finding.code for finding in check(parse(text.encode()), load()).findings]


def fixed(text: str, level: Applicability = Applicability.UNSAFE) -> str:
    return fix(parse(text.encode()), load(), level=level).source.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"ARG F={NAME}\nFROM debian\nARG F\n{GET} && tar xf $F\n",
            f"ARG F={NAME.replace('amd64', '${TARGETARCH}')}\nFROM debian\nARG F\n{GET} && tar xf $F\n",
            id="a file",
        ),
        pytest.param(
            f"ARG F={NAME}\nFROM debian\nARG F\n{GET} && tar xf $F && mv linux-amd64/helm /bin\n",
            f"ARG F={NAME.replace('amd64', '${TARGETARCH}')}\nFROM debian\nARG F\nARG TARGETARCH\n"
            f"{GET} && tar xf $F && mv linux-${{TARGETARCH}}/helm /bin\n",
            id="and the folder that it unpacks to",
        ),
        pytest.param(
            f"ARG U=https://get.helm.sh/{NAME}\nFROM debian\nARG U\nADD $U /helm.tgz\n",
            f"ARG U=https://get.helm.sh/{NAME.replace('amd64', '${TARGETARCH}')}\nFROM debian\nARG U\nADD $U /helm.tgz\n",
            id="a URL",
        ),
    ],
)
def test_the_argument_follows_the_target(before: str, after: str) -> None:
    assert codes(before) == ["AP401"]
    assert fixed(before, Applicability.SAFE) == before
    assert fixed(before) == after
    assert codes(after) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"ARG F={NAME}\nFROM debian\nARG F\n{GET}\nRUN tar xf $F\n", id="another RUN"),
        pytest.param(f"ARG F={NAME}\nFROM alpine AS a\nARG F\nRUN ls $F\nFROM debian\nARG F\n{GET}\n", id="another stage"),
        pytest.param("ARG U=https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-x64.tar.xz\nFROM debian\nARG U\nRUN curl -fsSLO $U\n", id="another spelling"),
    ],
)  # fmt: skip
def test_an_argument_on_which_more_may_hang_is_found_and_left(text: str) -> None:
    assert "AP401" in codes(text)
    assert fixed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            f"ARG F={NAME}\nFROM debian\nARG F=other.tgz\n{GET}\n", id="a default of the stage's own"
        ),
        pytest.param(f"ARG F={NAME}\nFROM debian\nENV F=other.tgz\n{GET}\n", id="an ENV of that name"),
        pytest.param(f"ARG F={NAME}\nFROM debian\n{GET}\n", id="never handed to the stage"),
        pytest.param(f"FROM debian\nARG F\n{GET}\n", id="given from outside"),
    ],
)
def test_another_value_is_no_finding(text: str) -> None:
    assert "AP401" not in codes(text)


def test_the_publishers_word_counts_for_an_argument_that_is_an_architecture() -> None:
    text = (
        "ARG ARCH=x86_64\nFROM debian\nARG ARCH\n"
        "RUN curl -fsSLo /h https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${ARCH}\n"
    )
    assert codes(text) == ["AP114"]
    assert fixed(text) == text.replace("=x86_64", "=${TARGETARCH/amd64/x86_64}")
