"""What surrounds a review on GitHub: forks, limits of the rate, errors, whose config counts, which pull request."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.review import http
from tests.review.conftest import Review, event
from tests.review.fake_github import Comment, Fake

SAFE = "FROM --platform=$BUILDPLATFORM alpine AS base\nFROM base\nCMD true\n"
UNSAFE = "FROM --platform=linux/amd64 alpine\n"


def test_on_a_fork_the_findings_become_annotations(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    fake.read_only = True
    ran = review()
    assert ran.code == 0
    assert "annotations instead" in ran.err
    assert ran.text.startswith("::warning file=Dockerfile,line=1,")
    assert not fake.comments


@pytest.mark.parametrize(
    ("status", "headers", "body", "least"),
    [
        (429, {"retry-after": "7"}, b"{}", 7),
        (403, {"retry-after": "3"}, b'{"message": "You have exceeded a secondary rate limit"}', 3),
        (403, {}, b'{"message": "You have exceeded a secondary rate limit"}', 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, b"{}", 1),
    ],
    ids=["429", "secondary", "unsaid", "reset"],
)
def test_a_limit_of_the_rate_is_waited_for_as_long_as_the_server_says(
    fake: Fake,
    review: Review,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    headers: dict[str, str],
    body: bytes,
    least: int,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(http.Client.__init__, "__defaults__", (waited.append,))
    fake.head = {"Dockerfile": SAFE}
    fake.answers = [(0, {}, b"")] * 4 + [(status, headers, body)]
    assert review().code == 0
    assert waited == [least]
    assert len(fake.comments) == 1


def test_a_limit_that_graphql_tells_with_status_200_is_waited_for(
    fake: Fake, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(http.Client.__init__, "__defaults__", (waited.append,))
    fake.head = {"Dockerfile": SAFE}
    limited = b'{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}'
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    fake.answers = [(0, {}, b"")] * 2 + [(200, headers, limited)]
    assert review().code == 0
    assert waited == [1]
    assert len(fake.comments) == 1


def test_a_comment_that_speaks_of_a_limit_is_none(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    fake.comments = [Comment(1, "author", "RATE_LIMITED", "Dockerfile", 1, 1, [])]
    assert review().code == 0
    assert len(fake.comments) == 2


def test_a_wait_without_end_is_given_up(fake: Fake, review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.Client.__init__, "__defaults__", (lambda seconds: None,))
    fake.head = {"Dockerfile": SAFE}
    fake.answers = [(429, {"retry-after": "100000"}, b"{}")]
    ran = review()
    assert ran.code == 4
    assert "rate limit asks for 100000 s more" in ran.err


def test_a_server_s_error_is_told_in_one_line(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    fake.answers = [(404, {}, b'{"message": "Not Found\\n\\u001b[2J secret-canary"}')]
    ran = review()
    assert ran.code == 4
    assert ran.err == "error: GitHub: HTTP 404 Not Found\\n\\x1b[2J ***\n"


# The tree's own config is an author's: each of these would hide what is found.
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("archpatch.toml", 'ignore = ["AP"]\n'),
        ("archpatch.toml", 'select = ["AP8"]\n'),
        ("archpatch.toml", 'exclude = ["*"]\n'),
        ("archpatch.toml", 'platforms = ["linux/amd64"]\n'),
        ("archpatch.toml", '[per-file-ignores]\n"*" = ["AP"]\n'),
        ("archpatch.toml", "nonsense\n"),
        (".archpatch.toml", 'ignore = ["AP"]\n'),
        ("pyproject.toml", '[tool.archpatch]\nignore = ["AP"]\n'),
        ("a/archpatch.toml", 'ignore = ["AP"]\n'),
    ],
)
@pytest.mark.parametrize("in_base", [False, True])
def test_the_config_of_the_pull_request_counts_for_nothing(
    fake: Fake, review: Review, name: str, config: str, in_base: bool
) -> None:
    fake.base = {name: 'style = "minimal"\n'} if in_base and not name.startswith("py") else {}
    fake.head = {name: config, "a/Dockerfile": SAFE}
    assert review().code == 0
    assert len(fake.comments) == 1
    if name != "a/archpatch.toml" or in_base:
        assert "config of the base commit is in force" in fake.notes[0].body or name.startswith("a/")


def test_the_config_of_the_base_commit_is_heeded_and_one_named_by_the_user(
    fake: Fake, review: Review, tmp_path: Path
) -> None:
    fake.base = {"archpatch.toml": 'ignore = ["AP1"]\n'}
    fake.head = {"a/Dockerfile": SAFE}
    review()
    assert not fake.comments
    fake.truncated = True
    review()
    assert not fake.comments
    (tmp_path / "kept").mkdir(exist_ok=True)
    own = tmp_path / "kept" / "own.toml"
    own.write_text('style = "minimal"\n')
    review("--config", own)
    assert len(fake.comments) == 1


def test_the_event_names_the_request_and_an_old_one_is_not_spoken_to(
    fake: Fake, review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.head = {"Dockerfile": SAFE}
    event(tmp_path, monkeypatch, {"pull_request": {"number": 7, "head": {"sha": fake.head_sha}}})
    assert review(number=False).code == 0
    assert len(fake.comments) == 1
    fake.push({"Dockerfile": UNSAFE})
    ran = review(number=False)
    assert "has moved on" in ran.err
    assert len(fake.comments) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("GITHUB_TOKEN", ""), ("GITHUB_REPOSITORY", ""), ("GITHUB_REPOSITORY", "a/../b")]
)
def test_what_is_missing_is_asked_for(
    fake: Fake, review: Review, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert review().code == 2
    assert not fake.log


def test_no_event_and_no_number_is_the_user_s_mistake(review: Review) -> None:
    assert "which pull request?" in review(number=False).err
