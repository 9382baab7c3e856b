"""What is to be built: each Dockerfile with its context, or the targets of the tree's own bake and compose files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archpatch.platforms import Platform
from archpatch.syntax.tree import Document, Run
from archpatch.verify.bakefile import BakeTarget, target_name
from archpatch.verify.buildx import Buildx
from archpatch.verify.compose import service_platforms

BAKE_FILES = ("docker-bake.json", "docker-bake.hcl")
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_MAX_COMPOSE = 1 << 20
# Build args that change who reads the file, or what is checked: never taken from the tree.
_RESERVED = ("BUILDKIT_SYNTAX",)
_DIRECTIVE = re.compile(rb"^#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t\r]*$")
_KNOWN_DIRECTIVES = (b"syntax", b"escape", b"check")


@dataclass(frozen=True, slots=True)
class Job:
    """One image to build. `unsupported` says why it cannot be built as the tree asks; `notes` what was left out."""

    name: str
    dockerfile: Path
    context: Path
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""  # the bake or compose file that names it
    unsupported: str = ""
    notes: tuple[str, ...] = ()

    def target(self, platform: Platform, dockerfile: Path, context: Path, output: str) -> BakeTarget:
        """The target for one platform, with the paths that the build shall read."""
        name = target_name(self.name, str(platform))
        return BakeTarget(name, context, dockerfile, platform, output, self.stage, self.args)


def jobs(dockerfiles: Sequence[Path], roots: Sequence[Path], buildx: Buildx | None) -> tuple[Job, ...]:
    """The images that `dockerfiles` make.

    A Dockerfile that a bake or compose file in one of `roots` builds is built as that file says, else with the
    folder that it stands in. Without `buildx` those files are not asked.
    """
    named: dict[Path, list[Job]] = {}
    for root in dict.fromkeys(roots):
        for job in _declared(root, buildx) if buildx else ():
            named.setdefault(_real(job.dockerfile), []).append(job)
    found: list[Job] = []
    taken: set[str] = set()
    for path in dockerfiles:
        declared = named.get(_real(path))
        for job in declared or [Job(_name(path), path, path.parent)]:
            unique = job.name
            number = 2
            while unique in taken:
                unique, number = f"{job.name}-{number}", number + 1
            taken.add(unique)
            found.append(_renamed(job, unique, path))
    return tuple(found)


def _renamed(job: Job, name: str, path: Path) -> Job:
    return Job(name, path, job.context, job.stage, job.args, job.origin, job.unsupported, job.notes)


def _name(path: Path) -> str:
    """A short name for people: the folder, and the file where it is not just `Dockerfile`."""
    folder = path.resolve().parent.name or "root"
    return folder if path.name == "Dockerfile" else f"{folder}-{path.name}"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _declared(root: Path, buildx: Buildx) -> Iterator[Job]:
    for name in (*BAKE_FILES, *COMPOSE_FILES):
        file = root / name
        if not file.is_file() or file.is_symlink():
            continue
        platforms = _platforms_of_services(file) if name in COMPOSE_FILES else {}
        for target, raw in (buildx.print_bake(file) or {}).items():
            job = _job(root, file, str(target), raw, platforms.get(str(target)))
            if job is not None:
                yield job


def _platforms_of_services(file: Path) -> Mapping[str, str]:
    with file.open("rb") as stream:
        return service_platforms(stream.read(_MAX_COMPOSE).decode("utf-8", "replace"))


def _job(root: Path, file: Path, name: str, raw: Any, platform: str | None) -> Job | None:
    context_text = str(raw.get("context") or ".")
    if "dockerfile-inline" in raw:
        return None
    context = (root / context_text).resolve()
    dockerfile = (context / str(raw.get("dockerfile") or "Dockerfile")).resolve()
    unsupported = ""
    if "://" in context_text or not context.is_relative_to(root.resolve()):
        unsupported = f"its context {context_text} lies outside of {root}"
    elif raw.get("contexts"):
        unsupported = "it takes other named contexts"
    args = {str(key): str(value) for key, value in (raw.get("args") or {}).items() if value is not None}
    notes = []
    for key in _RESERVED:
        if args.pop(key, None) is not None:
            notes.append(f"{file.name} sets {key}; left out")
    notes += [
        f"{file.name} asks for {key}; not given" for key in ("secret", "ssh", "entitlements") if raw.get(key)
    ]
    if platform:
        notes.append(f"{file.name} pins the service to {platform}: docker compose builds and runs it only so")
    elif raw.get("platforms"):
        notes.append(f"{file.name} builds it for {', '.join(map(str, raw['platforms']))}")
    return Job(name, dockerfile, context, raw.get("target"), args, file.name, unsupported, tuple(notes))


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
