"""archpatch verify: what is to be built, at which level, and what came of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from archpatch import suppress
from archpatch.discover import Unreadable as UnreadableFile
from archpatch.discover import discover, read
from archpatch.facts import Facts
from archpatch.facts.context import FolderContext
from archpatch.platforms import DEFAULT_TARGETS, Platform
from archpatch.rule import Rule
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.verify import bases, build, declared, plan, smoke
from archpatch.verify.audit import Audit, equal_layers
from archpatch.verify.bakefile import bake_file
from archpatch.verify.build import Bench, Candidate, Outcome, Watch, again, shown
from archpatch.verify.buildx import Buildx, Check, NoEngine, Settings
from archpatch.verify.cache import Verdicts
from archpatch.verify.contexts import with_context
from archpatch.verify.exempt import Exemptions
from archpatch.verify.oci import Image
from archpatch.verify.plan import Job
from archpatch.verify.preflight import Preflight, preflight
from archpatch.verify.triage import diagnose
from archpatch.verify.verdict import Evidence, Level, Look, State, Verification, state_of

_AT_ONCE = 4  # invocations; buildx lays their steps out on its nodes


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    paths: tuple[Path, ...] = ()
    level: Level = Level.BUILD
    platforms: tuple[Platform, ...] = DEFAULT_TARGETS
    settings: Settings = field(default_factory=Settings)
    trust_syntax: bool = False
    allow: tuple[str, ...] = ()
    run_command: tuple[str, ...] = ()
    allow_fork_event: bool = False
    cache: Path | None = None  # the folder of verdicts of earlier runs
    contexts: tuple[Path, ...] = ()  # folders that builds may use beside those of `paths`


def _quiet(image: str, platform: Platform, text: str) -> None:
    """Nobody watches."""


def verify(
    request: Request, rules: Sequence[Rule] = (), watch: Watch = _quiet, buildx: Buildx | None = None
) -> Verification:
    """Do what is asked. An engine that is not there, or a CI event that forbids it, is said in `trouble`."""
    buildx = buildx or Buildx(request.settings)
    files, troubles = _found(request)
    if not (files or troubles):
        return Verification(request.level)  # an engine is not asked for nothing
    try:
        if request.level is Level.PLAN:
            return _planned(request, files, troubles)
        check_event(request)
        return _looked(request, files, rules, watch, buildx, troubles)
    except NoEngine as error:
        return Verification(request.level, trouble=str(error))
    except BaseException:
        buildx.runner.stop()  # Ctrl-C too: no build outlives us
        raise


def check_event(request: Request) -> None:
    """Raises NoEngine in a CI event where a fork's code may meet secrets."""
    event = plan.fork_event(os.environ)
    if event and not request.allow_fork_event:
        raise NoEngine(
            f"this runs in {event}: a fork's code would be built where secrets may be near. "
            "--allow-fork-event builds it all the same; --level plan only prints what would be run"
        )


def roots_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The folders in which bake and compose files are looked for: those that the user named."""
    folders = [path if path.is_dir() else path.parent for path in paths]
    return tuple(dict.fromkeys(folders or [Path()]))


def _found(request: Request) -> tuple[list[tuple[Path, bytes]], list[Look]]:
    """The Dockerfiles with their bytes, and a look for each that cannot be read."""
    found = discover(request.paths)
    unread = [(trouble.path, trouble.message) for trouble in found.troubles]
    files = []
    for path in found.files:
        try:
            files.append((path, read(path)))
        except UnreadableFile as error:
            unread.append((path, str(error)))
    looks = [
        Look(str(path), path, platform, State.UNKNOWN, (Evidence("unread", why, State.UNKNOWN),))
        for path, why in unread
        for platform in request.platforms
    ]
    return files, looks


def _planned(request: Request, files: Sequence[tuple[Path, bytes]], troubles: Sequence[Look]) -> Verification:
    """The bake file and the commands, nothing run."""
    buildx = Buildx(request.settings)
    targets = []
    for candidate in _candidates(request, files, None):
        job = candidate.job
        for platform in candidate.targets or request.platforms:
            output = f"type=oci,dest={job.name}-{str(platform).replace('/', '-')}.tar"
            places = [(one.dockerfile.resolve(), one.context.resolve()) for one in (job, *job.linked)]
            targets += job.targets(platform, places, output)
    commands = [
        shown(buildx.bake_command(Path("archpatch-verify.json"), target.name))
        for target in targets
        if target.output is not None
    ]
    plan_ = bake_file(targets, request.settings)
    named = declared.nearby([path for path, _ in files], roots_of(request.paths))
    advice = tuple(
        f"{file} was not read, for a plan runs nothing: what it names is built with its context, stage and arguments"
        for file in named
    )
    return Verification(Level.PLAN, tuple(troubles), advice=advice, plan=plan_, commands=tuple(commands))


def _looked(
    request: Request,
    files: Sequence[tuple[Path, bytes]],
    rules: Sequence[Rule],
    watch: Watch,
    buildx: Buildx,
    troubles: Sequence[Look],
) -> Verification:
    candidates = _candidates(request, files, buildx)
    own = (platform for candidate in candidates for platform in candidate.targets or request.platforms)
    platforms = tuple(dict.fromkeys(own)) or request.platforms
    found = preflight(buildx, platforms, probe=request.level is not Level.CHECK)
    bench = bench_for(request, buildx, found, rules, watch)
    if request.level is Level.CHECK:
        looks = check_all(bench, candidates, request.platforms)
    else:
        looks = [outcome.look for outcome in build_all(bench, candidates, request.platforms)]
    result = Verification(request.level, (*troubles, *looks), commands=commands_of(looks))
    return with_engine(result, found)


def _candidates(
    request: Request, files: Sequence[tuple[Path, bytes]], buildx: Buildx | None
) -> list[Candidate]:
    sources = dict(files)
    roots = (*roots_of(request.paths), *request.contexts)
    found = []
    for job in declared.jobs([path for path, _ in files], roots, buildx):
        document = parse(sources[job.dockerfile], job.dockerfile)
        job = with_context(job, document, roots)
        found.append(Candidate(job, document.source, targets=_own_targets(job, document)))
    return found


def _own_targets(job: Job, document: Document) -> tuple[Platform, ...]:
    """The platforms that a file itself says it is for.

    By a comment, or by its name where one for another architecture stands beside it. Empty: it says nothing.
    """
    if named := suppress.read(document).platforms:
        return named
    facts = Facts(document, context=FolderContext(job.dockerfile.parent, job.dockerfile.name))
    return (Platform.parse(f"linux/{facts.named_arch}"),) if facts.family and facts.named_arch else ()


def bench_for(
    request: Request, buildx: Buildx, found: Preflight, rules: Sequence[Rule], watch: Watch
) -> Bench:
    """What the builds of a request share."""
    command = request.run_command if request.level is Level.RUN else ()
    exemptions = Exemptions.also(request.allow)
    verdicts = Verdicts(request.cache) if request.cache else None
    return Bench(buildx, found, exemptions, rules, request.trust_syntax, command, watch, verdicts)


def with_engine(result: Verification, found: Preflight) -> Verification:
    """A result that says by what engine it came about."""
    return replace(
        result,
        builder=found.builder.name,
        driver=found.builder.driver,
        versions={**found.versions, "buildkit": found.builder.version},
        modes={platform: mode.value for platform, mode in found.modes.items()},
        advice=found.advice,
    )


def commands_of(looks: Iterable[Look]) -> tuple[str, ...]:
    """The commands to build everything again."""
    return tuple(dict.fromkeys(shown(look.command) for look in looks if look.command))


def build_all(
    bench: Bench,
    candidates: Sequence[Candidate],
    platforms: Sequence[Platform],
    timeout: float | None = None,
) -> list[Outcome]:
    """Every candidate on every platform (its own, where it names some), in this order.

    One that fails keeps none of the others from being done.
    """

    keys: dict[tuple[str, Platform], str | None] = {}

    def one(question: tuple[Candidate, Platform]) -> Outcome:
        candidate, platform = question
        bench.watch(candidate.job.name, platform, "building")
        key = _key(bench, candidate, platform)
        keys[candidate.job.name, platform] = key
        outcome = _known(bench, candidate, key) or build.build(bench, candidate, platform, timeout)
        if bench.run_command and outcome.look.state is State.RIGHT and not outcome.look.cached:
            outcome = smoke.run(bench, candidate, platform, outcome)
        bench.watch(candidate.job.name, platform, outcome.look.state.value)
        return outcome

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            outcomes = list(
                pool.map(one, [(one_, each) for one_ in candidates for each in one_.targets or platforms])
            )
        except BaseException:
            bench.buildx.runner.stop()
            pool.shutdown(cancel_futures=True)
            raise
    found = []
    for candidate in candidates:
        count = len(candidate.targets or platforms)
        mine, outcomes = outcomes[:count], outcomes[count:]
        for outcome in _with_alarms(mine, candidate, bench.preflight):
            _keep(bench, candidate, outcome.look, keys[candidate.job.name, outcome.look.platform])
            found.append(outcome)
    return found


def _key(bench: Bench, candidate: Candidate, platform: Platform) -> str | None:
    return bench.verdicts.key(bench, candidate, platform) if bench.verdicts else None


def _known(bench: Bench, candidate: Candidate, key: str | None) -> Outcome | None:
    """What an earlier run proved of the very same."""
    look = bench.verdicts.get(key, candidate) if bench.verdicts and key else None
    return Outcome(look) if look else None


def _keep(bench: Bench, candidate: Candidate, look: Look, key: str | None) -> None:
    """Keep a verdict, if nothing that it depends on changed while it was sought."""
    if bench.verdicts is None or key is None or look.state is State.UNKNOWN or look.failed or look.cached:
        return
    if key == _key(bench, candidate, look.platform):
        bench.verdicts.put(key, look)


def _with_alarms(outcomes: list[Outcome], candidate: Candidate, found: Preflight) -> list[Outcome]:
    """Add what only shows when the platforms of one image are put side by side."""
    pairs: list[tuple[Image, Audit]] = [
        (outcome.image, outcome.audit) for outcome in outcomes if outcome.image and outcome.audit
    ]
    alarms = equal_layers(pairs)
    told = []
    for outcome in outcomes:
        look = outcome.look
        if look.cached:
            told.append(outcome)
            continue
        if alarm := alarms.get(look.platform):
            evidence = (*look.evidence, Evidence(alarm.code, alarm.message))
            look = replace(look, evidence=evidence, state=state_of(evidence))
        if note := _hidden_by_native_nodes(candidate, look, found):
            look = replace(look, notes=(*look.notes, note))
        told.append(replace(outcome, look=look))
    return told


def _hidden_by_native_nodes(candidate: Candidate, look: Look, found: Preflight) -> str:
    """A final stage on $BUILDPLATFORM looks right on a native node, and is wrong on one that emulates."""
    if look.state is not State.RIGHT or found.build_platform(look.platform) != look.platform:
        return ""
    document = candidate.document
    if not document.stages or len(found.build_platforms) < 2:
        return ""
    if bases.runs_on_builder(document, candidate.job.stage, look.platform):
        return (
            "its final stage runs on $BUILDPLATFORM: right here, where a native node built it; a builder that "
            "emulates this platform would ship its own architecture"
        )
    return ""


def check_all(bench: Bench, candidates: Sequence[Candidate], platforms: Sequence[Platform]) -> list[Look]:
    """Level `check`: BuildKit's checks with the values of each platform, and the platforms of all base images."""
    looks = []
    for candidate in candidates:
        for platform in candidate.targets or platforms:
            bench.watch(candidate.job.name, platform, "checking")
            looks.append(_check(bench, candidate, platform))
            bench.watch(candidate.job.name, platform, looks[-1].state.value)
    return looks


def _check(bench: Bench, candidate: Candidate, platform: Platform) -> Look:
    job = candidate.job
    source, _ = (candidate.source, None) if bench.trust_syntax else plan.without_frontend(candidate.source)
    document = parse(source, job.dockerfile)
    if plan.foreign_notation(source) and not bench.trust_syntax:
        evidence = [
            Evidence("refused", "only a frontend that the file itself names could read it", State.UNKNOWN)
        ]
        return Look(job.name, job.dockerfile, platform, State.UNKNOWN, tuple(evidence))
    # A check heeds no --platform: the automatic values are given by hand.
    values = {"TARGETPLATFORM": str(platform), "TARGETOS": platform.os, "TARGETARCH": platform.arch}
    values["TARGETVARIANT"] = platform.variant
    if job.unsupported:
        refused = (Evidence("refused", job.unsupported, State.UNKNOWN),)
        return Look(job.name, job.dockerfile, platform, State.UNKNOWN, refused, job.notes)
    with tempfile.TemporaryDirectory(prefix="archpatch-check-") as nothing:
        # A check builds nothing: an empty folder stands for what would be built first.
        contexts = {name: nothing if isinstance(one, Job) else str(one) for name, one in job.contexts.items()}
        told = bench.buildx.call_check(source, job.context, {**job.args, **values}, contexts)
    found, notes = _read_check(told)
    builds_on = bench.preflight.build_platform(platform)
    named, unknown = bases.bases_of(
        document, platform, builds_on, stage=job.stage, args=job.args, contexts=job.contexts
    )
    answers = bases.probe(bench.buildx, named)
    for base in named:
        answer = answers[base.reference, base.platform]
        if answer is not None:
            found.append(replace(answer, lines=(base.line,)))
    found += (Evidence("base", f"{text}: not known before the build", State.UNKNOWN) for text in unknown)
    evidence_ = tuple(dict.fromkeys(found))
    command = again(bench.buildx, job, platform)
    return Look(
        job.name,
        job.dockerfile,
        platform,
        state_of(evidence_),
        evidence_,
        (*job.notes, *notes),
        command=command,
    )


def _read_check(told: Check) -> tuple[list[Evidence], list[str]]:
    found: list[Evidence] = []
    notes: list[str] = []
    if told.failure:
        found.append(Evidence("lint", f"the check gave no answer: {told.failure}", State.UNKNOWN))
    for warning in told.warnings or ():
        if warning.rule_name == "InvalidBaseImagePlatform":
            continue  # a check looks at the builder's own platform; the probe of the bases asks for each
        text = f"{warning.rule_name}: {warning.detail}"
        notes.append(f"line {warning.line}: {text}" if warning.line else text)
    if told.build_error:
        diagnosis = diagnose(told.build_error.message)
        found.append(Evidence("lint", f"{diagnosis.meaning} ({diagnosis.line})", diagnosis.state))
    return found, notes
