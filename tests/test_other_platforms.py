"""Other platforms than amd64 and arm64: what is found, and what is written, is what the tables say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.engine import Settings, check, fix
from archpatch.platforms import AMD64, Platform
from archpatch.registry import load
from archpatch.rule import Severity
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

RULES = load()
PROMETHEUS = (
    "https://github.com/prometheus/prometheus/releases/download/v2.48.0/prometheus-2.48.0.linux-{}.tar.gz"
)
PROTOC = "https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-{}.zip"
GOSU = "https://github.com/tianon/gosu/releases/download/1.17/gosu-{}"
DOCKER = "https://download.docker.com/linux/static/stable/{}/docker-27.0.1.tgz"


def settings(platform: str) -> Settings:
    return Settings(targets=(AMD64, Platform.parse(platform)))


def codes(text: str, platform: str) -> list[str]:
    report = check(parse(text.encode(), Path("Dockerfile")), RULES, settings(platform))
    return [finding.code for finding in report.findings if finding.severity >= Severity.WARNING]


def fixed(text: str, platform: str, level: Applicability = Applicability.SAFE) -> str:
    return fix(
        parse(text.encode(), Path("Dockerfile")), RULES, settings(platform), None, level
    ).source.decode()


def fetch(url: str, word: str) -> str:
    return f"FROM debian\nARG TARGETARCH\nRUN curl -fsSLO {url.format(word)}\n"


@pytest.mark.parametrize(
    ("platform", "url", "word", "found"),
    [
        ("linux/arm64", PROMETHEUS, "${TARGETARCH}", []),
        ("linux/arm/v7", PROMETHEUS, "${TARGETARCH}", ["AP403"]),  # arm, where the publisher says armv7
        ("linux/ppc64le", PROMETHEUS, "${TARGETARCH}", []),
        ("linux/s390x", GOSU, "${TARGETARCH}", []),
        ("linux/ppc64le", GOSU, "${TARGETARCH}", ["AP403"]),  # Debian's ppc64el
        ("linux/arm/v7", GOSU, "${TARGETARCH}", ["AP403"]),  # Debian's armhf
        ("linux/ppc64le", DOCKER, "$(uname -m)", []),
        ("linux/arm/v7", DOCKER, "$(uname -m)", ["AP403"]),  # armv7l, where the publisher says armhf
        ("linux/arm/v7", PROTOC, "x86_64", ["AP405"]),  # not published
        ("linux/s390x", PROTOC, "x86_64", ["AP501"]),
    ],
)
def test_a_download_is_judged_by_the_names_of_the_platform(
    platform: str, url: str, word: str, found: list[str]
) -> None:
    assert codes(fetch(url, word), platform) == found


@pytest.mark.parametrize(
    ("platform", "url", "word", "arm"),
    [
        ("linux/arm/v7", PROMETHEUS, "amd64", "arm|armv7l) _arch=armv7 ;;"),
        ("linux/ppc64le", PROTOC, "x86_64", "ppc64le) _arch=ppcle_64 ;;"),
        ("linux/s390x", PROTOC, "x86_64", "s390x) _arch=s390_64 ;;"),
        ("linux/arm/v7", DOCKER, "x86_64", "arm|armv7l) _arch=armhf ;;"),
    ],
)
def test_a_choice_has_an_arm_for_the_platform(platform: str, url: str, word: str, arm: str) -> None:
    after = fixed(fetch(url, word), platform)
    assert arm in after
    assert codes(after, platform) == []


@pytest.mark.parametrize(
    ("platform", "url", "word", "mended"),
    [
        ("linux/ppc64le", PROMETHEUS, "amd64", PROMETHEUS.format("${TARGETARCH}")),
        ("linux/s390x", GOSU, "amd64", GOSU.format("${TARGETARCH}")),
        ("linux/ppc64le", DOCKER, "x86_64", f'"{DOCKER.format("$(uname -m)")}"'),
    ],
)
def test_a_selector_stands_where_its_names_are_the_publisher_s(
    platform: str, url: str, word: str, mended: str
) -> None:
    assert fixed(fetch(url, word), platform) == fetch("{}", mended)


LIBRARY = "FROM debian\nRUN ln -s {0}/usr/lib/{1}-linux-gnu/libz.so{0} /z\n"


def test_a_library_folder_follows_the_kernel_s_name_only_where_it_has_that_name() -> None:
    before = LIBRARY.format("", "x86_64")
    assert fixed(before, "linux/s390x") == LIBRARY.format('"', "$(uname -m)")
    for platform in ("linux/arm/v7", "linux/ppc64le"):  # arm-linux-gnueabihf, powerpc64le-linux-gnu
        assert codes(before, platform) == ["AP703"]
        assert fixed(before, platform, Applicability.UNSAFE) == before


def test_a_jdk_s_folder_follows_docker_s_name_only_where_debian_has_the_same() -> None:
    before = "FROM debian\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\nRUN apt-get install -y openjdk-17-jdk\n"
    assert "java-17-openjdk-${TARGETARCH}\n" in fixed(before, "linux/s390x")
    for platform in ("linux/arm/v7", "linux/ppc64le"):  # armhf, ppc64el
        assert codes(before, platform) == ["AP702"]
        assert fixed(before, platform) == before


@pytest.mark.parametrize(("platform", "arch"), [("linux/arm/v7", "arm"), ("linux/s390x", "s390x")])
def test_a_missing_branch_is_that_of_the_platform(platform: str, arch: str) -> None:
    text = (
        'FROM debian\nRUN case "$(dpkg --print-architecture)" in amd64) A=amd64 ;; arm64) A=arm64 ;; esac'
        " && curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/$A/kubectl\n"
    )
    assert codes(text, "linux/arm64") == []
    assert codes(text, platform) == ["AP116"]
    assert f") A={arch} ;; amd64)" in fixed(text, platform, Applicability.UNSAFE)


def test_dotnet_has_no_runtime_of_its_own_for_mainframes() -> None:
    text = "FROM mcr.microsoft.com/dotnet/sdk:9.0\nRUN dotnet publish -r linux-x64 -o /a\n"
    assert "-a $TARGETARCH" in fixed(text, "linux/arm/v7")
    assert fixed(text, "linux/s390x") == text
    assert "-a $TARGETARCH" in fixed(text, "linux/s390x", Applicability.UNSAFE)
