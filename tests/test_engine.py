"""check() and fix() with toy rules: what goes in, what waits, what stays as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpatch.engine import InternalError, Settings, State, Unstable, check, fix
from archpatch.facts import Facts, MemoryContext
from archpatch.rule import Finding
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from tests.toys import Failing, InContext, Toy, look, mend

SAFE, UNSAFE, MANUAL = Applicability.SAFE, Applicability.UNSAFE, Applicability.MANUAL


class TestRounds:
    def test_all_fixes_that_do_not_meet_go_in_together(self) -> None:
        outcome = mend("FROM a\nRUN b\nRUN b\n", Toy("b", "c"))
        assert outcome.source == b"FROM a\nRUN c\nRUN c\n"
        assert len(outcome.applied) == 2

    def test_a_fix_that_makes_work_for_another_is_followed_by_it(self) -> None:
        outcome = mend("FROM a\nRUN b\n", Toy("b", "c"), Toy("c", "d", code="XX102"))
        assert outcome.source == b"FROM a\nRUN d\n"
        assert [finding.code for finding in outcome.applied] == ["XX101", "XX102"]

    def test_of_two_fixes_that_meet_the_second_waits_a_round(self) -> None:
        outcome = mend("FROM a\nRUN b c\n", Toy("b c", "d"), Toy("c", "e", code="XX102"))
        assert outcome.source == b"FROM a\nRUN d\n"
        assert [finding.code for finding in outcome.applied] == ["XX101"]

    def test_equal_edits_of_two_rules_count_once(self) -> None:
        outcome = mend("FROM a\nRUN b\n", Toy("b", "c"), Toy("b", "c", code="XX102"))
        assert outcome.source == b"FROM a\nRUN c\n"
        assert len(outcome.applied) == 2

    def test_of_two_fixes_that_declare_one_name_in_two_places_the_second_finds_it_declared(self) -> None:
        class Declaring(Toy):
            def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
                for finding in super().check(document, facts):
                    at = document.source.rindex(b"\n", 0, finding.span.start) + 1
                    declared = b"ARG X" in document.source[:at]
                    edits = () if declared else (Edit.insert(at, "ARG X\n", declares=("X",)),)
                    assert finding.fix is not None
                    fix = Fix(finding.fix.title, (*edits, *finding.fix.edits), self.applicability)
                    yield self.finding(finding.span, finding.message, fix)

        text = "FROM a\nRUN b\nRUN c\nRUN d\n"
        rules = (Declaring("b", "x"), Declaring("c", "y", code="XX102"), Toy("d", "z", code="XX103"))
        outcome = mend(text, *rules)
        assert outcome.source == b"FROM a\nARG X\nRUN x\nRUN y\nRUN z\n"
        assert [finding.code for finding in outcome.applied] == ["XX101", "XX103", "XX102"]

    def test_the_order_of_rules_does_not_matter(self) -> None:
        rules = (Toy("b c", "x"), Toy("c d", "y", code="XX102"), Toy("d", "z", code="XX103"))
        assert mend("FROM a\nRUN b c d\n", *rules).source == mend("FROM a\nRUN b c d\n", *rules[::-1]).source

    def test_rules_that_undo_each_other_keep_the_file_and_are_named(self) -> None:
        with pytest.raises(Unstable) as caught:
            mend("FROM a\nRUN b x\n", Toy("b", "c"), Toy("c", "b", code="XX102"), Toy("x", "y", code="XX103"))
        assert caught.value.codes == ("XX101", "XX102")
        assert str(caught.value) == (
            "Dockerfile: the fixes of XX101, XX102 do not settle; the file is as it was. "
            "Please report it with this Dockerfile."
        )

    def test_a_fix_that_never_ends_is_stopped(self) -> None:
        with pytest.raises(Unstable) as caught:
            mend("FROM a\nRUN b\n", Toy("b", "b c"))
        assert caught.value.codes == ("XX101",)

    def test_the_report_is_that_of_the_new_text(self) -> None:
        outcome = mend("FROM a\nRUN b c\n", Toy("b", ""), Toy("c", "d", MANUAL, code="XX102"))
        assert outcome.source == b"FROM a\nRUN  c\n"
        assert [finding.span for finding in outcome.report.findings] == [Span(12, 13)]

    def test_a_fix_behind_one_that_waits_goes_in(self) -> None:
        rules = (Toy("b c", "x"), Toy("c", "y", code="XX102"), Toy("d", "z", code="XX103"))
        outcome = mend("FROM a\nRUN b c d\n", *rules)
        assert [(finding.code, finding.span.start) for finding in outcome.applied] == [
            ("XX101", 11),
            ("XX103", 15),
        ]

    def test_a_finding_may_be_refused(self) -> None:
        document = parse(b"FROM a\nRUN b\nRUN b\n")
        outcome = fix(
            document, (Toy("b", "c"),), level=UNSAFE, wanted=lambda finding: finding.span.start > 12
        )
        assert outcome.source == b"FROM a\nRUN b\nRUN c\n"


class TestTrust:
    def test_a_safe_fix_that_changes_amd64_is_demoted_and_not_written(self) -> None:
        outcome = mend("FROM a\nRUN b\n", Toy("b", "c", SAFE), level=SAFE)
        assert outcome.source == b"FROM a\nRUN b\n"
        assert [finding.code for finding in outcome.demoted] == ["XX101"]

    def test_a_demoted_fix_is_written_where_unsafe_ones_are(self) -> None:
        outcome = mend("FROM a\nRUN b\n", Toy("b", "c", SAFE), level=UNSAFE)
        assert outcome.source == b"FROM a\nRUN c\n"

    def test_what_was_demoted_in_an_earlier_round_is_told_too(self) -> None:
        rules = (Toy("b", "c", SAFE), Toy("d", "e", code="XX102"))
        outcome = mend("FROM a\nRUN b d\n", *rules)
        assert outcome.source == b"FROM a\nRUN c e\n"
        assert [finding.code for finding in outcome.demoted] == ["XX101"]
        assert not outcome.report.demoted

    def test_of_two_safe_fixes_that_meet_each_is_judged(self) -> None:
        rules = (Toy("b x86_64", "b $(uname -m)", SAFE), Toy("x86_64", "arm64", SAFE, code="XX102"))
        report = look("FROM a\nRUN curl b x86_64\n", *rules)
        assert [finding.code for finding in report.demoted] == ["XX102"]

    def test_only_the_culprit_is_demoted(self) -> None:
        rules = (Toy("b", "c", SAFE), Toy("x86_64", "$(uname -m)", SAFE, code="XX102"))
        outcome = mend("FROM a\nRUN b\nRUN curl x86_64\n", *rules, level=SAFE)
        assert outcome.source == b"FROM a\nRUN b\nRUN curl $(uname -m)\n"
        assert [finding.code for finding in outcome.demoted] == ["XX101"]

    def test_one_culprit_among_many_is_found_by_halves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []
        keeps = State.keeps_view

        def counted(state: State, findings: list[Finding]) -> bool:
            asked.append(len(findings))
            return keeps(state, findings)

        monkeypatch.setattr(State, "keeps_view", counted)
        names = [f"w{number}" for number in range(64)]
        rules = [
            Toy(f"x86_64 {name}", f"$(uname -m) {name}", SAFE, code=f"XX{100 + at}")
            for at, name in enumerate(names)
        ]
        rules[40] = Toy("x86_64 w40", "x86_64 gone", SAFE, code="XX140")
        report = look("FROM a\n" + "".join(f"RUN curl x86_64 {name}\n" for name in names), *rules)
        assert len(report.findings) == 64
        assert [finding.code for finding in report.demoted] == ["XX140"]
        assert len(asked) <= 1 + 2 * 6

    def test_an_unsafe_fix_waits_for_the_level(self) -> None:
        assert mend("FROM a\nRUN b\n", Toy("b", "c"), level=SAFE).source == b"FROM a\nRUN b\n"

    def test_a_manual_fix_is_never_written(self) -> None:
        assert mend("FROM a\nRUN b\n", Toy("b", "c", MANUAL), level=MANUAL).source == b"FROM a\nRUN b\n"

    def test_a_safe_fix_of_another_file_is_demoted(self) -> None:
        context = MemoryContext({"setup.py": "-m64"})
        assert mend("FROM a\n", InContext("-m64", "x", SAFE), level=SAFE, context=context).demoted

    def test_two_fixes_that_are_safe_alone_and_not_together_go_in_one_at_a_time(self) -> None:
        rules = (Toy("a = a", "a = z", SAFE), Toy("b = b", "b = z", SAFE, code="XX102"))
        outcome = mend("FROM a\nRUN [ a = a ] || [ b = b ] || make\n", *rules, level=SAFE)
        assert outcome.source == b"FROM a\nRUN [ a = z ] || [ b = b ] || make\n"
        assert [finding.code for finding in outcome.demoted] == ["XX102"]


class TestNeverWorse:
    def test_a_fix_that_breaks_the_file_is_refused_and_named(self) -> None:
        with pytest.raises(InternalError) as caught:
            mend("FROM a\nRUN b\nRUN c\n", Toy("RUN b", "RUM b"), Toy("RUN c", "RUM c", code="XX102"))
        assert str(caught.value) == (
            "Dockerfile: the fixes of XX101, XX102 break the file (unknown instruction: RUM); it is as it was. "
            "Please report it with this Dockerfile."
        )

    def test_a_fix_that_swallows_the_next_instruction_is_refused(self) -> None:
        with pytest.raises(InternalError, match=r"XX101 break the file \((?!None)"):
            mend("FROM a\nRUN b\nRUN c\n", Toy("b", "b \\"))

    def test_a_rule_that_raises_stops_the_run_and_is_named(self) -> None:
        with pytest.raises(InternalError, match=r"rule XX911 \(failing\) failed: LookupError: no such thing"):
            look("FROM a\n", Toy("b", "c"), Failing())

    def test_an_edit_outside_of_the_file_is_refused(self) -> None:
        class Outside(Toy):
            def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
                yield self.found(Span(5, 9_000))

        with pytest.raises(InternalError, match=r"XX101 break the file \(edit at 5\.\.9000 "):
            mend("FROM a\n", Outside("a", "b"))

    def test_a_file_that_does_not_parse_has_findings_and_no_fixes(self) -> None:
        report = look("FROM a\nRUM b\n", Toy("b", "c"))
        assert [(finding.code, finding.fix) for finding in report.findings] == [("XX101", None)]
        assert report.errors
        assert mend("FROM a\nRUM b\n", Toy("b", "c")).source == b"FROM a\nRUM b\n"

    def test_the_second_reader_may_abstain_and_is_counted(self) -> None:
        outcome = mend("FROM a\nRUN <<EOF\nx\nEOF\nRUN b\n", Toy("b", "c"))
        assert outcome.source.endswith(b"RUN c\n")
        assert outcome.abstained == 1
        again = mend("FROM a\nRUN <<EOF\nx\nEOF\nRUN b\n", Toy("b", "c"), Toy("c", "d", code="XX102"))
        assert again.abstained == 2


class TestSeveralFiles:
    def test_edits_of_several_files_go_in_together(self) -> None:
        context = MemoryContext({"setup.py": "flags = '-m64'\n"})
        document = parse(b"FROM a\n", Path("service/Dockerfile"))
        outcome = fix(document, (InContext("-m64", "-g"),), context=context, level=UNSAFE)
        assert outcome.source == b"FROM a\nRUN mended\n"
        assert outcome.files == {Path("service/setup.py"): b"flags = '-g'\n"}

    def test_the_next_round_sees_the_mended_file(self) -> None:
        context = MemoryContext({"setup.py": "-m64"})
        outcome = mend(
            "FROM a\n", InContext("-m64", "-m32"), InContext("-m32", "", code="XX102"), context=context
        )
        assert outcome.files == {Path("setup.py"): b""}
        assert outcome.source == b"FROM a\nRUN mended\nRUN mended\n"

    def test_the_next_round_asks_for_the_mended_bytes_and_leaves_the_rest_to_the_context(self) -> None:
        seen: list[tuple[object, ...]] = []

        class Spy(InContext):
            def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
                assert facts.context is not None
                one, other = Path("setup.py"), Path("other.py")
                seen.append(
                    (
                        [facts.context.read(path) for path in (one, other)],
                        [facts.context.head(path) for path in (one, other, Path("gone"))],
                        facts.context.root,
                        facts.context.complete,
                        facts.context.siblings,
                    )
                )
                yield from super().check(document, facts)

        context = MemoryContext({"setup.py": "-m64", "other.py": "x" * 80})
        context.root, context.complete = Path("root"), False
        outcome = mend("FROM a\n", Spy("-m64", "-g"), context=context)
        assert outcome.files == {Path("setup.py"): b"-g"}
        same = (Path("root"), False, ("other.py", "setup.py"))
        assert seen[0] == ([b"-m64", b"x" * 80], [b"-m64", b"x" * 64, None], *same)
        assert seen[-1] == ([b"-g", b"x" * 80], [b"-g", b"x" * 64, None], *same)

    def test_a_file_that_was_mended_stays_so_while_others_are_at_work(self) -> None:
        context = MemoryContext({"setup.py": "-m64"})
        rules = (InContext("-m64", "-g"), Toy("mended", "done", code="XX102"))
        outcome = mend("FROM a\n", *rules, context=context)
        assert outcome.source == b"FROM a\nRUN done\n"
        assert outcome.files == {Path("setup.py"): b"-g"}

    def test_a_file_that_was_mended_is_mended_further(self) -> None:
        context = MemoryContext({"setup.py": "a -m64"})
        rules = (InContext("a", "longer"), InContext("longer -m64", "-g", code="XX102"))
        outcome = mend("FROM x\n", *rules, context=context)
        assert outcome.files == {Path("setup.py"): b"-g"}

    def test_edits_at_one_place_of_two_files_do_not_meet(self) -> None:
        context = MemoryContext({"setup.py": "FROM a"})
        outcome = mend("FROM a\n", Toy("FROM a", "FROM b"), InContext("FROM a", "x"), context=context)
        assert len(outcome.applied) == 2
        assert outcome.source == b"FROM b\nRUN mended\n"
        assert outcome.files == {Path("setup.py"): b"x"}

    def test_edits_that_meet_in_another_file_wait_a_round(self) -> None:
        context = MemoryContext({"setup.py": "a b c"})
        rules = (InContext("a b", "x"), InContext("b c", "y", code="XX102"))
        outcome = mend("FROM a\n", *rules, context=context)
        assert outcome.files == {Path("setup.py"): b"x c"}
        assert [finding.code for finding in outcome.applied] == ["XX101"]

    @pytest.mark.parametrize(
        ("span", "name", "reason"),
        [
            (Span(0, 1), "gone.py", "gone.py is not in the build context"),
            (Span(2, 90), "setup.py", r"setup.py: edit at 2\.\.90 clashes or lies outside the text"),
        ],
        ids=["a file that is not there", "an edit outside of it"],
    )
    def test_another_file_that_cannot_be_mended_is_refused_and_the_rule_named(
        self, span: Span, name: str, reason: str
    ) -> None:
        class Elsewhere(Toy):
            def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
                yield self.found(span, Path(name))

        expected = (
            rf"^Dockerfile: the fixes of XX101 break the file \({reason}\); it is as it was\. Please report"
        )
        with pytest.raises(InternalError, match=expected):
            mend("FROM a\n", Elsewhere("a", "b"), context=MemoryContext({"setup.py": "-m64"}))

    def test_without_a_context_no_other_file_is_mended(self) -> None:
        class Elsewhere(Toy):
            def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
                yield self.found(Span(0, 1), Path("setup.py"))

        with pytest.raises(InternalError, match=r"setup.py is not in the build context"):
            mend("FROM a\n", Elsewhere("a", "b"))

    def test_a_comment_in_the_file_suppresses(self) -> None:
        context = MemoryContext({"setup.py": "# archpatch: ignore[XX101] on purpose\n-m64\n"})
        report = check(parse(b"FROM a\n"), (InContext("-m64", "x"),), Settings(), context)
        assert (report.findings, len(report.suppressed)) == ((), 1)


words = st.sampled_from(["aa", "bb", "cc", "dd", "ee"])


@given(
    st.lists(words, min_size=1, max_size=12),
    st.lists(st.tuples(words, words), max_size=4, unique_by=lambda pair: pair[0]),
)
def test_fixes_are_idempotent_or_unstable_whatever_the_rules(
    text: list[str], pairs: Sequence[tuple[str, str]]
) -> None:
    rules = [Toy(old, new, code=f"XX{100 + number}") for number, (old, new) in enumerate(pairs)]
    source = "FROM a\n" + "".join(f"RUN {word}\n" for word in text)
    try:
        once = mend(source, *rules).source
    except Unstable:
        return
    assert mend(once.decode(), *rules).source == once
    wanted = dict(pairs)
    if not set(wanted) & set(wanted.values()):
        assert once.decode() == "FROM a\n" + "".join(f"RUN {wanted.get(word, word)}\n" for word in text)
