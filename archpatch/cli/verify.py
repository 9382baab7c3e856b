"""archpatch verify: images proved with BuildKit, down to the ELF headers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from archpatch import registry
from archpatch.cli.options import wants_color
from archpatch.config import ConfigError, find, load, read_platforms
from archpatch.platforms import DEFAULT_TARGETS, Platform
from archpatch.report.verify import FORMATS, render
from archpatch.report.watch import Watch
from archpatch.verify.buildx import Settings
from archpatch.verify.existing import verify_image
from archpatch.verify.run import Request
from archpatch.verify.run import verify as run_verify
from archpatch.verify.verdict import Level, Verification

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


# Shared with `fix --verify`, which takes them beside its own.
ENGINE_OPTIONS: tuple[Callable[[Callable[..., object]], Callable[..., object]], ...] = (
    click.option("--builder", metavar="NAME", help="This buildx builder [the one in use]."),
    click.option("--cache-from", multiple=True, metavar="SPEC", help="Passed to buildx; {target}, {platform} are filled in."),
    click.option("--cache-to", multiple=True, metavar="SPEC", help="Passed to buildx; {target}, {platform} are filled in."),
    click.option("--network", type=click.Choice(["host", "none"]), help="The network of RUN steps."),
    click.option("--timeout", type=click.FloatRange(0.1), default=30.0, metavar="MINUTES", help="For one build [30]."),
    click.option("--trust-syntax", is_flag=True, help="Let the frontend that a file's `# syntax=` names read it."),
    click.option("--allow", multiple=True, metavar="GLOB", help="Files of an image that may be foreign: data, firmware."),
    click.option("--allow-fork-event", is_flag=True, help="Build in CI events where a fork's code may meet secrets."),
)  # fmt: skip


def engine_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options that say how buildx is to be used."""
    for option in reversed(ENGINE_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
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
@click.option("--config", type=click.Path(path_type=Path), help="This config file, no other.")
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
    with Watch(quiet=quiet) as watch:
        if image:
            result = verify_image(image, replace(request, platforms=platforms or ()))
        else:
            result = run_verify(request, registry.load(), watch)
    show(result, outputs, color)
    ctx.exit(result.exit_code)


def request_of(
    engine: dict[str, object],
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
    allow = (*_texts(engine["allow"]), *(here.verify_allow if here else ()))
    return Request(
        platforms=platforms or (here.platforms if here else None) or DEFAULT_TARGETS,
        settings=settings,
        trust_syntax=bool(engine["trust_syntax"]),
        allow=allow,
        allow_fork_event=bool(engine["allow_fork_event"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, tuple) else ()


def show(result: Verification, outputs: tuple[Output, ...], color: str) -> None:
    """Write the reports."""
    for output in outputs or (Output("text", None),):
        if output.file is None:
            sys.stdout.buffer.write(render(output.format, result, color=wants_color(color, sys.stdout)))
            sys.stdout.flush()
        else:
            output.file.write_bytes(render(output.format, result))
