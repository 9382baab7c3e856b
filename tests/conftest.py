"""What every test may ask for: a real builder, and the corpus of real Dockerfiles."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def _builder_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "buildx", "inspect"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with buildx. Without one the test is skipped, or fails if ARCHPATCH_REQUIRE_ENGINE=1."""
    if _builder_answers():
        return
    reason = "`docker buildx inspect` does not answer"
    if os.environ.get("ARCHPATCH_REQUIRE_ENGINE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real Dockerfiles that ARCHPATCH_CORPUS names; skipped where it is unset."""
    folder = os.environ.get("ARCHPATCH_CORPUS")
    if not folder:
        pytest.skip("ARCHPATCH_CORPUS is not set")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"ARCHPATCH_CORPUS={folder} is no folder")
    return path
