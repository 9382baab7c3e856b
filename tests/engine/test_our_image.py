"""Our own image, built for each platform from the Dockerfile as it stands, and run.

A build has no index here: the wheels of both platforms come from a folder, as the Dockerfile's first line has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from archpatch import __version__
from tests.engine.conftest import docker

ROOT = Path(__file__).parent.parent.parent
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
pytestmark = [pytest.mark.slow, pytest.mark.engine]


@pytest.fixture(scope="module")
def wheels(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip installs in the image, and what builds archpatch, for both platforms."""
    folder = tmp_path_factory.mktemp("wheels")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = project["project"]["dependencies"] + project["build-system"]["requires"]
    for machine in MACHINES.values():
        platforms = [f"--platform={kind}_{machine}" for kind in ("manylinux_2_28", "manylinux2014")]
        command = ["download", "-q", "-d", folder, "--only-binary=:all:", "--python-version=3.11", *platforms]
        fetched = subprocess.run(
            [sys.executable, "-m", "pip", *command, *needed], capture_output=True, text=True
        )
        assert fetched.returncode == 0, fetched.stderr
    return folder


@pytest.fixture(params=MACHINES)
def image(wheels: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A platform, and our image for it; removed afterwards."""
    platform: str = request.param
    name = f"archpatch-test-{os.getpid()}:{platform.replace('/', '-')}"
    given = ["--build-context", f"wheels={wheels}", "--build-arg", "PIP_NO_INDEX=1"]
    docker("buildx", "build", "--load", "--platform", platform, "--tag", name, *given, str(ROOT))
    yield platform, name
    docker("image", "rm", "--force", name)


def test_our_image_checks_a_folder_as_nobody_in_particular(image: tuple[str, str]) -> None:
    platform, name = image
    run = ["run", "--rm", "--network=none", "--platform", platform]
    assert docker(*run, name, "--version").split() == ["archpatch", __version__]
    assert docker(*run, "--entrypoint=id", name, "-u").strip() == "65532"
    assert docker(*run, "--entrypoint=uname", name, "-m").strip() == MACHINES[platform]
    shop = ["-v", f"{ROOT / 'fixtures' / 'hello'}:/work:ro"]
    checked = docker(*run, *shop, name, "check", "--exit-zero", "--output-format", "concise")
    assert "AP601" in checked
