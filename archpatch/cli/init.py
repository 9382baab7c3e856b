"""archpatch init: the files that a repository lacks, shown, asked for, written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from archpatch.cli.app import FAILED, OK, USAGE, complain
from archpatch.cli.options import is_terminal
from archpatch.discover import project_root
from archpatch.report.safe import safe
from archpatch.starters import CI, Proposal, proposals


@click.command()
@click.option("--ci", type=click.Choice(CI), help="A workflow or a job too.")
@click.option("--yes", "-y", is_flag=True, help="Write without asking.")
def init(*, ci: str | None, yes: bool) -> int:
    """Write a config, a pre-commit entry and, with --ci, a job for this repository.

    Shows what it would write and asks. What is there already is never changed.
    """
    root = project_root(Path()) or Path.cwd()
    proposed = list(proposals(root, ci))
    wanted = [one for one in proposed if one.text is not None]
    for one in proposed:
        _show(one, root)
    if not wanted:
        click.echo("Nothing to write.")
        return OK
    if not yes:
        if not is_terminal(sys.stdin):
            complain("nothing was written: --yes writes without asking")
            return USAGE
        if not click.confirm("Write this?"):
            return OK
    return max(_write(one, root) for one in wanted)


def _show(one: Proposal, root: Path) -> None:
    name = safe(os.path.relpath(one.path, root))
    if one.text is not None:
        click.echo(f"--- /dev/null\n+++ {name}")
        click.echo("".join(f"+{line}\n" for line in one.text.splitlines()))
    elif one.hint:
        click.echo(f"{name} is there already; add to it:\n\n{one.hint}")
    else:
        click.echo(f"{name} is there already.")


def _write(one: Proposal, root: Path) -> int:
    name = os.path.relpath(one.path, root)
    try:
        one.path.parent.mkdir(parents=True, exist_ok=True)
        with one.path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(one.text or "")
    except OSError as error:
        complain(f"{name}: {os.strerror(error.errno or 0)}")
        return FAILED
    click.echo(f"wrote {safe(name)}")
    return OK
