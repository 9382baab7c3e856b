"""The parser on lines: what BuildKit reads is what the tree says, and every byte is in one piece."""

from __future__ import annotations

import pytest

from archpatch.syntax.tree import Env, PieceKind
from archpatch.text import Span
from tests.syntax.reading import kinds, messages, only, read, said

# Lines and pieces


def test_each_byte_has_a_kind() -> None:
    assert kinds("# syntax=x\n\n# c\nFROM a \\ \n  # in\n \n  AS b\nRUN <<E\nx\nE\n") == [
        ("directive", "# syntax=x\n"),
        ("blank", "\n"),
        ("comment", "# c\n"),
        ("code", "FROM a "),
        ("continuation", "\\ \n"),
        ("comment", "  # in\n"),
        ("blank", " \n"),
        ("code", "  AS b"),
        ("newline", "\n"),
        ("code", "RUN <<E"),
        ("newline", "\n"),
        ("heredoc", "x\nE\n"),
    ]


def test_a_comment_inside_a_continuation_is_kept() -> None:
    document = read("FROM a\nRUN x \\\n  # why\n && y\n")
    run = document.stages[0].body[0]
    assert said(document, *run.comments) == ["# why"]
    assert said(document, *document.comments) == ["# why"]
    assert run.words[0].value == "x  && y"
    assert run.words[0].verbatim == "x \\\n  # why\n && y"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("RUN a\\\nb", "ab"),
        ("RUN a\\\r\nb\r\n", "ab"),
        ("RUN a \\  \t\n b", "a  b"),
        ("RUN a \\\n\n\n b", "a  b"),
        ("RUN a \\\\\n", "a \\\\"),
        ("RUN a \\\\\\\n", "a \\\\\\"),
        ("RUN a \\", "a"),
        ("RUN a \\\n# end", "a"),
        ("\\\nRUN a", "a"),
        ("RUN \\\n a", "a"),
        ("RUN a \\\n'#' \\\n# '\n b", "a '#'  b"),
        ("  RUN\ta  ", "a"),
        ("run a", "a"),
    ],
)
def test_continued_lines_are_joined_with_nothing_between(text: str, value: str) -> None:
    node = only(text)
    assert (node.keyword, [word.value for word in node.words]) == ("RUN", [value])


def test_a_continuation_runs_to_the_end_of_the_file() -> None:
    document = read("FROM a\nRUN x \\\n\n# c\n")
    node = document.stages[0].body[0]
    assert said(document, node.span, node.body) == ["RUN x \\\n\n# c", "x"]


def test_spans_stand_where_the_text_stands() -> None:
    document = read("FROM a\nCOPY --from=b \\\n  # c\n  x \\\n  y /z \n")
    node = document.stages[0].body[0]
    assert said(document, node.span, node.keyword_span, node.body) == [
        "COPY --from=b \\\n  # c\n  x \\\n  y /z ",
        "COPY",
        "x \\\n  y /z",
    ]
    assert said(document, *(word.span for word in node.words)) == ["x", "y", "/z"]


def test_a_word_may_be_cut_by_a_continuation() -> None:
    node = only("COPY a\\\nb /c")
    assert (node.words[0].value, node.words[0].verbatim, node.words[0].find("\nb")) == (
        "ab",
        "a\\\nb",
        Span(20, 22),
    )


def test_the_backquote_continues_lines_where_the_directive_says_so() -> None:
    document = read("# escape=`\nFROM a\nRUN c:\\ `\n && b\nENV A=c:\\\n")
    run, env = document.stages[0].body
    assert (document.escape, run.words[0].value, env.words[0].value) == ("`", "c:\\  && b", "A=c:\\")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", [True, False])
def test_line_ends_and_a_byte_order_mark_do_not_matter(newline: str, mark: str, end: bool) -> None:
    lines = ["# escape=`", "FROM a", "RUN b `", "  c <<E", "x", "E", "ENV A=b"]
    document = read(mark + newline.join(lines) + newline * end)
    assert document.newline == newline.encode()
    assert [node.keyword for node in document.instructions] == ["FROM", "RUN", "ENV"]
    assert document.stages[0].body[0].words[0].value == "b   c <<E"
    assert not document.problems


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    node = only(b"ENV A=\xff\xe9 B='\xc3'")
    assert isinstance(node, Env)
    assert [
        item.value.value.encode("utf-8", "surrogateescape") for item in node.declarations if item.value
    ] == [
        b"\xff\xe9",
        b"'\xc3'",
    ]


def test_a_wide_blank_separates_the_words_of_declarations_alone() -> None:
    env = only("ENV A=b\u00a0C=d")
    assert isinstance(env, Env)
    assert [item.name.value for item in env.declarations] == ["A", "C"]
    assert messages("FROM\u00a0scratch\n")
    assert said(read("\u3000FROM a"), read("\u3000FROM a").stages[0].head.span) == ["FROM a"]


# Directives


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# syntax=a\n# escape=`\n#check = skip=all\n", ["syntax=a", "escape=`", "check=skip=all"]),
        ("#SYNTAX=a\n", ["syntax=a"]),
        ("# c\n# syntax=a\n", []),
        ("\n# syntax=a\n", []),
        ("# foo=bar\n# syntax=a\n", []),
        ("FROM a\n# escape=`\n", []),
        ("  # escape=`\n", ["escape=`"]),
        ("  # syntax=a\n# check=b\n# escape=`\n", ["escape=`"]),
        ("#!/usr/bin/env x\n# syntax=a\n# escape=`\n", ["syntax=a"]),
        ("// syntax=a\n", ["syntax=a"]),
        ("# syntax=\n# escape=`\n", []),
    ],
)
def test_directives_end_at_the_first_line_that_is_none(text: str, found: list[str]) -> None:
    document = read(text)
    assert [f"{item.name}={item.value}" for item in document.directives] == found
    assert document.escape == ("`" if "escape=`" in found else "\\")


def test_a_directive_is_no_comment_and_a_dead_one_is() -> None:
    document = read("# syntax=a\n# about\n# escape=`\nFROM a\n")
    assert said(document, *document.comments) == ["# about", "# escape=`"]
    assert [piece.kind for piece in document.pieces[:2]] == [PieceKind.DIRECTIVE, PieceKind.COMMENT]


# Heredocs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RUN <<EOF\nx\nEOF\n", [("EOF", 0, True, False, "x\n")]),
        ("RUN cat 3<<-'EOF' >f\n\tx\n\tEOF\n", [("EOF", 3, False, True, "\tx\n")]),
        (
            'COPY <<"A B" <<c /d\n1\nA B\n2\nc\n',
            [("A B", 0, False, False, "1\n"), ("c", 0, True, False, "2\n")],
        ),
        ("ADD <<EOF /x\nEOF\n", [("EOF", 0, True, False, "")]),
        ("ONBUILD RUN <<EOF\nx\nEOF\n", [("EOF", 0, True, False, "x\n")]),
        ("RUN a \\\n <<EOF \\\n b\nx\nEOF\n", [("EOF", 0, True, False, "x\n")]),
        ("RUN $(cat <<E)\nx\nE)\n", [("E)", 0, True, False, "x\n")]),
        ("RUN é <<E\nx\nE\n", [("E", 0, True, False, "x\n")]),
        ("RUN <<$E\nx\n$E\n", [("$E", 0, True, False, "x\n")]),
        ('RUN <<"$E"\nx\n$E\n', [("$E", 0, False, False, "x\n")]),
        ("RUN <<E\\F\nx\nEF\n", [("EF", 0, False, False, "x\n")]),
        ("RUN <<EOF\r\nx\r\nEOF\r\n", [("EOF", 0, True, False, "x\r\n")]),
        ("RUN <<EOF\n EOF\nEOF", [("EOF", 0, True, False, " EOF\n")]),
    ],
)
def test_heredocs_are_read_where_buildkit_reads_them(text: str, found: list[tuple[object, ...]]) -> None:
    document = read("FROM a\n" + text)
    (node,) = document.stages[0].body
    assert [
        (item.name, item.fd, item.expand, item.chomp, *said(document, item.content)) for item in node.heredocs
    ] == found
    assert not document.problems
    assert node.span.end == node.heredocs[-1].closing.end


@pytest.mark.parametrize(
    "line",
    [
        "RUN a<<EOF",
        "RUN <<''",
        "RUN a << EOF",
        "RUN a <<<EOF",
        "RUN echo $((1<<2))",
        'RUN echo "a <<EOF b"',
        "RUN cat <<EOF don't",
        "RUN cat ${x^^} <<EOF",
        'RUN ["a", "<<EOF"]',
        "CMD <<EOF",
        "RUN \\<<EOF",
    ],
)
def test_what_is_no_heredoc_takes_no_lines(line: str) -> None:
    document = read(f"FROM a\n{line}\nENV A=b\n")
    assert [node.keyword for node in document.stages[0].body][-1] == "ENV"
    assert not any(node.heredocs for node in document.instructions)


def test_the_marker_of_a_heredoc_stands_on_its_line() -> None:
    document = read("FROM a\nRUN é \\\n  3<<-'E' b\nE\n")
    heredoc = document.stages[0].body[0].heredocs[0]
    assert said(document, heredoc.marker, heredoc.closing) == ["3<<-'E'", "E"]


def test_an_open_heredoc_takes_the_rest_of_the_file() -> None:
    document = read("FROM a\nRUN <<EOF\nx\nFROM b\n")
    assert said(document, document.stages[0].body[0].heredocs[0].content) == ["x\nFROM b\n"]
    assert [problem.message for problem in document.problems] == ["the heredoc EOF is not closed"]
