"""archpatch baseline: today's findings, so that a check can show new ones alone."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from archpatch import narrow, write
from archpatch.cli.app import FAILED, OK, complain
from archpatch.cli.check import finish, request_of, result_of
from archpatch.cli.options import AnyPath, shared_options
from archpatch.config import ConfigError
from archpatch.discover import Unreadable, read
from archpatch.registry import BrokenPack
from archpatch.report.model import Verb
from archpatch.report.safe import safe
from archpatch.session import BadOption

_NAME = "archpatch-baseline.json"


@click.command()
@shared_options
@click.option("--output", "-o", type=AnyPath(), default=_NAME, help=f"The file to write. [{_NAME}]")
def baseline(*, output: Path, **values: object) -> int:
    """Record today's findings; `archpatch check --baseline FILE` then shows new ones alone.

    The file names no lines, so lines may move. A finding in an instruction that was changed is new.
    """
    request = request_of(Verb.CHECK, values)
    try:
        result, found = result_of(request)
    except (BadOption, BrokenPack, ConfigError) as error:
        raise click.UsageError(str(error)) from error
    code = finish(request, result, found)
    if code >= 2:  # a baseline of half the files would hide nothing of the rest, and say so to nobody
        complain(f"{output} was not written")
        return code
    try:
        save(output, narrow.write(result))
    except (OSError, Unreadable, write.WriteError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        complain(f"{output}: {why}")
        return FAILED
    if not request.quiet:
        count = sum(1 for _ in result.entries)
        click.echo(f"{count} finding{'' if count == 1 else 's'} written to {safe(output)}")
        click.echo(f"Next: {safe(shlex.join(['archpatch', 'check', '--baseline', str(output)]))}")
    return OK


def save(path: Path, data: bytes) -> None:
    """Write a file whole, or leave it as it is. Raises OSError, Unreadable, WriteError."""
    if path.exists():
        write.replace([write.Change(path, read(path, 1 << 26), data)])
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
