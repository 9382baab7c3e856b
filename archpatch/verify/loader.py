"""Where the dynamic loaders of glibc and musl look for a library, played on the files of an image.

Sources: ld.so(8), musl's ldso/dynlink.c, Debian's multiarch folders. `/etc/ld.so.cache` is not read: the
configuration that it is made from is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from archpatch.platforms import Convention
from archpatch.verify.elf import MACHINES, Elf, Machine
from archpatch.verify.layers import Node
from archpatch.verify.rootfs import Rootfs

_MUSL_ITSELF = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet|c\.musl-[a-z0-9_]+)\.so(\.1)?")
_VARIABLE = re.compile(r"\$\{?(ORIGIN|LIB|PLATFORM)\}?")
_KERNEL_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "v7l", "386": "i686"}


@dataclass(frozen=True, slots=True)
class Library:
    """A file that a name resolved to."""

    path: str
    elf: Elf


@dataclass(slots=True)
class Loader:
    """Resolves DT_NEEDED inside `rootfs`, for code of `arch` under the environment `env`."""

    rootfs: Rootfs
    arch: str
    env: Mapping[str, str]
    _default: tuple[str, ...] = ()
    _musl_default: tuple[str, ...] = ()
    _found: dict[tuple[str, str, bool], Library | None] = field(default_factory=dict)
    _musl_image: bool | None = None

    def __post_init__(self) -> None:
        triplet = Convention.GNU.spell(self.arch)
        configured = tuple(dict.fromkeys(self._configured("etc/ld.so.conf", set())))
        multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
        self._default = (*configured, *multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
        self._musl_default = ("/lib", "/usr/local/lib", "/usr/lib")
        for name in self.rootfs.names("etc"):
            if name.startswith("ld-musl-") and name.endswith(".path"):
                node, _ = self.rootfs.file(f"etc/{name}")
                if node and node.text:
                    self._musl_default = tuple(path for path in re.split(r"[:\n]", node.text) if path)

    @property
    def machine(self) -> Machine | None:
        """The only machine whose files may be loaded."""
        return MACHINES.get(self.arch)

    @property
    def musl_image(self) -> bool:
        """Whether the image holds musl's loader and not glibc's."""
        if self._musl_image is None:
            names = {*self.rootfs.names("lib"), *self.rootfs.names("lib64"), *self.rootfs.names("usr/lib")}
            self._musl_image = any(name.startswith("ld-musl-") for name in names) and not any(
                name.startswith("ld-linux") for name in names
            )
        return self._musl_image

    def missing(self, path: str, elf: Elf, outer_rpath: tuple[str, ...] = ()) -> Iterator[str]:
        """The names that `elf`, opened as `path`, needs and the loader would not find."""
        for name, library in self.needed(path, elf, outer_rpath):
            if library is None:
                yield name

    def needed(
        self, path: str, elf: Elf, outer_rpath: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, Library | None]]:
        """Each DT_NEEDED with what it resolves to; `outer_rpath`: folders of the object that loads this one."""
        musl = self._is_musl(elf)
        for name in elf.needed:
            if musl and _MUSL_ITSELF.fullmatch(name) and self._musl_loader():
                continue
            if "/" in name:
                yield name, self._library(name.replace("$ORIGIN", "/" + posixpath.dirname(path)))
                continue
            own = self._own_folders(path, elf, outer_rpath, musl)
            yield name, self._in(own, name) or self._in_default(name, musl)

    def _own_folders(self, path: str, elf: Elf, outer_rpath: tuple[str, ...], musl: bool) -> tuple[str, ...]:
        environment = tuple(part for part in re.split("[:;]", self.env.get("LD_LIBRARY_PATH", "")) if part)
        if musl:
            return (*environment, *self.folders(path, elf), *outer_rpath)
        before = () if elf.runpath else (*self.expanded(path, elf.rpath), *outer_rpath)
        return (*before, *environment, *self.expanded(path, elf.runpath))

    def folders(self, path: str, elf: Elf) -> tuple[str, ...]:
        """The RUNPATH of a file, else its RPATH, with variables replaced."""
        return self.expanded(path, elf.runpath or elf.rpath)

    def expanded(self, path: str, folders: tuple[str, ...]) -> tuple[str, ...]:
        """Folders of an RPATH or RUNPATH with $ORIGIN, $LIB and $PLATFORM replaced, in every way they may be."""
        if not any("$" in folder for folder in folders):
            return folders
        real = self.rootfs.resolve(path)[1] or path
        triplet = Convention.GNU.spell(self.arch) or ""
        found: dict[str, None] = {}
        for folder in folders:
            for origin in ("/" + posixpath.dirname(path), "/" + posixpath.dirname(real)):
                for lib in ("lib", "lib64", f"lib/{triplet}"):
                    values = {
                        "ORIGIN": origin,
                        "LIB": lib,
                        "PLATFORM": _KERNEL_NAMES.get(self.arch, self.arch),
                    }
                    found[_replaced(folder, values)] = None
        return tuple(found)

    def _in(self, folders: tuple[str, ...], name: str) -> Library | None:
        return next((library for folder in folders if (library := self._library(f"{folder}/{name}"))), None)

    def _in_default(self, name: str, musl: bool) -> Library | None:
        key = (name, self.arch, musl)
        if key not in self._found:
            self._found[key] = self._in(self._musl_default if musl else self._default, name)
        return self._found[key]

    def _library(self, path: str) -> Library | None:
        """The ELF file of the right machine at `path`; others are passed over, as loaders do."""
        node, _ = self.rootfs.file(path)
        if node is None or node.elf is None or node.elf.machine != self.machine:
            return None
        return Library(posixpath.normpath(path).lstrip("/"), node.elf)

    def _is_musl(self, elf: Elf) -> bool:
        if elf.interpreter:
            return "ld-musl" in elf.interpreter
        if any(name.startswith(("libc.musl-", "ld-musl-")) for name in elf.needed):
            return True
        return "libc.so.6" not in elf.needed and self.musl_image

    def _musl_loader(self) -> bool:
        return any(name.startswith("ld-musl-") for name in self.rootfs.names("lib"))

    def _configured(self, path: str, seen: set[str]) -> Iterator[str]:
        """The folders that ld.so.conf names, includes followed, each file once."""
        node: Node | None
        node, real = self.rootfs.file(path)
        if node is None or not node.text or real in seen:
            return
        seen.add(real)
        for line in node.text.splitlines():
            line = line.split("#", 1)[0].strip()
            if line.startswith("include"):
                pattern = posixpath.join("/etc", line.removeprefix("include").strip())
                folder, glob = posixpath.split(pattern)
                for name in self.rootfs.names(folder):
                    if fnmatchcase(name, glob):
                        yield from self._configured(f"{folder}/{name}", seen)
            elif line.startswith("/"):
                yield from (part for part in re.split(r"[\s:,]+", line) if part)

    def loads(self, path: str) -> bool:
        """Whether a file of the right machine stands at `path`; $LIB and the like may stand in it."""
        return any(self._library(one) is not None for one in self.expanded("", (path,)))


def _replaced(folder: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values[match[1]], folder)
