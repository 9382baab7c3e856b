"""Targets of bake and compose files, and the named contexts they build on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64
from archpatch.verify.run import Request, verify
from archpatch.verify.verdict import Level, State
from tests.engine.conftest import write_tree
from tests.engine.verifying import APPS, GOOD, run, told
from tests.verify.images import elf

pytestmark = pytest.mark.engine


def test_a_bake_file_that_cannot_be_read_is_said(engine: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {**APPS, "Dockerfile": GOOD, "compose.yaml": "services:\n  a: [\n"})
    [look] = run(tmp_path, platforms=(ARM64,)).looks
    assert look.state is State.RIGHT
    assert look.notes[0].startswith(
        "compose.yaml was not heeded, for buildx could not read it: ERROR: failed to"
    )


def test_a_bake_file_sees_no_secret_of_the_environment(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "0123456789")
    monkeypatch.setenv("MY_SUFFIX", "arm64")
    bake = (
        'variable "MY_API_TOKEN" { default = "none" }\nvariable "MY_SUFFIX" { default = "none" }\n'
        'target "svc" { args = { WHICH = MY_SUFFIX, STOLEN = MY_API_TOKEN } }\n'
    )
    text = "FROM scratch\nARG WHICH\nARG STOLEN\nCOPY app-$WHICH /app\nLABEL stolen=$STOLEN\n"
    write_tree(tmp_path, {**APPS, "Dockerfile": text, "docker-bake.hcl": bake})
    [look] = run(tmp_path, platforms=(ARM64,)).looks
    assert look.state is State.RIGHT, look.evidence
    assert "STOLEN=none" in look.command


def test_targets_of_bake_and_compose_are_built_as_they_say(engine: str, tmp_path: Path) -> None:
    text = 'FROM scratch AS base\nARG WHICH\nCOPY app-$WHICH /app\nFROM base AS other\nENTRYPOINT ["/gone"]\n'
    write_tree(
        tmp_path, {**{f"src/{name}": data for name, data in APPS.items()}, "src/docker/Dockerfile": text}
    )
    bake = {"target": {"svc": {"context": "src", "dockerfile": "docker/Dockerfile", "target": "base",
                               "args": {"WHICH": "arm64", "BUILDKIT_SYNTAX": "127.0.0.1:1/evil:1"},
                               "secret": ["id=x,env=HOME"], "platforms": ["linux/arm64"]}}}  # fmt: skip
    (tmp_path / "docker-bake.json").write_text(json.dumps(bake))
    compose = (
        "services:\n  web:\n    platform: linux/amd64  # for now\n    build:\n      context: web\n"
        "  db:\n    image: db\n"
    )
    (tmp_path / "compose.yaml").write_text(compose)
    write_tree(tmp_path / "web", {**APPS, "Dockerfile": GOOD})
    result = run(tmp_path)
    assert told(result) == {
        "svc linux/amd64": State.WRONG,
        "svc linux/arm64": State.RIGHT,
        "web linux/amd64": State.RIGHT,
        "web linux/arm64": State.RIGHT,
    }
    notes = {note for look in result.looks for note in look.notes}
    assert "docker-bake.json sets BUILDKIT_SYNTAX; left out" in notes
    assert "docker-bake.json asks for secret; not given" in notes
    assert "compose.yaml pins the service to linux/amd64: docker compose builds and runs it only so" in notes


def test_files_of_a_folder_are_read_together_as_bake_reads_them(engine: str, tmp_path: Path) -> None:
    """What one file says of a target is completed and overridden by the next."""
    write_tree(
        tmp_path / "web",
        {**APPS, "Dockerfile": "FROM scratch\nARG WHICH\nARG KIND\nCOPY $KIND-$WHICH /app\n"},
    )
    write_tree(
        tmp_path,
        {
            "compose.yaml": "services:\n  web:\n    platform: linux/amd64\n    build:\n      context: web\n",
            "docker-bake.hcl": 'variable "KIND" { default = "none" }\ntarget "web" { args = { WHICH = "s390x", KIND = KIND } }\n',
            "docker-bake.override.hcl": 'variable "KIND" { default = "app" }\ntarget "web" { args = { WHICH = "arm64" } }\n',
        },
    )
    [look] = run(tmp_path, platforms=(ARM64,)).looks
    assert look.state is State.RIGHT, look.evidence
    assert "compose.yaml" in look.notes[0]


BAKE = """\
variable "WHICH" { default = "arm64" }
target "docker-metadata-action" {}
target "_common" { args = { WHICH = WHICH } }
group "default" { targets = ["image-local"] }
target "image" { inherits = ["_common", "docker-metadata-action"] }
target "image-local" {
  inherits = ["image"]
  output = ["type=docker"]
}
target "image-all" {
  inherits = ["image"]
  platforms = ["linux/amd64", "linux/arm64"]
}
target "lint" {
  inherits = ["_common"]
  target = "lint"
  output = ["type=cacheonly"]
}
target "tool" {
  dockerfile = "tool.Dockerfile"
  output = ["./out"]
}
"""


def test_parts_checks_and_exports_are_no_images_of_their_own(engine: str, tmp_path: Path) -> None:
    text = 'FROM scratch AS lint\nRUN ["/gone"]\nFROM scratch\nARG WHICH\nCOPY app-$WHICH /app\nENTRYPOINT ["/app"]\n'
    tool = 'FROM scratch\nCOPY app-arm64 tool /\nENTRYPOINT ["/gone"]\n'
    library = elf("arm64", interpreter="/lib/ld-linux-aarch64.so.1", needed=["libc.so.6"])
    write_tree(
        tmp_path,
        {**APPS, "Dockerfile": text, "tool.Dockerfile": tool, "tool": library, "docker-bake.hcl": BAKE},
    )
    result = run(tmp_path, platforms=(ARM64,))
    assert told(result) == {"image-local linux/arm64": State.RIGHT, "tool linux/arm64": State.RIGHT}
    notes = {look.target: look.notes for look in result.looks}
    assert notes["image-local"] == ("docker-bake.hcl builds it for linux/amd64, linux/arm64",)
    assert notes["tool"][0].startswith("docker-bake.hcl exports its files and makes no image")
    write_tree(tmp_path, {"tool": elf("amd64")})
    assert told(run(tmp_path, platforms=(ARM64,)))["tool linux/arm64"] is State.WRONG


def test_a_failure_is_unknown_where_the_file_that_may_say_how_to_build_could_not_be_read(
    engine: str, tmp_path: Path
) -> None:
    write_tree(tmp_path, {"Dockerfile": "FROM debian:bookworm-slim\nARG V\nRUN test -n \"$V\"\n",
                          "docker-bake.hcl": "target {\n"})  # fmt: skip
    [look] = run(tmp_path, platforms=(AMD64,)).looks
    assert look.state is State.UNKNOWN
    assert "could not be read may say how to build it" in look.evidence[0].message


ON_BASE = 'FROM base\nCOPY --from=files note /note\nCOPY --from=mini /bin/base /mini\nENTRYPOINT ["/app"]\n'


def named_contexts(folder: Path, mini: str, **more: str) -> None:
    """A tree whose image stands on another target, takes files of a second folder, and an image by another name."""
    write_tree(folder / "base", {**APPS, "Dockerfile": "# syntax=127.0.0.1:1/evil:1\n" + GOOD})
    write_tree(folder / "files", {"note": "text"})
    write_tree(folder / "web", {"Dockerfile": ON_BASE})
    contexts = {"base": "target:base", "files": "./files", "mini": f"docker-image://{mini}:both", **more}
    bake = {"target": {"base": {"context": "base"}, "web": {"context": "web", "contexts": contexts}}}
    (folder / "docker-bake.json").write_text(json.dumps(bake))


def test_named_contexts_are_built_as_the_bake_file_says(engine: str, mini: str, tmp_path: Path) -> None:
    named_contexts(tmp_path, mini)
    result = run(tmp_path)
    assert told(result) == {
        f"{name} linux/{arch}": State.RIGHT for name in ("base", "web") for arch in ("amd64", "arm64")
    }
    [web, *_] = [look for look in result.looks if look.target == "web"]
    assert web.elf_files == 2
    assert told(run(tmp_path, Level.CHECK)) == told(result)
    assert told(run(tmp_path, Level.RUN, run_command=("/app",))) == told(result)


def test_what_is_wrong_in_a_target_that_others_are_built_on_is_wrong_in_them_too(
    engine: str, mini: str, tmp_path: Path
) -> None:
    named_contexts(tmp_path, mini)
    write_tree(tmp_path / "base", {"Dockerfile": "FROM scratch\nCOPY app-amd64 /app\n"})
    result = run(tmp_path, platforms=(ARM64,))
    assert told(result) == {"base linux/arm64": State.WRONG, "web linux/arm64": State.WRONG}
    lines = {look.target: look.wrong[0].lines for look in result.looks}
    assert lines == {"base": (2,), "web": (1,)}  # there it comes with FROM


def test_the_lines_of_a_step_that_failed_in_another_file_are_not_those_of_this_one(
    engine: str, mini: str, tmp_path: Path
) -> None:
    named_contexts(tmp_path, mini)
    write_tree(
        tmp_path / "base", {"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY gone-$TARGETARCH /app\n"}
    )
    lines = {look.target: look.wrong[0].lines for look in run(tmp_path, platforms=(ARM64,)).looks}
    assert lines == {"base": (3,), "web": ()}


def test_a_target_that_is_built_first_is_refused_what_any_file_is(
    engine: str, mini: str, tmp_path: Path
) -> None:
    named_contexts(tmp_path, mini)
    write_tree(tmp_path / "base", {"Dockerfile": "FROM scratch\nRUN --security=insecure true\n"})
    looks = run(tmp_path, platforms=(AMD64,)).looks
    assert [(look.target, look.evidence[0].kind) for look in looks] == [
        ("base", "refused"),
        ("web", "refused"),
    ]
    assert "base/Dockerfile: line 2" in looks[1].evidence[0].message


def test_additional_contexts_of_a_compose_file_are_built(engine: str, mini: str, tmp_path: Path) -> None:
    named_contexts(tmp_path, mini)
    (tmp_path / "docker-bake.json").unlink()
    (tmp_path / "compose.yaml").write_text(
        "services:\n  base:\n    build: base\n  web:\n    build:\n      context: web\n      additional_contexts:\n"
        f"        base: service:base\n        files: files\n        mini: docker-image://{mini}:both\n"
    )
    assert set(told(run(tmp_path)).values()) == {State.RIGHT}


def test_the_command_of_a_report_builds_an_image_with_contexts_again(
    engine: str, mini: str, tmp_path: Path
) -> None:
    named_contexts(tmp_path, mini)
    write_tree(tmp_path / "base", {"Dockerfile": GOOD})
    result = run(tmp_path, platforms=(ARM64,))
    [command] = [look.command for look in result.looks if look.target == "web"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "web-linux-arm64.tar").is_file()


def test_a_context_in_another_folder_that_was_named_is_built(engine: str, tmp_path: Path) -> None:
    write_tree(tmp_path / "shared", APPS)
    write_tree(tmp_path / "web", {"docker/Dockerfile": GOOD})
    bake = {"target": {"web": {"context": "../shared", "dockerfile": "../web/docker/Dockerfile"}}}
    (tmp_path / "web" / "docker-bake.json").write_text(json.dumps(bake))
    [alone] = run(tmp_path / "web", platforms=(ARM64,)).looks
    assert alone.state is State.UNKNOWN
    assert "../shared lies outside" in alone.evidence[0].message
    both = verify(Request((tmp_path / "web", tmp_path / "shared"), platforms=(ARM64,)))
    assert told(both) == {"web linux/arm64": State.RIGHT}
