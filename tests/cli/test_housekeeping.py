"""init, clean and report merge."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

import archpatch
from archpatch.config import load
from tests.cli.conftest import BROKEN, CLEAN, SAFE, UNSAFE, Cli, put

SCHEMA = Path(archpatch.__file__).parent / "schemas" / "report.schema.json"


def test_init_proposes_what_the_workflows_build_for_and_writes_it_when_told(cli: Cli) -> None:
    put(".git/HEAD", b"x")
    put(
        ".github/workflows/x.yml",
        b"with:\n  platforms: linux/arm64,linux/amd64,linux/arm/v7,linux/nonsense\n",
    )
    ran = cli("init")
    assert ran.code == 2
    assert "+platforms" in ran.text
    assert not Path("archpatch.toml").exists()
    assert cli("init", "--yes", "--ci", "github").code == 0
    assert tomllib.loads(Path("archpatch.toml").read_text()) == {
        "platforms": ["linux/amd64", "linux/arm/v7", "linux/arm64"]
    }
    load(Path("archpatch.toml"))
    assert yaml.safe_load(Path(".pre-commit-config.yaml").read_text())["repos"]
    assert yaml.safe_load(Path(".github/workflows/archpatch.yml").read_text())["jobs"]
    assert cli("init", "--yes", "--ci", "github").text.endswith("Nothing to write.\n")


def test_every_line_of_the_proposed_config_is_understood_when_its_mark_is_taken_away(cli: Cli) -> None:
    put(".git/HEAD", b"x")
    cli("init", "--yes")
    lines = Path("archpatch.toml").read_text().splitlines()
    keys = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in lines]
    config = load(put("archpatch.toml", "\n".join(keys).encode()))
    assert config.ignore == ("AP105",)
    assert config.ignored_for(Path("a/Dockerfile.dev")) == ("AP101",)


@pytest.mark.parametrize(
    "name", ["archpatch.toml", ".archpatch.toml", ".pre-commit-config.yaml", ".gitlab-ci.yml"]
)
def test_init_changes_nothing_that_is_there(cli: Cli, name: str) -> None:
    put(".git/HEAD", b"x")
    path = put(name, b"# mine\n")
    ran = cli("init", "--yes", "--ci", "gitlab")
    assert ran.code == 0
    assert path.read_bytes() == b"# mine\n"
    assert f"{name} is there already" in ran.text


def test_clean_removes_the_cache_and_what_dead_runs_left(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    put("cache/archpatch/verify/x", b"x")
    other = put("cache/other/x", b"x")
    left = put("a/.archpatch-00000000-1-0123456789abcdef.tmp", b"x")
    os.utime(left, (0, 0))
    assert cli("clean").code == 0
    assert not Path("cache/archpatch").exists()
    assert not left.exists()
    assert other.exists()
    assert cli("clean").text == ""


def test_the_shards_reports_make_the_whole_run_s(cli: Cli) -> None:
    for at in range(12):
        put(f"{at}/Dockerfile", [SAFE, UNSAFE, CLEAN, BROKEN][at % 4])
    for at in range(1, 4):
        cli(
            "check",
            "--shard",
            f"{at}/3",
            "--output-format",
            f"json:{at}.json",
            "--output-format",
            f"sarif:{at}.sarif",
        )
    cli("check", "--output-format", "json:whole.json", "--output-format", "sarif:whole.sarif")
    assert cli("report", "merge", "1.json", "2.json", "3.json", "2.json", "-o", "all.json").code == 0
    merged, whole = (json.loads(Path(name).read_bytes()) for name in ("all.json", "whole.json"))
    jsonschema.validate(merged, json.loads(SCHEMA.read_text()))
    assert merged["files"] == whole["files"] == 12
    for key in ("images", "findings", "errors"):
        assert sorted(map(json.dumps, merged[key])) == sorted(map(json.dumps, whole[key]))
    runs = json.loads(cli("report", "merge", "1.sarif", "2.sarif", "3.sarif", "3.sarif").out)["runs"]
    (run,) = runs
    (expected,) = json.loads(Path("whole.sarif").read_bytes())["runs"]
    assert sorted(map(json.dumps, run["results"])) == sorted(map(json.dumps, expected["results"]))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"version": 1}', b'{"version": "2.1.0", "runs": [{}]}', b"[" * 100_000],
    ids=["empty", "list", "object", "no-lists", "bad-run", "deep"],
)
def test_what_is_no_report_is_not_merged(cli: Cli, text: bytes) -> None:
    ran = cli("report", "merge", put("x.json", text))
    assert ran.code == 2
    assert "x.json" in ran.err


@pytest.mark.parametrize(
    "told", [None, {}, {"known": ["x"], "mended": []}, {"known": 1, "mended": 5}], ids=str
)
def test_a_report_that_says_nonsense_of_a_baseline_is_not_merged(cli: Cli, told: object) -> None:
    put("Dockerfile", CLEAN)
    good = json.loads(cli("check", "--output-format", "json").out)
    put("bad.json", json.dumps({**good, "baseline": told}).encode())
    ran = cli("report", "merge", "bad.json", "bad.json")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: bad.json: what it says of a baseline is none")


def test_reports_of_different_kinds_or_platforms_are_not_merged(cli: Cli) -> None:
    put("Dockerfile", CLEAN)
    cli("check", "--output-format", "json:a.json", "--output-format", "sarif:a.sarif")
    cli("check", "--platform", "linux/amd64", "--output-format", "json:b.json")
    assert "different formats" in cli("report", "merge", "a.json", "a.sarif").err
    assert "another platforms" in cli("report", "merge", "a.json", "b.json").err
