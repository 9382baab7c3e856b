"""What is handed to buildx, and what never is: texts of a scanned tree do not become options."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.syntax.parse import parse
from archpatch.verify import build, declared, plan
from archpatch.verify.bakefile import BakeTarget, bake_file, target_name
from archpatch.verify.bases import bases_of
from archpatch.verify.build import Bench, Candidate, Outcome, again
from archpatch.verify.buildx import Baked, Builder, Buildx, NoEngine, Settings, is_reference
from archpatch.verify.compose import service_platforms
from archpatch.verify.contexts import missing_everywhere, upwards, with_context
from archpatch.verify.preflight import Preflight, probe_program
from archpatch.verify.run import Request, build_all, verify
from archpatch.verify.verdict import Level, Look, State

FROM = b"FROM scratch\nRUN x\n"


class TestFrontends:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(b"# syntax=a/b:1\n", b"#\n", id="alone"),
            pytest.param(b"#SYNTAX = a/b:1\n", b"#\n", id="any case, no blank"),
            pytest.param(b"# syntax=a/b:1\r\n", b"#\r\n", id="CRLF"),
            pytest.param(b"\xef\xbb\xbf# syntax=a/b:1\n", b"\xef\xbb\xbf#\n", id="BOM"),
            pytest.param(
                b"# syntax=a/b:1\n# escape=`\n", b"# escape=`\n#\n", id="other directives stay in force"
            ),
            pytest.param(b"# check=skip=all\n# syntax=a/b:1\n", b"# check=skip=all\n#\n", id="below another"),
            pytest.param(b"# syntax=a/b:1\n# syntax=c/d:1\n", b"#\n#\n", id="the second does not take over"),
            pytest.param(b"#!/bin/x\n# syntax=a/b:1\n", b"#!/bin/x\n#\n", id="below a shebang"),
        ],
    )
    def test_a_named_frontend_is_put_out_of_force_and_lines_keep_their_numbers(
        self, before: bytes, after: bytes
    ) -> None:
        assert plan.without_frontend(before + FROM) == (after + FROM, "a/b:1")

    @pytest.mark.parametrize(
        "head",
        [b"", b"# a comment\n# syntax=a/b:1\n", b"\n# syntax=a/b:1\n", b"# foo=bar\n# syntax=a/b:1\n"],
        ids=["none", "below a comment", "below a blank line", "below an unknown key"],
    )
    def test_a_line_that_is_no_directive_stays(self, head: bytes) -> None:
        assert plan.without_frontend(head + FROM) == (head + FROM, None)

    @pytest.mark.parametrize("head", [b"//syntax=a/b:1\n", b'{"syntax": "a/b:1"}', b"#!x\n// syntax=a/b:1\n"])
    def test_other_notations_are_known_as_such(self, head: bytes) -> None:
        assert plan.foreign_notation(head)
        assert not plan.foreign_notation(b"# syntax=a/b:1\n" + FROM)


class TestRefusals:
    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("RUN --security=insecure true", "--security=insecure"),
            ("RUN --network=host true", "host's network"),
            ("RUN --security=sandbox true", ""),
            ("RUN --network=none true", ""),
            ("RUN true --security=insecure", ""),
        ],
    )
    def test_rights_on_the_builder_are_refused(self, line: str, why: str) -> None:
        found = plan.refusal(parse(f"FROM a\n{line}\n".encode()), network_host=False)
        assert why in found
        assert bool(found) is bool(why)

    def test_the_hosts_network_is_allowed_when_the_user_says_so(self) -> None:
        assert plan.refusal(parse(b"FROM a\nRUN --network=host true\n"), network_host=True) == ""

    @pytest.mark.parametrize(
        "env",
        [
            {"GITHUB_EVENT_NAME": "pull_request_target"},
            {"GITHUB_EVENT_NAME": "workflow_run"},
            {
                "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
                "CI_MERGE_REQUEST_PROJECT_ID": "2",
                "CI_PROJECT_ID": "2",
            },
            {"SYSTEM_PULLREQUEST_ISFORK": "True"},
        ],
        ids=["pull_request_target", "workflow_run", "GitLab", "Azure"],
    )
    def test_events_in_which_a_forks_code_meets_secrets_are_refused(
        self, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "Dockerfile").write_text("FROM scratch\n")
        result = verify(Request((tmp_path,)))
        assert result.exit_code == 5
        assert "--allow-fork-event" in result.trouble

    @pytest.mark.parametrize("event", ["push", "pull_request", "schedule", ""])
    def test_other_events_are_not(self, event: str) -> None:
        assert plan.fork_event({"GITHUB_EVENT_NAME": event}) == ""


class TestBakeFile:
    def test_each_platform_is_a_target_of_its_own_with_the_users_caches(self) -> None:
        settings = Settings(
            cache_from=("type=registry,ref=r/{target}",), cache_to=("type=local,dest=c/{platform}",)
        )
        targets = [
            BakeTarget(target_name("a", str(platform)), Path("/c"), Path("/d"), platform, "type=oci,dest=x")
            for platform in (AMD64, ARM64)
        ]
        made = json.loads(bake_file(targets, settings))
        assert list(made["target"]) == ["a--linux-amd64", "a--linux-arm64"]
        assert made["target"]["a--linux-arm64"]["platforms"] == ["linux/arm64"]
        assert made["target"]["a--linux-arm64"]["cache-from"] == ["type=registry,ref=r/a--linux-arm64"]
        assert made["target"]["a--linux-arm64"]["cache-to"] == ["type=local,dest=c/linux-arm64"]

    def test_templates_of_the_outside_are_no_templates(self) -> None:
        target = BakeTarget("t", "/a ${env}", "/%{if}", AMD64, "o", "$" + "{x}", {"A": "${B}"})
        made = json.loads(bake_file([target], Settings()))["target"]["t"]
        assert (made["context"], made["dockerfile"], made["target"]) == ("/a $${env}", "/%%{if}", "$${x}")
        assert made["args"] == {"A": "$${B}"}

    @pytest.mark.parametrize("name", ["--push", "a b", "../x", "ü", ""])
    def test_names_of_targets_hold_no_options(self, name: str) -> None:
        made = target_name(name, "linux/arm64")
        assert not made.startswith("-")
        assert all(char.isascii() and (char.isalnum() or char in "-_") for char in made)

    @pytest.mark.parametrize("name", ["--load", "a\nRUN x", "a AS b", "$(x)", "", "a@b", "a/b c"])
    def test_what_is_no_image_reference_is_told_from_one(self, name: str) -> None:
        assert not is_reference(name)
        assert is_reference("127.0.0.1:5000/a/b-c_d:1.0@sha256:" + "a" * 64)

    @pytest.mark.parametrize("name", ["--debug", "a;b", ""])
    def test_what_cannot_be_a_builder_is_not_asked_for(self, name: str) -> None:
        with pytest.raises(NoEngine):
            Buildx(Settings(builder=name))

    def test_a_value_of_the_environment_stands_in_no_command_of_a_report(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TOKEN", "hush-hush-hush")
        job = plan.Job(
            "x", tmp_path / "Dockerfile", tmp_path, args={"TOKEN": "hush-hush-hush", "WHICH": "v1"}
        )
        command = again(Buildx(), job, AMD64)
        assert "TOKEN" in command
        assert "WHICH=v1" in command
        assert not any("hush" in word for word in command)


class TestCompose:
    def test_the_platform_of_a_service_is_read_and_nothing_else(self) -> None:
        text = (
            "name: x\nservices:\n  web:\n    build:\n      context: .\n      platforms: [linux/arm64]\n"
            "    platform: 'linux/amd64'  # for now\n  \"db\":\n    image: db\n    environment:\n      platform: no\n"
            "  api:\n    platform: linux/arm64\nx-y:\n  platform: no\nplatform: no\n"
        )
        assert service_platforms(text) == {"web": "linux/amd64", "api": "linux/arm64"}

    @pytest.mark.parametrize(
        "text", ["", "services", "services:\n\tweb:", "- a\n- b", "{services: {a: {platform: b}}}"]
    )
    def test_what_cannot_be_read_is_passed_over(self, text: str) -> None:
        assert service_platforms(text) == {}


class _Printed(Buildx):
    """buildx that printed these targets."""

    def __init__(self, targets: dict[str, dict[str, object]]) -> None:
        super().__init__()
        self.targets = targets

    def print_bake(self, files: Sequence[Path]) -> Baked:
        return Baked(self.targets)


class TestContexts:
    def job(self, folder: Path, web: dict[str, object], **others: dict[str, object]) -> plan.Job:
        (folder / "docker-bake.json").write_text("{}")
        dockerfile = folder / "web" / "Dockerfile"
        buildx = _Printed({"web": {"context": "web", **web}, **others})
        [job] = declared.jobs([dockerfile], [folder], buildx)
        return job

    @pytest.mark.parametrize(
        ("contexts", "why"),
        [
            pytest.param({"a": "https://github.com/a/b.git"}, "fetched from elsewhere", id="a repository"),
            pytest.param({"a": "git@github.com:a/b"}, "fetched from elsewhere", id="by ssh"),
            pytest.param({"a": "oci-layout://x"}, "fetched from elsewhere", id="a layout"),
            pytest.param({"a": "../other"}, "lies outside", id="outside"),
            pytest.param({"a": "/etc"}, "lies outside", id="absolute"),
            pytest.param({"a": "link"}, "lies outside", id="a link that leads out"),
            pytest.param({"a": "docker-image://--x"}, "no image's name", id="an option"),
            pytest.param({"--x": "web"}, "is called", id="a name that is an option"),
            pytest.param({"a": "target:gone"}, "the target gone", id="no such target"),
            pytest.param({"a": "target:web"}, "the target web", id="itself"),
            pytest.param({"a": "target:ring"}, "the target ring", id="a ring"),
            pytest.param({"a": "target:inline"}, "whose Dockerfile is no file", id="inline"),
            pytest.param({"a": "target:away"}, "target away: its context", id="a target that lies outside"),
            pytest.param(
                {"a": "target:file"}, "whose Dockerfile lies outside", id="a Dockerfile that lies outside"
            ),
        ],
    )
    def test_what_is_not_carried_over_is_said(
        self, tmp_path: Path, contexts: dict[str, str], why: str
    ) -> None:
        root = tmp_path / "root"
        root.mkdir()
        (root / "link").symlink_to(tmp_path)
        others: dict[str, dict[str, object]] = {
            "ring": {"context": "ring", "contexts": {"b": "target:web"}},
            "inline": {"dockerfile-inline": "FROM scratch"},
            "away": {"context": ".."},
            "file": {"context": ".", "dockerfile": "../Dockerfile"},
        }
        job = self.job(root, {"contexts": contexts}, **others)
        assert why in job.unsupported
        assert job.contexts == {}

    def test_targets_folders_and_images_become_contexts_of_our_own_targets(self, tmp_path: Path) -> None:
        contexts = {"base": "target:base", "files": "files", "tool": "docker-image://tool:1"}
        base: dict[str, object] = {"context": "base", "contexts": {"deep": "target:deep"}}
        job = self.job(tmp_path, {"contexts": contexts}, base=base, deep={"context": "deep"})
        places = [(tmp_path / name / "Dockerfile", tmp_path / name) for name in ("web", "base", "deep")]
        made = job.targets(ARM64, places, "type=oci,dest=x")
        file = json.loads(bake_file(made, Settings(cache_to=("type=local,dest=c",))))
        assert file["group"]["default"]["targets"] == ["web--linux-arm64"]
        assert file["target"]["web--linux-arm64"]["contexts"] == {
            "base": "target:web--linux-arm64--base",
            "files": str(tmp_path / "files"),
            "tool": "docker-image://tool:1",
        }
        linked = file["target"]["web--linux-arm64--base"]
        assert linked["contexts"] == {"deep": "target:web--linux-arm64--deep"}
        assert (linked["output"], linked["platforms"]) == (["type=cacheonly"], ["linux/arm64"])
        assert "cache-to" not in linked

    def test_the_bases_are_those_of_the_build_that_is_asked_for(self) -> None:
        text = (
            b"ARG TAG=old\nFROM gcc:$TAG AS build\nFROM tool AS tool\nFROM base\nCOPY --from=files x /\n"
            b"COPY --from=build x /\nFROM other\n"
        )
        contexts = {"tool": "docker-image://mine:1", "docker.io/library/base:latest": Path(), "files": Path()}
        found, unknown = bases_of(parse(text), ARM64, stage="tool", args={"TAG": '1"$x'}, contexts=contexts)
        assert ([base.reference for base in found], unknown) == (["mine:1"], ())
        found, unknown = bases_of(parse(text), ARM64, args={"TAG": "new"})
        assert [base.reference for base in found] == ["other"]
        text = text.rpartition(b"FROM other")[0]
        found, _ = bases_of(parse(text), ARM64, args={"TAG": "new"}, contexts=contexts)
        assert [(base.reference, base.line) for base in found] == [("gcc:new", 2)]


class TestJobs:
    def test_files_of_one_name_get_names_of_their_own(self, tmp_path: Path) -> None:
        paths = [tmp_path / "a" / "svc" / "Dockerfile", tmp_path / "b" / "svc" / "Dockerfile"]
        assert [job.name for job in declared.jobs(paths, (), None)] == ["svc", "svc-2"]

    def test_the_context_is_the_folder_of_the_file(self, tmp_path: Path) -> None:
        [job] = declared.jobs([tmp_path / "Dockerfile.dev"], (), None)
        assert (job.context, job.name) == (tmp_path, f"{tmp_path.name}-Dockerfile.dev")

    def test_a_plan_runs_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        (tmp_path / "Dockerfile").write_text("FROM scratch\n")
        result = verify(Request((tmp_path,), Level.PLAN))
        assert result.exit_code == 0
        assert set(json.loads(result.plan)["target"]) == {
            f"{tmp_path.name}--linux-amd64",
            f"{tmp_path.name}--linux-arm64",
        }
        assert len(result.commands) == 2
        assert all("--provenance=false --sbom=false" in command for command in result.commands)

    @pytest.mark.parametrize(
        ("files", "targets"),
        [
            pytest.param(
                {"Dockerfile": "FROM a\n# archpatch: platforms=linux/s390x it is for mainframes\n"}, {"linux-s390x"},
                id="a comment",
            ),
            pytest.param(
                {"Dockerfile-amd64": "FROM a\n", "Dockerfile-arm64": "FROM a\n"}, {"linux-amd64", "linux-arm64"},
                id="a file for each architecture",
            ),
        ],
    )  # fmt: skip
    def test_a_file_that_says_what_it_is_for_is_looked_at_for_that_alone(
        self, tmp_path: Path, files: dict[str, str], targets: set[str]
    ) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        made = json.loads(verify(Request((tmp_path,), Level.PLAN)).plan)["target"]
        assert len(made) == len(targets)
        assert {name.rpartition("--")[2] for name in made} == targets

    def test_files_are_built_for_their_own_platforms_and_each_outcome_stays_with_its_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def built(bench: Bench, candidate: Candidate, platform: Platform, timeout: float | None) -> Outcome:
            return Outcome(Look(candidate.job.name, candidate.job.dockerfile, platform, State.RIGHT))

        monkeypatch.setattr(build, "build", built)
        bench = Bench(Buildx(), Preflight(Builder("b", "docker", ()), {}, {}, {}))
        s390x = Platform.parse("linux/s390x")
        candidates = [
            Candidate(plan.Job("one", tmp_path / "one", tmp_path), FROM, targets=(s390x,)),
            Candidate(plan.Job("two", tmp_path / "two", tmp_path), FROM),
        ]
        looks = [outcome.look for outcome in build_all(bench, candidates, (AMD64, ARM64))]
        assert [(look.target, look.platform) for look in looks] == [
            ("one", s390x), ("two", AMD64), ("two", ARM64)
        ]  # fmt: skip

    def test_a_file_that_cannot_be_read_is_unknown_and_not_passed_over(self, tmp_path: Path) -> None:
        result = verify(Request((tmp_path / "gone",), platforms=(AMD64,)))
        assert result.exit_code == 5
        assert result.trouble or [look.state.value for look in result.looks] == ["unknown"]


@pytest.mark.parametrize("arch", ["amd64", "arm64", "arm", "386", "riscv64", "s390x", "ppc64le"])
def test_the_program_of_the_probe_is_a_small_elf_file_for_its_architecture(arch: str) -> None:
    from archpatch.verify.elf import MACHINES, machine_of

    program = probe_program(arch)
    assert program is not None
    assert machine_of(program) == MACHINES[arch]
    assert len(program) < 200


class TestTheContextOfAFileThatNothingDeclares:
    @pytest.mark.parametrize(
        ("text", "context"),
        [
            pytest.param("COPY page /p", "web", id="beside the file"),
            pytest.param("COPY web/page lib/x /p/", ".", id="above it"),
            pytest.param("COPY . .", "web", id="a folder, which is everywhere"),
            pytest.param("COPY --from=build /src/x /x", "web", id="of a stage"),
            pytest.param("ADD https://example.com/x lib/x /p/", ".", id="of the network too"),
            pytest.param("COPY lib/*.py app-$TARGETARCH /p/", "web", id="by computed names"),
            pytest.param("COPY nowhere/x /p", "web", id="nowhere"),
            pytest.param("COPY /lib/../lib/x /p", ".", id="with dots"),
        ],
    )
    def test_a_file_is_built_with_the_first_folder_that_holds_what_it_copies(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, context: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("web/page", "lib/x"):
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).touch()
        job = plan.Job("web", Path("web/Dockerfile"), Path("web"))
        document = parse(f"FROM scratch\n{text}\n".encode(), job.dockerfile)
        assert str(with_context(job, document, [Path()]).context) == context
        assert with_context(job, document, [Path("web")]).context == Path("web")

    def test_what_lies_outside_of_the_named_folders_is_no_context(self, tmp_path: Path) -> None:
        assert list(upwards(tmp_path / "a" / "b", [tmp_path / "a"])) == [tmp_path / "a" / "b", tmp_path / "a"]
        assert list(upwards(tmp_path / "a", [])) == [tmp_path / "a"]

    @pytest.mark.parametrize(
        ("text", "error", "name"),
        [
            ("COPY dist/app /app", '"/dist": not found', "dist/app"),
            ("COPY app-$TARGETARCH /app", '"/app-arm64": not found', ""),
            ("COPY --from=build /out /out", '"/out": not found', ""),
            ("COPY page /page", '"/page": not found', "page"),  # there, and ignored
        ],
    )
    def test_what_is_missing_on_every_platform(
        self, tmp_path: Path, text: str, error: str, name: str
    ) -> None:
        (tmp_path / "page").touch()
        document = parse(f"FROM scratch\n{text}\n".encode())
        assert (
            missing_everywhere(document, tmp_path, f"failed to calculate checksum of ref a::b: {error}")
            == name
        )
