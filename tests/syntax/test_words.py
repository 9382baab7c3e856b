"""Words: our own cases, and BuildKit's tables of expansion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archpatch.syntax.words import (
    BadWord,
    Literal,
    Variable,
    expand,
    expand_words,
    names,
    split_parts,
    unquote,
    word_ranges,
)

ENVIRONMENT = {"ARCH": "arm64", "PLATFORM": "linux/arm64", "EMPTY": "", "VERSION": "v1.2.3", "NAME": "a*b"}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$ARCH", "arm64"),
        ("${ARCH}64", "arm6464"),
        ("x-$ARCH-y", "x-arm64-y"),
        ("$MISSING", ""),
        ("$", "$"),
        ("$.x", "$.x"),
        ("'$ARCH'", "$ARCH"),
        ('"$ARCH"', "arm64"),
        (r"\$ARCH", "$ARCH"),
        (r'"\$ARCH \x"', r"$ARCH \x"),
        (r"a\ b", "a b"),
        ('"it\'s"', "it's"),
        ('""', ""),
        ("tail\\", "tail"),
        ("${MISSING:-amd64}", "amd64"),
        ("${EMPTY:-amd64}", "amd64"),
        ("${EMPTY-amd64}", ""),
        ("${MISSING-amd64}", "amd64"),
        ("${MISSING:-$ARCH}", "arm64"),
        ("${MISSING:-${EMPTY:-deep}}", "deep"),
        ("${MISSING:-'a b'}", "a b"),
        ("${ARCH:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${MISSING+set}", ""),
        ("${ARCH:?must be set}", "arm64"),
        ("${EMPTY?must be set}", ""),
        ("${VERSION#v}", "1.2.3"),
        ("${VERSION#*.}", "2.3"),
        ("${VERSION##*.}", "3"),
        ("${VERSION%.*}", "v1.2"),
        ("${VERSION%%.*}", "v1"),
        ("${VERSION#x}", "v1.2.3"),
        ("${PLATFORM##*/}", "arm64"),
        ("${ARCH%%64}", "arm"),
        ("${ARCH/arm64/aarch64}", "aarch64"),
        ("${ARCH/amd64/x86_64}", "arm64"),
        (r"${PLATFORM//\//-}", "linux-arm64"),
        ("${VERSION//./_}", "v1_2_3"),
        ("${VERSION/./_}", "v1_2.3"),
        ("${VERSION/?/x}", "x1.2.3"),
        (r"${NAME/\*/-}", "a-b"),
        ("${ARCH/#arm/x}", "arm64"),
        ("${VERSION/./$ARCH}", "v1arm642.3"),
        ("$1", ""),
        ("$@x", "x"),
    ],
)
def test_a_word_expands_as_in_buildkit(word: str, value: str) -> None:
    assert expand(word, ENVIRONMENT.get) == value


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("'open", "single-quote"),
        ('"open', "double-quote"),
        ("${", "missing '}'"),
        ("${}", "bad substitution"),
        ("${{x}}", "bad substitution"),
        ("${ARCH", "unsupported modifier"),
        ("${ARCH:-x", "missing '}'"),
        ("${ARCH/x", "missing '/'"),
        ("${ARCH/x/y", "missing '}'"),
        ("${ARCH^^}", "unsupported modifier (^)"),
        ("${ARCH:0:3}", "unsupported modifier (:0)"),
        ("${ARCH:=x}", "unsupported modifier (:=)"),
        ("${MISSING?}", "MISSING: is not allowed to be unset"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${EMPTY:?say which}", "EMPTY: say which"),
        (r"${ARCH#\a}", "invalid escape"),
        ("${a:-" * 5000, "nested too deeply"),
    ],
    ids=lambda text: text[:12],
)
def test_what_buildkit_cannot_expand_is_a_bad_word(word: str, message: str) -> None:
    with pytest.raises(BadWord, match=re.escape(message)):
        expand(word, ENVIRONMENT.get)


def test_the_backquote_escapes_where_the_directive_says_so() -> None:
    assert expand("a`$ARCH\\$ARCH", ENVIRONMENT.get, "`") == "a$ARCH\\arm64"
    assert expand('"`"$ARCH"', ENVIRONMENT.get, "`") == '"arm64'


def test_parts_know_their_place() -> None:
    word = "a'b c'$X\"d${Y:-z}\"\\q"
    parts = split_parts(word)
    assert [(type(part).__name__, word[part.start : part.end], part.quote) for part in parts] == [
        ("Literal", "a", ""),
        ("Literal", "'b c'", "'"),
        ("Variable", "$X", ""),
        ("Literal", '"d', '"'),
        ("Variable", "${Y:-z}", '"'),
        ("Literal", '"', '"'),
        ("Literal", "\\q", "\\"),
    ]
    assert parts[4] == Variable("Y", ":-", (Literal("z", 15, 16, ""),), (), 10, 17, '"')


def test_the_variables_of_a_word_are_those_of_its_operands_too() -> None:
    assert names("$A-${B:-${C}}-${D/$E/x}'$F'\\$G") == {"A", "B", "C", "D", "E"}


def test_unquoting_keeps_variables() -> None:
    assert unquote('a"b $X"\'c\'\\d${Y:-"z"}') == 'ab $Xcd${Y:-"z"}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("  a\t b ", ["a", "b"]),
        ("'a b' c", ["a b", "c"]),
        (r"a\ b c", ["a b", "c"]),
        ("$TWO", ["x", "y"]),
        ('"$TWO"', ["x  y"]),
        ("a$TWO", ["ax", "y"]),
        ('"" a', ["a"]),
        ("a\u00a0b", ["a", "b"]),
        ("a\x1fb", ["a\x1fb"]),
    ],
)
def test_words_split_after_expansion(text: str, words: list[str]) -> None:
    assert expand_words(text, {"TWO": "x  y"}.get) == words


def test_ranges_of_words_count_quotes_and_variables_as_written() -> None:
    text = " cat <<'A B' ${x:-a b}c \"d$X\" "
    assert [text[start:end] for start, end in word_ranges(split_parts(text))] == [
        "cat",
        "<<'A B'",
        "${x:-a b}c",
        '"d$X"',
    ]


def _nothing(name: str) -> None:
    """A lookup that knows no name."""


def test_long_words_take_time_in_line_with_their_length() -> None:
    assert expand("$A" * 50_000, {"A": "x"}.get) == "x" * 50_000
    assert len(expand("x\\y" * 50_000, _nothing)) == 100_000
    assert len(expand('"' + '\\"' * 50_000 + '"', _nothing)) == 50_000


def test_buildkits_table_of_expansions(corpus: Path) -> None:
    environment = {"PWD": "/home", "SHELL": "bash", "KOREAN": "한국어", "NULL": ""}
    table = corpus / "parser/buildkit/frontend/dockerfile/shell/envVarTest"
    rows = [line for line in table.read_text("utf-8").splitlines() if line.strip() and line[0] != "#"]
    failed = []
    for platform, word, expected in (map(str.strip, row.split("|")) for row in rows):
        if platform in ("A", "U"):  # the others are Windows alone, where names have no case
            try:
                value = expand(word, environment.get)
            except BadWord:
                value = "error"
            failed += [(word, value, expected)] if value != expected else []
    assert len(rows) > 200
    assert not failed


def test_buildkits_table_of_words(corpus: Path) -> None:
    table = corpus / "parser/buildkit/frontend/dockerfile/shell/wordsTest"
    environment: dict[str, str] = {}
    failed = []
    for row in table.read_text("utf-8").split("\n"):
        if row.startswith("ENV "):
            name, _, value = row[4:].partition("=")
            environment[name] = value
        elif " | " in row and not row.startswith("#"):
            text, _, expected = row.partition(" | ")
            try:
                words = expand_words(text.strip(), environment.get)
            except BadWord:
                words = ["error"]
            failed += [(text, words, expected)] if words != expected.lstrip().split(",") else []
    assert environment
    assert not failed
