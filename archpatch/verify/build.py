"""One image on one platform: built by an invocation of its own, then inspected; the outcome is a Look."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from archpatch.discover import Unreadable as Unread
from archpatch.discover import read
from archpatch.facts import Facts
from archpatch.platforms import Platform
from archpatch.rule import Rule
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.verify import images
from archpatch.verify.audit import Audit
from archpatch.verify.bakefile import bake_file
from archpatch.verify.buildx import Buildx, Built
from archpatch.verify.cache import Verdicts
from archpatch.verify.contexts import missing_everywhere
from archpatch.verify.exempt import Exemptions
from archpatch.verify.oci import SHARED_LAYERS, Image, LayerCache
from archpatch.verify.plan import Job, foreign_notation, refusal, wants_secrets, without_frontend
from archpatch.verify.preflight import Mode, Preflight
from archpatch.verify.progress import Progress
from archpatch.verify.streams import Unreadable
from archpatch.verify.triage import Diagnosis, diagnose, found_in
from archpatch.verify.verdict import Evidence, Look, State, state_of
from archpatch.verify.workspace import Workspace, workspace

_SECRET_LENGTH = 6
_LINE = re.compile(r" \(line \d+\)$")  # the report says it itself
_LOG_SHOWN = 4000  # characters of a failed step's output
_STEP_SHOWN = 100  # of its name
# Errors of which no missing secret is the cause.
_OF_ARCHITECTURE = (
    "frontend", "base-platform", "foreign-loader", "foreign-program", "foreign-package", "compiler-flags", "assembler",
    "cgo",
)  # fmt: skip
_OF_A_START = ("missing-loader", "missing-library", "missing-preload", "missing-entrypoint")

Watch = Callable[[str, Platform, str], None]  # image, platform, what it is at


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job with the texts to build: those on disk, or those after a fix.

    `targets`: the platforms that the file itself is for, where it says so.
    """

    job: Job
    source: bytes
    files: Mapping[Path, bytes] = field(default_factory=dict)
    targets: tuple[Platform, ...] = ()

    @property
    def document(self) -> Document:
        """The text as archpatch reads it."""
        return parse(self.source, self.job.dockerfile)


@dataclass(slots=True)
class Bench:
    """What all builds of a run share."""

    buildx: Buildx
    preflight: Preflight
    exemptions: Exemptions = field(default_factory=Exemptions)
    rules: Sequence[Rule] = ()
    trust_syntax: bool = False
    run_command: tuple[str, ...] = ()
    watch: Watch = lambda image, platform, text: None
    verdicts: Verdicts | None = None
    layers: LayerCache = field(default_factory=lambda: SHARED_LAYERS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A look, and the image that it is about where there is one."""

    look: Look
    image: Image | None = None
    audit: Audit | None = None


def build(bench: Bench, candidate: Candidate, platform: Platform, timeout: float | None = None) -> Outcome:
    """Build and inspect. Raises NoEngine when docker is gone."""
    job = candidate.job
    try:
        refused = job.unsupported or _refused(bench, candidate)
    except Unread as error:
        return Outcome(_look(bench, job, platform, (Evidence("unread", str(error), State.UNKNOWN),)))
    if refused:
        return Outcome(_look(bench, job, platform, (Evidence("refused", refused, State.UNKNOWN),)))
    frontend = _trusted(bench, candidate.source)[1]
    notes = list(job.notes)
    if frontend:
        notes.append(f"# syntax={frontend} was not used: the builder's own frontend read the file")
    if wants_secrets(candidate.document):
        notes.append("a RUN mounts a secret or an SSH agent; verify gives none")
    try:
        with workspace_of(bench, candidate) as place:
            built, command = _invoke(bench, job, platform, place, timeout)
            return _outcome(bench, candidate, platform, place, built, command, notes, frontend)
    except (OSError, ValueError, Unread) as error:
        return Outcome(
            _look(bench, job, platform, (Evidence("unread", f"the context: {error}", State.UNKNOWN),))
        )


def _text_of(candidate: Candidate, job: Job) -> bytes:
    """The text of a Dockerfile that the image is built on. Raises Unread."""
    if os.path.realpath(job.dockerfile) == os.path.realpath(candidate.job.dockerfile):
        return candidate.source
    return read(job.dockerfile)


def _trusted(bench: Bench, source: bytes) -> tuple[bytes, str | None]:
    return (source, None) if bench.trust_syntax else without_frontend(source)


def _refused(bench: Bench, candidate: Candidate) -> str:
    """Why one of the Dockerfiles is not built. Raises Unread."""
    for job in (candidate.job, *candidate.job.linked):
        source = _text_of(candidate, job)
        where = "" if job is candidate.job else f"{job.dockerfile}: "
        if foreign_notation(source) and not bench.trust_syntax:
            return (
                f"{where}only a frontend that the file itself names could read it; --trust-syntax allows that"
            )
        document = parse(source, job.dockerfile)
        if refused := refusal(document, network_host=bench.buildx.settings.network == "host"):
            return where + refused
    return ""


def workspace_of(bench: Bench, candidate: Candidate) -> AbstractContextManager[Workspace]:
    """Where an image is built. Raises Unread, and on entering OSError and ValueError."""
    job = candidate.job
    linked = [(one.dockerfile, _trusted(bench, _text_of(candidate, one))[0]) for one in job.linked]
    source = _trusted(bench, candidate.source)[0]
    return workspace(job.dockerfile, source, job.context, candidate.files, linked)


def put_down(bench: Bench, job: Job, platform: Platform, place: Workspace, output: str) -> str:
    """Write the bake file of one image into its workspace; the name of the target to build."""
    places = [
        (place.dockerfile, place.context),
        *((path, one.context) for path, one in zip(place.linked, job.linked, strict=True)),
    ]
    targets = job.targets(platform, places, output)
    place.bake.write_text(bake_file(targets, bench.buildx.settings), encoding="utf-8")
    return targets[0].name


def _invoke(
    bench: Bench, job: Job, platform: Platform, place: Workspace, timeout: float | None
) -> tuple[Built, tuple[str, ...]]:
    target = put_down(bench, job, platform, place, f"type=oci,dest={place.image}")
    progress = Progress(lambda text: bench.watch(job.name, platform, text))
    built = bench.buildx.bake(
        place.bake, target, place.metadata, [place.folder, place.context, *job.folders], progress, timeout
    )
    return built, again(bench.buildx, job, platform)


def again(buildx: Buildx, job: Job, platform: Platform) -> tuple[str, ...]:
    """The command by which a person builds the same image without archpatch."""
    settings = buildx.settings
    output = f"type=oci,dest={job.name}-{str(platform).replace('/', '-')}.tar"
    if job.linked and job.origin:
        # `docker buildx build` knows no targets; paths in a bake file count from the folder that one stands in.
        folder = job.origin[0].parent
        where = [] if folder.resolve() == Path.cwd() else ["env", "-C", str(folder)]
        command = [
            *where,
            "docker",
            "buildx",
            "bake",
            *(word for file in job.origin for word in ("--file", file.name)),
            f"--set=*.platform={platform}",
        ]
        command += [f"--set={job.target}.output={output}", "--provenance=false", "--sbom=false"]
        command += ["--builder", settings.builder] if settings.builder else []
        command += [f"--set=*.network={settings.network}"] if settings.network else []
        return (*command, job.target)
    command = ["docker", "buildx", "build", "--platform", str(platform), "--provenance=false", "--sbom=false"]
    command += ["--builder", settings.builder] if settings.builder else []
    command += ["--target", job.stage] if job.stage else []
    command += [f"--network={settings.network}"] if settings.network else []
    for name, place in job.contexts.items():
        command += ["--build-context", f"{name}={place}"]
    for name, value in job.args.items():
        # What a bake or compose file took from the environment may be a secret: a report names it, no more.
        secret = len(value) >= _SECRET_LENGTH and any(value in one for one in os.environ.values())
        command += ["--build-arg", name if secret else f"{name}={value}"]
    return (*command, "--output", output, "--file", str(job.dockerfile), str(job.context))


def _outcome(
    bench: Bench,
    candidate: Candidate,
    platform: Platform,
    place: Workspace,
    built: Built,
    command: tuple[str, ...],
    notes: list[str],
    frontend: str | None,
) -> Outcome:
    job = candidate.job
    if not built.ok:
        evidence = _failure(bench, candidate, platform, built, frontend)
        look = _look(bench, job, platform, (evidence,), built, notes, command, failed=True)
        return Outcome(look)
    found = [] if job.linked else _warned(built)  # a warning does not say of which Dockerfile it is
    bench.watch(job.name, platform, "inspecting")
    try:
        image, audited = _inspected(bench, platform, place)
    except (Unreadable, OSError, ValueError) as error:
        found.append(Evidence("unread", f"the image: {error}", State.UNKNOWN))
        return Outcome(_look(bench, job, platform, tuple(found), built, notes, command))
    lines = (
        () if _overrides_stages(candidate) else images.instruction_lines(candidate.document, image, job.stage)
    )
    seen = images.evidence_of(audited, lines)
    found += [one for one in seen if not (job.exports and one.kind in _OF_A_START)]
    return Outcome(_look(bench, job, platform, tuple(found), built, notes, command, audited), image, audited)


def _inspected(bench: Bench, platform: Platform, place: Workspace) -> tuple[Image, Audit]:
    """The image that was built, for the platform that was asked for. Raises Unreadable, OSError, ValueError."""
    found = images.inspect(place.image, bench.exemptions, bench.layers)
    if len(found) != 1:
        raise Unreadable(f"the builder wrote {len(found)} images where one was asked for")
    image = found[0][0]
    if (image.platform.os, image.platform.arch) != (platform.os, platform.arch):
        raise Unreadable(f"the builder wrote one for {image.platform} where {platform} was asked for")
    return found[0]


def _look(
    bench: Bench,
    job: Job,
    platform: Platform,
    evidence: tuple[Evidence, ...],
    built: Built | None = None,
    notes: Sequence[str] = (),
    command: tuple[str, ...] = (),
    audited: Audit | None = None,
    *,
    failed: bool = False,
) -> Look:
    return Look(
        target=job.name,
        dockerfile=job.dockerfile,
        platform=platform,
        state=state_of(evidence),
        evidence=evidence,
        notes=tuple(notes),
        mode=bench.preflight.mode(platform).value,
        seconds=round(built.seconds, 1) if built else 0.0,
        elf_files=audited.elf_files if audited else 0,
        exempt=audited.exempt if audited else 0,
        failed=failed,
        command=command,
        resolved=built.progress.resolved if built else (),
    )


def _warned(built: Built) -> list[Evidence]:
    return [
        Evidence("base", _LINE.sub("", warning.message), lines=warning.lines)
        for warning in built.progress.warnings
        if warning.message.startswith("InvalidBaseImagePlatform")
    ]


def _failure(
    bench: Bench, candidate: Candidate, platform: Platform, built: Built, frontend: str | None
) -> Evidence:
    progress = built.progress
    if built.code is None:
        minutes = built.seconds / 60
        return Evidence("build", f"ended by the time limit after {minutes:.1f} minutes", State.UNKNOWN)
    step = progress.failed
    output = step.output.strip() if step else ""
    found = diagnose(progress.error, bench.rules, output)
    lines = _failed_lines(candidate, progress)
    state, meaning = _weighed(bench, candidate, platform, found, frontend, lines)
    log = (output or progress.error)[-_LOG_SHOWN:]
    if state is State.WRONG and not _is_of_the_file(progress, found):
        where = f" ({step.name})" if step and step.name else ""
        ended = found.line or f"it ended with {built.code}"
        return Evidence(
            "build", f"buildx ended outside of the file's steps{where}: {ended}", State.UNKNOWN, log=log
        )
    name = step.name if step else ""
    where = f"{name if len(name) <= _STEP_SHOWN else name[:_STEP_SHOWN] + '...'}: " if name else ""
    alike = state is found.state  # else the error's own words mislead
    line = f" ({found.line})" if found.line and alike else ""
    codes = found_in(found.codes, candidate.document, bench.rules, platform) if alike else ()
    return Evidence("build", f"{where}{meaning}{line}", state, lines=lines, codes=codes, log=log)


def _is_of_the_file(progress: Progress, found: Diagnosis) -> bool:
    """Whether the file failed, not a builder that could not be started, an export or the like."""
    step = progress.failed
    return bool(
        progress.failed_lines
        or (step is not None and images.is_step(step.name))
        or found.name in ("frontend", "base-platform", "base-missing", "missing-file")
    )


def _failed_lines(candidate: Candidate, progress: Progress) -> tuple[int, ...]:
    """The lines of the step that failed; () where that stands in a Dockerfile that the image is built on."""
    if candidate.job.linked:
        # buildx calls both files `Dockerfile`, and shows steps of one under the name of the other.
        own = candidate.source.decode("utf-8", "replace").splitlines()
        return tuple(line for line, text in progress.marked if own[line - 1 : line] == [text])
    if progress.failed_lines or progress.failed is None:
        return progress.failed_lines
    return images.step_lines(candidate.document, progress.failed.name)


def _overrides_stages(candidate: Candidate) -> bool:
    """Whether a named context takes the place of a stage: then the file does not say what is built from what."""
    names = {stage.name for stage in candidate.document.stages}
    return any(name in names for name in candidate.job.contexts)


def _weighed(
    bench: Bench,
    candidate: Candidate,
    platform: Platform,
    found: Diagnosis,
    frontend: str | None,
    lines: Sequence[int],
) -> tuple[State, str]:
    """What a failure says of the file, once it is known how it was built."""
    document, job = candidate.document, candidate.job
    if found.name == "missing-file" and (name := missing_everywhere(document, job.context, found.line)):
        return State.UNKNOWN, (
            f"{name} is not in the build context {job.context}: it may have to be made first, or the context is "
            "another folder (--context FOLDER)"
        )
    if found.name == "frontend" and frontend:
        return State.UNKNOWN, f"{found.meaning}, which names {frontend}; --trust-syntax lets that one read it"
    if found.name.startswith("base-") and (text := _missing_stage(document, platform)):
        return (
            State.WRONG,
            f"{text} has no stage for {platform}, and a registry was asked for an image of that name",
        )
    if found.name in ("crash", "protoc") and bench.preflight.mode(platform) is Mode.EMULATED:
        return (
            State.UNKNOWN,
            f"{found.meaning}; under emulation that may be the emulator's doing: a native node would tell",
        )
    foreign = found.name in ("foreign-program", "not-found")
    if foreign and bench.preflight.mode(platform) is Mode.MISSING:
        return State.UNKNOWN, f"the builder cannot execute programs for {platform}"
    if (
        found.state is State.WRONG
        and found.name not in _OF_ARCHITECTURE
        and _lacks_secret(document, found, lines)
    ):
        return State.UNKNOWN, f"{found.meaning}; it mounts a secret, and verify gives none"
    if job.unheeded and found.name in ("failed", "base-missing"):
        return (
            State.UNKNOWN,
            f"{found.meaning}; a bake or compose file that could not be read may say how to build it",
        )
    return found.state, found.meaning


def _lacks_secret(document: Document, found: Diagnosis, lines: Sequence[int]) -> bool:
    """Whether a step may have failed because it was given no secret, or what one before it left out for that."""
    wanted = wants_secrets(document)
    return bool(wanted and (found.name == "failed" or wanted.intersection(lines)))


def _missing_stage(document: Document, platform: Platform) -> str:
    """The `FROM x-${TARGETARCH}` that has stages for other architectures and none for this one."""
    facts = Facts(document, (platform,))
    reached = facts.reached(platform)
    stages = (stage for stage in facts.stages if stage.index in reached and stage.missing_members)
    return next((f"FROM {stage.head.image.value}" for stage in stages), "")


def shown(command: Sequence[str]) -> str:
    """A command line for people to copy."""
    return shlex.join(command)
