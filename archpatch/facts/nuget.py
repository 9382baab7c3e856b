"""Packages that the .NET projects of a build context refer to; read as text, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from archpatch.facts.context import Context
from archpatch.text import Span, decode

_ITEM = rb"(?i)<(PackageReference|PackageVersion|ProjectReference|Protobuf)\b([^<>]*)>"
_COMMENT = rb"(?s)<!--.*?-->"
_ATTRIBUTE = rb"""(?i)\b(Include|Update|Version)\s*=\s*["']([^"'<>]*)["']"""
_INNER = rb"(?i)\s*<Version>\s*([^<>\s]+)\s*</Version>"
_NUMBERS = r"\[?(\d+(?:\.\d+)*)"


class PackageReference(Struct, frozen=True):
    """A package in a project file: `path` is relative to the context, `span` its element's place in that file.

    `version` is empty where it is a property, a range or stands in another file.
    """

    path: Path
    span: Span
    name: str
    version: tuple[int, ...]


class Project(Struct, frozen=True):
    """A project file and what matters of it. `generates`: it has Protobuf items, which Grpc.Tools compiles."""

    path: Path
    packages: tuple[PackageReference, ...]
    projects: tuple[str, ...]
    generates: bool
    text: str


def projects(context: Context, *named: str) -> tuple[Project, ...]:
    """The projects that a build takes in, with the files for all of them (`Directory.Packages.props`).

    `named` are the command's words that may name a project, a solution or a folder. Without any, it is what lies in
    the context's root, or its only project: which folder the command runs in is not looked at.
    """
    paths = context.files("**/*.csproj", "**/*.fsproj", "**/Directory.*.props")
    every = [project for path in paths if (project := _read(context, path)) is not None]
    own = [project for project in every if project.path.suffix != ".props"]
    known = {project.path.name: project for project in own}
    wanted = {project.path.name for project in own if _is_named(project.path, named)}
    if not wanted:
        solution = any(name.endswith((".sln", ".slnx")) for name in (*context.siblings, *named))
        chosen = own if solution or len(own) == 1 else [one for one in own if len(one.path.parts) == 1]
        wanted = {project.path.name for project in chosen}
    pending = sorted(wanted)
    while pending:
        for name in known[pending.pop()].projects:
            if name in known and name not in wanted:
                wanted.add(name)
                pending.append(name)
    return tuple(one for one in every if one.path.name in wanted or one.path.suffix == ".props")


def _is_named(path: Path, words: tuple[str, ...]) -> bool:
    for word in words:
        plain = PurePosixPath(word.replace("\\", "/"))
        if plain.name and plain.name in (path.name, path.parent.name):
            return True
    return False


def _read(context: Context, path: Path) -> Project | None:
    source = context.read(path)
    if source is None:
        return None
    source = re.sub(_COMMENT, lambda match: b" " * len(match[0]), source)
    packages: list[PackageReference] = []
    references: list[str] = []
    generates = False
    for item in re.finditer(_ITEM, source):
        kind, attributes = item[1].lower(), dict(_attributes(item[2]))
        name = attributes.get("include") or attributes.get("update") or ""
        if kind == b"protobuf":
            generates = True
        elif kind == b"projectreference":
            references.append(PurePosixPath(name.replace("\\", "/")).name)
        elif name:
            inner = re.match(_INNER, source[item.end() : item.end() + 200])
            version = attributes.get("version") or (decode(inner[1]) if inner else "")
            packages.append(PackageReference(path, Span(item.start(), item.end()), name, _version(version)))
    return Project(path, tuple(packages), tuple(references), generates, decode(source))


def _attributes(text: bytes) -> Iterator[tuple[str, str]]:
    for match in re.finditer(_ATTRIBUTE, text):
        yield decode(match[1]).lower(), decode(match[2])


def _version(text: str) -> tuple[int, ...]:
    match = re.match(_NUMBERS, text.strip())
    return tuple(int(number[:9]) for number in match[1].split(".")) if match else ()
