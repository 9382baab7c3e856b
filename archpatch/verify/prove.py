"""archpatch fix --verify: one build before, one after; what the evidence does not refute is written.

When the result is worse, the fixes to blame are found by halving: the others are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from archpatch import engine
from archpatch.facts import Context
from archpatch.platforms import Platform
from archpatch.rule import Finding, Rule
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability
from archpatch.verify import declared
from archpatch.verify.attribute import Pair, Unit, proof, units
from archpatch.verify.build import Bench, Candidate, Watch, shown
from archpatch.verify.buildx import Buildx, NoEngine
from archpatch.verify.contexts import with_context
from archpatch.verify.plan import Job
from archpatch.verify.preflight import preflight
from archpatch.verify.run import Request, bench_for, build_all, check_event, commands_of, with_engine
from archpatch.verify.verdict import FixProof, Level, Look, Proof, State, Verdict, Verification, combined

Changes = Mapping[Path, tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A Dockerfile to mend, with what check and fix would be given."""

    path: Path
    source: bytes
    settings: engine.Settings
    context: Context | None


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a proof is sought. `write` is given the files of one Dockerfile's fixes, old and new text."""

    request: Request
    rules: Sequence[Rule]
    unsafe: bool
    budget: float  # seconds for finding the fixes to blame
    write: Callable[[Changes], None]
    roots: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class _Mended:
    """The text that a set of fixes makes."""

    source: bytes
    files: Mapping[Path, bytes]
    applied: tuple[Finding, ...]


@dataclass(slots=True)
class _Case:
    """The work on one file."""

    subject: Subject
    document: Document
    jobs: tuple[Job, ...]
    platforms: tuple[Platform, ...]
    units: list[Unit]
    full: _Mended
    before: list[Look] = field(default_factory=list)
    after: list[Look] = field(default_factory=list)
    refuted: dict[Unit, str] = field(default_factory=dict)
    untold: dict[Unit, str] = field(default_factory=dict)


def prove(
    subjects: Sequence[Subject], terms: Terms, watch: Watch, buildx: Buildx | None = None
) -> Verification:
    """Mend each file, prove each fix, write what may be written. Without an engine nothing is written."""
    request = terms.request
    buildx = buildx or Buildx(request.settings)
    cases: list[_Case] = []
    try:
        check_event(request)
        mended = [(subject, _mend(subject, terms)) for subject in subjects]
        wanted = [(subject, full) for subject, full in mended if full.applied]
        if not wanted:
            return Verification(Level.BUILD)
        platforms = tuple(dict.fromkeys(p for subject, _ in wanted for p in subject.settings.targets))
        found = preflight(buildx, platforms)
        bench = bench_for(request, buildx, found, terms.rules, watch)
        for subject, full in wanted:
            cases.append(_case(subject, full, terms, buildx))
        for case in cases:
            case.before = _build(bench, case, _Mended(case.subject.source, {}, ()))
            case.after = _build(bench, case, case.full)
        proofs = [one for case in cases for one in _decided(bench, case, terms)]
    except NoEngine as error:
        return Verification(
            Level.BUILD, trouble=str(error), fixes=tuple(_untold(cases, subjects, terms, str(error)))
        )
    except BaseException:
        buildx.runner.stop()
        raise
    looks = [look for case in cases for look in case.after]
    before = [look for case in cases for look in case.before]
    result = Verification(
        Level.BUILD, tuple(looks), tuple(before), tuple(proofs), commands=commands_of(looks)
    )
    return with_engine(result, found)


def _mend(subject: Subject, terms: Terms, allowed: frozenset[tuple[str, str]] | None = None) -> _Mended:
    """The file with the fixes of `allowed` (all of them: None). Nothing is written."""
    wanted = None if allowed is None else lambda finding: (finding.code, finding.message) in allowed
    document = parse(subject.source, subject.path)
    outcome = engine.fix(
        document, terms.rules, subject.settings, subject.context, Applicability.UNSAFE, wanted
    )
    return _Mended(outcome.source, outcome.files, outcome.applied)


def _case(subject: Subject, full: _Mended, terms: Terms, buildx: Buildx) -> _Case:
    document = parse(subject.source, subject.path)
    report = engine.check(document, terms.rules, subject.settings, subject.context)
    roots = (*terms.roots, *terms.request.contexts)
    jobs = tuple(with_context(job, document, roots) for job in declared.jobs([subject.path], roots, buildx))
    found = units(document, report.findings, full.applied)
    return _Case(subject, document, jobs, report.targets, found, full)


def _build(bench: Bench, case: _Case, text: _Mended, timeout: float | None = None) -> list[Look]:
    candidates = [Candidate(job, text.source, text.files) for job in case.jobs]
    return [outcome.look for outcome in build_all(bench, candidates, case.platforms, timeout)]


def _pairs(before: Sequence[Look], after: Sequence[Look]) -> list[Pair]:
    return [Pair(*looks) for looks in zip(before, after, strict=True)]


def _worse(before: Sequence[Look], after: Sequence[Look]) -> list[Pair]:
    return [pair for pair in _pairs(before, after) if pair.worse]


def _decided(bench: Bench, case: _Case, terms: Terms) -> list[FixProof]:
    """The verdict over each fix of one file, the file written accordingly; case.after is what it then is."""
    kept = case.units
    if _worse(case.before, case.after):
        kept = _blame(bench, case, terms)
    proofs = {unit: _proofs(case, unit, kept) for unit in kept}
    chosen = [unit for unit in kept if _may_be_written(unit, combined(proofs[unit]), unsafe=terms.unsafe)]
    text = _text_of(case, chosen, terms)
    if len(chosen) < len(kept) and chosen:
        chosen, proofs = _shown_alone(bench, case, text, chosen, proofs)
    elif not chosen:
        case.after = case.before
    if chosen:
        terms.write(_changes(case.subject, text))
    return [_told(case, unit, proofs.get(unit, ()), written=unit in chosen) for unit in case.units]


def _shown_alone(
    bench: Bench, case: _Case, text: _Mended, chosen: list[Unit], proofs: dict[Unit, tuple[Proof, ...]]
) -> tuple[list[Unit], dict[Unit, tuple[Proof, ...]]]:
    """What is written must be what was built: without the fixes that are not written, once more."""
    after = _build(bench, case, text)
    if _worse(case.before, after) or any(look.state is State.UNKNOWN for look in after):
        case.after = case.before
        for unit in chosen:
            case.untold[unit] = "without the fixes that are not written it could not be shown to be right"
        return [], {unit: found for unit, found in proofs.items() if unit not in chosen}
    case.after = after
    again = {unit: _proofs(case, unit, chosen) for unit in chosen}
    return chosen, {**proofs, **again}


def _text_of(case: _Case, chosen: Sequence[Unit], terms: Terms) -> _Mended:
    if len(chosen) == len(case.units):
        return case.full
    return _mend(case.subject, terms, frozenset(unit.key for unit in chosen))


def _proofs(case: _Case, unit: Unit, others: Sequence[Unit]) -> tuple[Proof, ...]:
    found = []
    for pair in _pairs(case.before, case.after):
        one = proof(case.document, unit, pair, others, shown(pair.after.command or pair.before.command))
        if len(case.jobs) > 1:  # each platform speaks once for each image
            one = replace(one, evidence=f"{pair.before.target}: {one.evidence}")
        found.append(one)
    return tuple(found)


def _may_be_written(unit: Unit, verdict: Verdict, *, unsafe: bool) -> bool:
    if verdict is Verdict.CONFIRMED:
        return True
    return verdict is Verdict.NEUTRAL and (unsafe or unit.applicability is Applicability.SAFE)


def _blame(bench: Bench, case: _Case, terms: Terms) -> list[Unit]:
    """The fixes that together are not worse; the rest are refuted, or untold where the budget ends.

    Groups are tried on top of what is kept already and halved when that is worse: a handful of builds for one
    culprit among many. case.after becomes that of the kept ones.
    """
    deadline = time.monotonic() + terms.budget
    reasons = _reasons(case)
    kept: list[Unit] = []
    case_after = case.before
    groups = _halves(case.units) if len(case.units) > 1 else [case.units]
    if len(case.units) == 1:
        case.refuted[case.units[0]] = reasons
        groups = []
    while groups:
        group = groups.pop(0)
        left = deadline - time.monotonic()
        if left <= 0:
            for unit in group:
                case.untold[unit] = (
                    "together the fixes make it worse; the budget ended before the blame was found"
                )
            continue
        after = _build(bench, case, _text_of(case, [*kept, *group], terms), left)
        if _ended(after, left):
            groups.insert(0, group)
            deadline = 0
        elif not _worse(case.before, after):
            kept += group
            case_after = after
        elif len(group) == 1:
            case.refuted[group[0]] = _worst(case.before, after)
        else:
            groups = [*_halves(group), *groups]
    case.after = case_after
    return kept


def _halves(group: Sequence[Unit]) -> list[list[Unit]]:
    middle = (len(group) + 1) // 2
    return [list(half) for half in (group[:middle], group[middle:]) if half]


def _ended(looks: Sequence[Look], left: float) -> bool:
    return any(look.state is State.UNKNOWN and look.seconds >= left for look in looks)


def _reasons(case: _Case) -> str:
    return _worst(case.before, case.after)


def _worst(before: Sequence[Look], after: Sequence[Look]) -> str:
    """Why the result is worse, on the first platform where it is."""
    for pair in _worse(before, after):
        known = {one.key for one in pair.before.wrong}
        fresh = [one for one in pair.after.wrong if one.key not in known] or list(pair.after.wrong)
        return f"{pair.before.platform} was {pair.before.state.value}, and after it: {fresh[0].message}"
    return "it is worse"


def _told(case: _Case, unit: Unit, proofs: Sequence[Proof], *, written: bool) -> FixProof:
    verdict, why = combined(proofs), _why(proofs)
    if unit in case.refuted:
        verdict, why = Verdict.REFUTED, f"{case.refuted[unit]}; rolled back"
    elif unit in case.untold:
        verdict, why = Verdict.UNKNOWN, case.untold[unit]
    elif not written and verdict is Verdict.NEUTRAL:
        why = f"{why}; an unsafe fix that changes nothing is written with --unsafe alone"
    return FixProof(
        case.subject.path, unit.code, unit.title, unit.line, unit.applicability, verdict, why, tuple(proofs), written
    )  # fmt: skip


def _why(proofs: Sequence[Proof]) -> str:
    """The evidence of the platform that decided."""
    verdict = combined(proofs)
    return next(
        (f"{one.platform}: {one.evidence}" for one in proofs if one.verdict is verdict), "no evidence"
    )


def _changes(subject: Subject, text: _Mended) -> Changes:
    changes = {subject.path: (subject.source, text.source)} if text.source != subject.source else {}
    for path, after in text.files.items():
        before = path.read_bytes()
        if before != after:
            changes[path] = (before, after)
    return changes


def _untold(cases: Sequence[_Case], subjects: Sequence[Subject], terms: Terms, why: str) -> list[FixProof]:
    """Every fix as UNKNOWN: there was no engine to ask."""
    found = []
    done = {case.subject.path for case in cases}
    for case in cases:
        found += [_unknown(case.subject, unit, why) for unit in case.units]
    for subject in subjects:
        if subject.path not in done:
            document = parse(subject.source, subject.path)
            report = engine.check(document, terms.rules, subject.settings, subject.context)
            applied = _mend(subject, terms).applied
            found += [_unknown(subject, unit, why) for unit in units(document, report.findings, applied)]
    return found


def _unknown(subject: Subject, unit: Unit, why: str) -> FixProof:
    return FixProof(subject.path, unit.code, unit.title, unit.line, unit.applicability, Verdict.UNKNOWN, why)
