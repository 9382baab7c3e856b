"""Which pitfall a download is: each one is reported by one rule."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from archpatch.facts import Download, Facts, Family, PlatformKind
from archpatch.facts.suppressors import Suppressor, why_download_is_fine
from archpatch.facts.targets import others
from archpatch.platforms import arch_of
from archpatch.text import regex


class Pitfall(enum.Enum):
    """What is wrong with a download, the most telling first."""

    NO_ASSET = "the publisher has no such file for another architecture"
    TOO_OLD = "the version is older than the first one with such a file"
    CHECKSUM = "a literal checksum holds for one architecture alone"
    POOL = "a package of Ubuntu's archive, which has amd64 alone"
    PROTOC = "protoc, whose spelling no selector gives"
    SPELLING = "a selector is spelled as the publisher does not spell"
    LIBC = "the file for the other architecture is built for another libc"
    KNOWN = "a known file, hard-coded"
    UNKNOWN = "an unknown file, hard-coded"
    UNNAMED = "machine code, and the URL names no architecture"


# Packages by URL are the package rules' matter.
_PACKAGE_MANAGERS = frozenset(
    ["rpm", "yum", "dnf", "microdnf", "tdnf", "zypper", "apt", "apt-get", "pip", "pip3", "uv"]
)
# A shared library and an AppImage (an ELF program with its image behind it) are for one architecture, whatever their name.
_NATIVE = regex(r"\.(?:[Aa]pp[Ii]mage|so(?:\.\d+)*)$")
_PARTS = regex(r"[-._/]+")
_POOL = regex(r"https?://(?:[a-z.]+\.)?(?:archive|security)\.ubuntu\.com/ubuntu/pool/\S+_amd64\.deb$")


def downloads(facts: Facts, *wanted: Pitfall) -> Iterator[Download]:
    """The downloads that are one of these pitfalls and for which nothing speaks."""
    return (download for download, pitfall in facts.once(_judged) if pitfall in wanted)


def _judged(facts: Facts) -> tuple[tuple[Download, Pitfall], ...]:
    found = ((download, _pitfall(facts, download)) for download in facts.downloads)
    return tuple(
        (download, pitfall)
        for download, pitfall in found
        if pitfall is not None and _why_fine(facts, download, pitfall) is None
    )


def _why_fine(facts: Facts, download: Download, pitfall: Pitfall) -> Suppressor | None:
    if pitfall is Pitfall.SPELLING:  # a branch that chooses the word does not make it the right one
        guarded = Suppressor.GUARDED_BY_SELECTOR if download.only_on is not None else None
        return guarded or download.stage.why_fine
    if pitfall in (Pitfall.NO_ASSET, Pitfall.UNKNOWN) and _is_emulated(download):
        return Suppressor.EMULATED
    return why_download_is_fine(facts, download)


def _is_emulated(download: Download) -> bool:
    """Whether the image has an emulator for what is there for amd64 alone."""
    return any(stage.emulates for stage in (download.stage, *download.stage.feeds))


def lacking(facts: Facts, download: Download) -> tuple[str, ...]:
    """The architectures for which the file is not published at the version that is asked for."""
    match = download.match
    return tuple(arch for arch in others(facts) if match and match.published(arch) is False)


def _pitfall(facts: Facts, download: Download) -> Pitfall | None:
    if download.kind in _PACKAGE_MANAGERS or not others(facts):
        return None
    if download.stage.kind is PlatformKind.CONSTANT or download.stage.image_distro.family is Family.WINDOWS:
        return None  # the file fits the stage; what comes of the stage is another rule's matter
    if not download.hard_coded and not download.varies:
        return _named_nowhere(facts, download)
    found = _in_table(facts, download)
    if found is not None or download.varies:
        return found
    if _POOL.match(download.url):
        return Pitfall.POOL
    return Pitfall.UNKNOWN if download.match is None or not download.match.exact else Pitfall.KNOWN


def _named_nowhere(facts: Facts, download: Download) -> Pitfall | None:
    """A file whose URL names no architecture although it is for one."""
    match = download.match
    if match is not None and match.exact:
        return Pitfall.NO_ASSET if not match.tokens and lacking(facts, download) else None
    if not _NATIVE.search(download.file_name) or "\0" in download.url or _names_one(download.url):
        return None
    return None if (download.stage.index, _folder(download)) in facts.once(_told_apart) else Pitfall.UNNAMED


def _names_one(url: str) -> bool:
    return any(arch_of(part) for part in _PARTS.split(url.partition("://")[2].partition("/")[2]))


def _folder(download: Download) -> str:
    return download.url.rpartition("/")[0]


def _told_apart(facts: Facts) -> frozenset[tuple[int, str]]:
    """The folders, by the stage, out of which a file is fetched that names its architecture: the one that names none is
    for another one."""
    return frozenset((one.stage.index, _folder(one)) for one in facts.downloads if _names_one(one.url))


def _in_table(facts: Facts, download: Download) -> Pitfall | None:
    match = download.match
    if match is not None and match.exact and not match.asset.neutral:
        gone = lacking(facts, download)
        if any(match.asset.spell(arch) is None for arch in gone):
            return Pitfall.NO_ASSET
        if gone:
            return Pitfall.TOO_OLD
    if download.digests and download.tokens:
        return Pitfall.CHECKSUM
    if match is None or not match.exact or (download.varies and not _misspelled(facts, download)):
        return None
    if match.asset.tool == "protoc":
        return Pitfall.PROTOC
    if download.varies:
        return Pitfall.SPELLING
    return Pitfall.LIBC if match.asset.libc else None


def _misspelled(facts: Facts, download: Download) -> bool:
    """Whether the URL of another target names the architecture as the publisher does not."""
    if download.match is None:
        return False
    own = download.match.asset.spell("amd64") or ()
    if any(token.text != own[token.place] for token in download.tokens):
        return True
    for target, url in download.urls:
        expected = download.match.asset.spell(target.arch)
        found = facts.tables.asset(url)
        if expected is None or found is None or found.asset != download.match.asset:
            continue
        words = {token.place: url[token.start : token.end] for token in found.tokens}
        if any(word != expected[place] and "\0" not in word for place, word in words.items()):
            return True
    return False
