"""The distribution family of an image, from its name: which package manager, which C library.

Sources: the tag conventions of Docker's official images (docker-library), of Microsoft's .NET images, of
distroless, Red Hat's UBI and Chainguard. Where a name says nothing, the package managers that a stage calls do.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from msgspec import Struct

from archpatch.facts.images import ImageRef
from archpatch.facts.managers import words_of
from archpatch.text import regex


class Family(enum.Enum):
    """Distributions that share a package manager and the layout of their libraries."""

    ALPINE = "alpine"  # apk: Alpine, Wolfi, Chainguard
    DEBIAN = "debian"  # apt: Debian, Ubuntu
    RPM = "rpm"  # dnf, yum, microdnf, tdnf, zypper
    DISTROLESS = "distroless"  # no package manager
    SCRATCH = "scratch"
    WINDOWS = "windows"
    UNKNOWN = "unknown"


class Distro(Struct, frozen=True):
    """`name` is the distribution (`debian`, `rocky`), `release` its version or code name, where the image says so.

    `musl`: whether its C library is musl; None where that is unknown.
    """

    family: Family
    name: str = ""
    release: str | None = None
    musl: bool | None = None


UNKNOWN = Distro(Family.UNKNOWN)
SCRATCH = Distro(Family.SCRATCH)
_WINDOWS = Distro(Family.WINDOWS, "windows")

_DEBIAN = ("bookworm", "bullseye", "buster", "stretch", "jessie", "trixie", "forky", "wheezy", "sid")
_UBUNTU = (
    *("noble", "jammy", "focal", "bionic", "xenial", "trusty"),
    *("resolute", "questing", "plucky", "oracular", "mantic", "lunar", "kinetic", "impish", "hirsute"),
    *("eoan", "disco", "cosmic", "artful", "zesty", "yakkety", "wily"),
)
_RPM_TAGS = regex(r"(?:^|[-_.])(ubi\d*|ubi\d+-minimal|centos\d*|rhel\d*|oraclelinux\d*|oracle|fedora|al20\d\d|amazonlinux\d*|rockylinux\d*|azurelinux[\d.]*|cbl-mariner[\d.]*|mariner|leap|opensuse|suse)(?![a-z])")  # fmt: skip
_ALPINE_TAG = regex(r"(?:^|[-_.+])alpine(?:-?linux)?-?(\d+\.\d+)?(?![a-z])")
_WINDOWS_TAG = regex(r"nanoserver|windowsservercore|windows-|ltsc20\d\d")
_RELEASE = regex(r"(?:^|[-_.])(" + "|".join((*_DEBIAN, *_UBUNTU)) + r")(?![a-z])")

# Repositories (without `library/`) that are a distribution themselves: name -> (family, distribution, musl).
_SYSTEMS = {
    "alpine": (Family.ALPINE, "alpine", True),
    "debian": (Family.DEBIAN, "debian", False),
    "ubuntu": (Family.DEBIAN, "ubuntu", False),
    "ubuntu-debootstrap": (Family.DEBIAN, "ubuntu", False),
    "buildpack-deps": (Family.DEBIAN, "debian", False),
    "kalilinux/kali-rolling": (Family.DEBIAN, "kali", False),
    "bitnami/minideb": (Family.DEBIAN, "debian", False),
    "phusion/baseimage": (Family.DEBIAN, "ubuntu", False),
    "linuxmintd/mint21-amd64": (Family.DEBIAN, "mint", False),
    "fedora": (Family.RPM, "fedora", False),
    "centos": (Family.RPM, "centos", False),
    "rockylinux": (Family.RPM, "rocky", False),
    "rockylinux/rockylinux": (Family.RPM, "rocky", False),
    "almalinux": (Family.RPM, "alma", False),
    "amazonlinux": (Family.RPM, "amazon", False),
    "oraclelinux": (Family.RPM, "oracle", False),
    "photon": (Family.RPM, "photon", False),
    "opensuse/leap": (Family.RPM, "opensuse", False),
    "opensuse/tumbleweed": (Family.RPM, "opensuse", False),
    "busybox": (Family.UNKNOWN, "busybox", None),
    "scratch": (Family.SCRATCH, "", None),
}

# Official images that stand on Debian (or Ubuntu) when the tag names nothing else.
_ON_DEBIAN = words_of(
    """python node golang rust ruby php perl openjdk gcc erlang elixir haskell julia r-base mono swipl pypy hylang
    postgres mariadb redis nginx httpd tomcat jetty cassandra rabbitmq memcached mongo ghost drupal wordpress joomla
    nextcloud matomo odoo redmine sonarqube jruby groovy maven gradle clojure dart haproxy varnish neo4j couchdb solr
    influxdb zookeeper flink spark storm logstash kibana"""
)
_ON_UBUNTU = words_of("eclipse-temurin swift mongo gradle maven solr spark flink ibmjava sapmachine tomcat")


def distro_of_image(ref: ImageRef) -> Distro:
    """What the name of an image says of its distribution."""
    name = ref.name.lower()
    last = name.rsplit("/", 1)[-1]
    tag = (ref.tag or "").lower()
    if _WINDOWS_TAG.search(f"{name}:{tag}") and "linux" not in tag:
        return _WINDOWS
    if "distroless" in name and not name.startswith("cgr.dev/"):
        return _distroless(last)
    if name.startswith(("cgr.dev/chainguard", "chainguard/")) or "wolfi" in last:
        return _chainguard(last, tag)
    if "mcr.microsoft.com/dotnet" in name:
        return _dotnet(tag)
    if alpine := _ALPINE_TAG.search(tag):
        return Distro(Family.ALPINE, "alpine", alpine[1], True)
    if release := _RELEASE.search(tag):
        return Distro(Family.DEBIAN, "debian" if release[1] in _DEBIAN else "ubuntu", release[1], False)
    if _SYSTEMS.get(last if ref.registry != "docker.io" else name) or name in _SYSTEMS:
        return _system(name if name in _SYSTEMS else last, tag)
    return _by_convention(ref, name, last, tag)


def _system(name: str, tag: str) -> Distro:
    family, distribution, musl = _SYSTEMS[name]
    if distribution == "busybox":
        return Distro(
            family, distribution, None, True if "musl" in tag else False if "glibc" in tag else None
        )
    number = re.match(r"\d+(\.\d+)?", tag)
    return Distro(family, distribution, number[0] if number else None, musl)


def _by_convention(ref: ImageRef, name: str, last: str, tag: str) -> Distro:
    if rpm := _RPM_TAGS.search(tag) or _RPM_TAGS.search(last):
        return Distro(Family.RPM, rpm[1].rstrip("0123456789-."), None, False)
    if "alpine" in re.split(r"[-_./]", name):
        return Distro(Family.ALPINE, "alpine", None, True)
    if re.search(r"(?:^|[-_.])ubuntu(?![a-z])", f"{last}:{tag}".replace(":", "-")):
        number = re.search(r"ubuntu-?(\d\d\.?\d\d)", f"{last}-{tag}")
        return Distro(Family.DEBIAN, "ubuntu", number[1] if number else None, False)
    if re.search(r"(?:^|[-_.])debian(?![a-z])", f"{last}-{tag}"):
        return Distro(Family.DEBIAN, "debian", None, False)
    if name.startswith("public.ecr.aws/lambda/"):
        return Distro(Family.RPM, "amazon", None, False)
    if not ref.official and not name.startswith("public.ecr.aws/docker/library/"):
        return Distro(Family.DEBIAN, "debian", None, False) if "slim" in tag.split("-") else UNKNOWN
    if "$" in tag:
        return UNKNOWN
    if last in _ON_UBUNTU and last not in _ON_DEBIAN:
        return Distro(Family.DEBIAN, "ubuntu", None, False)
    if last in _ON_DEBIAN:
        return Distro(Family.DEBIAN, "debian" if last not in _ON_UBUNTU else "", None, False)
    return UNKNOWN


def _distroless(last: str) -> Distro:
    release = re.search(r"debian(\d+)", last)
    return Distro(Family.DISTROLESS, "debian", release[1] if release else None, False)


def _chainguard(last: str, tag: str) -> Distro:
    if "wolfi-base" in last or "-dev" in tag or last == "wolfi":
        return Distro(Family.ALPINE, "wolfi", None, False)
    return Distro(Family.DISTROLESS, "wolfi", None, False)


def _dotnet(tag: str) -> Distro:
    """.NET: Debian up to 9 where nothing is named, Ubuntu from 10 on; `-chiseled` and `-distroless` have no shell."""
    if alpine := _ALPINE_TAG.search(tag):
        return Distro(Family.ALPINE, "alpine", alpine[1], True)
    release = _RELEASE.search(tag)
    code = release[1] if release else None
    if "chiseled" in tag:
        return Distro(Family.DISTROLESS, "ubuntu", code, False)
    if "azurelinux" in tag or "mariner" in tag:
        bare = "distroless" in tag
        return Distro(Family.DISTROLESS if bare else Family.RPM, "azurelinux", None, False)
    if code:
        return Distro(Family.DEBIAN, "debian" if code in _DEBIAN else "ubuntu", code, False)
    number = re.match(r"(\d+)", tag)
    if "$" in tag:
        return UNKNOWN
    return Distro(Family.DEBIAN, "ubuntu" if number and int(number[1]) >= 10 else "debian", None, False)


_MANAGERS = {
    "apk": Distro(Family.ALPINE),
    "apt": Distro(Family.DEBIAN, musl=False),
    "yum": Distro(Family.RPM, musl=False),
    "dnf": Distro(Family.RPM, musl=False),
    "microdnf": Distro(Family.RPM, musl=False),
    "tdnf": Distro(Family.RPM, musl=False),
    "zypper": Distro(Family.RPM, musl=False),
}


def distro_of_managers(managers: Iterable[str]) -> Distro:
    """What the package managers that a stage calls say; UNKNOWN when they contradict each other."""
    found = {_MANAGERS[manager].family: _MANAGERS[manager] for manager in managers if manager in _MANAGERS}
    return next(iter(found.values())) if len(found) == 1 else UNKNOWN
