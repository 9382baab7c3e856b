"""archpatch review: findings as comments on a pull request."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from msgspec import Struct

from archpatch.checking import Settings
from archpatch.cli.app import FAILED, OK, USAGE, complain
from archpatch.cli.options import AnyPath, flat, looking_options
from archpatch.cli.output import emit
from archpatch.config import ConfigError
from archpatch.discover import discover, project_root
from archpatch.look import by_code, describe
from archpatch.platforms import Platform
from archpatch.registry import BrokenPack
from archpatch.report import Look, render
from archpatch.report.comments import Remark, cut, remarks
from archpatch.report.json import dump
from archpatch.report.model import Kind, Result, repository_path
from archpatch.report.safe import safe
from archpatch.review import artifact
from archpatch.review.base import Configs, configs_of
from archpatch.review.event import Event, read_event
from archpatch.review.github import GitHub, Request, graphql_path
from archpatch.review.gitlab import GitLab
from archpatch.review.http import Client, HttpError
from archpatch.review.own import Own
from archpatch.review.plan import Thread
from archpatch.review.publish import Call, Published, publish
from archpatch.rule import Style
from archpatch.session import BadOption, Options, run

_SHOWN = 10
_LONGEST = 300  # characters of a name or message in a note
_CODE = re.compile(r"^\*\*\w+\*\* \[?(\w+)", re.M)  # as our comments begin


class Checked(Struct, frozen=True):
    """What is to be said, wherever it comes from. `result` is None for the report of another job."""

    remarks: tuple[Remark, ...]
    is_gone: Callable[[Thread], bool]
    notes: tuple[str, ...]
    result: Result | None = None


class Asked(Struct, frozen=True):
    """The options that decide what is found."""

    paths: tuple[Path, ...]
    platforms: tuple[Platform, ...] | None
    select: tuple[tuple[str, ...], ...]
    ignore: tuple[tuple[str, ...], ...]
    extend_select: tuple[tuple[str, ...], ...]
    style: str | None
    config: Path | None
    isolated: bool
    jobs: int | None

    def options(self, configs: Configs | None) -> Options:
        """As a run takes them."""
        return Options(
            platforms=self.platforms,
            select=flat(self.select) or None,
            ignore=flat(self.ignore),
            extend_select=flat(self.extend_select),
            style=Style(self.style) if self.style else None,
            config=self.config,
            isolated=self.isolated,
            jobs=self.jobs or 0,
            configs=configs.by_folder if configs else None,
            paths=tuple(map(str, self.paths)),
        )


@click.group()
def review() -> None:
    """Put findings beside the lines that they speak of."""


@review.command()
@looking_options
@click.option("--pr", type=click.IntRange(1), metavar="N", help="The pull request [that of the CI's event].")
@click.option("--repo", metavar="OWNER/NAME", help="[GITHUB_REPOSITORY]")
@click.option("--api-url", metavar="URL", help="[GITHUB_API_URL, or https://api.github.com]")
@click.option("--from", "report", type=AnyPath(), help="Say what this JSON report of another job says.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent.")
def github(
    *,
    pr: int | None,
    repo: str | None,
    api_url: str | None,
    report: Path | None,
    dry_run: bool,
    **values: object,
) -> int:
    """Comment on a pull request of GitHub: one review, brought up to date by each run.

    The token comes by GITHUB_TOKEN (or GH_TOKEN). The config is that of the base commit, unless --config names one.
    """
    asked = Asked(**values)  # type: ignore[arg-type]  # click gives what the options' callbacks return
    try:
        hub = _github(repo, api_url)
        event = read_event()
        request = _request(hub, pr, event)
        if event.sha and event.sha != request.head.sha:
            complain(
                f"pull request {request.number} has moved on; the run for its new commit will speak", "note"
            )
            return OK
        do = _print if dry_run else None
        with _configs(hub, request.base.sha, asked) as configs:
            checked = _of_report(report, hub, request, asked, configs) if report else _checked(asked, configs)
            done = publish(hub, request, checked.remarks, checked.is_gone, checked.notes, do)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except (artifact.BadReport, BadOption, BrokenPack, ConfigError) as error:
        raise click.UsageError(str(error)) from error
    except HttpError as error:
        complain(f"GitHub: {error}")
        return FAILED
    return _end(done, checked, f"pull request {request.number}", annotate=report is None)


@review.command()
@looking_options
@click.option("--mr", type=click.IntRange(1), metavar="N", help="The merge request [CI_MERGE_REQUEST_IID].")
@click.option("--project", metavar="ID", help="Number or path [CI_PROJECT_ID].")
@click.option("--api-url", metavar="URL", help="[CI_API_V4_URL, or https://gitlab.com/api/v4]")
@click.option("--dry-run", is_flag=True, help="Print what would be sent.")
def gitlab(
    *, mr: int | None, project: str | None, api_url: str | None, dry_run: bool, **values: object
) -> int:
    """Comment on a merge request of GitLab, brought up to date by each run.

    The token comes by GITLAB_TOKEN, with the scope `api`. The config is that of the target branch, unless --config
    names one.
    """
    asked = Asked(**values)  # type: ignore[arg-type]  # click gives what the options' callbacks return
    try:
        number = mr or int(os.environ.get("CI_MERGE_REQUEST_IID") or 0)
        if number < 1:
            raise ValueError("which merge request? --mr N")
        host = _gitlab(project, api_url)
        request = host.request(number)
        do = _print if dry_run else None
        with _configs(host, request.version.start_commit_sha, asked) as configs:
            checked = _checked(asked, configs)
            done = publish(host, request, checked.remarks, checked.is_gone, checked.notes, do)
    except (ValueError, BadOption, BrokenPack, ConfigError) as error:
        raise click.UsageError(str(error)) from error
    except HttpError as error:
        complain(f"GitLab: {error}")
        return FAILED
    return _end(done, checked, f"merge request {number}", annotate=False)


def _gitlab(project: str | None, api_url: str | None) -> GitLab:
    """Raises ValueError, HttpError."""
    project = project or os.environ.get("CI_PROJECT_ID", "")
    if not re.fullmatch(r"[0-9]+|\w[\w.-]*(/\w[\w.-]*)+", project):
        raise ValueError("which project? --project ID, or CI_PROJECT_ID")
    token = os.environ.get("GITLAB_TOKEN", "")
    if not token:
        raise ValueError("a token is needed in GITLAB_TOKEN")
    base = api_url or os.environ.get("CI_API_V4_URL") or "https://gitlab.com/api/v4"
    return GitLab(Client(base, {"Private-Token": token}, token), project)


def _github(repo: str | None, api_url: str | None) -> GitHub:
    """Raises ValueError, HttpError."""
    repository = repo or os.environ.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository):
        raise ValueError("which repository? --repo OWNER/NAME, or GITHUB_REPOSITORY")
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
    if not token:
        raise ValueError("a token is needed in GITHUB_TOKEN")
    base = api_url or os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    headers = {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": "2022-11-28"}
    return GitHub(Client(base, headers, token), repository, graphql_path(base))


def _request(hub: GitHub, number: int | None, event: Event) -> Request:
    """The pull request that is meant. Raises ValueError, HttpError."""
    number = number or event.number
    if number:
        return hub.request(number)
    if event.sha and event.owner and event.branch:
        for one in hub.open_requests(event.owner, event.branch):
            if one.head.sha == event.sha:
                return one
    raise ValueError("which pull request? --pr N")


@contextmanager
def _configs(host: GitHub | GitLab, commit: str, asked: Asked) -> Iterator[Configs | None]:
    """The config of a commit, unless the command line has the say. Raises ConfigError, HttpError."""
    if asked.config or asked.isolated:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="archpatch-") as scratch:
        yield configs_of(host.names(commit), lambda name: host.content(commit, name), Path(scratch))


def _checked(asked: Asked, configs: Configs | None) -> Checked:
    """Look at the tree. Raises BadOption, BrokenPack, ConfigError."""
    result = run(discover(asked.paths), asked.options(configs))
    for error in result.all_errors:
        complain(f"{error.path}: {error.message}")
    return Checked(
        tuple(remarks(result)),
        _gone(result, asked),
        tuple(_notes(result, configs.differing if configs else ())),
        result,
    )


def _gone(result: Result, asked: Asked) -> Callable[[Thread], bool]:
    """Whether a finding that is not there was looked for, and not just not seen."""
    settings = Settings(
        select=flat(asked.select), ignore=flat(asked.ignore), extend_select=flat(asked.extend_select)
    )

    def is_asked(thread: Thread) -> bool:
        match = _CODE.search(thread.body)
        rule = by_code().get(match[1]) if match else None
        return rule is None or settings.asks(rule)

    trouble = {repository_path(file.path) for file in result.files if file.errors or file.unknown}
    fine = {repository_path(file.path) for file in result.files} - trouble
    here = Path.cwd()
    every = not asked.paths and not trouble and not result.all_errors and project_root(here) in (here, None)
    return lambda thread: (thread.path in fine or every) and is_asked(thread)


def _notes(result: Result, differing: Sequence[str]) -> list[str]:
    notes = []
    if differing:
        names = ", ".join(cut(name, _LONGEST) for name in differing[:_SHOWN])
        notes.append(f"The config of the base commit is in force; this pull request has another: {names}")
    errors = [
        f"{cut(repository_path(one.path), _LONGEST)} ({cut(one.message, _LONGEST)})"
        for one in result.all_errors[:_SHOWN]
    ]
    if errors:
        notes.append(f"Could not be looked at: {', '.join(errors)}")
    return notes


def _of_report(path: Path, hub: GitHub, request: Request, asked: Asked, configs: Configs | None) -> Checked:
    """What another job found, as far as the config asks for it; what we find too, as we do.

    Raises BadOption, BadReport, BrokenPack, ConfigError, HttpError.
    """
    report = artifact.load(path)
    named = [one.path for one in report.findings if one.path]
    own = Own(lambda name: hub.content(request.head.sha, name), asked.options(configs), named)
    shown = hub.diff(request)
    told = artifact.remarks(
        report,
        {code: describe(rule) for code, rule in by_code().items()},
        lambda name: own.remarks(name) if name in shown else {},
    )
    found = report.looked_at
    return Checked(
        tuple(one for one in told if own.asks(one.path, one.code)),
        lambda thread: thread.path in found and own.lacks(thread.path, thread.fingerprint),
        (),
    )


def _print(call: Call) -> None:
    emit(f"{call.method} {safe(call.path)}\n".encode() + dump(call.body, indent=2), sys.stdout, guarded=True)


def _end(done: Published, checked: Checked, name: str, *, annotate: bool) -> int:
    """Say what was done; the exit code. `annotate`: what may not be written becomes annotations."""
    if done.forbidden:
        if not annotate or checked.result is None:
            complain(f"the token may not write to {name}")
            return FAILED
        complain(f"the token may not write to {name} (it is so for forks); annotations instead", "note")
        emit(render("github", checked.result, Look()), sys.stdout)
    else:
        if done.kept_open:
            complain(
                f"{done.kept_open} settled threads stay open, and their comments say so: GitHub lets a token resolve "
                "threads only if it may write contents too",
                "note",
            )
        complain(
            f"{name}: {done.new} new, {done.edited} edited, {done.resolved} resolved, "
            f"{done.reopened} opened again, {done.outside} in the summary",
            "note",
        )
    kinds = {error.kind for error in checked.result.all_errors} if checked.result else set()
    if kinds & {Kind.CONFIG, Kind.INTERNAL}:
        return USAGE
    return FAILED if kinds else OK
