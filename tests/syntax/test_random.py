"""Random Dockerfiles, and mutilated ones: always a tree, and its pieces are always the source."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archpatch.syntax.dump import as_text
from archpatch.syntax.parse import parse
from archpatch.syntax.words import BadWord, expand, expand_words, split_parts, unquote, word_ranges
from archpatch.text import Span
from tests.conftest import FULL, examples

KEYWORDS = st.sampled_from(
    [
        "FROM",
        "from",
        "RUN",
        "COPY",
        "ADD",
        "ARG",
        "ENV",
        "LABEL",
        "CMD",
        "HEALTHCHECK",
        "ONBUILD",
        "ONBUILD RUN",
        "FOO",
    ]
)
TOKENS = st.sampled_from(
    [
        "\t",
        "\xa0",
        "a",
        "b=c",
        "A='x\u3000y'",
        '"q',
        "'",
        '"',
        "$X",
        "${X:-y}",
        "${X/a/b}",
        "${",
        "}",
        "\\",
        "`",
        "<<E",
        "<<-'E'",
        "3<<E",
        "E",
        "--",
        "[",
        "]",
        "#",
        "AS",
        "é",
        "--platform=$P",
        "--mount=type=cache,target=/x",
        '["a","b"]',
    ]
)
BREAKS = st.sampled_from([" ", "", " \\\n  ", "\\\r\n", " \\ \n# c\n", " \\\n\n", " `\n", "\n"])
LINES = st.one_of(
    st.sampled_from(["# c", "", "  ", "# escape=`", "# syntax=x", "E", "\tE", "#!/x", "\ufeff", "\\"]),
    st.builds(
        lambda keyword, rest: keyword + "".join(token + gap for token, gap in rest),
        KEYWORDS.map(lambda keyword: keyword + " "),
        st.lists(st.tuples(TOKENS, BREAKS), max_size=6),
    ),
)
DOCKERFILES = st.builds(
    lambda lines, newline, end: newline.join(lines) + end,
    st.lists(LINES, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)
QUICK = settings(
    max_examples=examples(100, 1000), derandomize=not FULL, suppress_health_check=list(HealthCheck)
)


def holds(source: bytes) -> None:
    """The laws of a tree."""
    document = parse(source)
    end = 0
    for piece in document.pieces:
        assert piece.span.start == end
        assert len(piece.span) > 0
        end = piece.span.end
    assert end == len(source)
    whole = Span(0, len(source))
    last = 0
    for node in document.instructions:
        assert last <= node.span.start
        last = node.span.end
        for span in (node.body, node.keyword_span, *node.comments, *(word.span for word in node.words)):
            assert span in whole
        for word in node.words:
            assert word.verbatim.encode("utf-8", "surrogateescape") == word.span.of(source)
    assert all(problem.span in whole for problem in document.problems)
    as_text(document, pieces=True).encode()


@QUICK
@given(DOCKERFILES)
def test_a_random_dockerfile_has_a_tree(text: str) -> None:
    holds(text.encode())


@QUICK
@given(DOCKERFILES, st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), min_size=1, max_size=4))
def test_a_mutilated_dockerfile_has_a_tree(text: str, wounds: list[tuple[int, bytes]]) -> None:
    source = text.encode()
    for at, dirt in wounds:
        source = source[:at] + dirt + source[at + 1 :]
    holds(source)


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_have_a_tree(source: bytes) -> None:
    holds(source)


@QUICK
@given(st.lists(TOKENS, max_size=8).map("".join), st.sampled_from("\\`"))
def test_a_word_expands_or_is_a_bad_word(word: str, escape: str) -> None:
    try:
        parts = split_parts(word, escape)
    except BadWord:
        return
    assert all(part.start <= part.end <= len(word) for part in parts)
    assert [part.start for part in parts] == [0, *(part.end for part in parts)][: len(parts)]
    ends = [0, *(at for pair in word_ranges(parts) for at in pair), len(word)]
    assert ends == sorted(ends)
    assert expand(word, {"X": "v"}.get, escape) is not None
    assert unquote(word, escape).count("$X") <= word.count("$X")
    words = expand_words(word, {"X": "v"}.get, escape)
    assert all(words)
