"""What an image leaves to the build of a child (ONBUILD) is looked at, and mended where one instruction does."""

from __future__ import annotations

import pytest

from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

KUBECTL = "https://dl.k8s.io/release/v1.29.0/bin/linux/amd64/kubectl"


def under(body: str) -> bytes:
    return f"FROM debian:bookworm-slim\nENV X=1\nONBUILD {body}\n".encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(f"RUN curl -fsSLo /usr/bin/kubectl {KUBECTL}", "AP401", id="a download"),
        pytest.param(f"ADD {KUBECTL} /usr/bin/kubectl", "AP401", id="an ADD"),
        pytest.param("RUN GOARCH=amd64 go build -o /app .", "AP601", id="a variable of the script"),
        pytest.param("RUN ./configure --build=x86_64-linux-gnu && make", "AP607", id="an option"),
        pytest.param("RUN gcc -march=haswell -o app app.c", "AP605", id="a flag of the compiler"),
        pytest.param("RUN apt-get update && apt-get install -y google-chrome-stable", "AP302", id="Chrome"),
        pytest.param("RUN apt-get install -y gcc-multilib", "AP304", id="libraries for 32 bits"),
        pytest.param("RUN apt-get install -y intel-microcode", "AP303", id="a package for amd64 alone"),
        pytest.param(
            "RUN dpkg --add-architecture i386 && apt-get install -y libc6:i386",
            "AP305",
            id="a foreign architecture",
        ),
        pytest.param("RUN dpkg -i /tmp/tool_1.0_amd64.deb", "AP306", id="a package out of a file"),
        pytest.param("RUN dnf install -y tool.x86_64", "AP309", id="a package of RPM's"),
        pytest.param("RUN pip install intel-openmp", "AP321", id="a package of Python's"),
        pytest.param("RUN npm ci --cpu=x64", "AP324", id="an option of npm's"),
        pytest.param(
            "RUN gcloud components install cloud-spanner-emulator", "AP329", id="a component of gcloud"
        ),
        pytest.param("RUN make ARCH=x86_64", "AP611", id="a variable of make"),
        pytest.param('RUN [ "$(uname -m)" = arm64 ] && echo arm', "AP115", id="a word that uname never says"),
        pytest.param(
            "RUN case $(uname -m) in x86_64) A=amd64 ;; armv7l) A=arm ;; esac; wget https://a.example/$A",
            "AP116",
            id="a missing branch",
        ),
    ],
)
def test_what_a_later_build_runs_is_found(body: str, code: str) -> None:
    report = check(parse(under(body)), load())
    assert code in {finding.code for finding in report.findings}
    assert not report.failures


def test_a_checksum_left_to_a_later_build_belongs_to_its_download() -> None:
    digest = "0123456789abcdef" * 4
    body = f"RUN curl -fsSLo /k {KUBECTL} && echo '{digest}  /k' | sha256sum -c -"
    codes = {finding.code for finding in check(parse(under(body)), load()).findings}
    assert "AP406" in codes
    assert "AP401" not in codes


def test_a_download_of_a_later_build_follows_it_where_nothing_else_names_the_architecture() -> None:
    source = under(f"RUN curl -fsSLo /usr/bin/kubectl {KUBECTL}")
    mended = source.replace(b"ONBUILD RUN", b"ONBUILD ARG TARGETARCH\nONBUILD RUN").replace(
        b"amd64", b"${TARGETARCH}"
    )
    assert fix(parse(source), load(), level=Applicability.SAFE).source == source
    assert fix(parse(source), load(), level=Applicability.UNSAFE).source == mended


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f"RUN curl -fsSLO {KUBECTL} && mv kubectl kubectl-x\nONBUILD RUN ls /amd64", id="in another RUN"),
        pytest.param(f"ADD {KUBECTL} /usr/bin/kubectl", id="an ADD"),
        pytest.param(
            "RUN curl -fsSLo /b https://github.com/bazelbuild/bazel/releases/download/7.4.1/bazel-7.4.1-linux-x86_64",
            id="a word that a case has to choose",
        ),
    ],
)  # fmt: skip
def test_other_downloads_of_a_later_build_are_told_and_left_as_they_are(body: str) -> None:
    source = under(body)
    assert fix(parse(source), load(), level=Applicability.UNSAFE).source == source


def test_an_option_is_taken_away_from_what_a_later_build_runs() -> None:
    source = under("RUN ./configure --build=x86_64-linux-gnu --prefix=/usr && make")
    mended = fix(parse(source), load(), level=Applicability.UNSAFE).source
    assert mended == source.replace(b" --build=x86_64-linux-gnu", b"")


def test_both_architectures_left_to_a_later_build_are_fine() -> None:
    body = f"RUN curl -fsSLo /k {KUBECTL}\nONBUILD RUN curl -fsSLo /k2 {KUBECTL.replace('amd64', 'arm64')}"
    codes = {finding.code for finding in check(parse(under(body)), load()).findings}
    assert "AP401" not in codes


def test_no_fix_of_what_a_later_build_runs_is_safe() -> None:
    source = b"FROM golang:1.22\n%sRUN GOARCH=amd64 go build -o /app .\n%sENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n"
    now, later = (source % (word, word) for word in (b"", b"ONBUILD "))
    assert fix(parse(now), load(), level=Applicability.SAFE).source.count(b"${TARGETARCH}") == 2
    assert fix(parse(later), load(), level=Applicability.SAFE).source == later
    assert fix(parse(later), load(), level=Applicability.UNSAFE).source.count(b"${TARGETARCH}") == 2
