"""A server on loopback that keeps GitHub's rules, as its documentation and its users' reports have them.

A review is taken whole or not at all; a comment stands within one hunk; bodies end at 65,536 characters; lists come
in pages; tokens have identities; comments follow their lines when the head moves, and are outdated when those go.
"""

from __future__ import annotations

import difflib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LONGEST = 65_536


@dataclass
class Comment:
    id: int
    author: str
    body: str
    path: str
    start: int
    line: int
    texts: list[str]
    outdated: bool = False
    resolved_by: str | None = None


@dataclass
class Note:
    id: int
    author: str
    body: str


@dataclass
class Fake:
    """One repository with one pull request. Files are path -> text."""

    base: dict[str, str] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)
    number: int = 7
    head_sha: str = "1" * 40
    base_sha: str = "2" * 40
    tokens: dict[str, str] = field(default_factory=lambda: {"secret-canary": "github-actions[bot]"})
    read_only: bool = False
    page: int = 100
    comments: list[Comment] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)  # given first, once each
    refuse: set[str] = field(default_factory=set)  # paths whose every anchor is refused
    truncated: bool = False
    may_resolve: bool = True  # False: as with `contents: read`, whatever else the token may
    next_id: int = 1 << 32

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def push(self, files: dict[str, str]) -> None:
        """Another commit on the head: comments follow their lines, or are outdated."""
        for comment in self.comments:
            old, new = self.head.get(comment.path, ""), files.get(comment.path, "")
            moved = moves(old, new)
            lines = [moved.get(number) for number in range(comment.start, comment.line + 1)]
            if comment.outdated or None in lines:
                comment.outdated = True
            else:
                comment.start, comment.line = lines[0] or 0, lines[-1] or 0
        self.head = files
        self.head_sha = f"{int(self.head_sha, 16) + 1:040x}"

    def hunks(self, path: str) -> list[set[int]]:
        """The lines of the new file that each hunk shows."""
        found: list[set[int]] = []
        at = 0
        for line in self.patch(path).split("\n"):
            if match := re.match(r"@@ -\S+ \+(\d+)", line):
                found.append(set())
                at = int(match[1])
            elif line[:1] in ("+", " ") and found:
                found[-1].add(at)
                at += 1
        return found

    def patch(self, path: str) -> str:
        old, new = self.base.get(path, "").splitlines(), self.head.get(path, "").splitlines()
        return "\n".join(list(difflib.unified_diff(old, new, lineterm="", n=3))[2:])

    def changed(self) -> list[str]:
        return sorted(path for path in {*self.base, *self.head} if self.base.get(path) != self.head.get(path))


def moves(old: str, new: str) -> dict[int, int]:
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    return {
        block.a + n + 1: block.b + n + 1 for block in matcher.get_matching_blocks() for n in range(block.size)
    }


class Refused(Exception):
    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.message, self.headers = status, message, headers or {}


class Handler(BaseHTTPRequestHandler):
    fake: Fake
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.fake.log.append((self.command, self.path))
        if self.fake.answers and self.command != "HEAD":
            status, headers, data = self.fake.answers.pop(0)
            if status:
                self.answer(status, data, headers)
                return
        try:
            me = self.identity()
            data, headers = self.route(me, json.loads(body) if body else {})
            self.answer(200, data, headers)
        except Refused as error:
            self.answer(error.status, json.dumps({"message": error.message}).encode(), error.headers)

    do_GET = do_POST = do_PATCH = handle_one

    def answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def identity(self) -> str:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.fake.tokens:
            raise Refused(401, "Bad credentials")
        return self.fake.tokens[token]

    def may_write(self) -> None:
        if self.fake.read_only:
            raise Refused(403, "Resource not accessible by integration")

    def route(self, me: str, body: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        fake, url = self.fake, urlsplit(self.path)
        path, query = unquote(url.path), {k: v[0] for k, v in parse_qs(url.query).items()}
        root, number = "/repos/me/shop", fake.number
        routes = {
            ("POST", "/graphql"): lambda: graphql(self, me, body),
            ("GET", f"{root}/pulls"): lambda: [self.pull()] if query.get("head") == "them:topic" else [],
            ("GET", f"{root}/pulls/{number}"): self.pull,
            ("GET", f"{root}/git/trees/{fake.base_sha}"): lambda: {
                "tree": [{"path": name, "type": "blob"} for name in fake.base],
                "truncated": fake.truncated,
            },
            ("POST", f"{root}/pulls/{number}/reviews"): lambda: review(self, me, body),
            ("POST", f"{root}/issues/{number}/comments"): lambda: self.note(me, body),
        }
        if route := routes.get((self.command, path)):
            return json.dumps(route()).encode(), {}
        if self.command == "GET" and path == f"{root}/pulls/{number}/files":
            files = [
                {
                    "filename": name,
                    "status": "modified" if name in fake.head else "removed",
                    "patch": fake.patch(name),
                }
                for name in fake.changed()
            ]
            return self.paged(files, query)
        if self.command == "GET" and path == f"{root}/issues/{number}/comments":
            notes = [{"id": n.id, "body": n.body, "user": user(n.author)} for n in fake.notes]
            return self.paged(notes, query)
        if self.command == "GET" and (match := re.fullmatch(f"{root}/contents/(.+)", path)):
            tree = {fake.base_sha: fake.base, fake.head_sha: fake.head}.get(query.get("ref", ""), {})
            if match[1] not in tree:
                raise Refused(404, "Not Found")
            return tree[match[1]].encode(), {}
        if self.command == "PATCH" and (
            match := re.fullmatch(f"{root}/(pulls|issues)/comments/([0-9]+)", path)
        ):
            self.may_write()
            found: list[Any] = [*fake.comments] if match[1] == "pulls" else [*fake.notes]
            for one in found:
                if one.id == int(match[2]):
                    if one.author != me:
                        raise Refused(403, "Must have admin rights to Repository.")
                    one.body = text_of(body)
                    return b"{}", {}
        raise Refused(404, "Not Found")

    def pull(self) -> dict[str, Any]:
        fake = self.fake
        return {
            "number": fake.number,
            "state": "open",
            "head": {"sha": fake.head_sha},
            "base": {"sha": fake.base_sha},
        }

    def note(self, me: str, body: dict[str, Any]) -> dict[str, Any]:
        self.may_write()
        self.fake.notes.append(Note(self.fake.new_id(), me, text_of(body)))
        return {}

    def paged(self, items: list[Any], query: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        size = min(int(query.get("per_page", 30)), self.fake.page)
        at = int(query.get("page", 1))
        headers = {}
        if at * size < len(items):
            host = f"http://{self.headers['Host']}{urlsplit(self.path).path}"
            headers["Link"] = (
                f'<{host}?per_page={size}&page={at + 1}>; rel="next", <{host}?page=99>; rel="last"'
            )
        return json.dumps(items[(at - 1) * size : at * size]).encode(), headers


def user(login: str) -> dict[str, str]:
    return {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


def text_of(body: dict[str, Any]) -> str:
    text = body.get("body")
    if not isinstance(text, str) or not text.strip():
        raise Refused(422, "Validation Failed: body can't be blank")
    if len(text) > LONGEST:
        raise Refused(422, f"Validation Failed: body is too long (maximum is {LONGEST} characters)")
    return text


def review(handler: Handler, me: str, body: dict[str, Any]) -> dict[str, Any]:
    """All comments, or none."""
    fake = handler.fake
    handler.may_write()
    if body.get("commit_id") != fake.head_sha or body.get("event") != "COMMENT":
        raise Refused(422, "Unprocessable Entity")
    text_of(body)
    made = [checked(fake, me, one) for one in body["comments"]]
    fake.comments += made
    fake.reviews.append(body)
    return {"id": fake.new_id()}


def checked(fake: Fake, me: str, one: dict[str, Any]) -> Comment:
    text = text_of(one)
    if set(one) - {"path", "body", "line", "side", "start_line", "start_side"} or one.get("side") != "RIGHT":
        raise Refused(422, "Unprocessable Entity")
    start, line = one.get("start_line", one["line"]), one["line"]
    if "start_line" in one and not (start < line and one.get("start_side") == "RIGHT"):
        raise Refused(422, "Pull request review thread start line must precede the end line.")
    inside = any(start in hunk and line in hunk for hunk in fake.hunks(one["path"]))
    if not inside or one["path"] in fake.refuse or one["path"] not in fake.changed():
        raise Refused(422, "Pull request review thread line must be part of the diff")
    lines = fake.head[one["path"]].splitlines()
    return Comment(fake.new_id(), me, text, one["path"], start, line, lines[start - 1 : line])


def graphql(handler: Handler, me: str, body: dict[str, Any]) -> dict[str, Any]:
    fake, query, values = handler.fake, body["query"], body["variables"]
    if "mutation" in query:
        if fake.read_only or not fake.may_resolve:
            message = "Resource not accessible by integration"
            return {"data": None, "errors": [{"type": "FORBIDDEN", "message": message}]}
        (comment,) = [one for one in fake.comments if f"T{one.id}" == values["id"]]
        comment.resolved_by = None if "unresolve" in query else me.removesuffix("[bot]")
        return {"data": {}}
    assert "databaseId" not in query
    at = int(values["after"] or 0)
    part = fake.comments[at : at + fake.page]
    more = at + fake.page < len(fake.comments)
    page = {"hasNextPage": more, "endCursor": str(at + fake.page) if more else None}
    threads = {"pageInfo": page, "nodes": [thread(one, me) for one in part]}
    return {
        "data": {"viewer": {"login": me}, "repository": {"pullRequest": {"reviewThreads": threads}}},
    }


def thread(one: Comment, me: str) -> dict[str, Any]:
    # `databaseId` holds 32 bits, and comments have long been beyond that.
    note = {"fullDatabaseId": str(one.id), "body": one.body, "viewerDidAuthor": one.author == me}
    return {
        "id": f"T{one.id}",
        "isResolved": one.resolved_by is not None,
        "isOutdated": one.outdated,
        "path": one.path,
        "line": None if one.outdated else one.line,
        "startLine": None if one.outdated or one.start == one.line else one.start,
        "resolvedBy": {"login": one.resolved_by} if one.resolved_by else None,
        "comments": {"nodes": [note]},
    }


def serving(fake: Fake, kind: type[Handler] = Handler) -> Iterator[str]:
    """The server's address, while it runs."""
    handler = type("Bound", (kind,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
