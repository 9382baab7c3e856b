"""Every file of the corpus: round trip, no exception, and agreement with Moby's own parser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from archpatch.syntax.lines import line_ends, line_number
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document, Env, Instruction

KNOWN = frozenset(
    {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"}
    | {"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
BUILDKIT = "parser/buildkit/frontend/dockerfile/parser"

# Where Moby's parser, through its Python binding, says something else, and why that is not what BuildKit does.
DEVIATIONS = {
    f"{BUILDKIT}/testfiles/json/Dockerfile": "the binding cuts a value at a NUL; BuildKit's `result` file has it",
}

# Good to BuildKit's parser, and rejected by what reads its tree.
REJECTED_LATER = {
    "env": "a single quote that is never closed",
    "escapes": "a double quote that is never closed",
    "flags": "flags that no instruction knows",
    "health": "HEALTHCHECK with nothing, without command, and with CONNECT",
}


def files(corpus: Path) -> Iterator[Path]:
    """All Dockerfiles: the real ones and those of other parsers' tests."""
    for line in (corpus / "real.jsonl").read_text("utf-8").splitlines():
        yield corpus / "real" / json.loads(line)["file"]
    yield from sorted((corpus / "parser").rglob("Dockerfile*"))


@pytest.fixture(scope="module")
def documents(corpus: Path) -> dict[Path, Document]:
    found = {path: parse(path.read_bytes(), path) for path in files(corpus)}
    assert len(found) > 2_000
    return found


def test_the_pieces_of_every_file_are_its_bytes(documents: dict[Path, Document]) -> None:
    for path, document in documents.items():
        assert b"".join(piece.span.of(document.source) for piece in document.pieces) == document.source, path


def test_every_node_stands_within_what_holds_it(documents: dict[Path, Document]) -> None:
    for path, document in documents.items():
        end = 0
        for node in document.instructions:
            assert end <= node.span.start, path
            end = node.span.end
            inner = [node.body, node.keyword_span, *(flag.span for flag in node.flags)]
            inner += [word.span for word in node.words] + [item.content for item in node.heredocs]
            assert all(span in node.span for span in inner), path
            for word in node.words:
                assert word.verbatim.encode("utf-8", "surrogateescape") == word.span.of(document.source), path


def test_a_file_has_a_problem_exactly_if_buildkit_rejects_it(
    corpus: Path, documents: dict[Path, Document]
) -> None:
    for line in (corpus / "real.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        document = documents[corpus / "real" / row["file"]]
        if document.problems and row["buildkit_parses"]:
            # BuildKit's parser takes any number of words after FROM; its reader of instructions does not.
            assert {problem.message.split()[0] for problem in document.problems} == {"FROM"}, row["file"]
        else:
            assert bool(document.problems) != row["buildkit_parses"], row["file"]


def test_buildkits_bad_files_have_problems_and_its_good_ones_do_not(corpus: Path) -> None:
    bad = sorted((corpus / BUILDKIT / "testfiles-negative").glob("*/Dockerfile"))
    good = sorted((corpus / BUILDKIT / "testfiles").glob("*/Dockerfile"))
    assert len(bad) >= 4
    assert len(good) > 20
    assert all(parse(path.read_bytes()).problems for path in bad)
    for path in good:
        found = {problem.message for problem in parse(path.read_bytes()).problems}
        if not all("FROM" in message for message in found):  # fragments without FROM are many
            assert path.parent.name in REJECTED_LATER, path


def test_buildkits_expected_trees_are_ours(corpus: Path) -> None:
    """`result` beside each test file: one line of quoted words per instruction."""
    for path in sorted((corpus / BUILDKIT / "testfiles").glob("*/Dockerfile")):
        document = parse(path.read_bytes())
        ours = [_as_result(node, document.source) for node in document.instructions]
        theirs = (path.parent / "result").read_text("utf-8").splitlines()
        assert ours == theirs, path


def test_the_files_of_buildkits_linter_have_no_problem_but_the_one_that_is_meant(corpus: Path) -> None:
    cases = json.loads((corpus / "parser/buildkit/lint_cases.json").read_text("utf-8"))
    problems = {problem.message for case in cases for problem in parse(case["dockerfile"].encode()).problems}
    assert len(cases) > 50
    assert problems == {"unknown instruction: BADCMD"}


def test_mobys_parser_agrees_on_every_file(corpus: Path, documents: dict[Path, Document]) -> None:
    dockerfile = pytest.importorskip("dockerfile", reason="Moby's parser has no wheel here")
    agreed = rejected = 0
    differ = set()
    for path, document in documents.items():
        try:
            commands = dockerfile.parse_string(document.source.decode())
        except dockerfile.GoParseError:
            rejected += 1
            assert document.problems, path
            continue
        if list(map(_theirs, commands)) == list(_ours(document)):
            agreed += 1
        else:
            differ.add(path.relative_to(corpus).as_posix())
    assert differ == set(DEVIATIONS)
    assert agreed > 2_000
    assert rejected


Row = tuple[str, str, int, int, tuple[str, ...], tuple[str, ...], tuple[tuple[str, int, str], ...], bool]


def _theirs(command: Any) -> Row:
    return (
        command.cmd.upper(),
        (command.sub_cmd or "").upper(),
        command.start_line,
        command.end_line,
        command.flags,
        command.value,
        tuple((item.name, item.file_descriptor, item.content) for item in command.heredocs),
        command.json,
    )


def _ours(document: Document) -> Iterator[Row]:
    ends = line_ends(document.source)
    for node in document.instructions:
        yield (
            "ONBUILD" if node.onbuild else node.keyword,
            node.keyword if node.onbuild else "",
            line_number(ends, node.span.start),
            line_number(ends, node.span.end),
            tuple(_flags(node)),
            tuple(_values(node)),
            tuple((item.name, item.fd, item.content.of(document.source).decode()) for item in node.heredocs),
            node.json,
        )


def _flags(node: Instruction) -> list[str]:
    return [f"--{flag.name}" + (f"={flag.value.value}" if flag.value else "") for flag in node.flags]


def _values(node: Instruction) -> Iterator[str]:
    """The values of Moby's tree; of ENV and LABEL name and value."""
    if isinstance(node, Env):
        for item in node.declarations:
            yield from (item.name.value, item.value.value if item.value else "")
    elif node.keyword in KNOWN:
        yield from (word.value for word in node.words)


def _as_result(node: Instruction, source: bytes) -> str:
    """An instruction as BuildKit's own dump of its tree has it."""
    if node.onbuild:
        return f"(onbuild {_as_result(replace(node, onbuild=False), source)})"
    values = list(_values(node))
    if isinstance(node, Env):
        signs = ["=" if source[item.name.span.end :][:1] == b"=" else "" for item in node.declarations]
        pairs = zip(values[::2], values[1::2], signs, strict=True)
        values = [text for triple in pairs for text in triple]
    flags = _flags(node)
    listed = [f"[{' '.join(map(_quoted, flags))}]"] if flags else []
    return f"({' '.join([node.keyword.lower(), *listed, *map(_quoted, values)])})"


def _quoted(text: str) -> str:
    """As Go's strconv.Quote."""
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    return (
        '"'
        + "".join(known.get(char, char if char.isprintable() else f"\\x{ord(char):02x}") for char in text)
        + '"'
    )
