"""What findings say, where it hangs on what else is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.checking import Settings
from archpatch.engine import check
from archpatch.registry import load
from archpatch.syntax.parse import parse


def said(code: str, text: str) -> str:
    """The message of the only finding of a rule."""
    report = check(parse(text.encode(), Path("Dockerfile")), load(), Settings(select=(code,)))
    (finding,) = report.findings
    return finding.message


@pytest.mark.parametrize(("image", "of_ubuntu"), [("ubuntu:22.04", True), ("debian:12", False)])
@pytest.mark.parametrize("asked", ["apt-get install -y zlib1g:i386", "dpkg --add-architecture i386"])
def test_ubuntus_mirror_is_named_where_it_may_be_asked(image: str, of_ubuntu: bool, asked: str) -> None:
    message = said("AP305", f"FROM {image}\nRUN {asked}\n")
    assert ("Ubuntu's mirror" in message) is of_ubuntu
    assert message.endswith("its programs do not run.")


@pytest.mark.parametrize(("image", "lacks"), [("osrf/ros:humble-desktop", True), ("ros:humble", False)])
def test_a_pin_on_an_image_without_arm64_says_so(image: str, lacks: bool) -> None:
    message = said("AP102", f"FROM --platform=linux/amd64 {image}\n")
    assert ("Its base has no arm64" in message) is lacks


def test_an_old_version_is_told_from_a_new_one() -> None:
    message = said(
        "AP204", "FROM continuumio/miniconda3:4.9.2-alpine AS a\nFROM continuumio/miniconda3:4.12.0\n"
    )
    assert message.startswith("`continuumio/miniconda3:4.9.2-alpine` has no arm64")


GOSU = "https://github.com/tianon/gosu/releases/download/1.17/"


@pytest.mark.parametrize(
    ("url", "digest", "told"),
    [
        pytest.param(
            GOSU + "gosu-amd64",
            "a" * 64,
            f" `curl -fsSL {GOSU}gosu-arm64 | sha256sum` gives that of arm64's file; "
            f"gosu publishes them in {GOSU}SHA256SUMS.",
            id="a file of the table",
        ),
        pytest.param(
            "https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-x64.tar.gz",
            "b" * 128,
            " `curl -fsSL https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-arm64.tar.gz | sha512sum` gives that of "
            "arm64's file; node publishes them in https://nodejs.org/dist/v20.1.0/SHASUMS256.txt.",
            id="a longer digest",
        ),
        pytest.param("https://a.example/tool-amd64.tgz", "c" * 64, "", id="a file that nobody knows"),
        pytest.param(GOSU.replace("1.17", "$V") + "gosu-amd64", "d" * 64, " gosu publishes them in SHA256SUMS.", id="a version that nobody knows"),
    ],
)  # fmt: skip
def test_a_checksum_comes_with_the_command_that_gives_the_other_one(url: str, digest: str, told: str) -> None:
    sums = "sha512sum" if len(digest) == 128 else "sha256sum"
    message = said("AP406", f'FROM debian\nRUN curl -fsSLo /t {url} && echo "{digest}  /t" | {sums} -c\n')
    assert message.endswith("holds for one architecture alone." + told)


def test_the_other_checksum_is_that_of_the_url_the_file_makes() -> None:
    text = f'FROM debian\nARG TARGETARCH\nRUN curl -fsSLo /t https://a.example/t-$TARGETARCH && echo "{"e" * 40}  /t" | sha1sum -c\n'
    assert said("AP406", text).endswith(
        " `curl -fsSL https://a.example/t-arm64 | sha1sum` gives that of arm64's file."
    )


@pytest.mark.parametrize(
    "question",
    ['[[ "$(uname -m)" == *arm* ]]', '[[ "$(uname -m)" =~ ^arm ]]', "uname -m | grep -q arm"],
)
def test_a_question_for_arm_that_uname_answers_for_32_bits_alone_leaves_arm64_to_the_default(
    question: str,
) -> None:
    text = (
        f"FROM debian\nRUN if {question}; then A=arm64; else A=amd64; fi && wget https://a.example/t-$A.tgz\n"
    )
    assert said("AP116", text).startswith(
        "For arm64 no branch is taken but the default, which sets A to amd64"
    )
    assert not check(parse(text.replace("uname -m", "dpkg --print-architecture").encode()), load()).findings


@pytest.mark.parametrize("question", ["[[ $(uname -m) =~ ^arm64$ ]]", "uname -m | grep -q arm64"])
def test_an_expression_that_uname_never_answers_is_named(question: str) -> None:
    message = said("AP115", f"FROM debian\nRUN if {question}; then apt-get install -y gcc; fi\n")
    assert message.startswith("uname -m is never")
    assert "it says `aarch64`" in message


@pytest.mark.parametrize(
    ("uses", "begins"),
    [
        ("COPY bin/linux/${GOARCH}/app /app", "GOARCH is amd64 on every platform"),
        ("RUN go build -o /app", "Go builds for amd64"),
    ],
)
def test_go_is_named_where_it_builds_something(uses: str, begins: str) -> None:
    assert said("AP601", f"FROM golang:1.23\nARG GOARCH=amd64\n{uses}\n").startswith(begins)


def test_checksums_of_release_notes_are_no_file_beside_the_download() -> None:
    url = "https://github.com/aptible/supercronic/releases/download/v0.2.33/supercronic-linux-amd64"
    message = said("AP406", f'FROM debian\nRUN wget -O /s {url} && echo "{"a" * 40}  /s" | sha1sum -c\n')
    assert message.endswith("supercronic publishes them in the release notes.")


def test_a_folder_that_is_called_by_a_files_digest_has_no_other_one() -> None:
    for digest in ("0f" * 16, "0f" * 30, "0f" * 32):
        message = said("AP402", f"FROM debian\nRUN wget https://a.example/{digest}/tool_amd64.deb\n")
        assert message.endswith("lies in a folder of its own.")
    assert "spelled arm64" in said(
        "AP402", f"FROM debian\nRUN wget https://a.example/{'0f' * 20}/tool_amd64.deb\n"
    )


def test_a_repository_package_without_an_architecture_says_why_it_is_for_one() -> None:
    url = "https://download.postgresql.org/pub/repos/yum/reporpms/EL-9-x86_64/pgdg-redhat-repo-latest.noarch.rpm"
    assert said("AP309", f"FROM rockylinux:9\nRUN dnf install -y {url}\n").endswith(
        "it brings the key for the packages of that architecture alone."
    )
