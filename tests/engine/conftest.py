"""Builds on the real engine: small images, `FROM scratch` where that does, bases shared through a loopback registry."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.verify.build import Bench, Candidate
from archpatch.verify.buildx import Buildx, Settings
from archpatch.verify.plan import Job
from archpatch.verify.preflight import preflight, probe_program
from archpatch.verify.run import build_all
from archpatch.verify.verdict import Look
from tests.verify.images import elf

REGISTRY = "127.0.0.1:5000"
BOTH = (AMD64, ARM64)
_TIMEOUT = 600

Tree = Mapping[str, str | bytes]


def write_tree(folder: Path, files: Tree) -> Path:
    """Write files (those of bytes are executable) and return the folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, bytes):
            path.write_bytes(data)
            path.chmod(0o755)
        else:
            path.write_text(data, encoding="utf-8")
    return folder


def docker(*arguments: str, stdin: bytes = b"") -> str:
    """Run docker and return what it prints; its error fails the test."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=_TIMEOUT)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
    return done.stdout.decode()


def program(arch: str) -> bytes:
    """A static program that ends with 0, and really runs on `arch`."""
    found = probe_program(arch)
    assert found is not None
    return found


@dataclass(frozen=True)
class Workbench:
    """Builds trees as `verify` does, on one preflight for all tests."""

    bench: Bench
    folder: Path

    def looks(self, files: Tree, platforms: tuple[Platform, ...] = BOTH) -> dict[Platform, Look]:
        """What is said of the image of a tree, on each platform."""
        number = sum(1 for _ in self.folder.iterdir())
        folder = write_tree(self.folder / f"case{number}", files)
        job = Job(f"case{number}", folder / "Dockerfile", folder)
        outcomes = build_all(self.bench, [Candidate(job, job.dockerfile.read_bytes())], platforms)
        return {outcome.look.platform: outcome.look for outcome in outcomes}


@pytest.fixture(scope="session")
def buildx(engine: str) -> Buildx:
    """The engine, with the host's network for tests that need a server of their own."""
    return Buildx(Settings(network="host", timeout=_TIMEOUT))


@pytest.fixture(scope="session")
def bench(buildx: Buildx) -> Bench:
    """What all builds share."""
    return Bench(buildx, preflight(buildx, BOTH))


@pytest.fixture
def workbench(bench: Bench, tmp_path: Path) -> Workbench:
    """A place for trees."""
    (tmp_path / "trees").mkdir()
    return Workbench(bench, tmp_path / "trees")


@pytest.fixture(scope="session")
def registry(engine: str) -> str:
    """A registry on loopback, without login."""
    try:
        urllib.request.urlopen(f"http://{REGISTRY}/v2/", timeout=10)
    except OSError as error:
        pytest.skip(f"no registry on {REGISTRY}: {error}")
    return REGISTRY


@pytest.fixture(scope="session")
def mini(registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base image of a few hundred bytes: an index for both platforms, `:both`; for amd64 alone, `:amd64`."""
    name = f"{registry}/archpatch-test/mini"
    folder = tmp_path_factory.mktemp("mini")
    files: dict[str, str | bytes] = {
        "Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY base-$TARGETARCH /bin/base\n"
    }
    files |= {f"base-{arch}": program(arch) for arch in ("amd64", "arm64")}
    write_tree(folder, files)
    options = ("--provenance=false", "--sbom=false", "--push", str(folder))
    docker("buildx", "build", "--platform=linux/amd64,linux/arm64", f"--tag={name}:both", *options)
    docker("buildx", "build", "--platform=linux/amd64", f"--tag={name}:amd64", *options)
    return name


@pytest.fixture(scope="session")
def digest_of() -> Callable[[str], str]:
    """The digest of what a name in a registry stands for."""

    def ask(name: str) -> str:
        told = docker("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name)
        return str(json.loads(told)["digest"])

    return ask


def foreign_library(name: str = "libx.so") -> bytes:
    """An amd64 library."""
    return elf("amd64", needed=[name])
