"""Random scripts: nothing is raised, and every place is one of the file."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from archpatch.syntax.shell import Literal, reaching, read
from archpatch.text import Span, decode
from tests.conftest import examples

PIECES = [
    "a",
    "b",
    "-x",
    "x=1",
    "x=$y",
    "$(a)",
    "`a`",
    '"a',
    '$x"',
    "'a'",
    "${x:-y}",
    "${x/a/b}",
    "&&",
    "||",
    "|",
    ";",
    "&",
    "!",
    "(",
    ")",
    "{",
    "}",
    "<",
    ">",
    ">>",
    "2>&1",
    "<<E",
    "\nE\n",
    "\n",
    "\\\n",
    "\\",
    '"',
    "'",
    "if",
    "then",
    "else",
    "fi",
    "for",
    "in",
    "do",
    "done",
    "while",
    "case",
    "esac",
    "a)",
    "*)",
    ";;",
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "==",
    "!=",
    "=~",
    "-o",
    "-a",
    "$TARGETARCH",
    "amd64",
    "aarch64",
    "$(uname",
    "-m)",
    "export",
    "exit",
    "sh",
    "-c",
    "bash",
    "#",
    "é",
    "\\\r\n",
    "\t",
    "$((",
    "))",
    "<(",
    "${",
    "}",
    "exit",
    "read",
    "unset",
    "f()",
]


@settings(max_examples=examples(100, 1000))
@given(
    st.lists(st.sampled_from(PIECES), max_size=25), st.sampled_from([" ", ""]), st.sampled_from(["\\", "`"])
)
def test_any_text_is_read_without_an_error(pieces: list[str], between: str, escape: str) -> None:
    source = b"RUN " + between.join(pieces).encode()
    whole = Span(4, len(source))
    script = read(source, whole, escape=escape)
    assert read(source, whole, escape=escape) == script
    for command in script.commands:
        assert command.span in whole
        for word in command.words:
            assert word.span in whole
            for part in word.parts:
                assert part.span in word.span
                if isinstance(part, Literal) and len(part.span) == len(part.text.encode()):
                    assert decode(part.span.of(source)) == part.text
        reaching(script, command, "x")
