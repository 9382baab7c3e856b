"""Reviews of pull requests, against a server that keeps GitHub's rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from archpatch.report.comments import Remark
from archpatch.review.hunks import Hunk
from archpatch.review.plan import Thread, plan, said
from archpatch.rule import Severity
from tests.cli.conftest import Cli
from tests.review.conftest import Review, assert_harmless
from tests.review.fake_github import Comment, Fake, Note

SAFE = "FROM --platform=$BUILDPLATFORM alpine AS base\nFROM base\nCMD true\n"
UNSAFE = "FROM --platform=linux/amd64 alpine\n"
CLEAN = "FROM alpine\n"
FILLER = "".join(f"# line {n}\n" for n in range(500))


def posts(fake: Fake) -> list[tuple[str, str]]:
    return [
        (verb, path) for verb, path in fake.log if verb in ("POST", "PATCH") and not path.endswith("/graphql")
    ]


def test_findings_come_in_one_review_with_a_suggestion_for_the_safe_one(fake: Fake, review: Review) -> None:
    fake.head = {"a/Dockerfile": SAFE, "b/Dockerfile": UNSAFE}
    assert review().code == 0
    (made,) = fake.reviews
    assert [(one["path"], one["line"]) for one in made["comments"]] == [
        ("a/Dockerfile", 1),
        ("b/Dockerfile", 1),
    ]
    safe, unsafe = (one["body"] for one in made["comments"])
    assert "```suggestion\nFROM alpine AS base\n```" in safe
    assert "```suggestion" not in unsafe
    assert "<details>" in unsafe
    assert "-FROM --platform=linux/amd64 alpine\n+FROM" in unsafe
    assert not fake.notes


def test_ten_more_runs_say_nothing_more(fake: Fake, review: Review) -> None:
    fake.head = {"a/Dockerfile": SAFE, "b/Dockerfile": UNSAFE}
    review()
    before = len(posts(fake))
    for _ in range(10):
        assert review().code == 0
    assert len(posts(fake)) == before
    assert len(fake.comments) == 2


@pytest.mark.parametrize("outdated", [False, True], ids=["shifted", "outdated"])
def test_nothing_is_said_twice_when_lines_move_by_five_hundred(
    fake: Fake, review: Review, outdated: bool
) -> None:
    fake.head = {"Dockerfile": FILLER + SAFE}
    review()
    for files in ({"Dockerfile": FILLER + FILLER + SAFE}, {"Dockerfile": SAFE}):
        fake.push(files)
        for comment in fake.comments:
            comment.outdated = outdated
        assert review().code == 0
        assert len(fake.comments) == 1
        assert fake.comments[0].resolved_by is None
        assert ("```suggestion" in fake.comments[0].body) != outdated


def test_a_mended_finding_is_resolved_and_one_that_comes_back_is_opened_again(
    fake: Fake, review: Review
) -> None:
    fake.head = {"Dockerfile": SAFE}
    review()
    fake.push({"Dockerfile": "FROM alpine AS base\nFROM base\nCMD true\n"})
    assert "1 resolved" in review().err
    assert fake.comments[0].resolved_by == "github-actions"
    assert "0 resolved" in review().err
    fake.push({"Dockerfile": SAFE})
    assert "1 opened again" in review().err
    assert fake.comments[0].resolved_by is None
    assert len(fake.comments) == 1


def test_a_thread_that_a_person_resolved_stays_so_and_the_summary_counts_it(
    fake: Fake, review: Review
) -> None:
    fake.head = {"Dockerfile": SAFE}
    review()
    fake.comments[0].resolved_by = "author"
    review()
    assert fake.comments[0].resolved_by == "author"
    assert "Still found, in threads that somebody resolved: 1." in fake.notes[0].body


def test_a_finding_is_not_taken_for_mended_when_its_file_could_not_be_read(
    fake: Fake, review: Review
) -> None:
    fake.head = {"Dockerfile": SAFE, "other/Dockerfile": CLEAN}
    review()
    fake.push({"Dockerfile": SAFE + "NONSENSE\n", "other/Dockerfile": CLEAN})
    assert review().code == 4
    assert fake.comments[0].resolved_by is None
    assert "Could not be looked at" in fake.notes[0].body
    assert review("other").code == 0
    assert fake.comments[0].resolved_by is None


def test_a_finding_of_a_rule_that_was_not_asked_is_not_taken_for_mended(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    review()
    assert "0 resolved" in review("--select", "AP8").err
    assert "0 resolved" in review("--ignore", "AP1").err
    fake.push({"Dockerfile": CLEAN})
    assert "1 resolved" in review("--select", "AP1").err


def test_a_run_in_a_folder_takes_nothing_outside_of_it_for_mended(
    fake: Fake, review: Review, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.head = {"Dockerfile": SAFE, "other/Dockerfile": CLEAN}
    review()
    monkeypatch.chdir("other")
    assert cli("review", "github", "--pr", str(fake.number)).code == 0
    assert not fake.comments[0].resolved_by


def test_threads_that_the_token_may_not_resolve_say_themselves_that_they_are_settled(
    fake: Fake, review: Review
) -> None:
    fake.head = {"a/Dockerfile": SAFE, "b/Dockerfile": SAFE, "c/Dockerfile": UNSAFE}
    review()
    fake.may_resolve = False
    fake.push({"a/Dockerfile": CLEAN, "b/Dockerfile": CLEAN, "c/Dockerfile": UNSAFE, "d/Dockerfile": UNSAFE})
    ran = review()
    assert ran.code == 0
    assert "2 settled threads stay open" in ran.err
    assert "1 new" in ran.err
    assert ["may be resolved" in comment.body for comment in fake.comments] == [True, True, False, False]
    before = len(posts(fake))
    review()
    assert len(posts(fake)) == before
    fake.push({"a/Dockerfile": SAFE})
    review()
    assert "AP101" in fake.comments[0].body


def test_two_findings_of_one_mark_are_one_comment(fake: Fake) -> None:
    remark = Remark("0" * 64, "AP101", "x", "", Severity.ERROR, "Dockerfile", 1, 1, "first")
    twin = replace(remark, message="second")
    hunk = Hunk({1: "FROM a"})
    wanted = plan([remark, twin], {"Dockerfile": [hunk]}, [], lambda thread: True, said)
    assert [new.remark for new in wanted.new] == [remark]
    body = said(remark, (1, 1))
    thread = Thread("1", "1", remark.fingerprint, body, "Dockerfile", 1, 1)
    assert not plan([remark, twin], {}, [thread], lambda thread: True, said).edits


def test_a_thread_of_a_deleted_file_is_resolved(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE, "other/Dockerfile": CLEAN}
    review()
    fake.push({"other/Dockerfile": CLEAN})
    review()
    assert fake.comments[0].resolved_by


def test_a_changed_text_is_edited_in_its_place(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    review()
    wanted = fake.comments[0].body
    fake.comments[0].body = wanted.replace("\n", "\r\n") + "\r\n"  # servers do that
    before = len(posts(fake))
    review()
    assert len(posts(fake)) == before
    fake.comments[0].body = wanted.splitlines()[0] + "\nolder words"
    assert "1 edited" in review().err
    assert fake.comments[0].body == wanted


def test_what_is_found_outside_of_the_diff_comes_in_one_comment_that_is_edited(
    fake: Fake, review: Review
) -> None:
    fake.base = {"a/Dockerfile": UNSAFE, "b/Dockerfile": UNSAFE + FILLER, "x": ""}
    fake.head = {"a/Dockerfile": UNSAFE, "b/Dockerfile": UNSAFE + FILLER + "# new\n", "x": "y"}
    review()
    review()
    assert not fake.comments
    (note,) = fake.notes
    assert "a/Dockerfile" in note.body
    assert "b/Dockerfile" in note.body
    fake.push({"a/Dockerfile": CLEAN, "b/Dockerfile": CLEAN + FILLER + "# new\n", "x": "y"})
    review()
    (note,) = fake.notes
    assert "Nothing is left to say here." in note.body


def test_a_forged_mark_of_the_author_mutes_nothing(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    review()
    body = fake.comments[0].body
    summary = "<!-- archpatch:v1:summary -->\n"
    fake.comments = [Comment(1, "author", body, "Dockerfile", 1, 1, [""], resolved_by="author")]
    fake.notes = [Note(2, "author", summary), Note(3, "github-actions", summary)]
    fake.base = {"b/Dockerfile": UNSAFE}
    fake.head = {"Dockerfile": SAFE, "b/Dockerfile": UNSAFE}
    review()
    assert [comment.author for comment in fake.comments] == ["author", "github-actions[bot]"]
    assert fake.comments[0].body == body
    assert [note.author for note in fake.notes] == ["author", "github-actions", "github-actions[bot]"]
    assert fake.notes[0].body == summary


def test_a_mark_within_our_own_comment_is_not_believed(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": SAFE}
    review()
    mark = fake.comments[0].body.splitlines()[0]
    fake.comments[0].body = f"our bot quotes:\n{mark}"
    review()
    assert len(fake.comments) == 2


def test_bad_anchors_are_searched_by_halves_and_told_in_the_summary(fake: Fake, review: Review) -> None:
    fake.head = {f"{n}/Dockerfile": UNSAFE for n in range(9)}
    fake.refuse = {"3/Dockerfile", "8/Dockerfile"}
    assert review().code == 0
    assert len(fake.comments) == 7
    assert len(fake.notes) == 1
    assert "3/Dockerfile" in fake.notes[0].body
    assert "8/Dockerfile" in fake.notes[0].body
    tried = [path for verb, path in posts(fake) if path.endswith("/reviews")]
    assert len(tried) <= 2 * 2 * 4 + 1


def test_at_most_thirty_comments_stand_open_and_the_rest_is_in_the_summary(
    fake: Fake, review: Review
) -> None:
    fake.head = {f"{n:02}/Dockerfile": UNSAFE for n in range(45)}
    review()
    review()
    assert len(fake.comments) == 30
    assert fake.notes[0].body.count("\n- ") == 15


def test_every_page_of_files_threads_and_comments_is_read(fake: Fake, review: Review) -> None:
    fake.page = 2
    fake.head = {f"{n:02}/Dockerfile": UNSAFE for n in range(7)} | {"z/Dockerfile": SAFE}
    fake.base = {"old/Dockerfile": UNSAFE}
    fake.head["old/Dockerfile"] = UNSAFE
    fake.notes = [Note(n, "author", "hello") for n in range(5)]
    review()
    review()
    assert len(fake.comments) == 8
    assert len(fake.notes) == 6


def test_a_dry_run_prints_what_would_be_sent_and_sends_nothing(fake: Fake, review: Review) -> None:
    fake.base = {"b/Dockerfile": UNSAFE}
    fake.head = {"Dockerfile": SAFE, "b/Dockerfile": UNSAFE}
    ran = review("--dry-run")
    assert not posts(fake)
    calls = re.split(r"^(?=POST )", ran.text, flags=re.M)[1:]
    assert [call.splitlines()[0] for call in calls] == [
        "POST /repos/me/shop/pulls/7/reviews",
        "POST /repos/me/shop/issues/7/comments",
    ]
    body = json.loads(calls[0].partition("\n")[2])
    review()
    assert fake.reviews == [body]


def test_a_long_finding_within_the_limit_of_a_comment(fake: Fake, review: Review) -> None:
    fake.head = {"Dockerfile": f"FROM --platform=linux/amd64 alpine AS a{'b' * 40_000}\n"}
    assert review().code == 0
    assert len(fake.comments) == 1
    assert "<details>" not in fake.comments[0].body


def test_names_without_end_leave_room_for_the_summary(fake: Fake, review: Review) -> None:
    deep = "/".join(["\u200b" * 60] * 15)  # a file system takes 255 bytes of a name, 4,096 of a path
    fake.head = {f"{n}/{deep}/Dockerfile": "NONSENSE\n" for n in range(12)}
    assert review().code == 4
    (note,) = fake.notes
    assert "Could not be looked at" in note.body


def test_a_finding_on_other_lines_than_the_server_has_is_told_in_the_summary(
    fake: Fake, review: Review
) -> None:
    fake.head = {"Dockerfile": UNSAFE}
    review()
    fake.comments, fake.notes = [], []
    honest = fake.patch
    fake.patch = lambda path: honest(path).replace("amd64", "386")  # type: ignore[method-assign]
    review()
    assert not fake.comments
    assert "Dockerfile:1" in fake.notes[0].body


def test_a_suggestion_lies_within_one_hunk_or_is_none(fake: Fake, review: Review) -> None:
    old = "FROM alpine AS base\n" + "RUN true\n" * 12 + "FROM base\nCMD true\n"
    fake.base = {"Dockerfile": old}
    fake.head = {"Dockerfile": old.replace("FROM alpine", "FROM --platform=$BUILDPLATFORM alpine")}
    review()
    for comment in fake.comments:
        assert "```suggestion" in comment.body
    assert fake.reviews


HOSTILE = (
    "FROM --platform=linux/amd64 alpine\n"
    'LABEL x="@everyone #1 </details> ``` ![a](https://evil.example/x.png) <img src=x>"\n'
)


def test_nothing_of_the_author_s_gets_through_a_comment(fake: Fake, review: Review) -> None:
    name = "a @me [x](y) <b> ``` #1/Dockerfile"
    fake.head = {name: HOSTILE, "c/Dockerfile": SAFE.replace("base", "b_````_x@everyone")}
    fake.base = {"www.evil.example/Dockerfile": HOSTILE}
    fake.head |= fake.base
    review()
    bodies = [comment.body for comment in fake.comments] + [note.body for note in fake.notes]
    assert len(bodies) >= 2
    for body in bodies:
        assert_harmless(body)


def test_every_suggestion_that_is_taken_mends_what_fix_mends(fake: Fake, review: Review, cli: Cli) -> None:
    shop = Path(__file__).parent.parent.parent / "fixtures" / "boutique"
    fake.head = {
        path.relative_to(shop).as_posix(): path.read_text() for path in sorted(shop.rglob("Dockerfile*"))
    } | {"x/Dockerfile": SAFE}
    assert review().code == 0
    taken = 0
    for path, text in fake.head.items():
        lines = text.splitlines(keepends=True)
        comments = [comment for comment in fake.comments if comment.path == path]
        for comment in sorted(comments, key=lambda one: -one.line):
            if match := re.search(r"^(`{3,})suggestion\n(.*?)^\1$", comment.body, re.M | re.S):
                lines[comment.start - 1 : comment.line] = [match[2]]
                taken += 1
        Path(path).write_text("".join(lines))
    assert taken
    mended = {path: Path(path).read_bytes() for path in fake.head}
    review("--dry-run")  # checks the head out again
    cli("fix", "--exit-zero")
    assert {path: Path(path).read_bytes() for path in fake.head} == mended
