"""One file: looked at, mended where that was asked for, and told in the terms of reports.

What goes in and what comes out can be pickled, so that a worker process can be sent here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from archpatch import HOMEPAGE, engine, registry, suppress, write
from archpatch.checking import InternalError, fixes_of
from archpatch.discover import Unreadable, check_text, read
from archpatch.engine import Settings
from archpatch.facts.context import Asked, Context
from archpatch.git import GitError
from archpatch.platforms import AMD64, Platform
from archpatch.report.lines import lines_of
from archpatch.report.model import Error, FileResult, Kind, RuleInfo, State, Verb, entries
from archpatch.rule import Finding, Rule, Severity
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, Span

if TYPE_CHECKING:
    from archpatch.narrow import Scope

_RETRIES = 3
_PAGE = HOMEPAGE + "/blob/main/docs/rules/{}.md"


class Task(Struct, frozen=True):
    """One file to look at. `source` is given for standard input, which has no context either."""

    path: Path
    settings: Settings
    fail_on: Severity
    verb: Verb
    level: Applicability
    source: bytes | None = None
    scope: Scope | None = None  # None: every finding is asked for


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of every installed pack, loaded once. Raises BrokenPack."""
    return registry.load()


@cache
def by_code() -> Mapping[str, Rule | suppress.Notice]:
    """Every rule, and the engine's own notices."""
    known: tuple[Rule | suppress.Notice, ...] = (*rules(), *suppress.NOTICES)
    return {rule.code: rule for rule in known}


def describe(rule: Rule | suppress.Notice) -> RuleInfo:
    """What reports say of a rule."""
    style = rule.style if isinstance(rule, Rule) else None
    return RuleInfo(rule.code, rule.name, rule.severity, lambda: rule.manual, _PAGE.format(rule.code), style)


def look(task: Task) -> FileResult | Error:
    """Look at one file, and mend it where the task says so. Raises nothing."""
    return look_asking(task)[0]


def look_asking(task: Task) -> tuple[FileResult | Error, Asked | None]:
    """`look`, and the build context that it asked; None where there is none, or where it went wrong."""
    try:
        if task.source is None:
            source = read(task.path)
        else:
            source = task.source
            check_text(source)
    except Unreadable as error:
        return Error(task.path, Kind.READ, str(error)), None
    try:
        return _Look(task, source).result()
    except Exception as error:  # one file's bug must not keep the others from being done
        return _failed(task, source, _told(task.path, error)), None


def _told(path: Path, error: Exception) -> Error:
    if isinstance(error, write.WriteError):
        return Error(error.path, Kind.WRITE, str(error))
    if isinstance(error, GitError):
        return Error(path, Kind.READ, str(error))
    if isinstance(error, engine.Unstable | engine.InternalError):
        return Error(path, Kind.INTERNAL, str(error).removeprefix(f"{path}: "))
    message = f"internal error: {type(error).__name__}: {error}; the file is as it was. Please report it."
    return Error(path, Kind.INTERNAL, message)


def _failed(task: Task, source: bytes, error: Error) -> FileResult:
    """A file that is as it was: what is to be found in it, if that much can be said, and the error."""
    if task.verb is not Verb.CHECK:
        checked = look(replace(task, verb=Verb.CHECK))
        if isinstance(checked, FileResult):
            return replace(checked, errors=tuple(dict.fromkeys((error, *checked.errors))))
    states = dict.fromkeys(task.settings.targets, State.UNKNOWN)
    return FileResult(task.path, source, task.settings.targets, errors=(error,), states=states)


class _Look(Struct, frozen=True):
    """The work on one file."""

    task: Task
    source: bytes

    def result(self) -> tuple[FileResult, Asked | None]:
        """Check, or mend; retried where another of our own files changed a shared file of the context."""
        path = self.task.path
        for attempt in range(_RETRIES):
            try:
                context = None if self.task.source is not None else Asked(path.parent, path.name)
                return self._attempt(context), context
            except write.ChangedOnDisk as error:
                if error.path == self.task.path or attempt == _RETRIES - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, context: Asked | None) -> FileResult:
        path = self.task.path
        document = parse(self.source, path)
        if self.task.verb is Verb.CHECK:
            state = engine.State(document, rules(), self.task.settings, context)
            told = self._told(document, state.report, context, {})
            return replace(told, states=self._foreseen(state, told.states))
        wanted = self._wanted(document, context)
        outcome = engine.fix(document, rules(), self.task.settings, context, self.task.level, wanted)
        changes = dict(self._changes(outcome, context))
        if self.task.verb is Verb.DIFF:
            report = engine.check(document, rules(), self.task.settings, context)
            told = self._told(document, report, context, {})
            mended = parse(outcome.source, path)
            failing = self._told(mended, outcome.report, context, outcome.files).failing
        else:
            self._write(changes)
            mended = parse(outcome.source, path) if outcome.source != self.source else document
            told = self._told(mended, outcome.report, context, outcome.files)
            failing = told.failing
        return replace(
            told, changes=changes, applied=outcome.applied, demoted=outcome.demoted, failing=failing
        )

    def _foreseen(self, start: engine.State, states: Mapping[Platform, State]) -> Mapping[Platform, State]:
        """The states, seen to the end where a fix changes what a stage stands on, and where a finding that has no fix
        lies in what another one's fix changes.

        On another platform or image there is more to find: "ready after fix" is said of what is clean then.
        """
        heads = [stage.head.span for stage in start.document.stages]
        if _mended_along(start.report.findings):
            for state, level in _LEVELS.items():
                left = _left(start, level, states)
                states = {
                    target: state if one is State.NEEDS_YOU and left[target] is State.READY else one
                    for target, one in states.items()
                }
        serious = (finding for finding in start.report.findings if finding.severity >= Severity.WARNING)
        if not any(_moves_a_stage(heads, fix) for fix in fixes_of(serious)):
            return states
        for state, level in _LEVELS.items():
            if state not in states.values():
                continue
            left = _left(start, level, states)
            states = {
                target: max(one, left[target], key=_ORDER.index) if one is state else one
                for target, one in states.items()
            }
        return states

    def _wanted(self, document: Document, context: Context | None) -> Callable[[Finding], bool] | None:
        """What the engine may mend; with a scope, what the scope holds as the file stands."""
        if self.task.scope is None:
            return None
        report = engine.check(document, rules(), self.task.settings, context)
        asked = {entry.finding for entry in self._told(document, report, context, {}).entries}
        return asked.__contains__

    def _changes(
        self, outcome: engine.Outcome, context: Context | None
    ) -> Iterator[tuple[Path, tuple[bytes, bytes]]]:
        if outcome.source != self.source:
            yield self.task.path, (self.source, outcome.source)
        for path, after in sorted(outcome.files.items()):
            before = self._context_file(path, context)
            if before != after:
                yield path, (before, after)

    def _write(self, changes: Mapping[Path, tuple[bytes, bytes]]) -> None:
        if self.task.source is None and changes:
            write.replace([write.Change(path, *texts) for path, texts in changes.items()])

    def _context_file(self, path: Path, context: Context | None) -> bytes:
        folder = self.task.path.parent
        name = path.relative_to(folder) if path.is_relative_to(folder) else path
        return (context.read(name) if context else None) or b""

    def _writes(self, finding: Finding) -> bool:
        return finding.code in by_code() and self.task.settings.writes(by_code()[finding.code], finding)

    def _told(
        self,
        document: Document,
        report: engine.Report,
        context: Context | None,
        written: Mapping[Path, bytes],
    ) -> FileResult:
        others = {
            path: written[path] if path in written else self._context_file(path, context)
            for path in _named_files((*report.findings, *report.suppressed))
            if path != document.path
        }
        told = FileResult(
            path=document.path,
            source=document.source,
            targets=report.targets,
            entries=entries(document, report.findings, others, writes=self._writes),
            suppressed=entries(document, report.suppressed, others, suppressed=True),
            unknown=report.unknown,
            errors=tuple(_errors(document, report)),
            states=assess(report),
            others=others,
        )
        if self.task.scope is not None:
            told = _narrowed(told, self.task.scope)
        failing = any(entry.finding.severity >= self.task.fail_on for entry in told.entries)
        return replace(told, failing=failing)


def _errors(document: Document, report: engine.Report) -> Iterator[Error]:
    for problem in report.errors:
        line = lines_of(document.source).number(problem.span.start)
        yield Error(document.path, Kind.PARSE, problem.message, line)
    for failure in report.failures:
        yield Error(document.path, Kind.INTERNAL, failure)


def assess(report: engine.Report) -> Mapping[Platform, State]:
    """What the image needs on each platform it is made for.

    Only warnings and errors count. They speak of the platforms that the file was not written for: amd64 is
    taken for the one that it was, unless the final stage is made for another.
    """
    serious = [finding for finding in report.findings if finding.severity >= Severity.WARNING]
    worst = max((_need(finding) for finding in serious), key=_ORDER.index, default=State.READY)
    if report.errors:
        return dict.fromkeys(report.targets, State.UNKNOWN)
    if (report.blind or report.failures) and worst is not State.NEEDS_YOU:  # could not look is never fine
        worst = State.UNKNOWN
    native = {AMD64} - report.foreign
    return {target: State.READY if target in native else worst for target in report.targets}


_ORDER = list(State)


_LEVELS = {State.AFTER_FIX: Applicability.SAFE, State.AFTER_UNSAFE: Applicability.UNSAFE}


def _moves_a_stage(heads: Sequence[Span], fix: Fix) -> bool:
    """Whether a fix edits a FROM, of which `heads` are all in order, or an ARG above the first one."""
    for edit in fix.edits if heads else ():
        before = bisect_left(
            heads, edit.span.end, key=lambda head: head.start
        )  # those that begin before its end
        if edit.path is None and (
            edit.span.start < heads[0].start or (before and edit.span.start < heads[before - 1].end)
        ):
            return True
    return False


def _mended_along(findings: Sequence[Finding]) -> bool:
    """Whether there are findings without a fix, and each lies where the fix of another one changes something."""
    serious = [finding for finding in findings if finding.severity >= Severity.WARNING]
    bare = [finding for finding in serious if _need(finding) is State.NEEDS_YOU]
    if not bare or len(bare) == len(serious):
        return False
    edits = sorted(
        {
            (edit.span.start, edit.span.end)
            for fix in fixes_of(serious)
            for edit in fix.edits
            if edit.path is None
        }
    )
    for finding in bare:
        at = bisect_left(edits, (finding.span.start, 0))
        if finding.path or at == len(edits) or edits[at][1] > finding.span.end:
            return False
    return True


def _left(
    start: engine.State, level: Applicability, states: Mapping[Platform, State]
) -> Mapping[Platform, State]:
    """What is left to do once the fixes of a level are in."""
    try:
        return assess(engine.mend(start, level, twice=False).report)
    except (engine.Unstable, InternalError):
        return dict.fromkeys(states, State.UNKNOWN)


def _need(finding: Finding) -> State:
    if not finding.fix or finding.fix.applicability is Applicability.MANUAL:
        return State.NEEDS_YOU
    return State.AFTER_FIX if finding.fix.applicability is Applicability.SAFE else State.AFTER_UNSAFE


def _narrowed(file: FileResult, scope: Scope) -> FileResult:
    held = {entry: scope.holds(file, entry) for entry in file.entries}
    return replace(
        file,
        entries=tuple(entry for entry in file.entries if held[entry]),
        outside=tuple(entry for entry in file.entries if not held[entry]),
    )


def _named_files(findings: Iterable[Finding]) -> Iterator[Path]:
    """Every file but the Dockerfile that findings, their fixes and related places name."""
    findings = list(findings)
    for fix in fixes_of(findings):
        yield from (edit.path for edit in fix.edits if edit.path)
    for finding in findings:
        if finding.path:
            yield finding.path
        for related in finding.related:
            if related.path:
                yield related.path
