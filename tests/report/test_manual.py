"""Manual pages are made of docstrings and examples, for terminals and for docs/rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archpatch import registry
from archpatch.report import manual
from archpatch.rule import Example, Finding, Rule, Severity, Style
from archpatch.suppress import NOTICES

if TYPE_CHECKING:
    from archpatch.facts import Facts
    from archpatch.syntax.tree import Document

RULES = (*NOTICES, *registry.load())


@dataclass(frozen=True)
class Sample(Rule):
    """A pitfall | in one
    sentence.

    Its body.
    """

    code, name, severity = "ZZ101", "sample", Severity.ERROR
    style = Style.EXPLICIT
    opt_in = True
    errors = ("it says no",)
    also = ("DL1",)
    examples = (
        Example("FROM a\nRUN x\n", "FROM a\nRUN y\n", "Mended", applicability="safe"),
        Example("FROM a\n", "FROM a\n", "Left", {"b.txt": "1\n"}, {"b.txt": "2\n"}, applicability="unsafe"),
        Example("FROM b\n", "FROM b\n", "Only found"),
        Example("FROM untitled\n", "FROM titled\n", applicability="safe"),
        Example("FROM c\nRUN <<-E\n\tesc \x1b[2J ```\nE\n", title="Spared"),
    )

    limit: int = 3

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        yield from ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_each_installed_rule_has_a_page_that_says_what_it_finds(rule: Rule) -> None:
    page = manual.page(rule)
    assert page.summary.endswith(".")
    assert page.body
    assert manual.plain(rule).startswith(f"{rule.code} {rule.name}")
    assert f"# {rule.code} {rule.name}" in manual.markdown(rule)
    if isinstance(rule, Rule):
        assert page.found
        assert page.spared


def test_a_page_shows_titled_examples_and_the_diff_of_each_file_that_a_fix_writes() -> None:
    text = manual.markdown(Sample())
    assert "```diff\n FROM a\n-RUN x\n+RUN y\n```" in text
    assert "`b.txt`:\n\n```diff\n-1\n+2\n```" in text
    assert "Only found (no fix is written)\n\n```dockerfile\nFROM b\n```" in text
    assert "untitled" not in text


def test_a_fence_is_longer_than_the_ones_that_an_example_holds() -> None:
    assert "````dockerfile\nFROM c" in manual.markdown(Sample())


def test_a_page_names_how_far_fixes_go_the_options_the_errors_and_other_names() -> None:
    text = manual.markdown(Sample())
    for part in (
        "| error | safe or unsafe | only by",
        "`limit`, by default `3`",
        "    it says no",
        "DL1 count too.",
    ):
        assert part in text


def test_a_terminal_page_holds_no_control_characters() -> None:
    text = manual.plain(Sample())
    assert "\x1b" not in text
    assert "\t" not in text
    assert "esc ?[2J" in text


def test_the_index_keeps_its_table_whatever_a_summary_holds() -> None:
    assert "| A pitfall \\| in one sentence. |" in manual.index([Sample()])


def test_writing_the_pages_takes_away_those_of_rules_that_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "AP999.md").write_text("gone\n")
    manual.main(folder)
    assert {path.stem for path in folder.iterdir()} == {"index", *(rule.code for rule in RULES)}
