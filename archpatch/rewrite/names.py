"""How the name of a download is told again in other words: the places in a text that belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile

from archpatch.facts import Download
from archpatch.platforms import AMD64, ArchWord, arch_words
from archpatch.syntax.shell import ShellWord
from archpatch.text import regex

_ENDING = regex(r"(?:\.(?:tar|tgz|gz|xz|bz2|zst|zip|deb|rpm|txz|tbz2|sha\d+(?:sum)?|asc|sig|md5))+$")
_CLUSTER = regex(r"[A-Za-z0-9]+[-_.]$")
_BARE = regex(r"[A-Za-z0-9]+$")
_JOINT = regex(r"[-_.]")
_VERSION = regex(r"[-_]v?\d+\.\d+\S*[-_.]")
_TELLING = 8  # characters that no other name has by chance
_AFTER = regex(r"[-_][A-Za-z]+")


def parts_of(url: str) -> tuple[str, ...]:
    """The parts of a URL's path, the file's name without the ending of an archive."""
    path = url.partition("?")[0].split("/")[3:]
    return tuple(_ENDING.sub("", part) if at == len(path) - 1 else part for at, part in enumerate(path))


def same_folder(url: str, parts: Sequence[str]) -> bool:
    """Whether another URL lies beside the download: its signature, its checksums."""
    mine = parts_of(url)
    if not mine or not parts:
        return False  # a bare host
    return mine[:-1] == tuple(parts[:-1]) or parts[-1] in mine[-1]


def repeats(text: str, start: int, end: int, parts: Sequence[str]) -> bool:
    """Whether the part of a path around a word is one of the URL's, or holds the name of its file."""
    first = max(text.rfind(mark, 0, start) for mark in "/ =,:\"'^|(\n\t") + 1
    last = min((at for mark in "/ =,:\"'$|)\n\t" if (at := text.find(mark, end)) >= 0), default=len(text))
    part = _ENDING.sub("", text[first:last].replace("\\", ""))
    if len(part) > end - start and any(_joined(part) in _joined(other) for other in parts):
        return True
    if "*" in part and any(fnmatchcase(other, part) for other in parts):
        return True
    if any(_same_version(text[first:end], other, text[start:end]) for other in parts):
        return True
    return part in parts or (bool(parts) and parts[-1] in part and len(parts[-1]) > end - start)


def _same_version(name: str, other: str, word: str) -> bool:
    """Whether both begin with one word and have one version before the last: `tool-cli-1.2-linux-x64.zip` holds
    `tool-1.2-linux-x64`."""
    before, mine = other.rpartition(word)[0], name.removesuffix(word)
    if not mine or _JOINT.split(mine, maxsplit=1)[0] != _JOINT.split(before, maxsplit=1)[0]:
        return False
    return _share_version(mine, before)


def _share_version(name: str, other: str) -> bool:
    """Whether both end in one version: `jailer-v1.7.0-` and `firecracker-v1.7.0-`."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(reversed(name), reversed(other), strict=False))
    tail = "".join(one for one, _ in alike)[::-1]
    return _VERSION.search(tail) is not None


def others_named(values: Iterable[str], parts: Sequence[str]) -> list[str]:
    """The names of the files that lie elsewhere, of those values that are URLs."""
    urls = (value for value in values if "://" in value and not same_folder(value, parts))
    return [name for url in dict.fromkeys(urls) for name in parts_of(url)[-1:] if name]


def belongs(text: str, found: ArchWord, parts: Sequence[str], others: Sequence[str] | None = None) -> bool:
    """Whether an architecture in a word's value belongs to the name of the file; where the names of the `others` are
    given, what has its version but none of theirs does too."""
    if "://" in text:
        return same_folder(text, parts) and repeats(text, found.start, found.end, parts)
    if repeats(text, found.start, found.end, parts):
        return True
    return others is not None and _is_beside(text, found.start, found.end, parts, others)


def _is_beside(text: str, start: int, end: int, parts: Sequence[str], others: Iterable[str]) -> bool:
    """Whether the part of a path around a word is called as the file is but for its first word, and as none of the
    `others`: an archive `tool-1.2-amd64.tgz` holds `helper-1.2-amd64` too, in a folder `release-1.2-amd64`."""
    first = max(text.rfind(mark, 0, start) for mark in "/ =,:\"'^|(\n\t") + 1
    last = min((at for mark in "/ =,:\"'$|)\n\t" if (at := text.find(mark, end)) >= 0), default=len(text))
    name = _ENDING.sub("", text[first:last])
    if (
        not parts
        or name != text[first:end]
        or any(name in other or other in name for other in others if other)
    ):
        return False
    word = text[start:end]
    return parts[-1].endswith(word) and _share_version(name.removesuffix(word), parts[-1].removesuffix(word))


def _joined(part: str) -> str:
    """A name with one joint for all: what `tool-linux_x86_64.tgz` unpacks to may be called `linux-x86_64`."""
    return part.replace("-", "_")


def speaks_otherwise(word: ShellWord, places: Mapping[str, int]) -> bool:
    """Whether a word spells amd64 as the URL does not."""
    return any(one.arch == AMD64.arch and one.text not in places for one in arch_words(word.raw))


def own_words(texts: Iterable[str]) -> list[str]:
    """Those that are not one word for an architecture."""
    return [text for text in texts if text and [one.text for one in arch_words(text)] != [text]]


def spelled_out(value: str, texts: Sequence[str]) -> Iterator[ArchWord]:
    """Where a value has one of these texts within a longer name."""
    for text in texts:
        at = value.find(text)
        while at >= 0:
            end = at + len(text)
            if value[at - 1 : at].strip("/ ") or value[end : end + 1].strip("/ "):
                yield ArchWord(at, end, text, AMD64.arch)
            at = value.find(text, end)


def named_in(value: str, texts: Iterable[str]) -> Iterator[ArchWord]:
    """Every architecture in a value, spelled as the tool does or by one word."""
    yield from arch_words(value)
    yield from spelled_out(value, own_words(texts))


def joined_before(text: str, at: int) -> str:
    """What is joined to a word from the left: `linux-` of `tool-linux-amd64`; empty where nothing plain is."""
    before = _CLUSTER.search(text, max(0, at - 40), at)
    return before[0] if before else ""


def clusters(download: Download) -> set[str]:
    """The pieces of the file's name with the architecture in them: `linux-amd64`, `linux_amd64` for one of these,
    `amd64-static`, and `_amd64` of `tool_${V}_amd64`."""
    names: set[str] = set()
    for token in (one for one in download.tokens if one.text):
        before = _CLUSTER.search(download.url[: token.start])
        if len(token.text) > _TELLING and own_words([token.text]):
            names.add(token.text)
        if token.text[0] in "-_." and (bare := _BARE.search(download.url[: token.start])):
            names.add(bare[0] + token.text)
        if _follows_variable(download, token.start):
            names.add(download.url[token.start - 1] + token.text)
        if before:
            names.update(before[0][:-1] + joint + token.text for joint in {before[0][-1], "-", "_"})
        if after := _AFTER.match(download.url, token.end):
            names.add(token.text + after[0])
    return names


def _follows_variable(download: Download, start: int) -> bool:
    """Whether nothing but a joint stands between a variable and this place of the URL."""
    at = 0
    for piece in download.pieces:
        if at < start <= at + len(piece.text):
            return start - at == 1 and at > 0
        at += len(piece.text)
    return False
