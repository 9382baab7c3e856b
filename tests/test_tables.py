"""The tables of facts: their form, what they claim, and how users add to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archpatch.assets import UNKNOWN, Asset, fits, keys
from archpatch.checking import Settings
from archpatch.engine import check
from archpatch.platforms import ARCHES
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.tables import NAMES, BadTable, Table, Tables, builtin

DOWNLOADS = tuple(rule for rule in load() if rule.code.startswith("AP4"))
_DOWNLOADS = [Asset.read(row.cells) for row in builtin("downloads")]
_FILLED = {"V": "v1.2.3", "v": "1.2.3", "*": "x1"}


def example(asset: Asset, arch: str = "amd64") -> str:
    """A URL of an asset, with a version (where its names changed, one that has them) and the words of one architecture."""
    words = asset.spell(arch) or ()
    until = re.search(r" <(\S+)", asset.since)
    first = re.match(r">=(\S+)", asset.since) if _twins(asset) and not until else None
    version = first[1] if first else _FILLED["v"]
    filled = {**_FILLED, "V": f"v{version}", "v": version}
    return re.sub(
        r"\{([VvAB*])\}", lambda found: filled.get(found[1]) or words["AB".index(found[1])], asset.template
    )


def _twins(asset: Asset) -> list[Asset]:
    """The other rows of a template whose names changed with a version."""
    return [one for one in _DOWNLOADS if one.template == asset.template and one != asset]


def test_rows_of_one_template_are_for_versions_apart() -> None:
    changed = [(asset, twins) for asset in _DOWNLOADS if (twins := _twins(asset))]
    assert changed
    for asset, twins in changed:
        assert len(twins) == 1
        old, new = sorted((asset, *twins), key=lambda one: " <" not in one.since)
        assert old.since.partition(" <")[2] == new.since.removeprefix(">=")


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_sorted_and_states_source_and_licence(name: str) -> None:
    table = builtin(name)
    table.check()
    assert table.name == name
    assert len(table) > 20
    assert table.about["source"]
    assert table.about["licence"]
    firsts = [line.cells for line in table]
    assert len(set(firsts)) == len(firsts)


def test_a_repository_says_yes_or_no_and_is_known_by_the_longest_address(tmp_path: Path) -> None:
    assert {row["arm64"] for row in builtin("apt-repositories")} == {"yes", "no"}
    tables = Tables()
    assert tables.repository_has_arm64("https://download.docker.com/linux/debian") is True
    assert tables.repository_has_arm64("http://us.archive.ubuntu.com/ubuntu") is False
    assert tables.repository_has_arm64("https://repo.anaconda.com/pkgs/misc/debrepo/conda") is False
    assert tables.repository_has_arm64("https://repo.mongodb.org/apt/ubuntu") is None
    own = tmp_path / "own.tsv"
    own.write_text(
        "# archpatch table: apt-repositories\n# columns: address arm64 note\n"
        "apt.example.com\tno\napt.example.com/new\tyes\ndownload.docker.com/linux\tno\n"
    )
    tables = Tables((own,))
    assert tables.repository_has_arm64("https://apt.example.com/old") is False
    assert tables.repository_has_arm64("https://apt.example.com/new/main") is True
    assert tables.repository_has_arm64("https://download.docker.com/linux/debian") is False
    assert tables.repository_has_arm64("https://notapt.example.com.org/x") is None


def test_a_row_of_downloads_says_what_stands_for_every_place() -> None:
    for asset in _DOWNLOADS:
        places = set(re.findall(r"\{([AB])\}", asset.template))
        assert asset.tool, asset
        assert asset.spell("amd64") is not None, asset
        assert {arch for arch, _ in asset.words} <= set(ARCHES), asset
        for _, words in asset.words:
            assert len(words) == max(1, len(places)), asset
        assert re.fullmatch(r"(~?>=?[0-9][\w.+-]*( <[0-9][\w.+-]*)?|\?)?", asset.since), asset
        assert asset.libc in {(), ("musl", "gnu")}, asset
        if not places:
            assert asset.spell("arm64") is None, asset


def test_every_download_pattern_claims_its_own_example_and_no_other_pattern_does() -> None:
    by_key: dict[str, list[Asset]] = {}
    for asset in _DOWNLOADS:
        host, _, path = asset.template.partition("/")
        by_key.setdefault(
            host if host != "github.com" else f"{host}/{path.split('/')[0]}".lower(), []
        ).append(asset)
    for group in by_key.values():
        for asset in group:
            for arch, _ in asset.words:
                url = example(asset, arch)
                claims = [found for other in group if (found := fits(other, url))]
                assert asset in [claim.asset for claim in claims], url
                # tini-arm64 belongs to the bare "tini" and to "tini-amd64" alike, and both say the same of it.
                assert len(claims) - len(_twins(asset)) == 1 or (
                    arch != "amd64" and len({claim.asset.tool for claim in claims}) == 1
                ), url


def test_every_download_is_found_by_its_url() -> None:
    tables = Tables()
    for asset in _DOWNLOADS:
        found = tables.asset("https://" + example(asset))
        assert found is not None, asset
        assert found.asset == asset
        assert found.exact
        assert all(keys(example(asset)))


@pytest.mark.parametrize(
    ("url", "words", "published"),
    [
        ("https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl", ["amd64"], True),
        ("https://github.com/krallin/tini/releases/download/v0.19.0/tini", [""], True),
        ("https://github.com/golang/dep/releases/download/v0.5.0/dep-linux-amd64", ["amd64"], False),
        (f"https://github.com/golang/dep/releases/download/v{UNKNOWN}/dep-linux-amd64", ["amd64"], None),
        ("https://github.com/stedolan/jq/releases/download/jq-1.6/jq-linux64", ["linux64"], False),
        ("https://github.com/CLI/cli/releases/download/v2.0.0/gh_2.0.0_linux_amd64.tar.gz", ["amd64"], True),
        ("https://github.com/hadolint/hadolint/releases/latest/download/hadolint-Linux-x86_64", ["x86_64"], True),
        ("https://repo.anaconda.com/miniconda/Miniconda3-py38_4.9.2-Linux-x86_64.sh", ["x86_64"], True),
        ("https://repo.anaconda.com/miniconda/Miniconda3-4.5.1-Linux-x86_64.sh", ["x86_64"], False),
        ("https://julialang-s3.julialang.org/bin/linux/x64/1.9/julia-1.9.3-linux-x86_64.tar.gz", ["x64", "x86_64"], True),
        ("https://github.com/tianon/gosu/releases/download/1.17/gosu-amd64.asc", ["amd64"], True),
        ("https://releases.bazel.build/7.4.1/release/bazel-7.4.1-linux-x86_64", ["x86_64"], True),
        ("https://micro.mamba.pm/api/micromamba/linux-64/1.5.8", ["linux-64"], True),
        ("https://micro.mamba.pm/api/micromamba/linux-64/latest", ["linux-64"], True),
        ("https://github.com/duckdb/duckdb/releases/download/v1.1.3/duckdb_cli-linux-amd64.zip", ["amd64"], True),
        ("https://github.com/duckdb/duckdb/releases/download/v0.3.0/duckdb_cli-linux-amd64.zip", ["amd64"], False),
        ("https://github.com/jwilder/dockerize/releases/download/v0.8.0/dockerize-alpine-linux-amd64-v0.8.0.tar.gz", ["amd64"], False),
        ("https://github.com/apple/foundationdb/releases/download/7.3.43/foundationdb-clients_7.3.43-1_amd64.deb", ["amd64"], True),
        ("https://github.com/apple/foundationdb/releases/download/6.3.24/foundationdb-clients_6.3.24-1_amd64.deb", ["amd64"], False),
        ("https://github.com/F1bonacc1/process-compose/releases/download/v0.45.0/process-compose_Linux_x86_64.tar.gz", ["x86_64"], True),
        ("https://ziglang.org/download/0.13.0/zig-linux-x86_64-0.13.0.tar.xz", ["x86_64"], True),
        ("https://github.com/jwilder/docker-gen/releases/download/0.7.3/docker-gen-alpine-linux-amd64-0.7.3.tar.gz", ["amd64"], False),
        ("https://github.com/RUB-NDS/Terrapin-Scanner/releases/download/v1.1.3/Terrapin_Scanner_Linux_amd64", ["amd64"], True),
        ("https://github.com/ethereum/solidity/releases/download/v0.8.30/solc-static-linux", [""], False),
        ("https://github.com/argotorg/solidity/releases/download/v0.8.31/solc-static-linux", [""], True),
        ("https://mirror.openshift.com/pub/cgw/rosa/1.2.62/rosa-linux.tar.gz", [""], None),
    ],
)  # fmt: skip
def test_a_url_tells_tool_words_and_whether_arm64_has_it(
    url: str, words: list[str], published: bool | None
) -> None:
    found = Tables().asset(url)
    assert found is not None
    assert [url[token.start : token.end] for token in found.tokens] == words
    assert found.published("arm64") is published


def test_the_files_of_a_repository_tell_how_it_spells_architectures() -> None:
    assert Tables().spellings("CDR/code-server") == {("amd64", "arm64")}
    assert Tables().spellings("nobody/nothing") == frozenset()


@pytest.mark.parametrize("name", ["beignet-opencl-icd", "iucode-tool"])
def test_what_is_for_intels_hardware_is_kept_to_amd64_by_the_fix(name: str) -> None:
    document = parse(f"FROM ubuntu:20.04\nRUN apt-get install -y {name} curl\n".encode(), Path("Dockerfile"))
    (found,) = check(document, load(), Settings(select=("AP303",))).findings
    assert found.fix is not None
    assert f"&& echo {name})".encode() in found.fix.edits[0].text


@pytest.mark.parametrize(
    ("version", "word"),
    [
        ("v0.3.0", "aarch64"),
        ("v1.1.3", "aarch64"),
        ("v1.3.0", "arm64"),
        ("latest", "arm64"),
        (UNKNOWN, "arm64"),
    ],
)
def test_a_name_that_changed_is_that_of_the_version(version: str, word: str) -> None:
    url = f"https://github.com/duckdb/duckdb/releases/download/{version}/duckdb_cli-linux-amd64.zip"
    found = Tables().asset(url)
    assert found is not None
    assert found.asset.spell("arm64") == (word,)


def test_another_archive_of_a_known_publisher_is_spelled_alike_but_not_exact() -> None:
    url = "https://github.com/goreleaser/goreleaser/releases/download/v1.2.3/goreleaser_Linux_x86_64.tar.zst"
    found = Tables().asset(url)
    assert found is not None
    assert not found.exact
    assert found.asset.spell("arm64") == ("arm64",)


@pytest.mark.parametrize(
    "url", ["https://example.com/x-amd64", "x", "", "https://github.com/a/b", f"https://{UNKNOWN}/a"]
)
def test_a_url_that_no_row_claims_gives_none(url: str) -> None:
    assert Tables().asset(url) is None


def test_images_and_packages_without_arm64_are_found_by_name() -> None:
    tables = Tables()
    assert tables.image_lacks_arm64("library/adminer", "4.2-fastcgi")
    assert tables.image_lacks_arm64("adminer", "4.2")
    assert not tables.image_lacks_arm64("adminer", "4.8.1")
    assert tables.debian_lacks_arm64("gcc-multilib", "bookworm")
    assert not tables.debian_lacks_arm64("curl")
    row = tables.package_lacks_arm64("pip", "mkl")
    assert row is not None
    assert row["note"]
    assert tables.package_lacks_arm64("apt", "mkl") is None


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param("registry.example/team/base:2.1", "our own build", id="before the first version"),
        pytest.param("registry.example/team/base:v2.1", "our own build", id="with a v"),
        pytest.param("registry.example/team/base:vivid", None, id="a v that is a word's"),
        pytest.param("registry.example/team/base:3.0-slim", None, id="from it on"),
        pytest.param("registry.example/team/base", None, id="without a version"),
        pytest.param("registry.example/team/old:9.9", "amd64 machines alone", id="none has it"),
        pytest.param("osrf/ros:humble", "the publisher builds it for amd64 alone", id="a built-in row"),
        pytest.param("osrf/rosy:humble", None, id="another name"),
    ],
)
def test_an_image_of_a_publisher_is_known_by_a_table_of_the_user_s_too(
    tmp_path: Path, image: str, said: str | None
) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(
        "# archpatch table: publishers-images\n# columns: image since reason source\n"
        "registry.example/team/base\t>=3.0\tour own build\tus\nregistry.example/team/old\t\tamd64 machines alone\tus\n"
    )
    document = parse(f"FROM {image}\n".encode())
    found = check(document, load(), Settings(tables=Tables((path,)))).findings
    told = [finding.message for finding in found if finding.code == "AP204"]
    assert bool(told) == (said is not None)
    assert said is None or said in told[0]


def test_every_publisher_s_image_says_why_and_by_whom() -> None:
    for row in builtin("publishers-images"):
        assert re.fullmatch(r"(?:>=\d+(?:\.\d+)*)?", row["since"])
        assert row["reason"]
        assert row["source"]
        assert ":" not in row["image"].rpartition("/")[2]


def test_the_example_of_the_manual_is_a_table_that_wins(tmp_path: Path) -> None:
    manual = Path(__file__).parents[1].joinpath("docs", "data.md").read_text(encoding="utf-8")
    text = re.search(r"```tsv\n(.*?)```", manual, re.DOTALL)
    url = re.search(r"`(https://downloads\.example\.org/\S+)`", manual)
    assert text
    assert url
    path = tmp_path / "own.tsv"
    path.write_text(text[1], encoding="utf-8")
    found = Tables((path,)).asset(url[1])
    assert found is not None
    assert found.asset.spell("arm64") == ("aarch64",)
    assert found.published("arm64")
    for column in builtin("downloads").columns:
        assert f"| `{column}` |" in manual


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: a table begins"),
        ("a\tb\n", ":1: a table begins"),
        ("# archpatch table: nonsense\n# columns: a\n", ":1: there is no table 'nonsense'"),
        ("# archpatch table: downloads\nx\n", "no line '# columns:'"),
        ("# archpatch table: downloads\n# columns: a\nb\na\n", ":4: not sorted"),
        ("# archpatch table: downloads\n# columns: a\na\tb\n", ":3: more than 1 cells"),
    ],
)
def test_a_bad_table_names_file_line_and_problem(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadTable, match=re.escape(f"{path}")) as caught:
        Tables((path,)).asset("https://example.com/x")
    assert problem in str(caught.value)


def test_a_table_is_found_by_bisection_whatever_the_letter_case() -> None:
    table = Table("# archpatch table: x\n# columns: a b\nA\t1\na\t2\nB\t3\n", "x")
    assert [row["b"] for row in table.get("a")] == ["1", "2"]
    assert [row["b"] for row in table.get("b")] == ["3"]
    assert not list(table.get("c"))


def test_a_first_version_that_no_source_backs_is_not_told_as_a_fact() -> None:
    url = "https://github.com/golang/dep/releases/download/v0.5.0/dep-linux-amd64"
    document = parse(f"FROM debian\nRUN curl -fsSLo /d {url}\n".encode())
    messages = [one.message for one in check(document, DOWNLOADS).findings if one.code == "AP404"]
    assert len(messages) == 1
    assert "not known for sure" in messages[0]
