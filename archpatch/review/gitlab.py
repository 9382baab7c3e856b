"""A merge request of GitLab: discussions with positions from its versions, suggestions with ranges.

A comment stands at one line, the last of its finding; its suggestion says how many lines above belong to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from archpatch.report.comments import Remark, comment, mark
from archpatch.review.http import Client, HttpError, Json, as_type
from archpatch.review.hunks import Hunk, hunks
from archpatch.review.plan import New, Thread
from archpatch.review.publish import Call, Do, Said, Summary

MOST_ABOVE = 100  # lines above the comment that a suggestion may replace
_REFUSED = frozenset({400, 422})


class Version(Struct, frozen=True):
    """A state of a merge request; `start` is the head of the target branch, `base` where the two part."""

    base_commit_sha: str
    start_commit_sha: str
    head_commit_sha: str


class MergeRequest(Struct, frozen=True):
    """A merge request as it stands."""

    number: int
    version: Version


class _User(Struct, frozen=True):
    id: int


class _Position(Struct, frozen=True):
    head_sha: str | None = None
    new_path: str | None = None
    new_line: int | None = None


class _Note(Struct, frozen=True):
    id: int
    body: str
    author: _User
    position: _Position | None = None
    resolved: bool = False
    resolved_by: _User | None = None


class _Discussion(Struct, frozen=True):
    id: str
    notes: list[_Note]


class _Diff(Struct, frozen=True):
    old_path: str
    new_path: str
    diff: str = ""
    deleted_file: bool = False


class _Name(Struct, frozen=True):
    path: str
    type: str


class GitLab:
    """The API of one project: its number, or its path."""

    name = "merge request"

    def __init__(self, client: Client, project: str) -> None:
        self._client = client
        self._root = f"/projects/{quote(project, safe='')}"
        self._old_paths: dict[str, str] = {}
        self._hunks: dict[str, tuple[Hunk, ...]] = {}
        self._head = ""
        self._threads = ""

    def request(self, number: int) -> MergeRequest:
        """A merge request and its newest version. Raises HttpError."""
        path = f"{self._root}/merge_requests/{number}/versions"
        versions = as_type(self._client.send("GET", path).json(), list[Version])
        if not versions:
            raise HttpError(f"merge request {number} has no version yet")
        self._head = versions[0].head_commit_sha
        return MergeRequest(number, versions[0])

    def say(self, remark: Remark, at: tuple[int, int]) -> str:
        """A suggestion reaches from `at`'s last line upwards."""
        lines = remark.replaced
        if lines is None or lines.last != at[1] or lines.last - lines.first > MOST_ABOVE:
            return comment(remark, suggested=False)
        return comment(remark, suggested=True, fence=f"suggestion:-{lines.last - lines.first}+0")

    def diff(self, request: MergeRequest) -> Mapping[str, Sequence[Hunk]]:
        """The hunks of every changed file; a file too large to be shown has none. Raises HttpError."""
        for one in self._client.pages(f"{self._root}/merge_requests/{request.number}/diffs?per_page=100"):
            file = as_type(one, _Diff)
            if not file.deleted_file:
                self._old_paths[file.new_path] = file.old_path
                self._hunks[file.new_path] = tuple(hunks(file.diff))
        return self._hunks

    def said(self, request: MergeRequest) -> Said:
        """Our own threads on lines. Raises HttpError."""
        me = self._me()
        found = [
            thread
            for discussion in self._discussions(request)
            for thread in self._ours(discussion, me)
            if thread.fingerprint != "summary"
        ]
        return Said(str(me), tuple(found))

    def summary(self, request: MergeRequest, me: str) -> Summary | None:
        """Our comment on the whole request. Raises HttpError."""
        for discussion in self._discussions(request):
            first = discussion.notes[0] if discussion.notes else None
            if first and str(first.author.id) == me and mark(first.body) == "summary":
                return Summary(str(first.id), first.body)
        return None

    def names(self, commit: str) -> list[str] | None:
        """Every file of a commit. Raises HttpError."""
        path = f"{self._root}/repository/tree?recursive=true&per_page=100&ref={quote(commit, safe='')}"
        found = (as_type(one, _Name) for one in self._client.pages(path))
        return [one.path for one in found if one.type == "blob"]

    def content(self, commit: str, path: str) -> bytes | None:
        """What a file of a commit holds. Raises HttpError."""
        where = f"{self._root}/repository/files/{quote(path, safe='')}/raw?ref={quote(commit, safe='')}"
        try:
            return self._client.send("GET", where).data
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def post(self, request: MergeRequest, comments: Sequence[New], do: Do) -> Iterator[New]:
        """Make each comment; those that the server refuses come back. Raises HttpError."""
        for one in comments:
            body: Json = {"body": one.body, "position": self._position(request.version, one)}
            try:
                do(Call("POST", f"{self._root}/merge_requests/{request.number}/discussions", body))
            except HttpError as error:
                if error.status not in _REFUSED:
                    raise
                yield one

    def edit(self, thread: Thread, body: str) -> Call:
        """Another text for a comment."""
        return Call("PUT", f"{thread.id}/notes/{thread.comment}", {"body": body})

    def resolve(self, thread: Thread) -> Call:
        """Close a thread."""
        return Call("PUT", thread.id, {"resolved": True})

    def reopen(self, thread: Thread) -> Call:
        """Open a thread again."""
        return Call("PUT", thread.id, {"resolved": False})

    def tell(self, request: MergeRequest, summary: Summary | None, body: str) -> Call:
        """The comment on the whole request."""
        path = f"{self._root}/merge_requests/{request.number}/notes"
        if summary:
            return Call("PUT", f"{path}/{summary.id}", {"body": body})
        return Call("POST", path, {"body": body})

    def do(self, call: Call) -> None:
        """Send what changes something. Raises HttpError."""
        self._client.send(call.method, call.path, call.body)

    def _me(self) -> int:
        return as_type(self._client.send("GET", "/user").json(), _User).id

    def _discussions(self, request: MergeRequest) -> Iterator[_Discussion]:
        self._threads = f"{self._root}/merge_requests/{request.number}/discussions"
        for one in self._client.pages(f"{self._threads}?per_page=100"):
            yield as_type(one, _Discussion)

    def _ours(self, discussion: _Discussion, me: int) -> Iterator[Thread]:
        first = discussion.notes[0] if discussion.notes else None
        if (
            first is None
            or first.author.id != me
            or first.position is None
            or first.position.new_path is None
        ):
            return
        fingerprint = mark(first.body)
        if fingerprint is None:
            return
        # A position of an older version is where the line was, not where it is.
        line = first.position.new_line if first.position.head_sha == self._head else None
        by = first.resolved_by.id if first.resolved_by else None
        yield Thread(
            f"{self._threads}/{quote(discussion.id, safe='')}",
            str(first.id),
            fingerprint,
            first.body,
            first.position.new_path,
            line,
            line,
            first.resolved,
            by == me,
        )

    def _position(self, version: Version, one: New) -> Json:
        path = one.remark.path
        told: Json = {
            "position_type": "text",
            "base_sha": version.base_commit_sha,
            "start_sha": version.start_commit_sha,
            "head_sha": version.head_commit_sha,
            "old_path": self._old_paths.get(path, path),
            "new_path": path,
            "new_line": one.last,
        }
        # Of a line that did not change both numbers are asked for, of an added one the new alone.
        for hunk in self._hunks.get(path, ()):
            if one.last in hunk.old:
                told["old_line"] = hunk.old[one.last]
        return told
