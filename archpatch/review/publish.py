"""Brings a pull request up to date: one review for what is new, edits, resolved threads, one summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from archpatch.report.comments import Remark, outside, same
from archpatch.review.github import Call, GitHub, Request
from archpatch.review.http import HttpError
from archpatch.review.plan import New, Thread, plan


class Published(Struct):
    """What was done, or would be. `forbidden`: the token may not write; nothing of this run stands there."""

    new: int = 0
    edited: int = 0
    resolved: int = 0
    reopened: int = 0
    outside: int = 0
    forbidden: bool = False


Do = Callable[[Call], None]


def publish(
    github: GitHub,
    request: Request,
    remarks: Sequence[Remark],
    is_gone: Callable[[Thread], bool],
    notes: Sequence[str] = (),
    do: Do | None = None,
) -> Published:
    """Say all that is not said yet. `do` sends a call; another one may print it. Raises HttpError."""
    do = do or github.do
    said = github.said(request.number)
    wanted = plan(remarks, github.diff(request.number), said.threads, is_gone)
    done = Published()
    elsewhere = list(wanted.outside)
    try:
        refused = list(_review(github, request, wanted.new, do))
        elsewhere += [one.remark for one in refused]
        done.new = len(wanted.new) - len(refused)
        for thread, body in wanted.edits:
            do(github.edit(thread, body))
            done.edited += 1
        for thread in wanted.resolve:
            do(github.resolve(thread))
            done.resolved += 1
        for thread in wanted.reopen:
            do(github.reopen(thread))
            done.reopened += 1
        elsewhere += wanted.over
        done.outside = len(elsewhere)
        _tell(github, request, elsewhere, [*notes, *_resolved(remarks, said.threads)], said.me, do)
    except HttpError as error:
        if error.status != 403:
            raise
        done.forbidden = True
    return done


def _review(github: GitHub, request: Request, comments: Sequence[New], do: Do) -> Iterator[New]:
    """Post one review; those comments that the server refuses come back.

    A server refuses a whole review for one bad line, and does not say which: halves are tried then.
    """
    if not comments:
        return
    count = len(comments)
    body = f"archpatch: {count} finding{'' if count == 1 else 's'} on lines of this pull request."
    try:
        do(github.review(request, comments, body))
    except HttpError as error:
        if error.status != 422:
            raise
        if count == 1:
            yield comments[0]
            return
        yield from _review(github, request, comments[: count // 2], do)
        yield from _review(github, request, comments[count // 2 :], do)


def _resolved(remarks: Sequence[Remark], threads: Sequence[Thread]) -> Iterator[str]:
    """A thread that a person resolved stays so; that its finding is still there is said."""
    found = {remark.fingerprint for remark in remarks}
    count = sum(
        thread.resolved and not thread.resolved_by_us and thread.fingerprint in found for thread in threads
    )
    if count:
        yield f"Still found, in threads that somebody resolved: {count}."


def _tell(
    github: GitHub,
    request: Request,
    elsewhere: Sequence[Remark],
    notes: Sequence[str],
    me: str,
    do: Do,
) -> None:
    """The summary: made when there is something to say, edited ever after."""
    body = outside(elsewhere, notes)
    there = github.summary(request.number, me)
    if there is None and not elsewhere and not notes:
        return
    if there is None or not same(there.body, body):
        do(github.tell(request, there, body))
