"""docker and docker buildx: every command line that archpatch runs is put together here.

Nothing that stands in a scanned tree becomes an option: names are checked against the grammar they must have,
paths and texts travel in files of our own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from archpatch.platforms import Platform, UnknownPlatform
from archpatch.verify.process import Completed, NoProgram, Runner
from archpatch.verify.progress import Progress

_QUICK = 60.0  # seconds for a question that needs no build
# distribution/reference, without a scheme; what does not match is never handed to docker.
_REFERENCE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]|:(?=[A-Za-z0-9_])|@(?=sha256:)){0,400}")
_TARGET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")
# Names of variables that hold secrets.
_SECRET = re.compile(
    r"TOKEN|SECRET|PASS(WORD|WD|PHRASE)|(^|_)(KEY|PASS|PAT|AUTH|CREDS?|COOKIE)($|_)|CREDENTIAL|APIKEY|PRIVATE|SESSION"
    r"|(^|_)DSN$",
    re.IGNORECASE,
)
_BUILDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")


_OLDEST = "0.13"  # lists builders as JSON and shows its progress so


class Undeclared(Exception):
    """A bake or compose file that buildx does not read; str() says why."""


class NoEngine(Exception):
    """There is no engine, no buildx or no such builder; str() says which and what to do."""


@dataclass(frozen=True, slots=True)
class BuilderNode:
    """A machine of a builder, and the platforms it says it can execute."""

    name: str
    endpoint: str
    status: str
    version: str
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True)
class Builder:
    """What `docker buildx ls` knows of a builder."""

    name: str
    driver: str
    nodes: tuple[BuilderNode, ...]

    @property
    def version(self) -> str:
        """The BuildKit versions of its nodes."""
        return ", ".join(sorted({node.version for node in self.nodes if node.version})) or "unknown"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user passes through to buildx."""

    builder: str | None = None
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    network: str | None = None  # "host" or "none"
    no_cache: bool = False
    timeout: float = 1800.0  # seconds for one build


@dataclass(frozen=True, slots=True)
class Built:
    """One invocation of a build."""

    command: tuple[str, ...]
    code: int | None
    seconds: float
    progress: Progress

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with 0: only the code counts, the output may speak of errors all the same."""
        return self.code == 0


class _Place(msgspec.Struct, frozen=True):
    line: int


class _Range(msgspec.Struct, frozen=True):
    start: _Place


class _Location(msgspec.Struct, frozen=True):
    ranges: tuple[_Range, ...] | None = None


@dataclass(frozen=True, slots=True)
class Baked:
    """The targets of bake and compose files, and the names of those that stand in a group."""

    targets: Mapping[str, Mapping[str, Any]]
    grouped: frozenset[str] = frozenset()


class CheckWarning(msgspec.Struct, frozen=True, rename="camel"):
    """A warning of BuildKit's checks."""

    rule_name: str
    detail: str = ""
    location: _Location | None = None

    @property
    def line(self) -> int | None:
        """Where it stands (from 1)."""
        ranges = self.location.ranges if self.location else None
        return ranges[0].start.line if ranges else None


class CheckError(msgspec.Struct, frozen=True):
    """Why a check ended early."""

    message: str


class Check(msgspec.Struct, frozen=True, rename="camel"):
    """What `--call=check,format=json` prints; `failure`: why it printed nothing of the kind."""

    warnings: tuple[CheckWarning, ...] | None = None
    build_error: CheckError | None = None
    sources: list[object] | None = None
    failure: str = ""


def is_reference(text: str) -> bool:
    """Whether a text can be an image's name and nothing else."""
    return bool(_REFERENCE.fullmatch(text))


@dataclass(slots=True)
class Buildx:
    """The engine behind one builder."""

    settings: Settings = field(default_factory=Settings)
    runner: Runner = field(default_factory=Runner)
    _asks_leave: bool = True  # bake wants to be told which folders it may use, since buildx 0.18

    def __post_init__(self) -> None:
        if self.settings.builder is not None and not _BUILDER.fullmatch(self.settings.builder):
            raise NoEngine(f"{self.settings.builder!r} cannot be a builder's name")

    @property
    def _builder(self) -> tuple[str, ...]:
        return ("--builder", self.settings.builder) if self.settings.builder else ()

    def ask(self, *arguments: str, stdin: bytes = b"", timeout: float = _QUICK) -> Completed:
        """Run `docker ARGUMENTS`. Raises NoEngine where there is no docker."""
        try:
            return self.runner.run(("docker", *arguments), timeout=timeout, stdin=stdin)
        except NoProgram as error:
            raise NoEngine(f"docker cannot be run ({error}); install Docker with buildx") from error

    def versions(self) -> Mapping[str, str]:
        """The versions of client, buildx and engine. Raises NoEngine where no engine answers."""
        buildx = self.ask("buildx", "version")
        if not buildx.ok:
            raise NoEngine(f"docker has no buildx ({_first_line(buildx.err)}); install the buildx plugin")
        server = self.ask("version", "--format", "{{json .}}")
        found = {"buildx": " ".join(buildx.out.split()[1:2]) or "unknown"}
        if number := re.match(r"v?(\d+)\.(\d+)\.", found["buildx"]):
            self._asks_leave = (int(number[1]), int(number[2])) >= (0, 18)
        told = _object(server.out)
        found["docker"] = (told.get("Client") or {}).get("Version", "unknown")
        found["engine"] = (told.get("Server") or {}).get("Version", "none")
        return found

    def builder(self) -> Builder:
        """The builder that is used. Raises NoEngine."""
        listed = self.ask("buildx", "ls", "--format", "json")
        if not listed.ok:
            why = _first_line(listed.err) or "docker buildx ls failed"
            old = f"; this buildx is too old, {_OLDEST} is needed" if "--format" in why else ""
            raise NoEngine(f"no builder answers: {why}{old}")
        builders = [raw for line in listed.out.splitlines() if (raw := _object(line))]
        wanted = self.settings.builder or os.environ.get("BUILDX_BUILDER") or None
        for raw in builders:
            if raw.get("Name") == wanted or (wanted is None and raw.get("Current")):
                if trouble := _trouble(raw):
                    raise NoEngine(f"the engine behind builder {raw.get('Name')} does not answer: {trouble}")
                return _builder(raw)
        if wanted:
            raise NoEngine(f"no builder is called {wanted}; `docker buildx ls` lists them")
        raise NoEngine("no builder is in use; `docker buildx create --use` makes one")

    def bake_command(self, file: Path, target: str, *more: str) -> tuple[str, ...]:
        """The command that builds one target of a bake file that archpatch wrote."""
        command = ["docker", "buildx", "bake", "--file", str(file), "--provenance=false", "--sbom=false"]
        command += self._builder
        if self.settings.no_cache:
            command.append("--no-cache")
        if self.settings.network == "host":
            command.append("--allow=network.host")
        return (*command, *more, target)

    def bake(
        self,
        file: Path,
        target: str,
        metadata: Path,
        folders: Sequence[Path],
        progress: Progress,
        timeout: float | None = None,
    ) -> Built:
        """Build one target. `folders`: what bake may read and write (its paths are ours, not the tree's)."""
        allowed = [f"--allow=fs={folder}" for folder in folders] if self._asks_leave else []
        more = ("--progress=rawjson", f"--metadata-file={metadata}", *allowed)
        command = self.bake_command(file, target, *more)
        try:
            done = self.runner.run(
                command,
                timeout=timeout if timeout is not None else self.settings.timeout,
                cwd=file.parent,
                on_line=progress.line,
            )
        except NoProgram as error:
            raise NoEngine(str(error)) from error
        return Built(command, done.code, done.seconds, progress)

    def call_check(
        self,
        dockerfile: bytes,
        context: Path | None = None,
        args: Mapping[str, str] | None = None,
        contexts: Mapping[str, str] | None = None,
    ) -> Check:
        """What `--call=check` says of a Dockerfile, given on standard input."""
        command = ["buildx", "build", *self._builder, "--call=check,format=json", "--progress=quiet"]
        for name, value in (args or {}).items():
            command += ["--build-arg", f"{name}={value}"]
        for name, place in (contexts or {}).items():
            command += ["--build-context", f"{name}={place}"]
        if context is None:
            done = self.ask(*command, "-", stdin=dockerfile, timeout=_QUICK * 2)
        else:
            done = self.ask(*command, "--file", "-", "--", str(context), stdin=dockerfile, timeout=_QUICK * 2)
        try:
            told = msgspec.json.decode(done.out, type=Check)
        except (msgspec.DecodeError, RecursionError):
            return Check(failure=_last_line(done.err) or "no answer that could be read")
        if told.sources is None and told.build_error is None:
            return Check(failure=_last_line(done.err) or "an empty answer")
        return told

    def print_bake(self, files: Sequence[Path]) -> Baked:
        """The targets of bake and compose files of one folder, resolved together. Raises Undeclared."""
        named = [word for file in files for word in ("--file", file.name)]
        command = ("docker", "buildx", "bake", *named, "--progress=quiet")
        try:
            listed = self._read_bake(files[0], *command, "--list=type=targets,format=json")
            # Files without a default group print nothing unless targets are named; old versions list none.
            names = _names(listed.out) if listed.ok else {}
            done = self._read_bake(files[0], *command, "--print", "--", *names)
        except NoProgram as error:
            raise Undeclared(str(error)) from error
        targets = _object(done.out).get("target")
        if not done.ok or not isinstance(targets, dict):
            raise Undeclared(_last_line(done.err) or "no answer")
        grouped = frozenset(name for members in names.values() for name in members)
        return Baked({name: one for name, one in targets.items() if isinstance(one, dict)}, grouped)

    def _read_bake(self, file: Path, *command: str) -> Completed:
        # The file's expressions may put any variable of the environment into a build.
        return self.runner.run(command, timeout=_QUICK, cwd=file.parent, hidden=_SECRET)


def _builder(raw: Mapping[str, Any]) -> Builder:
    nodes = []
    for node in raw.get("Nodes") or ():
        platforms = []
        for text in node.get("Platforms") or ():
            try:
                platforms.append(Platform.parse(text.rstrip("*")))
            except UnknownPlatform:
                continue
        nodes.append(
            BuilderNode(
                node.get("Name", ""),
                node.get("Endpoint", ""),
                node.get("Status", ""),
                node.get("Version", ""),
                tuple(dict.fromkeys(platforms)),
            )
        )
    return Builder(raw.get("Name", ""), raw.get("Driver", ""), tuple(nodes))


def _trouble(raw: Mapping[str, Any]) -> str:
    """Why none of the nodes can be used; empty where one can (one that sleeps is woken by a build)."""
    nodes = raw.get("Nodes") or []
    errors = [node["Err"] for node in nodes if node.get("Err")]
    if raw.get("Err"):
        return _first_line(str(raw["Err"]))
    return _first_line(str(errors[0])) if errors and len(errors) == len(nodes) else ""


def _object(text: str) -> dict[str, Any]:
    """A JSON object that docker printed; {} where it is none."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _names(text: str) -> dict[str, tuple[str, ...]]:
    """The names of the targets and groups that bake listed, those of groups with their members."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    listed = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    # What is listed of a group is the names in it, in brackets where somebody described it.
    found = {
        str(one.get("name")): tuple(_TARGET.findall(str(one.get("description")))) if one.get("group") else ()
        for one in listed
    }
    return {name: members for name, members in found.items() if _TARGET.fullmatch(name)}


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
