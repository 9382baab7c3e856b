"""One image on one platform: built by an invocation of its own, then inspected; the outcome is a Look."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
from archpatch.verify.exempt import Exemptions
from archpatch.verify.oci import SHARED_LAYERS, Image, LayerCache
from archpatch.verify.plan import Job, foreign_notation, refusal, wants_secrets, without_frontend
from archpatch.verify.preflight import Mode, Preflight
from archpatch.verify.progress import Progress
from archpatch.verify.tar import Unreadable
from archpatch.verify.triage import Diagnosis, diagnose
from archpatch.verify.verdict import Evidence, Look, State, state_of
from archpatch.verify.workspace import Workspace, workspace

_SECRET_LENGTH = 6
_LOG_SHOWN = 4000  # characters of a failed step's output

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
    refused = _refused(bench, candidate)
    if refused:
        return Outcome(_look(bench, job, platform, (Evidence("refused", refused, State.UNKNOWN),)))
    source, frontend = candidate.source, None
    if not bench.trust_syntax:
        source, frontend = without_frontend(source)
    notes = list(job.notes)
    if frontend:
        notes.append(f"# syntax={frontend} was not used: the builder's own frontend read the file")
    if wants_secrets(candidate.document):
        notes.append("a RUN mounts a secret or an SSH agent; verify gives none")
    try:
        with workspace(job.dockerfile, source, job.context, candidate.files) as place:
            built, command = _invoke(bench, job, platform, place, timeout)
            return _outcome(bench, candidate, platform, place, built, command, notes, frontend)
    except (OSError, ValueError) as error:
        return Outcome(
            _look(bench, job, platform, (Evidence("unread", f"the context: {error}", State.UNKNOWN),))
        )


def _refused(bench: Bench, candidate: Candidate) -> str:
    if candidate.job.unsupported:
        return candidate.job.unsupported
    if foreign_notation(candidate.source) and not bench.trust_syntax:
        return "only a frontend that the file itself names could read it; --trust-syntax allows that"
    return refusal(candidate.document, network_host=bench.buildx.settings.network == "host")


def _invoke(
    bench: Bench, job: Job, platform: Platform, place: Workspace, timeout: float | None
) -> tuple[Built, tuple[str, ...]]:
    target = job.target(platform, place.dockerfile, place.context, f"type=oci,dest={place.image}")
    place.bake.write_text(bake_file([target], bench.buildx.settings), encoding="utf-8")
    progress = Progress(lambda text: bench.watch(job.name, platform, text))
    built = bench.buildx.bake(
        place.bake, target.name, place.metadata, [place.folder, place.context], progress, timeout
    )
    return built, again(bench.buildx, job, platform)


def again(buildx: Buildx, job: Job, platform: Platform) -> tuple[str, ...]:
    """The command by which a person builds the same image without archpatch."""
    settings = buildx.settings
    command = ["docker", "buildx", "build", "--platform", str(platform), "--provenance=false", "--sbom=false"]
    command += ["--builder", settings.builder] if settings.builder else []
    command += ["--target", job.stage] if job.stage else []
    command += [f"--network={settings.network}"] if settings.network else []
    for name, value in job.args.items():
        # What a bake or compose file took from the environment may be a secret: a report names it, no more.
        secret = len(value) >= _SECRET_LENGTH and any(value in one for one in os.environ.values())
        command += ["--build-arg", name if secret else f"{name}={value}"]
    name = f"{job.name}-{str(platform).replace('/', '-')}.tar"
    return (*command, "--output", f"type=oci,dest={name}", "--file", str(job.dockerfile), str(job.context))


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
    found = _warned(built)
    try:
        [(image, audited)] = images.inspect(place.image, bench.exemptions, bench.layers)
    except (Unreadable, ValueError) as error:
        found.append(Evidence("unread", f"the image: {error}", State.UNKNOWN))
        return Outcome(_look(bench, job, platform, tuple(found), built, notes, command))
    lines = images.instruction_lines(candidate.document, image, job.stage)
    found += images.evidence_of(audited, lines)
    return Outcome(_look(bench, job, platform, tuple(found), built, notes, command, audited), image, audited)


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
        Evidence("base", warning.message, lines=warning.lines)
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
    log = progress.error
    found = diagnose(log, bench.rules)
    state, meaning = _weighed(bench, candidate.document, platform, found, frontend)
    step = progress.failed
    if found.name == "failed" and step is None and not progress.failed_lines:
        return Evidence(
            "build", f"buildx ended before any step ({found.line})", State.UNKNOWN, log=log[-_LOG_SHOWN:]
        )
    where = f"{step.name}: " if step and step.name else ""
    line = f" ({found.line})" if found.line else ""
    lines = progress.failed_lines or (images.step_lines(candidate.document, step.name) if step else ())
    return Evidence(
        "build", f"{where}{meaning}{line}", state, lines=lines, codes=found.codes,
        log=log[-_LOG_SHOWN:],
    )  # fmt: skip


def _weighed(
    bench: Bench, document: Document, platform: Platform, found: Diagnosis, frontend: str | None
) -> tuple[State, str]:
    """What a failure says of the file, once it is known how it was built."""
    if found.name == "frontend" and frontend:
        return State.UNKNOWN, f"{found.meaning}, which names {frontend}; --trust-syntax lets that one read it"
    if found.name.startswith("base-") and (text := _missing_stage(document, platform)):
        return (
            State.WRONG,
            f"{text} has no stage for {platform}, and a registry was asked for an image of that name",
        )
    foreign = found.name in ("foreign-program", "not-found")
    if foreign and bench.preflight.mode(platform) is Mode.MISSING:
        return State.UNKNOWN, f"the builder cannot execute programs for {platform}"
    if wants_secrets(document) and found.state is State.WRONG and found.name == "failed":
        return State.UNKNOWN, f"{found.meaning}; it mounts a secret, and verify gives none"
    return found.state, found.meaning


def _missing_stage(document: Document, platform: Platform) -> str:
    """The `FROM x-${TARGETARCH}` that has stages for other architectures and none for this one."""
    facts = Facts(document, (platform,))
    reached = facts.reached(platform)
    stages = (stage for stage in facts.stages if stage.index in reached and stage.missing_members)
    return next((f"FROM {stage.head.image.value}" for stage in stages), "")


def shown(command: Sequence[str]) -> str:
    """A command line for people to copy."""
    return shlex.join(command)
