"""The build context: what is in it, what is not, and what is never read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from archpatch.facts import Context, FolderContext, MemoryContext
from archpatch.facts.context import LARGEST
from archpatch.facts.ignore import Ignore
from tests.facts.build import facts_of

FILES = {
    "requirements.txt": "a\n",
    "requirements-dev.txt": "b\n",
    "src/App/App.csproj": "<x/>\n",
    "src/requirements.txt": "c\n",
    "node_modules/x/package.json": "{}",
}


@pytest.fixture(params=["folder", "memory"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> Context:
    if request.param == "memory":
        return MemoryContext(FILES)
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return FolderContext(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("requirements*.txt", ["requirements-dev.txt", "requirements.txt"]),
        ("**/requirements.txt", ["requirements.txt", "src/requirements.txt"]),
        ("**/*.csproj", ["src/App/App.csproj"]),
        ("src/*.txt", ["src/requirements.txt"]),
        ("go.mod", []),
    ],
)
def test_files_are_found_by_pattern(context: Context, pattern: str, found: list[str]) -> None:
    assert [path.as_posix() for path in context.files(pattern)] == found


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("requirements.txt", b"a\n"),
        ("./src/../requirements.txt", b"a\n"),
        ("src/App/App.csproj", b"<x/>\n"),
        ("missing", None),
        ("src", None),
        ("", None),
        ("..", None),
        ("../requirements.txt", None),
        ("/etc/passwd", None),
        ("a\0b", None),
    ],
)
def test_files_are_read(context: Context, path: str, content: bytes | None) -> None:
    assert context.read(path) == content
    assert context.exists(path) is (content is not None)


def test_what_dockerignore_leaves_out_is_not_there(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("a.txt\n")
    found = FolderContext(tmp_path)
    assert [path.name for path in found.files("*.txt")] == ["b.txt"]
    assert found.read("a.txt") is None
    assert "a.txt" in found.siblings


def test_the_dockerignore_of_the_dockerfile_wins(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / "prod.Dockerfile.dockerignore").write_text("b*\n")
    assert FolderContext(tmp_path, "prod.Dockerfile").read("a.txt") == b"a"
    assert FolderContext(tmp_path).read("a.txt") is None


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (root / "inside.txt").write_text("inside")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "near.txt").symlink_to("inside.txt")
    (root / "up").symlink_to(tmp_path)
    found = FolderContext(root)
    assert found.read("link.txt") is None
    assert found.read("up/secret.txt") is None
    assert found.read("near.txt") == b"inside"
    assert [path.as_posix() for path in found.files("**/secret.txt")] == []


def test_a_folder_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("a")
    (tmp_path / "link").symlink_to("real")
    assert FolderContext(tmp_path / "link").read("a.txt") == b"a"


def test_large_and_special_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (LARGEST + 1))
    (tmp_path / "largest").write_bytes(b"x" * LARGEST)
    os.mkfifo(tmp_path / "pipe")
    found = FolderContext(tmp_path)
    assert found.read("large") is None
    assert found.read("largest") is not None
    assert found.read("pipe") is None


def test_a_search_that_met_its_bounds_says_so(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefghijkl")
    deep.mkdir(parents=True)
    (deep / "x.csproj").write_text("")
    found = FolderContext(tmp_path)
    assert found.complete
    assert found.files("**/*.csproj") == ()
    assert not found.complete


def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    assert FolderContext(tmp_path / "none").files("**/*") == ()


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("node_modules", "node_modules", True),
        ("node_modules", "node_modules/a/b", True),
        ("node_modules", "src/node_modules/a", False),
        ("**/node_modules", "src/node_modules/a", True),
        ("**/node_modules", "node_modules/a", True),
        ("/build/", "build/x", True),
        ("./build", "build/x", True),
        ("build/../dist", "dist", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("docs/*.md", "docs/a/b.md", False),
        ("**/*.md", "a/b/c.md", True),
        ("docs/**", "docs/a/b", True),
        ("docs/**", "docs", False),
        ("**", "anything/at/all", True),
        ("*", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        ("[^a-c].txt", "d.txt", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("*\n!keep", "keep/x", False),
        ("*\n!keep", "other", True),
        ("*\n!keep\nkeep/not", "keep/not", True),
        ("!keep\n*", "keep", True),
        ("docs\n!docs/README.md", "docs/README.md", False),
        ("docs\n!docs/README.md", "docs/other", True),
        ("# comment", "# comment", False),
        (" spaced \n", "spaced", True),
        ("a.txt\r\n", "a.txt", True),
        ("[", "[", False),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxbyy", False),
        ("*b*bc", "xbbbc", True),
        ("**/**/x", "a/b/x", True),
        ("a**b", "a/x/b", True),
        ("(x)+", "(x)+", True),
    ],
)
def test_dockerignore_patterns(patterns: str, path: str, ignored: bool) -> None:
    assert Ignore.parse(patterns).ignores(path) is ignored


def test_a_hostile_pattern_takes_no_time() -> None:
    ignore = Ignore.parse("*a" * 60 + "b\n" + "**/a*" * 20 + "b\n")
    started = time.process_time()
    assert not ignore.ignores("/".join(["a" * 250] * 4))
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("name", "others", "family", "arch"),
    [
        ("Dockerfile-amd64", ["Dockerfile-arm"], ("Dockerfile-arm",), "amd64"),
        (
            "Dockerfile-arm",
            ["Dockerfile-amd64", "Dockerfile-arm64", "Dockerfile"],
            ("Dockerfile-amd64", "Dockerfile-arm64"),
            "arm",
        ),
        ("Dockerfile.x86_64", ["Dockerfile.aarch64"], ("Dockerfile.aarch64",), "amd64"),
        ("arm64.Dockerfile", ["amd64.Dockerfile"], ("amd64.Dockerfile",), "arm64"),
        ("app-amd64.Dockerfile", ["other-arm64.Dockerfile"], (), "amd64"),
        ("Dockerfile-arm", ["Dockerfile"], (), "arm"),
        ("Dockerfile", ["Dockerfile-arm64"], (), None),
        ("Dockerfile.linux", ["Dockerfile.windows"], (), None),
    ],
)
def test_per_arch_files_know_their_family(
    name: str, others: list[str], family: tuple[str, ...], arch: str | None
) -> None:
    facts = facts_of("FROM a\n", dict.fromkeys([name, *others], ""), name)
    assert (facts.named_arch, facts.family) == (arch, family)
