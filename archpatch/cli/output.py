"""Where reports go: standard output, files, and what a terminal may see of a patch."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archpatch.cli.options import Output, is_terminal, wants_color
from archpatch.discover import project_root
from archpatch.report import HUMAN, Look, render
from archpatch.report.diff import patch
from archpatch.report.model import Result, Verb
from archpatch.report.paint import Paint
from archpatch.report.safe import safe
from archpatch.text import decode

if TYPE_CHECKING:
    from archpatch.cli.check import Request

_DEFAULT = (Output("full", None),)


def show(request: Request, result: Result) -> None:
    """Write every report that was asked for.

    Where standard output carries a text (a patch, the mended file), the report for people goes to standard
    error.
    """
    text = _text(request, result)
    if text is not None:
        emit(text, sys.stdout, guarded=request.verb is Verb.DIFF)
    for output in request.outputs or _DEFAULT:
        if output.file:
            save(output.file, render(output.format, result, Look(statistics=request.statistics)))
            continue
        stream = sys.stdout if text is None else sys.stderr
        if text is not None and not request.outputs and request.verb is Verb.DIFF:
            continue  # the patch is the report
        color = output.format in HUMAN and wants_color(request.color, stream)
        width = _columns() if is_terminal(stream) else 0
        report = render(output.format, result, Look(color, request.quiet, request.statistics, width))
        emit(report, stream, guarded=output.format in HUMAN)
        if output.format == "github" and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
            _append(Path(summary), render("markdown", result, Look()))


def _columns() -> int:
    import shutil  # with its compressors 2 ms; pipes and hooks have no width

    return shutil.get_terminal_size().columns


def _text(request: Request, result: Result) -> bytes | None:
    """What standard output carries in place of a report."""
    if request.verb is Verb.DIFF:
        base = _base([path for file in result.files for path in file.changes])
        data = b"".join(
            patch({Path(os.path.relpath(path, base)): texts for path, texts in file.changes.items()})
            for file in result.files
        )
        return _visible(data, request.color) if is_terminal(sys.stdout) else data
    if request.verb is Verb.FIX and request.is_stdin:
        return b"".join(file.source for file in result.files)
    return None


def _base(paths: Sequence[Path]) -> Path:
    """The folder from which the paths of a patch count: the current one; where some lie outside of it, the root of the
    repository, for git takes no `..`."""
    here = Path.cwd()
    if all(Path(os.path.abspath(path)).is_relative_to(here) for path in paths):
        return here
    roots = {project_root(path) for path in paths}
    root = roots.pop() if len(roots) == 1 else None
    if root is None:
        return here
    click.echo(f"note: the paths count from {safe(str(root))}: apply the patch there", err=True)
    return root


def _visible(data: bytes, color: str) -> bytes:
    """A patch for the eye: a terminal gets no control bytes of a file."""
    paint = Paint(wants_color(color, sys.stdout))
    colors = {"+": "green", "-": "red", "@": "cyan"}
    lines = []
    for line in decode(data).split("\n"):
        text = safe(line.removesuffix("\r"))
        lines.append(paint(colors[line[:1]], text) if line[:1] in colors else text)
    return "\n".join(lines).encode("utf-8", "replace")


def save(path: Path, data: bytes) -> None:
    """Write a report to a file. Raises UsageError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise click.UsageError(f"--output-format: {path}: {os.strerror(error.errno or 0)}") from error


def _append(path: Path, data: bytes) -> None:
    with contextlib.suppress(OSError), path.open("ab") as file:  # the annotations are there without it
        file.write(data)


def emit(data: bytes, stream: object, *, guarded: bool = False) -> None:
    """Write bytes to a standard stream.

    `guarded`: the bytes may hold lines that begin with `::`, a command for the runner of GitHub Actions; it
    is told to heed none until it sees a word that nobody can guess. A patch may stand between such lines.
    """
    if guarded and data and os.environ.get("GITHUB_ACTIONS") == "true":
        token = os.urandom(16).hex().encode()
        data = b"::stop-commands::%b\n%b::%b::\n" % (token, data, token)
    buffer = getattr(stream, "buffer", None)
    if buffer is None:  # as Python has it where a shell says `>&-`
        raise click.ClickException("standard output is closed")
    try:
        buffer.write(data)
        buffer.flush()
    except OSError as error:
        # What is still in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), buffer.fileno())
        if isinstance(error, BrokenPipeError):  # who reads has seen enough
            raise SystemExit(128 + signal.SIGPIPE) from error
        raise click.ClickException(f"standard output: {os.strerror(error.errno or 0)}") from error
