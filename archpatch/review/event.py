"""What the CI run was started for: the pull request's number and commit come from here, never from an artifact."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from archpatch.discover import Unreadable, read

_MAX_SIZE = 32 << 20


class _Commit(Struct, frozen=True):
    sha: str


class _Pull(Struct, frozen=True):
    number: int
    head: _Commit


class _Owner(Struct, frozen=True):
    login: str


class _From(Struct, frozen=True):
    owner: _Owner


class _Run(Struct, frozen=True):
    head_sha: str
    head_branch: str | None = None
    head_repository: _From | None = None


class _Event(Struct, frozen=True):
    pull_request: _Pull | None = None
    workflow_run: _Run | None = None


class Event(Struct, frozen=True):
    """The request that an event speaks of. `sha`: the commit that the run is about.

    For a `workflow_run` the number is not told for forks; `owner` and `branch` say where the commit came from.
    """

    number: int | None = None
    sha: str | None = None
    owner: str = ""
    branch: str = ""


def read_event() -> Event:
    """The event of this run of GitHub Actions; empty elsewhere. Raises ValueError for a file that cannot be read."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        return Event()
    try:
        event = msgspec.json.decode(read(Path(path), _MAX_SIZE, nul=True), type=_Event)
    except (Unreadable, msgspec.DecodeError) as error:
        raise ValueError(f"GITHUB_EVENT_PATH: {error}") from error
    if pull := event.pull_request:
        return Event(pull.number, pull.head.sha)
    if run := event.workflow_run:
        owner = run.head_repository.owner.login if run.head_repository else ""
        return Event(None, run.head_sha, owner, run.head_branch or "")
    return Event()
