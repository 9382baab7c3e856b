"""archpatch check --add-ignore REASON: a suppression above every instruction with a finding."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import replace

from archpatch import write
from archpatch.cli.app import FAILED, OK, complain
from archpatch.cli.check import Request, finish, result_of
from archpatch.config import ConfigError
from archpatch.ignoring import Ignored, NotOneLine, with_ignores
from archpatch.registry import BrokenPack
from archpatch.report.model import Entry, Result
from archpatch.report.safe import safe
from archpatch.session import BadOption


def add(request: Request, reason: str) -> int:
    """Write the comments; 0, unless a file could not be looked at or written, or findings are left."""
    if request.is_stdin:
        raise click.UsageError("--add-ignore writes files; it goes without standard input")
    try:
        result, found = result_of(request)
        done = [with_ignores(file, _shown(result, file.path), reason) for file in result.files]
    except NotOneLine as error:
        raise click.UsageError(f"--add-ignore: {error}") from error
    except (BadOption, BrokenPack, ConfigError) as error:
        raise click.UsageError(str(error)) from error
    failed = [one for one in done if not _written(one)]
    left = [entry for one in done for entry in one.left]
    for entry in left:
        complain(
            f"{entry.path}: {entry.finding.code} stands in no instruction of its own; not suppressed", "note"
        )
    if not request.quiet:
        count = sum(one.count for one in done if one not in failed)
        click.echo(f"{count} suppression{'' if count == 1 else 's'} written")
    quiet = replace(request, exit_zero=not left)
    code = finish(quiet, result, found)
    return FAILED if failed and code in (OK, 1) else code


def _shown(result: Result, path: Path) -> tuple[Entry, ...]:
    return tuple(entry for file, entry in result.entries if file.path == path and not result.is_aside(entry))


def _written(one: Ignored) -> bool:
    if not one.count:
        return True
    try:
        write.replace([write.Change(one.path, one.before, one.after)])
    except write.WriteError as error:
        complain(f"{safe(one.path)}: {error}")
        return False
    return True
