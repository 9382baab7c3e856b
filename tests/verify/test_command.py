"""archpatch verify as a user runs it, where no engine is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.verify.images import Spec, elf, layout, tar

Run = Callable[..., CompletedProcess[bytes]]
NO_ENGINE = {**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Labelled for two platforms, wrong on one."""
    specs = [
        Spec([tar({"app": elf("amd64")})], arch, config={"Cmd": ["/app"]}) for arch in ("amd64", "arm64")
    ]
    return layout(tmp_path / "image.tar", *specs)


@pytest.mark.parametrize(
    ("platform", "code"), [("linux/amd64", 0), ("linux/arm64", 1), ("linux/amd64,linux/arm64", 1)]
)
def test_an_image_in_a_file_needs_no_engine(archpatch: Run, image: Path, platform: str, code: int) -> None:
    done = archpatch("verify", "--image", image, "--platform", platform, env=NO_ENGINE)
    assert done.returncode == code, done.stderr


def test_without_a_platform_every_one_of_the_image_is_looked_at(archpatch: Run, image: Path) -> None:
    done = archpatch("verify", "--image", image, "--output-format", "json", env=NO_ENGINE)
    states = {one["platform"]: one["state"] for one in json.loads(done.stdout)["images"]}
    assert states == {"linux/amd64": "right", "linux/arm64": "wrong"}


def test_files_may_be_allowed_on_the_line_and_by_config(archpatch: Run, image: Path, tmp_path: Path) -> None:
    (tmp_path / "archpatch.toml").write_text('verify-allow = ["lib*/**"]\n')
    specs = [Spec([tar({"lib/fw/x": elf("amd64"), "data/y": elf("amd64")})], "arm64")]
    layout(image, *specs)
    line = ("verify", "--image", image, "--output-format", "json")
    for more, wrong in ((("--isolated",), 2), ((), 1), (("--allow", "data/*"), 0)):
        told = json.loads(archpatch(*line, *more, env=NO_ENGINE, cwd=tmp_path).stdout)
        assert sum(one["kind"] == "wrong-arch" for one in told["images"][0]["evidence"]) == wrong


@pytest.mark.parametrize("data", [b"", b"no image", b"\x1f\x8b"], ids=["empty", "text", "gzip"])
def test_a_file_that_is_no_image_could_not_be_told(archpatch: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    done = archpatch("verify", "--image", tmp_path / "x.tar", env=NO_ENGINE)
    assert done.returncode == 5
    assert b"could not tell" in done.stdout


def test_an_image_that_could_not_be_read_whole_is_not_called_right(archpatch: Run, tmp_path: Path) -> None:
    broken = bytearray(elf("arm64", interpreter="/lib/x", needed=["a"]))
    broken[56:58] = b"\xff\xff"
    layout(tmp_path / "i.tar", Spec([tar({"lib/x": elf("arm64"), "app": bytes(broken)})], "arm64"))
    done = archpatch("verify", "--image", tmp_path / "i.tar", env=NO_ENGINE)
    assert done.returncode == 5
    assert b"broken ELF headers" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--image", "a", "."),
        ("--level", "run"),
        ("--run", "x"),
        (
            "--platform",
            "arm65/x/y/z",
        ),
        ("--output-format", "sarif"),
        ("--builder=--x", "."),
    ],
    ids=[
        "image and paths",
        "run without a command",
        "a command without run",
        "no platform",
        "no such format",
        "an option for a builder",
    ],
)
def test_what_does_not_go_together_is_a_usage_error(archpatch: Run, arguments: tuple[str, ...]) -> None:
    assert archpatch("verify", *arguments, env=NO_ENGINE).returncode == 2


def test_a_plan_prints_the_bake_file_and_the_commands(archpatch: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    done = archpatch("verify", "--level", "plan", tmp_path, env=NO_ENGINE)
    assert done.returncode == 0
    assert b"$ docker buildx bake --file archpatch-verify.json" in done.stdout
    assert b"Nothing was run." in done.stdout


def test_a_plan_says_which_files_it_did_not_read(archpatch: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "docker-bake.hcl").write_text('target "x" {}\n')
    done = archpatch("verify", "--level", "plan", tmp_path, env=NO_ENGINE)
    assert done.returncode == 0
    assert b"docker-bake.hcl was not read, for a plan runs nothing" in done.stdout


def test_fix_verify_goes_without_diff_and_standard_input(archpatch: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert archpatch("fix", "--verify", "--diff", tmp_path).returncode == 2
    assert archpatch("fix", "--verify", "-", input=b"FROM scratch\n").returncode == 2


def test_without_anything_to_mend_no_engine_is_needed(archpatch: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert archpatch("fix", "--verify", tmp_path, env=NO_ENGINE).returncode == 0


@pytest.mark.parametrize("verb", [("verify", "--level", "plan"), ("fix", "--verify")], ids=["verify", "fix"])
def test_without_a_dockerfile_there_is_nothing_to_look_at(
    archpatch: Run, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    assert archpatch(*verb, tmp_path, env=NO_ENGINE).returncode == 3
