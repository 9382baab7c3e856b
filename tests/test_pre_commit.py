"""The hooks, run by the real pre-commit program on a scratch repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from archpatch.discover import OTHERS, PATTERNS, TEMPLATES

ROOT = Path(__file__).parent.parent
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}

WANTED = [
    "Dockerfile", "dockerfile", "Dockerfile.debug", "Dockerfile-amd64", "Dockerfile_arm", "api.Dockerfile", "api.dockerfile",
    "api-Dockerfile", "Containerfile", "containerfile", "Containerfile.dev", "src/api/Dockerfile",
]  # fmt: skip
PASSED_OVER = [
    "Dockerfile.j2", "Dockerfile.jinja", "Dockerfile.tmpl", "Dockerfile.erb", "Dockerfile.md", "Dockerfile.dockerignore",
    ".dockerignore", "compose.yaml", "docker-bake.hcl", "Dockerfiles/readme.txt", "mydockerfile", "Dockerfile2",
    "tests/test_dockerfile.py", "dockerfile_parser.go", "dockerfile.ts", "lint-dockerfile.sh", "Dockerfile.rst",
]  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(("name", "taken"), [(n, True) for n in WANTED] + [(n, False) for n in PASSED_OVER])
def test_the_pattern_takes_dockerfiles_by_all_their_names_and_no_templates(
    hook: str, name: str, taken: bool
) -> None:
    pattern = HOOKS[hook]
    matched = re.search(pattern["files"], name) and not re.search(pattern["exclude"], name)
    assert bool(matched) is taken


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_pattern_takes_what_a_folder_is_searched_for(hook: str, pattern: str) -> None:
    assert re.search(HOOKS[hook]["files"], "src/" + pattern.replace("*", "x"))


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("suffix", [*TEMPLATES, *OTHERS])
def test_the_pattern_leaves_what_a_search_leaves(hook: str, suffix: str) -> None:
    assert re.search(HOOKS[hook]["exclude"], f"Dockerfile{suffix}")


IDENTITY = {f"GIT_{who}_{what}": "tests" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
PINNED = b"FROM --platform=$BUILDPLATFORM python:3.12-slim\nCOPY . .\n"
MENDED = b"FROM python:3.12-slim\nCOPY . .\n"


def git(folder: Path, *arguments: str) -> str:
    settings = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    ran = subprocess.run(["git", *arguments], cwd=folder, env=settings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def repository(folder: Path) -> str:
    """Make a folder a repository with one commit; its name."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "All")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """This project as pre-commit would clone it: what an install needs, in a repository of its own."""
    clone = tmp_path_factory.mktemp("archpatch")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copyfile(ROOT / name, clone / name)
    for name in ("archpatch", "rules"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    return clone, repository(clone)


@pytest.mark.slow
def test_pre_commit_reports_then_mends_then_is_content(
    hooks: tuple[Path, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clone, revision = hooks
    folder = tmp_path / "shop"
    (folder / "api").mkdir(parents=True)
    dockerfile = folder / "api" / "Dockerfile-api"
    dockerfile.write_bytes(PINNED)
    (folder / "Dockerfile.j2").write_bytes(b"FROM --platform={{ platform }} python\n")
    configuration = "repos:\n- repo: {}\n  rev: {}\n  hooks:\n  - id: archpatch\n  - id: archpatch-fix\n"
    (folder / ".pre-commit-config.yaml").write_text(configuration.format(clone, revision))
    repository(folder)

    def run(*hooks: str) -> subprocess.CompletedProcess[str]:
        home = str(tmp_path_factory.getbasetemp() / "pre-commit")
        settings = {**os.environ, "PRE_COMMIT_HOME": home, "PIP_NO_COMPILE": "1"}
        command = [
            sys.executable,
            "-m",
            "pre_commit",
            "run",
            *hooks,
            "--all-files",
            "--color=never",
            "--verbose",
        ]
        return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=500)

    found = run("archpatch")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "AP101" in found.stdout
    assert "Dockerfile.j2" not in found.stdout
    assert dockerfile.read_bytes() == PINNED

    mended = run("archpatch-fix")
    assert mended.returncode == 1, "pre-commit stops the commit when a hook has written"
    assert dockerfile.read_bytes() == MENDED

    content = run()
    assert content.returncode == 0, content.stdout
    assert content.stdout.count("Passed") == 2
    assert dockerfile.read_bytes() == MENDED
