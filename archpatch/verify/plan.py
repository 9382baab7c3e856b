"""What is to be built: each Dockerfile with its context, or as the tree's own bake and compose files say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from archpatch.platforms import Platform
from archpatch.syntax.tree import Document, Run
from archpatch.verify.bakefile import BakeTarget, target_name

# Its blanks are those of BuildKit's expression: also form feeds, and carriage returns inside of a line.
_DIRECTIVE = re.compile(rb"^#[ \t\f\r]*([A-Za-z][A-Za-z0-9]*)[ \t\f\r]*=[ \t\f\r]*(.+?)[ \t\f\r]*$")
_KNOWN_DIRECTIVES = (b"syntax", b"escape", b"check")

Place = tuple[Path, Path]  # Dockerfile and context, as the build shall read them


@dataclass(frozen=True, slots=True)
class Job:
    """One image to build. `unsupported` says why it cannot be built as the tree asks; `notes` what was left out.

    `contexts` are named ones: a folder, an image (`docker-image://...`), or another target whose image is built first.
    `exports`: files are taken out of it, and nobody starts it. `unheeded`: a file that may say how to build it
    could not be read.
    """

    name: str
    dockerfile: Path
    context: Path
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    origin: tuple[Path, ...] = ()  # the bake and compose files that name it, as `target`
    target: str = ""
    unsupported: str = ""
    notes: tuple[str, ...] = ()
    contexts: Mapping[str, Path | str | Job] = field(default_factory=dict)
    exports: bool = False
    unheeded: bool = False

    @property
    def identity(self) -> object:
        """What it is built from: a bake and a compose file may both declare the same image."""
        args, contexts = (
            tuple(sorted(self.args.items())),
            repr(sorted(self.contexts.items(), key=itemgetter(0))),
        )
        return self.dockerfile, self.context, self.stage, args, contexts, self.unsupported, self.exports

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


def wants_secrets(document: Document) -> frozenset[int]:
    """The lines (from 1) of each RUN that mounts a secret or an SSH agent, which verify never gives."""
    found: set[int] = set()
    for instruction in document.instructions:
        if isinstance(instruction, Run) and any(one.type in ("secret", "ssh") for one in instruction.mounts):
            first = document.source.count(b"\n", 0, instruction.span.start) + 1
            last = document.source.count(b"\n", 0, instruction.span.end) + 1
            found.update(range(first, last + 1))
    return frozenset(found)


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
