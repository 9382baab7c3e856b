"""Scripts: commands, lists, compound nodes, what is entered, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.syntax.parse import parse
from archpatch.syntax.shell import (
    AndOr,
    Case,
    Function,
    Group,
    If,
    Loop,
    Node,
    Pipeline,
    Script,
    Sequence,
    ShellCommand,
    read,
    read_run,
)
from archpatch.text import Span
from benchmarks.steps import steps


def script(text: str, escape: str = "\\") -> Script:
    source = text.encode()
    return read(source, Span(0, len(source)), escape=escape)


def run(text: str, shell: tuple[str, ...] = ("/bin/sh", "-c")) -> Script:
    document = parse(text.encode(), Path("Dockerfile"))
    instruction = next(one for one in document.instructions if one.keyword in ("RUN", "CMD"))
    return read_run(document, instruction, shell=shell)


def shape(node: Node) -> object:
    """A tree as nested lists of names and operators."""
    match node:
        case ShellCommand():
            return " ".join(
                [*(assign.name + "=" for assign in node.assigns), *(word.raw for word in node.words)]
            )
        case Sequence() | AndOr():
            flat = [part for item in node.items for part in (shape(item.node), item.operator) if part]
            return flat[0] if len(flat) == 1 else flat
        case Pipeline():
            return ["!" if node.negated else "|", *map(shape, node.commands)]
        case If():
            arms = [["if", shape(arm.condition), shape(arm.body)] for arm in node.arms]
            return [*arms, ["else", shape(node.otherwise)]] if node.otherwise else arms
        case Case():
            return ["case", *([*(word.raw for word in arm.patterns), shape(arm.body)] for arm in node.arms)]
        case Loop():
            condition = shape(node.condition) if node.condition else node.variable
            return [node.keyword, condition, shape(node.body)]
        case Group():
            return ["()" if node.subshell else "{}", shape(node.body)]
        case Function():
            return [node.name + "()", shape(node.body)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a; b & c", ["a", ";", "b", "&", "c"], id="sequence"),
        pytest.param("a\nb\n\nc", ["a", ";", "b", ";", "c"], id="lines"),
        pytest.param("a && b || c && d", ["a", "&&", "b", "||", "c", "&&", "d"], id="and-or"),
        pytest.param("a | b | c", ["|", "a", "b", "c"], id="pipeline"),
        pytest.param("! a | b", ["!", "a", "b"], id="negated pipeline"),
        pytest.param("! a && b", [["!", "a"], "&&", "b"], id="not binds before and"),
        pytest.param("a && b | c", ["a", "&&", ["|", "b", "c"]], id="pipe binds before and"),
        pytest.param("a && b 2>&1 | c", ["a", "&&", ["|", "b", "c"]], id="pipe after redirect"),
        pytest.param("a && b > x || c > y", ["a", "&&", "b", "||", "c"], id="redirects in a list"),
        pytest.param("if a; then b; elif c; then d; else e; fi", [["if", "a", "b"], ["if", "c", "d"], ["else", "e"]], id="if"),
        pytest.param("case $x in a|b) c;; *) d; e;; esac", ["case", ["a", "b", "c"], ["*", ["d", ";", "e"]]], id="case"),
        pytest.param("for i in a b; do c; done", ["for", "i", "c"], id="for"),
        pytest.param("while a; do b; done", ["while", "a", "b"], id="while"),
        pytest.param("until a; do b; done", ["until", "a", "b"], id="until"),
        pytest.param("{ a; b; }", ["{}", ["a", ";", "b"]], id="group"),
        pytest.param("(a)", ["()", "a"], id="subshell"),
        pytest.param("f() { a; }", ["f()", "a"], id="function"),
        pytest.param("A=1 B=2 make x", "A= B= make x", id="prefix"),
        pytest.param("A=1; B=2", ["A=", ";", "B="], id="assignments"),
        pytest.param("export A=1 B", "A= export B", id="export"),
        pytest.param(">a; >b c", [";", "c"], id="redirects first"),
        pytest.param("a 2>/dev/null >b c", "a c", id="a word after a redirect"),
        pytest.param("[ -f x -a \"$y\" != z ]", '[ -f x -a "$y" != z ]', id="test"),
        pytest.param("[[ $a = x && ! -f y ]]", "[[ $a = x && ! -f y ]]", id="double test"),
        pytest.param("a `# remark` b", "a b", id="remark in backquotes"),
    ],
)  # fmt: skip
def test_a_script_has_the_shape_that_a_shell_sees(text: str, expected: object) -> None:
    found = script(text)
    assert found.readable, found.problem
    assert shape(found.body) == expected


def test_commands_come_in_the_order_of_the_file_and_from_everywhere() -> None:
    found = script("a $(b | c) && sh -c 'd; e' || { f > $(g); }; `h`\n")
    assert [command.name for command in found.commands] == ["a", "b", "c", "sh", "d", "e", "f", "g", "", "h"]


def test_a_number_at_the_end_of_a_word_is_no_file_descriptor() -> None:
    source = b"RUN cc -o2>&1 x"
    (command,) = read(source, Span(4, len(source))).commands
    assert [word.raw for word in command.words] == ["cc", "-o2", "x"]
    assert [(one.operator, one.fd, one.span.of(source)) for one in command.redirects] == [
        (">&", None, b">&1")
    ]


def test_a_redirect_belongs_to_the_last_command_of_a_list() -> None:
    first, second = script("a && b 2>&1 >x").commands
    assert first.redirects == ()
    assert [(one.operator, one.fd, one.target and one.target.raw) for one in second.redirects] == [
        (">&", 2, "1"),
        (">", None, "x"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("foo \\\n  bar", ["foo", "bar"], id="plain"),
        pytest.param("foo \\  \t\n  bar", ["foo", "bar"], id="blanks after the escape"),
        pytest.param("foo \\\r\n  bar", ["foo", "bar"], id="CRLF"),
        pytest.param("foo \\\n# remark's\n\n  # more\n  bar", ["foo", "bar"], id="comments and blank lines"),
        pytest.param("wg\\\net x", ["wget", "x"], id="a word cut in two"),
        pytest.param("wg\\ \r\n# remark\net x", ["wget", "x"], id="a word cut by a comment"),
        pytest.param("foo 'a \\\n b'", ["foo", "'a  b'"], id="in single quotes"),
    ],
)
def test_continuations_are_gone_before_the_shell_reads(text: str, words: list[str]) -> None:
    (command,) = script(text).commands
    assert [word.raw for word in command.words] == words


def test_a_cut_word_keeps_its_places_in_the_file() -> None:
    text = "wg\\ \n# remark\net x"
    (command,) = script(text).commands
    word = command.words[0]
    assert word.literal == "wget"
    assert word.span == Span(0, text.index(" x"))
    assert [text[part.span.start : part.span.end] for part in word.parts] == ["wg", "et"]
    assert word.find("et") == Span(text.index("et x"), text.index(" x"))


def test_a_backquote_escape_leaves_backslashes_to_the_shell() -> None:
    (command,) = script("foo `\n a\\ b", escape="`").commands
    assert [word.literal for word in command.words] == ["foo", "a b"]


def test_a_comment_hides_the_rest_of_the_joined_line() -> None:
    assert [command.name for command in script("a # b \\\n && c").commands] == ["a"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("FROM x\nRUN <<EOF\na\nb\nEOF\n", ["a", "b"], id="heredoc"),
        pytest.param("FROM x\nRUN <<-EOF\n\ta\n\tif b; then\n\tc\n\tfi\n\tEOF\n", ["a", "b", "c"], id="tabs"),
        pytest.param("FROM x\nRUN <<EOF\n#!/bin/bash -e\na\nEOF\n", ["a"], id="shebang of bash"),
        pytest.param("FROM x\nRUN <<EOF\n#!/usr/bin/env bash\na\nEOF\n", ["a"], id="shebang through env"),
        pytest.param("FROM x\nRUN bash -e <<EOF\na\nb\nEOF\n", ["bash", "a", "b"], id="bash fed"),
        pytest.param(
            "FROM x\nRUN cat <<EOF | sh && z\na\nEOF\n", ["cat", "sh", "z", "a"], id="sh fed by cat"
        ),
        pytest.param("FROM x\nRUN python3 <<EOF\nimport a\nEOF\n", ["python3"], id="python fed"),
        pytest.param("FROM x\nRUN cat <<EOF > f\na\nEOF\n", ["cat"], id="a file written"),
        pytest.param("FROM x\nRUN <<A && b <<B\na\nA\nb\nB\n", ["", "b"], id="two heredocs"),
        pytest.param("FROM x\nRUN <<EOF\ncat <<X\nc\nX\nd\nEOF\n", ["cat", "d"], id="heredoc in heredoc"),
        pytest.param(
            "FROM x\nRUN cat <<'A' <<\"B\" > /x\nit's $1\nA\n\"b\nB\n",
            ["cat"],
            id="quotes in heredocs of quoted names",
        ),
        pytest.param('FROM x\nRUN ["sh", "-c", "a && b \\"c\\""]\n', ["sh", "a", "b"], id="exec form of sh"),
        pytest.param(
            'FROM x\nRUN ["/bin/bash", "-ec", "a; b"]\n', ["bash", "a", "b"], id="exec form of bash"
        ),
        pytest.param('FROM x\nRUN ["apt-get", "install", "$X"]\n', ["apt-get"], id="exec form"),
        pytest.param(
            "FROM x\nRUN bash -euxo pipefail -c 'a; b'\n", ["bash", "a", "b"], id="options before -c"
        ),
        pytest.param('FROM x\nRUN bash -lc "a $X; b"\n', ["bash", "a", "b"], id="variables in the script"),
        pytest.param("FROM x\nRUN sh install.sh -c a\n", ["sh"], id="a file, not a script"),
        pytest.param("FROM x\nRUN su -c 'a; b'\n", ["su", "a", "b"], id="su to root"),
        pytest.param("FROM x\nRUN su app -c 'a; b'\n", ["su", "a", "b"], id="su to a user"),
        pytest.param('FROM x\nRUN su - app -c "a $X; b"\n', ["su", "a", "b"], id="su with a login shell"),
        pytest.param("FROM x\nRUN su app -lc 'a'\n", ["su", "a"], id="su with options in one word"),
        pytest.param(
            "FROM x\nRUN su app -s /bin/bash -c 'a'\n", ["su", "a"], id="su with a shell of its own"
        ),
        pytest.param(
            "FROM x\nRUN su app -s /bin/fish -c 'a'\n", ["su"], id="su with a shell that is not read"
        ),
        pytest.param("FROM x\nRUN su app --command 'a'\n", ["su", "a"], id="su with a long option"),
        pytest.param("FROM x\nRUN runuser -l app -c 'a'\n", ["runuser", "a"], id="runuser"),
        pytest.param("FROM x\nRUN sudo su -c 'a'\n", ["su", "a"], id="su behind sudo"),
        pytest.param("FROM x\nRUN su app -s /bin/bash\n", ["su"], id="su without a script"),
        pytest.param("FROM x\nRUN su app -c\n", ["su"], id="su whose script is missing"),
        pytest.param(
            "FROM x\nRUN gosu app sh -c 'a' && su-exec app sh -c 'b'\n", ["sh", "sh", "a", "b"], id="gosu"
        ),
        pytest.param("FROM x\nCMD a && b\n", ["a", "b"], id="CMD"),
    ],
)
def test_what_feeds_a_shell_is_entered(text: str, names: list[str]) -> None:
    found = run(text)
    assert found.readable, found.problem
    assert sorted(command.name for command in found.commands) == sorted(names)


def test_places_inside_of_escaped_scripts_are_those_of_the_file() -> None:
    text = 'FROM x\nRUN ["sh", "-c", "a \\"amd64\\" && b x86_64"]\nRUN bash -c "c \\"arm64\\""\n'
    document = parse(text.encode(), Path("Dockerfile"))
    found = [read_run(document, one) for one in document.instructions if one.keyword == "RUN"]
    words = [word for one in found for command in one.commands for word in command.words]
    for name in ("amd64", "x86_64", "arm64"):
        span = next(span for word in words if word.literal == name and (span := word.find(name)))
        assert text[span.start : span.end] == name


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(("conda", "run", "-n", "x", "/bin/bash", "-c"), id="conda"),
        pytest.param(("micromamba", "run", "-n", "x", "bash", "-o", "pipefail", "-c"), id="micromamba"),
        pytest.param(("/usr/bin/env", "bash", "-c"), id="env"),
    ],
)
def test_a_shell_behind_what_sets_its_environment_up_is_read(shell: tuple[str, ...]) -> None:
    script = run("FROM x\nRUN pip install a\n", shell)
    assert [command.name for command in script.commands] == ["pip"]


def test_an_environment_without_a_shell_is_not_read() -> None:
    assert not run("FROM x\nRUN pip install a\n", ("conda", "run", "-n", "x")).readable


def test_nothing_is_expanded_in_the_exec_form() -> None:
    (command,) = run('FROM x\nRUN ["echo", "$TARGETARCH"]\n').commands
    assert command.arguments[0].literal == "$TARGETARCH"


@pytest.mark.parametrize(
    ("text", "shell", "problem"),
    [
        pytest.param("FROM x\nRUN a && ( b\n", ("/bin/sh", "-c"), "expected ')'", id="open parenthesis"),
        pytest.param("FROM x\nRUN a &&\n", ("/bin/sh", "-c"), "expected", id="nothing after and"),
        pytest.param(
            "FROM x\nRUN a\n", ("powershell", "-Command"), "the shell is powershell", id="powershell"
        ),
        pytest.param("FROM x\nRUN a\n", ("C:\\Windows\\cmd.exe", "/S"), "the shell is cmd.exe", id="cmd"),
        pytest.param(
            "FROM x\nRUN <<EOF\n#!/usr/bin/python3\na\nEOF\n", ("sh",), "is python3", id="python heredoc"
        ),
    ],
)
def test_what_cannot_be_read_says_why_and_where(text: str, shell: tuple[str, ...], problem: str) -> None:
    found = run(text, shell)
    assert not found.readable
    assert problem in found.problem
    assert found.problem_span is not None
    assert found.problem_span.end <= len(text)


def test_a_script_with_a_broken_one_inside_is_not_readable() -> None:
    text = "a && sh -c 'b && ( c'"
    found = script(text)
    assert not found.readable
    assert found.problem_span is not None
    assert found.problem_span in Span(text.index("b"), text.index("c'") + 1)


def test_commands_of_a_broken_script_are_still_there() -> None:
    found = script("wget http://x/amd64.tgz && ( b")
    assert not found.readable
    assert [command.name for command in found.commands] == ["wget", "b"]


def test_deep_nesting_is_no_error_of_ours() -> None:
    assert not script("( " * 5000 + "a" + " )" * 5000).readable


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("  some-package-$X \\\n", id="words"),
        pytest.param("  && echo 'done' \\\n", id="list"),
        pytest.param("  # remark\n", id="comments"),
        pytest.param("  && cat <<A \\\n", id="heredocs without an end"),
        pytest.param("((", id="parentheses"),
        pytest.param("\"'", id="quotes"),
        pytest.param("`#", id="backquotes"),
        pytest.param("; [ $TARGETARCH = arm64 ] && X=$X-a \\\n", id="questions"),
    ],
)
def test_work_is_linear_in_the_number_of_lines(unit: str) -> None:
    def cost(count: int) -> int:
        return steps(lambda: script("apt-get install \\\n" + unit * count + "x"))

    cost(1200)  # what is made once, on first use
    assert cost(2400) <= 2.3 * cost(1200)
