"""Image references, and the distribution that their names tell."""

from __future__ import annotations

import pytest

from archpatch.facts import Family, parse_image
from archpatch.facts.distro import distro_of_image
from tests.facts.build import facts_of, last


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("python", ("docker.io", "library/python", None, None)),
        ("python:3.12-alpine", ("docker.io", "library/python", "3.12-alpine", None)),
        ("org/tool@sha256:ab", ("docker.io", "org/tool", None, "sha256:ab")),
        ("docker.io/library/python:3@sha256:ab", ("docker.io", "library/python", "3", "sha256:ab")),
        ("index.docker.io/org/x", ("docker.io", "org/x", None, None)),
        ("ghcr.io/a/b/c:1", ("ghcr.io", "a/b/c", "1", None)),
        ("localhost/x", ("localhost", "x", None, None)),
        ("127.0.0.1:5000/x", ("127.0.0.1:5000", "x", None, None)),
        ("127.0.0.1:5000/x:2", ("127.0.0.1:5000", "x", "2", None)),
        ("${REG:-a.io/b}/x:${V:-1:2}", ("${REG:-a.io/b}", "x", "${V:-1:2}", None)),
    ],
)
def test_the_parts_of_a_reference(text: str, parts: tuple[str | None, ...]) -> None:
    ref = parse_image(text)
    assert (ref.registry, ref.repository, ref.tag, ref.digest) == parts
    assert ref.known == ("$" not in text)


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("docker.io/library/python:3", "python:3"),
        ("org/x", "org/x"),
        ("quay.io/a/b@sha256:c", "quay.io/a/b@sha256:c"),
    ],
)
def test_a_reference_has_a_familiar_name(text: str, familiar: str) -> None:
    assert parse_image(text).familiar == familiar


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (
            "FROM --platform=linux/amd64 ghcr.io/o/x:1-amd64@sha256:ab AS y",
            ("ghcr.io", "o/x", "1-amd64", "sha256:ab"),
        ),
        ('FROM "python:3"', (None, "python", "3", None)),
        ("ARG V=1\nFROM python:${V}-slim", (None, "python", None, None)),
        ("ARG R=ghcr.io\nFROM $R/o/x:3", (None, "o/x", "3", None)),
        ("ARG I=python:3\nFROM $I", (None, None, None, None)),
    ],
)
def test_the_parts_stand_where_they_are_written(text: str, spans: tuple[str | None, ...]) -> None:
    facts = facts_of(text)
    assert facts.final is not None
    ref = facts.final.image
    assert ref is not None
    found = (ref.registry_span, ref.repository_span, ref.tag_span, ref.digest_span)
    assert tuple(span and span.of(facts.document.source).decode() for span in found) == spans


def test_an_unknown_variable_stays_as_written() -> None:
    image = last("ARG V\nARG P=3\nFROM python:${P}.${V}-alpine\n").image
    assert image is not None
    assert image.tag == "3.${V}-alpine"
    assert not image.known


def test_an_image_that_differs_by_target_keeps_the_variable() -> None:
    stage = last("FROM tool:1-${TARGETARCH}\n")
    assert stage.image is not None
    assert stage.image.tag == "1-${TARGETARCH}"
    refs = [stage.image_for(target) for target in stage.facts.targets]
    assert [ref.tag for ref in refs if ref] == ["1-amd64", "1-arm64"]


A, D, R, W, L, U = (
    Family.ALPINE,
    Family.DEBIAN,
    Family.RPM,
    Family.WINDOWS,
    Family.DISTROLESS,
    Family.UNKNOWN,
)


@pytest.mark.parametrize(
    ("image", "family", "name", "release", "musl"),
    [
        ("alpine:3.20", A, "alpine", "3.20", True),
        ("python:3.12-alpine3.19", A, "alpine", "3.19", True),
        ("node:20-alpine", A, "alpine", None, True),
        ("org/alpine-node", A, "alpine", None, True),
        ("docker.io/library/golang:1.22-alpine", A, "alpine", None, True),
        ("debian:bookworm-slim", D, "debian", "bookworm", False),
        ("debian:12", D, "debian", "12", False),
        ("ubuntu:22.04", D, "ubuntu", "22.04", False),
        ("buildpack-deps:jammy", D, "ubuntu", "jammy", False),
        ("python:3.12", D, "debian", None, False),
        ("python:3.12-slim-bullseye", D, "debian", "bullseye", False),
        ("public.ecr.aws/docker/library/python:3.12-slim", D, "debian", None, False),
        ("nvidia/cuda:12.2.0-devel-ubuntu22.04", D, "ubuntu", "22.04", False),
        ("nvidia/cuda:12.2.0-devel-ubi8", R, "ubi", None, False),
        ("golang", D, "debian", None, False),
        ("rust:1.70", D, "debian", None, False),
        ("buildpack-deps:eoan", D, "ubuntu", "eoan", False),
        ("eclipse-temurin:17", D, "ubuntu", None, False),
        ("fedora:40", R, "fedora", "40", False),
        ("rockylinux:9", R, "rocky", "9", False),
        ("quay.io/centos/centos:stream9", R, "centos", None, False),
        ("registry.access.redhat.com/ubi9/ubi-minimal", R, "ubi", None, False),
        ("amazonlinux:2", R, "amazon", "2", False),
        ("public.ecr.aws/lambda/python:3.12", R, "amazon", None, False),
        ("photon:5.0", R, "photon", "5.0", False),
        ("opensuse/leap:15.5", R, "opensuse", "15.5", False),
        ("gcr.io/distroless/static", L, "debian", None, False),
        ("gcr.io/distroless/cc-debian12:nonroot", L, "debian", "12", False),
        ("cgr.dev/chainguard/python:latest", L, "wolfi", None, False),
        ("cgr.dev/chainguard/python:latest-dev", A, "wolfi", None, False),
        ("cgr.dev/chainguard/wolfi-base", A, "wolfi", None, False),
        ("mcr.microsoft.com/dotnet/sdk:8.0", D, "debian", None, False),
        ("mcr.microsoft.com/dotnet/sdk:10.0", D, "ubuntu", None, False),
        ("mcr.microsoft.com/dotnet/sdk:8.0-alpine", A, "alpine", None, True),
        ("mcr.microsoft.com/dotnet/aspnet:8.0-jammy", D, "ubuntu", "jammy", False),
        ("mcr.microsoft.com/dotnet/aspnet:9.0-noble-chiseled", L, "ubuntu", "noble", False),
        ("mcr.microsoft.com/dotnet/aspnet:8.0-azurelinux3.0", R, "azurelinux", None, False),
        ("mcr.microsoft.com/windows/servercore:ltsc2022", W, "windows", None, None),
        ("mcr.microsoft.com/dotnet/sdk:8.0-nanoserver-ltsc2022", W, "windows", None, None),
        ("golang:1.22-windowsservercore", W, "windows", None, None),
        ("busybox:musl", U, "busybox", None, True),
        ("busybox", U, "busybox", None, None),
        ("org/whatever:1", U, "", None, None),
    ],
)
def test_the_distribution_that_a_name_tells(
    image: str, family: Family, name: str, release: str | None, musl: bool | None
) -> None:
    found = distro_of_image(parse_image(image))
    assert (found.family, found.name, found.release, found.musl) == (family, name, release, musl)


def test_scratch_is_a_family_of_its_own() -> None:
    assert last("FROM scratch AS x\nFROM x\n").distro.family is Family.SCRATCH


@pytest.mark.parametrize(
    ("commands", "family"),
    [
        ("apk add x", A),
        ("apt-get update && apt-get install x", D),
        ("dnf install x", R),
        ("apt-get install x || apk add x", U),
        ("pip install x", U),
    ],
)
def test_package_managers_tell_where_the_name_does_not(commands: str, family: Family) -> None:
    assert last(f"FROM org/tool\nRUN {commands}\n").distro.family is family
