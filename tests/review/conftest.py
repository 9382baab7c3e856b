"""A pull request on a server of ours, and the command line that reviews it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.cli.conftest import Cli, Ran, cli
from tests.review.fake_github import Fake, serving

__all__ = ["cli"]
TOKEN = "secret-canary"


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def server(fake: Fake) -> Iterator[str]:
    yield from serving(fake)


def check_out(fake: Fake, folder: Path) -> None:
    """The files of the head, but for the folder `kept`."""
    for old in folder.iterdir():
        if old.name not in (".git", "kept"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    (folder / ".git").mkdir(exist_ok=True)
    for name, text in fake.head.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


Review = Callable[..., Ran]


@pytest.fixture
def review(cli: Cli, fake: Fake, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Review:
    """Checks out the head and runs `archpatch review github`; what is printed never holds the token."""
    for name in ("GITHUB_EVENT_PATH", "GITHUB_GRAPHQL_URL", "GH_TOKEN", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/shop")
    monkeypatch.setenv("GITHUB_API_URL", server)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)

    def call(*arguments: str | Path, number: bool = True) -> Ran:
        check_out(fake, tmp_path)
        words = ("--pr", str(fake.number)) if number else ()
        ran = cli("review", "github", *words, *arguments)
        assert TOKEN not in ran.text + ran.err
        return ran

    return call


def event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    (tmp_path / "kept").mkdir(exist_ok=True)
    (tmp_path / "kept" / "event.json").write_text(json.dumps(value))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "kept" / "event.json"))


def assert_harmless(body: str) -> None:
    """Nothing in a comment is a link, image, mention or HTML but what we put there."""
    for token in MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(body):
        if token.type == "html_block":
            ours = r"<!-- archpatch:v1:\w+ -->\s*|<details><summary>[^<>@#]*</summary>\s*|</details>\s*"
            assert re.fullmatch(ours, token.content), token.content
        for inner in token.children or ():
            assert inner.type not in ("html_inline", "image")
            if inner.type == "link_open":
                assert str(inner.attrs["href"]).endswith(".md")
            if inner.type == "text":
                assert not re.search(r"@\w|#\d|://|www\.", inner.content)
