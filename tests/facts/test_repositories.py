"""Repositories of packages, wherever their text stands."""

from __future__ import annotations

import pytest

from archpatch.facts import Facts, MemoryContext
from archpatch.facts.node_modules import native_modules
from archpatch.facts.repositories import apt_addresses, apt_sources, rpm_addresses
from archpatch.facts.requirements import python_requirements
from archpatch.syntax.parse import parse

DEB = "deb [arch=amd64 signed-by=/k] https://a.example/apt s main"


def facts_of(text: str, files: dict[str, str | bytes] | None = None) -> Facts:
    return Facts(parse(text.encode()), context=MemoryContext(files or {}))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'RUN echo "{DEB}" > /x.list\n', id="double-quoted"),
        pytest.param(f"RUN echo '{DEB}' | tee /x.list\n", id="single-quoted"),
        pytest.param(f"RUN echo {DEB} > /x.list\n", id="in words of their own"),
        pytest.param(f"RUN printf 'x\\n{DEB}\\n' > /x.list\n", id="after the line end of a printf"),
        pytest.param(f"RUN sh -c 'echo \"{DEB}\" > /x.list'\n", id="in a shell within"),
        pytest.param(f'RUN LINE="{DEB}" && echo "$LINE" > /x.list\n', id="in a variable"),
        pytest.param(f"RUN cat <<EOF > /x.list\n{DEB}\nEOF\n", id="in a heredoc of RUN"),
        pytest.param(f"COPY <<EOF /x.list\n{DEB}\nEOF\n", id="in a heredoc of COPY"),
        pytest.param(f'RUN add-apt-repository -y \\\n    "{DEB}"\n', id="after a continuation"),
    ],
)
def test_an_apt_source_is_read_wherever_it_stands(text: str) -> None:
    facts = facts_of("FROM debian\n" + text)
    (source,) = apt_sources(facts)
    assert source.architectures == ("amd64",)
    assert source.uri == "https://a.example/apt"
    assert source.span.of(facts.document.source) == b"amd64"
    assert [address.uri for address in apt_addresses(facts)] == ["https://a.example/apt"]


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("deb [arch=amd64] https://a.example s main", "[arch=amd64] "),
        ("deb [arch=amd64 signed-by=/k] https://a.example s main", "arch=amd64 "),
        ("deb [signed-by=/k arch=amd64] https://a.example s main", " arch=amd64"),
    ],
)
def test_without_the_option_a_valid_entry_stays(line: str, option: str) -> None:
    facts = facts_of(f"FROM debian\nCOPY <<EOF /x.list\n{line}\nEOF\n")
    (source,) = apt_sources(facts)
    assert source.option is not None
    assert source.option.of(facts.document.source).decode() == option


def test_a_source_in_deb822_form_may_name_several_architectures() -> None:
    entry = "Types: deb\nURIs: https://a.example\nArchitectures: amd64 i386\n"
    (source,) = apt_sources(facts_of(f"FROM debian\nCOPY <<EOF /x.sources\n{entry}EOF\n"))
    assert source.architectures == ("amd64", "i386")
    assert source.uri == "https://a.example"


def test_lines_of_sources_and_comments_are_no_addresses() -> None:
    text = (
        "FROM debian\n# deb https://a.example s main\nRUN echo 'deb-src https://a.example s main' > /x.list\n"
    )
    assert not list(apt_addresses(facts_of(text)))


@pytest.mark.parametrize(
    "text",
    [
        "RUN yum-config-manager --add-repo https://a.example/x86_64/\n",
        "RUN dnf config-manager --add-repo=https://a.example/x86_64/\n",
        "RUN zypper addrepo https://a.example/x86_64/ name\n",
        "RUN printf '[a]\\nbaseurl=https://a.example/x86_64/\\n' > /etc/yum.repos.d/a.repo\n",
        "RUN cat <<EOF > /etc/yum.repos.d/a.repo\n[a]\nbaseurl = https://a.example/x86_64/\nEOF\n",
    ],
)
def test_an_rpm_repository_is_read_wherever_it_stands(text: str) -> None:
    facts = facts_of("FROM rockylinux:9\n" + text)
    (address,) = rpm_addresses(facts)
    assert address.uri == "https://a.example/x86_64/"
    assert address.span is not None
    assert address.span.of(facts.document.source) == b"https://a.example/x86_64/"


def test_requirements_come_from_the_command_and_from_files_that_name_each_other() -> None:
    files: dict[str, str | bytes] = {
        "requirements.txt": "-r more.txt\nFlask_Login==0.6.3  # users\nnumpy>=1.26\n--index-url https://a.example\n",
        "more.txt": 'grpcio[x]==1.66.2 \\\n    --hash=sha256:00\nmkl==2024.0; platform_machine == "x86_64"\n',
    }
    facts = facts_of("FROM python\nRUN pip install six==1.16.0 -r requirements.txt\n", files)
    (install,) = facts.stages[0].installs
    found = {(one.name, one.version, one.marked) for one in python_requirements(facts, install)}
    assert found == {
        ("six", "1.16.0", False),
        ("flask-login", "0.6.3", False),
        ("numpy", None, False),
        ("grpcio", "1.66.2", False),
        ("mkl", "2024.0", True),
    }


def test_a_file_that_names_itself_is_read_a_few_times_at_most() -> None:
    facts = facts_of("FROM python\nRUN pip install -r r.txt\n", {"r.txt": "-r r.txt\nsix==1.16.0\n"})
    (install,) = facts.stages[0].installs
    assert {one.name for one in python_requirements(facts, install)} == {"six"}


@pytest.mark.parametrize(
    ("files", "native"),
    [
        ({}, None),
        ({"package.json": "{"}, None),
        ({"package.json": '{"dependencies": {"express": "4"}}'}, ()),
        ({"package.json": '{"dependencies": {"sharp": "1"}}'}, ("sharp",)),
        (
            {"package-lock.json": '{"packages": {"": {}, "node_modules/@a/b": {"hasInstallScript": true}}}'},
            ("@a/b",),
        ),
        (
            {"package-lock.json": '{"packages": {"node_modules/a": {"cpu": ["x64"], "os": ["darwin"]}}}'},
            (),
        ),
        (
            {
                "package-lock.json": '{"packages": {"node_modules/a": {"hasInstallScript": true, "dev": true}}}'
            },
            (),
        ),
    ],
)
def test_the_lock_file_tells_of_native_modules(
    files: dict[str, str | bytes], native: tuple[str, ...] | None
) -> None:
    assert native_modules(facts_of("FROM node\n", files)) == native


@pytest.mark.parametrize(
    ("run", "found"),
    [
        pytest.param("wget -O x.deb https://a.example/amd64/x", [], id="a file's ending"),
        pytest.param("curl --output-deb https://a.example/amd64/x", [], id="an option"),
        pytest.param("printf 'deb https://b.example s\\ndeb https://a.example s\\n'", ["https://b.example", "https://a.example"], id="printf"),
    ],
)  # fmt: skip
def test_deb_is_a_word_of_its_own_before_an_address(run: str, found: list[str]) -> None:
    facts = facts_of(f"FROM debian\nRUN {run} > /etc/apt/sources.list.d/a.list\n")
    assert [address.uri for address in apt_addresses(facts)] == found
