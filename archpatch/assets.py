"""What is known of the files that publishers offer for download, and which of them a URL names.

An Asset is a row of the table `downloads` (archpatch.tables reads it; docs/data.md explains the columns).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from archpatch.platforms import Convention
from archpatch.text import regex

UNKNOWN = "\0"

_PLACE = regex(r"\{([VvAB*])\}")
_SIGNATURES = (
    ".asc",
    ".sig",
    ".sha1",
    ".sha1sum",
    ".sha256",
    ".sha256sum",
    ".sha512",
    ".sha512sum",
    ".md5",
    ".md5sum",
    ".pem",
    ".minisig",
    ".sbom",
)
_ANY_ARCH = frozenset(
    word
    for convention in (
        Convention.DOCKER,
        Convention.UNAME,
        Convention.DPKG,
        Convention.JAVA,
        Convention.OS_MAVEN,
    )
    for word in (*convention.value.split(), "x86-64", "ARM64", "armv7")
)


class Asset(Struct, frozen=True):
    """A published file, one row of the table `downloads`.

    `words`: what stands for {A}, {B} on each architecture; no entry, no such file. `since`: `>=1.2` or
    `>1.2`, the first version with arm64, with `~` in front where no source says so; `?` where it is not known,
    empty where none is known without; ` <2.0` after it is the version from which on arm64's file has another name.
    `libc`: that of amd64 and of arm64 where they differ.
    """

    template: str
    tool: str
    words: tuple[tuple[str, tuple[str, ...]], ...]
    since: str = ""
    libc: tuple[str, ...] = ()
    checksum: str = ""
    note: str = ""

    @staticmethod
    @lru_cache(maxsize=4096)
    def read(cells: tuple[str, ...]) -> Asset:
        """The asset of a row, from the cells `template tool words since libc checksum note`."""
        template, tool, words, since, libc, checksum, note = (*cells, *[""] * 7)[:7]
        pairs = (word.partition("=") for word in words.split())
        spelled = tuple((arch, tuple(value.split(","))) for arch, _, value in pairs)
        return Asset(template, tool, spelled, since, tuple(libc.split()), checksum, note)

    def spell(self, arch: str) -> tuple[str, ...] | None:
        """What stands for {A} and {B}; None where there is no file for that architecture."""
        return next((words for name, words in self.words if name == arch), None)

    def arch_of(self, place: int, word: str) -> str | None:
        """The architecture that `word` means at {A} (0) or {B} (1)."""
        return next((name for name, words in self.words if words[place : place + 1] == (word,)), None)

    @property
    def neutral(self) -> bool:
        """A file that runs everywhere: named in the table so that nothing is said about it."""
        return not self.words


class Token(Struct, frozen=True):
    """A place in a URL (characters) where an architecture is spelled: {A} is 0, {B} is 1."""

    start: int
    end: int
    place: int


class Match(Struct, frozen=True):
    """A URL that a row claims. `exact` False: another file of the same publisher, which spells alike."""

    asset: Asset
    tokens: tuple[Token, ...]
    version: str | None  # as it stands in the URL; None where the URL names none, UNKNOWN in it where unknown
    exact: bool = True

    def published(self, arch: str) -> bool | None:
        """Whether the file exists for an architecture at the URL's version; None: nobody knows.

        A row that lists amd64 and arm64 alone says nothing of others.
        """
        if self.asset.spell(arch) is None:
            listed = {name for name, _ in self.asset.words}
            return False if arch == "arm64" or listed - {"amd64", "arm64", "386"} else None
        if arch == "amd64" or not self.asset.since or self.version in (None, "latest", "stable"):
            return True
        if self.asset.since == "?" or UNKNOWN in (self.version or ""):
            return None
        since = self.asset.since.removeprefix("~").partition(" ")[0]
        have, least = _numbers(self.version or ""), _numbers(since)
        if have is None or least is None:
            return None
        if self.renamed:
            return False
        return have >= least if since.startswith(">=") else have > least

    @property
    def renamed(self) -> bool:
        """Whether the version is one from which on the file for arm64 has another name."""
        _, _, until = self.asset.since.partition(" <")
        have, end = _numbers(self.version or ""), _numbers(until)
        return have is not None and end is not None and have >= end


def keys(url: str) -> tuple[str, ...]:
    """What the templates begin with that may claim a URL: the repository on GitHub, else the host."""
    host, _, path = _bare(url)[0].partition("/")
    if not path or UNKNOWN in host:
        return ()
    if host.lower() != "github.com":
        return (host + "/",)
    owner, _, rest = path.partition("/")
    return (f"{host}/{owner}/{rest.partition('/')[0]}/", f"{host}/{owner}/{{")


def match(assets: Sequence[Asset], url: str) -> Match | None:
    """The asset that claims a URL, the one with the longest fixed text where there are more.

    Of two rows with one template that of the URL's version counts, and the later one where the version is not known.
    """
    text, skip = _bare(url)
    found = [match for asset in assets if (match := fits(asset, text, skip))]
    if found:
        return max(found, key=_rank)
    return _kin(assets, text, skip) if text[:11].lower() == "github.com/" else None


def _rank(match: Match) -> tuple[int, bool, bool]:
    fixed = len(_PLACE.sub("", match.asset.template))
    ends = " <" in match.asset.since
    return fixed, not match.renamed if ends else match.published("arm64") is not False, not ends


def _bare(url: str) -> tuple[str, int]:
    """A URL without scheme and `www.`, and how many characters that took."""
    text = url.replace("/releases/latest/download/", "/releases/download/latest/")  # the same length
    start = re.match(r"(?:https?://)?(?:www\.)?", text)
    skip = start.end() if start else 0
    return text[skip:], skip


def fits(asset: Asset, text: str, skip: int = 0) -> Match | None:
    """Whether `text`, a URL without scheme, is of this asset; `skip` is added to the places of its tokens."""
    parts, places = _split(asset.template)
    ends = (text, _unsigned(text)) if text.endswith(_SIGNATURES) or "?" in text or "#" in text else (text,)
    for end in ends:
        if (spans := _between(parts, end)) is None:
            continue
        if "}{" in asset.template or not _plausible(asset, places, spans, end):
            spans = _search(asset, end)
        if spans is not None and _plausible(asset, places, spans, end):
            break
    else:
        return None
    tokens = tuple(
        Token(skip + a, skip + b, "AB".index(kind))
        for kind, (a, b) in zip(places, spans, strict=True)
        if kind in "AB"
    )
    versions = [text[a:b] for kind, (a, b) in zip(places, spans, strict=True) if kind in "vV"]
    known = [version for version in reversed(versions) if UNKNOWN not in version]
    return Match(asset, tokens, next(iter(known or versions), None))


@lru_cache(maxsize=4096)
def _split(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fixed texts of a template, and the letters of the places between them."""
    pieces = _PLACE.split(template)
    return tuple(pieces[::2]), tuple(pieces[1::2])


def _unsigned(text: str) -> str:
    """A URL without query, fragment and the ending of a signature or checksum beside the file."""
    text = text.partition("?")[0].partition("#")[0]
    return text[: text.rfind(".")] if text.endswith(_SIGNATURES) else text


def _between(parts: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """The spans between fixed texts, each text taken where it first occurs; a pattern would cost 1 ms to compile."""
    head, last = parts[0], parts[-1]
    if text[: len(head)].lower() != head.lower() or (len(parts) == 1 and len(text) != len(head)):
        return None
    spans, at = [], len(head)
    for part in parts[1:-1]:
        found = text.find(part, at)
        if found < 0:
            return None
        spans.append((at, found))
        at = found + len(part)
    if len(parts) > 1:
        end = len(text) - len(last)
        if end < at or not text.endswith(last):
            return None
        spans.append((at, end))
    return spans


def _search(asset: Asset, text: str) -> list[tuple[int, int]] | None:
    """The same by a pattern, where two places stand side by side."""
    found = _pattern(asset).fullmatch(text)
    return [found.span(number) for number in range(1, len(found.groups()) + 1)] if found else None


@lru_cache(maxsize=256)
def _pattern(asset: Asset) -> re.Pattern[str]:
    parts, places = _split(asset.template)
    pattern = re.escape(parts[0])
    for kind, part in zip(places, parts[1:], strict=True):
        words = {spelled["AB".index(kind)] for _, spelled in asset.words} | _ANY_ARCH if kind in "AB" else ()
        inner = "|".join(sorted(map(re.escape, words), key=len, reverse=True)) if words else r"[^/\s]*?"
        pattern += f"({inner}){re.escape(part)}"
    return re.compile(pattern, re.IGNORECASE)


def _plausible(asset: Asset, places: Sequence[str], spans: Sequence[tuple[int, int]], text: str) -> bool:
    """Whether what stands at each place can stand there."""
    for kind, (start, end) in zip(places, spans, strict=True):
        part = text[start:end]
        if kind == "v" and not part.removeprefix("v").startswith((*"0123456789", UNKNOWN, "latest")):
            return False
        if (
            kind in "AB"
            and asset.arch_of("AB".index(kind), part) is None
            and part not in {*_ANY_ARCH, UNKNOWN}
        ):
            return False
        if "/" in part or (kind == "V" and not part):
            return False
    return True


def _kin(rows: Sequence[Asset], text: str, skip: int) -> Match | None:
    """A file that no row names, of a publisher whose rows all spell its token alike: `.tar.xz` for `.tar.gz`."""
    name = text.rfind("/") + 1
    if text.endswith((".deb", ".rpm", ".apk")):  # spelled as the package manager does
        return None
    found: list[tuple[Asset, re.Match[str]]] = []
    for asset in rows:
        ours, theirs = asset.spell("amd64"), asset.spell("arm64")
        if not ours or not theirs or not ours[0] or len(ours) > 1:
            continue
        token = re.search(rf"(?<![A-Za-z0-9]){re.escape(ours[0])}(?![A-Za-z0-9])", text[name:])
        if token:
            found.append((asset, token))
    if not found or len({(asset.spell("arm64"), token.span()) for asset, token in found}) > 1:
        return None
    asset, token = found[0]
    version = text.split("/")[5] if text.count("/") >= 6 else None
    return Match(
        asset, (Token(skip + name + token.start(), skip + name + token.end(), 0),), version, exact=False
    )


def _numbers(version: str) -> tuple[int, ...] | None:
    """`v1.2.3-rc1`, `py38_4.9.2`, `jq-1.6`, `>=1.2` as numbers to compare; None where there are none."""
    found = re.findall(r"(?<![A-Za-z0-9.])v?(\d+(?:\.\d+)*)", version)
    if not found:
        return None
    numbers = tuple(
        int(part) for part in max(found, key=lambda text: (text.count("."), len(text))).split(".")
    )
    return (*numbers, 0, 0, 0, 0)[: max(4, len(numbers))]
