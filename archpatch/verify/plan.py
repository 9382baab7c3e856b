"""What is to be built: each Dockerfile with its context, or the targets of the tree's own bake and compose files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from archpatch.platforms import Platform
from archpatch.syntax.tree import Document, Run
from archpatch.verify.bakefile import BakeTarget, target_name
from archpatch.verify.buildx import Buildx, Undeclared, is_reference
from archpatch.verify.compose import service_platforms

BAKE_FILES = ("docker-bake.json", "docker-bake.hcl")
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_MAX_COMPOSE = 1 << 20
# Build args that change who reads the file, or what is checked: never taken from the tree.
_RESERVED = ("BUILDKIT_SYNTAX",)
_NOT_GIVEN = ("secret", "ssh", "entitlements", "network", "extra-hosts", "shm-size", "ulimits")
# Its blanks are those of BuildKit's expression: also form feeds, and carriage returns inside of a line.
_DIRECTIVE = re.compile(rb"^#[ \t\f\r]*([A-Za-z][A-Za-z0-9]*)[ \t\f\r]*=[ \t\f\r]*(.+?)[ \t\f\r]*$")
_KNOWN_DIRECTIVES = (b"syntax", b"escape", b"check")
_IMAGE, _TARGET = "docker-image://", "target:"

Place = tuple[Path, Path]  # Dockerfile and context, as the build shall read them


@dataclass(frozen=True, slots=True)
class Job:
    """One image to build. `unsupported` says why it cannot be built as the tree asks; `notes` what was left out.

    `contexts` are named ones: a folder, an image (`docker-image://...`), or another target whose image is built first.
    """

    name: str
    dockerfile: Path
    context: Path
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    origin: Path | None = None  # the bake or compose file that names it, as `target`
    target: str = ""
    unsupported: str = ""
    notes: tuple[str, ...] = ()
    contexts: Mapping[str, Path | str | Job] = field(default_factory=dict)

    @property
    def identity(self) -> object:
        """What it is built from: a bake and a compose file may both declare the same image."""
        args, contexts = (
            tuple(sorted(self.args.items())),
            repr(sorted(self.contexts.items(), key=itemgetter(0))),
        )
        return self.dockerfile, self.context, self.stage, args, contexts, self.notes, self.unsupported

    @property
    def linked(self) -> tuple[Job, ...]:
        """The targets that it is built on, and those that they are built on, each once."""
        found: dict[str, Job] = {}
        waiting: list[Job] = [self]
        while waiting:
            for other in waiting.pop().contexts.values():
                if isinstance(other, Job) and other.name not in found:
                    found[other.name] = other
                    waiting.append(other)
        return tuple(found.values())

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that a build reads, but for its own context."""
        contexts = [other.context for other in self.linked]
        named = [
            one for job in (self, *self.linked) for one in job.contexts.values() if isinstance(one, Path)
        ]
        return (*contexts, *named)

    def targets(self, platform: Platform, places: Sequence[Place], output: str) -> list[BakeTarget]:
        """The target of the image, and those that it is built on. `places`: of itself and of each of `linked`."""
        name = target_name(self.name, str(platform))
        names = {other.name: target_name(self.name, str(platform), other.name) for other in self.linked}
        targets = []
        for job, (dockerfile, context) in zip((self, *self.linked), places, strict=True):
            contexts = {
                key: f"target:{names[one.name]}" if isinstance(one, Job) else str(one)
                for key, one in job.contexts.items()
            }
            own, goes = (name, output) if job is self else (names[job.name], None)
            targets.append(
                BakeTarget(own, context, dockerfile, platform, goes, job.stage, job.args, contexts)
            )
        return targets


def jobs(dockerfiles: Sequence[Path], roots: Sequence[Path], buildx: Buildx | None) -> tuple[Job, ...]:
    """The images that `dockerfiles` make.

    A Dockerfile that a bake or compose file builds is built as that file says, else with the folder that it stands
    in. Such files are looked for in `roots`, and from there on down to each Dockerfile; the first that builds it
    counts. Without `buildx` they are not asked.
    """
    named: dict[Path, list[Job]] = {}
    unread: dict[Path, list[str]] = {}
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
        notes = [note for root, notes in unread.items() if _real(path).is_relative_to(root) for note in notes]
        alone = Job(_name(path), path, path.parent, notes=tuple(notes))
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


def _declared(root: Path, roots: Sequence[Path], buildx: Buildx) -> tuple[list[Job], list[str]]:
    """The images of the bake and compose files of a folder, each once, and what could not be read of them."""
    found: dict[object, Job] = {}
    unread = []
    for name in (*BAKE_FILES, *COMPOSE_FILES):
        file = root / name
        if not file.is_file() or file.is_symlink():
            continue
        try:
            platforms = _platforms_of_services(file) if name in COMPOSE_FILES else {}
            targets = buildx.print_bake(file)
        except (Undeclared, OSError) as error:
            unread.append(f"{name} was not heeded, for buildx could not read it: {error}")
            continue
        reader = _Declarations(file, tuple(_real(one) for one in roots), targets, platforms)
        for target in targets:
            if (job := reader.job(str(target))) is not None:
                found.setdefault(job.identity, job)
    return list(found.values()), unread


def _platforms_of_services(file: Path) -> Mapping[str, str]:
    with file.open("rb") as stream:
        return service_platforms(stream.read(_MAX_COMPOSE).decode("utf-8", "replace"))


class _Unsupported(Exception):
    """What a target asks for that is not carried over; str() says what."""


@dataclass(frozen=True, slots=True)
class _Declarations:
    """One bake or compose file, as buildx prints it. `roots`: where what it names may lie."""

    file: Path
    roots: tuple[Path, ...]
    targets: Mapping[str, Any]
    platforms: Mapping[str, str]

    def job(self, name: str, above: tuple[str, ...] = ()) -> Job | None:
        """The image of a target; None for one whose Dockerfile stands in the file itself."""
        raw, file = self.targets[name], self.file.name
        if "dockerfile-inline" in raw:
            return None
        text = str(raw.get("context") or ".")
        context, unsupported, contexts = _real(self.file.parent / text), "", {}
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
            self.file,
            name,
            unsupported,
            tuple(notes),
            contexts,
        )

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
        path = _real(self.file.parent / text)
        if not any(path.is_relative_to(root) for root in self.roots):
            raise _Unsupported(
                f"{what} {text} lies outside of {', '.join(map(str, self.roots))}; name it too"
            )
        return path


def without_frontend(source: bytes) -> tuple[bytes, str | None]:
    """`source` with its `# syntax=` out of force, and the frontend that it names.

    Every such line goes (else the second would count), and empty comments close the block of directives, so that all other lines keep their
    numbers. A file in another notation (`//`, JSON), which only its frontend reads, comes back as it was.
    """
    bom = b"\xef\xbb\xbf" if source.startswith(b"\xef\xbb\xbf") else b""
    lines = source[len(bom) :].split(b"\n")
    first = 1 if lines[0].startswith(b"#!") else 0
    block: list[bytes] = []
    frontends: list[bytes] = []
    for line in lines[first:]:
        match = _DIRECTIVE.match(line)
        if not match or match[1].lower() not in _KNOWN_DIRECTIVES:
            break
        if match[1].lower() == b"syntax":
            frontends.append(match[2])
        else:
            block.append(line)
    if not frontends:
        return source, None
    empty = b"#\r" if lines[first].endswith(b"\r") else b"#"
    rest = lines[first + len(block) + len(frontends) :]
    kept = [*lines[:first], *block, *[empty] * len(frontends), *rest]
    return bom + b"\n".join(kept), frontends[0].decode("utf-8", "replace")


def foreign_notation(source: bytes) -> bool:
    """Whether only another frontend could read the file: `// syntax=` or a JSON object at its top."""
    start = source.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"#!"):
        start = start.partition(b"\n")[2].lstrip()
    return start.startswith((b"//", b"{"))


def refusal(document: Document, *, network_host: bool) -> str:
    """Why a file is not built: it asks for rights on the builder. Empty where it does not."""
    for instruction in document.instructions:
        if not isinstance(instruction, Run):
            continue
        line = document.source.count(b"\n", 0, instruction.span.start) + 1
        security, network = instruction.flag("security"), instruction.flag("network")
        if security and security.value and security.value.value.strip("\"'").lower() != "sandbox":
            return f"line {line} asks for RUN --security={security.value.value}"
        if network and network.value and network.value.value == "host" and not network_host:
            return f"line {line} asks for the host's network; --network=host allows it"
    return ""


def wants_secrets(document: Document) -> bool:
    """Whether a RUN mounts a secret or an SSH agent, which verify never gives."""
    return any(
        mount.type in ("secret", "ssh")
        for instruction in document.instructions
        if isinstance(instruction, Run)
        for mount in instruction.mounts
    )


def fork_event(env: Mapping[str, str]) -> str:
    """The CI event in which a fork's code may meet secrets; empty outside of such."""
    event = env.get("GITHUB_EVENT_NAME", "")
    if event in ("pull_request_target", "workflow_run", "issue_comment"):
        return f"the GitHub event {event}"
    source, target = env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), env.get("CI_MERGE_REQUEST_PROJECT_ID")
    if source and target and source != target and env.get("CI_PROJECT_ID") == target:
        return "a merge request of a fork, run in the parent project"
    if env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true":
        return "a pull request of a fork"
    return ""
