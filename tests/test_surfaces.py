"""What others run us by: the action, the GitLab template, our own image, the benchmark."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import Run

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SHELL = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


def action() -> dict[str, object]:
    return yaml.safe_load((ROOT / "action.yml").read_text())


def test_no_input_of_the_action_gets_into_the_text_of_a_script() -> None:
    scripts = [step["run"] for step in action()["runs"]["steps"] if "run" in step]
    assert len(scripts) == 3
    for script in scripts:
        assert "${{" not in script
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)


def test_the_action_annotates_and_writes_sarif_whatever_its_inputs_hold(tmp_path: Path) -> None:
    shop = tmp_path / "a $(touch x) shop"
    shutil.copytree(ROOT / "fixtures" / "hello", shop)
    (step,) = (step for step in action()["runs"]["steps"] if step.get("id") == "check")
    defaults = {name: entry["default"] for name, entry in action()["inputs"].items()}
    inputs = {**defaults, "paths": f"{shop.name}\n\n"}
    values = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: inputs[match[1]], text)
        for name, text in step["env"].items()
    }
    (tmp_path / "archpatch").symlink_to(BIN.parent)  # where the step before has installed it
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env={**SHELL, **values, "RUNNER_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stderr
    assert re.search(r"^::(error|warning) ", ran.stdout, re.M)
    sarif = json.loads((tmp_path / "archpatch.sarif").read_text())
    assert sarif["version"] == "2.1.0"
    assert sarif["runs"][0]["results"]
    assert not (tmp_path / "x").exists()


def test_the_gitlab_template_writes_the_report_that_it_names(tmp_path: Path) -> None:
    template = yaml.safe_load((ROOT / "ci" / "archpatch.gitlab-ci.yml").read_text())["archpatch"]
    shutil.copytree(ROOT / "fixtures" / "hello", tmp_path / "hello")
    for command in template["script"]:
        subprocess.run(["bash", "-c", command], cwd=tmp_path, env={**SHELL, **template["variables"]})
    report = json.loads((tmp_path / template["artifacts"]["reports"]["codequality"]).read_text())
    assert [entry["location"]["path"] for entry in report]


def test_we_find_nothing_in_our_own_image(archpatch: Run) -> None:
    ran = archpatch("check", "--style", "explicit", "--fail-on", "note", ROOT / "Dockerfile", cwd=ROOT)
    assert ran.returncode == 0, ran.stdout.decode()
    assert b"Findings: none" in ran.stdout


def test_our_image_is_checked_by_buildkit_and_baked_for_both_platforms(engine: str) -> None:
    check = ["docker", "buildx", "build", "--call=check,format=json", "."]
    assert not json.loads(subprocess.run(check, cwd=ROOT, capture_output=True).stdout)["warnings"]
    baked = subprocess.run(["docker", "buildx", "bake", "--print"], cwd=ROOT, capture_output=True)
    assert json.loads(baked.stdout)["target"]["archpatch"]["platforms"] == ["linux/amd64", "linux/arm64"]


@pytest.mark.slow
def test_the_benchmark_prints_ratios_against_its_peers(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    command = [
        sys.executable,
        ROOT / "benchmarks" / "bench.py",
        ROOT / "fixtures" / "boutique",
        "--repeat",
        "1",
        "--files",
        "2",
        "--peer-files",
        "1",
    ]
    ran = subprocess.run([*command, "--lines", "5", "--json", out], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(out.read_text())
    assert {"archpatch check", "hadolint", "tally"} <= {row["program"] for row in rows}
    assert all(isinstance(row["ratio"], float) and row["run"]["seconds"] > 0 for row in rows)
