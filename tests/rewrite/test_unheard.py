"""No fix relies on an automatic argument where a shell does not get it."""

from __future__ import annotations

import pytest

from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

BUILD = "GOARCH=amd64 go build -o /app ."


def fixed(run: str) -> str:
    source = f"FROM golang:1.22\nRUN {run}\n".encode()
    assert "AP601" in {finding.code for finding in check(parse(source), load()).findings}
    return fix(parse(source), load(), level=Applicability.UNSAFE).source.decode()


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(f"su - app -c '{BUILD}'", id="a login shell"),
        pytest.param(f"su -l app -c '{BUILD}'", id="a login shell by its option"),
        pytest.param(f"su app -lc '{BUILD}'", id="a login shell among other options"),
        pytest.param(f"runuser --login app -c '{BUILD}'", id="runuser"),
        pytest.param(f"sudo -u app sh -c '{BUILD}'", id="sudo"),
        pytest.param(f"env -i sh -c '{BUILD}'", id="an empty environment"),
        pytest.param(f"sudo bash <<'EOF'\n{BUILD}\nEOF", id="a heredoc"),
    ],
)
def test_an_argument_is_not_written_where_it_is_empty(run: str) -> None:
    assert fixed(run) == f"FROM golang:1.22\nRUN {run}\n"


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(f'su - app -c "{BUILD}"', id="expanded before su"),
        pytest.param(f"sudo {BUILD.replace('GOARCH', 'env GOARCH')}", id="no script at all"),
        pytest.param(f"sudo -E sh -c '{BUILD}'", id="an environment that is kept"),
        pytest.param(f"su app -c '{BUILD}'", id="su without a login"),
        pytest.param(f"gosu app sh -c '{BUILD}'", id="gosu"),
        pytest.param(f"sudo bash <<EOF\n{BUILD}\nEOF", id="a heredoc that is expanded before"),
    ],
)
def test_it_is_written_where_it_arrives(run: str) -> None:
    mended = run.replace("amd64", "${TARGETARCH}")
    assert fixed(run) == f"FROM golang:1.22\nARG TARGETARCH\nRUN {mended}\n"


@pytest.mark.parametrize("around", ["su app -c", "gosu app sh -c", "timeout 60 sh -c", "env A=b bash -ec"])
def test_a_download_is_mended_where_the_environment_is_kept(around: str) -> None:
    source = f"FROM debian\nRUN {around} 'curl -fsSLO https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubectl'\n"
    mended = fix(parse(source.encode()), load(), level=Applicability.SAFE).source.decode()
    assert mended == source.replace("RUN", "ARG TARGETARCH\nRUN").replace("amd64", "${TARGETARCH}")


def test_a_default_that_is_made_to_fail_stays_within_the_quotes_around_it() -> None:
    script = (
        'case "$TARGETARCH" in amd64) A=x64 ;; arm64) A=arm64 ;; *) %s ;; esac; wget https://a.example/t-$A'
    )
    source = f"FROM debian\nARG TARGETARCH\nRUN bash -c '{script}'\n"
    mended = fix(parse((source % "A=x64").encode()), load(), level=Applicability.UNSAFE).source.decode()
    assert mended == source % "echo >&2 unsupported platform; exit 1"
