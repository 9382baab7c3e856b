"""The second reader: it agrees with fixes that keep to their lines, and with no others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from archpatch.syntax.parse import parse
from archpatch.syntax.second import Line, Opinion, Verdict, compare, read
from archpatch.text import Edit, Span, apply

SOURCE = b"""\
# syntax=docker/dockerfile:1
ARG V=1
FROM --platform=$BUILDPLATFORM golang:$V AS build
RUN go build \\
    # why
    -o /x \\
    ./cmd
COPY . .

FROM alpine
COPY --from=build /x /x
CMD ["/x"]
"""


def edit(old: bytes, new: bytes) -> Edit:
    assert SOURCE.count(old) == 1, old
    at = SOURCE.index(old)
    return Edit(Span(at, at + len(old)), new)


def judged(*edits: Edit, source: bytes = SOURCE) -> Verdict:
    return compare(parse(source), parse(apply(source, edits)), edits)


def test_it_reads_keywords_lines_and_values() -> None:
    assert read(SOURCE)[2:5] == (  # type: ignore[index]  # it can read this one
        Line("RUN", 4, 7, "go build     -o /x     ./cmd"),
        Line("COPY", 8, 8, ". ."),
        Line("FROM", 10, 10, "alpine"),
    )


@pytest.mark.parametrize(
    "source",
    [b"FROM a\nENV A=\xff\n", b"FROM a\n" + b"#" * 300_000],
    ids=["not UTF-8", "too large"],
)
def test_what_it_cannot_read_is_none_and_never_fine(source: bytes) -> None:
    assert read(source) is None
    assert judged(Edit.insert(0, "ARG A\n"), source=source).opinion is Opinion.ABSTAINS


@pytest.mark.parametrize(
    "edits",
    [
        (),
        (edit(b"--platform=$BUILDPLATFORM ", b""),),
        (edit(b"RUN go build", b"ARG TARGETARCH\nRUN go build"),),
        (edit(b"RUN go build \\", b"RUN GOARCH=$TARGETARCH go build \\"),),
        (edit(b"    # why\n", b""),),
        (edit(b"    -o /x \\\n", b"    -o /x \\\n    -v \\\n"),),
        (edit(b"    -o /x \\\n", b""),),
        (edit(b"    ./cmd", b"    -v \\\n    ./cmd"),),
        (edit(b"COPY . .\n", b""),),
        (edit(b"\nFROM alpine", b"RUN true\n\nFROM alpine"),),
        (edit(b"FROM alpine", b"FROM alpine\nRUN apk add libgcc"),),
        (edit(b'CMD ["/x"]\n', b'CMD ["/x"]\nUSER 1\n'),),
        (
            edit(b"ARG V=1\n", b"ARG V=1\nARG W\n"),
            edit(b"golang:$V", b"golang:$W"),
            edit(b"alpine", b"debian"),
        ),
        (Edit.insert(len(SOURCE), "USER 1\n"),),
        (Edit.insert(len(SOURCE) - 1, "\nUSER 1"),),
    ],
)
def test_a_fix_that_keeps_to_its_lines_is_agreed_with(edits: tuple[Edit, ...]) -> None:
    assert judged(*edits) == Verdict(Opinion.AGREES)


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        ((edit(b"COPY . .", b"COPY . . \\"),), "the fix changes FROM at line 10"),
        ((edit(b"-o /x \\", b"-o /x"),), "the fix makes ./CMD at line 7"),
        ((edit(b"RUN go build \\\n", b""),), "the fix makes -O at line 5"),
        ((edit(b"ARG V=1", b"RUN <<E\nARG V=1"),), "the fix changes FROM at line 3"),
        ((edit(b"# syntax=docker/dockerfile:1\n", b"# escape=`\n"),), "the fix changes RUN at line 4"),
    ],
)
def test_a_fix_that_reaches_further_is_not(edits: tuple[Edit, ...], reason: str) -> None:
    verdict = judged(*edits)
    assert verdict.opinion is Opinion.DISAGREES
    assert verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"FROM a\nRUN <<E\nFROM b\nE\n", 2),
        (b"\xef\xbb\xbfFROM a\n", 1),
        (b"FROM a\nRUN b \\\n\n  c\n", 2),
        (b"FROM a\nRUN b \\\\\nENV C=d\n", 2),
    ],
    ids=["heredoc", "BOM", "blank line in a continuation", "doubled escape"],
)
def test_it_abstains_where_it_read_the_file_otherwise(source: bytes, line: int) -> None:
    verdict = judged(Edit.insert(len(source), "USER 1\n"), source=source)
    assert verdict == Verdict(Opinion.ABSTAINS, f"the second reader reads line {line} otherwise")


def test_it_is_imported_by_the_first_comparison_and_not_before() -> None:
    code = "import sys, archpatch.syntax.second; sys.exit('dockerfile_parse' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_on_real_files_it_agrees_with_small_fixes_and_rarely_abstains(corpus: Path) -> None:
    opinions: Counter[tuple[str, Opinion]] = Counter()
    for row in (corpus / "real.jsonl").read_text("utf-8").splitlines()[::8]:
        source = (corpus / "real" / json.loads(row)["file"]).read_bytes()
        document = parse(source)
        if not document.stages or document.problems:
            continue
        head = document.stages[-1].head
        good = (
            Edit.insert(document.line_start(head.span.start), "ARG X\n"),
            Edit.replace(head.image.span, "b:1"),
        )
        opinions["good", judged(*good, source=source).opinion] += 1
        if document.stages[-1].body:
            bad = Edit.insert(head.span.end, f" {document.escape}")
            opinions["bad", judged(bad, source=source).opinion] += 1
    assert opinions["good", Opinion.DISAGREES] == 0
    assert opinions["bad", Opinion.AGREES] == opinions["bad", Opinion.ABSTAINS] == 0
    assert 0 < opinions["good", Opinion.ABSTAINS] < 0.05 * opinions["good", Opinion.AGREES]
