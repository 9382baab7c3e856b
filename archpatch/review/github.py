"""A pull request of GitHub: what it shows, what we said, and how more is said.

Threads are read and resolved through GraphQL, which alone knows whether they are resolved and whether we wrote
them; all else goes through REST.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from archpatch.report.comments import mark
from archpatch.report.safe import safe
from archpatch.review.http import Client, HttpError, Json, as_type
from archpatch.review.hunks import Hunk, hunks
from archpatch.review.plan import New, Thread, said
from archpatch.review.publish import Call, Do, Said, Summary

_RAW = "application/vnd.github.raw+json"
_JSON = "application/vnd.github+json"
_THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  viewer { login }
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved isOutdated path line startLine
          resolvedBy { login }
          comments(first: 1) { nodes { fullDatabaseId body viewerDidAuthor } }
        }
      }
    }
  }
}
"""
_RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { id } } }"
_REOPEN = "mutation($id: ID!) { unresolveReviewThread(input: {threadId: $id}) { thread { id } } }"


class Ref(Struct, frozen=True):
    """One end of a pull request."""

    sha: str


class Request(Struct, frozen=True):
    """A pull request. `base.sha` is of the branch that it shall go into."""

    number: int
    state: str
    head: Ref
    base: Ref


class _User(Struct, frozen=True):
    login: str
    type: str = "User"


class _File(Struct, frozen=True):
    filename: str
    status: str = ""
    patch: str | None = None


class _Note(Struct, frozen=True):
    id: int
    body: str | None = None
    user: _User | None = None


class _Comment(Struct, frozen=True, rename="camel"):
    full_database_id: str | int  # a string, for it may take more than 32 bits
    body: str
    viewer_did_author: bool


class _Comments(Struct, frozen=True):
    nodes: list[_Comment]


class _Thread(Struct, frozen=True, rename="camel"):
    id: str
    is_resolved: bool
    is_outdated: bool
    path: str
    comments: _Comments
    line: int | None = None
    start_line: int | None = None
    resolved_by: _User | None = None


class _Page(Struct, frozen=True, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class _Threads(Struct, frozen=True, rename="camel"):
    page_info: _Page
    nodes: list[_Thread]


class _PullRequest(Struct, frozen=True, rename="camel"):
    review_threads: _Threads


class _Repository(Struct, frozen=True, rename="camel"):
    pull_request: _PullRequest | None


class _Answer(Struct, frozen=True):
    viewer: _User
    repository: _Repository | None


class _Entry(Struct, frozen=True):
    path: str
    type: str


class _Tree(Struct, frozen=True):
    tree: list[_Entry]
    truncated: bool = False


class GitHub:
    """The API of one repository (`owner/name`). `graphql` is the path of GraphQL below the client's base, or a URL."""

    name = "pull request"
    say = staticmethod(said)

    def __init__(self, client: Client, repository: str, graphql: str = "/graphql") -> None:
        self._client = client
        self._graphql = graphql
        self.repository = repository
        self._root = f"/repos/{'/'.join(quote(part, safe='') for part in repository.split('/', 1))}"

    def request(self, number: int) -> Request:
        """A pull request. Raises HttpError."""
        return as_type(self._get(f"{self._root}/pulls/{number}"), Request)

    def open_requests(self, owner: str, branch: str) -> list[Request]:
        """The open pull requests that come from a branch. Raises HttpError."""
        path = f"{self._root}/pulls?state=open&per_page=100&head={quote(f'{owner}:{branch}', safe='')}"
        return [as_type(one, Request) for one in self._client.pages(path)]

    def diff(self, request: Request) -> Mapping[str, Sequence[Hunk]]:
        """The hunks of every changed file; a file too large to be shown has none. Raises HttpError."""
        files = (
            as_type(one, _File)
            for one in self._client.pages(f"{self._root}/pulls/{request.number}/files?per_page=100")
        )
        return {file.filename: tuple(hunks(file.patch or "")) for file in files if file.status != "removed"}

    def said(self, request: Request) -> Said:
        """Our own threads: what others wrote, whatever it looks like, is not among them. Raises HttpError."""
        owner, _, name = self.repository.partition("/")
        values: Json = {"owner": owner, "name": name, "number": request.number, "after": None}
        found: list[Thread] = []
        while True:
            answer = as_type(self._ask(_THREADS, values), _Answer)
            if answer.repository is None or answer.repository.pull_request is None:
                raise HttpError(f"there is no pull request {request.number} in {self.repository}", 404)
            page = answer.repository.pull_request.review_threads
            for thread in page.nodes:
                found += _ours(thread, answer.viewer.login)
            if not page.page_info.has_next_page:
                return Said(answer.viewer.login, tuple(found))
            values = {**values, "after": page.page_info.end_cursor}

    def summary(self, request: Request, me: str) -> Summary | None:
        """Our comment on the whole request. Raises HttpError."""
        for one in self._client.pages(f"{self._root}/issues/{request.number}/comments?per_page=100"):
            note = as_type(one, _Note)
            if note.user and _is_me(note.user, me) and mark(note.body or "") == "summary":
                return Summary(str(note.id), note.body or "")
        return None

    def names(self, commit: str) -> list[str] | None:
        """Every file of a commit; None where there are too many to tell. Raises HttpError."""
        tree = as_type(self._get(f"{self._root}/git/trees/{quote(commit, safe='')}?recursive=1"), _Tree)
        return None if tree.truncated else [entry.path for entry in tree.tree if entry.type == "blob"]

    def content(self, commit: str, path: str) -> bytes | None:
        """What a file of a commit holds. Raises HttpError."""
        try:
            where = f"{self._root}/contents/{quote(path)}?ref={quote(commit, safe='')}"
            return self._client.send("GET", where, accept=_RAW).data
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def post(self, request: Request, comments: Sequence[New], do: Do) -> Iterator[New]:
        """Make the comments, in one review; those that the server refuses come back. Raises HttpError.

        A server refuses a whole review for one bad line, and does not say which: halves are tried then.
        """
        if not comments:
            return
        try:
            do(self._review(request, comments))
        except HttpError as error:
            if error.status != 422:
                raise
            if len(comments) == 1:
                yield comments[0]
                return
            yield from self.post(request, comments[: len(comments) // 2], do)
            yield from self.post(request, comments[len(comments) // 2 :], do)

    def _review(self, request: Request, comments: Sequence[New]) -> Call:
        count = len(comments)
        told: Json = {
            "commit_id": request.head.sha,
            "event": "COMMENT",
            "body": f"archpatch: {count} finding{'' if count == 1 else 's'} on lines of this pull request.",
            "comments": [_comment(one) for one in comments],
        }
        return Call("POST", f"{self._root}/pulls/{request.number}/reviews", told)

    def edit(self, thread: Thread, body: str) -> Call:
        """Another text for a comment."""
        return Call("PATCH", f"{self._root}/pulls/comments/{thread.comment}", {"body": body})

    def resolve(self, thread: Thread) -> Call:
        """Close a thread."""
        return Call("POST", self._graphql, {"query": _RESOLVE, "variables": {"id": thread.id}})

    def reopen(self, thread: Thread) -> Call:
        """Open a thread again."""
        return Call("POST", self._graphql, {"query": _REOPEN, "variables": {"id": thread.id}})

    def tell(self, request: Request, summary: Summary | None, body: str) -> Call:
        """The comment on the whole request."""
        if summary:
            return Call("PATCH", f"{self._root}/issues/comments/{summary.id}", {"body": body})
        return Call("POST", f"{self._root}/issues/{request.number}/comments", {"body": body})

    def do(self, call: Call) -> None:
        """Send what changes something. Raises HttpError."""
        answer = self._client.send(call.method, call.path, call.body, accept=_JSON)
        if call.path == self._graphql:
            _data(answer.json())

    def _get(self, path: str) -> object:
        return self._client.send("GET", path, accept=_JSON).json()

    def _ask(self, query: str, values: Json) -> object:
        body: Json = {"query": query, "variables": values}
        return _data(self._client.send("POST", self._graphql, body, accept=_JSON).json())


def graphql_path(base: str) -> str:
    """Where GraphQL is, beside the REST API of github.com or of a server of one's own (`/api/v3`)."""
    if url := os.environ.get("GITHUB_GRAPHQL_URL"):
        return url
    return f"{base.removesuffix('/v3')}/graphql" if base.endswith("/api/v3") else "/graphql"


def _ours(thread: _Thread, me: str) -> Iterator[Thread]:
    first = next(iter(thread.comments.nodes), None)
    fingerprint = mark(first.body) if first and first.viewer_did_author else None
    if first is None or fingerprint is None:
        return
    last = None if thread.is_outdated else thread.line
    yield Thread(
        thread.id,
        str(first.full_database_id),
        fingerprint,
        first.body,
        thread.path,
        last and (thread.start_line or last),
        last,
        thread.is_resolved,
        thread.resolved_by is not None and thread.resolved_by.login in (me, me.removesuffix("[bot]")),
    )


def _is_me(user: _User, me: str) -> bool:
    """Whether a login of REST is the one that GraphQL says we write as."""
    return user.login == me or (user.type == "Bot" and user.login == f"{me}[bot]")


def _comment(one: New) -> Json:
    told: Json = {"path": one.remark.path, "body": one.body, "line": one.last, "side": "RIGHT"}
    if one.first < one.last:  # GitHub refuses a start that is the end
        told |= {"start_line": one.first, "start_side": "RIGHT"}
    return told


def _data(answer: object) -> object:
    """The data of a GraphQL answer, which says with status 200 that it failed."""
    told = answer if isinstance(answer, dict) else {}
    if errors := told.get("errors"):
        first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
        forbidden = first.get("type") == "FORBIDDEN"
        raise HttpError(safe(f"GraphQL: {first.get('message', 'failed')}")[:500], 403 if forbidden else 200)
    return told.get("data")
