"""archpatch clean: what archpatch keeps on disk, away with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from archpatch import write
from archpatch.cli.app import FAILED, OK, complain
from archpatch.cli.options import AnyPath
from archpatch.discover import user_folder
from archpatch.report.safe import safe


@click.command()
@click.argument("paths", nargs=-1, type=AnyPath())
def clean(paths: tuple[Path, ...]) -> int:
    """Remove the cache, and what a killed run left beside the files in PATHS (folders; none: the current one)."""
    cache = user_folder()
    code = OK
    if cache.is_dir() and not cache.is_symlink():
        try:
            shutil.rmtree(cache)
            click.echo(f"removed {safe(cache)}")
        except OSError as error:
            complain(f"{cache}: {os.strerror(error.errno or 0)}")
            code = FAILED
    for path in paths or (Path(),):
        if not path.is_dir():
            complain(f"{path}: is no folder" if path.exists() else f"{path}: no such file or folder")
            code = FAILED
        for here, folders, _ in os.walk(path):
            folders[:] = [name for name in folders if name != ".git"]
            write.sweep(Path(here))
    return code
