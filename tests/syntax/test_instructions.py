"""The parser, instruction by instruction: words, declarations, flags, mounts."""

from __future__ import annotations

import pytest

from archpatch.syntax.tree import Arg, Copy, Env, From, Run
from tests.syntax.reading import messages, only, read, said


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
