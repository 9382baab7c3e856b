"""Which folder a Dockerfile is built with, where no bake or compose file says it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from archpatch.syntax.tree import Copy, Document
from archpatch.verify.plan import Job

_NOT_FOUND = re.compile(r'"([^"]+)": not found')
_COMPUTED = frozenset("$*?[")  # a name with one of these is not that of one file


def with_context(job: Job, document: Document, roots: Sequence[Path]) -> Job:
    """The job, with the folder of the file or the first above it that holds all that the file copies.

    None above `roots`: what lies beside the folders that were named is not given to a build.
    """
    if job.origin:
        return job
    wanted = [name for name in _copied(document) if not _COMPUTED & set(name)]
    folders = list(upwards(job.context, roots))
    folder = next((one for one in folders if all(_holds(one, name) for name in wanted)), None)
    if folder is None or folder == folders[0]:
        return job
    place = os.path.relpath(folder)
    return replace(
        job,
        context=Path(place),
        notes=(*job.notes, f"built with the folder {place}, which holds what it copies"),
    )


def upwards(folder: Path, roots: Sequence[Path]) -> Iterator[Path]:
    """A folder and those above it, as far as they lie in one of `roots`; real paths."""
    real = Path(os.path.realpath(folder))
    limits = [Path(os.path.realpath(root)) for root in roots]
    yield real
    yield from (one for one in real.parents if any(one.is_relative_to(limit) for limit in limits))


def missing_everywhere(document: Document, context: Path, error: str) -> str:
    """What a file copies by a constant name and the context lacks, given the error of BuildKit; empty: nothing.

    Its absence is the same for all platforms and says nothing of one.
    """
    match = _NOT_FOUND.search(error)
    told = _normal(match[1]) if match else ""  # or the folder of the file, where there is not even that
    constant = [name for name in _copied(document) if not _COMPUTED & set(name)]
    absent = (name for name in constant if not _holds(context, name))
    return next(absent, "") or next((name for name in constant if told and _is_in(_normal(name), told)), "")


def _normal(name: str) -> str:
    return os.path.normpath("/" + name.lstrip("/"))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _copied(document: Document) -> Iterator[str]:
    """What COPY and ADD take out of the context, as written."""
    for stage in document.stages:
        for instruction in stage.body:
            if isinstance(instruction, Copy) and instruction.source_stage is None:
                yield from (word.value for word in instruction.sources if not _is_elsewhere(word.value))


def _is_elsewhere(name: str) -> bool:
    return name.startswith(("<<", "git@")) or "://" in name


def _holds(folder: Path, name: str) -> bool:
    return os.path.lexists(folder / _normal(name).lstrip("/"))
