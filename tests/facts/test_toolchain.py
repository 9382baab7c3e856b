"""Variables of build tools, compiler options, compilers, NuGet references, embedded Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.facts import Command, Facts, MemoryContext
from archpatch.facts.assigned import assigned, depends_on_target, setting
from archpatch.facts.compiles import compiled_by, follows_target, taken_into_target
from archpatch.facts.flags import X86_ONLY, build_flags
from archpatch.facts.nuget import projects
from archpatch.facts.pythons import python_texts
from archpatch.syntax.parse import parse
from archpatch.text import decode


def facts_of(text: str, files: dict[str, str] | None = None) -> Facts:
    return Facts(parse(text.encode(), Path("Dockerfile")), context=MemoryContext(files or {}))


def command(facts: Facts, name: str) -> Command:
    return next(one for one in facts.commands() if one.shell.name == name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM x\nENV GOARCH=amd64\n", [("GOARCH=amd64", "amd64", False)]),
        ('FROM x\nENV GOARCH "amd64"\n', [('GOARCH "amd64"', "amd64", False)]),
        ("ARG GOARCH=amd64\nFROM x\n", [("GOARCH=amd64", "amd64", False)]),
        ("FROM x\nARG GOARCH\nLABEL GOARCH=amd64\n", []),
        ("FROM x\nRUN GOARCH=amd64 go build\n", [("GOARCH=amd64", "amd64", True)]),
        ("FROM x\nRUN export GOARCH=amd64; go build\n", [("GOARCH=amd64", "amd64", False)]),
        ("FROM x\nRUN GOARCH=amd64; go build\n", [("GOARCH=amd64", "amd64", False)]),
        ("FROM x\nRUN env A=1 GOARCH='amd64' go build\n", [("GOARCH='amd64'", "amd64", True)]),
        ("FROM x\nRUN make GOARCH=$(go env GOHOSTARCH)\n", [("GOARCH=$(go env GOHOSTARCH)", None, True)]),
        ("FROM x\nRUN sh -c 'GOARCH=amd64 go build'\n", [("GOARCH=amd64", "amd64", True)]),
        ("FROM x\nRUN echo MYGOARCH=amd64\n", []),
    ],
)
def test_a_variable_is_found_wherever_it_is_set(text: str, found: list[tuple[str, str | None, bool]]) -> None:
    places = assigned(facts_of(text), "GOARCH")
    assert [(decode(one.span.of(text.encode())), one.value, one.alone) for one in places] == found


@pytest.mark.parametrize(
    ("text", "value", "follows"),
    [
        ("FROM x\nRUN CGO_ENABLED=0 go build\n", "0", False),
        ("FROM x\nENV CGO_ENABLED=0\nRUN go build\n", "0", False),
        ("FROM x\nENV CGO_ENABLED=0\nRUN export CGO_ENABLED=1; go build\n", "1", False),
        ("FROM x\nRUN go build\n", None, False),
        ("FROM x\nARG TARGETARCH\nRUN CGO_ENABLED=$TARGETARCH go build\n", "amd64", True),
        ("FROM x\nARG TARGETARCH\nENV CGO_ENABLED=$TARGETARCH\nRUN go build\n", "amd64", True),
    ],
)
def test_a_setting_is_what_the_command_sees(text: str, value: str | None, follows: bool) -> None:
    facts = facts_of(text)
    go = command(facts, "go")
    assert setting(facts, go, "CGO_ENABLED") == value
    assert depends_on_target(facts, go, "CGO_ENABLED") is follows


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("RUN gcc -O2 -mavx2 -m64 x.c", ["-mavx2", "-m64"]),
        ("RUN CFLAGS='-O2 -msse4.2' make", ["-msse4.2"]),
        ("RUN ./configure CFLAGS=-mavx", ["-mavx"]),
        ("RUN bazel build --copt=-mavx //x", ["--copt=-mavx"]),
        ('RUN cmake -DCMAKE_C_FLAGS="-O2 -march=haswell" .', ["-march=haswell"]),
        ("ENV CXXFLAGS='-march=x86-64-v3 -g'", ["-march=x86-64-v3"]),
        ("RUN install -m644 a b && pip install mavx", []),
        ("RUN gcc -march=native -march=armv8-a -mtune=generic x.c", []),
        ("RUN ls -m64", []),
    ],
)
def test_options_for_x86_are_found_in_commands_and_variables(text: str, options: list[str]) -> None:
    source = f"FROM x\n{text}\n"
    found = build_flags(facts_of(source), X86_ONLY)
    assert [decode(flag.span.of(source.encode())) for flag in found] == options


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("go build ./...", "go"),
        ("go vet ./...", None),
        ("cargo build --release", "cargo"),
        ("cargo fetch", None),
        ("gcc --version", None),
        ("gcc -o x x.c", "gcc"),
        ("cmake --build .", "cmake"),
        ("cmake -B build .", None),
        ("make", None),
        ("apt-get install -y gcc && make", "make"),
        ("npm ci", None),
        ("dotnet publish --self-contained true -o /x", "dotnet"),
        ("dotnet publish --self-contained false -o /x", None),
        ("dotnet publish -r linux-x64 --self-contained", None),
        ("dotnet publish -o /x", None),
    ],
)
def test_a_compiler_is_known_by_its_verb(text: str, tool: str | None) -> None:
    facts = facts_of(f"FROM x\nRUN {text}\n")
    assert compiled_by(list(facts.commands())[-1]) == tool


def test_make_in_an_image_of_a_compiled_language_compiles() -> None:
    assert compiled_by(command(facts_of("FROM golang:1.23\nRUN make\n"), "make")) == "make"


BUILDER = (
    "FROM --platform=$BUILDPLATFORM x AS build\nARG TARGETARCH\nRUN {}\nFROM y\nCOPY --from=build {} /z\n"
)


@pytest.mark.parametrize(
    ("run", "path", "taken", "follows"),
    [
        ("go build", "/app", True, False),
        ("go build", "/app/dist", False, False),
        ("go build", "/etc/ssl/certs/ca-certificates.crt", False, False),
        ("GOARCH=$TARGETARCH go build", "/app", True, True),
        ("xx-go build", "/app", True, True),
    ],
)
def test_what_a_builder_hands_on_and_whether_it_looks_at_the_target(
    run: str, path: str, taken: bool, follows: bool
) -> None:
    facts = facts_of(BUILDER.format(run, path))
    assert bool(taken_into_target(facts, facts.stages[0])) is taken
    assert follows_target(facts, next(facts.commands())) is follows


PROJECT = '<Project>\n<PackageReference Include="{}" {}/>\n{}</Project>\n'


def test_the_projects_of_a_build_are_those_it_names_and_those_they_refer_to() -> None:
    files = {
        "app/app.csproj": PROJECT.format(
            "A", 'Version="1.2.3" ', '<ProjectReference Include="..\\lib\\lib.csproj" />\n'
        ),
        "lib/lib.csproj": PROJECT.format("B", "", '<Protobuf Include="x.proto" />\n'),
        "other/other.csproj": PROJECT.format("C", 'Version="[4.5,6)"', ""),
        "Directory.Packages.props": '<Project><PackageVersion Include="B" Version="$(V)" /></Project>',
    }
    context = MemoryContext(files)
    named = projects(context, "app/app.csproj")
    assert [project.path.name for project in named] == [
        "Directory.Packages.props",
        "app.csproj",
        "lib.csproj",
    ]
    assert [project.generates for project in named] == [False, False, True]
    versions = {one.name: one.version for project in projects(context, "x.sln") for one in project.packages}
    assert versions == {"A": (1, 2, 3), "B": (), "C": (4, 5)}


@pytest.mark.parametrize(
    ("files", "named", "found"),
    [
        (["a.csproj", "b/b.csproj"], [], ["a.csproj"]),
        (["a.csproj", "b/b.csproj"], ["b"], ["b.csproj"]),
        (["a.csproj", "b/b.csproj"], ["./b/b.csproj"], ["b.csproj"]),
        (["a.csproj", "b/b.csproj"], ["all.sln"], ["a.csproj", "b.csproj"]),
        (["all.sln", "a/a.csproj", "b/b.csproj"], [], ["a.csproj", "b.csproj"]),
        (["a/a.csproj", "b/b.csproj"], [], []),
        (["a/a.csproj"], [], ["a.csproj"]),
        (["a/a.csproj"], ["Release", "/out"], ["a.csproj"]),
    ],
)
def test_a_build_that_names_no_project_takes_the_one_at_hand(
    files: list[str], named: list[str], found: list[str]
) -> None:
    context = MemoryContext(dict.fromkeys(files, "<Project/>"))
    assert [project.path.name for project in projects(context, *named)] == found


def test_a_reference_in_a_comment_is_none() -> None:
    context = MemoryContext(
        {"a.csproj": '<Project><!-- <PackageReference Include="A" Version="1" /> --></Project>'}
    )
    assert [project.packages for project in projects(context)] == [()]


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ("RUN python3 <<EOF\nprint('amd64')\nEOF", ["amd64"]),
        ("RUN python3 - <<'EOF'\nprint('$amd64')\nEOF", ["$amd64"]),
        ("RUN python3 <<EOF\nprint('$amd64')\nEOF", []),
        ("RUN <<EOF\n#!/usr/bin/env python3\nprint('amd64')\nEOF", ["amd64"]),
        ("RUN python -c 'print(\"amd64\")' > /x", ["amd64"]),
        ("RUN python -c \"print('amd64')\"", ["amd64"]),
        ('RUN python -c "print(\\"amd64\\")"', []),
        ("RUN cat <<EOF\nprint('amd64')\nEOF", []),
        ("RUN pip install -e .", ["amd64 of setup.py"]),
        ("RUN pip install .[extra]", ["amd64 of setup.py"]),
        ("RUN python setup.py build", ["amd64 of setup.py"]),
        ("RUN pip install ./sub", ["amd64 of sub"]),
        ("RUN cd sub && python sub/setup.py install", ["amd64 of sub"]),
        ("RUN pip install flask", []),
    ],
)
def test_python_of_a_build_is_read(text: str, strings: list[str]) -> None:
    files = {"setup.py": "X = 'amd64 of setup.py'\n", "sub/setup.py": "X = 'amd64 of sub'\n"}
    facts = facts_of(f"FROM python\n{text}\n", files)
    texts = list(python_texts(facts, b"amd64"))
    assert [string.value for one in texts for string in one.module.strings] == strings
    for one in texts:
        for string in one.module.strings:
            assert string.inner is not None
            assert decode(string.inner.of(one.source)) == string.value


def test_python_that_is_no_utf_8_is_left_alone() -> None:
    source = b"FROM python\nRUN python -c 'print(\"amd64 \xff\")'\n"
    facts = Facts(parse(source, Path("Dockerfile")), context=MemoryContext({}))
    assert list(python_texts(facts, b"amd64")) == []
