"""Images of other publishers that are known to have no arm64, by their versions (AP204)."""

from __future__ import annotations

import pytest

from archpatch.engine import check
from archpatch.registry import load
from archpatch.syntax.parse import parse

RULES = tuple(rule for rule in load() if rule.code == "AP204")


@pytest.mark.parametrize(
    ("image", "lacks"),
    [
        ("hashicorp/terraform:1.2.3", True),
        ("hashicorp/terraform:1.4.3", False),
        ("hashicorp/terraform:latest", False),
        ("nvidia/cuda:10.2-base-ubuntu18.04", True),
        ("nvidia/cuda:12.4.1-runtime-ubuntu22.04", False),
        ("selenium/standalone-chrome:3.141.59", True),
        ("selenium/standalone-chrome:4.16.1-20231219", True),
        ("selenium/standalone-chrome", False),
        ("mcr.microsoft.com/azure-functions/python:3.0-python3.8", True),
        ("mcr.microsoft.com/azure-functions/python:4-python3.11", False),
        ("gvenzl/oracle-xe:21-slim", True),
        ("gvenzl/oracle-free:23-slim", False),
        ("openjdk:11-jdk-alpine", True),
        ("openjdk:11-jdk", False),
        ("openjdk:8-jdk-alpine", False),
        ("adoptopenjdk/openjdk11:alpine", True),
        ("adoptopenjdk/openjdk8:jdk8u265-b01-alpine-slim", True),
        ("adoptopenjdk/openjdk11:jre-11.0.9.1_1", False),
        ("adoptopenjdk/maven-openjdk11", False),
    ],
)
def test_an_image_lacks_arm64_before_the_version_that_its_publisher_names(image: str, lacks: bool) -> None:
    found = check(parse(f"FROM {image}\n".encode()), RULES).findings
    assert [finding.code for finding in found] == ["AP204"] * lacks
