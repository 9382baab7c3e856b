"""archpatch report: reports that are there already."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from archpatch.cli.app import OK
from archpatch.cli.options import AnyPath
from archpatch.cli.output import emit
from archpatch.report.merge import BadReport
from archpatch.report.merge import merge as merged


@click.group()
def report() -> None:
    """Work on reports."""


@report.command()
@click.argument("files", nargs=-1, required=True, type=AnyPath())
@click.option("--output", "-o", type=AnyPath(), help="A file [standard output].")
def merge(files: tuple[Path, ...], output: Path | None) -> int:
    """One report of several JSON or several SARIF ones, such as those of the shards of a run."""
    try:
        data = merged(files)
        if output is None:
            emit(data, sys.stdout)
        else:
            output.write_bytes(data)
    except BadReport as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{output or error.filename}: {os.strerror(error.errno or 0)}") from error
    return OK
