"""archpatch verify: images proved with BuildKit, down to the ELF headers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archpatch import registry, session
from archpatch.cli.app import FAILED, NOTHING, complain
from archpatch.cli.engine import engine_options
from archpatch.cli.options import AnyPath, wants_color
from archpatch.cli.output import emit, save
from archpatch.config import ConfigError, find, load, read_platforms
from archpatch.discover import Found, Unreadable, read
from archpatch.engine import InternalError, Unstable
from archpatch.facts.context import FolderContext
from archpatch.look import Task
from archpatch.platforms import DEFAULT_TARGETS, Platform
from archpatch.report.model import Error, Kind
from archpatch.report.verify import FORMATS, render
from archpatch.report.watch import Watch
from archpatch.rule import Rule
from archpatch.verify.buildx import Buildx, NoEngine, Settings
from archpatch.verify.cache import default_folder
from archpatch.verify.existing import verify_image
from archpatch.verify.process import stopped_gently
from archpatch.verify.prove import Subject, Terms, prove
from archpatch.verify.run import Request, roots_of
from archpatch.verify.run import verify as run_verify
from archpatch.verify.verdict import Level, Verification
from archpatch.write import Change, WriteError
from archpatch.write import replace as replace_files

if TYPE_CHECKING:
    from archpatch.cli.check import Request as FixRequest

_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Output:
    """A format of a verification's report and where it goes; None: standard output."""

    format: str
    file: Path | None


def _platforms(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Platform, ...] | None:
    if value is None:
        return None
    try:
        return read_platforms([word.strip() for word in value.split(",") if word.strip()])
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def _outputs(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[Output, ...]:
    found = []
    for value in values:
        name, colon, file = value.partition(":")
        if name not in FORMATS or (colon and not file):
            raise click.BadParameter(f"{value!r} is no format; there are {', '.join(FORMATS)}", ctx, param)
        found.append(Output(name, Path(file) if file else None))
    if sum(output.file is None for output in found) > 1:
        raise click.UsageError("two reports cannot share standard output; give one a file: FORMAT:FILE")
    return tuple(found)


@click.command()
@click.argument("paths", nargs=-1, type=AnyPath())
@click.option(
    "--image", "image", metavar="REF", help="Inspect an image that exists: a name, or an OCI or docker tar."
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level if level is not Level.IMAGE]),
    default=Level.BUILD.value,
    help="plan: print, run nothing. check: BuildKit's checks and base images. build: build and inspect. "
    "run: also run a command in the image. [build]",
)
@click.option(
    "--run", "command", metavar="COMMAND", help="For --level run: the command, split as a shell would."
)
@click.option(
    "--platform", "platforms", callback=_platforms, metavar="PLATFORMS", help="[linux/amd64,linux/arm64]"
)
@click.option("--no-cache", is_flag=True, help="Build everything anew.")
@engine_options
@click.option(
    "--output-format",
    "outputs",
    multiple=True,
    callback=_outputs,
    metavar="FORMAT[:FILE]",
    help=f"One or more of {', '.join(FORMATS)}. [text]",
)
@click.option("--config", type=AnyPath(), help="This config file, no other.")
@click.option("--isolated", is_flag=True, help="Heed no config file.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
@click.option("--quiet", "-q", is_flag=True, help="The report alone, no progress.")
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    image: str | None,
    level: str,
    command: str | None,
    platforms: tuple[Platform, ...] | None,
    no_cache: bool,
    outputs: tuple[Output, ...],
    config: Path | None,
    isolated: bool,
    color: str,
    quiet: bool,
    **engine: object,
) -> None:
    """Prove with BuildKit that images are right on every platform.

    Exits with 0 when they are, 1 when one is wrong, 5 when it could not be told.
    """
    if image and paths:
        raise click.UsageError("--image stands alone: it needs no PATHS")
    if (level == Level.RUN.value) != bool(command):
        raise click.UsageError("--level run and --run COMMAND go together")
    folder = next((path if path.is_dir() else path.parent for path in paths), Path())
    request = request_of(engine, folder, platforms, config, isolated=isolated, no_cache=no_cache)
    request = replace(request, paths=paths, level=Level(level), run_command=tuple(shlex.split(command or "")))
    with stopped_gently(), Watch(quiet=quiet) as watch:
        if image:
            result = verify_image(image, replace(request, platforms=platforms or ()))
        else:
            result = run_verify(request, rules_of(), watch)
    show(result, outputs, color)
    if result.level is Level.PLAN:
        for line in dict.fromkeys(
            f"{look.dockerfile}: {one.message}" for look in result.looks for one in look.evidence
        ):
            complain(line)
    if not (result.looks or result.commands or result.trouble):
        complain("no Dockerfile to look at", "note")
        ctx.exit(NOTHING)
    ctx.exit(result.exit_code)


def request_of(
    engine: Mapping[str, object],
    folder: Path,
    platforms: tuple[Platform, ...] | None,
    config: Path | None,
    *,
    isolated: bool = False,
    no_cache: bool = False,
) -> Request:
    """What the engine options and the config in force ask for. Raises UsageError."""
    try:
        here = load(config) if config else None
        if here is None and not isolated:
            here = find(folder)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    settings = Settings(
        builder=_text(engine["builder"]),
        cache_from=_texts(engine["cache_from"]),
        cache_to=_texts(engine["cache_to"]),
        network=_text(engine["network"]),
        no_cache=no_cache,
        timeout=float(str(engine["timeout"])) * _MINUTE,
    )
    try:
        Buildx(settings)
    except NoEngine as error:
        raise click.UsageError(str(error)) from error
    allow = (*_texts(engine["allow"]), *(here.verify_allow if here else ()))
    return Request(
        platforms=platforms or (here.platforms if here else None) or DEFAULT_TARGETS,
        settings=settings,
        trust_syntax=bool(engine["trust_syntax"]),
        allow=allow,
        allow_fork_event=bool(engine["allow_fork_event"]),
        cache=None if no_cache else default_folder(),
        contexts=tuple(map(Path, _texts(engine["contexts"]))),
    )


def fix_verified(request: FixRequest, found: Found, engine: Mapping[str, object], budget: float) -> int:
    """archpatch fix --verify: prove each fix, write those that the evidence does not refute."""
    outputs = tuple(_outputs_of(request))
    folder = next((path if path.is_dir() else path.parent for path in request.paths), Path())
    asked = request_of(
        engine,
        folder,
        request.platforms,
        request.config,
        isolated=request.isolated,
        no_cache=request.no_cache,
    )
    tasks, errors = session.tasks(found, request.options)
    terms = Terms(
        request=asked,
        rules=rules_of(),
        unsafe=request.unsafe,
        budget=budget * _MINUTE,
        write=_write,
        roots=roots_of(request.paths),
    )
    with stopped_gently(), Watch(quiet=request.quiet) as watch:
        try:
            subjects = list(_subjects(tasks, errors))
            result = prove(subjects, terms, watch)
        except (InternalError, Unstable, WriteError) as error:
            raise click.ClickException(str(error)) from error
    show(result, outputs, request.color)
    for trouble in errors:
        complain(f"{trouble.path}: {trouble.message}")
    unproved = len(subjects) - len({fix.path for fix in result.fixes})
    if unproved and not (result.trouble or request.quiet):
        files = "1 file has" if unproved == 1 else f"{unproved} files have"
        complain(f"{files} no fix to prove, so nothing was built; archpatch verify builds all", "note")
    if not found.files:
        complain("no Dockerfile to look at", "note")
        return NOTHING
    return max(result.exit_code, FAILED) if errors else result.exit_code


def _outputs_of(request: FixRequest) -> Iterator[Output]:
    """The reports that `fix` was asked for, as far as a verification has them."""
    formats = {"full": "text", "json": "json", "markdown": "markdown"}
    for output in request.outputs:
        if output.format not in formats:
            raise click.UsageError(f"with --verify there are {', '.join(formats)}, not {output.format}")
        yield Output(formats[output.format], output.file)


def _subjects(tasks: Iterable[Task], errors: list[Error]) -> Iterator[Subject]:
    """The files that can be read; the others are added to `errors`."""
    for task in tasks:
        try:
            source = read(task.path)
        except Unreadable as error:
            errors.append(Error(task.path, Kind.READ, str(error)))
            continue
        yield Subject(task.path, source, task.settings, FolderContext(task.path.parent, task.path.name))


def rules_of() -> tuple[Rule, ...]:
    """The installed rules. Raises UsageError."""
    try:
        return registry.load()
    except registry.BrokenPack as error:
        raise click.UsageError(str(error)) from error


def _write(changes: Mapping[Path, tuple[bytes, bytes]]) -> None:
    replace_files([Change(path, *texts) for path, texts in changes.items()])


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, tuple) else ()


def show(result: Verification, outputs: tuple[Output, ...], color: str) -> None:
    """Write the reports."""
    for output in outputs or (Output("text", None),):
        if output.file is None:
            emit(render(output.format, result, color=wants_color(color, sys.stdout)), sys.stdout)
        else:
            save(output.file, render(output.format, result))
