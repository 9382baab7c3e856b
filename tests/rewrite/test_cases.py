"""The choice by architecture at the head of a RUN: one `case`, whatever hangs on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.engine import fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

NODE = "https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-x64.tar.xz"
RELEASER = "https://github.com/goreleaser/goreleaser/releases/download/v1.21.2/goreleaser_Linux_x86_64.tar.gz"
CUDA = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64"
POOL = "http://archive.ubuntu.com/ubuntu/pool/main"
UNKNOWN = '*) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;;'


def mended(text: str, level: Applicability = Applicability.UNSAFE) -> str:
    outcome = fix(parse(text.encode(), Path("Dockerfile")), load(), level=level)
    assert not outcome.demoted
    return outcome.source.decode()


def case(amd64: str, arm64: str, joint: str = " \\\n    ") -> str:
    lines = (
        'case "${TARGETARCH:-$(uname -m)}" in',
        f"  amd64|x86_64) {amd64} ;;",
        f"  arm64|aarch64) {arm64} ;;",
        f"  {UNKNOWN}",
        "esac",
    )
    return joint.join(lines)


@pytest.mark.parametrize("level", [Applicability.SAFE, Applicability.UNSAFE])
def test_two_spellings_of_one_run_are_set_in_one_case(level: Applicability) -> None:
    text = f"FROM debian\nRUN wget {NODE} && wget {RELEASER}\n"
    chosen = case("_arch=x64; _arch2=x86_64", "_arch=arm64; _arch2=arm64")
    fetched = f"wget {NODE} && wget {RELEASER}".replace("linux-x64", "linux-${_arch}")
    assert mended(text, level) == (
        f"FROM debian\nARG TARGETARCH\nRUN {chosen} && \\\n    {fetched.replace('Linux_x86_64', 'Linux_${_arch2}')}\n"
    )


def test_the_same_words_are_set_once_for_fixes_of_several_rules() -> None:
    text = f'FROM ubuntu:22.04\nRUN curl -fsSL {CUDA}/1.pub | apt-key add - && echo "deb {CUDA} /" > /etc/apt/s\n'
    after = mended(text)
    assert after.count("case ") == 1
    assert after.count("ubuntu2204/${_arch}") == 2


def test_packages_of_one_mirror_ask_for_it_once() -> None:
    text = f"FROM ubuntu:22.04\nRUN wget {POOL}/a/a_1_amd64.deb && wget {POOL}/b/b_2_amd64.deb && dpkg -i *.deb\n"
    after = mended(text)
    assert after.count("case ") == 1
    assert "wget http://${_mirror}/pool/main/b/b_2_${TARGETARCH}.deb" in after


def test_a_heredoc_has_one_case_too() -> None:
    after = mended(f"FROM debian\nRUN <<EOF\nwget {NODE}\nwget {RELEASER}\nEOF\n")
    assert f"<<EOF\n{case('_arch=x64; _arch2=x86_64', '_arch=arm64; _arch2=arm64', chr(10))}\nwget" in after


@pytest.mark.parametrize(
    "head",
    [
        pytest.param('case "$X" in a) _arch=x64 ;; esac && ', id="of something else"),
        pytest.param(
            f"{case('_arch=x64', '_arch=arm64')} && ".replace("exit 1", "exit 2"), id="another ending"
        ),
        pytest.param("_arch=x64; ", id="no choice"),
    ],
)
def test_a_head_that_is_not_such_a_choice_gets_one_of_its_own(head: str) -> None:
    after = mended(f"FROM debian\nARG TARGETARCH\nRUN {head}wget {RELEASER}\n")
    assert f"RUN {case('_arch2=x86_64', '_arch2=arm64')} && " in after
    assert after.endswith("goreleaser_Linux_${_arch2}.tar.gz\n")


def test_a_choice_that_is_there_already_is_used() -> None:
    chosen = case("_arch=x86_64", "_arch=arm64")
    text = f"FROM debian\nARG TARGETARCH\nRUN {chosen} && \\\n    wget {RELEASER} && echo $_arch\n"
    assert mended(text) == text.replace("Linux_x86_64.tar", "Linux_${_arch}.tar")


def test_the_choice_ends_in_line_with_commands_that_begin_with_their_operator() -> None:
    after = mended(f"FROM debian\nRUN wget {NODE} \\\n && tar xf *.xz\n")
    assert "    esac \\\n && wget" in after
