"""fix --verify on the real engine: what is written, what is rolled back, what could not be told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest

from archpatch import registry
from archpatch.engine import Settings as EngineSettings
from archpatch.facts import Facts
from archpatch.facts.context import FolderContext
from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch.verify.buildx import Settings
from archpatch.verify.prove import Subject, Terms, prove
from archpatch.verify.run import Request
from archpatch.verify.verdict import State, Verdict, Verification
from tests.engine.conftest import Tree, program, write_tree

pytestmark = pytest.mark.engine
APPS: Tree = {"app-amd64": program("amd64"), "app-arm64": program("arm64")}


class Replacing(Rule):
    """A rule of the tests: puts one text for another. Right or wrong, as the test wants it."""

    severity: ClassVar[Severity] = Severity.WARNING
    examples: ClassVar[tuple[Example, ...]] = ()

    def __init__(self, code: str, old: str, new: str, applicability: Applicability) -> None:
        self.old, self.new, self.applicability = old.encode(), new.encode(), applicability
        type(self).code = code

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        at = document.source.find(self.old)
        if at >= 0:
            span = Span(at, at + len(self.old))
            fix = Fix(f"Write {self.new.decode()}", (Edit(span, self.new),), self.applicability)
            yield self.finding(span, f"{self.old.decode()} is not {self.new.decode()}", fix)


def rule(code: str, old: str, new: str, applicability: Applicability = Applicability.UNSAFE) -> Rule:
    """A rule class of its own for each code."""
    kind = type(f"Rule{code}", (Replacing,), {"code": code, "name": code.lower()})
    return kind(code, old, new, applicability)  # type: ignore[no-any-return]  # made by type()


def mend(
    folder: Path,
    *rules: Rule,
    unsafe: bool = False,
    budget: float = 600,
    platforms: tuple[Platform, ...] = (AMD64, ARM64),
    settings: Settings | None = None,
) -> Verification:
    """fix --verify of the Dockerfile in a folder."""
    path = folder / "Dockerfile"

    def write(changes: Mapping[Path, tuple[bytes, bytes]]) -> None:
        for changed, (before, after) in changes.items():
            assert changed.read_bytes() == before
            changed.write_bytes(after)

    request = Request((folder,), platforms=platforms, settings=settings or Settings(timeout=300))
    terms = Terms(request, rules or registry.load(), unsafe, budget, write, (folder,))
    subject = Subject(path, path.read_bytes(), EngineSettings(targets=platforms), FolderContext(folder))
    return prove([subject], terms, lambda image, platform, text: None)


def verdicts(result: Verification) -> dict[str, tuple[Verdict, bool]]:
    return {fix.code: (fix.verdict, fix.written) for fix in result.fixes}


def test_a_fix_that_mends_the_image_is_confirmed_and_written(engine: str, mini: str, tmp_path: Path) -> None:
    write_tree(
        tmp_path, {"Dockerfile": f"FROM --platform=$BUILDPLATFORM {mini}:both\nCOPY data /d\n", "data": "1"}
    )
    result = mend(tmp_path)
    assert verdicts(result) == {"AP101": (Verdict.CONFIRMED, True)}
    assert (tmp_path / "Dockerfile").read_text() == f"FROM {mini}:both\nCOPY data /d\n"
    assert result.exit_code == 0
    [fix] = result.fixes
    assert [(proof.platform, proof.verdict) for proof in fix.proofs] == [
        (AMD64, Verdict.NEUTRAL),
        (ARM64, Verdict.CONFIRMED),
    ]
    assert "emulates this platform would ship its own architecture" in fix.proofs[0].evidence
    assert "x86-64 64-bit code" in fix.proofs[1].evidence
    assert result.modes == {AMD64: "native", ARM64: "emulated"}


def test_each_image_of_a_file_gives_its_own_word(engine: str, mini: str, tmp_path: Path) -> None:
    text = f"FROM {mini}:both AS plain\nCOPY data /d\nFROM --platform=$BUILDPLATFORM {mini}:both AS tool\nCOPY data /d\n"
    bake = 'target "a" {\n target = "plain"\n}\ntarget "b" {\n target = "tool"\n}\n'
    write_tree(tmp_path, {"Dockerfile": text, "data": "1", "docker-bake.hcl": bake})
    [fix] = mend(tmp_path, platforms=(ARM64,)).fixes
    assert (fix.verdict, fix.written) == (Verdict.CONFIRMED, True)
    told = [(proof.verdict, proof.evidence.partition(":")[0]) for proof in fix.proofs]
    assert told == [(Verdict.NEUTRAL, "a"), (Verdict.CONFIRMED, "b")]


GO = (
    "FROM --platform=$BUILDPLATFORM golang:1.19-bookworm AS build\nWORKDIR /src\nCOPY . .\n"
    "RUN CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /app main.go\n"
    'FROM scratch\nCOPY --from=build /app /app\nENTRYPOINT ["/app"]\n'
)
PRELOAD = "FROM debian:bookworm-slim\nENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libm.so.6\n"
UNDECLARED = 'FROM scratch\nCOPY app-${TARGETARCH:-amd64} /app\nENTRYPOINT ["/app"]\n'


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("AP601", {"Dockerfile": GO, "main.go": "package main\n\nfunc main() { println(1) }\n"}),
        ("AP701", {"Dockerfile": PRELOAD}),
        ("AP105", {"Dockerfile": UNDECLARED, **APPS}),
    ],
    ids=["literal GOARCH", "LD_PRELOAD", "undeclared TARGETARCH"],
)
def test_what_a_rule_of_the_pack_mends_is_confirmed(
    engine: str, tmp_path: Path, code: str, files: Tree
) -> None:
    result = mend(write_tree(tmp_path, files))
    assert verdicts(result)[code] == (Verdict.CONFIRMED, True)
    assert [look.state for look in result.before] == [State.RIGHT, State.WRONG]
    assert [look.state for look in result.looks] == [State.RIGHT, State.RIGHT]


def test_fixes_of_a_builder_stage_are_credited_with_the_binary_that_it_makes(
    engine: str, tmp_path: Path
) -> None:
    text = (
        "FROM scratch AS build\nARG TARGETARCH=amd64\nCOPY app-$TARGETARCH /app\n"
        'FROM scratch\nCOPY --from=build /app /app\nENTRYPOINT ["/app"]\n'
    )
    result = mend(write_tree(tmp_path, {**APPS, "Dockerfile": text}))
    assert verdicts(result) == {"AP104": (Verdict.CONFIRMED, True)}
    assert "ARG TARGETARCH\n" in (tmp_path / "Dockerfile").read_text()


def test_a_wrong_fix_is_refuted_and_rolled_back_and_the_right_ones_stay(engine: str, tmp_path: Path) -> None:
    text = (
        "FROM scratch\nARG TARGETARCH\nLABEL one=1 two=2\nCOPY app-$TARGETARCH /app\n"
        'COPY app-amd64 /other\nENTRYPOINT ["/app"]\n'
    )
    write_tree(tmp_path, {**APPS, "Dockerfile": text})
    result = mend(
        tmp_path,
        rule(
            "XX001", "COPY app-$TARGETARCH /app", "COPY app-amd64 /app"
        ),  # wrong on purpose: before, arm64 started
        rule("XX002", "one=1", "one=uno", Applicability.SAFE),
        rule("XX003", "COPY app-amd64 /other", "COPY app-$TARGETARCH /other"),
        rule("XX004", "two=2", "two=due"),
    )
    told = verdicts(result)
    assert told["XX001"] == (Verdict.REFUTED, False)
    assert told["XX003"] == (Verdict.CONFIRMED, True)
    assert told["XX004"][1] is False  # unsafe and neutral: only with --unsafe
    written = (tmp_path / "Dockerfile").read_text()
    assert "COPY app-$TARGETARCH /app\nCOPY app-$TARGETARCH /other\n" in written
    assert "two=2" in written
    assert result.exit_code == 1
    refuted = next(fix for fix in result.fixes if fix.code == "XX001")
    assert "rolled back" in refuted.why
    assert "x86-64" in refuted.why


def test_a_fix_after_which_nothing_builds_is_refuted(engine: str, tmp_path: Path) -> None:
    before = "FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\n"
    write_tree(tmp_path, {**APPS, "Dockerfile": before})
    result = mend(tmp_path, rule("XX001", "app-$TARGETARCH", "gone-$TARGETARCH"))
    assert verdicts(result) == {"XX001": (Verdict.REFUTED, False)}
    assert (tmp_path / "Dockerfile").read_text() == before


def test_without_budget_no_blame_is_found_and_nothing_written(engine: str, tmp_path: Path) -> None:
    before = "FROM scratch\nARG TARGETARCH\nLABEL a=1\nCOPY app-$TARGETARCH /app\n"
    write_tree(tmp_path, {**APPS, "Dockerfile": before})
    rules = (rule("XX001", "app-$TARGETARCH", "app-amd64"), rule("XX002", "a=1", "a=2", Applicability.SAFE))
    result = mend(tmp_path, *rules, budget=0)
    assert {verdict for verdict, _ in verdicts(result).values()} == {Verdict.UNKNOWN}
    assert (tmp_path / "Dockerfile").read_text() == before
    assert result.exit_code == 5


@pytest.mark.parametrize("unsafe", [False, True])
def test_a_neutral_unsafe_fix_is_written_with_unsafe_alone(engine: str, tmp_path: Path, unsafe: bool) -> None:
    write_tree(
        tmp_path, {**APPS, "Dockerfile": "FROM scratch\nARG TARGETARCH\nLABEL a=1\nCOPY app-$TARGETARCH /a\n"}
    )
    result = mend(tmp_path, rule("XX001", "a=1", "a=2"), unsafe=unsafe)
    assert verdicts(result) == {"XX001": (Verdict.NEUTRAL, unsafe)}
    assert ("a=2" in (tmp_path / "Dockerfile").read_text()) is unsafe
    assert result.exit_code == 0


def test_a_platform_that_the_builder_does_not_execute_is_unknown_with_advice(
    engine: str, tmp_path: Path
) -> None:
    riscv = Platform.parse("linux/riscv64")
    before = 'FROM scratch\nLABEL a=1\nCOPY app /app\nRUN ["/app"]\n'
    write_tree(tmp_path, {"app": program("riscv64"), "Dockerfile": before})
    result = mend(tmp_path, rule("XX001", "a=1", "a=2", Applicability.SAFE), platforms=(riscv,))
    assert verdicts(result) == {"XX001": (Verdict.UNKNOWN, False)}
    assert (tmp_path / "Dockerfile").read_text() == before
    assert result.exit_code == 5
    assert "cannot execute programs for linux/riscv64" in result.fixes[0].why
    assert "binfmt --install riscv64" in result.advice[0]


def test_a_build_over_its_time_limit_is_unknown(engine: str, tmp_path: Path) -> None:
    before = "FROM debian:bookworm-slim\nLABEL a=1\nRUN sleep 60\n"
    write_tree(tmp_path, {"Dockerfile": before})
    settings = Settings(timeout=3)
    rules = rule("XX001", "a=1", "a=2", Applicability.SAFE)
    result = mend(tmp_path, rules, platforms=(ARM64,), settings=settings)
    assert verdicts(result) == {"XX001": (Verdict.UNKNOWN, False)}
    assert "time limit" in result.fixes[0].why


def test_files_of_the_context_are_part_of_the_proof(engine: str, tmp_path: Path) -> None:
    class Project(Rule):
        """Mends a file beside the Dockerfile."""

        code, name, severity, examples = "XX001", "x", Severity.WARNING, ()

        def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
            data = facts.context.read("app") if facts.context else None
            if data == program("amd64"):
                path = document.path.parent / "app"
                edit = Edit(Span(0, len(data)), program("arm64"), path)
                fix = Fix("Mend the file", (edit,), Applicability.UNSAFE)
                yield self.finding(document.stages[0].head.span, "app is for amd64", fix)

    write_tree(
        tmp_path, {"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": program("amd64"), "x": "kept"}
    )
    result = mend(tmp_path, Project(), platforms=(ARM64,))
    assert verdicts(result) == {"XX001": (Verdict.CONFIRMED, True)}
    assert (tmp_path / "app").read_bytes() == program("arm64")
    assert (tmp_path / "Dockerfile").read_text() == "FROM scratch\nCOPY app /app\n"


def command(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """archpatch as a user runs it."""
    line = [sys.executable, "-c", "from archpatch.cli import main; main()", *arguments]
    env = {"XDG_CACHE_HOME": f"{cwd}-cache", **env}
    return subprocess.run(line, cwd=cwd, env={**os.environ, **env}, capture_output=True, timeout=300)


@pytest.mark.parametrize(
    ("env", "why"),
    [
        pytest.param({"PATH": "/nonexistent"}, "install Docker", id="no docker"),
        pytest.param({"DOCKER_HOST": "unix:///nonexistent.sock"}, "does not answer", id="no daemon"),
    ],
)
@pytest.mark.parametrize("arguments", [("fix", "--verify"), ("verify",)], ids=["fix", "verify"])
def test_without_an_engine_it_could_not_be_told_and_nothing_is_written(
    engine: str, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], why: str
) -> None:
    before = "FROM --platform=$BUILDPLATFORM debian:bookworm-slim\n"
    write_tree(tmp_path, {"Dockerfile": before})
    done = command(*arguments, ".", cwd=tmp_path, **env)
    assert done.returncode == 5, done.stderr
    assert why in done.stdout.decode()
    assert (tmp_path / "Dockerfile").read_text() == before


def test_the_command_writes_reports_for_people_programs_and_pull_requests(
    engine: str, mini: str, tmp_path: Path
) -> None:
    write_tree(
        tmp_path, {"Dockerfile": f"FROM --platform=$BUILDPLATFORM {mini}:both\nCOPY data /d\n", "data": "1"}
    )
    outputs = (
        "--output-format",
        "full",
        "--output-format",
        "json:v.json",
        "--output-format",
        "markdown:v.md",
    )
    done = command("fix", "--verify", *outputs, ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "confirmed AP101 Dockerfile:1" in done.stdout.decode()
    told = json.loads((tmp_path / "v.json").read_text())
    assert [fix["verdict"] for fix in told["fixes"]] == ["confirmed"]
    assert told["builder"]["platforms"] == {"linux/amd64": "native", "linux/arm64": "emulated"}
    assert [(image["platform"], image["state"]) for image in told["before"]] == [
        ("linux/amd64", "right"),
        ("linux/arm64", "wrong"),
    ]
    assert "| AP101 Drop" in (tmp_path / "v.md").read_text()
    assert b"--platform" not in (tmp_path / "Dockerfile").read_bytes()


def test_a_verdict_is_known_again_until_something_changes(engine: str, mini: str, tmp_path: Path) -> None:
    text = f"FROM {mini}:both\nCOPY data /d\n"
    write_tree(tmp_path, {"Dockerfile": text, "data": "1"})

    def cached() -> list[bool]:
        done = command("verify", "--output-format", "json", ".", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return [image["cached"] for image in json.loads(done.stdout)["images"]]

    assert cached() == [False, False]
    assert cached() == [True, True]
    (tmp_path / "data").write_text("2")
    assert cached() == [False, False]


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    ids=["Ctrl-C", "a cancelled job", "a closed terminal"],
)
def test_ctrl_c_ends_the_build_and_takes_everything_away(
    engine: str, tmp_path: Path, number: signal.Signals
) -> None:
    step = f"sleep 271.{uuid4().int % 10**9}"
    # What runs the tests (nohup, a shell in the background) may have them ignore it.
    heeded = "default_int_handler" if number is signal.SIGINT else "SIG_DFL"
    code = (
        f"import signal; signal.signal({number:d}, signal.{heeded}); from archpatch.cli import main; main()"
    )
    (tmp_path / "tmp").mkdir()
    write_tree(tmp_path / "tree", {"Dockerfile": f"FROM debian:bookworm-slim\nRUN {step}\n"})
    line = [sys.executable, "-c", code, "verify", "--platform=linux/amd64", "."]
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    process = subprocess.Popen(
        line, cwd=tmp_path / "tree", env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "tmp").glob("archpatch-verify-*/bake.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(number)
    try:
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert list((tmp_path / "tmp").glob("archpatch-*")) == []
    sleeping = subprocess.run(["pgrep", "-f", step], capture_output=True)
    for _ in range(50):
        if not sleeping.stdout:
            break
        time.sleep(0.2)
        sleeping = subprocess.run(["pgrep", "-f", step], capture_output=True)
    assert sleeping.stdout == b""


def test_the_name_of_a_builder_that_is_none_is_refused(engine: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"Dockerfile": "FROM scratch\n"})
    done = command("verify", "--builder", "no-such-builder", ".", cwd=tmp_path)
    assert done.returncode == 5
    assert "no builder is called no-such-builder" in done.stdout.decode()
