"""Files that Python on a command line or in a heredoc fetches."""

from __future__ import annotations

import pytest

from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

YQ = "https://github.com/mikefarah/yq/releases/download/v4.40.5/yq_linux_amd64"
GET = "import urllib.request; urllib.request.urlretrieve"


def codes(body: str) -> list[str]:
    findings = check(parse(f"FROM python:3.12\n{body}\n".encode()), load()).findings
    return [finding.code for finding in findings if finding.code.startswith("AP4")]


def fixed(body: str, level: Applicability = Applicability.UNSAFE) -> str:
    source = f"FROM python:3.12\n{body}\n".encode()
    return fix(parse(source), load(), level=level).source.decode().removeprefix("FROM python:3.12\n").rstrip()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"""RUN python3 -c "{GET}('{YQ}', '/yq')\"""",
            f"""ARG TARGETARCH\nRUN python3 -c "{GET}('{YQ[:-5]}${{TARGETARCH}}', '/yq')\"""",
            id="in double quotes",
        ),
        pytest.param(
            f"""RUN python3 -c '{GET}("{YQ}", "/yq")'""",
            f"""ARG TARGETARCH\nRUN python3 -c "{GET}(\\"{YQ[:-5]}${{TARGETARCH}}\\", \\"/yq\\")\"""",
            id="in single quotes",
        ),
        pytest.param(
            f"""ENV V=4.40.5\nRUN python -c "{GET}('{YQ.replace("4.40.5", "$V")}', '/yq')\"""",
            f"""ENV V=4.40.5\nARG TARGETARCH\nRUN python -c "{GET}('{YQ[:-5].replace("4.40.5", "$V")}${{TARGETARCH}}', '/yq')\"""",
            id="with a variable of the shell",
        ),
        pytest.param(
            """RUN python3 -c "import requests; \\\n  open('/x', 'wb').write(requests.get('https://get.helm.sh/helm-v3.10.0-linux-amd64.tar.gz').content)" \\\n"""
            "  && tar xf /x && mv linux-amd64/helm /bin",
            """ARG TARGETARCH\nRUN python3 -c "import requests; \\\n  open('/x', 'wb').write(requests.get('https://get.helm.sh/helm-v3.10.0-linux-${TARGETARCH}.tar.gz').content)" \\\n"""
            "  && tar xf /x && mv linux-${TARGETARCH}/helm /bin",
            id="with the folder that it unpacks to",
        ),
        pytest.param(
            f"RUN python3 - <<EOF\n{GET}('{YQ}', 'yq')\nEOF",
            f"ARG TARGETARCH\nRUN python3 - <<EOF\n{GET}('{YQ[:-5]}${{TARGETARCH}}', 'yq')\nEOF",
            id="in a heredoc that the shell expands",
        ),
    ],
)
def test_a_file_that_python_fetches_follows_the_architecture(before: str, after: str) -> None:
    assert codes(before) == ["AP401"]
    assert fixed(before, Applicability.SAFE) == after
    assert codes(after) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(f"RUN python3 <<'EOF'\n{GET}('{YQ}', 'yq')\nEOF", "AP401", id="a heredoc"),
        pytest.param(f"RUN python3 - <<EOF\n{GET}('{YQ}', 'linux-amd64')\nEOF", "AP401", id="a heredoc that names it twice"),
        pytest.param(f"""RUN ["python3", "-c", "{GET}('{YQ}', 'yq')"]""", "AP401", id="the exec form"),
        pytest.param(f"""RUN python3 -c "{GET}('https://download.pytorch.org/libtorch/cpu/libtorch-cxx11-abi-shared-with-deps-2.1.0%2Bcpu.zip', '/l')\"""", "AP405", id="a file that is there for amd64 alone"),
    ],
)  # fmt: skip
def test_what_cannot_be_mended_is_found_all_the_same(body: str, code: str) -> None:
    assert codes(body) == [code]
    assert fixed(body) == body


def test_a_guessed_name_is_unsafe() -> None:
    body = f"""RUN python3 -c "{GET}('https://a.example/tool-linux-x86_64.tgz', '/t')\""""
    assert codes(body) == ["AP402"]
    assert fixed(body, Applicability.SAFE) == body
    assert fixed(body) == body.replace("x86_64", "$(uname -m)")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f"""RUN python3 -c "{GET}('{YQ[:-5]}$(dpkg --print-architecture)', '/yq')\"""", id="asked by the shell"),
        pytest.param(f"""RUN python3 -c "import platform; {GET}('{YQ}' if platform.machine() == 'x86_64' else x(), '/yq')\"""", id="asked by the code"),
        pytest.param(f"""RUN python3 -c "{GET}('{YQ}', 'a'); {GET}('{YQ[:-5]}arm64', 'b')\"""", id="both"),
        pytest.param(f"""RUN [ "$(uname -m)" != x86_64 ] || python3 -c "{GET}('{YQ}', 'a')\"""", id="for amd64 alone"),
        pytest.param(f"""RUN python3 -c "print('{YQ}')\"""", id="not fetched"),
        pytest.param(f"""RUN python3 -c "{GET}('https://a.example/model.onnx', '/m')\"""", id="no architecture"),
        pytest.param(f"""RUN python3 -c "{GET}('{YQ}'\"""", id="no Python"),
        pytest.param(f"RUN python3 fetch.py <<EOF\n{GET}('{YQ}', 'yq')\nEOF", id="input of a program"),
        pytest.param(f"RUN python3 <<EOF\n{GET}('{YQ}', '$HOME/yq')\nEOF", id="a heredoc that the shell changes"),
        pytest.param(f"""HEALTHCHECK CMD python3 -c "{GET}('{YQ}', '/yq')\"""", id="run later"),
    ],
)  # fmt: skip
def test_what_is_right_or_cannot_be_read_is_no_finding(body: str) -> None:
    assert codes(body) == []
    assert fixed(body) == body
