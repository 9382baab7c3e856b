"""The tree as text and as data."""

from __future__ import annotations

import json

from archpatch.syntax.dump import as_data, as_text
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Instruction

SOURCE = b"""\
# escape=\\
ARG V
FROM --platform=$BUILDPLATFORM a:$V AS B
RUN --mount=type=cache,target=/c x \\
  # why
  y <<E
body
E
ONBUILD COPY a /b
FOO\x1b[31m \xff
"""


def test_the_text_says_what_stands_where() -> None:
    text = as_text(parse(SOURCE))
    lines = text.splitlines()
    for line in (
        "  directive 1 @0..10 name='escape' '\\\\'",
        "  ARG 2 @11..16",
        "  stage index=0 name='b'",
        "    FROM 3 @17..57",
        "        value 3 @33..47 '$BUILDPLATFORM'",
        "    RUN 4-8 @58..117",
        "      word 4-6 @91..110 'x   y <<E' verbatim='x \\\\\\n  # why\\n  y <<E'",
        "      heredoc name='E' fd=0 expand",
        "        content 7 @111..116 'body\\n'",
        "      mount 4 @62..90 type='cache'",
        "    COPY 9 @118..135 onbuild",
    ):
        assert line in lines


def test_the_text_holds_no_control_character_of_the_file() -> None:
    text = as_text(parse(SOURCE), pieces=True)
    assert all(char == "\n" or char.isprintable() for char in text)


def test_the_data_are_json_and_bytes_that_are_no_utf8_are_in_base64() -> None:
    data = json.loads(json.dumps(as_data(parse(SOURCE)), allow_nan=False).encode())
    unknown = data["stages"][0]["instructions"][-1]
    assert unknown["keyword"] == "FOO\x1b[31M"
    assert unknown["words"] == [{"start": 145, "end": 146, "lines": [10, 10], "value_base64": "/w=="}]


def test_pieces_are_given_when_asked_for_and_are_the_source() -> None:
    document = parse(SOURCE)
    assert "pieces" not in as_data(document)
    pieces = as_data(document, pieces=True)["pieces"]
    assert [(piece["start"], piece["end"]) for piece in pieces][-1][1] == len(SOURCE)
    assert pieces[0] == {"kind": "directive", "start": 0, "end": 11, "lines": [1, 1], "text": "# escape=\\\n"}


def test_others_may_add_to_an_instruction() -> None:
    def shell(node: Instruction) -> dict[str, object]:
        return {"shell": {"commands": [{"name": "x"}]}} if node.keyword == "RUN" else {}

    document = parse(b"FROM a\nRUN x\n")
    assert as_data(document, extra=shell)["stages"][0]["instructions"][1]["shell"]["commands"] == [
        {"name": "x"}
    ]
    assert "      shell\n        commands name='x'\n" in as_text(document, extra=shell)
