"""Platforms, and how each convention of the field spells an architecture.

Sources: what BuildKit, dpkg, apk, rpm, Node and .NET say of themselves, the files of 2,122 packages of
aqua-registry, and containerd/platforms for what `--platform` accepts.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Self

from msgspec import Struct

from archpatch.text import regex


class UnknownPlatform(ValueError):
    """A text that names no platform; str() says what was wrong."""


# What containerd's platform parser folds into one name: value -> (arch, variant).
_ARCH_ALIASES = {
    "x86_64": ("amd64", ""), "x86-64": ("amd64", ""), "aarch64": ("arm64", ""), "i386": ("386", ""),
    "armhf": ("arm", "v7"), "armel": ("arm", "v6"), "arm": ("arm", "v7"),
}  # fmt: skip
_KNOWN_OS = ("linux", "windows", "darwin", "freebsd", "wasi")
ARCHES = ("amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le", "wasm")


class Platform(Struct, frozen=True, gc=False, order=True):
    """An OCI platform in normal form: `linux/arm64`, `linux/arm/v7`."""

    os: str
    arch: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a value of `--platform` as BuildKit does.

        Raises UnknownPlatform for what BuildKit rejects before it asks a registry.
        """
        parts = text.strip().lower().split("/")
        if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"[a-z0-9_.-]+", part) for part in parts):
            raise UnknownPlatform(f"{text!r} is no platform")
        if len(parts) == 1:
            if parts[0] in _KNOWN_OS:
                raise UnknownPlatform(f"{text!r} names a system and no architecture")
            if parts[0] not in ARCHES and parts[0] not in _ARCH_ALIASES:
                raise UnknownPlatform(f"{text!r} is neither a system nor an architecture")
            parts.insert(0, "linux")
        arch, variant = parts[1], parts[2] if len(parts) == 3 else ""
        arch, implied = _ARCH_ALIASES.get(arch, (arch, ""))
        variant = variant or implied
        if (arch, variant) in (("arm64", "v8"), ("amd64", "v1"), ("arm64", "8")):
            variant = ""
        return cls(parts[0], arch, variant)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.arch, self.variant) if part)


AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
DEFAULT_TARGETS = (AMD64, ARM64)


class Convention(enum.Enum):
    """Who spells an architecture how; each value is the words for the keys of `Platform.arch`/`variant`."""

    DOCKER = "amd64 arm64 arm 386 ppc64le s390x riscv64"  # TARGETARCH, GOARCH
    UNAME = "x86_64 aarch64 armv7l i686 ppc64le s390x riscv64"  # uname -m, arch
    DPKG = "amd64 arm64 armhf i386 ppc64el s390x riscv64"  # dpkg --print-architecture
    APK = "x86_64 aarch64 armv7 x86 ppc64le s390x riscv64"  # apk --print-arch
    RPM = "x86_64 aarch64 armv7hl i686 ppc64le s390x riscv64"  # rpm -E %_arch, $basearch
    NODE = "x64 arm64 arm ia32 ppc64 s390x riscv64"  # process.arch
    JAVA = "x64 aarch64 arm x86 ppc64le s390x riscv64"  # JDK downloads
    OS_MAVEN = "x86_64 aarch_64 arm_32 x86_32 ppcle_64 s390_64 riscv64"  # os-maven-plugin, protoc
    GNU = (
        "x86_64-linux-gnu aarch64-linux-gnu arm-linux-gnueabihf i386-linux-gnu powerpc64le-linux-gnu"
        " s390x-linux-gnu riscv64-linux-gnu"
    )  # Debian's multiarch folders
    RUST = (
        "x86_64-unknown-linux aarch64-unknown-linux armv7-unknown-linux i686-unknown-linux"
        " powerpc64le-unknown-linux s390x-unknown-linux riscv64gc-unknown-linux"
    )  # without the libc
    DOTNET = "linux-x64 linux-arm64 linux-arm linux-x86 linux-ppc64le linux-s390x linux-riscv64"  # RID
    DOTNET_MUSL = "linux-musl-x64 linux-musl-arm64 linux-musl-arm - - - -"
    CONDA = "linux-64 linux-aarch64 linux-armv7l linux-32 linux-ppc64le linux-s390x -"

    def spell(self, arch: str) -> str | None:
        """The word for an architecture named as in `Platform.arch`; None where there is none."""
        try:
            word = self.value.split()[_COLUMNS.index(arch)]
        except ValueError:
            return None
        return None if word == "-" else word

    def read(self, word: str) -> str | None:
        """The architecture that `word` means here, named as in `Platform.arch`."""
        words = self.value.split()
        return _COLUMNS[words.index(word)] if word in words and word != "-" else None


_COLUMNS = ("amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64")

# Words that mean one architecture wherever they stand alone as a token of a name, a path or a URL.
# Longer ones first; vendor oddities only where they cannot be an ordinary word.
_TOKENS = {
    "amd64": ("x86_64", "x86-64", "amd64", "x64", "linuxx64", "linux64", "64bit", "64-bit"),
    "arm64": ("aarch64", "aarch_64", "arm64v8", "arm64", "armv8"),
    "arm": ("arm-linux-gnueabihf", "armv7hl", "armv7l", "armv7", "armhf", "armv6", "arm32v7", "arm_32"),
    "386": ("i386", "i686", "ia32", "x86_32", "linux32"),
    "ppc64le": ("powerpc64le", "ppc64le", "ppc64el", "ppcle_64"),
    "s390x": ("s390x", "s390_64"),
    "riscv64": ("riscv64gc", "riscv64"),
}
_ARCH_OF = {word: arch for arch, words in _TOKENS.items() for word in words}
_TOKEN = regex(
    r"(?<![A-Za-z0-9])(?:" + "|".join(sorted(map(re.escape, _ARCH_OF), key=len, reverse=True)) + r")"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)


class ArchWord(Struct, frozen=True, gc=False):
    """An architecture named in a text, `start` and `end` counted in characters of that text."""

    start: int
    end: int
    text: str
    arch: str


@lru_cache(maxsize=4096)
def arch_words(text: str) -> tuple[ArchWord, ...]:
    """Every architecture named in `text`: `x86_64` in `tool-Linux_x86_64.tar.gz`, not `x64` in `x64dbg`."""
    return tuple(
        ArchWord(match.start(), match.end(), match[0], _ARCH_OF[match[0].lower()])
        for match in _TOKEN.finditer(text)
    )


# What a cross compiler builds for: gcc-x86_64-aarch64-linux-gnu.
_TOOLCHAIN = regex(r"(?<=[-_])(?:arm|aarch64|riscv\d*)-(?:linux|none|unknown|eabi|elf)[\w-]*")


def arches_in(texts: Iterable[str]) -> frozenset[str]:
    """The architectures that texts name; what a cross compiler builds for is none."""
    return frozenset(found.arch for text in texts for found in arch_words(_TOOLCHAIN.sub("", text)))


def arch_of(word: str) -> str | None:
    """The architecture (as in `Platform.arch`) that a whole word means in any convention, else None."""
    word = word.removeprefix("linux/").split("/")[0].lower()
    if word in ARCHES:
        return word
    if known := _ARCH_OF.get(word):
        return known
    return _spelled().get(word)


@cache
def _spelled() -> Mapping[str, str]:
    """What the words of all conventions mean; where two disagree, the first counts."""
    found: dict[str, str] = {}
    for convention in Convention:
        for arch, word in zip(_COLUMNS, convention.value.split(), strict=True):
            if word != "-":
                found.setdefault(word, arch)
    return found
