"""Fixes of downloads as real builds: the wrong file ships before, the right one after, whatever it is called."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from archpatch.engine import Settings, fix
from archpatch.platforms import AMD64, ARM64
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.tables import Tables
from archpatch.text import Applicability
from archpatch.verify.verdict import State
from tests.engine.conftest import Workbench, program

pytestmark = pytest.mark.engine
DOWNLOADS = tuple(rule for rule in load() if rule.code.startswith("AP4"))
NAMES = {
    "docker": ("amd64", "arm64"),
    "uname": ("x86_64", "aarch64"),
    "mixed": ("x86_64", "arm64"),
    "bare": ("", "-arm64"),
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A publisher: one tool for both architectures under names of every kind."""
    folder = tmp_path_factory.mktemp("origin")
    for kind, names in NAMES.items():
        for arch, name in zip(("amd64", "arm64"), names, strict=True):
            (folder / f"{kind}-{name}").write_bytes(program(arch))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def tables(origin: str, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What that publisher's users would write down."""
    rows = [f"{origin}/{kind}-{{A}}\ttool\tamd64={a} arm64={b}" for kind, (a, b) in sorted(NAMES.items())]
    head = "# archpatch table: downloads\n# columns: template tool words since libc checksum note source\n"
    path = tmp_path_factory.mktemp("tables") / "own.tsv"
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return Tables((path,))


# The base images at hand have no curl; this one reads `curl -fsSLo FILE URL`.
CURL = """#!/usr/bin/env python3
import sys, urllib.request
urllib.request.urlretrieve(sys.argv[3], sys.argv[2])
"""
RUN = (
    "FROM python:3.11-slim-bookworm AS get\n"
    "COPY --chmod=755 curl /usr/local/bin/curl\n"
    "RUN curl -fsSLo /tool http://{origin}/{name} && chmod 755 /tool\n"
    'FROM scratch\nCOPY --from=get /tool /tool\nENTRYPOINT ["/tool"]\n'
)
BUILD = RUN.replace("FROM python", "FROM --platform=$BUILDPLATFORM python")
ADD = 'FROM scratch\nADD --chmod=755 http://{origin}/{name} /tool\nENTRYPOINT ["/tool"]\n'


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "text", [pytest.param(RUN, id="RUN"), pytest.param(BUILD, id="build-stage"), pytest.param(ADD, id="ADD")]
)
def test_the_mended_download_ships_the_right_file_on_both(
    workbench: Workbench, origin: str, tables: Tables, text: str, kind: str
) -> None:
    before = text.format(origin=origin, name=f"{kind}-{NAMES[kind][0]}")
    document = parse(before.encode(), Path("Dockerfile"))
    outcome = fix(document, DOWNLOADS, Settings(tables=tables), None, Applicability.UNSAFE)
    assert [finding.code for finding in outcome.applied] == ["AP401"]
    old = workbench.looks({"Dockerfile": before, "curl": CURL})
    new = workbench.looks({"Dockerfile": outcome.source.decode(), "curl": CURL})
    assert (old[AMD64].state, old[ARM64].state) == (State.RIGHT, State.WRONG), old[ARM64].evidence
    assert (new[AMD64].state, new[ARM64].state) == (State.RIGHT, State.RIGHT), new[ARM64].evidence


FOLDER = (
    "FROM python:3.11-slim-bookworm AS get\nADD http://{origin}/{name} /opt/\nRUN chmod 755 /opt/{name}\n"
    'FROM scratch\nCOPY --from=get /opt/{name} /tool\nENTRYPOINT ["/tool"]\n'
)


@pytest.mark.parametrize("kind", ["uname", "mixed"])
def test_a_file_that_add_puts_into_a_folder_gets_one_name_for_both(
    workbench: Workbench, origin: str, tables: Tables, kind: str
) -> None:
    before = FOLDER.format(origin=origin, name=f"{kind}-x86_64")
    document = parse(before.encode(), Path("Dockerfile"))
    outcome = fix(document, DOWNLOADS, Settings(tables=tables), None, Applicability.UNSAFE)
    assert [finding.code for finding in outcome.applied] == ["AP401"]
    old = workbench.looks({"Dockerfile": before})
    new = workbench.looks({"Dockerfile": outcome.source.decode()})
    assert (old[AMD64].state, old[ARM64].state) == (State.RIGHT, State.WRONG), old[ARM64].evidence
    assert (new[AMD64].state, new[ARM64].state) == (State.RIGHT, State.RIGHT), new[ARM64].evidence


def test_the_kernels_names_end_in_404_where_the_publisher_mixes_conventions(
    workbench: Workbench, origin: str, tables: Tables
) -> None:
    before = RUN.format(origin=origin, name="mixed-$(uname -m)")
    document = parse(before.encode(), Path("Dockerfile"))
    outcome = fix(document, DOWNLOADS, Settings(tables=tables), None, Applicability.SAFE)
    assert [finding.code for finding in outcome.applied] == ["AP403"]
    old = workbench.looks({"Dockerfile": before, "curl": CURL})
    new = workbench.looks({"Dockerfile": outcome.source.decode(), "curl": CURL})
    assert old[AMD64].state is State.RIGHT
    assert old[ARM64].failed
    assert (new[AMD64].state, new[ARM64].state) == (State.RIGHT, State.RIGHT), new[ARM64].evidence
