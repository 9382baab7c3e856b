"""Fixes that edit a file of the build context beside the Dockerfile: all or nothing, in every report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archpatch import look
from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from tests.cli.conftest import Cli, put

DOCKERFILE = b"FROM sdk:1\nCOPY app.csproj .\n"
PROJECT = b"<Project>\r\n  <Arch>x64</Arch>\r\n</Project>\r\n"
MENDED = b"<Project>\r\n  <Arch>any</Arch>\r\n</Project>\r\n"


class ProjectArch(Rule):
    """A project file that names x64."""

    code, name, severity = "XX901", "project-arch", Severity.WARNING
    examples: tuple[Example, ...] = ()

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        source = facts.context.read("app.csproj") if facts.context else None
        if source is None or (at := source.find(b"x64")) < 0:
            return
        path = document.path.parent / "app.csproj"
        edits = (Edit(Span(at, at + 3), b"any", path), Edit(Span(5, 10), b"sdk:2"))
        first = document.source[5:10] == b"sdk:1"
        fix = Fix("Name no architecture", edits if first else edits[:1], Applicability.UNSAFE)
        yield self.finding(
            Span(at, at + 3), "x64 alone", fix, path=path, related=(Related(Span(0, 4), "built here"),)
        )


@pytest.fixture(autouse=True)
def _rule(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(look.registry, "load", lambda: (ProjectArch(),))
    look.rules.cache_clear()
    look.by_code.cache_clear()
    yield
    look.rules.cache_clear()
    look.by_code.cache_clear()


def test_the_finding_stands_in_the_other_file(cli: Cli) -> None:
    put("a/Dockerfile", DOCKERFILE)
    put("a/app.csproj", PROJECT)
    ran = cli("check")
    assert ran.code == 1
    assert "--> a/app.csproj:2:9  project-arch\n" in ran.text
    assert "2 |   <Arch>x64</Arch>\n" in ran.text
    assert "= see a/Dockerfile:1:1: built here" in ran.text
    assert "2 -   <Arch>x64</Arch>\n2 +   <Arch>any</Arch>\n" in ran.text
    assert "1 - FROM sdk:1\n1 + FROM sdk:2\n" in ran.text
    (finding,) = json.loads(cli("check", "--output-format", "json").out)["findings"]
    assert (finding["path"], finding["start"]["line"], finding["start"]["column"]) == ("a/app.csproj", 2, 9)
    assert [edit["path"] for edit in finding["fix"]["edits"]] == ["a/Dockerfile", "a/app.csproj"]


def test_both_files_are_written_or_none(cli: Cli) -> None:
    docker, project = put("a/Dockerfile", DOCKERFILE), put("a/app.csproj", PROJECT)
    project.chmod(0o444)
    ran = cli("fix", "--unsafe")
    assert ran.code == 4
    assert "error: a/app.csproj: is read-only (mode 0444); not written\n" in ran.err
    assert "x64 alone" in ran.text  # what is to be mended is still said
    assert (docker.read_bytes(), project.read_bytes()) == (DOCKERFILE, PROJECT)
    project.chmod(0o644)
    ran = cli("fix", "--unsafe")
    assert ran.code == 0, ran.err
    assert "fixed a/Dockerfile, a/app.csproj: XX901" in ran.text
    assert (docker.read_bytes(), project.read_bytes()) == (b"FROM sdk:2\nCOPY app.csproj .\n", MENDED)


def test_the_patch_holds_both_files(cli: Cli) -> None:
    docker, project = put("a/Dockerfile", DOCKERFILE), put("a/app.csproj", PROJECT)
    ran = cli("diff", "--unsafe")
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=ran.out, check=True)
    assert (docker.read_bytes(), project.read_bytes()) == (b"FROM sdk:2\nCOPY app.csproj .\n", MENDED)


def test_two_dockerfiles_that_share_a_file_are_both_mended(cli: Cli) -> None:
    one, two = put("a/Dockerfile", DOCKERFILE), put("a/Dockerfile.two", DOCKERFILE)
    project = put("a/app.csproj", PROJECT)
    ran = cli("fix", "--unsafe")
    assert ran.code == 0, ran.err
    assert project.read_bytes() == MENDED
    assert {one.read_bytes(), two.read_bytes()} == {DOCKERFILE, b"FROM sdk:2\nCOPY app.csproj .\n"}


def test_a_file_that_another_process_changes_meanwhile_is_mended_as_it_now_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a/Dockerfile", DOCKERFILE)
    project = put("a/app.csproj", PROJECT)
    real = look.write.replace
    calls = []

    def replace(changes: object) -> None:
        if not calls:
            project.write_bytes(b"<!-- new -->\n" + PROJECT)
        calls.append(changes)
        real(changes)  # type: ignore[arg-type]

    monkeypatch.setattr(look.write, "replace", replace)
    assert cli("fix", "--unsafe").code == 0
    assert len(calls) == 2
    assert project.read_bytes() == b"<!-- new -->\n" + MENDED


def test_a_dockerfile_that_another_process_changes_meanwhile_is_left_alone(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker, project = put("a/Dockerfile", DOCKERFILE), put("a/app.csproj", PROJECT)
    real = look.write.replace

    def replace(changes: object) -> None:
        docker.write_bytes(DOCKERFILE + b"CMD x\n")
        real(changes)  # type: ignore[arg-type]

    monkeypatch.setattr(look.write, "replace", replace)
    ran = cli("fix", "--unsafe")
    assert ran.code == 4
    assert "a/Dockerfile: changed on disk since it was read; not written" in ran.err
    assert (docker.read_bytes(), project.read_bytes()) == (DOCKERFILE + b"CMD x\n", PROJECT)


@pytest.mark.parametrize(
    "name", ["sarif", "rdjson", "github", "gitlab", "checkstyle", "junit", "azure", "markdown"]
)
def test_every_format_names_the_other_file(cli: Cli, name: str) -> None:
    put("a/Dockerfile", DOCKERFILE)
    put("a/app.csproj", PROJECT)
    ran = cli("check", "--output-format", f"{name}:report")
    assert ran.code == 1
    assert "a/app.csproj" in Path("report").read_text().replace("\\", "")
    assert sorted(os.listdir()) == ["a", "report"]
