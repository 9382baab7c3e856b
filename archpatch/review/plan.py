"""What a review shall say, against what it has said: pure, whatever the server.

A finding is known by its fingerprint, which names no line. A comment is left as it is, edited, resolved or opened
again; only what was never said is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from archpatch.report.comments import Remark, comment, same
from archpatch.review.hunks import Hunk, overlap

MOST = 30  # comments on lines that stand open at a time; the rest is in the summary


class Thread(Struct, frozen=True):
    """A comment of ours. `first` and `last` are the lines it stands at now; None where those are gone.

    `resolved_by_us`: no person resolved it. `id` names the thread, `comment` the text in it.
    """

    id: str
    comment: str
    fingerprint: str
    body: str
    path: str
    first: int | None = None
    last: int | None = None
    resolved: bool = False
    resolved_by_us: bool = False


class New(Struct, frozen=True):
    """A comment that is to be made, on lines `first` to `last` of the new file."""

    remark: Remark
    first: int
    last: int
    body: str


class Plan(Struct, frozen=True):
    """What is to be done. `outside`: what no line of the request can bear; `over`: what there is no room for."""

    new: tuple[New, ...]
    edits: tuple[tuple[Thread, str], ...]
    resolve: tuple[Thread, ...]
    reopen: tuple[Thread, ...]
    outside: tuple[Remark, ...]
    over: tuple[Remark, ...]


Say = Callable[[Remark, tuple[int, int]], str]


def plan(
    remarks: Sequence[Remark],
    diff: Mapping[str, Sequence[Hunk]],
    threads: Sequence[Thread],
    is_gone: Callable[[Thread], bool],
    say: Say,
) -> Plan:
    """Compare. `diff`: the hunks of each file by path; `is_gone`: a finding that is not there was looked for."""
    first: dict[str, Remark] = {}
    for remark in remarks:  # one comment for each mark, or the next run would edit one to and fro
        first.setdefault(remark.fingerprint, remark)
    remarks = tuple(first.values())
    by_mark: dict[str, list[Thread]] = {}
    for thread in threads:
        by_mark.setdefault(thread.fingerprint, []).append(thread)
    kept = [(remark, by_mark[remark.fingerprint][0]) for remark in remarks if remark.fingerprint in by_mark]
    fresh = [remark for remark in remarks if remark.fingerprint not in by_mark]
    placed = [(remark, _anchor(remark, diff.get(remark.path, ()))) for remark in fresh]
    inside = [(remark, at) for remark, at in placed if at is not None]
    room = max(0, MOST - sum(not thread.resolved for _, thread in kept))
    found = {remark.fingerprint for remark in remarks}
    return Plan(
        new=tuple(New(remark, *at, say(remark, at)) for remark, at in inside[:room]),
        edits=tuple(
            (thread, body)
            for remark, thread in kept
            for body in [say(remark, (thread.first or 0, thread.last or 0))]
            if not same(thread.body, body)
        ),
        resolve=tuple(_settled(by_mark, found, is_gone)),
        reopen=tuple(thread for _, thread in kept if thread.resolved and thread.resolved_by_us),
        outside=tuple(remark for remark, at in placed if at is None),
        over=tuple(remark for remark, _ in inside[room:]),
    )


def said(remark: Remark, at: tuple[int, int]) -> str:
    """The body of a comment at some lines: a suggestion replaces just those, or is none."""
    lines = remark.replaced
    return comment(remark, suggested=lines is not None and (lines.first, lines.last) == at)


def _settled(
    by_mark: Mapping[str, Sequence[Thread]], found: set[str], is_gone: Callable[[Thread], bool]
) -> Iterator[Thread]:
    """Open threads whose finding is gone, and those that say what another says."""
    for fingerprint, threads in by_mark.items():
        for thread in threads[1:] if fingerprint in found else threads:
            if not thread.resolved and (fingerprint in found or is_gone(thread)):
                yield thread


def _anchor(remark: Remark, shown: Sequence[Hunk]) -> tuple[int, int] | None:
    """The lines for a comment: those that the fix replaces where one hunk shows them all, else the finding's."""
    place = overlap(shown, remark.first, remark.last)
    if place is None or not place[0].shows(remark.texts):
        return None
    lines = remark.replaced
    if lines is not None and place[0].holds(lines.first, lines.last):
        return lines.first, lines.last
    return place[1], place[2]
