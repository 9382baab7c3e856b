"""Which files of an image may hold code of another machine: data, firmware, sysroots of cross compilers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from archpatch.platforms import arch_words
from archpatch.verify.rootfs import Rootfs

# Globs on paths from the image's root; `**` crosses folders. Each names files that no program of the image runs.
BUILT_IN = (
    "lib/firmware/**", "usr/lib/firmware/**", "lib/modules/**", "usr/lib/modules/**", "boot/**", "**/*.ko",
    "usr/lib/grub/**", "usr/share/qemu/**", "**/syslinux/**", "usr/lib/EFI/**",
    "**/testdata/**", "**/test_data/**", "**/tests/data/**", "**/test/fixtures/**", "**/tests/fixtures/**",
    # sysroots and tools of cross compilers: /usr/aarch64-linux-gnu, /usr/lib/gcc-cross, /opt/x-linux-musl-cross
    "usr/*-linux-gnu*/**", "usr/*-linux-musl*/**", "usr/lib/gcc-cross/**", "**/*-linux-musl-cross/**",
    "**/*-linux-musl*/lib/**", "**/*cross-toolchain*/**",
    # node-gyp-build: one file for each platform, the right one picked at run time
    "**/node_modules/**/prebuilds/**",
    "**/pkg/tool/*_*/**",  # Go's tools, kept for each target
    "usr/bin/qemu-*-static", "usr/bin/qemu-*", "usr/libexec/qemu-binfmt/**", "dev/.buildkit_qemu_emulator",
)  # fmt: skip
# Libraries that the host's driver brings into the container.
FROM_HOST = re.compile(r"lib(cuda|nvidia-[a-z-]+|nvcuvid|nvoptix|GLX_nvidia|EGL_nvidia)\.so(\.\d+)*")
_MULTIARCH = re.compile(r"(usr/)?(local/)?lib(64)?/[^/]*-linux-(gnu|musl)")


@lru_cache(maxsize=32)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_translated, globs)), re.DOTALL)


def _translated(glob: str) -> str:
    """`**` crosses folders (`**/` may be nothing), `*` and `?` do not."""
    out, at = "", 0
    glob = glob.lstrip("/")
    while at < len(glob):
        if glob.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif glob[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif glob[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(glob[at]), at + 1
    return out


@dataclass(frozen=True, slots=True)
class Exemptions:
    """Globs of files that may be foreign: the built-in ones and the user's."""

    globs: tuple[str, ...] = BUILT_IN

    @classmethod
    def also(cls, globs: Iterable[str]) -> Exemptions:
        """The built-in ones and `globs`."""
        return cls((*BUILT_IN, *globs))

    def covers(self, path: str) -> bool:
        """Whether `path` (from the image's root, no leading slash) is allowed to be foreign."""
        return _pattern(self.globs).fullmatch(path) is not None


@dataclass(slots=True)
class Siblings:
    """Packages that ship code for several platforms: `runtimes/linux-x64/`, `attach_linux_amd64.so`."""

    rootfs: Rootfs
    arch: str
    _known: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        """Whether `path` names another architecture and the same file or folder for `arch` stands beside it.

        Debian's multiarch folders are not such: what stands there was installed or copied for this image.
        """
        if _MULTIARCH.match(path):
            return False
        parts = path.split("/")
        for depth, part in enumerate(parts):
            words = [word for word in arch_words(part) if word.arch != self.arch]
            if words:
                own = self._own("/".join(parts[:depth]))
                if any((part[: word.start], part[word.end :]) in own for word in words):
                    return True
        return False

    def _own(self, folder: str) -> frozenset[tuple[str, str]]:
        """What stands around the word for `arch` in the names of a folder."""
        if folder not in self._known:
            self._known[folder] = frozenset(
                (name[: word.start], name[word.end :])
                for name in self.rootfs.names(folder)
                for word in arch_words(name)
                if word.arch == self.arch
            )
        return self._known[folder]
