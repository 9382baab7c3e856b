"""A server on loopback that keeps GitLab's rules for discussions of a merge request.

A position names the newest version's three commits, both paths, and for an unchanged line both its numbers; lists
come in pages; only who wrote a note may edit it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.review.fake_github import Fake, Handler, Refused, text_of


@dataclass
class Note:
    id: int
    author: int
    body: str
    position: dict[str, Any] | None = None
    resolved_by: int | None = None


@dataclass
class FakeLab(Fake):
    """`people`: token -> number of the user. `discussions`: each of one note."""

    people: dict[str, int] = field(default_factory=lambda: {"secret-canary": 5})
    lab: list[Note] = field(default_factory=list)

    def version(self) -> dict[str, str]:
        return {
            "base_commit_sha": self.base_sha,
            "start_commit_sha": self.base_sha,
            "head_commit_sha": self.head_sha,
        }

    def pairs(self, path: str) -> dict[int, int | None]:
        """Each shown line of the new file, and its number in the old one where it did not change."""
        found: dict[int, int | None] = {}
        old = new = 0
        for line in self.patch(path).split("\n"):
            if match := re.match(r"@@ -(\d+)\S* \+(\d+)", line):
                old, new = int(match[1]), int(match[2])
            elif line[:1] == "+":
                found[new] = None
                new += 1
            elif line[:1] == "-":
                old += 1
            elif line[:1] == " ":
                found[new] = old
                old, new = old + 1, new + 1
        return found


class LabHandler(Handler):
    fake: FakeLab

    do_PUT = Handler.handle_one

    def identity(self) -> str:
        token = self.headers.get("Private-Token", "")
        if token not in self.fake.people:
            raise Refused(401, "401 Unauthorized")
        return str(self.fake.people[token])

    def route(self, me: str, body: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        fake, url = self.fake, urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        root = "/projects/me%2Fshop"
        request = f"{root}/merge_requests/{fake.number}"
        path = url.path
        if self.command == "GET":
            return self.read(path, query, root, request, me)
        if fake.read_only:
            raise Refused(403, "403 Forbidden")
        if (self.command, path) == ("POST", f"{request}/notes"):
            fake.lab.append(Note(fake.new_id(), int(me), text_of(body)))
        elif (self.command, path) == ("POST", f"{request}/discussions"):
            fake.lab.append(Note(fake.new_id(), int(me), text_of(body), self.checked(body["position"])))
        elif self.command == "PUT" and (match := re.search(r"/(?:notes|discussions)/([0-9]+)$", path)):
            (note,) = [one for one in fake.lab if str(one.id) == match[1]]
            if "resolved" in body:
                note.resolved_by = int(me) if body["resolved"] else None
            elif note.author != int(me):
                raise Refused(403, "403 Forbidden")
            else:
                note.body = text_of(body)
        else:
            raise Refused(404, "404 Not Found")
        return b"{}", {}

    def read(
        self, path: str, query: dict[str, str], root: str, request: str, me: str
    ) -> tuple[bytes, dict[str, str]]:
        fake = self.fake
        if path == "/user":
            return json.dumps({"id": int(me)}).encode(), {}
        if path == f"{request}/versions":
            return json.dumps([fake.version(), {**fake.version(), "head_commit_sha": "0" * 40}]).encode(), {}
        if path == f"{request}/diffs":
            diffs = [
                {"old_path": p, "new_path": p, "diff": fake.patch(p), "deleted_file": p not in fake.head}
                for p in fake.changed()
            ]
            return self.paged(diffs, query)
        if path == f"{request}/discussions":
            return self.paged([discussion(note) for note in fake.lab], query)
        if path == f"{root}/repository/tree":
            return self.paged([{"path": name, "type": "blob"} for name in fake.base], query)
        if match := re.fullmatch(f"{root}/repository/files/([^/]+)/raw", path):
            name = unquote(match[1])
            if name in fake.base and query["ref"] == fake.base_sha:
                return fake.base[name].encode(), {}
        raise Refused(404, "404 Not Found")

    def checked(self, position: dict[str, Any]) -> dict[str, Any]:
        fake = self.fake
        path = position["new_path"]
        version = {name.replace("_sha", "_commit_sha"): position[name] for name in ("base_sha", "start_sha", "head_sha")}  # fmt: skip
        shown = fake.pairs(path)
        line = position["new_line"]
        if (
            position["position_type"] != "text"
            or version != fake.version()
            or "old_path" not in position
            or path in fake.refuse
            or line not in shown
            or position.get("old_line") != shown[line]
        ):
            raise Refused(400, '400 Bad request - Note {:line_code=>["can\'t be blank"]}')
        return position


def discussion(note: Note) -> dict[str, Any]:
    told = {
        "id": note.id,
        "body": note.body,
        "author": {"id": note.author},
        "resolved": note.resolved_by is not None,
        "resolved_by": {"id": note.resolved_by} if note.resolved_by else None,
    }
    if note.position:
        told["position"] = note.position
    return {"id": str(note.id), "individual_note": note.position is None, "notes": [told]}
