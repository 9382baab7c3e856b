"""The options that check, fix and diff share, and how words of the command line become values."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from msgspec import Struct

from archpatch.config import read_platforms
from archpatch.discover import Shard
from archpatch.platforms import Platform
from archpatch.report import FORMATS
from archpatch.rule import Severity, Style

Command = TypeVar("Command", bound=Callable[..., object])


class AnyPath(click.Path):
    """A path, whatever is there: who reads it says what is wrong, and the other files are still done."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, readable=False)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Raises BadParameter for an empty word: a variable that is not set must not mean the current folder."""
        if value == "":
            self.fail("an empty word is no path", param, ctx)
        return super().convert(value, param, ctx)


class Output(Struct, frozen=True):
    """A format and where it goes; None: standard output."""

    format: str
    file: Path | None


def _converted(convert: Callable[[str], object]) -> Callable[..., object]:
    """A callback of an option, for each of its values; a ValueError is the user's."""

    def callback(ctx: click.Context, param: click.Parameter, value: object) -> object:
        try:
            if isinstance(value, tuple):
                return tuple(convert(str(one)) for one in value)
            return None if value is None else convert(str(value))
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


def _words(text: str) -> tuple[str, ...]:
    """Words with commas between: `AP101,AP2`."""
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _rules(text: str) -> tuple[str, ...]:
    words = _words(text)
    if not words:
        raise ValueError("names no rule")
    return words


def _platforms(text: str) -> tuple[Platform, ...]:
    return read_platforms(_words(text))


def _output(text: str) -> Output:
    """`FORMAT` or `FORMAT:FILE`."""
    name, colon, file = text.partition(":")
    if name not in FORMATS:
        raise ValueError(f"{name!r} is no format; there are {', '.join(FORMATS)}")
    if colon and not file:
        raise ValueError(f"{text!r} names no file")
    return Output(name, Path(file) if file else None)


_LOOKING = (
    click.argument("paths", nargs=-1, type=AnyPath()),
    click.option("--platform", "platforms", callback=_converted(_platforms), metavar="PLATFORMS", help="Target platforms [linux/amd64,linux/arm64]."),
    click.option("--select", callback=_converted(_rules), metavar="CODES", multiple=True, help="Only these rules: codes, prefixes, names."),
    click.option("--ignore", callback=_converted(_words), metavar="CODES", multiple=True, help="Not these rules."),
    click.option("--extend-select", callback=_converted(_words), metavar="CODES", multiple=True, help="These rules too."),
    click.option(
        "--style",
        type=click.Choice([style.value for style in Style]),
        help="minimal: what changes the result; explicit: what the build relies on is written out.",
    ),
    click.option("--config", type=AnyPath(), help="This config file, no other."),
    click.option("--isolated", is_flag=True, help="Heed no config file."),
    click.option("--jobs", type=click.IntRange(1, 256), help="Processes [one per processor]."),
)  # fmt: skip
_OPTIONS = (
    *_LOOKING,
    click.option("--fail-on", type=click.Choice([str(one) for one in reversed(Severity)]), help="[warning]"),
    click.option("--no-cache", is_flag=True, help="Look at every file anew."),
    click.option(
        "--output-format",
        "outputs",
        callback=_converted(_output),
        metavar="FORMAT[:FILE]",
        multiple=True,
        help=f"One or more of {', '.join(FORMATS)}; FORMAT:FILE writes to a file. [full]",
    ),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings."),
    click.option("--statistics", is_flag=True, help="Count the findings of each rule."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto"),
    click.option("--quiet", "-q", is_flag=True, help="Findings and errors alone, no summary."),
    click.option("--baseline", type=AnyPath(), help="Only findings that this file does not know."),
    click.option("--diff-base", metavar="REV", help="Only findings on lines changed since HEAD and REV parted."),
    click.option("--stdin-filename", type=AnyPath(), help="The name of what comes by `-`."),
    click.option("--files-from", type=AnyPath(), help="A file with paths, or `-`."),
    click.option("--shard", callback=_converted(Shard.parse), metavar="K/N", help="One part of the files, such as 1/8."),
)  # fmt: skip


def shared_options(command: Command) -> Command:
    """Add the options that check, fix and diff have in common."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def looking_options(command: Command) -> Command:
    """Add those that decide what is found, and no more."""
    for option in reversed(_LOOKING):
        command = option(command)
    return command


def flat(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The words of an option that was given several times."""
    return tuple(word for group in groups for word in group)


def wants_color(choice: str, stream: object) -> bool:
    """Whether a stream gets colours; NO_COLOR and FORCE_COLOR (no-color.org, force-color.org) are heeded."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def standard_input(most: int = -1) -> bytes:
    """What comes by standard input, up to so many bytes. Raises ClickException."""
    if sys.stdin is None:  # as Python has it where a shell says `<&-`
        raise click.ClickException("standard input is closed")
    try:
        return sys.stdin.buffer.read(most)
    except OSError as error:
        raise click.ClickException(f"standard input: {os.strerror(error.errno or 0)}") from error


def is_terminal(stream: object) -> bool:
    """Whether a person reads it."""
    return bool(getattr(stream, "isatty", lambda: False)())


def arguments_for_next() -> tuple[str, ...]:
    """What followed the verb on this command line, without what only shapes the output."""
    words = sys.argv[2:]
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("--output-format", "--color", "--budget"):
            skip = True
        elif not word.startswith(_SHAPING):
            kept.append(word)
    return tuple(kept)


_SHAPING = (
    "--output-format=", "--color=", "--exit-zero", "--exit-non-zero", "--statistics", "--quiet", "-q", "--diff",
    "--unsafe", "--no-cache", "--verify", "--budget=",
)  # fmt: skip
