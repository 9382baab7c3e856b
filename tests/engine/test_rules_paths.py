"""What rules on paths, base images and copies claim, against what BuildKit does on both platforms.

Each file is built as it is and as `fix --unsafe` leaves it, for linux/amd64 and linux/arm64.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from archpatch import engine, registry
from archpatch.checking import Settings
from archpatch.facts import FolderContext
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine")]

BASE = "debian:bookworm-slim"
AMD64, ARM64 = "linux/amd64", "linux/arm64"


def build(folder: Path, platform: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the Dockerfile of a folder for a platform."""
    command = ["docker", "buildx", "build", "--platform", platform, "--progress", "plain", *options, "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def mended(folder: Path, code: str, level: Applicability) -> bytes:
    """What the fixes of one rule make of the Dockerfile of a folder; written into it."""
    path = folder / "Dockerfile"
    rules = tuple(rule for rule in registry.load() if rule.code == code)
    document = parse(path.read_bytes(), path)
    context = FolderContext(folder)
    outcome = engine.fix(document, rules, Settings(), context, level)
    assert outcome.source != document.source
    assert not outcome.demoted
    path.write_bytes(outcome.source)
    return outcome.source


def write(folder: Path, text: str) -> None:
    (folder / "Dockerfile").write_text(text)


def assert_builds_for_amd64_alone(folder: Path, *options: str) -> None:
    """The Dockerfile of a folder builds for amd64 and not for arm64."""
    done = build(folder, AMD64)
    assert done.returncode == 0, done.stderr
    assert build(folder, ARM64, *options).returncode != 0


def assert_builds_for_both(folder: Path) -> None:
    """It builds for both, in one go."""
    done = build(folder, f"{AMD64},{ARM64}")
    assert done.returncode == 0, done.stderr


def test_a_preloaded_library_is_found_by_its_name_on_both(tmp_path: Path) -> None:
    # Debian's own libm stands in for an allocator: what is preloaded shows up in the map of the process.
    check = f"FROM {BASE}\nENV LD_PRELOAD=%s\nRUN grep -q libm.so /proc/self/maps\n"
    write(tmp_path, check % "/lib/x86_64-linux-gnu/libm.so.6")
    assert_builds_for_amd64_alone(tmp_path)
    assert b"LD_PRELOAD=libm.so.6\n" in mended(tmp_path, "AP701", Applicability.SAFE)
    assert_builds_for_both(tmp_path)


def test_a_jdk_folder_is_named_as_dpkg_and_targetarch_say(tmp_path: Path) -> None:
    write(
        tmp_path,
        f"FROM {BASE}\n"
        "RUN mkdir -p /usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture)/bin\n"
        "ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n"
        "RUN test -d $JAVA_HOME/bin && test -d /usr/lib/jvm/java-17-openjdk-amd64\n",
    )
    assert_builds_for_amd64_alone(tmp_path)
    mended(tmp_path, "AP702", Applicability.SAFE)
    assert_builds_for_both(tmp_path)


def test_a_library_folder_follows_uname(tmp_path: Path) -> None:
    write(tmp_path, f"FROM {BASE}\nRUN ln -s /usr/lib/x86_64-linux-gnu/libm.so.6 /m && cat /m > /dev/null\n")
    assert_builds_for_amd64_alone(tmp_path)
    mended(tmp_path, "AP703", Applicability.SAFE)
    assert_builds_for_both(tmp_path)


def test_a_pattern_takes_the_library_folder_that_is_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        f"FROM {BASE} AS libs\nFROM {BASE}\n"
        "COPY --from=libs /usr/lib/x86_64-linux-gnu/libm.so.6 /opt/lib/\nRUN test -f /opt/lib/libm.so.6\n",
    )
    # BuildKit knows a COPY by the content it takes: out of its cache it would give that of the pattern.
    assert_builds_for_amd64_alone(tmp_path, "--no-cache")
    mended(tmp_path, "AP703", Applicability.UNSAFE)
    assert_builds_for_both(tmp_path)


def test_arm64_of_debian_has_no_lib64_to_copy(tmp_path: Path) -> None:
    write(tmp_path, f"FROM {BASE} AS build\nFROM scratch\nCOPY --from=build /lib64 /lib64\n")
    assert_builds_for_amd64_alone(tmp_path)
    document = parse((tmp_path / "Dockerfile").read_bytes())
    found = engine.check(document, registry.load(), Settings(), None).findings
    assert "AP704" in {finding.code for finding in found}


@pytest.mark.parametrize("goal", ["/lib64/", "/lib64/ld-linux-x86-64.so.2"])
def test_the_loader_of_each_goes_where_its_programs_look(tmp_path: Path, goal: str) -> None:
    write(
        tmp_path,
        f"FROM {BASE} AS build\nFROM scratch\nCOPY --from=build /lib64/ld-linux-x86-64.so.2 {goal}\n"
        'COPY --from=build /lib/*-linux-gnu/libc.so.6 /lib/\nCOPY --from=build /bin/true /\nRUN ["/true"]\n',
    )
    assert_builds_for_amd64_alone(tmp_path)
    mended(tmp_path, "AP704", Applicability.UNSAFE)
    assert_builds_for_both(tmp_path)


def test_a_missing_member_of_a_family_is_looked_for_in_the_registry(tmp_path: Path) -> None:
    write(tmp_path, f"FROM {BASE} AS archpatch-none-amd64\nFROM archpatch-none-${{TARGETARCH}}\n")
    assert build(tmp_path, AMD64).returncode == 0
    refused = build(tmp_path, ARM64)
    assert refused.returncode != 0
    assert "archpatch-none-arm64" in refused.stderr
    mended(tmp_path, "AP206", Applicability.UNSAFE)
    assert_builds_for_both(tmp_path)


def test_a_copied_program_follows_the_target_where_both_are_in_the_context(tmp_path: Path) -> None:
    # The programs are those of the base image, taken out of it for each platform.
    for platform in (AMD64, ARM64):
        folder = tmp_path / "bin" / platform.removeprefix("linux/")
        folder.mkdir(parents=True)
        write(tmp_path, f"FROM {BASE} AS base\nFROM scratch\nCOPY --from=base /bin/true /app\n")
        taken = build(tmp_path, platform, "--output", f"type=local,dest={folder}")
        assert taken.returncode == 0, taken.stderr
    write(tmp_path, f"FROM {BASE}\nCOPY bin/amd64/app /opt/app\nRUN cmp /opt/app /bin/true\n")
    assert_builds_for_amd64_alone(tmp_path)
    mended(tmp_path, "AP801", Applicability.SAFE)
    assert_builds_for_both(tmp_path)
