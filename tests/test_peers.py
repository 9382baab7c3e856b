"""Real files before and after `fix` in the minimal style: other checkers say nothing new on platforms.

One file in twenty of the corpus, six of the changed ones for BuildKit; with ARCHPATCH_FULL=1 all, and sixty.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec import Struct

from archpatch.engine import Settings, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability
from tests.conftest import examples

pytestmark = [pytest.mark.corpus, pytest.mark.long]
RULES = load()
PEERS = Path(sys.executable).parent  # hadolint and tally stand beside the interpreter
OPTIONS = {
    "hadolint": ("--no-fail",),
    "tally": ("lint", "--slow-checks", "off", "--no-config"),
}
MANY = 200  # names on one command line
STEP = examples(20, 1)


class Pair(Struct, frozen=True):
    """A file before and after, in two folders under one name. `stages` are the names that its FROMs give."""

    name: str
    before: Path
    after: Path


@pytest.fixture(scope="module")
def pairs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Files that the fixes, unsafe ones too, change."""
    folder = tmp_path_factory.mktemp("peers")
    found: list[Pair] = []
    real = sorted(path for path in (corpus / "real").rglob("*") if path.is_file())
    for number, path in enumerate(real[::STEP]):
        source = path.read_bytes()
        document = parse(source, path)
        if document.problems or b"\0" in source:
            continue
        mended = fix(document, RULES, Settings(), None, Applicability.UNSAFE).source
        if mended != source:
            pair = Pair(
                f"{number}.Dockerfile",
                folder / "before" / f"{number}.Dockerfile",
                folder / "after" / f"{number}.Dockerfile",
            )
            for to, text in ((pair.before, source), (pair.after, mended)):
                to.parent.mkdir(exist_ok=True)
                to.write_bytes(text)
            found.append(pair)
    assert len(found) > 300 // STEP
    return found


def said(peer: str, files: list[Path]) -> dict[str, Counter[tuple[str, str]]]:
    """What a linter says on platforms of each file, without lines, which move."""
    found: dict[str, Counter[tuple[str, str]]] = {path.name: Counter() for path in files}
    for first in range(0, len(files), MANY):
        ran = subprocess.run(
            [PEERS / peer, *OPTIONS[peer], "--format", "json", *files[first : first + MANY]],
            capture_output=True,
            timeout=600,
        )
        report = json.loads(ran.stdout)
        if peer == "tally":
            rows = [
                (one["file"], violation["rule"], violation["message"])
                for one in report["files"]
                for violation in one["violations"]
            ]
        else:
            rows = [(one["file"], one["code"], one["message"]) for one in report]
        for file, code, message in rows:
            if "platform" in f"{code} {message}".lower():
                found[Path(file).name][code, message] += 1
    return found


@pytest.mark.parametrize("peer", OPTIONS)
def test_a_linter_says_nothing_new_on_platforms_of_a_mended_file(pairs: list[Pair], peer: str) -> None:
    if not (PEERS / peer).exists():
        pytest.skip(f"{peer} is not installed here")
    old, new = said(peer, [pair.before for pair in pairs]), said(peer, [pair.after for pair in pairs])
    assert {name: dict(more) for name in new if (more := new[name] - old[name])} == {}


def checks(dockerfile: Path) -> set[str] | None:
    """The rules of BuildKit that a file breaks; None where BuildKit reads it not. Its images are replaced: the check
    needs no registry."""
    text = dockerfile.read_text(errors="replace")
    images = {image for image in re.findall(r"(?mi)^\s*FROM(?:\s+--\S+)*\s+(\S+)", text) if "$" not in image}
    images -= set(re.findall(r"(?mi)^\s*FROM\s.*\sAS\s+(\S+)", text)) | {"scratch"}
    contexts = [f"--build-context={image}=docker-image://debian:bookworm-slim" for image in sorted(images)]
    ran = subprocess.run(
        [
            "docker",
            "buildx",
            "build",
            "--call=check,format=json",
            *contexts,
            "-f",
            dockerfile,
            dockerfile.parent,
        ],
        capture_output=True,
        timeout=300,
    )
    try:
        return {warning["ruleName"] for warning in json.loads(ran.stdout)["warnings"] or []}
    except ValueError:
        return None


def test_buildkit_warns_of_nothing_new_in_a_mended_file(pairs: list[Pair], engine: str) -> None:
    with_syntax = [pair for pair in pairs if b"syntax=" not in pair.before.read_bytes()]
    looked = 0
    for pair in with_syntax[:: len(with_syntax) // examples(6, 60)]:
        old = checks(pair.before)
        if old is None:
            continue  # a file that BuildKit reads not, or not without its context
        looked += 1
        new = checks(pair.after)
        assert new is not None, pair.name
        assert new <= old, pair.before.read_text(errors="replace")
    assert looked > examples(3, 40)
