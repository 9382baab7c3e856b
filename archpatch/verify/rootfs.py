"""The file system of an image: its layers put over one another, paths resolved inside it and nowhere else."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archpatch.verify.layers import Layer, Node, normal
from archpatch.verify.tar import Kind

_MAX_LINKS = 40  # as Linux has it
Folder = dict[str, "Node | Folder"]


@dataclass(slots=True)
class Rootfs:
    """Folders are dicts, the rest are nodes. `unread`: paths that could not be looked at, and why."""

    root: Folder = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)

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
            for added in layer.added:
                rootfs._add(added.path, added.node, added.hard_link)
            unread += layer.unread
        # What a higher layer took away need not be looked at.
        rootfs.unread += ((path, why) for path, why in unread if normal(path) is None or rootfs.exists(path))
        return rootfs

    def _add(self, path: str, node: Node, hard_link: str | None) -> None:
        parent, name = self._parent(path, make=True)
        if parent is None or not name:
            self.unread.append((path, "its folder is a link that leads nowhere"))
            return
        if hard_link is not None:
            other, other_name = self._parent(hard_link, make=False)
            target = other.get(other_name) if other is not None else None
            if not isinstance(target, Node):
                self.unread.append((path, "a hard link to nothing"))
                return
            parent[name] = target
        elif node.kind is Kind.DIRECTORY:
            if not isinstance(parent.get(name), dict):
                parent[name] = {}
        else:
            parent[name] = node

    def _remove(self, path: str) -> None:
        parent, name = self._parent(path, make=False)
        if parent is not None:
            parent.pop(name, None)

    def _parent(self, path: str, *, make: bool) -> tuple[Folder | None, str]:
        """The folder that holds `path`, links on the way followed; `make` adds missing ones."""
        folder, _, name = path.rpartition("/")
        if (found := self._real(folder)) is None and make:
            found = self._make(folder)
        return (found if isinstance(found, dict) else None), name

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
        """
        parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
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
                parts += [step for step in reversed(child.link.split("/")) if step not in ("", ".")]
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
        """Every file, link and device with its path; folders alone are left out."""
        stack: list[tuple[str, Folder]] = [("", self.root)]
        while stack:
            prefix, folder = stack.pop()
            for name, child in sorted(folder.items()):
                if isinstance(child, dict):
                    stack.append((f"{prefix}{name}/", child))
                else:
                    yield prefix + name, child
