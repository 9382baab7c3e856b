"""What check() asks and tells: selection, styles, targets, what could not be read."""

from __future__ import annotations

import pytest

from archpatch.engine import Report
from archpatch.platforms import AMD64, ARM64
from archpatch.rule import Severity, Style
from tests.toys import Toy, look, mend


class TestSelection:
    @pytest.mark.parametrize(
        ("settings", "found"),
        [
            pytest.param({}, True, id="by default"),
            pytest.param({"select": ("XX",)}, True, id="a prefix"),
            pytest.param({"select": ("toy",)}, True, id="a name"),
            pytest.param({"select": ("XX2",)}, False, id="another prefix"),
            pytest.param({"select": ("XX2",), "extend_select": ("XX101",)}, True, id="added to a selection"),
            pytest.param({"ignore": ("XX1",)}, False, id="ignored by prefix"),
            pytest.param({"select": ("XX101",), "ignore": ("XX101",)}, False, id="ignore wins"),
        ],
    )
    def test_which_rules_are_asked(self, settings: dict[str, tuple[str, ...]], found: bool) -> None:
        assert bool(look("FROM a\nRUN b\n", Toy("b", "c"), **settings).findings) is found

    def test_an_opt_in_rule_is_asked_when_it_is_named(self) -> None:
        rule = Toy("b", "c", opt_in=True)
        assert not look("FROM a\nRUN b\n", rule).findings
        assert not look("FROM a\nRUN b\n", rule, select=("XX",)).findings
        assert look("FROM a\nRUN b\n", rule, extend_select=("XX101",)).findings
        assert look("FROM a\nRUN b\n", rule, select=("toy",)).findings

    def test_a_rule_without_its_hints_in_the_file_is_not_asked(self) -> None:
        assert not look("FROM a\n", Toy("a", "b", hints=("nowhere",))).findings
        assert look("FROM A\n", Toy("A", "b", hints=("from",))).findings

    def test_an_explicit_rule_gives_notes_in_minimal_style(self) -> None:
        rule = Toy("b", "c", style=Style.EXPLICIT)
        (note,) = look("FROM a\nRUN b\n", rule).findings
        (warning,) = look("FROM a\nRUN b\n", rule, style=Style.EXPLICIT).findings
        assert (note.severity, warning.severity) == (Severity.NOTE, Severity.WARNING)
        assert note.fix is None
        assert warning.fix is not None

    def test_the_fix_of_a_note_is_written_in_its_own_style_or_when_it_is_named(self) -> None:
        rule = Toy("b", "c", style=Style.EXPLICIT)
        text = "FROM a\nRUN b\n"
        assert not mend(text, rule).applied
        assert not mend(text, rule, select=("XX1",)).applied
        assert mend(text, rule, style=Style.EXPLICIT).applied
        assert mend(text, rule, extend_select=("XX101",)).applied
        assert not mend(text, Toy("b", "c", severity=Severity.NOTE)).applied

    def test_a_minimal_rule_is_silent_in_explicit_style(self) -> None:
        rule = Toy("b", "c", style=Style.MINIMAL)
        assert look("FROM a\nRUN b\n", rule).findings
        assert not look("FROM a\nRUN b\n", rule, style=Style.EXPLICIT, select=("XX101",)).findings

    def test_nothing_is_wrong_with_a_file_for_amd64_alone(self) -> None:
        report = look("FROM a\nRUN b\n", Toy("b", "c"), targets=(AMD64,))
        assert report == Report(targets=(AMD64,))


class TestReport:
    def test_findings_come_in_the_order_of_the_file_and_once(self) -> None:
        report = look("FROM a\nRUN b c\n", Toy("c", "x"), Toy("b", "y"), Toy("b", "y"))
        assert [finding.span.start for finding in report.findings] == [11, 13]

    def test_an_unreadable_script_is_unknown(self) -> None:
        report = look("FROM a\n\nRUN if then (\n")
        assert [problem.message for problem in report.unknown] == ["RUN at line 3 could not be read as shell"]

    def test_the_targets_are_those_that_were_looked_at(self) -> None:
        assert look("FROM a\n").targets == (AMD64, ARM64)


class TestWhatTheImageIsMadeOf:
    def test_an_unreadable_script_of_a_stage_nobody_needs_does_not_blind(self) -> None:
        report = look("FROM a AS b\nRUN if then (\nFROM c\n")
        assert report.unknown
        assert not report.blind

    def test_an_unreadable_script_of_a_stage_whose_files_are_taken_blinds(self) -> None:
        assert look("FROM a AS b\nRUN if then (\nFROM c\nCOPY --from=b /x /x\n").blind

    @pytest.mark.parametrize(
        ("flag", "foreign"),
        [("", set()), ("--platform=linux/amd64 ", {ARM64}), ("--platform=linux/arm64 ", {AMD64})],
        ids=["no flag", "amd64", "arm64"],
    )
    def test_a_final_stage_for_another_platform_is_said(self, flag: str, foreign: set[object]) -> None:
        assert look(f"FROM {flag}a\n").foreign == foreign
