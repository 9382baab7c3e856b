"""What rules on packages claim of apt and dpkg, against what they do on both platforms.

An apt repository within the image has one small package for each architecture: no build asks the network.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from archpatch import engine, registry
from archpatch.checking import Settings
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine")]

BASE = "debian:bookworm-slim"
AMD64, ARM64 = "linux/amd64", "linux/arm64"
# package:architectures; every package is the same empty one.
REPOSITORY = """\
set -e
for entry in tool:amd64,arm64 intel-microcode:amd64 gcc-multilib:amd64 gcc:amd64,arm64 g++-aarch64-linux-gnu:amd64 g++:amd64,arm64 google-cloud-cli-nomos:amd64; do
  name=${entry%%:*}
  for arch in $(echo ${entry#*:} | tr , ' '); do
    index=/repo/dists/s/main/binary-$arch
    mkdir -p $index /repo/pool /tmp/p/DEBIAN
    printf 'Package: %s\\nVersion: 1\\nArchitecture: %s\\nMaintainer: a <a@example.com>\\nDescription: empty\\n' $name $arch \\
      > /tmp/p/DEBIAN/control
    deb=pool/${name}_$arch.deb
    dpkg-deb -Znone -b /tmp/p /repo/$deb > /dev/null
    { cat /tmp/p/DEBIAN/control; echo "Filename: $deb"; echo "Size: $(stat -c %s /repo/$deb)"
      echo "SHA256: $(sha256sum /repo/$deb | cut -d' ' -f1)"; echo; } >> $index/Packages
  done
done
rm -f /etc/apt/sources.list.d/*
"""
PREPARED = f"FROM {BASE}\nCOPY repository.sh /\nRUN sh /repository.sh\n"
OWN = 'RUN echo "deb [trusted=yes] file:/repo s main" > /etc/apt/sources.list && apt-get update\n'


def build(folder: Path, *platforms: str) -> subprocess.CompletedProcess[str]:
    """Build the Dockerfile of a folder; nothing is kept."""
    command = ["docker", "buildx", "build", f"--platform={','.join(platforms)}", "--progress=plain", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def breaks_on_arm64(folder: Path, error: str) -> bool:
    """Whether the Dockerfile of a folder builds for amd64, and for arm64 ends with that error."""
    native, other = build(folder, AMD64), build(folder, ARM64)
    assert native.returncode == 0, native.stderr
    assert error in other.stderr, other.stderr
    return other.returncode != 0


def builds_for_both(folder: Path) -> bool:
    """Whether it builds for both, in one go."""
    done = build(folder, AMD64, ARM64)
    assert done.returncode == 0, done.stderr
    return True


def mend(folder: Path, code: str) -> None:
    """Write what the fixes of one rule make of the Dockerfile of a folder."""
    path = folder / "Dockerfile"
    document = parse(path.read_bytes(), path)
    rules = tuple(rule for rule in registry.load() if rule.code == code)
    outcome = engine.fix(document, rules, Settings(), None, Applicability.UNSAFE)
    assert outcome.source != document.source
    assert not outcome.demoted
    path.write_bytes(outcome.source)


def write(folder: Path, text: str) -> None:
    (folder / "Dockerfile").write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build context with what makes the repository."""
    (tmp_path / "repository.sh").write_text(REPOSITORY)
    return tmp_path


def test_a_repository_for_amd64_alone_is_not_seen_by_apt_on_arm64(folder: Path) -> None:
    write(
        folder,
        f"{PREPARED}RUN echo 'deb [ arch=amd64 trusted=yes ] file:/repo s main' > /etc/apt/sources.list\n"
        "RUN apt-get update && apt-get install -y tool\n",
    )
    assert breaks_on_arm64(folder, "Unable to locate package tool")
    mend(folder, "AP301")
    assert builds_for_both(folder)


def test_packages_without_arm64_are_installed_on_amd64_alone(folder: Path) -> None:
    write(
        folder,
        f"{PREPARED}{OWN}RUN apt-get install -y tool:amd64 intel-microcode gcc-multilib g++-aarch64-linux-gnu"
        " google-cloud-cli-nomos\n",
    )
    assert breaks_on_arm64(folder, "Unable to locate package intel-microcode")
    for code in ("AP303", "AP304", "AP305", "AP307", "AP329"):
        mend(folder, code)
    assert builds_for_both(folder)


def test_a_file_for_amd64_is_refused_by_dpkg_on_arm64(folder: Path) -> None:
    write(folder, f"{PREPARED}RUN dpkg -i /repo/pool/tool_amd64.deb\n")
    assert breaks_on_arm64(folder, "package architecture (amd64) does not match system (arm64)")
