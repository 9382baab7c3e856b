"""Brings a request up to date: one review for what is new, edits, resolved threads, one summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct, field

from archpatch.report.comments import Remark, mended, outside, same
from archpatch.review.http import HttpError, Json
from archpatch.review.hunks import Hunk
from archpatch.review.plan import New, Plan, Thread, plan

Asked = TypeVar("Asked", contravariant=True)


class Call(Struct, frozen=True):
    """A request that changes something."""

    method: str
    path: str
    body: Json = field(default_factory=dict)


class Summary(Struct, frozen=True):
    """Our comment on the whole request."""

    id: str
    body: str


class Said(Struct, frozen=True):
    """What we said so far. `me`: the name that the server knows us by."""

    me: str
    threads: tuple[Thread, ...]


class Published(Struct):
    """What was done, or would be. `forbidden`: the token may not write; nothing of this run stands there.

    `kept_open`: threads that the token may write in, and not resolve or open again.
    """

    new: int = 0
    edited: int = 0
    resolved: int = 0
    reopened: int = 0
    outside: int = 0
    kept_open: int = 0
    forbidden: bool = False


Do = Callable[[Call], None]


class Host(Protocol[Asked]):
    """A server that keeps reviews. Every method that asks it raises HttpError."""

    name: str  # what a request is called there

    def say(self, remark: Remark, at: tuple[int, int], /) -> str:
        """The body of a comment at some lines."""

    def said(self, request: Asked) -> Said:
        """Our own threads."""

    def diff(self, request: Asked) -> Mapping[str, Sequence[Hunk]]:
        """The hunks of every changed file."""

    def summary(self, request: Asked, me: str) -> Summary | None:
        """Our comment on the whole request."""

    def post(self, request: Asked, comments: Sequence[New], do: Do) -> Iterator[New]:
        """Make comments; those that the server refuses come back."""

    def edit(self, thread: Thread, body: str) -> Call:
        """Another text for a comment."""

    def resolve(self, thread: Thread) -> Call:
        """Close a thread."""

    def reopen(self, thread: Thread) -> Call:
        """Open a thread again."""

    def tell(self, request: Asked, summary: Summary | None, body: str) -> Call:
        """The comment on the whole request."""

    def do(self, call: Call) -> None:
        """Send what changes something."""


def publish(
    host: Host[Asked],
    request: Asked,
    remarks: Sequence[Remark],
    is_gone: Callable[[Thread], bool],
    notes: Sequence[str] = (),
    do: Do | None = None,
) -> Published:
    """Say all that is not said yet. `do` sends a call; another one may print it. Raises HttpError."""
    do = do or host.do
    said = host.said(request)
    wanted = plan(remarks, host.diff(request), said.threads, is_gone, host.say)
    done = Published()
    try:
        refused = list(host.post(request, wanted.new, do))
        done.new = len(wanted.new) - len(refused)
        for thread, body in wanted.edits:
            do(host.edit(thread, body))
            done.edited += 1
        _settle(host, wanted, do, done)
        elsewhere = [*wanted.outside, *(one.remark for one in refused), *wanted.over]
        done.outside = len(elsewhere)
        told = [*notes, *_resolved(remarks, said.threads)]
        there = host.summary(request, said.me)
        body = outside(elsewhere, told, host.name)
        if (elsewhere or told) if there is None else not same(there.body, body):
            do(host.tell(request, there, body))
    except HttpError as error:
        if error.status != 403:
            raise
        done.forbidden = True
    return done


def _settle(host: Host[Asked], wanted: Plan, do: Do, done: Published) -> None:
    """Resolve threads and open them again. Raises HttpError.

    GitHub lets a token that may comment resolve threads only if it may also write to the repository, which a token
    should not: what is mended is then said in the comment.
    """
    for at, thread in enumerate(wanted.resolve):
        try:
            do(host.resolve(thread))
        except HttpError as error:
            if error.status != 403:
                raise
            done.kept_open = len(wanted.resolve) - at
            for left in wanted.resolve[at:]:
                if not same(left.body, body := mended(left.fingerprint)):
                    do(host.edit(left, body))
            return
        done.resolved += 1
    for thread in wanted.reopen:
        do(host.reopen(thread))
        done.reopened += 1


def _resolved(remarks: Sequence[Remark], threads: Sequence[Thread]) -> Iterator[str]:
    """A thread that a person resolved stays so; that its finding is still there is said."""
    found = {remark.fingerprint for remark in remarks}
    count = sum(
        thread.resolved and not thread.resolved_by_us and thread.fingerprint in found for thread in threads
    )
    if count:
        yield f"Still found, in threads that somebody resolved: {count}."
