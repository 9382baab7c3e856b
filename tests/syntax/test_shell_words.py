"""Words of scripts: their parts, options of commands, and values."""

from __future__ import annotations

import pytest

from archpatch.syntax.shell import (
    Literal,
    Opaque,
    Param,
    Part,
    Quote,
    ShellCommand,
    Substitution,
    evaluate,
    read,
    tail,
)
from archpatch.text import Span

QUOTES = {Quote.NONE: "", Quote.SINGLE: "'", Quote.DOUBLE: '"'}


def command(text: str) -> ShellCommand:
    source = text.encode()
    return read(source, Span(0, len(source))).commands[0]


def shown(part: Part) -> str:
    """`literal`, `$name`, `$(...)`, `?...` with the quotes around it."""
    quote = QUOTES[part.quote]
    match part:
        case Literal():
            inner = part.text
        case Param():
            operand = "".join(shown(one) for one in part.operand)
            inner = f"${{{part.name}{part.operator}{operand}}}"
        case Substitution():
            inner = "$(" + " ".join(one.name for one in part.script.commands) + ")"
        case Opaque():
            inner = "?" + part.text
    return f"{quote}{inner}{quote}"


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        pytest.param("abc", ["abc"], id="plain"),
        pytest.param("'a b'", ["'a b'"], id="single"),
        pytest.param('"a b"', ['"a b"'], id="double"),
        pytest.param("a'b'\"c\"d", ["a", "'b'", '"c"', "d"], id="mixed"),
        pytest.param("a\\ b", ["a", " ", "b"], id="escaped blank"),
        pytest.param('"a\\"b\\c"', ['"a"', '"""', '"b"', '"\\"', '"c"'], id="escapes in double quotes"),
        pytest.param('""', ['""'], id="empty"),
        pytest.param("$x", ["${x}"], id="variable"),
        pytest.param('"${x}y"', ['"${x}"', '"y"'], id="braces"),
        pytest.param('"$a $b  $(c) d"', ['"${a}"', '" "', '"${b}"', '"  "', '"$(c)"', '" d"'], id="blanks between"),
        pytest.param("${x:-y}", ["${x:-y}"], id="default"),
        pytest.param("${x:-$(y z)}", ["${x:-$(y)}"], id="substitution as default"),
        pytest.param('"${x:-"a b"}"', ['"${x:-"a b"}"'], id="quotes in an operand"),
        pytest.param("${x#v}", ["${x#v}"], id="prefix"),
        pytest.param("${x%%.*}", ["${x%%.*}"], id="suffix"),
        pytest.param("${x//a/b}", ["${x//a/b}"], id="replacement"),
        pytest.param("${#x}", ["${x#x}"], id="length"),
        pytest.param("${!x}", ["${x!x}"], id="indirection"),
        pytest.param("${x[$i]}", ["${x[${i}]}"], id="element"),
        pytest.param("`a b`c", ["$(a)", "c"], id="backquotes"),
        pytest.param("$(a | b)/c", ["$(a b)", "/c"], id="pipeline inside"),
        pytest.param("$((1+2))x", ["?$((1+2))", "x"], id="arithmetic"),
        pytest.param("<(a)", ["$(a)"], id="process substitution"),
        pytest.param("$'a\\tb'", ["'a'", "'\t'", "'b'"], id="ansi string"),
        pytest.param("{a,b}*.[ch]", ["{a,b}*.[ch]"], id="globs"),
        pytest.param("$", ["$"], id="a lone dollar"),
        pytest.param("héé$x", ["héé", "${x}"], id="beyond ASCII"),
    ],
)  # fmt: skip
def test_a_word_is_taken_apart(word: str, parts: list[str]) -> None:
    text = f"c {word} z"
    found = command(text).words
    assert [one.raw for one in found] == ["c", word, "z"]
    assert [shown(part) for part in found[1].parts] == parts


def test_the_bytes_of_a_literal_are_its_text() -> None:
    text = "c é'a b'\"c\"$x\\ d"
    source = text.encode()
    parts = [part for word in command(text).words for part in word.parts if isinstance(part, Literal)]
    assert [part.span.of(source).decode() for part in parts] == ["c", "é", "a b", "c", "\\ ", "d"]


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        pytest.param("a-amd64.tgz", "amd64", "amd64", id="plain"),
        pytest.param("'a-amd64'", "amd64", "amd64", id="quoted"),
        pytest.param('a-"amd"64', "amd64", 'amd"64', id="over a quote"),
        pytest.param("amd${x}64", "amd64", None, id="not over a variable"),
        pytest.param("é-amd64", "amd64", "amd64", id="bytes, not characters"),
        pytest.param("a\\ amd64", "a amd64", "a\\ amd64", id="over an escape"),
    ],
)
def test_text_is_found_in_the_file(word: str, text: str, expected: str | None) -> None:
    line = f"c {word}"
    span = command(line).words[1].find(text)
    assert (span.of(line.encode()).decode() if span else None) == expected


def test_a_second_place_is_found_after_the_first() -> None:
    word = command("c amd64-amd64").words[1]
    first = word.find("amd64")
    assert first == Span(2, 7)
    assert word.find("amd64", first.end) == Span(8, 13)


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        pytest.param("sudo -u me apt-get install x", "apt-get", ["install", "x"], id="sudo"),
        pytest.param("env A=1 B=2 make all", "make", ["all"], id="env"),
        pytest.param("exec /usr/bin/make all", "make", ["all"], id="exec and folder"),
        pytest.param("time nice -n 5 make", "make", [], id="two wrappers"),
        pytest.param("xargs -n 1 rm -f", "rm", ["-f"], id="xargs"),
        pytest.param("timeout -k 5 30 curl x", "curl", ["x"], id="timeout"),
        pytest.param("env", "env", [], id="a wrapper alone"),
        pytest.param("A=1 make x", "make", ["x"], id="prefix"),
        pytest.param("$CC x.c", "", ["x.c"], id="computed"),
        pytest.param("A=1", "", [], id="assignment"),
    ],
)
def test_the_command_behind_its_wrappers(text: str, name: str, arguments: list[str]) -> None:
    found = command(text)
    assert found.name == name
    assert [word.raw for word in found.arguments] == arguments


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        pytest.param("curl -o x y", ("-o", "--output"), "x", id="next word"),
        pytest.param("curl --output=x y", ("-o", "--output"), "x", id="equals"),
        pytest.param("curl -ox y", ("-o", "--output"), "x", id="glued"),
        pytest.param("curl -fsSLo x y", ("-o", "--output"), "x", id="end of a cluster"),
        pytest.param("curl -o a -o b y", ("-o",), "b", id="the last wins"),
        pytest.param("dotnet publish -r linux-x64", ("-r", "--runtime"), "linux-x64", id="rid"),
        pytest.param('pip download "--platform=$X"', ("--platform",), '"$X"', id="quoted"),
        pytest.param("curl y", ("-o",), None, id="absent"),
    ],
)
def test_options_have_values(text: str, names: tuple[str, ...], value: str | None) -> None:
    found = command(text).option(*names)
    assert (found.raw if found else None) == value
    if found:
        assert text.encode()[found.span.start : found.span.end].strip(b'"').decode() == value.strip('"')  # type: ignore[union-attr] # found


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        pytest.param("apt-get install -y x", ("-y", "--yes"), True, id="alone"),
        pytest.param("curl -fsSL x", ("-f", "--fail"), True, id="in a cluster"),
        pytest.param("curl --fail x", ("-f", "--fail"), True, id="long"),
        pytest.param("x --platform=a", ("--platform",), True, id="with a value"),
        pytest.param("curl -sSL x", ("-f", "--fail"), False, id="absent"),
        pytest.param("curl --silent x", ("-f",), False, id="a letter of a long one"),
    ],
)
def test_flags_are_found(text: str, flags: tuple[str, ...], expected: bool) -> None:
    assert command(text).has(*flags) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        pytest.param("a-$X-b", "a-1-b", id="variable"),
        pytest.param("${Y:-d}", "d", id="default of an empty one"),
        pytest.param("${X:-d}", "1", id="default not needed"),
        pytest.param("${X:+d}", "d", id="alternative"),
        pytest.param("${Y:+d}", "", id="alternative not taken"),
        pytest.param("${U:-d}", None, id="unknown"),
        pytest.param("${X#1}", None, id="pattern"),
        pytest.param("$(a)", None, id="substitution"),
        pytest.param("'$X'", "$X", id="single quotes"),
    ],
)
def test_a_word_is_evaluated(word: str, expected: str | None) -> None:
    values = {"X": "1", "Y": ""}
    assert evaluate(command(f"c {word}").words[1], values.get) == expected


def test_the_tail_of_a_word_is_where_it_stands() -> None:
    word = command("c --a=b$X").words[1]
    rest = tail(word, 4)
    assert rest is not None
    assert (rest.raw, rest.span) == ("b$X", Span(6, 9))
    assert tail(word, 6) is None
