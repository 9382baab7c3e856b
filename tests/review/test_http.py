"""The door to the network: where the token goes, and where it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from archpatch.review.http import Client, HttpError

TOKEN = "secret-canary"


class Server:
    """Answers by path, and keeps the headers that it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[tuple[str, str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.seen.append((self.command, self.path, self.headers.get("Authorization")))
                status, headers, data = outer.answers.get(self.path, (404, {}, b"{}"))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    made = Server(), Server()
    yield made
    for one in made:
        one.http.shutdown()
        one.http.server_close()


def client(url: str, slept: list[float] | None = None) -> Client:
    return Client(
        url, {"Authorization": f"Bearer {TOKEN}"}, TOKEN, (slept if slept is not None else []).append
    )


def test_a_redirect_to_another_host_does_not_carry_the_token(servers: tuple[Server, Server]) -> None:
    ours, other = servers
    ours.answers["/a"] = (302, {"Location": f"{other.url}/b"}, b"")
    other.answers["/b"] = (200, {}, b"{}")
    assert client(ours.url).send("GET", "/a").json() == {}
    assert other.seen == [("GET", "/b", None)]


def test_a_redirect_on_the_same_host_is_followed_with_the_token(servers: tuple[Server, Server]) -> None:
    ours, _ = servers
    ours.answers |= {"/a": (302, {"Location": "/b"}, b""), "/b": (200, {}, b"{}")}
    client(ours.url).send("GET", "/a")
    assert ours.seen[-1] == ("GET", "/b", f"Bearer {TOKEN}")


def test_redirects_without_end_are_given_up(servers: tuple[Server, Server]) -> None:
    ours, _ = servers
    ours.answers["/a"] = (302, {"Location": "/a"}, b"")
    with pytest.raises(HttpError):
        client(ours.url).send("GET", "/a")
    assert len(ours.seen) <= 4


def test_what_writes_is_not_redirected_and_not_sent_twice(servers: tuple[Server, Server]) -> None:
    ours, other = servers
    ours.answers["/a"] = (307, {"Location": f"{other.url}/b"}, b"")
    client(ours.url).send("POST", "/a", {})
    assert not other.seen
    ours.answers["/c"] = (502, {}, b"")
    ours.seen.clear()
    with pytest.raises(HttpError):
        client(ours.url).send("POST", "/c", {})
    assert len(ours.seen) == 1


def test_what_reads_is_tried_again_after_an_error_of_the_server(servers: tuple[Server, Server]) -> None:
    ours, _ = servers
    ours.answers["/a"] = (502, {}, b"")
    slept: list[float] = []
    with pytest.raises(HttpError, match="HTTP 502"):
        client(ours.url, slept).send("GET", "/a")
    assert slept == [1, 2, 4]


def test_a_next_page_on_another_host_is_refused(servers: tuple[Server, Server]) -> None:
    ours, other = servers
    ours.answers["/a"] = (200, {"Link": f'<{other.url}/b>; rel="next"'}, b"[1]")
    with pytest.raises(HttpError, match="another host"):
        list(client(ours.url).pages("/a"))
    assert not other.seen


def test_pages_without_end_are_given_up(servers: tuple[Server, Server]) -> None:
    ours, _ = servers
    ours.answers["/a"] = (200, {"Link": f'<{ours.url}/a>; rel="next"'}, b"[1]")
    with pytest.raises(HttpError, match="200 pages"):
        list(client(ours.url).pages("/a"))


@pytest.mark.parametrize(
    "base", ["http://example.org", "ftp://example.org", "file:///etc", "", "http://127.0.0.1.example.org"]
)
def test_a_token_goes_over_https_alone(base: str) -> None:
    with pytest.raises(HttpError, match="only https"):
        client(base)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"<html>secret-canary", "not JSON"), (b"[" * 200_000, "not JSON"), (b"{}", "no list")],
    ids=["html", "deep", "object"],
)
def test_an_answer_that_is_none_is_an_error_without_the_token(
    servers: tuple[Server, Server], data: bytes, words: str
) -> None:
    ours, _ = servers
    ours.answers["/a"] = (200, {}, data)
    with pytest.raises(HttpError, match=words) as error:
        list(client(ours.url).pages("/a"))
    assert TOKEN not in str(error.value)


def test_a_server_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(HttpError, match=r"127\.0\.0\.1"):
        client("http://127.0.0.1:1").send("GET", "/a")
