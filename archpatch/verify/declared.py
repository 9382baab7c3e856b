"""The tree's own bake and compose files: which images they make of a Dockerfile, and how.

They are read by buildx, all of a folder at once and in its own order, as `docker buildx bake` reads them. Order and
names: https://docs.docker.com/build/bake/reference/
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archpatch.verify.buildx import Baked, Buildx, Undeclared, is_reference
from archpatch.verify.compose import service_platforms
from archpatch.verify.plan import Job

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
BAKE_FILES = ("docker-bake.json", "docker-bake.hcl")
OVERRIDES = ("docker-bake.override.json", "docker-bake.override.hcl")
IN_ORDER = (*COMPOSE_FILES, *BAKE_FILES, *OVERRIDES)
_MAX_FILE = 1 << 20
# Build args that change who reads the file, or what is checked: never taken from the tree.
_RESERVED = ("BUILDKIT_SYNTAX",)
_NOT_GIVEN = ("secret", "ssh", "entitlements", "network", "extra-hosts", "shm-size", "ulimits")
_NO_IMAGE = ("cacheonly", "local", "tar")  # outputs that make no image
_IMAGE, _TARGET = "docker-image://", "target:"


def jobs(dockerfiles: Sequence[Path], roots: Sequence[Path], buildx: Buildx | None) -> tuple[Job, ...]:
    """The images that `dockerfiles` make.

    A Dockerfile that a bake or compose file builds is built as that file says, else with the folder that it stands
    in. Such files are looked for in `roots`, and from there on down to each Dockerfile; the first that builds it
    counts. Without `buildx` they are not asked.
    """
    named: dict[Path, list[Job]] = {}
    unread: dict[Path, str] = {}
    for folder in _folders_of(dockerfiles, roots):
        if buildx is None:
            break
        declared, unread[folder] = _declared(folder, roots, buildx)
        fresh: dict[Path, list[Job]] = {}
        for job in declared:
            fresh.setdefault(_real(job.dockerfile), []).append(job)
        named = {**fresh, **named}
    found: list[Job] = []
    taken: set[str] = set()
    for path in dockerfiles:
        whys = tuple(why for root, why in unread.items() if why and _real(path).is_relative_to(root))
        alone = Job(_name(path), path, path.parent, notes=whys, unheeded=bool(whys))
        for job in named.get(_real(path)) or [alone]:
            unique = job.name
            number = 2
            while unique in taken:
                unique, number = f"{job.name}-{number}", number + 1
            taken.add(unique)
            found.append(_renamed(job, unique, path))
    return tuple(found)


def _folders_of(dockerfiles: Sequence[Path], roots: Sequence[Path]) -> list[Path]:
    """The folders from each root down to each Dockerfile in it, the upper ones first."""
    limits = [_real(root) for root in roots]
    found = dict.fromkeys(limits)
    for path in dockerfiles:
        found.update(
            (one, None) for one in _real(path).parents if any(one.is_relative_to(limit) for limit in limits)
        )
    return sorted(found, key=lambda one: len(one.parts))


def _renamed(job: Job, name: str, path: Path) -> Job:
    return replace(job, name=name, dockerfile=path)


def _name(path: Path) -> str:
    """A short name for people: the folder, and the file where it is not just `Dockerfile`."""
    folder = path.resolve().parent.name or "root"
    return folder if path.name == "Dockerfile" else f"{folder}-{path.name}"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def files_of(folder: Path) -> list[Path]:
    """The bake and compose files of a folder, as buildx puts them in order."""
    files = [folder / name for name in IN_ORDER]
    return [file for file in files if file.is_file() and not file.is_symlink()]


def nearby(dockerfiles: Sequence[Path], roots: Sequence[Path]) -> list[Path]:
    """The bake and compose files that may say how these Dockerfiles are built."""
    return [file for folder in _folders_of(dockerfiles, roots) for file in files_of(folder)]


def _declared(root: Path, roots: Sequence[Path], buildx: Buildx) -> tuple[list[Job], str]:
    """The images of the bake and compose files of a folder, each once, and what could not be read of them."""
    found: dict[object, Job] = {}
    readings, unread = _read(files_of(root), buildx)
    for files, baked in readings:
        texts = _texts(files)
        reader = _Declarations(
            files, tuple(_real(one) for one in roots), baked.targets, _pinned(texts), texts
        )
        for target in _images(baked):
            if (job := reader.job(target)) is not None:
                other = found.get(job.identity, job)
                found[job.identity] = replace(other, notes=tuple(dict.fromkeys((*other.notes, *job.notes))))
    return list(found.values()), unread


def _read(files: Sequence[Path], buildx: Buildx) -> tuple[list[tuple[tuple[Path, ...], Baked]], str]:
    """All files at once, else each for itself; and why some of them could not be read."""
    try:
        return ([(tuple(files), buildx.print_bake(files))] if files else []), ""
    except (Undeclared, OSError) as error:
        if len(files) == 1:
            return [], f"{files[0].name} was not heeded, for buildx could not read it: {error}"
    readings, unread = [], []
    for file in files:
        if file.name in OVERRIDES:
            unread.append(f"{file.name} was not heeded, for buildx could not read it with the others")
            continue
        more, why = _read([file], buildx)
        readings += more
        unread += [why] if why else []
    return readings, "; ".join(unread)


def _images(baked: Baked) -> list[str]:
    """The targets that stand for an image; the others are parts of them, or made for something else.

    Left out is what others complete, as the empty target of docker/metadata-action that those of a build inherit
    from; and, where another target makes an image of the same Dockerfile, checks and exported files.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for name in sorted(
        baked.targets, key=lambda name: (name not in baked.grouped, -len(baked.targets[name]))
    ):
        places.setdefault(_place(baked.targets[name]), []).append(name)
    found = []
    for names in places.values():
        whole = [name for name in names if not _is_part(name, names, baked)]
        images = [name for name in whole if _makes_image(baked.targets[name])]
        found += images or whole
    return found


def _is_part(name: str, others: Sequence[str], baked: Baked) -> bool:
    """Whether a target that is in no group, and put out nowhere, has less than another one beside it."""
    raw = baked.targets[name]
    if name in baked.grouped or raw.get("output"):
        return False
    own = _given(raw)
    return any(own < _given(other) for key in others if _stage(other := baked.targets[key]) == _stage(raw))


def _place(raw: Mapping[str, Any]) -> tuple[str, str]:
    context = os.path.normpath(str(raw.get("context") or "."))
    return context, os.path.normpath(os.path.join(context, str(raw.get("dockerfile") or "Dockerfile")))


def _given(raw: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(kind, str(key)) for kind in ("args", "contexts", "tags") for key in raw.get(kind) or ()}


def _stage(raw: Mapping[str, Any]) -> str:
    return str(raw.get("target") or "")


def _makes_image(raw: Mapping[str, Any]) -> bool:
    outputs = raw.get("output") or []
    return not outputs or any(_output_type(one) not in _NO_IMAGE for one in outputs)


def _output_type(output: object) -> str:
    """Of what buildx prints: an object, before 0.20 a text; a text without `type=` is a folder."""
    if isinstance(output, dict):
        return str(output.get("type"))
    fields = dict(part.partition("=")[::2] for part in str(output).split(","))
    return fields.get("type", "local")


def _texts(files: Sequence[Path]) -> Mapping[str, str]:
    """By name of a file, what stands in it."""
    found = {}
    for file in files:
        with file.open("rb") as stream:
            found[file.name] = stream.read(_MAX_FILE).decode("utf-8", "replace")
    return found


def _pinned(texts: Mapping[str, str]) -> Mapping[str, str]:
    """What bake drops of compose files: the platform of a service."""
    found: dict[str, str] = {}
    for name, text in texts.items():
        if name in COMPOSE_FILES:
            found |= service_platforms(text)
    return found


class _Unsupported(Exception):
    """What a target asks for that is not carried over; str() says what."""


@dataclass(frozen=True, slots=True)
class _Declarations:
    """Bake and compose files of a folder, as buildx prints them. `roots`: where what they name may lie."""

    files: tuple[Path, ...]
    roots: tuple[Path, ...]
    targets: Mapping[str, Any]
    platforms: Mapping[str, str]
    texts: Mapping[str, str]

    def job(self, name: str, above: tuple[str, ...] = ()) -> Job | None:
        """The image of a target; None for one whose Dockerfile stands in the file itself."""
        raw, file = self.targets[name], self._named_in(name)
        if "dockerfile-inline" in raw:
            return None
        text = str(raw.get("context") or ".")
        context, unsupported, contexts = _real(self.files[0].parent / text), "", {}
        try:
            context = self._folder(text, "its context")
            contexts = {
                str(key): self._context(str(key), str(value), (*above, name))
                for key, value in (raw.get("contexts") or {}).items()
            }
        except _Unsupported as error:
            unsupported = str(error)
        args = {str(key): str(value) for key, value in (raw.get("args") or {}).items() if value is not None}
        notes = [f"{file} sets {key}; left out" for key in _RESERVED if args.pop(key, None) is not None]
        notes += [f"{file} asks for {key}; not given" for key in _NOT_GIVEN if raw.get(key)]
        if not _makes_image(raw):
            notes.append(f"{file} exports its files and makes no image: only what they are for is looked at")
        if platform := self.platforms.get(name):
            notes.append(f"{file} pins the service to {platform}: docker compose builds and runs it only so")
        elif raw.get("platforms"):
            notes.append(f"{file} builds it for {', '.join(map(str, raw['platforms']))}")
        dockerfile = _real(context / str(raw.get("dockerfile") or "Dockerfile"))
        return Job(
            name,
            dockerfile,
            context,
            raw.get("target"),
            args,
            self.files,
            name,
            unsupported,
            tuple(notes),
            contexts,
            exports=not _makes_image(raw),
        )

    def _named_in(self, name: str) -> str:
        """The files that speak of a target."""
        word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        files = [file for file, text in self.texts.items() if word.search(text)]
        return " with ".join(files or self.texts)

    def _context(self, key: str, text: str, above: tuple[str, ...]) -> Path | str | Job:
        """A named context. Raises _Unsupported for what lies outside, is remote, or cannot be built as it is."""
        if not is_reference(key):
            raise _Unsupported(f"a named context is called {key!r}")
        if text.startswith(_IMAGE):
            if not is_reference(text.removeprefix(_IMAGE)):
                raise _Unsupported(f"its context {key} is {text!r}, which is no image's name")
            return text
        if not text.startswith(_TARGET):
            return self._folder(text, f"its context {key}")
        name = text.removeprefix(_TARGET)
        if name in above or name not in self.targets:
            raise _Unsupported(f"its context {key} is the target {name}, which cannot be built first")
        job = self.job(name, above)
        if job is None:
            raise _Unsupported(f"its context {key} is the target {name}, whose Dockerfile is no file")
        if job.unsupported:
            raise _Unsupported(f"its context {key} is the target {name}: {job.unsupported}")
        if not any(job.dockerfile.is_relative_to(root) for root in self.roots):
            raise _Unsupported(f"its context {key} is the target {name}, whose Dockerfile lies outside")
        return job

    def _folder(self, text: str, what: str) -> Path:
        if "://" in text or text.startswith("git@"):
            raise _Unsupported(f"{what} is {text}: what is fetched from elsewhere is not built unseen")
        path = _real(self.files[0].parent / text)
        if not any(path.is_relative_to(root) for root in self.roots):
            raise _Unsupported(
                f"{what} {text} lies outside of {', '.join(map(str, self.roots))}; name it too"
            )
        return path
