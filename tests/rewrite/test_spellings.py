"""Words that no argument holds, where no shell is: `${TARGETARCH/amd64/x64}` in ENV, ARG and COPY."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.engine import Settings, check, fix
from archpatch.platforms import AMD64, Platform
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

RULES = load()


def fixed(text: str, level: Applicability = Applicability.UNSAFE, settings: Settings | None = None) -> str:
    return fix(
        parse(text.encode(), Path("Dockerfile")), RULES, settings or Settings(), None, level
    ).source.decode()


MOLD = "https://github.com/rui314/mold/releases/download/v2.30.0/mold-2.30.0-"
PROTOC = "https://github.com/protocolbuffers/protobuf/releases/download/v25.1/"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"ENV URL {PROTOC}protoc-25.1-linux-x86_64.zip\nRUN wget -O p.zip $URL\n",
            "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch_64}\n"
            f"ENV URL {PROTOC}protoc-25.1-linux-${{TARGET_ARCH}}.zip\nRUN wget -O p.zip $URL\n",
        ),
        (
            "ARG V=v18.19.0\nARG DIST=node-${V}-linux-x64\n"
            "RUN wget https://nodejs.org/dist/$V/$DIST.tar.xz && tar xf $DIST.tar.xz\n",
            "ARG V=v18.19.0\nARG TARGETARCH\nARG DIST=node-${V}-linux-${TARGETARCH/amd64/x64}\n"
            "RUN wget https://nodejs.org/dist/$V/$DIST.tar.xz && tar xf $DIST.tar.xz\n",
        ),
        (
            "ENV V=1.6.0\nENV ZIP=terraform_${V}_linux_amd64.zip\n"
            "RUN wget https://releases.hashicorp.com/terraform/$V/$ZIP && unzip $ZIP\n",
            "ENV V=1.6.0\nARG TARGETARCH\nENV ZIP=terraform_${V}_linux_${TARGETARCH}.zip\n"
            "RUN wget https://releases.hashicorp.com/terraform/$V/$ZIP && unzip $ZIP\n",
        ),
        (
            f"ENV DIR=/x/ninja-linux-x86_64\\\n    URL={MOLD}x86_64-linux.tar.gz\n"
            "ENV OUT=/opt/mold-2.30.0-x86_64-linux\n"
            "RUN wget $URL && tar xf mold-2.30.0-x86_64-linux.tar.gz && mv $OUT/bin/mold /bin\n",
            "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            f"ENV DIR=/x/ninja-linux-x86_64\\\n    URL={MOLD}${{TARGET_ARCH}}-linux.tar.gz\n"
            "ENV OUT=/opt/mold-2.30.0-${TARGET_ARCH}-linux\n"
            'RUN wget $URL && tar xf "mold-2.30.0-$(uname -m)-linux.tar.gz" && mv $OUT/bin/mold /bin\n',
        ),
    ],
    ids=["two steps", "one step", "Docker's word", "the kernel's words, wherever they stand"],
)
def test_a_name_held_by_env_or_arg_follows_the_target(before: str, after: str) -> None:
    assert fixed("FROM debian\n" + before) == "FROM debian\n" + after


@pytest.mark.parametrize(
    "text",
    [
        f"FROM debian\nENV URL {PROTOC}protoc-25.1-linux-x86_64.zip\n"
        "RUN wget $URL && unzip protoc-25.1-linux-x86_64.zip\n",
        f"# syntax=docker/dockerfile:1.4\nFROM debian\nENV URL {PROTOC}protoc-25.1-linux-x86_64.zip\nRUN wget $URL\n",
        "# syntax=docker/dockerfile:1.6.0\nFROM debian\nARG ARCH=x86_64\nRUN wget https://example.com/tool-${ARCH}.tgz\n",
        "# syntax=docker/dockerfile:experimental\nFROM debian\nCOPY dist/app-x64/app /app\n",
        "# syntax=docker/dockerfile:1.4\nFROM node:22\nENV npm_config_arch=x64\nRUN npm ci\n",
        "# syntax=docker/dockerfile:1.4\nFROM debian\nENV PATH=$PATH:/opt/node-v20.11.0-linux-x64/bin\n",
    ],
    ids=[
        "the name is repeated where a shell is",
        "frontend 1.4",
        "frontend 1.6.0",
        "frontend experimental",
        "an option of npm",
        "a folder of a search path",
    ],
)
def test_no_word_is_respelled_where_that_would_break_the_build(text: str) -> None:
    assert fixed(text) == text


@pytest.mark.parametrize("version", ["1", "1.7", "1.10.0", "1-labs"])
def test_a_frontend_that_knows_how_gets_the_respelling(version: str) -> None:
    text = f"# syntax=docker/dockerfile:{version}\nFROM debian\nCOPY dist/app-x64/app /app\n"
    assert "COPY dist/app-${TARGETARCH/amd64/x64}/app /app\n" in fixed(text)


def test_other_platforms_than_the_two_get_no_respelling() -> None:
    settings = Settings(targets=(AMD64, Platform("linux", "s390x")))
    text = f"FROM debian\nENV URL {PROTOC}protoc-25.1-linux-x86_64.zip\nRUN wget -O p.zip $URL\n"
    assert fixed(text, settings=settings) == text


def test_the_folder_of_a_triple_follows_the_argument_that_holds_it() -> None:
    triple = "x86_64-unknown-linux-musl"
    head = f"FROM rust\nARG TARGET={triple}\n"
    after = fixed(f"{head}RUN cargo build --target $TARGET && mv target/{triple}/release/one /\n")
    assert "--target $TARGET && mv target/${TARGET}/release/one /\n" in after
    nested = fixed(f"{head}RUN cargo build --target $TARGET && sh -c 'mv target/{triple}/release/one /'\n")
    assert "sh -c 'mv target/${TARGET}/release/one /'\n" in nested  # an ARG is in the environment of a RUN


def test_an_argument_stays_where_a_copy_cannot_follow_its_folder() -> None:
    text = (
        "FROM rust AS build\nARG TARGET=x86_64-unknown-linux-musl\nRUN cargo build --target $TARGET\n"
        'FROM scratch\nCOPY --from=build ["/target/x86_64-unknown-linux-musl/release/one", "/"]\n'
    )
    assert "ARG TARGET=x86_64-unknown-linux-musl\n" in fixed(text)


@pytest.mark.parametrize(
    ("script", "mended"),
    [
        ("dotnet publish -r linux-musl-x64 -o /app", "dotnet publish -r linux-musl-x64 -o /app"),
        ("dotnet publish -r linux-x64 -o /app", "dotnet publish -a $TARGETARCH -o /app"),
        (
            "dotnet publish -r linux-x64 && mv bin/linux-x64/one /",
            "dotnet publish -r linux-x64 && mv bin/linux-x64/one /",
        ),
    ],
    ids=["a variable of the outer shell", "an argument of the build", "a path"],
)
def test_dotnet_in_a_shell_of_its_own_takes_what_that_shell_sees(script: str, mended: str) -> None:
    head = "FROM mcr.microsoft.com/dotnet/sdk:8.0\n"
    after = fixed(f"{head}RUN bash -euc '{script}'\n")
    assert f"RUN bash -euc '{mended}'\n" in after


def test_a_dotnet_path_is_copied_under_the_name_that_the_build_gives_it() -> None:
    text = (
        "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\n"
        "RUN dotnet publish -r linux-x64 && cp -r bin/Release/net8.0/linux-x64/publish /one\n"
        "FROM mcr.microsoft.com/dotnet/aspnet:8.0\n"
        "COPY --from=build /bin/Release/net8.0/linux-x64/publish/ /app/\n"
    )
    after = fixed(text)
    assert "dotnet publish -a $TARGETARCH && cp -r bin/Release/net8.0/linux-${_arch}/publish /one\n" in after
    assert "COPY --from=build /bin/Release/net8.0/linux-${TARGETARCH/amd64/x64}/publish/ /app/\n" in after
    assert fixed(text, Applicability.SAFE) == text


def test_the_step_of_a_respelling_stands_once_below_an_argument_that_is_there() -> None:
    folder, word = "/lib/x86_64-linux-gnu/", "/lib/${TARGET_ARCH}-linux-gnu/"
    text = "FROM gcr.io/distroless/cc\nARG TARGETARCH\nLABEL a=b\n"
    copies = "".join(f"COPY --from=debian:12 {{0}}lib{name}.so.1 {{0}}\n" for name in "zm")
    steps = "ARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\nARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
    after = text.replace("ARCH\n", f"ARCH\n{steps}")
    assert fixed(text + copies.format(folder)) == after + copies.format(word)


def test_a_file_of_the_context_is_not_put_into_the_folder_of_another_architecture() -> None:
    text = "FROM debian\nCOPY libcuda.so.1 /usr/lib/x86_64-linux-gnu/\n"
    assert fixed(text) == text


def test_a_program_started_by_its_name_gets_one_without_the_architecture() -> None:
    text = (
        "FROM golang AS build\nRUN make dist/app-linux-amd64\nFROM debian\n"
        "COPY --from=build /dist/app-linux-amd64 /opt/\nRUN chmod +x /opt/app-linux-amd64\n"
        'ENTRYPOINT ["/opt/app-linux-amd64"]\nHEALTHCHECK CMD /opt/app-linux-amd64 ping\n'
    )
    after = fixed(text)
    assert "COPY --from=build /dist/app-linux-${TARGETARCH} /opt/app-linux\n" in after
    assert 'ENTRYPOINT ["/opt/app-linux"]\nHEALTHCHECK CMD /opt/app-linux ping\n' in after
    assert "RUN chmod +x /opt/app-linux\n" in after


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian\nCOPY app-linux-amd64 app-linux /opt/\nCMD /opt/app-linux-amd64\n",
        'FROM debian\nCOPY app-amd64 /opt/\nLABEL run="/opt/app-amd64"\nCMD ["/opt/app-amd64"]\n',
        'FROM debian\nCOPY app-amd64 /opt\nCMD ["/opt/app-amd64"]\n',
    ],
    ids=[
        "the plain name is another file's",
        "a mention that is not seen",
        "a destination that may be the file",
    ],
)
def test_a_program_keeps_its_name_where_another_might_be_hit(text: str) -> None:
    assert fixed(text) == text


def test_a_folder_that_ends_as_another_does_is_searched_beside_itself() -> None:
    before = (
        "FROM debian\nENV LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:$LD_LIBRARY_PATH\n"
    )
    assert fixed(before) == (
        "FROM debian\nENV LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/lib/aarch64-linux-gnu:"
        "/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu:$LD_LIBRARY_PATH\n"
    )


def test_a_path_follows_the_folder_that_a_download_unpacks_to_whatever_its_version() -> None:
    before = (
        "FROM debian\nARG NODE=20.1.0\n"
        "RUN wget https://nodejs.org/dist/v$NODE/node-v$NODE-linux-x64.tar.xz && tar xf node-v$NODE-linux-x64.tar.xz\n"
        'ENV PATH="/node-v${NODE}-linux-x64/bin:$PATH"\n'
    )
    after = fixed(before)
    assert 'ENV PATH="/node-v${NODE}-linux-${TARGETARCH/amd64/x64}/bin:$PATH"\n' in after
    assert "tar xf node-v$NODE-linux-${_arch}.tar.xz\n" in after


def test_each_scope_has_a_step_of_its_own() -> None:
    stage = "ARG TARGET=x86_64-unknown-linux-musl\nRUN cargo build --target $TARGET\n"
    after = fixed(
        f"ARG TAG=x86_64-musl\nFROM example.com/rust:$TAG AS a\n{stage}FROM debian\n{stage}COPY --from=a /x /x\n"
    )
    assert after.count("ARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n") == 3
    assert after.count("ARG TARGET=${TARGET_ARCH}-unknown-linux-musl\n") == 2


@pytest.mark.parametrize("folder", ["/cmake-3.23.0-linux-x86_64/", "/usr/lib/x86_64-linux-gnu/"])
def test_copies_on_both_sides_of_a_declaration_are_found(folder: str) -> None:
    text = (
        "FROM debian AS a\nRUN wget https://github.com/Kitware/CMake/releases/download/v3.23.0/cmake-3.23.0-linux-x86_64.tar.gz"
        f" && tar xf *.gz\nFROM debian\nCOPY --from=a {folder}a {folder}\nARG TARGETARCH\nCOPY --from=a {folder}b {folder}\n"
    )
    after = fixed(text)
    assert after.count("ARG TARGETARCH\n") <= 2
    assert fixed(after) == after


@pytest.mark.parametrize(
    ("image", "body", "code"),
    [
        ("rust", "cargo build --release --target x86_64-unknown-linux-gnu", "AP603"),
        ("debian", "gcc -O2 -mavx2 a.c", "AP605"),
        ("node:20", "pkg --targets node18-linux-x64 .", None),
        (
            "ubuntu:22.04",
            "wget http://archive.ubuntu.com/ubuntu/pool/main/o/openssl/libssl1.1_1.1.1f-1ubuntu2_amd64.deb",
            None,
        ),
        (
            "ubuntu:22.04",
            "echo deb http://archive.ubuntu.com/ubuntu jammy universe >> /etc/apt/sources.list",
            "AP308",
        ),
        ("mcr.microsoft.com/dotnet/sdk:6.0", "dotnet publish -r linux-x64 -o /app", None),
        ("debian", "curl -fsSLO https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-x64.tar.gz", None),
    ],
)
def test_what_a_case_before_sh_c_sets_is_not_used_within(image: str, body: str, code: str | None) -> None:
    """The shell that `sh -c` starts has no variable that its parent did not export."""
    plain, nested = f"FROM {image}\nRUN {body}\n", f"FROM {image}\nRUN sh -c '{body}'\n"
    assert "esac &&" in fixed(plain)
    assert fixed(nested) == nested
    found = check(parse(nested.encode(), Path("Dockerfile")), RULES, Settings(), None).findings
    assert found
    assert all(one.fix is None for one in found)
    assert code is None or code in {one.code for one in found}
