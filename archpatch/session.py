"""One run over many files: the path that the command line, the hook, review comments and tests share.

A file is looked at by a function that a worker process can be sent; what comes back can be pickled. A failure
with one file is an error of that file, and the others are still done.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from archpatch import engine, registry, suppress, write
from archpatch.config import Config, ConfigError, find, load, nearest
from archpatch.discover import Found, Unreadable, check_text, read
from archpatch.engine import Settings
from archpatch.facts.context import Context, FolderContext
from archpatch.platforms import AMD64, DEFAULT_TARGETS, Platform
from archpatch.report.lines import lines_of
from archpatch.report.model import Error, FileResult, Kind, Result, RuleInfo, State, Verb, entries
from archpatch.rule import Finding, Rule, Severity, Style
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.tables import BadTable, Tables
from archpatch.text import Applicability

# Below this a pool of processes costs more than it saves: 30 ms to start, 2.5 ms a file.
POOL_FROM = 48
_CHUNK = 8
_RETRIES = 3
_PAGE = "https://github.com/archpatch/archpatch/blob/main/docs/rules/{}.md"


class BadOption(Exception):
    """Something on the command line that cannot be; str() is one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; None where a config file may speak."""

    verb: Verb = Verb.CHECK
    level: Applicability = Applicability.SAFE
    platforms: tuple[Platform, ...] | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    style: Style | None = None
    fail_on: Severity | None = None
    config: Path | None = None
    isolated: bool = False
    jobs: int = 0  # 0: as many as there are processors
    arguments: tuple[str, ...] = ()  # words of the command line that the next command takes over
    paths: tuple[str, ...] = ()  # those among them that are paths


@dataclass(frozen=True, slots=True)
class Task:
    """One file to look at. `source` is given for standard input, which has no context either."""

    path: Path
    settings: Settings
    fail_on: Severity
    verb: Verb
    level: Applicability
    source: bytes | None = None


@dataclass(slots=True)
class _Configs:
    """The config of each folder, read once."""

    options: Options
    known: Sequence[Rule | suppress.Notice]
    found: dict[Path, Config | ConfigError] = field(default_factory=dict)

    def of(self, folder: Path) -> Config:
        """The config that counts in a folder. Raises ConfigError."""
        if folder not in self.found:
            try:
                self.found[folder] = self._find(folder)
            except ConfigError as error:
                self.found[folder] = error
        found = self.found[folder]
        if isinstance(found, ConfigError):
            raise found
        return found

    def _find(self, folder: Path) -> Config:
        options = self.options
        named_file = options.config
        found = load(named_file) if named_file else Config() if options.isolated else find(folder)
        named = [*(found.select or ()), *found.ignore, *found.extend_select]
        named += (code for _, codes in found.per_file_ignores for code in codes)
        if problem := _unknown_code(named, self.known):
            raise ConfigError(f"{found.path}: {problem}")
        return found


def _configs(options: Options) -> _Configs:
    """Raises BadOption, BrokenPack, and ConfigError for a config named by an option."""
    known = _known()
    named = (*(options.select or ()), *options.ignore, *options.extend_select)
    if problem := _unknown_code(named, known):
        raise BadOption(problem)
    configs = _Configs(options, known)
    if options.config:
        configs.of(Path())
    return configs


def _known() -> tuple[Rule | suppress.Notice, ...]:
    return (*_rules(), *suppress.NOTICES)


def tasks(found: Found, options: Options) -> tuple[list[Task], list[Error]]:
    """What run() would look at: each file with the settings in force for it. Raises as run() does."""
    return _tasks(found, options, _configs(options), None)


def run(
    found: Found,
    options: Options,
    *,
    stdin: bytes | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Result:
    """Look at every file that was found, and write what is asked for.

    `stdin`: the text of the one file there is. Raises BadOption, BrokenPack, and ConfigError for a config named by an
    option.
    """
    known = _known()
    configs = _configs(options)
    tasks_, errors = _tasks(found, options, configs, stdin)
    errors += (Error(trouble.path, Kind.READ, trouble.message) for trouble in found.troubles)
    files: list[FileResult] = []
    for done, item in enumerate(_look_at(tasks_, options.jobs), 1):
        progress(done, len(tasks_))
        if isinstance(item, Error):
            errors.append(item)
        else:
            files.append(item)
    here = _quiet_config(configs)
    return Result(
        files=tuple(files),
        errors=tuple(errors),
        rules={rule.code: describe(rule) for rule in known},
        platforms=options.platforms or here.platforms or DEFAULT_TARGETS,
        style=options.style or here.style or Style.MINIMAL,
        verb=options.verb,
        unsafe=options.level is Applicability.UNSAFE,
        templates=len(found.templates),
        arguments=options.arguments,
        paths=options.paths,
    )


def _quiet_config(configs: _Configs) -> Config:
    """The config of the current folder, which names the platforms of the whole report."""
    try:
        return configs.of(Path())
    except ConfigError:
        return Config()


def describe(rule: Rule | suppress.Notice) -> RuleInfo:
    """What reports say of a rule."""
    manual = rule.manual if isinstance(rule, suppress.Notice) else inspect.cleandoc(type(rule).__doc__ or "")
    return RuleInfo(rule.code, rule.name, rule.severity, manual, _PAGE.format(rule.code))


def _unknown_code(codes: Iterable[str], known: Sequence[Rule | suppress.Notice]) -> str:
    for code in codes:
        if not any(suppress.means(code, rule) for rule in known):
            near = nearest(code, [name for rule in known for name in (rule.code, rule.name)])
            return f"no rule is called {code!r}; the nearest is {near}"
    return ""


def _tasks(
    found: Found, options: Options, configs: _Configs, stdin: bytes | None
) -> tuple[list[Task], list[Error]]:
    tasks: list[Task] = []
    errors: list[Error] = []
    for path in found.files:
        try:
            config = configs.of(path.parent)
        except ConfigError as error:
            errors.append(Error(path, Kind.CONFIG, str(error)))
            continue
        if path in found.named or not config.excludes(path):
            try:
                tasks.append(_task(path, options, config, stdin))
            except (BadTable, OSError) as error:
                errors.append(Error(path, Kind.CONFIG, str(error)))
    return tasks, errors


def _task(path: Path, options: Options, config: Config, stdin: bytes | None) -> Task:
    """The options of the command line first, then what the config says."""
    settings = Settings(
        targets=options.platforms or config.platforms or DEFAULT_TARGETS,
        style=options.style or config.style or Style.MINIMAL,
        select=config.select or () if options.select is None else options.select,
        ignore=(*config.ignore, *options.ignore, *config.ignored_for(path)),
        extend_select=(*config.extend_select, *options.extend_select),
        tables=_tables(config.data),
    )
    levels = (options.fail_on, config.fail_on, Severity.WARNING)
    fail_on = next(level for level in levels if level is not None)
    return Task(path, settings, fail_on, options.verb, options.level, stdin)


@cache
def _tables(paths: tuple[Path, ...]) -> Tables:
    """The tables that a config adds. Raises BadTable or OSError."""
    tables = Tables(paths)
    tables.load()
    return tables


@cache
def _rules() -> tuple[Rule, ...]:
    return registry.load()


@cache
def _by_code() -> Mapping[str, Rule | suppress.Notice]:
    rules: tuple[Rule | suppress.Notice, ...] = (*_rules(), *suppress.NOTICES)
    return {rule.code: rule for rule in rules}


def _look_at(tasks: Sequence[Task], jobs: int) -> Iterator[FileResult | Error]:
    """Every task's result, in order; by several processes where that pays."""
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1 or len(tasks) < POOL_FROM:
        yield from map(look, tasks)
        return
    from concurrent.futures import ProcessPoolExecutor  # costs a single file 20 ms
    from concurrent.futures.process import BrokenProcessPool

    done = 0
    while done < len(tasks):
        with ProcessPoolExecutor(jobs, initializer=_begin_worker) as pool:
            try:
                for result in pool.map(look, tasks[done:], chunksize=_CHUNK):
                    yield result
                    done += 1
            except BrokenProcessPool:
                pool.shutdown(wait=False, cancel_futures=True)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)  # each worker ends the file it is at
                raise
        # A worker died: one of the files in its hands kills. Each of them gets a process of its own.
        for task in tasks[done : done + jobs * _CHUNK * 2]:
            with ProcessPoolExecutor(1, initializer=_begin_worker) as alone:
                try:
                    yield alone.submit(look, task).result()
                except BrokenProcessPool:
                    yield Error(task.path, Kind.INTERNAL, "the process that looked at it died")
            done += 1


def _begin_worker() -> None:
    """Ctrl-C goes to the parent, which lets each worker end the file it is at."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def look(task: Task) -> FileResult | Error:
    """Look at one file, and mend it where the task says so. Raises nothing."""
    try:
        if task.source is None:
            source = read(task.path)
        else:
            source = task.source
            check_text(source)
    except Unreadable as error:
        return Error(task.path, Kind.READ, str(error))
    try:
        return _Look(task, source).result()
    except Exception as error:  # one file's bug must not keep the others from being done
        return _failed(task, source, _told(task.path, error))


def _told(path: Path, error: Exception) -> Error:
    if isinstance(error, write.WriteError):
        return Error(error.path, Kind.WRITE, str(error))
    if isinstance(error, engine.Unstable | engine.InternalError):
        return Error(path, Kind.INTERNAL, str(error).removeprefix(f"{path}: "))
    message = f"internal error: {type(error).__name__}: {error}; the file is as it was. Please report it."
    return Error(path, Kind.INTERNAL, message)


def _failed(task: Task, source: bytes, error: Error) -> FileResult:
    """A file that is as it was: what is to be found in it, if that much can be said, and the error."""
    if task.verb is not Verb.CHECK:
        checked = look(replace(task, verb=Verb.CHECK))
        if isinstance(checked, FileResult):
            return replace(checked, errors=(error, *checked.errors))
    states = dict.fromkeys(task.settings.targets, State.UNKNOWN)
    return FileResult(task.path, source, task.settings.targets, errors=(error,), states=states)


class _Once(FolderContext):
    """Reads each file once: a fix is later compared with the very bytes that it was made for."""

    def __init__(self, root: Path, dockerfile: str) -> None:
        super().__init__(root, dockerfile)
        self._read: dict[str, bytes | None] = {}

    def _content(self, path: str) -> bytes | None:
        if path not in self._read:
            self._read[path] = super()._content(path)
        return self._read[path]


@dataclass(frozen=True, slots=True)
class _Look:
    """The work on one file."""

    task: Task
    source: bytes

    def result(self) -> FileResult:
        """Check, or mend; retried where another of our own files changed a shared file of the context."""
        for attempt in range(_RETRIES):
            try:
                return self._attempt()
            except write.ChangedOnDisk as error:
                if error.path == self.task.path or attempt == _RETRIES - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self) -> FileResult:
        path = self.task.path
        context = None if self.task.source is not None else _Once(path.parent, path.name)
        document = parse(self.source, path)
        if self.task.verb is Verb.CHECK:
            return self._told(
                document, engine.check(document, _rules(), self.task.settings, context), context, {}
            )
        outcome = engine.fix(document, _rules(), self.task.settings, context, self.task.level)
        changes = dict(self._changes(outcome, context))
        if self.task.verb is Verb.DIFF:
            report = engine.check(document, _rules(), self.task.settings, context)
            told = self._told(document, report, context, {})
            left = outcome.report
        else:
            self._write(changes)
            mended = parse(outcome.source, path) if outcome.source != self.source else document
            told = self._told(mended, outcome.report, context, outcome.files)
            left = outcome.report
        return replace(
            told,
            changes=changes,
            applied=outcome.applied,
            demoted=outcome.demoted,
            failing=_is_failing(left.findings, self.task.fail_on),
        )

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
        return finding.code in _by_code() and self.task.settings.writes(_by_code()[finding.code], finding)

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
        lines = lines_of(document.source)
        return FileResult(
            path=document.path,
            source=document.source,
            targets=report.targets,
            entries=entries(document, report.findings, others, writes=self._writes),
            suppressed=entries(document, report.suppressed, others, suppressed=True),
            unknown=report.unknown,
            errors=tuple(
                Error(document.path, Kind.PARSE, problem.message, lines.number(problem.span.start))
                for problem in report.errors
            ),
            states=assess(report),
            others=others,
            failing=_is_failing(report.findings, self.task.fail_on),
        )


def assess(report: engine.Report) -> Mapping[Platform, State]:
    """What the image needs on each platform it is made for.

    Only warnings and errors count. They speak of the platforms that the file was not written for: amd64 is
    taken for the one that it was, unless the final stage is made for another.
    """
    serious = [finding for finding in report.findings if finding.severity >= Severity.WARNING]
    worst = max((_need(finding) for finding in serious), key=_ORDER.index, default=State.READY)
    if report.errors:
        return dict.fromkeys(report.targets, State.UNKNOWN)
    if report.blind and worst is not State.NEEDS_YOU:  # could not look is never fine
        worst = State.UNKNOWN
    native = {AMD64} - report.foreign
    return {target: State.READY if target in native else worst for target in report.targets}


_ORDER = list(State)


def _need(finding: Finding) -> State:
    if not finding.fix or finding.fix.applicability is Applicability.MANUAL:
        return State.NEEDS_YOU
    return State.AFTER_FIX if finding.fix.applicability is Applicability.SAFE else State.AFTER_UNSAFE


def _is_failing(findings: Iterable[Finding], fail_on: Severity) -> bool:
    return any(finding.severity >= fail_on for finding in findings)


def _named_files(findings: Iterable[Finding]) -> Iterator[Path]:
    """Every file but the Dockerfile that findings, their fixes and related places name."""
    for finding in findings:
        if finding.path:
            yield finding.path
        for edit in finding.fix.edits if finding.fix else ():
            if edit.path:
                yield edit.path
        for related in finding.related:
            if related.path:
                yield related.path
