"""What is wrong with a built image, told from its files alone: nothing of it is run.

A wrong or foreign code, B the program loader of an executable is missing, C a needed library is missing,
D what the container starts is missing or cannot be started.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from archpatch.platforms import Platform
from archpatch.rule import Severity
from archpatch.verify.elf import EXEC, HOST_MACHINES, MACHINES, REL, SIBLINGS, Elf
from archpatch.verify.exempt import FROM_HOST, Exemptions, Siblings
from archpatch.verify.layers import Node, normal
from archpatch.verify.loader import Loader
from archpatch.verify.oci import Image
from archpatch.verify.rootfs import Rootfs
from archpatch.verify.start import Start, start_of

_MODULE_FOLDERS = ("/site-packages/", "/dist-packages/", "/node_modules/")


@dataclass(frozen=True, slots=True, order=True)
class Issue:
    """One thing that is wrong. `code` says of which kind, `path` where in the image; `layer` counts from 0."""

    severity: Severity
    code: str
    path: str
    message: str
    layer: int = -1


@dataclass(frozen=True, slots=True)
class Audit:
    """All that was found in one image. `unread`: what could not be looked at, with the reason."""

    platform: Platform
    issues: tuple[Issue, ...]
    elf_files: int = 0
    exempt: int = 0
    unread: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Issue, ...]:
        """What makes the image wrong; notes do not."""
        return tuple(issue for issue in self.issues if issue.severity > Severity.NOTE)


@dataclass(slots=True)
class _Auditor:
    platform: Platform
    rootfs: Rootfs
    loader: Loader
    exemptions: Exemptions
    start: Start
    siblings: Siblings
    closure: frozenset[str] = frozenset()
    names: dict[str, list[str]] = field(default_factory=dict)
    elf_files: int = 0
    exempt: int = 0

    def issues(self) -> Iterator[Issue]:
        files = [(path, node) for path, node in self.rootfs.walk() if node.elf or node.archive]
        files.sort(key=itemgetter(0))
        for path, _ in files:
            self.names.setdefault(posixpath.basename(path), []).append(path)
        self.closure = self._closure()
        yield from self._start_issues()
        yield from self._preload_issues()
        for path, node in files:
            if node.elf is not None:
                self.elf_files += 1
                yield from self._elf_issues(path, node, node.elf)
            else:
                yield from self._archive_issues(path, node)

    def _closure(self) -> frozenset[str]:
        """What the entrypoint loads, and what that loads."""
        seen: set[str] = set()
        waiting: list[tuple[str, tuple[str, ...]]] = [(path, ()) for path in self.start.programs]
        while waiting:
            path, outer = waiting.pop()
            node, real = self.rootfs.file(path)
            if node is None or node.elf is None or real in seen:
                continue
            seen.add(real)
            rpath = (*outer, *self.loader.expanded(real, node.elf.rpath)) if not node.elf.runpath else outer
            for _, library in self.loader.needed(real, node.elf, outer):
                if library is not None:
                    waiting.append((library.path, rpath))
        return frozenset(seen)

    def _elf_issues(self, path: str, node: Node, elf: Elf) -> Iterator[Issue]:
        expected = MACHINES[self.platform.arch]
        if elf.machine.number not in HOST_MACHINES:
            return
        if elf.machine != expected:
            if path not in self.closure and self._may_be_foreign(path):
                self.exempt += 1
                return
            severity = Severity.ERROR
            if elf.type == REL or elf.machine == SIBLINGS.get(self.platform.arch):
                severity = Severity.NOTE
            yield Issue(
                severity,
                "wrong-arch",
                path,
                f"{elf.machine} code, the image is for {self.platform}",
                node.layer,
            )
        elif elf.problem == "" and elf.type != REL:
            found = [*self._interpreter_issues(path, node, elf), *self._library_issues(path, node, elf)]
            if found and not self.exemptions.covers(path):
                yield from found

    def _may_be_foreign(self, path: str) -> bool:
        return self.exemptions.covers(path) or self.siblings.has(path)

    def _interpreter_issues(self, path: str, node: Node, elf: Elf) -> Iterator[Issue]:
        # Shared libraries that can also be run (libc itself) name an interpreter; nobody starts them.
        library = ".so" in posixpath.basename(path) or not node.mode & 0o111
        if not elf.interpreter or (elf.type != EXEC and library and path not in self.start.programs):
            return
        found, _ = self.rootfs.file(elf.interpreter)
        if found is not None and (found.elf is None or found.elf.machine == elf.machine):
            return
        started = path in self.closure or self._on_path(path)
        if found is None:
            why = f"its loader {elf.interpreter} is not in the image" + _libc_hint(elf, self.loader)
        else:
            why = f"its loader {elf.interpreter} is for another machine"
        yield Issue(Severity.ERROR if started else Severity.WARNING, "missing-loader", path, why, node.layer)

    def _library_issues(self, path: str, node: Node, elf: Elf) -> Iterator[Issue]:
        for name in self.loader.missing(path, elf):
            if FROM_HOST.fullmatch(name):
                continue
            elsewhere = self.names.get(name, [])
            severity = self._library_severity(path, name, bool(elsewhere))
            hint = f"; /{elsewhere[0]} is not on the loader's path" if elsewhere else ""
            yield Issue(
                severity,
                "missing-library",
                path,
                f"needs {name}, which no loader path holds{hint}",
                node.layer,
            )

    def _library_severity(self, path: str, name: str, elsewhere: bool) -> Severity:
        if path in self.closure and (path in self.start.certain or not elsewhere):
            return Severity.ERROR
        module = any(folder in f"/{path}" for folder in _MODULE_FOLDERS)
        if module and not elsewhere and not ("musl" in path and "musl" in name):
            return Severity.ERROR
        return Severity.NOTE

    def _archive_issues(self, path: str, node: Node) -> Iterator[Issue]:
        if node.archive is None or self.exemptions.covers(path):
            return
        machines = dict(node.archive.natives)
        if MACHINES[self.platform.arch] in machines or not HOST_MACHINES & {one.number for one in machines}:
            return
        machine, inner = node.archive.natives[0]
        yield Issue(
            Severity.WARNING,
            "wrong-arch-archive",
            path,
            f"holds native code ({inner}: {machine}), none of it for {self.platform}",
            node.layer,
        )

    def _start_issues(self) -> Iterator[Issue]:
        for path, message, layer in self.start.problems:
            yield Issue(Severity.ERROR, "missing-entrypoint", path, message, layer)

    def _preload_issues(self) -> Iterator[Issue]:
        node, _ = self.rootfs.file("etc/ld.so.preload")
        listed = [("LD_PRELOAD", self.loader.env.get("LD_PRELOAD", ""), -1)]
        if node is not None and node.text:
            listed.append(("/etc/ld.so.preload", node.text, node.layer))
        for origin, text, layer in listed:
            for name in text.replace(":", " ").split():
                # A bare name is looked up like any library; only a path says one place.
                if name.startswith("/") and not self.loader.loads(name):
                    yield Issue(
                        Severity.WARNING,
                        "missing-preload",
                        name.lstrip("/"),
                        f"{origin} names it, and it is not in the image or for another machine: it is ignored",
                        layer,
                    )

    def _on_path(self, path: str) -> bool:
        return "/" + posixpath.dirname(path) in self.start.path


def _libc_hint(elf: Elf, loader: Loader) -> str:
    if "ld-linux" in (elf.interpreter or "") and loader.musl_image:
        return " (built for glibc, the image has musl)"
    if "ld-musl" in (elf.interpreter or "") and not loader.musl_image:
        return " (built for musl)"
    return ""


def audit(image: Image, rootfs: Rootfs, exemptions: Exemptions | None = None) -> Audit:
    """Look at every native file of one image, for the platform that its index claims."""
    platform = image.platform
    exemptions = exemptions or Exemptions()
    # A path with `..` in it is not the one that it looks like.
    unread = tuple(
        f"{path}: {why}" for path, why in rootfs.unread if normal(path) is None or not exemptions.covers(path)
    )
    if platform.os != "linux" or platform.arch not in MACHINES:
        return Audit(platform, (), unread=(*unread, f"no table of machine code for {platform}"))
    env = image.config.env
    auditor = _Auditor(
        platform,
        rootfs,
        Loader(rootfs, platform.arch, env),
        exemptions,
        start_of(image.config, rootfs),
        Siblings(rootfs, platform.arch),
    )
    issues = list(auditor.issues())
    if image.configured.arch != platform.arch:
        issues.append(
            Issue(
                Severity.ERROR, "wrong-label", "", f"the index says {platform}, the config {image.configured}"
            )
        )
    issues.sort(key=lambda issue: (-issue.severity, issue.code, issue.path, issue.message))
    return Audit(platform, tuple(issues), auditor.elf_files, auditor.exempt, unread)


def equal_layers(audited: Sequence[tuple[Image, Audit]]) -> dict[Platform, Issue]:
    """An alarm for each platform whose image has the very layers of another architecture's and foreign code in them.

    Images of data and scripts are rightly equal, and so is the one whose code the layers hold.
    """
    alarms: dict[Platform, Issue] = {}
    for image, found in audited:
        twins = [
            other.platform
            for other, _ in audited
            if other.platform.arch != image.platform.arch and other.layers == image.layers and image.layers
        ]
        if twins and any(issue.code.startswith("wrong-arch") for issue in found.wrong):
            message = f"all layers are those of the {twins[0]} image, native code included"
            alarms[image.platform] = Issue(Severity.WARNING, "equal-layers", "", message)
    return alarms
