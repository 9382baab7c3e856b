"""What is wrong with a text is a list, as BuildKit would say it; and no text takes long."""

from __future__ import annotations

import time

import pytest

from archpatch.syntax.parse import parse


def messages(text: str) -> list[str]:
    return [problem.message for problem in parse(text.encode()).problems]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("# c\n", "there is no instruction in this file"),
        ("ARG A\n", "there is no FROM in this file"),
        ("FROM a b\n", "FROM takes an image"),
        ("FROM a AS\n", "FROM takes an image"),
        ("FROM --platform=a --platform=b c\n", "--platform is given twice"),
        ("FROM --Platform=a c\n", "unknown flag: --Platform"),
        ("FROM a AS 1b\n", "not a name for a stage: 1b"),
        ("RUN a\nFROM b\n", "RUN stands before the first FROM"),
        ("FROM a\nFOO b\n", "unknown instruction: FOO"),
        ("FOO b\nFROM a\n", "unknown instruction: FOO"),
        ("FROM a\nENV PATH\n", "ENV PATH has no value"),
        ("FROM a\nENV A=b c\n", "ENV c has no value"),
        ("FROM a\nENV =b\n", "a name of ENV is empty"),
        ("FROM a\nLABEL\n", "LABEL needs an argument"),
        ("FROM a\nARG\n", "ARG needs an argument"),
        ("FROM a\nCOPY b\n", "COPY needs a source and a destination"),
        ("FROM a\nCOPY --link=yes b c\n", "--link is true or false, not yes"),
        ("FROM a\nRUN --mount b\n", "--mount needs a value"),
        ("FROM a\nSHELL b\n", "SHELL needs a JSON list"),
        ("FROM a\nHEALTHCHECK FOO b\n", "HEALTHCHECK takes NONE or CMD"),
        ("FROM a\nHEALTHCHECK NONE b\n", "HEALTHCHECK NONE takes no arguments"),
        ("FROM a\nHEALTHCHECK CMD\n", "HEALTHCHECK CMD needs a command"),
        ("FROM a\nWORKDIR\n", "WORKDIR needs an argument"),
        ("FROM a\nWORKDIR 'b\n", "BuildKit cannot read this word"),
        ("FROM a\nENV A=${B^^}\n", "BuildKit cannot read this word"),
        ("FROM a\nONBUILD ONBUILD RUN b\n", "ONBUILD is not allowed under ONBUILD"),
        ("FROM a\nONBUILD --foo RUN b\n", "unknown flag: --foo"),
        ("FROM a\nONBUILD\n", "ONBUILD needs an argument"),
        ("# escape=x\nFROM a\n", "escape must be"),
        ("# escape=`\n# escape=`\nFROM a\n", "only one escape directive"),
        ("FROM a\nRUN " + "b" * 65_532, "a line is longer than 65,535 bytes"),
        ("FROM a\nRUN \0b\n", "not a text file"),
    ],
    ids=lambda text: text[:24],
)
def test_what_buildkit_rejects_is_a_problem(text: str, message: str) -> None:
    found = messages(text)
    assert len(found) == 1
    assert message in found[0]


def test_a_flag_without_its_equals_sign_is_named_first() -> None:
    assert messages("FROM --platform linux/amd64 a\n") == [
        "--platform needs a value, as in --platform=...",
        "FROM takes an image, or an image and AS and a name",
    ]


def test_a_from_without_image_begins_no_stage() -> None:
    document = parse(b"FROM\nFROM a\n")
    assert [node.keyword for node in document.globals] == ["FROM"]
    assert len(document.stages) == 1
    assert len(document.problems) == 1


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nRUN\n",
        "FROM a\nCMD\n",
        "FROM a\nCOPY --link=TRUE b c\n",
        "FROM a\nRUN --mount=type=cache,target=/b --mount=type=cache,target=/c d\n",
        "FROM a\nCOPY --exclude=b --exclude=c d e\n",
        "FROM --platform= a\n",
        "FROM -- a\n",
        "FROM a\nARG 'b=c\n",
        "FROM a\nMAINTAINER it's me\n",
        "FROM a\nONBUILD FOO b\n",
        "FROM a\nRUN " + "b" * 65_531,
    ],
    ids=lambda text: text[7:31],
)
def test_what_buildkit_accepts_is_no_problem(text: str) -> None:
    assert messages(text) == []


def test_a_problem_has_a_place() -> None:
    document = parse(b"FROM a\nFOO b\nCOPY --foo=1 x y\n")
    assert [problem.span.of(document.source) for problem in document.problems] == [b"FOO", b"--foo=1"]


def test_a_binary_file_has_a_tree_and_a_problem() -> None:
    document = parse(b"\x7fELF\0\0\0" * 1000)
    assert (document.stages, len(document.problems)) == ((), 1)
    assert [piece.span.end for piece in document.pieces] == [len(document.source)]


@pytest.mark.parametrize(
    ("head", "repeated", "tail"),
    [
        ("RUN x", " \\\n && abcdefgh", ""),
        ("RUN x", " \\\n # c\n\n y", ""),
        ("", "ENV A=b C=$D\n", ""),
        ("ENV", " A='b'", ""),
        ("ENV A=", "\\'", ""),
        ("ENV A=", "'", ""),
        ("ENV A=", '"$B"', ""),
        ('CMD ["a"', ',"\\n"', "]"),
        ('CMD ["a"', ',"\\n"', "]]"),
        ("RUN <<E\n", "x\n", ""),
        ("RUN ", "'<<E' ", ""),
        ("RUN ", "<<E ", ""),
        ("COPY ", "--x='a' ", "a b"),
        ("RUN --mount=", "a=b,", ""),
        ("RUN \u00a0", "\u00a0 \\\n", ""),
        ("RUN ", " ", "\\ x"),
        ("", "\\\n", ""),
        ("ENV A=${B", "/", ""),
    ],
    ids=lambda text: text[:12],
)
def test_time_grows_with_size_and_not_with_its_square(head: str, repeated: str, tail: str) -> None:
    # What regular expressions take shows on a clock only; sizes far apart leave a busy machine ten times the time.
    def seconds(count: int) -> float:
        source = f"FROM a\n{head}{repeated * count}{tail}".encode()
        times = []
        for _ in range(2):
            start = time.process_time()
            parse(source)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(40_000) < 1_000 * seconds(400) + 0.5
