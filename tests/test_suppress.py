"""Suppression comments: what they cover, and what is said of those that cover nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from archpatch.engine import Report, Settings, check, fix
from archpatch.facts import Facts
from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.rule import Finding, Rule, Severity
from archpatch.suppress import NOTICES, Notice
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from tests.toys import Toy

BAD = Toy("bad", "good")
param = pytest.param


def look(text: str, *rules: Rule, select: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> Report:
    document = parse(text.encode())
    assert not document.problems
    return check(document, rules or (BAD,), Settings(select=select, ignore=ignore))


def codes(text: str, *rules: Rule, **selection: tuple[str, ...]) -> list[str]:
    return [finding.code for finding in look(text, *rules, **selection).findings]


COVERED = [
    param("FROM a\n# archpatch: ignore[XX101] why\nRUN bad\n", id="above an instruction"),
    param("FROM a\n#archpatch:ignore[XX101] why\nRUN bad\n", id="without blanks"),
    param("FROM a\n  # archpatch: ignore[XX101] why\nRUN bad\n", id="indented"),
    param("FROM a\n# archpatch: ignore[XX101] why\n# and so on\n\nRUN bad\n", id="other comments and blanks between"),
    param("FROM a\n# archpatch: ignore[XX1] why\nRUN bad\n", id="by a prefix"),
    param("FROM a\n# archpatch: ignore[toy] why\nRUN bad\n", id="by its name"),
    param("FROM a\n# archpatch: ignore[XX102, XX101] why\nRUN bad\n", id="one of several codes"),
    param("FROM a\n# archpatch: ignore[XX101] why\nRUN a \\\n  b \\\n  bad\n", id="any line of the instruction"),
    param("FROM a\nRUN a && \\\n  # archpatch: ignore[XX101] why\n  b bad\n", id="inside a continuation"),
    param("FROM a\nRUN a && \\\n  # archpatch: ignore[XX101] why\n  b \\\n  c \\\n  bad && \\\n d\n", id="the whole command below"),
    param("FROM a\nRUN a \\\n  # archpatch: ignore[XX101] why\n\n  # more\n  && b bad\n", id="blank lines inside a continuation"),
    param("FROM a\nRUN bad\n# archpatch: ignore-file[XX101] why\n", id="the whole file, from below"),
    param("# syntax=docker/dockerfile:1\n# archpatch: ignore-file[XX101] why\nFROM a\nRUN bad\n", id="below the directives"),
    param("FROM a\r\n# archpatch: ignore[XX101] why\r\nRUN bad\r\n", id="CRLF"),
    param("\ufeff# archpatch: ignore-file[XX101] why\nFROM a\nRUN bad\n", id="behind a BOM"),
    param("FROM a\n# archpatch: ignore[XX101] why\nONBUILD RUN bad\n", id="above ONBUILD"),
    param("FROM a\n# archpatch: ignore[XX101] why\nRUN <<EOF\nbad\nEOF\n", id="a heredoc below it"),
]  # fmt: skip

NOT_COVERED = [
    param("FROM a\n# archpatch: ignore[XX101] why\nRUN x\nRUN bad\n", id="the instruction after the next"),
    param("FROM a\nRUN bad\n# archpatch: ignore[XX101] why\n", id="below"),
    param("FROM a\nRUN bad && \\\n  # archpatch: ignore[XX101] why\n  b\n", id="the line above in a continuation"),
    param("FROM a\nRUN a && \\\n  # archpatch: ignore[XX101] why\n  b && \\\n  bad\n", id="the command after the next"),
    param("FROM a\nRUN a \\\n  # archpatch: ignore[XX101] why\n  && b \\\n  && bad\n", id="a command behind a leading operator"),
    param("FROM a\nENV a=b \\\n  # archpatch: ignore[XX101] why\n  c=d \\\n  e=bad\n", id="the second line below in an ENV"),
    param("FROM a\n# archpatch: ignore[XX102] why\nRUN bad unseen\n", id="another code"),
    param("FROM a\n# archpatch: ignore XX101\nRUN bad\n", id="without brackets"),
    param("FROM a\nRUN <<EOF\n# archpatch: ignore[XX101] why\nbad\nEOF\n", id="data of a heredoc"),
]  # fmt: skip
UNSEEN = Toy("unseen", "seen", code="XX102", name="other")


@pytest.mark.parametrize("text", COVERED)
def test_a_comment_covers(text: str) -> None:
    report = look(text, BAD, UNSEEN)
    assert [finding.code for finding in report.suppressed] == ["XX101"]
    assert "XX101" not in [finding.code for finding in report.findings]


@pytest.mark.parametrize("text", NOT_COVERED)
def test_a_comment_does_not_cover(text: str) -> None:
    report = look(text, BAD, UNSEEN)
    assert "XX101" in [finding.code for finding in report.findings]


class TestUnused:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            param("FROM a\n# archpatch: ignore[XX101] why\nRUN b\n", "FROM a\nRUN b\n", id="a line goes"),
            param(
                "FROM a\nRUN a \\\n  # archpatch: ignore[XX101] why\n  b\n",
                "FROM a\nRUN a \\\n  b\n",
                id="a line inside a continuation goes",
            ),
            param(
                "FROM a\n# archpatch: ignore[XX101, XX102] why\nRUN bad\n",
                "FROM a\n# archpatch: ignore[XX101] why\nRUN bad\n",
                id="one code of two goes",
            ),
            param("FROM a\n# archpatch: ignore-file[XX1] why", "FROM a\n", id="at the end of the file"),
            param("FROM a\r\n# archpatch: ignore[XX1] x\r\nRUN b\r\n", "FROM a\r\nRUN b\r\n", id="CRLF"),
        ],
    )
    def test_the_fix_deletes_it(self, before: str, after: str) -> None:
        (finding,) = look(before, BAD, UNSEEN).findings
        assert (finding.code, finding.severity) == ("AP001", Severity.NOTE)
        assert finding.fix is not None
        assert finding.fix.applicability is Applicability.SAFE
        outcome = fix(parse(before.encode()), (BAD, UNSEEN), Settings(select=("AP001",)))
        assert outcome.source.decode() == after

    def test_the_rules_it_names_are_asked_even_when_others_are_selected(self) -> None:
        assert codes("FROM a\n# archpatch: ignore[XX101] why\nRUN bad\n", select=("AP001",)) == []

    def test_an_opt_in_rule_counts(self) -> None:
        rule = Toy("bad", "good", opt_in=True)
        assert codes("FROM a\n# archpatch: ignore[XX101] why\nRUN bad\n", rule) == []

    def test_it_is_not_judged_where_a_script_could_not_be_read(self) -> None:
        assert codes("FROM a\n# archpatch: ignore[XX101] why\nRUN if then (\n") == []

    def test_it_is_not_judged_in_a_file_for_amd64_alone(self) -> None:
        text = "# archpatch: platforms=linux/amd64 why\nFROM a\n# archpatch: ignore[XX101] why\nRUN b\n"
        assert codes(text) == []

    def test_it_can_be_ignored_or_suppressed_itself(self) -> None:
        text = "FROM a\n# archpatch: ignore[XX101] why\nRUN b\n"
        assert codes(text, ignore=("AP001",)) == []
        assert codes("# archpatch: ignore-file[AP001] why\n" + text) == []


class TestUnreadable:
    @pytest.mark.parametrize(
        ("comment", "part"),
        [
            param("ignore[XX10] why", "", id="a prefix is fine"),
            param("ignore[XX111] why", "did you mean XX101?", id="the nearest code"),
            param("ignore[toys] why", "did you mean toy?", id="the nearest name"),
            param("ignore XX101", "write `ignore[CODE] reason`", id="no brackets"),
            param("platforms=linux/nowhere/at/all why", "is no platform", id="no platform"),
        ],
    )
    def test_a_comment_that_names_no_rule_is_said(self, comment: str, part: str) -> None:
        findings = look(f"FROM a\n# archpatch: {comment}\nRUN bad\n").findings
        messages = [finding.message for finding in findings if finding.code == "AP004"]
        assert [part in message for message in messages] == ([True] if part else [])


def test_a_comment_without_a_reason_is_said() -> None:
    assert codes("FROM a\n# archpatch: ignore[XX101]\nRUN bad\n") == ["AP002"]


class TestAboveDirectives:
    TEXT = "# archpatch: ignore-file[XX101] why\n# syntax=docker/dockerfile:1\nFROM a\nRUN bad\n"

    def test_it_is_said_and_moved_below_when_unsafe_fixes_are_wanted(self) -> None:
        assert codes(self.TEXT) == ["AP003"]
        assert fix(parse(self.TEXT.encode()), (BAD,)).source == self.TEXT.encode()
        mended = fix(parse(self.TEXT.encode()), (BAD,), level=Applicability.UNSAFE).source
        assert mended.startswith(b"# syntax=docker/dockerfile:1\n# archpatch: ignore-file[XX101] why\nFROM")

    def test_an_unused_one_is_not_deleted_because_that_would_switch_the_directive_on(self) -> None:
        assert codes(self.TEXT.replace("bad", "b")) == ["AP003"]

    def test_behind_a_bom(self) -> None:
        mended = fix(parse(("\ufeff" + self.TEXT).encode()), (BAD,), level=Applicability.UNSAFE).source
        assert mended.startswith("\ufeff# syntax=docker/dockerfile:1\n# archpatch".encode())

    @pytest.mark.parametrize(
        "text",
        [
            param(
                "# syntax=x\n# archpatch: ignore-file[XX101] why\n# escape=`\nFROM a\nRUN bad\n",
                id="above a second",
            ),
            param("# archpatch: ignore-file[XX101] why\n#syntax = x\nFROM a\nRUN bad\n", id="other blanks"),
            param("# archpatch: platforms=linux/amd64 why\n# check=skip=all\nFROM a\n", id="platforms"),
        ],
    )
    def test_said(self, text: str) -> None:
        assert codes(text) == ["AP003"]

    @pytest.mark.parametrize(
        "text",
        [
            param(
                "# Copyright\n# archpatch: ignore-file[XX101] why\n# syntax=x\nFROM a\nRUN bad\n",
                id="dead anyway",
            ),
            param(
                "# archpatch: ignore-file[XX101] why\n\n# syntax=x\nFROM a\nRUN bad\n",
                id="a blank line between",
            ),
            param("# archpatch: ignore-file[XX101] why\n# foo=bar\nFROM a\nRUN bad\n", id="no directive"),
        ],
    )
    def test_spared(self, text: str) -> None:
        assert codes(text) == []


class TestPlatforms:
    def test_a_file_for_amd64_alone_has_no_findings(self) -> None:
        report = look("# archpatch: platforms=linux/amd64 vendor has no other\nFROM a\nRUN bad\n")
        assert report == Report(targets=(AMD64,))

    def test_the_named_platforms_are_looked_at(self) -> None:
        report = look("# archpatch: platforms=linux/arm64,linux/arm/v7 boards only\nFROM a\nRUN bad\n")
        assert report.targets == (ARM64, Platform("linux", "arm", "v7"))
        assert [finding.code for finding in report.findings] == ["XX101"]


class TestOtherTools:
    RULE = Toy("bad", "good", also=("DL3029", "SomeCheck"))

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            param("# hadolint ignore=DL3029\nFROM bad\n", False, id="hadolint"),
            param("# hadolint ignore=DL3006,DL3029\nFROM bad\n", False, id="one of hadolint's codes"),
            param("# hadolint global ignore=DL3029\nFROM a\nFROM bad\n", False, id="hadolint for the file"),
            param(
                "# hadolint ignore=DL3029\nFROM a\nFROM bad\n", True, id="hadolint reaches the next line only"
            ),
            param("# hadolint ignore=DL3006\nFROM bad\n", True, id="another code of hadolint's"),
            param("# check=skip=SomeCheck\nFROM bad\n", False, id="a check of BuildKit"),
            param(
                "# check=skip=Other,SomeCheck;error=true\nFROM bad\n", False, id="one of BuildKit's checks"
            ),
            param("# check=skip=all\nFROM bad\n", False, id="all checks of BuildKit"),
            param("# check=skip=Other\nFROM bad\n", True, id="another check"),
            param("#\n# check=skip=SomeCheck\nFROM bad\n", True, id="a dead directive"),
        ],
    )
    def test_their_suppressions_count(self, text: str, found: bool) -> None:
        assert (codes(text, self.RULE) == ["XX101"]) is found

    def test_a_rule_they_do_not_know_is_not_covered(self) -> None:
        assert codes("# hadolint ignore=DL3029\nFROM bad\n") == ["XX101"]


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice.name)
def test_the_engine_s_own_findings_have_a_manual(notice: Notice) -> None:
    assert len(notice.manual.split("\n\n")) == 4


@pytest.mark.parametrize(
    ("comment", "fixed"),
    [
        param("# archpatch: ignore[XX101] why\n", False, id="covered"),
        param("# archpatch: ignore[XX102] why\n", True, id="covered for another rule"),
        param("", True, id="not covered"),
    ],
)
def test_a_fix_leaves_what_a_comment_keeps_from_its_rule(comment: str, fixed: bool) -> None:
    class Pair(Toy):
        """Mends all places with the fix of the last."""

        def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
            found = list(super().check(document, facts))
            edits = tuple(edit for finding in found if finding.fix for edit in finding.fix.edits)
            yield from (replace(finding, fix=None) for finding in found[:-1])
            for last in found[-1:]:
                yield replace(last, fix=Fix("Write good", edits, Applicability.UNSAFE))

    text = f"FROM a\n{comment}RUN bad\nRUN bad\n"
    document = parse(text.encode())
    rules = (Pair("bad", "good"), UNSEEN)
    outcome = fix(document, rules, Settings(), None, Applicability.UNSAFE)
    assert (outcome.source.decode() == text.replace("bad", "good")) is fixed
    assert [finding.code for finding in outcome.report.findings if finding.code != "AP001"] == (
        [] if fixed else ["XX101"]
    )
