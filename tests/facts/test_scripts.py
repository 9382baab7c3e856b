"""An architecture that reaches a script of the build context through its environment."""

from __future__ import annotations

import pytest

from archpatch.engine import check
from archpatch.facts import MemoryContext
from archpatch.registry import load
from archpatch.syntax.parse import parse

READS = 'curl -fsSLO "https://a.example/tool-${PLATFORM}.tgz"\n'


def codes(body: str, files: dict[str, str]) -> list[str]:
    source = f"FROM debian\n{body}\n".encode()
    found = check(parse(source), load(), context=MemoryContext({"Dockerfile": source, **files})).findings
    return [finding.code for finding in found if finding.code in ("AP114", "AP410")]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param("COPY install.sh /\nENV PLATFORM=amd64\nRUN /install.sh", "install.sh", id="ENV"),
        pytest.param("COPY install.sh /\nARG PLATFORM=amd64\nRUN /install.sh", "install.sh", id="ARG"),
        pytest.param("ENV PLATFORM amd64\nCOPY a.sh /bin/b.sh\nRUN bash -ex b.sh", "a.sh", id="another name"),
        pytest.param("ENV PLATFORM x64\nCOPY . .\nRUN ./ci/get.sh", "ci/get.sh", id="the whole context"),
        pytest.param("ENV PLATFORM x64\nCOPY ci/ /opt/\nRUN . /opt/get.sh", "ci/get.sh", id="a folder"),
        pytest.param(
            "ENV PLATFORM x64\nCOPY ci/ /opt/\nRUN cd /opt && sudo -E ./get.sh", "ci/get.sh", id="behind sudo"
        ),
        pytest.param(
            "ENV PLATFORM amd64\nFROM debian AS b\nENV PLATFORM x86_64\nFROM b\nCOPY a.sh /\nRUN sh /a.sh",
            "a.sh",
            id="in a stage on top",
        ),
    ],
)
def test_a_value_that_a_script_reads_is_used(body: str, path: str) -> None:
    assert codes(body, {path: READS}) == ["AP114"]
    assert codes(body, {path: f"#!/bin/sh\nPLATFORM=${{PLATFORM:-x64}}\n{READS}"}) == ["AP114"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("PLATFORM=$(uname -m)\n" + READS, id="set by the script itself"),
        pytest.param("  export PLATFORM=x64\n" + READS, id="exported by the script itself"),
        pytest.param("# " + READS, id="a comment"),
        pytest.param("echo $PLATFORMS\n", id="another name"),
        pytest.param("import platform\nprint(PLATFORM)\n", id="no variable of the environment"),
    ],
)
def test_a_value_that_a_script_does_not_read_is_not_used(text: str) -> None:
    assert codes("ENV PLATFORM=amd64\nCOPY a.sh /\nRUN /a.sh", {"a.sh": text}) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("COPY a.sh /\nRUN /a.sh\nENV PLATFORM=amd64", id="declared later"),
        pytest.param("ENV PLATFORM=amd64\nCOPY --from=x a.sh /\nRUN /a.sh", id="another image's script"),
        pytest.param("ENV PLATFORM=amd64\nCOPY a.sh /", id="a script that is not run"),
        pytest.param("ENV PLATFORM=amd64\nRUN /a.sh", id="a script that is not copied"),
        pytest.param("ENV PLATFORM=amd64\nCOPY b.sh /\nRUN /b.sh", id="a file that is not there"),
        pytest.param(
            "ENV PLATFORM=amd64\nENV PLATFORM=$(x)\nCOPY a.sh /\nRUN /a.sh", id="another value since"
        ),
        pytest.param(
            "ENV PLATFORM=amd64\nCOPY a.sh /\nRUN PLATFORM=$X; sh -c /a.sh", id="within another shell"
        ),
    ],
)
def test_a_script_that_does_not_see_the_value_does_not_use_it(body: str) -> None:
    assert codes(body, {"a.sh": READS}) == []


def test_the_last_folders_of_a_long_path_are_searched() -> None:
    assert codes("ENV PLATFORM=amd64\nCOPY . .\nRUN ./" + "a/" * 20_000 + "b.sh", {"b.sh": READS}) == [
        "AP114"
    ]


@pytest.mark.parametrize(
    ("command", "text", "found"),
    [
        ("PLATFORM=amd64 ./a.sh", READS, ["AP410"]),
        ("PLATFORM=linux-x86_64 sh ./a.sh", READS, ["AP410"]),
        ("PLATFORM=amd64 ./a.sh", "PLATFORM=x\n", []),
        ("PLATFORM=amd64 ./b.sh", READS, []),
        ("ARCH=amd64 ./b.sh", READS, []),
        ("ARCH=amd64 ./install.sh", READS, ["AP410"]),
        ('[ "$(uname -m)" != x86_64 ] || PLATFORM=amd64 ./a.sh', READS, []),
    ],
)
def test_a_variable_in_front_of_a_script_counts_where_it_is_read(
    command: str, text: str, found: list[str]
) -> None:
    assert codes(f"COPY . .\nRUN {command}", {"a.sh": text}) == found
