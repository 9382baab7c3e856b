"""Images that are known to have no arm64, and on whose word."""

from __future__ import annotations

from typing import NamedTuple

from archpatch.facts import Facts, ImageRef
from archpatch.text import regex


class _Stated(NamedTuple):
    """What the publisher says of an image; `before`: the first version that has arm64, None where none has."""

    reason: str
    before: tuple[int, ...] | None = None


_SQL = _Stated("SQL Server for Linux is made for x86-64")
_ORACLE = _Stated("Oracle has no Express Edition for arm64")
_CHROME = _Stated("it stands on Google's Chrome for amd64")
_SELENIUM = _Stated("the publisher's images with Chrome have arm64 since 2026", (4, 40))
_FUNCTIONS = _Stated("versions 2 and 3 of Azure Functions have images for amd64 alone", (4, 0))
_MINICONDA = _Stated("the publisher's images have arm64 since 4.10.3", (4, 10, 3))
_ELASTIC = _Stated("Elastic has no images for arm64 before 7.8", (7, 8))
# Images outside of Docker's official ones. Sources: the publishers' pages; CM2Walki/steamcmd#43;
# osrf/docker_images#729 and #851; postgis/docker-postgis#371; pytorch/pytorch#145716; anaconda/docker-images#209;
# Azure/azure-functions-docker#224 and #402; browserless/browserless#3914; gvenzl/oci-oracle-xe#44;
# docker-library/docs#2243; hashicorp/terraform#32747; nextcloud/notify_push#157; NVIDIA/nvidia-docker#1290;
# puppeteer/puppeteer#10858; SeleniumHQ/docker-selenium#3187 (2026).
_STATED = {
    "cm2network/steamcmd": _Stated("Valve's steamcmd is made for x86"),
    "continuumio/anaconda3": _Stated("the publisher's images have arm64 since 2021.05", (2021, 5)),
    "continuumio/miniconda": _Stated("the publisher's images have arm64 for Python 3 alone"),
    "continuumio/miniconda3": _MINICONDA,
    "docker.elastic.co/elasticsearch/elasticsearch": _ELASTIC,
    "docker.elastic.co/elasticsearch/elasticsearch-oss": _ELASTIC,
    "docker.elastic.co/kibana/kibana": _ELASTIC,
    "docker.elastic.co/kibana/kibana-oss": _ELASTIC,
    "docker.elastic.co/logstash/logstash": _ELASTIC,
    "docker.elastic.co/logstash/logstash-oss": _ELASTIC,
    "ekidd/rust-musl-builder": _Stated("the publisher builds it for amd64 alone"),
    "ghcr.io/browserless/chrome": _CHROME,
    "ghcr.io/puppeteer/puppeteer": _CHROME,
    "gvenzl/oracle-xe": _ORACLE,
    "hashicorp/terraform": _Stated("the publisher's images have arm64 since 1.4.3", (1, 4, 3)),
    "mcr.microsoft.com/azure-functions/dotnet": _FUNCTIONS,
    "mcr.microsoft.com/azure-functions/java": _FUNCTIONS,
    "mcr.microsoft.com/azure-functions/node": _FUNCTIONS,
    "mcr.microsoft.com/azure-functions/powershell": _FUNCTIONS,
    "mcr.microsoft.com/azure-functions/python": _FUNCTIONS,
    "mcr.microsoft.com/mssql/server": _SQL,
    "mcr.microsoft.com/mssql/rhel/server": _SQL,
    "microsoft/mssql-server-linux": _SQL,
    "nvidia/cuda": _Stated("CUDA has images for arm64 since 11.0", (11, 0)),
    "osrf/ros": _Stated("the publisher builds it for amd64 alone, other than the official ros"),
    "postgis/postgis": _Stated("the publisher builds it for amd64 alone"),
    "pytorch/pytorch": _Stated("the publisher builds it for amd64 alone"),
    "selenium/node-chrome": _SELENIUM,
    "selenium/standalone-chrome": _SELENIUM,
    "wnameless/oracle-xe-11g-r2": _ORACLE,
}
# The list of official images has it no longer: Alpine's were early builds of the port to musl, for x86-64.
_OPENJDK_11 = regex(r"11(?:-ea(?:-\d+)?)?(?:-jdk)?-alpine(?:3\.\d+)?")
_VERSION = regex(r"\d+(?:\.\d+)+")


def why_no_arm64(facts: Facts, ref: ImageRef) -> str | None:
    """On whose word an image has no arm64; None where nothing says so."""
    if not ref.known or ref.digest is not None:
        return None
    stated = _STATED.get(ref.name)
    if stated is not None:
        return stated.reason if _is_before(ref.tag or "", stated.before) else None
    if ref.official and ref.name == "openjdk" and _OPENJDK_11.fullmatch(ref.tag or ""):
        return "the publisher built Java 11 on Alpine for amd64 alone"
    if ref.official and facts.tables.image_lacks_arm64(ref.name, ref.tag or "latest"):
        return "declared in the list of official images, not measured"
    return None


def _is_before(tag: str, first: tuple[int, ...] | None) -> bool:
    if first is None:
        return True
    version = _VERSION.match(tag)
    return version is not None and tuple(map(int, version[0].split("."))) < first
