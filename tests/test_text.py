"""Spans, edits and fixes: what meets, what clashes, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpatch.text import (
    Applicability,
    Edit,
    Fix,
    Nest,
    Span,
    apply,
    decode,
    encode,
    holds,
    moved,
    read_up_to,
    regex,
)

OTHER = Path("setup.py")


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    data = b"caf\xc3\xa9 \xff\xfe"
    assert decode(data) == "café \udcff\udcfe"
    assert encode(decode(data)) == data
    assert encode(data) is data


@pytest.mark.parametrize(
    ("pattern", "flags", "text"),
    [("a+", 0, "xaay"), ("A+", re.IGNORECASE, "xaay"), (b"^b$", re.MULTILINE, b"a\nb\nc")],
    ids=["text", "a flag", "bytes"],
)
def test_a_lazy_pattern_does_what_the_compiled_one_does(
    pattern: str | bytes, flags: int, text: str | bytes
) -> None:
    lazy, real = regex(pattern, flags), re.compile(pattern, flags)  # type: ignore[type-var]  # a table of both kinds
    for _ in range(2):  # the first use compiles
        assert [match.span() for match in lazy.finditer(text)] == [
            match.span() for match in real.finditer(text)
        ]
    assert (lazy.pattern, lazy.flags) == (real.pattern, real.flags)
    assert lazy.groups == real.groups  # what no method is kept for is asked of the compiled one
    with pytest.raises(AttributeError):
        _ = lazy.nonsense  # type: ignore[attr-defined]  # it has no such thing


def test_a_pattern_takes_its_case_by_heart_unless_told() -> None:
    assert regex("a").search("A") is None


def test_a_pattern_is_compiled_when_it_is_first_used() -> None:
    broken = regex("(")
    with pytest.raises(re.error):
        broken.search("")


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)], ids=["before the file", "turned round"])
def test_a_span_that_cannot_be_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=rf"not a span: {start}\.\.{end}"):
        Span(start, end)


@pytest.mark.parametrize(
    ("one", "other", "holds"),
    [
        ((2, 5), (2, 5), True),
        ((2, 5), (3, 4), True),
        ((2, 5), (2, 6), False),
        ((2, 5), (1, 5), False),
        ((2, 5), (6, 7), False),
        ((2, 5), (0, 1), False),
        ((2, 2), (2, 2), True),
    ],
)
def test_a_span_holds_what_lies_within_its_ends(
    one: tuple[int, int], other: tuple[int, int], holds: bool
) -> None:
    assert (Span(*other) in Span(*one)) is holds


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ((2, 5), (4, 8), True),
        ((2, 5), (5, 8), False),
        ((2, 5), (7, 8), False),
        ((2, 5), (3, 4), True),
        ((2, 5), (2, 2), True),
        ((2, 5), (5, 5), True),
        ((2, 5), (3, 3), True),
        ((2, 5), (6, 6), False),
        ((2, 5), (1, 1), False),
        ((3, 3), (3, 3), True),
        ((3, 3), (4, 4), False),
    ],
)
def test_spans_meet_where_they_share_a_byte_or_an_empty_one_touches(
    one: tuple[int, int], other: tuple[int, int], meet: bool
) -> None:
    assert Span(*one).meets(Span(*other)) is meet
    assert Span(*other).meets(Span(*one)) is meet


def test_a_cover_holds_both_and_no_more() -> None:
    assert Span(4, 6).cover(Span(1, 2)) == Span(1, 2).cover(Span(4, 6)) == Span(1, 6)
    assert Span(1, 9).cover(Span(3, 4)) == Span(1, 9)


def test_a_level_of_trust_is_told_in_small_letters() -> None:
    assert [str(level) for level in Applicability] == ["manual", "unsafe", "safe"]


def test_an_edit_that_changes_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^an edit that changes nothing$"):
        Edit(Span(3, 3), b"")


@pytest.mark.parametrize("path", [None, OTHER], ids=["the file", "another file"])
def test_edits_are_made_by_what_they_do(path: Path | None) -> None:
    assert Edit.replace(Span(1, 2), "é", path) == Edit(Span(1, 2), "é".encode(), path)
    assert Edit.insert(4, "\udcff", path) == Edit(Span(4, 4), b"\xff", path)
    assert Edit.delete(Span(1, 2), path) == Edit(Span(1, 2), b"", path)


def test_edits_of_two_files_never_clash_and_equal_ones_do_not() -> None:
    here, there = Edit.delete(Span(1, 4)), Edit.delete(Span(1, 4), OTHER)
    assert not here.clashes(there)
    assert not here.clashes(Edit.delete(Span(1, 4)))
    assert here.clashes(Edit.delete(Span(2, 3)))
    assert not here.clashes(Edit.delete(Span(5, 6)))


def test_edits_of_another_file_come_after_those_of_the_dockerfile() -> None:
    late, early, there = Edit.insert(9, "a"), Edit.insert(2, "b"), Edit.insert(0, "c", OTHER)
    assert Fix("x", (there, late, early), Applicability.SAFE).edits == (early, late, there)


def test_a_fix_counts_equal_edits_once() -> None:
    edit = Edit.insert(2, "b")
    assert Fix("x", (edit, edit), Applicability.SAFE).edits == (edit,)


def test_a_fix_without_edits_can_only_be_manual() -> None:
    assert Fix("Look for yourself", (), Applicability.MANUAL).edits == ()
    for level in (Applicability.SAFE, Applicability.UNSAFE):
        with pytest.raises(ValueError, match=r"^a fix without edits can only be manual: Look$"):
            Fix("Look", (), level)


def test_a_fix_whose_edits_clash_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^edits of one fix clash: Cut$"):
        Fix("Cut", (Edit.delete(Span(1, 4)), Edit.delete(Span(3, 6))), Applicability.SAFE)


def test_two_fixes_clash_where_any_of_their_edits_do() -> None:
    def fix(*spans: tuple[int, int]) -> Fix:
        return Fix("Cut", tuple(Edit.delete(Span(*span)) for span in spans), Applicability.SAFE)

    assert fix((1, 2), (5, 8)).clashes(fix((3, 4), (7, 9)))
    assert not fix((1, 2), (5, 8)).clashes(fix((3, 4), (8, 9)))
    assert not fix((1, 2)).clashes(fix((1, 2)))


@pytest.mark.parametrize(
    ("spans", "place"),
    [(((0, 3), (2, 4)), r"2\.\.4"), (((4, 7),), r"4\.\.7"), (((0, 1), (8, 9)), r"8\.\.9")],
    ids=["two that clash", "one across the end", "one behind the end"],
)
def test_edits_that_cannot_be_made_are_refused_with_their_place(
    spans: tuple[tuple[int, int], ...], place: str
) -> None:
    with pytest.raises(ValueError, match=rf"^edit at {place} clashes or lies outside the text$"):
        apply(b"abcdef", [Edit.delete(Span(*span)) for span in spans])


def test_an_edit_at_the_very_end_is_made() -> None:
    assert apply(b"abc", [Edit.insert(3, "d"), Edit.delete(Span(0, 1))]) == b"bcd"


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=12),
    st.tuples(st.integers(0, 12), st.integers(0, 4)),
)
def test_a_nest_knows_what_holds_a_place_and_what_lies_in_it(
    made: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    spans = [Span(start, start + length) for start, length in made]
    place = Span(asked[0], sum(asked))
    nest = Nest((span, at) for at, span in enumerate(spans))
    holding = list(nest.holding(place))
    assert sorted(holding) == [at for at, span in enumerate(spans) if place in span]
    lengths = [len(spans[at]) for at in holding]
    if all(
        a in b or b in a for a in map(spans.__getitem__, holding) for b in map(spans.__getitem__, holding)
    ):
        assert lengths == sorted(lengths), "the innermost first"
    assert sorted(nest.within(place)) == [at for at, span in enumerate(spans) if span in place]


def test_of_things_with_one_span_the_first_is_the_innermost() -> None:
    nest = Nest([(Span(0, 5), "inner"), (Span(0, 5), "outer"), (Span(0, 9), "outermost")])
    assert [*nest.holding(Span(1, 2))] == ["inner", "outer", "outermost"]


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    source = draw(st.binary(max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(source)), max_size=8)))
    spans = [Span(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    texts = draw(st.lists(st.binary(min_size=1, max_size=4), min_size=len(spans), max_size=len(spans)))
    edits: list[Edit] = []
    for span, text in zip(spans, texts, strict=True):
        edit = Edit(span, text)
        if not any(edit.clashes(other) for other in edits):
            edits.append(edit)
    return source, edits


@given(edited())
def test_edits_change_their_own_bytes_and_no_others(case: tuple[bytes, list[Edit]]) -> None:
    source, edits = case
    result = apply(source, edits)
    before, after, old, new = 0, 0, b"", b""
    for edit, span in moved(edits):
        assert span.of(result) == edit.text
        old += source[before : edit.span.start]
        new += result[after : span.start]
        before, after = edit.span.end, span.end
    assert old + source[before:] == new + result[after:]


@given(edited(), st.randoms())
def test_the_order_in_which_edits_are_given_does_not_matter(
    case: tuple[bytes, list[Edit]], random: object
) -> None:
    source, edits = case
    shuffled = list(edits) + edits[:1]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert apply(source, shuffled) == apply(source, edits)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_two_edits_clash_or_can_be_applied(a: int, b: int, c: int, d: int) -> None:
    one, other = Edit(Span(min(a, b), max(a, b)), b"x"), Edit(Span(min(c, d), max(c, d)), b"y")
    if one.clashes(other):
        assert other.clashes(one)
    else:
        assert len(apply(b"......", (one, other))) == 6 + 2 - len(one.span) - len(other.span)


@pytest.mark.parametrize(
    ("texts", "within", "held"),
    [
        ((b"b",), (0, None), True),
        ((b"x", b"c"), (0, None), True),
        ((b"x",), (0, None), False),
        ((b"a",), (1, None), False),
        ((b"c",), (0, 2), False),
        ((b"b",), (1, 2), True),
        ((), (0, None), False),
    ],
)
def test_bytes_hold_one_of_the_texts_within_their_range(
    texts: tuple[bytes, ...], within: tuple[int, int | None], held: bool
) -> None:
    assert holds(b"abc", texts, *within) is held


@pytest.mark.parametrize("size", [0, 3, 6, 9], ids=["not known", "it grew", "as it is", "it shrank"])
@pytest.mark.parametrize("count", [1, 3, 6, 7, 100])
def test_a_file_is_read_up_to_a_count_whatever_its_size_is_said_to_be(
    tmp_path: Path, size: int, count: int
) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    with open(tmp_path / "file", "rb") as file:
        assert read_up_to(file.fileno(), count, size) == b"abcdef"[:count]
