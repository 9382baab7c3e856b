"""Which files a run looks at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archpatch.discover import MAX_SIZE, Shard, Unreadable, check_text, discover, read, read_list


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(*names: str, content: bytes = b"FROM alpine\n") -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(*paths: str, **options: object) -> list[str]:
    return [str(path) for path in discover([Path(path) for path in paths], **options).files]


@pytest.mark.parametrize(
    "name",
    ["Dockerfile", "Dockerfile.prod", "Dockerfile-arm64", "web.Dockerfile", "web.dockerfile", "dockerfile",
     "Containerfile", "Containerfile.fedora"],
)  # fmt: skip
def test_a_folder_is_searched_for_names_of_dockerfiles(tree: Path, name: str) -> None:
    put(f"a/b/{name}")
    assert names() == [f"a/b/{name}"]


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile.dockerignore",
        "Containerfile.containerignore",
        "Dockerfile.md",
        "Dockerfile.rst",
        "docker-compose.yml",
        "MyDockerfile",
        "README",
    ],
)
def test_other_names_are_passed_over(tree: Path, name: str) -> None:
    put(name)
    assert discover([]).files == ()


@pytest.mark.parametrize(
    "name", ["Dockerfile.j2", "Dockerfile.tmpl", "Dockerfile.erb", "Dockerfile-x.in", "a.Dockerfile.J2"]
)
def test_templates_are_passed_over_and_counted(tree: Path, name: str) -> None:
    put(f"x/{name}")
    found = discover([])
    assert found.files == ()
    # A name that no pattern of a Dockerfile catches is not even counted.
    assert len(found.templates) == (0 if name.startswith("a.") else 1)


def test_a_file_named_on_the_line_is_read_whatever_its_name(tree: Path) -> None:
    put("build.txt", "Dockerfile.j2", ".gitignored/Dockerfile")
    Path(".gitignore").write_text("*\n")
    assert names("build.txt", "./Dockerfile.j2") == ["build.txt", "Dockerfile.j2"]
    assert discover([Path("build.txt")]).named == {Path("build.txt")}


def test_the_order_depends_on_names_alone(tree: Path) -> None:
    put("b/Dockerfile", "a/Dockerfile", "Dockerfile", "a-1/Dockerfile", "ä/Dockerfile", "B/Dockerfile")
    once = names()
    assert once == [
        "Dockerfile",
        "B/Dockerfile",
        "a/Dockerfile",
        "a-1/Dockerfile",
        "b/Dockerfile",
        "ä/Dockerfile",
    ]
    assert names(".") == once


def test_a_file_named_twice_counts_once(tree: Path) -> None:
    put("a/Dockerfile")
    assert names("a", "a/Dockerfile", "./a/../a/Dockerfile") == ["a/Dockerfile"]


def test_a_missing_path_is_one_line_and_the_others_are_found(tree: Path) -> None:
    put("a/Dockerfile")
    found = discover([Path("gone"), Path("a")])
    assert [str(trouble.path) for trouble in found.troubles] == ["gone"]
    assert found.troubles[0].message == "no such file or folder"
    assert found.files == (Path("a/Dockerfile"),)


IGNORES = [
    pytest.param({".gitignore": "build/"}, ["Dockerfile", "src/Dockerfile"], id="a folder"),
    pytest.param({".gitignore": "Dockerfile\n!/src/Dockerfile"}, ["src/Dockerfile"], id="a negated pattern"),
    pytest.param({".gitignore": "/Dockerfile"}, ["build/Dockerfile", "src/Dockerfile"], id="anchored at its folder"),
    pytest.param(
        {".gitignore": "Dockerfile", "src/.gitignore": "!Dockerfile"}, ["src/Dockerfile"], id="the innermost file decides"
    ),
    pytest.param(
        {".gitignore": "src", "src/.gitignore": "!Dockerfile"},
        ["Dockerfile", "build/Dockerfile"],
        id="nothing comes back out of an ignored folder",
    ),
    pytest.param({".gitignore": "!\n\\\n[\nsrc"}, ["Dockerfile", "build/Dockerfile"], id="patterns that are none"),
    pytest.param({".git/info/exclude": "src"}, ["Dockerfile", "build/Dockerfile"], id="the exclude file of the repository"),
    pytest.param({".git/Dockerfile": "FROM a"}, ["Dockerfile", "build/Dockerfile", "src/Dockerfile"], id="git's own folder"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), IGNORES)
def test_gitignore_is_honoured(tree: Path, files: dict[str, str], expected: list[str]) -> None:
    put("Dockerfile", "build/Dockerfile", "src/Dockerfile")
    Path(".git/info").mkdir(parents=True)
    for name, text in files.items():
        Path(name).write_text(text)
    assert names() == expected


def test_the_ignore_files_above_count_up_to_the_root_of_the_repository(tree: Path) -> None:
    put("repo/src/a/Dockerfile", "repo/src/b/Dockerfile")
    Path("repo/.git").mkdir()
    Path("repo/.gitignore").write_text("/src/b\n")
    Path(".gitignore").write_text("a\n")  # outside of the repository
    assert names("repo/src") == ["repo/src/a/Dockerfile"]


def test_an_ignored_folder_that_is_named_is_searched(tree: Path) -> None:
    put("build/x/Dockerfile")
    Path(".git").mkdir()
    Path(".gitignore").write_text("build/\n")
    assert names("build") == ["build/x/Dockerfile"]
    assert names() == []


def test_a_hostile_ignore_pattern_costs_no_time(tree: Path) -> None:
    put("a" * 200 + "/Dockerfile")
    Path(".gitignore").write_text("*a" * 60 + "b\n")
    assert len(names()) == 1


def test_links_lead_to_nothing_outside_of_the_searched_folder(tree: Path) -> None:
    put("outside/Dockerfile", "tree/real.txt", "tree/a/Dockerfile")
    Path("tree/Dockerfile").symlink_to("../outside/Dockerfile")
    Path("tree/Dockerfile.in-tree").symlink_to("real.txt")
    Path("tree/Dockerfile-again").symlink_to("a/Dockerfile")  # found under its own name already
    Path("tree/Dockerfile.dangling").symlink_to("gone")
    Path("tree/Dockerfile.loop").symlink_to("Dockerfile.loop")
    Path("tree/loop").symlink_to(".")
    Path("tree/outside").symlink_to("../outside")
    assert names("tree") == ["tree/Dockerfile.in-tree", "tree/a/Dockerfile"]
    assert names("tree/Dockerfile") == ["tree/Dockerfile"]  # named: read


def test_pipes_and_devices_are_passed_over_in_a_folder_and_refused_when_named(tree: Path) -> None:
    os.mkfifo("Dockerfile")
    assert names(".") == []
    with pytest.raises(Unreadable, match="is not a regular file"):
        read(Path("Dockerfile"))
    with pytest.raises(Unreadable, match="is not a regular file"):
        read(Path("/dev/null"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_one_line(tree: Path) -> None:
    put("a/Dockerfile", "b/Dockerfile")
    Path("a").chmod(0)
    found = discover([])
    Path("a").chmod(0o755)
    assert [str(trouble.path) for trouble in found.troubles] == ["a"]
    assert found.files == (Path("b/Dockerfile"),)


def test_a_very_deep_tree_is_searched(tree: Path) -> None:
    deep = "/".join(["d"] * 300)
    here = os.getcwd()
    for part in deep.split("/"):
        os.mkdir(part)
        os.chdir(part)
    Path("Dockerfile").write_bytes(b"FROM a\n")
    os.chdir(here)
    assert names() == [f"{deep}/Dockerfile"]


def test_shards_part_the_files_and_leave_none_out(tree: Path) -> None:
    put(*(f"d{n}/Dockerfile" for n in range(40)))
    parts = [names(shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(names())
    assert all(parts)
    assert discover([], shard=Shard(1, 3)).total == 40


def test_a_shard_depends_on_the_path_within_the_repository_alone(tree: Path) -> None:
    put("one/repo/a/Dockerfile", "two/repo/a/Dockerfile")
    for root in ("one", "two"):
        Path(root, "repo/.git").mkdir()
    assert all(
        Shard(k, 5).holds(Path("one/repo/a/Dockerfile")) == Shard(k, 5).holds(Path("two/repo/a/Dockerfile"))
        for k in range(1, 6)
    )


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/", "/2", "-1/2", "1/2/3"])
def test_a_bad_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no shard"):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"x" * (MAX_SIZE + 1), "too large", id="too large"),
        pytest.param(b"FROM a\n\0", "binary file (a NUL byte at offset 7)", id="binary"),
        pytest.param("FROM a\n".encode("utf-16"), "UTF-16", id="UTF-16"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(tree: Path, content: bytes, words: str) -> None:
    put("Dockerfile", content=content)
    with pytest.raises(Unreadable) as caught:
        read(Path("Dockerfile"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(Unreadable):
        check_text(content)


@pytest.mark.parametrize("data", [b"a\nb c\n", b"a\r\nb c", b"a\0b c\0"], ids=["lines", "CRLF", "NUL"])
def test_a_list_of_files_is_read_by_lines_or_nul_bytes(data: bytes) -> None:
    assert read_list(data) == [Path("a"), Path("b c")]


def test_a_name_that_is_not_utf8_is_found(tree: Path) -> None:
    folder = os.fsencode(tree) + b"/\xff\x1b[2J"
    os.mkdir(folder)
    with open(folder + b"/Dockerfile", "wb") as file:
        file.write(b"FROM a\n")
    (path,) = discover([]).files
    assert os.fsencode(path) == b"\xff\x1b[2J/Dockerfile"
