"""The options by which `verify` and `fix --verify` use buildx; light, for `fix` shows them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])

NAMES = (
    "builder",
    "cache_from",
    "cache_to",
    "network",
    "timeout",
    "trust_syntax",
    "allow",
    "allow_fork_event",
    "contexts",
)
_OPTIONS = (
    click.option("--builder", metavar="NAME", help="This buildx builder [the one in use]."),
    click.option("--cache-from", multiple=True, metavar="SPEC", help="For buildx; {target} and {platform} are filled in."),
    click.option("--cache-to", multiple=True, metavar="SPEC", help="For buildx; {target} and {platform} are filled in."),
    click.option("--network", type=click.Choice(["host", "none"]), help="The network of RUN steps."),
    click.option("--timeout", type=click.FloatRange(0.1), default=30.0, metavar="MINUTES", help="For one build. [30]"),
    click.option("--trust-syntax", is_flag=True, help="Let the frontend that a file's `# syntax=` names read it."),
    click.option("--allow", multiple=True, metavar="GLOB", help="Files of an image that may be foreign: data, firmware."),
    click.option("--context", "contexts", multiple=True, metavar="FOLDER",
                 help="Builds may use this folder as context too [those named, and what is in them]."),
    click.option("--allow-fork-event", is_flag=True, help="Build in CI events where a fork's code may meet secrets."),
)  # fmt: skip


def engine_options(command: Command) -> Command:
    """Add the options that say how buildx is to be used."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
