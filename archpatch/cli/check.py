"""archpatch check, fix and diff."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from archpatch import write
from archpatch.cli import output
from archpatch.cli.app import FAILED, FOUND, NOTHING, OK, USAGE, complain
from archpatch.cli.engine import NAMES as ENGINE_OPTIONS
from archpatch.cli.engine import engine_options
from archpatch.cli.options import Output, arguments_for_next, flat, shared_options, standard_input
from archpatch.cli.progress import Progress
from archpatch.config import ConfigError
from archpatch.discover import MAX_SIZE, Found, Shard, Unreadable, discover, read, read_list, user_folder
from archpatch.git import GitError, fork_point
from archpatch.platforms import Platform
from archpatch.registry import BrokenPack
from archpatch.report.model import Kind, Result, Verb
from archpatch.rule import Severity, Style
from archpatch.session import BadOption, Options, run
from archpatch.text import Applicability

if TYPE_CHECKING:
    from archpatch.narrow import Scope

_STDIN = Path("-")


class Request(Struct, frozen=True):
    """What the command line asks for; the names are those of the options."""

    verb: Verb
    paths: tuple[Path, ...]
    platforms: tuple[Platform, ...] | None
    select: tuple[tuple[str, ...], ...]
    ignore: tuple[tuple[str, ...], ...]
    extend_select: tuple[tuple[str, ...], ...]
    style: str | None
    fail_on: str | None
    config: Path | None
    isolated: bool
    jobs: int | None
    no_cache: bool
    outputs: tuple[Output, ...]
    exit_zero: bool
    statistics: bool
    color: str
    quiet: bool
    stdin_filename: Path | None
    files_from: Path | None
    shard: Shard | None
    baseline: Path | None
    diff_base: str | None
    unsafe: bool = False
    exit_non_zero_on_fix: bool = False

    @property
    def is_stdin(self) -> bool:
        """Whether the text comes by standard input."""
        return self.paths == (_STDIN,)

    @property
    def scope(self) -> Scope | None:
        """The findings that are asked for; None: all. Raises UsageError."""
        if self.baseline is None and self.diff_base is None:
            return None
        from archpatch.narrow import BadBaseline, Scope, load  # most runs ask for every finding

        folder = next((path if path.is_dir() else path.parent for path in self.paths), Path())
        try:
            known = load(self.baseline) if self.baseline else None
            base = fork_point(folder, self.diff_base) if self.diff_base is not None else None
        except (BadBaseline, GitError) as error:
            raise click.UsageError(str(error)) from error
        return Scope(known, base)

    @property
    def options(self) -> Options:
        """The part that decides what is found and written."""
        return Options(
            verb=self.verb,
            level=Applicability.UNSAFE if self.unsafe else Applicability.SAFE,
            platforms=self.platforms,
            select=flat(self.select) or None,
            ignore=flat(self.ignore),
            extend_select=flat(self.extend_select),
            style=Style(self.style) if self.style else None,
            fail_on=Severity[self.fail_on.upper()] if self.fail_on else None,
            config=self.config,
            isolated=self.isolated,
            jobs=self.jobs or 0,
            scope=self.scope,
            cache=None if self.no_cache or self.is_stdin else user_folder(),
            arguments=arguments_for_next(),
            paths=tuple(map(str, self.paths)),
        )


@click.command()
@shared_options
@click.option(
    "--add-ignore", metavar="REASON", help="Write a suppression above every instruction with a finding."
)
def check(*, add_ignore: str | None, **values: object) -> int:
    """Find what makes Dockerfiles work on one architecture only. Changes nothing (but with --add-ignore).

    PATHS are files and folders; none: the current folder; -: standard input.
    """
    request = request_of(Verb.CHECK, values)
    if add_ignore is not None:
        from archpatch.cli.ignoring import add  # rare

        return add(request, add_ignore)
    return _run(request)


@click.command()
@shared_options
@click.option(
    "--unsafe", is_flag=True, help="Write the unsafe fixes too: right as far as one can tell; read them."
)
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; print a patch that `git apply` takes.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if something was written.")
@click.option(
    "--verify", "verified", is_flag=True, help="Build before and after; write what BuildKit confirms."
)
@click.option(
    "--budget",
    type=click.FloatRange(0),
    default=30.0,
    metavar="MINUTES",
    help="With --verify: for finding which fix makes an image worse. [30]",
)
@engine_options
def fix(*, as_diff: bool, verified: bool, budget: float, **values: object) -> int:
    """Write the safe fixes: those that leave the linux/amd64 image as it is.

    PATHS are files and folders; none: the current folder; -: standard input, mended to standard output.
    """
    engine = {name: values.pop(name) for name in ENGINE_OPTIONS}
    if verified:
        if as_diff:
            raise click.UsageError("--verify writes what it proves; it goes without --diff")
        from archpatch.cli.verify import fix_verified  # the engine's side, which no other run needs

        request = request_of(Verb.FIX, values)
        if request.is_stdin:
            raise click.UsageError("--verify builds files; standard input has no build context")
        return fix_verified(request, _found(request), engine, budget)
    return _run(request_of(Verb.DIFF if as_diff else Verb.FIX, values))


@click.command()
@shared_options
@click.option("--unsafe", is_flag=True, help="Show the unsafe fixes too.")
def diff(**values: object) -> int:
    """Print what `fix` would write, as a patch that `git apply` takes. Exit with 1 if there is one."""
    return _run(request_of(Verb.DIFF, values))


def request_of(verb: Verb, values: dict[str, object]) -> Request:
    """What the shared options say. Raises UsageError."""
    request = Request(verb, **values)  # type: ignore[arg-type]  # click gives what the options' callbacks return
    if _STDIN in request.paths and len(request.paths) > 1:
        raise click.UsageError("standard input (-) stands alone")
    if request.stdin_filename and not request.is_stdin:
        raise click.UsageError("--stdin-filename names what comes by -, which is not among the paths")
    if sum(output.file is None for output in request.outputs) > 1:
        raise click.UsageError("two reports cannot share standard output; give one a file: FORMAT:FILE")
    return request


def _run(request: Request) -> int:
    try:
        result, found = result_of(request)
    except (BadOption, BrokenPack, ConfigError) as error:
        raise click.UsageError(str(error)) from error
    output.show(request, result)
    return finish(request, result, found)


def finish(request: Request, result: Result, found: Found) -> int:
    """Tell the errors of a run; the exit code."""
    told: dict[str, None] = {}  # a config that cannot be used is told of once, whatever it counts for
    for trouble in result.all_errors:
        place = f"{trouble.path}:{trouble.line}" if trouble.line else str(trouble.path)
        # A config's message names the config, which is what must be mended.
        told[trouble.message if trouble.kind is Kind.CONFIG else f"{place}: {trouble.message}"] = None
    for line in told:
        complain(line)
    code = _exit_code(request, result, found)
    if code == NOTHING and not request.quiet:
        count = len(found.templates)
        passed = f" ({count} template{'' if count == 1 else 's'} passed over)" if count else ""
        complain(f"no Dockerfile to look at{passed}", "note")
    return code


def result_of(request: Request) -> tuple[Result, Found]:
    """The run that is asked for. Raises BadOption, BrokenPack, ConfigError."""
    if request.is_stdin:
        path = request.stdin_filename or Path("Dockerfile")
        source = standard_input(MAX_SIZE + 1)
        found = Found((path,), named=frozenset({path}), total=1)
        return run(found, request.options, stdin=source), found
    found = _found(request)
    if request.verb is Verb.FIX:
        for folder in {path.parent for path in found.files}:
            write.sweep(folder)
    with Progress(sys.stderr, quiet=request.quiet) as progress:
        return run(found, request.options, progress=progress.step), found


def _found(request: Request) -> Found:
    paths = list(request.paths)
    if request.files_from:
        try:
            data = standard_input() if request.files_from == _STDIN else read(request.files_from, nul=True)
        except Unreadable as error:
            raise click.UsageError(f"--files-from {request.files_from}: {error}") from error
        paths += read_list(data)
        if not paths:
            return Found()
    return discover(paths, shard=request.shard)


def _exit_code(request: Request, result: Result, found: Found) -> int:
    """The highest that applies, in the order 2, 4, 1, as the manual says."""
    kinds = {error.kind for error in result.all_errors}
    if kinds & {Kind.CONFIG, Kind.INTERNAL}:
        return USAGE
    if kinds:
        return FAILED
    if not result.files:
        return OK if request.shard and found.total else NOTHING
    changed = any(file.changes for file in result.files)
    if changed and request.verb is Verb.DIFF and not request.exit_zero:
        return FOUND
    if changed and request.verb is Verb.FIX and request.exit_non_zero_on_fix:
        return FOUND
    return FOUND if any(file.failing for file in result.files) and not request.exit_zero else OK
