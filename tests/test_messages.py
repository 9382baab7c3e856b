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
