"""The one door to the network: an API of JSON over HTTPS, with one secret that goes to one host.

Redirects to another host lose the secret; what the server says in an error is shown without it. A request that was
refused for its rate is sent again when the server says so; one that may have been done is not.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import urllib3
from msgspec import Struct

from archpatch import __version__
from archpatch.report.safe import safe

Json = dict[str, object]
Value = TypeVar("Value")
_SECRET_HEADERS = ("Authorization", "Private-Token", "Job-Token", "Cookie")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_MAX_SIZE = 64 << 20  # bytes of one answer
_MAX_PAGES = 200
_TRIES = 6
_PATIENCE = 600.0  # seconds that one run may wait for its rate, in all
_LEAST_WAIT = 1.0
_UNSAID_WAIT = 60.0  # where a server limits the rate and does not say for how long
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')


class HttpError(Exception):
    """A request that came to nothing; str() is one line without the secret. `status` 0: no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Response(Struct, frozen=True):
    """An answer; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> object:
        """The body. Raises HttpError."""
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError) as error:
            raise HttpError("the server's answer is not JSON", self.status) from error


class Client:
    """One API. `secret` is among the values of `headers`.

    Raises HttpError for a base that would carry the secret in the open.
    """

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        secret: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(base)
        local = parts.hostname in _LOOPBACK
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise HttpError(f"{base}: only https is used, for a token goes with it")
        self.base = base.rstrip("/")
        self._headers = {"User-Agent": f"archpatch/{__version__}", **headers}
        self._secret = secret
        self._sleep = sleep
        self._patience = _PATIENCE
        self._pool = _pool(parts.scheme, parts.hostname or "")

    def send(
        self, method: str, path: str, body: Json | None = None, accept: str = "application/json"
    ) -> Response:
        """Send a request; `path` begins with `/`, or is a whole URL of the same host. Raises HttpError."""
        url = path if "://" in path else self.base + path
        if urlsplit(url)[:2] != urlsplit(self.base)[:2]:
            raise HttpError(f"{safe(urlsplit(url).netloc)} is another host than {urlsplit(self.base).netloc}")
        for attempt in range(_TRIES):
            response = self._once(method, url, body, accept)
            wait = _wait(response, attempt, again=method == "GET")
            if wait is None or attempt == _TRIES - 1:
                break
            if wait > self._patience:
                raise HttpError(f"the server's rate limit asks for {wait:.0f} s more", response.status)
            self._patience -= wait
            self._sleep(wait)
        if response.status >= 400:
            raise HttpError(self._told(response), response.status)
        return response

    def pages(self, path: str) -> Iterator[object]:
        """The items of all pages of a list, by the `Link` header. Raises HttpError."""
        following: str | None = path
        for _ in range(_MAX_PAGES):
            if following is None:
                return
            response = self.send("GET", following)
            items = response.json()
            if not isinstance(items, list):
                raise HttpError("the server's answer is no list", response.status)
            yield from items
            match = _NEXT.search(response.headers.get("link", ""))
            following = match[1] if match else None
        raise HttpError(f"more than {_MAX_PAGES} pages")

    def _once(self, method: str, url: str, body: Json | None, accept: str) -> Response:
        headers = {**self._headers, "Accept": accept}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        retries = urllib3.Retry(
            total=5,
            connect=2,
            read=0,
            status=0,
            other=0,
            respect_retry_after_header=False,  # ours knows when it is enough
            redirect=3 if method == "GET" else 0,
            raise_on_redirect=method == "GET",
            remove_headers_on_redirect=_SECRET_HEADERS,
        )
        try:
            answer = self._pool.request(
                method, url, body=data, headers=headers, retries=retries, timeout=_TIMEOUT,
                preload_content=False, redirect=method == "GET",
            )  # fmt: skip
            content = answer.read(_MAX_SIZE + 1, decode_content=True)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise HttpError(self._clean(f"{urlsplit(url).netloc}: {error}")) from None
        if len(content) > _MAX_SIZE:
            raise HttpError("the server's answer is too large", answer.status)
        return Response(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, content
        )

    def _told(self, response: Response) -> str:
        """What the server says of a failure."""
        try:
            body = json.loads(response.data)
        except (ValueError, RecursionError):
            body = {}
        said = body.get("message") or body.get("error") or "" if isinstance(body, dict) else ""
        return self._clean(f"HTTP {response.status} {said}".rstrip())

    def _clean(self, text: str) -> str:
        return safe(text.replace(self._secret, "***") if self._secret else text)[:500]


def _wait(response: Response, attempt: int, *, again: bool) -> float | None:
    """Seconds until the request may be sent again; None where that makes no sense.

    `again`: it does no harm when it is done twice.
    """
    headers = response.headers
    # GraphQL says with status 200 that there was too much, and then has done nothing.
    limited = response.status == 200 and b"RATE_LIMITED" in response.data and _is_limited(response)
    if limited or response.status in (429, 403):
        after = headers.get("retry-after", "")
        if after.isdecimal():
            return max(float(after), _LEAST_WAIT)
        if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
            return max(float(headers["x-ratelimit-reset"]) - time.time(), _LEAST_WAIT)
        if limited or response.status == 429 or b"secondary rate limit" in response.data:
            return _UNSAID_WAIT * (1 << attempt)
        return None
    return float(1 << attempt) if response.status >= 500 and again and attempt < 3 else None


def _is_limited(response: Response) -> bool:
    answer = response.json()
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return isinstance(first, dict) and first.get("type") == "RATE_LIMITED"


def _pool(scheme: str, host: str) -> urllib3.PoolManager:
    """Connections, through the proxy that the environment names."""
    proxy = urllib.request.getproxies().get(scheme)
    if proxy and host not in _LOOPBACK and not urllib.request.proxy_bypass(host):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def as_type(value: object, kind: type[Value]) -> Value:
    """An answer as what it is documented to be; what else is in it is passed over. Raises HttpError."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise HttpError(f"the server's answer is not as documented: {error}") from error
