"""The comparison of two commits over real files, on a scratch repository of two commits."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import ecosystem

ROOT = Path(__file__).parent.parent
AMD64 = b"FROM --platform=linux/amd64 alpine\n"
FINAL = b"FROM --platform=$BUILDPLATFORM alpine\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """archpatch twice: as it is, and with a rule gone, another with other words, and a third that is louder."""
    folder = tmp_path_factory.mktemp("repository")
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "archpatch", folder / "archpatch", ignore=skip)
    shutil.copytree(ROOT / "rules", folder / "rules", ignore=skip)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*arguments: str) -> None:
        subprocess.run(
            ("git", "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments),
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )

    def commit(name: str) -> None:
        git("add", ".")
        git("commit", "-m", name)
        git("tag", name)

    git("init")
    commit("one")
    families = folder / "rules" / "archpatch_rules"
    with (families / "__init__.py").open("a") as rules:
        rules.write(
            "\nclass _Louder(type(next(one for one in RULES if one.code == 'AP101').rule)):\n"
            "    def check(self, document, facts):\n"
            "        for found in super().check(document, facts):\n"
            "            yield __import__('msgspec').structs.replace(found, message='Other words')\n"
            "RULES = (_Louder(), *(one for one in RULES if one.code not in ('AP101', 'AP102')))\n"
        )
    commit("two")
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for name, text in {
        "a/Dockerfile": FINAL,
        "b/app.Dockerfile": AMD64,
        "c\nd/Dockerfile": AMD64,
        "e/Dockerfile": b"FROM alpine\nNONSENSE\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _each_commit_looks_once() -> Iterator[None]:
    """The tests compare the same two commits over the same files: what each finds is kept."""
    real, kept = ecosystem.look, {}

    def look(tree: Path, *rest: object) -> dict[str, object]:
        key = (tree / "rules" / "archpatch_rules" / "__init__.py").read_bytes()
        if key not in kept:
            kept[key] = real(tree, *rest)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ecosystem, "look", look)
        yield


def run(
    capsys: pytest.CaptureFixture[str], repository: Path, corpus: Path, *arguments: str
) -> tuple[int, str]:
    where = ("--corpus", str(corpus), "--repository", str(repository))
    code = ecosystem.main([*arguments, *where])
    return code, capsys.readouterr().out


def test_what_a_commit_changes_is_told_by_rule_and_file(
    capsys: pytest.CaptureFixture[str], repository: Path, corpus: Path
) -> None:
    code, text = run(capsys, repository, corpus, "one", "two")
    assert code == 1
    lines = text.splitlines()
    assert lines[0].endswith("4 files")
    assert lines[1] == "0 new, 2 gone, 1 changed, 0 other lines"
    assert "AP101        0     0     1" in lines
    assert "AP102        0     2     0" in lines
    assert "  ~ a/Dockerfile:1 AP101 warning: Other words [safe]" in lines
    assert any(line.startswith("  - b/app.Dockerfile:1 AP102 ") for line in lines)
    assert any(line.startswith("  - c\\nd/Dockerfile:1 AP102 ") for line in lines)


def test_the_other_way_round_what_was_gone_is_new(
    capsys: pytest.CaptureFixture[str], repository: Path, corpus: Path
) -> None:
    code, text = run(capsys, repository, corpus, "two", "one", "--limit", "1")
    assert code == 1
    assert "2 new, 0 gone, 1 changed, 0 other lines" in text
    assert "  ... and 1 more" in text


def test_a_commit_beside_itself_differs_in_nothing(
    capsys: pytest.CaptureFixture[str], repository: Path, corpus: Path
) -> None:
    assert run(capsys, repository, corpus, "two", "two")[0] == 0


def test_the_markdown_form_lets_no_file_end_its_fence(
    capsys: pytest.CaptureFixture[str], repository: Path, corpus: Path
) -> None:
    code, text = run(capsys, repository, corpus, "one", "two", "--markdown")
    assert code == 1
    assert "| AP102 | 0 | 2 | 0 |" in text
    changes = ecosystem.Changes(other=["+ ```` and `more`"])
    shown = ecosystem.show(changes, ("a", "b"), limit=5, markdown=True)
    assert "\n`````diff\n+ ```` and `more`\n`````\n" in shown


def test_what_fails_to_parse_is_compared_too() -> None:
    before = {"files": 1, "findings": [], "unknown": [], "errors": []}
    after = {**before, "errors": [{"path": "x", "message": "unknown instruction"}]}
    changes = ecosystem.compare(before, after)
    assert changes.other == ["+ x: unknown instruction"]


def test_a_commit_that_is_not_there_is_an_error(repository: Path, corpus: Path) -> None:
    with pytest.raises(SystemExit, match="no commit is called 'three'"):
        ecosystem.main(["three", "one", "--corpus", str(corpus), "--repository", str(repository)])
