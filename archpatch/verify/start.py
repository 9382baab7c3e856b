"""What a container of an image starts: entrypoint and command, scripts and their interpreters."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from archpatch.verify.layers import Node
from archpatch.verify.oci import Config
from archpatch.verify.rootfs import Rootfs
from archpatch.verify.tar import Kind

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = ("sh", "bash", "ash", "dash", "busybox")
# Programs that start the program their arguments name.
_WRAPPERS = (
    "tini",
    "tini-static",
    "dumb-init",
    "docker-init",
    "catatonit",
    "gosu",
    "su-exec",
    "env",
    "exec",
    "nice",
)
_SCRIPT_DEPTH = 4
_SPECIAL = frozenset("|&;<>()$`\\\"'*?[#~\n")


@dataclass(frozen=True, slots=True)
class Start:
    """`programs`: paths of all that is started; `certain`: those of them that the kernel starts itself.

    `problems`: (path, message, layer) for what is missing. `path`: the folders of PATH.
    """

    programs: tuple[str, ...] = ()
    certain: frozenset[str] = frozenset()
    problems: tuple[tuple[str, str, int], ...] = ()
    path: tuple[str, ...] = ()


@dataclass(slots=True)
class _Search:
    rootfs: Rootfs
    folders: tuple[str, ...]
    workdir: str

    def place(self, name: str) -> str | None:
        """The path that a program's name stands for, whether it can be started or not."""
        if "/" in name:
            path = posixpath.join(self.workdir, name)
            return path if self.rootfs.exists(path) else None
        paths = (posixpath.join(folder, name) for folder in self.folders)
        return next((path for path in paths if self.rootfs.file(path)[0]), None)

    def interpreters(self, path: str, depth: int = 0) -> Iterator[tuple[str, str | None]]:
        """(name, path) of the interpreter of a script, and of that one's, if it is a script too."""
        node, _ = self.rootfs.file(path)
        if node is None or node.shebang is None or depth > _SCRIPT_DEPTH:
            return
        words = node.shebang.strip(" \t").split(" ")
        name = words[0]
        found = self.place(name) if name else None
        yield name, found
        if found is None:
            return
        if posixpath.basename(name) == "env":
            program = next((w for w in words[1:] if w and not w.startswith("-") and "=" not in w), "")
            if program:
                yield program, self.place(program)
        else:
            yield from self.interpreters(found, depth + 1)


def start_of(config: Config, rootfs: Rootfs) -> Start:
    """Look up what `config` starts in the files of its image."""
    folders = tuple(folder for folder in config.env.get("PATH", _PATH).split(":") if folder)
    search = _Search(rootfs, folders, config.folder)
    if not config.arguments:
        return Start(path=folders)
    name = config.arguments[0]
    path = search.place(name)
    if path is None:
        message = f"{name!r}, which the container starts, is not in the image"
        return Start(problems=((name.lstrip("/"), message, -1),), path=folders)
    problems = tuple(_problems(search, path))
    programs = [path, *_interpreter_paths(search, path)]
    certain = {rootfs.file(program)[1] for program in programs}
    for other in _started_later(search, config.arguments):
        programs += [other, *_interpreter_paths(search, other)]
    return Start(tuple(dict.fromkeys(programs)), frozenset(certain), problems, folders)


def _interpreter_paths(search: _Search, path: str) -> list[str]:
    return [found for _, found in search.interpreters(path) if found]


def _problems(search: _Search, path: str) -> Iterator[tuple[str, str, int]]:
    node, _ = search.rootfs.file(path)
    shown = path.lstrip("/")
    if node is None:
        yield shown, "the container starts it, and it is no file", -1
        return
    if not node.mode & 0o111:
        yield shown, "the container starts it, and it is not executable", node.layer
    for name, found in search.interpreters(path):
        if found is None:
            hint = " (the script has Windows line ends)" if name.endswith("\r") else ""
            yield shown, f"its interpreter {name!r} is not in the image{hint}", node.layer
    if _is_plain_text(node):
        yield shown, "the container starts it, and it is neither ELF nor a script with #!", node.layer


def _is_plain_text(node: Node) -> bool:
    return node.kind is Kind.FILE and not node.unread and node.elf is None and node.shebang is None


def _started_later(search: _Search, arguments: tuple[str, ...]) -> Iterator[str]:
    """Programs among the arguments: of `sh -c "..."`, of wrappers, and files named by their full path."""
    base = posixpath.basename(arguments[0])
    if base in _SHELLS and len(arguments) > 2 and arguments[1].startswith("-") and arguments[1].endswith("c"):
        arguments = ("", *_first_command(arguments[2]))
        base = "env"
    rest = list(arguments[1:])
    if base in _WRAPPERS:
        program = next((word for word in rest if not word.startswith("-") and "=" not in word), None)
        if program and (found := search.place(program)):
            yield found
    for word in rest:
        if word.startswith(("/", "./")) and search.rootfs.file(posixpath.join(search.workdir, word))[0]:
            yield posixpath.join(search.workdir, word)


def _first_command(text: str) -> tuple[str, ...]:
    """The words of a simple shell command; none where it is more than that."""
    if _SPECIAL & set(text):
        return ()
    words = shlex.split(text)
    return tuple(words[1:] if words[:1] == ["exec"] else words)
