"""One run over many files: the path that the command line, the hook, review comments and tests share.

A file is looked at by a function that a worker process can be sent; what comes back can be pickled. A failure
with one file is an error of that file, and the others are still done.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from archpatch import suppress
from archpatch.config import Config, ConfigError, Search, load
from archpatch.discover import Found, walk_up
from archpatch.engine import Settings
from archpatch.look import Task, by_code, describe, look
from archpatch.platforms import DEFAULT_TARGETS, Platform
from archpatch.report.model import Error, FileResult, Kind, Result, RuleInfo, State, Verb
from archpatch.rule import Severity, Style
from archpatch.tables import BadTable, Tables
from archpatch.text import Applicability

if TYPE_CHECKING:
    from archpatch.cache import Cache
    from archpatch.narrow import Scope

# Below this a pool of processes costs more than it saves: 30 ms to start, 2.5 ms a file.
POOL_FROM = 48
_CHUNK = 8
_AT_ONCE = 4096  # files that are handed out: each waits with some memory
_NONE: Mapping[Path, Any] = {}


class BadOption(Exception):
    """Something on the command line that cannot be; str() is one line."""


class Options(Struct, frozen=True):
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
    scope: Scope | None = None  # None: every finding is asked for
    cache: Path | None = None  # the folder of what is kept; None: every file is looked at anew
    configs: Mapping[Path, Config] | None = None  # by folder (absolute), in place of those in the tree
    arguments: tuple[str, ...] = ()  # words of the command line that the next command takes over
    paths: tuple[str, ...] = ()  # those among them that are paths


class _Configs(Struct):
    """The config of each folder, read once."""

    options: Options
    known: Sequence[RuleInfo]
    found: dict[Path, Config | ConfigError] = field(default_factory=dict)
    search: Search = field(default_factory=Search)

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
        if named_file:
            found = load(named_file)
        elif options.isolated:
            found = Config()
        elif options.configs is not None:
            above = (options.configs[one] for one in walk_up(folder) if one in options.configs)
            found = next(above, Config())
        else:
            found = self.search.nearest(folder)
        named = [*(found.select or ()), *found.ignore, *found.extend_select]
        named += (code for _, codes in found.per_file_ignores for code in codes)
        if problem := _unknown_code(named, self.known):
            raise ConfigError(f"{found.path}: {problem}")
        return found


def _configs(options: Options, known: Sequence[RuleInfo]) -> _Configs:
    """Raises BadOption, BrokenPack, and ConfigError for a config named by an option."""
    named = (*(options.select or ()), *options.ignore, *options.extend_select)
    if problem := _unknown_code(named, known):
        raise BadOption(problem)
    configs = _Configs(options, known)
    if options.config:
        configs.of(Path())
    return configs


def tasks(found: Found, options: Options) -> tuple[list[Task], list[Error]]:
    """What run() would look at: each file with the settings in force for it. Raises as run() does."""
    return _tasks(found, options, _configs(options, tuple(map(describe, by_code().values()))), None)


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
    rules = {rule.code: describe(rule) for rule in by_code().values()}
    configs = _configs(options, tuple(rules.values()))
    tasks_, errors = _tasks(found, options, configs, stdin)
    errors += (Error(trouble.path, Kind.READ, trouble.message) for trouble in found.troubles)
    files: list[FileResult] = []
    states: dict[object, Mapping[Platform, State]] = {}
    for done, (task, item) in enumerate(zip(tasks_, _results(tasks_, options), strict=True), 1):
        progress(done, len(tasks_))
        if isinstance(item, Error):
            errors.append(item)
        else:
            files.append(_shared(item, task, states))
    here = _quiet_config(configs)
    return Result(
        files=tuple(files),
        errors=tuple(errors),
        rules=rules,
        platforms=options.platforms or here.platforms or DEFAULT_TARGETS,
        style=options.style or here.style or Style.MINIMAL,
        verb=options.verb,
        unsafe=options.level is Applicability.UNSAFE,
        templates=len(found.templates),
        mended=_mended(options, files),
        arguments=options.arguments,
        paths=options.paths,
    )


def _shared(file: FileResult, task: Task, states: dict[object, Mapping[Platform, State]]) -> FileResult:
    """A result whose small parts are those that others have: another process sends copies of its own."""
    return replace(
        file,
        path=task.path,
        targets=task.settings.targets if file.targets == task.settings.targets else file.targets,
        states=states.setdefault(tuple(file.states.items()), file.states),
        others=file.others or _NONE,
        changes=file.changes or _NONE,
    )


def _mended(options: Options, files: Sequence[FileResult]) -> tuple[str, ...] | None:
    """What the baseline knows of these files and the asked rules, and is no longer there."""
    if options.scope is None or options.scope.known is None:
        return None
    from archpatch.narrow import mended  # as its scope: most runs have none

    settings = Settings(select=options.select or (), ignore=options.ignore)
    gone = mended(options.scope.known, files)
    return tuple(
        f"{one.code} in {one.path}"
        for one in gone
        if one.code not in by_code() or settings.asks(by_code()[one.code])
    )


def _quiet_config(configs: _Configs) -> Config:
    """The config of the current folder, which names the platforms of the whole report."""
    try:
        return configs.of(Path())
    except ConfigError:
        return Config()


def _opened(options: Options) -> Cache | None:
    if options.cache is None:
        return None
    from archpatch.cache import opened  # as most of what it needs is not needed without it

    return opened(options.cache)


def _results(tasks: Sequence[Task], options: Options) -> Iterator[FileResult | Error]:
    """What is kept of a task, else what a look gives, in the order of the tasks."""
    kept = _opened(options)
    if kept is None or options.cache is None:
        yield from _look_at(tasks, options.jobs, look)
        return
    from archpatch.cache import look_and_keep

    known = [kept.find(task) for task in tasks]
    missing = [task for task, found in zip(tasks, known, strict=True) if found is None]
    looked = _look_at(missing, options.jobs, partial(look_and_keep, options.cache))
    for found in known:
        yield next(looked) if found is None else found
    if missing:
        kept.prune()


def _unknown_code(codes: Iterable[str], known: Sequence[RuleInfo]) -> str:
    for code in codes:
        if not any(suppress.stands_for(code, rule.code, rule.name) for rule in known):
            from archpatch.misspelt import no_such_rule  # for a misspelt word alone

            return no_such_rule(code, [name for rule in known for name in (rule.code, rule.name)])
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
    return Task(path, settings, fail_on, options.verb, options.level, stdin, options.scope)


@cache
def _tables(paths: tuple[Path, ...]) -> Tables:
    """The tables that a config adds. Raises BadTable or OSError."""
    tables = Tables(paths)
    tables.load()
    return tables


def _look_at(
    tasks: Sequence[Task], jobs: int, look: Callable[[Task], FileResult | Error]
) -> Iterator[FileResult | Error]:
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
                while done < len(tasks):
                    for result in pool.map(look, tasks[done : done + _AT_ONCE], chunksize=_CHUNK):
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
