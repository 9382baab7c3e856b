"""The file system of an image: its layers put over one another, paths resolved inside it and nowhere else."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archpatch.verify.layers import Added, Layer, Node, normal
from archpatch.verify.streams import Unreadable
from archpatch.verify.tar import Kind

_MAX_LINKS = 40  # as Linux has it
_STEPS = 200_000_000  # parts of paths that are gone along in one image: some minutes
Folder = dict[str, "Node | Folder"]


@dataclass(slots=True)
class Rootfs:
    """Folders are dicts, the rest are nodes. `unread`: paths that could not be looked at, and why."""

    root: Folder = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    _steps: int = _STEPS

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> Rootfs:
        """The layers, lowest first, as a container would see them."""
        rootfs = cls()
        unread: list[tuple[str, str]] = []
        for layer in layers:
            # A layer's whiteouts hide what lies below it, whatever their place in its tar.
            for path in layer.emptied:
                if isinstance(folder := rootfs._real(path), dict):
                    folder.clear()
            for path in layer.removed:
                rootfs._remove(path)
            rootfs._put(layer.added)
            unread += layer.unread
        # What a higher layer took away need not be looked at.
        rootfs.unread += ((path, why) for path, why in unread if normal(path) is None or rootfs.exists(path))
        return rootfs

    def _put(self, entries: Iterable[Added]) -> None:
        """What a layer adds, in the order of its tar."""
        # Neighbours stand in one folder. Which one a path leads to changes with links and what takes their place.
        at, folder = "", self.root
        for entry in entries:
            path, node = entry.path, entry.node
            place, _, name = path.rpartition("/")
            if place != at:
                if (found := self._folder(place)) is None:
                    self.unread.append((path, "its folder is a link that leads nowhere"))
                    continue
                at, folder = place, found
            there = folder.get(name)
            if entry.hard_link is not None:
                target = self._entry(entry.hard_link)
                if target is None:
                    self.unread.append((path, "a hard link to nothing"))
                    continue
                node = target
            elif node.kind is Kind.DIRECTORY:
                if not isinstance(there, dict):
                    folder[name] = {}
                    at, folder = ("", self.root) if there is not None else (at, folder)
                continue
            folder[name] = node
            if there is not None and (isinstance(there, dict) or there.kind is Kind.SYMLINK):
                at, folder = "", self.root

    def _entry(self, path: str) -> Node | None:
        """What a hard link to `path` shares: the entry itself, links on the way to it followed."""
        folder, name = self._parent(path)
        found = folder.get(name) if folder is not None else None
        return found if isinstance(found, Node) else None

    def _remove(self, path: str) -> None:
        parent, name = self._parent(path)
        if parent is not None:
            parent.pop(name, None)

    def _parent(self, path: str) -> tuple[Folder | None, str]:
        """The folder that holds `path`, links on the way followed."""
        folder, _, name = path.rpartition("/")
        found = self._real(folder)
        return (found if isinstance(found, dict) else None), name

    def _folder(self, path: str) -> Folder | None:
        """The folder at `path`, made where there is nothing; None where something else stands in the way."""
        at = self.root
        for part in path.split("/") if path else ():
            child = at.get(part)
            if not isinstance(child, dict):
                break
            at = child
        else:
            return at
        found = self._real(path)
        if found is None:
            found = self._make(path)
        return found if isinstance(found, dict) else None

    def _make(self, path: str) -> Folder | None:
        at: Folder = self.root
        done = ""
        for part in path.split("/"):
            done = posixpath.join(done, part)
            if (there := self._real(done)) is None and part not in at:
                there = at[part] = {}
            if not isinstance(there, dict):
                return None
            at = there
        return at

    def _real(self, path: str) -> Node | Folder | None:
        return self.resolve(path)[0]

    def resolve(self, path: str, follow: bool = True) -> tuple[Node | Folder | None, str]:
        """What stands at `path` and its path without links; (None, "") where nothing does.

        `..` stops at the root, absolute links start there. `follow`: also the last part, if it is a link.
        Raises Unreadable for an image that was made to keep this busy.
        """
        parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        self._steps -= len(parts)
        if self._steps < 0:
            raise Unreadable("paths and links without measure")
        trail: list[tuple[str, Folder]] = []
        at: Node | Folder = self.root
        links = 0
        while parts:
            part = parts.pop()
            if part == "..":
                at = trail.pop()[1] if trail else self.root
                continue
            if not isinstance(at, dict) or (child := at.get(part)) is None:
                return None, ""
            if isinstance(child, Node) and child.kind is Kind.SYMLINK and (parts or follow):
                links += 1
                if links > _MAX_LINKS:
                    return None, ""
                more = [step for step in reversed(child.link.split("/")) if step not in ("", ".")]
                self._steps -= len(more)
                if self._steps < 0:
                    raise Unreadable("paths and links without measure")
                parts += more
                if child.link.startswith("/"):
                    at, trail = self.root, []
                continue
            trail.append((part, at))
            at = child
        return at, "/".join(name for name, _ in trail)

    def file(self, path: str) -> tuple[Node | None, str]:
        """The file at `path`, links followed, with its real path; (None, "") for folders and nothing."""
        node, real = self.resolve(path)
        return (node, real) if isinstance(node, Node) and node.kind is Kind.FILE else (None, "")

    def exists(self, path: str) -> bool:
        """Whether something stands at `path`, links followed."""
        return self._real(path) is not None

    def names(self, path: str) -> tuple[str, ...]:
        """The names in the folder at `path`, in order; none where it is no folder."""
        folder = self._real(path)
        return tuple(sorted(folder)) if isinstance(folder, dict) else ()

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Every file, link and device with its path, in no order; folders alone are left out."""
        stack: list[tuple[str, Folder]] = [("", self.root)]
        while stack:
            prefix, folder = stack.pop()
            for name, child in folder.items():
                if isinstance(child, dict):
                    stack.append((f"{prefix}{name}/", child))
                else:
                    yield prefix + name, child
