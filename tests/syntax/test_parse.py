"""The parser, case by case: what BuildKit reads is what the tree says, and every byte is in one piece."""

from __future__ import annotations

import pytest

from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Arg, Copy, Document, Env, From, Instruction, PieceKind, Run
from archpatch.text import Span


def read(text: str | bytes) -> Document:
    """The tree, after the law that holds for all: its pieces are the source."""
    source = text.encode() if isinstance(text, str) else text
    document = parse(source)
    assert b"".join(piece.span.of(source) for piece in document.pieces) == source
    return document


def only(text: str | bytes) -> Instruction:
    """The one instruction after `FROM scratch`."""
    prefix = b"FROM scratch\n"
    document = read(prefix + (text.encode() if isinstance(text, str) else text))
    (node,) = document.stages[0].body
    return node


def said(document: Document, *spans: Span) -> list[str]:
    return [span.of(document.source).decode() for span in spans]


def kinds(text: str) -> list[tuple[str, str]]:
    document = read(text)
    return [(piece.kind.value, piece.span.of(document.source).decode()) for piece in document.pieces]


def messages(text: str | bytes) -> list[str]:
    return [problem.message for problem in read(text).problems]


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


# Words of each keyword


@pytest.mark.parametrize(
    ("text", "json", "words"),
    [
        ('CMD ["a", "b c"]', True, ["a", "b c"]),
        ("CMD []", True, []),
        ('CMD [ "\\u00e9\\n", "\\ud83d\\ude00" ]', True, ["é\n", "😀"]),
        ('CMD ["\\ud800"]', True, ["\ufffd"]),
        ('RUN ["a", \\\n "b"]', True, ["a", "b"]),
        ("CMD ['a']", False, ["['a']"]),
        ('CMD ["a",]', False, ['["a",]']),
        ('CMD ["a"] b', False, ['["a"] b']),
        ('CMD ["a\tb"]', False, ['["a\tb"]']),
        ("CMD [ NaN ]", False, ["[ NaN ]"]),
        ("RUN a  b", False, ["a  b"]),
        ('COPY ["a b", "c"]', True, ["a b", "c"]),
        ('COPY [a "b"]', False, ["[a", '"b"]']),
        ("VOLUME /a\t /b", False, ["/a", "/b"]),
        ("EXPOSE 80 81", False, ["80", "81"]),
        ("WORKDIR /a b", False, ["/a b"]),
        ('HEALTHCHECK --interval=1s CMD ["a"]', True, ["CMD", "a"]),
        ("HEALTHCHECK CMD a b", False, ["CMD", "a b"]),
        ("HEALTHCHECK NONE", False, ["NONE"]),
        ("FOO a b", False, ["a b"]),
    ],
)
def test_the_words_of_a_keyword_are_those_of_buildkit(text: str, json: bool, words: list[str]) -> None:
    node = only(text)
    assert (node.json, [word.value for word in node.words]) == (json, words)


def test_a_list_of_more_than_strings_is_a_problem() -> None:
    assert messages('FROM a\nCMD ["a", ["b"]]\n') == ["a JSON list may hold strings only"]
    assert messages("FROM a\nCMD [[" + "[" * 5000 + "\n") == []


@pytest.mark.parametrize(
    ("text", "image", "name"),
    [
        ("FROM a", "a", None),
        ("FROM a AS b", "a", "b"),
        ("from --platform=$BUILDPLATFORM a:1@sha256:2 as B", "a:1@sha256:2", "B"),
        ("FROM a \\\n  # c\n  as b", "a", "b"),
    ],
)
def test_from_has_an_image_and_perhaps_a_name(text: str, image: str, name: str | None) -> None:
    head = read(text).stages[0].head
    assert (head.image.value, head.name.value if head.name else None) == (image, name)
    assert read(text).stages[0].name == (name.lower() if name else None)


def test_arguments_before_the_first_from_are_global() -> None:
    document = read("ARG A=1\nFROM a\nARG A\nFROM b\n")
    assert [node.keyword for node in document.globals] == ["ARG"]
    assert [[node.keyword for node in stage.body] for stage in document.stages] == [["ARG"], []]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ARG A", [("A", None)]),
        ("ARG A=1 B C=", [("A", "1"), ("B", None), ("C", "")]),
        ("ARG A=\"b c\" D='e f'", [("A", '"b c"'), ("D", "'e f'")]),
        ("ENV A=b C=\\\n  d", [("A", "b"), ("C", ""), ("d", None)]),
        ("ENV A=b \\\n  # c\n  D=e", [("A", "b"), ("D", "e")]),
        ("ENV A b  c=d ", [("A", "b  c=d")]),
        ("ENV A\tb", [("A", "b")]),
        ("ENV A=b\\ c", [("A", "b\\ c")]),
        ("ENV A=${B:-c}", [("A", "${B:-c}")]),
        ("ENV A=b\\\\\\", [("A", "b\\\\")]),
        ("LABEL a.b=\"c\" 'd e'=f", [("a.b", '"c"'), ("'d e'", "f")]),
    ],
)
def test_declarations_have_a_name_and_perhaps_a_value(text: str, pairs: list[tuple[str, str | None]]) -> None:
    node = only(text)
    assert isinstance(node, Arg | Env)
    assert [
        (item.name.value, item.value.value if item.value else None) for item in node.declarations
    ] == pairs


def test_a_declaration_knows_the_place_of_its_value() -> None:
    document = read('FROM a\nENV A=b \\\n C="d"\n')
    node = document.stages[0].body[0]
    assert isinstance(node, Env)
    assert said(document, *(item.value.span for item in node.declarations if item.value)) == ["b", '"d"']
    assert said(document, *(item.span for item in node.declarations)) == ["A=b", 'C="d"']


@pytest.mark.parametrize(
    ("text", "sources", "destination"),
    [
        ("COPY a b /c", ["a", "b"], "/c"),
        ("ADD --checksum=sha256:1 http://x/y /z", ["http://x/y"], "/z"),
        ('COPY ["a b", "/c"]', ["a b"], "/c"),
        ("COPY", [], None),
    ],
)
def test_copy_has_sources_and_a_destination(text: str, sources: list[str], destination: str | None) -> None:
    node = only(text)
    assert isinstance(node, Copy)
    assert [word.value for word in node.sources] == sources
    assert (node.destination.value if node.destination else None) == destination


# Flags and mounts


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("COPY --from=a --link b c", [("from", "a"), ("link", None)], "b c"),
        ("COPY --from='a b' c d", [("from", "a b")], "c d"),
        ('COPY --from="a\\"b" c d', [("from", 'a"b')], "c d"),
        ("COPY --from=a\\ b c d", [("from", "a b")], "c d"),
        ("COPY -- --from=a b", [], "--from=a b"),
        ("COPY --from=a \\\n  # c\n  --chown=b \\\n  c d", [("from", "a"), ("chown", "b")], "c \\\n d"),
        ("COPY --from= a b", [("from", "")], "a b"),
        ("ONBUILD COPY --from=a b c", [("from", "a")], "b c"),
        ("COPY a --from=b", [], "a --from=b"),
    ],
)
def test_flags_end_at_the_first_word_that_is_none(
    text: str, flags: list[tuple[str, str | None]], rest: str
) -> None:
    node = only(text)
    assert [(flag.name, flag.value.value if flag.value else None) for flag in node.flags] == flags
    assert [word.value for word in node.words] == rest.replace("\\\n", "").split()


def test_the_span_of_a_flag_is_all_of_it() -> None:
    document = read("FROM --platform='linux/$A' a\n")
    flag = document.stages[0].head.platform
    assert flag
    assert flag.value
    assert said(document, flag.span, flag.value.span) == ["--platform='linux/$A'", "'linux/$A'"]
    assert flag.value.value == "linux/$A"


def test_mounts_have_options() -> None:
    document = read(
        "FROM a\nRUN --mount=type=cache,id=x-$A,DST=/c,ro --network=none \\\n"
        " --mount='type=secret,id=s' --mount=target=/x,\\\nsource=y cmd\n"
    )
    run = document.stages[0].body[0]
    assert isinstance(run, Run)
    first, second, third = run.mounts
    assert (first.type, second.type, third.type) == ("cache", "secret", "bind")
    assert [(key, word.value) for key, word in first.options] == [
        ("type", "cache"),
        ("id", "x-$A"),
        ("dst", "/c"),
        ("ro", ""),
    ]
    target, source = first.get("target", "dst"), third.get("source")
    assert target
    assert source
    assert said(document, target.span, source.span) == ["/c", "y"]
    assert [flag.name for flag in run.flags] == ["mount", "network", "mount", "mount"]
    assert run.words[0].value == "cmd"


# ONBUILD


def test_onbuild_is_a_mark_of_the_inner_instruction() -> None:
    document = read("FROM a\nONBUILD run --mount=type=cache,target=/x b\n")
    (node,) = document.stages[0].body
    assert isinstance(node, Run)
    assert node.onbuild
    assert (node.keyword, len(node.mounts)) == ("RUN", 1)
    assert said(document, node.span, node.keyword_span, node.body) == [
        "ONBUILD run --mount=type=cache,target=/x b",
        "run",
        "b",
    ]


def test_a_from_under_onbuild_begins_no_stage() -> None:
    document = read("FROM a\nONBUILD FROM b\n")
    assert len(document.stages) == 1
    assert isinstance(document.stages[0].body[0], From)
    assert [problem.message for problem in document.problems] == ["FROM is not allowed under ONBUILD"]
