"""Which packages a command installs, by every manager."""

from __future__ import annotations

import pytest

from archpatch.facts import Package
from tests.facts.build import facts_of, last


def _installs(command: str) -> list[tuple[str, list[str]]]:
    return [
        (install.manager, [_spelled(package) for package in install.packages])
        for install in last(f"FROM a\nRUN {command}\n").installs
    ]


def _spelled(package: Package) -> str:
    arch = f":{package.arch}" if package.arch else ""
    version = f" {package.version}" if package.version else ""
    return ("local " if package.local else "") + package.name + arch + version


@pytest.mark.parametrize(
    ("command", "manager", "packages"),
    [
        pytest.param("apk add gcc musl-dev", "apk", ["gcc", "musl-dev"], id="apk"),
        pytest.param(
            "apk --no-cache -U add -t .b g++", "apk", ["g++"], id="apk with options and a virtual package"
        ),
        pytest.param(
            "apk add --virtual=.b gcc=1.2-r0 py3~=3.1", "apk", ["gcc 1.2-r0", "py3 3.1"], id="apk versions"
        ),
        pytest.param("apk add -Ut .b gcc", "apk", ["gcc"], id="apk clustered"),
        pytest.param("apk add x@edge 'y>=2' !z", "apk", ["x", "y 2"], id="apk tags and conflicts"),
        pytest.param("apk add -X https://x/y ./a.apk", "apk", ["local ./a.apk"], id="apk files"),
        pytest.param(
            "apt-get install -y --no-install-recommends gcc g++", "apt", ["gcc", "g++"], id="apt-get"
        ),
        pytest.param(
            "apt-get -qq -o A::B=1 install -t stable foo", "apt", ["foo"], id="apt options with values"
        ),
        pytest.param(
            "apt install foo=1.2* bar:amd64 baz/stable",
            "apt",
            ["foo 1.2*", "bar:amd64", "baz stable"],
            id="apt",
        ),
        pytest.param(
            "apt-get install ./x.deb /t/y.deb gone-",
            "apt",
            ["local ./x.deb", "local /t/y.deb"],
            id="apt files",
        ),
        pytest.param("aptitude install -y foo", "apt", ["foo"], id="aptitude"),
        pytest.param("install_packages foo", "apt", ["foo"], id="a wrapper of apt"),
        pytest.param("dpkg -i /tmp/x_amd64.deb", "dpkg", ["local /tmp/x_amd64.deb"], id="dpkg"),
        pytest.param("rpm -ivh https://x/y.x86_64.rpm", "rpm", ["local https://x/y.x86_64.rpm"], id="rpm"),
        pytest.param("yum -y install gcc-c++ glibc.i686", "yum", ["gcc-c++", "glibc:i686"], id="yum"),
        pytest.param(
            "dnf install -y --setopt a=1 java-1.8.0-openjdk", "dnf", ["java-1.8.0-openjdk"], id="dnf"
        ),
        pytest.param(
            "dnf install nginx-1.20.1 foo-2-3.el8.x86_64",
            "dnf",
            ["nginx 1.20.1", "foo:x86_64 2-3.el8"],
            id="NEVRA",
        ),
        pytest.param("microdnf install --nodocs tar", "microdnf", ["tar"], id="microdnf"),
        pytest.param("tdnf install -y ca-certificates", "tdnf", ["ca-certificates"], id="tdnf"),
        pytest.param("zypper -n in --no-recommends -r repo gcc", "zypper", ["gcc"], id="zypper"),
        pytest.param(
            "pip install --no-cache-dir Foo_Bar[x]==1.0 'baz>=2'", "pip", ["foo-bar 1.0", "baz 2"], id="pip"
        ),
        pytest.param("pip3 install -r requirements.txt -c c.txt .", "pip", ["local ."], id="pip3 and files"),
        pytest.param(
            "python3 -m pip install -U --index-url https://x pip", "pip", ["pip"], id="python -m pip"
        ),
        pytest.param("uv pip install --system numpy", "pip", ["numpy"], id="uv pip"),
        pytest.param(
            "pip install 'x @ https://a/x.whl' git+https://g/y",
            "pip",
            ["local x", "local git+https://g/y"],
            id="pip URLs",
        ),
        pytest.param("npm install -g @a/b@1.2 c --registry http://r", "npm", ["@a/b 1.2", "c"], id="npm"),
        pytest.param("npm ci --only production", "npm", [], id="npm ci"),
        pytest.param("yarn global add x@1", "yarn", ["x 1"], id="yarn global"),
        pytest.param("yarn --frozen-lockfile", "yarn", [], id="yarn alone"),
        pytest.param("pnpm add -D esbuild", "pnpm", ["esbuild"], id="pnpm"),
        pytest.param("gem install rails -v 7.0 bundler:2.1", "gem", ["rails", "bundler 2.1"], id="gem"),
        pytest.param("bundle install --jobs 4", "bundle", [], id="bundle"),
        pytest.param(
            "cargo +nightly install --locked --version 1.2 ripgrep fd@8",
            "cargo",
            ["ripgrep", "fd 8"],
            id="cargo",
        ),
        pytest.param("go install -ldflags '-s -w' x.io/y/z@latest", "go", ["x.io/y/z latest"], id="go"),
        pytest.param(
            "conda install -y -c conda-forge -n env numpy=1.2 'py>=3'",
            "conda",
            ["numpy 1.2", "py 3"],
            id="conda",
        ),
        pytest.param("mamba create -p /e conda-forge::x==1", "conda", ["x 1"], id="mamba"),
        pytest.param("sudo -E apt-get install foo", "apt", ["foo"], id="behind sudo"),
        pytest.param("DEBIAN_FRONTEND=x apt-get install foo", "apt", ["foo"], id="behind an assignment"),
        pytest.param("sh -c 'apk add foo'", "apk", ["foo"], id="in sh -c"),
    ],
)
def test_what_a_command_installs(command: str, manager: str, packages: list[str]) -> None:
    assert _installs(command) == [(manager, packages)]


@pytest.mark.parametrize(
    "command",
    [
        "apk del gcc",
        "apk update",
        "apt-get update",
        "apt-get remove gcc",
        "pip uninstall x",
        "python setup.py install",
        "python -m build",
        "npm run build",
        "yarn build",
        "bundle exec rake",
        "cargo build",
        "go build ./...",
        "rpm -qa",
        "rpm --import key",
        "dpkg --add-architecture i386",
        "echo apk add gcc",
    ],
)
def test_what_installs_nothing(command: str) -> None:
    assert _installs(command) == []


def test_variables_with_known_values_are_put_in() -> None:
    stage = last('FROM a\nENV DEPS="gcc musl-dev"\nARG V=1.2\nRUN MORE=make && apk add $DEPS ${MORE} x=$V\n')
    (install,) = stage.installs
    assert [_spelled(package) for package in install.packages] == ["gcc", "musl-dev", "make", "x 1.2"]
    assert install.complete
    assert install.packages[0].word == install.packages[1].word


@pytest.mark.parametrize(
    "command", ["apk add $DEPS", "apt-get install $(cat list)", "cat list | xargs apt-get install -y"]
)
def test_an_unknown_list_is_not_taken_for_complete(command: str) -> None:
    (install,) = last(f"FROM a\nRUN {command}\n").installs
    assert not install.complete


def test_an_unknown_version_leaves_the_name_known() -> None:
    (install,) = last("FROM a\nARG V\nRUN apt-get install -y foo=${V} bar\n").installs
    assert install.complete
    assert install.names == {"foo", "bar"}


def test_an_install_knows_its_files_its_options_and_its_place() -> None:
    facts = facts_of(
        "FROM a\nRUN true\nRUN apk add --virtual .b g++ && pip install -r a.txt --requirement=b.txt --no-deps\n"
    )
    apk, pip = facts.stages[0].installs
    assert apk.virtual is not None
    assert apk.virtual.literal == ".b"
    assert [word.raw for word in pip.requirements] == ["a.txt", "--requirement=b.txt"]
    assert [word.raw for word in pip.options] == ["-r", "--requirement=b.txt", "--no-deps"]
    assert apk.run is facts.stages[0].runs[1]
    assert apk.has("g++")
    assert not apk.has("gcc")


def test_the_word_of_a_package_stands_where_it_is_written() -> None:
    facts = facts_of("FROM a\nRUN apk add \\\n    gcc \\\n # why\n    make\n")
    source = facts.document.source
    (install,) = facts.stages[0].installs
    assert [package.word.span.of(source) for package in install.packages] == [b"gcc", b"make"]


def test_parents_come_first_in_all_installs() -> None:
    stage = last("FROM a AS x\nRUN apk add one\nFROM x\nRUN apk add two\nONBUILD RUN apk add three\n")
    assert [install.packages[0].name for install in stage.all_installs("apk")] == ["one", "two"]
