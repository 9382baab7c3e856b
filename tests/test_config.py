"""archpatch.toml: where it is found, what it may say, and what is said about what it may not."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from archpatch.config import _READERS, Config, ConfigError, Search, find, load
from archpatch.platforms import Platform
from archpatch.rule import Severity, Style

SCHEMA = json.loads(files("archpatch").joinpath("schemas/config.schema.json").read_text())


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/src/web").mkdir(parents=True)
    return tmp_path / "repo"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


FULL = """
platforms = ["linux/amd64", "linux/arm/v7", "linux/x86_64"]
select = ["AP1"]
ignore = ["AP103"]
extend-select = ["redundant-target-platform"]
style = "explicit"
fail-on = "note"
exclude = ["vendor"]
data = ["tables/own.tsv"]
[per-file-ignores]
"legacy/*" = ["AP1", "AP4"]
"""


def test_every_key_is_read(repo: Path) -> None:
    (repo / "tables").mkdir()
    write(repo / "tables/own.tsv", "")
    config = load(write(repo / "archpatch.toml", FULL))
    assert config == Config(
        path=repo / "archpatch.toml",
        platforms=(Platform("linux", "amd64"), Platform("linux", "arm", "v7")),
        select=("AP1",),
        ignore=("AP103",),
        extend_select=("redundant-target-platform",),
        style=Style.EXPLICIT,
        fail_on=Severity.NOTE,
        per_file_ignores=(("legacy/*", ("AP1", "AP4")),),
        exclude=("vendor",),
        data=(repo.resolve() / "tables/own.tsv",),
    )


def test_the_schema_knows_the_same_keys() -> None:
    assert set(SCHEMA["properties"]) == set(_READERS)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_nearest_file_counts_and_nothing_is_merged(repo: Path) -> None:
    write(repo / "archpatch.toml", 'style = "explicit"\nignore = ["AP1"]')
    assert find(repo / "src/web").style is Style.EXPLICIT
    write(repo / "src/.archpatch.toml", 'select = ["AP2"]')
    assert find(repo / "src/web") == Config(path=repo / "src/.archpatch.toml", select=("AP2",))


def test_one_search_tells_every_folder_what_a_search_of_its_own_would(repo: Path) -> None:
    (repo / "src/api").mkdir()
    write(repo / "archpatch.toml", 'select = ["AP1"]')
    write(repo / "src/web/archpatch.toml", 'select = ["AP2"]')
    folders = [repo / "src/web", repo / "src/api", repo / "src", repo, repo.parent, repo / "src/web"]
    search = Search()
    assert [search.nearest(folder) for folder in folders] == [find(folder) for folder in folders]
    write(repo / "src/api/archpatch.toml", "nonsense")
    search = Search()
    for _ in range(2):
        with pytest.raises(ConfigError, match="is not TOML"):
            search.nearest(repo / "src/api")
    assert search.nearest(repo / "src").select == ("AP1",)


def test_of_one_folder_the_plain_name_comes_first(repo: Path) -> None:
    write(repo / "pyproject.toml", '[tool.archpatch]\nselect = ["AP3"]')
    assert find(repo).select == ("AP3",)
    write(repo / ".archpatch.toml", 'select = ["AP2"]')
    assert find(repo).select == ("AP2",)
    write(repo / "archpatch.toml", 'select = ["AP1"]')
    assert find(repo).select == ("AP1",)


def test_a_pyproject_that_says_nothing_to_us_does_not_hide_one_above(repo: Path) -> None:
    write(repo / "archpatch.toml", 'select = ["AP1"]')
    write(repo / "src/pyproject.toml", '[project]\nname = "archpatch-user"')
    assert find(repo / "src/web").select == ("AP1",)


def test_nothing_above_the_root_of_the_repository_is_read(repo: Path) -> None:
    write(repo.parent / "archpatch.toml", "broken")
    assert find(repo / "src") == Config()


def test_outside_a_repository_nothing_above_the_current_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "archpatch.toml", "broken")
    (tmp_path / "here/below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert find(Path("below")) == Config()
    write(tmp_path / "here/archpatch.toml", 'select = ["AP1"]')
    assert find(Path("below")).select == ("AP1",)


BROKEN = [
    pytest.param(
        "platfroms = []", "unknown key 'platfroms'; the nearest known one is 'platforms'", id="a typo"
    ),
    pytest.param("extend_select = []", "the nearest known one is 'extend-select'", id="an underscore"),
    pytest.param("plugins = ['evil']", "unknown key 'plugins'", id="a plugin"),
    pytest.param(
        "platforms = 'linux/amd64'", "platforms: must be a list of strings", id="a string for a list"
    ),
    pytest.param("platforms = []", "platforms: names no platform", id="no platform"),
    pytest.param("platforms = ['linux']", "names a system and no architecture", id="half a platform"),
    pytest.param("select = [1]", "select: must be a list of strings", id="a number for a code"),
    pytest.param("style = 'loud'", "style: must be one of minimal, explicit", id="an unknown style"),
    pytest.param("style = ['minimal']", "style: must be one of", id="a list for a style"),
    pytest.param(
        "fail-on = 'never'", "fail-on: must be one of note, warning, error", id="an unknown severity"
    ),
    pytest.param("per-file-ignores = []", "per-file-ignores: must be a table", id="a list for a table"),
    pytest.param("data = 3", "data: must be a list of strings", id="a number for a table"),
    pytest.param(
        "data = ['../../etc/passwd']", "lies outside of its folder", id="a table outside of the tree"
    ),
    pytest.param("data = ['/etc/passwd']", "lies outside of its folder", id="a table of the system"),
    pytest.param("a = [" + "[" * 5000, "is not TOML", id="a bomb"),
    pytest.param("select = ", "is not TOML", id="no TOML"),
    pytest.param("[tool.archpatch]\nignore = []", "the keys stand in this file", id="a table too deep"),
    pytest.param(
        "per-file-ignores = { 'a' = 'AP101' }", "'a' must be a list of strings", id="a code for codes"
    ),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_broken_file_is_one_line_that_names_it(repo: Path, text: str, words: str) -> None:
    path = write(repo / "archpatch.toml", text)
    with pytest.raises(ConfigError) as caught:
        find(repo)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("archpatch.toml", "# ours\n\nselct = []\n", 3),
        ("archpatch.toml", "select = [\n]\nstyle = 'loud'\n", 3),
        ("archpatch.toml", "select = []\n\n[per-file-ignores]\n'x' = 3\n", 3),
        ("archpatch.toml", "'selct' = []\n", 1),
        ("pyproject.toml", "[tool.ruff]\nselct = []\n\n[tool.archpatch]\nselct = []\n", 5),
        ("pyproject.toml", "[tool.archpatch.selct]\n", 1),
    ],
)
def test_a_wrong_key_is_told_with_its_line(repo: Path, name: str, text: str, line: int) -> None:
    path = write(repo / name, text)
    with pytest.raises(ConfigError) as caught:
        find(repo)
    assert str(caught.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    "content", [b"select = ['\xff']", b"\0", b"x" * (1 << 21)], ids=["latin-1", "binary", "2 MB"]
)
def test_a_file_that_is_no_text_is_one_line(repo: Path, content: bytes) -> None:
    (repo / "archpatch.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"archpatch\.toml: is "):
        find(repo)


def test_a_file_named_by_the_user_must_be_there(repo: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(repo / "gone.toml")


@pytest.mark.parametrize(
    ("glob", "hit"),
    [
        ("legacy/*", True),
        ("legacy", True),
        ("legacy/", True),
        ("Dockerfile.old", True),
        ("*.old", True),
        ("**/Dockerfile.old", True),
        ("**/legacy/*.old", True),
        ("legacy/**/Dockerfile.old", True),
        ("/legacy", True),
        ("./legacy/", True),
        ("src", False),
        ("/Dockerfile.old", False),
        ("*/*/Dockerfile.old", False),
    ],
)
def test_patterns_count_from_the_folder_of_the_config(repo: Path, glob: str, hit: bool) -> None:
    config = Config(path=repo / "archpatch.toml", per_file_ignores=((glob, ("AP1",)),), exclude=(glob,))
    assert config.excludes(repo / "legacy/Dockerfile.old") is hit
    assert config.ignored_for(repo / "legacy/Dockerfile.old") == (("AP1",) if hit else ())


@pytest.mark.parametrize(
    "text", [FULL, *(case.values[0] for case in BROKEN if "is not TOML" not in case.values[1])]
)
def test_the_schema_judges_shapes_as_we_do(text: str) -> None:
    import tomllib

    valid = not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(tomllib.loads(text)))
    assert valid == (text == FULL or "['linux']" in text or "etc" in text)  # a schema knows no places
