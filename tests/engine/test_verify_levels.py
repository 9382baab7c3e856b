"""archpatch verify on the real engine: levels, frontends, files of the tree, images that exist."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.verify import smoke
from archpatch.verify.buildx import Buildx, Settings
from archpatch.verify.existing import verify_image
from archpatch.verify.preflight import Mode, preflight
from archpatch.verify.run import Request
from archpatch.verify.verdict import Level, State
from tests.engine.conftest import Tree, Workbench, docker, program, write_tree
from tests.engine.verifying import APPS, GOOD, run, told

pytestmark = pytest.mark.engine


def test_the_preflight_tells_native_from_emulated_and_missing(buildx: Buildx) -> None:
    found = preflight(buildx, (AMD64, ARM64, Platform.parse("linux/s390x")))
    assert list(found.modes.values()) == [Mode.NATIVE, Mode.EMULATED, Mode.MISSING]
    assert found.build_platforms == {AMD64: AMD64, ARM64: AMD64}
    assert "linux/s390x" in found.advice[0]


def test_a_right_image_is_right_and_a_failing_one_hides_no_other(engine: str, tmp_path: Path) -> None:
    write_tree(tmp_path / "good", {**APPS, "Dockerfile": GOOD})
    write_tree(tmp_path / "bad", {"app-amd64": program("amd64"), "Dockerfile": GOOD})
    result = run(tmp_path)
    assert told(result) == {
        "bad linux/amd64": State.RIGHT,
        "bad linux/arm64": State.WRONG,
        "good linux/amd64": State.RIGHT,
        "good linux/arm64": State.RIGHT,
    }
    assert result.exit_code == 1
    [wrong] = [one for look in result.looks for one in look.wrong]
    assert wrong.lines == (3,)


def test_a_file_that_is_missing_on_every_platform_says_nothing_of_one(engine: str, tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY dist/app /app\n"
    write_tree(tmp_path / "web", {"Dockerfile": text})
    result = run(tmp_path)
    assert set(told(result).values()) == {State.UNKNOWN}
    assert "dist/app is not in the build context" in result.looks[0].evidence[0].message


def test_the_context_is_the_first_folder_of_those_named_that_holds_what_is_copied(
    engine: str, tmp_path: Path
) -> None:
    text = "FROM scratch\nARG TARGETARCH\nCOPY bin/app-$TARGETARCH /app\nCOPY web/page /page\n"
    write_tree(tmp_path, {f"bin/{name}": data for name, data in APPS.items()})
    write_tree(tmp_path / "web", {"Dockerfile": text, "page": "hello"})
    assert set(told(run(tmp_path)).values()) == {State.RIGHT}
    assert set(told(run(tmp_path / "web")).values()) == {State.UNKNOWN}
    assert set(told(run(tmp_path / "web", contexts=(tmp_path,))).values()) == {State.RIGHT}


def test_a_failed_step_is_shown_by_what_it_printed(workbench: Workbench) -> None:
    text = (
        "FROM debian:bookworm-slim\nRUN echo configure: error: no such machine as $(uname -m) >&2; exit 1\n"
    )
    [evidence] = workbench.looks({"Dockerfile": text}, (ARM64,))[ARM64].evidence
    assert "the build failed (configure: error: no such machine as aarch64)" in evidence.message
    assert evidence.log == "configure: error: no such machine as aarch64"


def test_a_command_that_does_not_end_leaves_no_container(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "_TIMEOUT", 2.0)
    folder = write_tree(tmp_path / "sleeper", {"Dockerfile": "FROM debian:bookworm-slim\nLABEL a=1\n"})
    result = run(folder, Level.RUN, run_command=("sleep", "7321"), platforms=(AMD64,))
    assert "did not end" in result.looks[0].evidence[0].message
    assert "sleep 7321" not in docker("container", "ls", "--all", "--no-trunc", "--format", "{{.Command}}")


def test_a_smoke_command_runs_in_the_image_and_the_image_is_removed(engine: str, tmp_path: Path) -> None:
    write_tree(
        tmp_path / "smoke",
        {**APPS, "Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\n"},
    )
    assert told(run(tmp_path, Level.RUN, run_command=("/app",))) == {
        "smoke linux/amd64": State.RIGHT,
        "smoke linux/arm64": State.RIGHT,
    }
    result = run(tmp_path, Level.RUN, run_command=("/gone",), platforms=(AMD64,))
    assert told(result) == {"smoke linux/amd64": State.WRONG}
    own = f"archpatch-verify-{os.getpid()}-"  # other processes run other tests
    assert own not in docker("image", "ls", "--format", "{{.Repository}}")


def test_the_frontend_that_a_file_names_is_not_fetched_and_that_is_said(workbench: Workbench) -> None:
    files: Tree = {**APPS, "Dockerfile": "# syntax=127.0.0.1:1/evil/frontend:1\n# escape=`\n" + GOOD}
    look = workbench.looks(files, (ARM64,))[ARM64]
    assert look.state is State.RIGHT
    assert look.notes == (
        "# syntax=127.0.0.1:1/evil/frontend:1 was not used: the builder's own frontend read the file",
    )


@pytest.mark.parametrize("line", ["#\fsyntax=127.0.0.1:1/evil:1", "# syntax\f=\r127.0.0.1:1/evil:1"])
def test_blanks_of_all_kinds_do_not_bring_a_frontend_in(workbench: Workbench, line: str) -> None:
    look = workbench.looks({**APPS, "Dockerfile": f"{line}\n{GOOD}"}, (ARM64,))[ARM64]
    assert look.state is State.RIGHT, look.evidence


def test_with_trust_it_is_fetched(engine: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {**APPS, "Dockerfile": "# syntax=127.0.0.1:1/no/frontend:1\n" + GOOD})
    result = run(tmp_path, trust_syntax=True, platforms=(AMD64,))
    [look] = result.looks
    assert look.failed
    assert "127.0.0.1:1" in look.evidence[0].log


@pytest.mark.parametrize(
    "first", ["// syntax=127.0.0.1:1/evil/frontend:1", "#!/bin/x\n// syntax=127.0.0.1:1/e/f:1"]
)
def test_a_file_in_the_notation_of_another_frontend_is_not_built(workbench: Workbench, first: str) -> None:
    look = workbench.looks({**APPS, "Dockerfile": f"{first}\n{GOOD}"}, (AMD64,))[AMD64]
    assert (look.state, look.evidence[0].kind) == (State.UNKNOWN, "refused")


def test_a_feature_of_another_frontend_is_unknown_when_that_one_is_not_used(workbench: Workbench) -> None:
    text = "# syntax=docker/dockerfile:99-labs\nFROM scratch\nCOPY --from-the-future app-amd64 /app\n"
    look = workbench.looks({**APPS, "Dockerfile": text}, (AMD64,))[AMD64]
    assert look.state is State.UNKNOWN
    assert "--trust-syntax" in look.evidence[0].message


@pytest.mark.parametrize(
    "mount",
    ["type=secret,id=tok,required=true true", "type=secret,id=tok cat /run/secrets/tok",
     "type=secret,id=tok /bin/no-such-client", "type=ssh,required=true true"],
)  # fmt: skip
def test_what_fails_for_want_of_a_secret_is_unknown(workbench: Workbench, mount: str) -> None:
    files: Tree = {"Dockerfile": f"FROM debian:bookworm-slim\nRUN --mount={mount}\n"}
    look = workbench.looks(files, (AMD64,))[AMD64]
    assert (look.state, look.evidence[0].codes) == (State.UNKNOWN, ()), look.evidence
    assert "verify gives none" in look.evidence[0].message


def test_a_foreign_program_is_wrong_in_a_step_with_a_secret_too(workbench: Workbench) -> None:
    text = 'FROM scratch\nCOPY app-s390x /app\nRUN --mount=type=secret,id=tok ["/app"]\n'
    files: Tree = {"Dockerfile": text, "app-s390x": program("s390x")}
    assert workbench.looks(files, (ARM64,))[ARM64].state is State.WRONG


@pytest.mark.parametrize(("platform", "state"), [(AMD64, State.WRONG), (ARM64, State.UNKNOWN)])
def test_a_crash_is_told_from_one_that_may_be_the_emulators(
    workbench: Workbench, platform: Platform, state: State
) -> None:
    files: Tree = {"Dockerfile": "FROM debian:bookworm-slim\nRUN exit 139\n"}
    assert workbench.looks(files, (platform,))[platform].state is state


@pytest.mark.parametrize(
    "step", ["RUN --security=insecure true", "RUN --network=host true"], ids=["insecure", "host network"]
)
def test_what_asks_for_rights_on_the_builder_is_not_built(engine: str, tmp_path: Path, step: str) -> None:
    write_tree(tmp_path, {"Dockerfile": f"FROM scratch\n{step}\n"})
    [look] = run(tmp_path, platforms=(AMD64,)).looks
    assert (look.state, look.evidence[0].kind) == (State.UNKNOWN, "refused")
    assert "line 2" in look.evidence[0].message


def test_names_that_look_like_templates_are_built_as_they_are(engine: str, tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "a ${x} %{y} --no-cache", {**APPS, "Dockerfile": GOOD})
    result = run(folder, platforms=(ARM64,))
    assert [look.state for look in result.looks] == [State.RIGHT]


def test_an_ignore_file_beside_the_dockerfile_counts(engine: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {**APPS, "Dockerfile": GOOD, "Dockerfile.dockerignore": "app-arm64\n"})
    result = run(tmp_path)
    assert [look.state for look in result.looks] == [State.RIGHT, State.WRONG]


class TestImagesThatExist:
    @pytest.fixture
    def singles(self, registry: str, tmp_path: Path) -> Callable[[str, str, str], str]:
        """Pushes an image of one platform, as a native host of it would."""

        def push(tag: str, platform: str, arch: str) -> str:
            name = f"{registry}/archpatch-test/joined:{tag}"
            folder = write_tree(
                tmp_path / tag,
                {"app": program(arch), "Dockerfile": 'FROM scratch\nCOPY app /app\nCMD ["/app"]\n'},
            )
            docker("buildx", "build", f"--platform={platform}", "--provenance=false", "--sbom=false", "--push",
                   f"--tag={name}", str(folder))  # fmt: skip
            return name

        return push

    def look(self, name: str, **options: object) -> dict[str, State]:
        result = verify_image(name, Request(platforms=(), settings=Settings(), **options))  # type: ignore[arg-type]  # fields of Request
        assert result.trouble == ""
        return {str(look.platform): look.state for look in result.looks}

    def test_two_images_joined_by_imagetools_are_right(
        self, singles: Callable[[str, str, str], str], registry: str
    ) -> None:
        parts = (singles("amd", "linux/amd64", "amd64"), singles("arm", "linux/arm64", "arm64"))
        name = f"{registry}/archpatch-test/joined:both"
        docker("buildx", "imagetools", "create", "--tag", name, *parts)
        assert self.look(name) == {"linux/amd64": State.RIGHT, "linux/arm64": State.RIGHT}

    def test_a_label_of_arm64_over_code_of_amd64_is_caught(
        self, singles: Callable[[str, str, str], str], registry: str
    ) -> None:
        parts = (singles("amd", "linux/amd64", "amd64"), singles("false", "linux/arm64", "amd64"))
        name = f"{registry}/archpatch-test/joined:wrong"
        docker("buildx", "imagetools", "create", "--tag", name, *parts)
        assert self.look(name) == {"linux/amd64": State.RIGHT, "linux/arm64": State.WRONG}

    def test_a_platform_that_only_the_index_claims_is_caught(
        self,
        singles: Callable[[str, str, str], str],
        registry: str,
        digest_of: Callable[[str], str],
        tmp_path: Path,
    ) -> None:
        name = singles("plain", "linux/amd64", "amd64")
        raw = json.loads(docker("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name))
        descriptor = {**raw, "platform": {"os": "linux", "architecture": "arm64"}}
        (tmp_path / "descriptor.json").write_text(json.dumps(descriptor))
        joined = f"{registry}/archpatch-test/joined:annotated"
        docker("buildx", "imagetools", "create", "--tag", joined, "--file", str(tmp_path / "descriptor.json"))
        result = verify_image(joined, Request(platforms=(ARM64,)))
        kinds = {one.kind for look in result.looks for one in look.wrong}
        assert kinds >= {"wrong-arch", "wrong-label"}

    def test_a_platform_that_is_not_there_is_wrong_when_asked_for(self, mini: str) -> None:
        result = verify_image(f"{mini}:amd64", Request(platforms=(AMD64, ARM64)))
        assert [look.state for look in result.looks] == [State.RIGHT, State.WRONG]
        assert result.looks[1].evidence[0].kind == "missing-platform"

    def test_the_platforms_that_it_has_are_said_whatever_was_asked_for(self, mini: str) -> None:
        [look] = verify_image(f"{mini}:both", Request(platforms=(Platform.parse("linux/s390x"),))).looks
        assert look.evidence[0].message == "the image has no linux/s390x; it has linux/amd64, linux/arm64"

    def test_an_image_of_the_engines_store_is_inspected(self, engine: str, tmp_path: Path) -> None:
        folder = write_tree(tmp_path, {**APPS, "Dockerfile": GOOD})
        name = "archpatch-test-store:1"
        docker(
            "buildx", "build", "--platform=linux/amd64,linux/arm64", "--load", f"--tag={name}", str(folder)
        )
        try:
            assert self.look(name) == {"linux/amd64": State.RIGHT, "linux/arm64": State.RIGHT}
        finally:
            docker("image", "rm", "--force", name)

    def test_nothing_of_an_image_is_run_its_triggers_neither(self, registry: str, tmp_path: Path) -> None:
        name = f"{registry}/archpatch-test/triggers:1"
        text = 'FROM scratch\nCOPY app-amd64 /app\nENTRYPOINT ["/app"]\nONBUILD RUN ["/app", "and", "fail"]\n'
        text += 'ONBUILD RUN ["/no-such-program"]\n'
        folder = write_tree(tmp_path, {**APPS, "Dockerfile": text})
        options = ("--provenance=false", "--push", f"--tag={name}", str(folder))
        docker("buildx", "build", "--platform=linux/amd64,linux/arm64", *options)
        assert self.look(name) == {"linux/amd64": State.RIGHT, "linux/arm64": State.WRONG}

    @pytest.mark.parametrize(
        "name", ["127.0.0.1:5000/archpatch-test/nowhere:1", "--help", "a b", "no/such/image:1"]
    )
    def test_what_is_not_there_could_not_be_told(self, engine: str, name: str) -> None:
        result = verify_image(name, Request(platforms=()))
        assert result.exit_code == 5
        assert name in result.trouble
