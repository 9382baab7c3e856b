"""Reviews of merge requests, against a server that keeps GitLab's rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Ran
from tests.review.conftest import TOKEN, Review, assert_harmless, check_out
from tests.review.fake_github import serving
from tests.review.fake_gitlab import FakeLab, LabHandler, Note

SAFE = "FROM --platform=$BUILDPLATFORM alpine AS base\nFROM base\nCMD true\n"
UNSAFE = "FROM --platform=linux/amd64 alpine\n"
CLEAN = "FROM alpine\n"
FILLER = "".join(f"# line {n}\n" for n in range(500))


@pytest.fixture
def lab() -> FakeLab:
    return FakeLab()


@pytest.fixture
def review(cli: Cli, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Review]:
    server = serving(lab, LabHandler)
    monkeypatch.setenv("CI_API_V4_URL", next(server))
    monkeypatch.setenv("CI_PROJECT_ID", "me/shop")
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)

    def call(*arguments: str | Path) -> Ran:
        check_out(lab, tmp_path)
        ran = cli("review", "gitlab", "--mr", str(lab.number), *arguments)
        assert TOKEN not in ran.text + ran.err
        return ran

    yield call
    next(server, None)


def on_lines(lab: FakeLab) -> list[Note]:
    return [note for note in lab.lab if note.position]


def posts(lab: FakeLab) -> int:
    return sum(verb != "GET" for verb, _ in lab.log)


def test_findings_stand_at_their_lines_with_a_suggestion_for_the_safe_one(
    lab: FakeLab, review: Review
) -> None:
    lab.head = {"a/Dockerfile": SAFE, "b/Dockerfile": UNSAFE}
    assert review().code == 0
    safe, unsafe = on_lines(lab)
    assert "```suggestion:-0+0\nFROM alpine AS base\n```" in safe.body
    assert "suggestion" not in unsafe.body
    for note in lab.lab:
        assert_harmless(note.body)


def test_an_unchanged_line_is_named_by_both_its_numbers(lab: FakeLab, review: Review) -> None:
    lab.base = {"Dockerfile": "# gone\n# too\n" + SAFE}
    lab.head = {"Dockerfile": SAFE}
    assert review().code == 0
    (note,) = on_lines(lab)
    assert note.position
    assert (note.position["old_line"], note.position["new_line"]) == (3, 1)


def test_ten_more_runs_say_nothing_more(lab: FakeLab, review: Review) -> None:
    lab.head = {"a/Dockerfile": SAFE, "b/Dockerfile": UNSAFE}
    lab.page = 1
    review()
    before = posts(lab)
    for _ in range(10):
        assert review().code == 0
    assert posts(lab) == before


def test_nothing_is_said_twice_when_lines_move_by_five_hundred(lab: FakeLab, review: Review) -> None:
    lab.head = {"Dockerfile": SAFE}
    review()
    lab.push({"Dockerfile": FILLER + SAFE})
    assert review().code == 0
    (note,) = on_lines(lab)
    assert "```suggestion" not in note.body  # it stands at a line that is another now
    assert note.resolved_by is None


def test_a_mended_finding_is_resolved_and_one_that_comes_back_is_opened_again(
    lab: FakeLab, review: Review
) -> None:
    lab.head = {"Dockerfile": SAFE}
    review()
    lab.push({"Dockerfile": CLEAN})
    review()
    (note,) = on_lines(lab)
    assert note.resolved_by == 5
    lab.push({"Dockerfile": SAFE})
    review()
    assert [one.resolved_by for one in on_lines(lab)] == [None]


def test_what_is_outside_or_refused_comes_in_one_note_that_is_edited(lab: FakeLab, review: Review) -> None:
    lab.base = {"a/Dockerfile": UNSAFE}
    lab.head = {"a/Dockerfile": UNSAFE, "b/Dockerfile": UNSAFE, "c/Dockerfile": UNSAFE}
    lab.refuse = {"b/Dockerfile"}
    review()
    review()
    (summary,) = [note for note in lab.lab if not note.position]
    assert "a/Dockerfile" in summary.body
    assert "b/Dockerfile" in summary.body
    assert "merge request" in summary.body
    assert len(on_lines(lab)) == 1


def test_a_thread_of_others_on_a_whole_file_is_passed_over(lab: FakeLab, review: Review) -> None:
    lab.head = {"Dockerfile": SAFE}
    lab.lab = [Note(999, 42, "hello", {"position_type": "file", "head_sha": None, "new_path": None})]
    assert review().code == 0
    assert len(on_lines(lab)) == 2


def test_a_forged_mark_of_the_author_mutes_nothing(lab: FakeLab, review: Review) -> None:
    lab.head = {"Dockerfile": SAFE}
    review()
    (note,) = on_lines(lab)
    note.author = note.resolved_by = 6
    review()
    assert [one.author for one in on_lines(lab)] == [6, 5]


def test_the_config_of_the_merge_request_counts_for_nothing(lab: FakeLab, review: Review) -> None:
    lab.base = {"archpatch.toml": 'style = "minimal"\n'}
    lab.head = {"archpatch.toml": 'ignore = ["AP"]\n', "a/Dockerfile": SAFE}
    assert review().code == 0
    assert len(on_lines(lab)) == 1
    assert any("config of the base commit is in force" in note.body for note in lab.lab)


def test_a_token_that_may_not_write_is_an_error(lab: FakeLab, review: Review) -> None:
    lab.head = {"Dockerfile": SAFE}
    lab.read_only = True
    ran = review()
    assert ran.code == 4
    assert "may not write" in ran.err


def test_a_dry_run_sends_nothing(lab: FakeLab, review: Review) -> None:
    lab.head = {"Dockerfile": SAFE}
    assert review("--dry-run").text.startswith("POST /projects/me%2Fshop/merge_requests/7/discussions\n{")
    assert not posts(lab)


@pytest.mark.parametrize(("name", "value"), [("GITLAB_TOKEN", ""), ("CI_PROJECT_ID", "../x")])
def test_what_is_missing_is_asked_for(
    lab: FakeLab, review: Review, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert review().code == 2
    assert not lab.log
