"""Lines, columns, visible texts, diffs and GitHub's hash: what all reports stand on."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpatch.report.diff import blocks, lines, patch
from archpatch.report.linehash import line_hashes
from archpatch.report.lines import lines_of
from archpatch.report.safe import safe, width
from archpatch.text import Span


@pytest.mark.parametrize(
    ("source", "offset", "place"),
    [
        (b"", 0, (1, 1)),
        (b"ab\ncd", 4, (2, 2)),
        (b"ab\ncd\n", 6, (2, 4)),
        (b"ab\r\ncd", 2, (1, 3)),
        ("é x".encode(), 3, (1, 3)),
        (b"\xff\xfe x", 3, (1, 4)),
        ("\ufeffFROM".encode(), 3, (1, 2)),
        ("𝕏y".encode(), 4, (1, 2)),
        (b"a\rb", 2, (1, 3)),
    ],
    ids=[
        "empty",
        "second line",
        "end",
        "CR",
        "two bytes",
        "no UTF-8",
        "BOM",
        "four bytes",
        "a lone CR ends no line",
    ],
)
def test_places_count_code_points(source: bytes, offset: int, place: tuple[int, int]) -> None:
    found = lines_of(source).place(offset)
    assert (found.line, found.column, found.offset) == (*place, offset)


@pytest.mark.parametrize("source", [b"a\r\nb\n", b"a\r\nb", b"a\nb\r\n"])
def test_a_line_has_no_line_end(source: bytes) -> None:
    found = lines_of(source)
    assert [found.text(1), found.text(2), found.text(3)] == ["a", "b", ""]


def test_the_last_line_of_a_span_that_ends_with_a_line_end_is_that_line() -> None:
    assert lines_of(b"a\nb\nc\n").last(Span(0, 2)) == 1
    assert lines_of(b"a\nb\nc\n").last(Span(0, 3)) == 2
    assert lines_of(b"a\nb\nc\n").last(Span(2, 2)) == 2


@given(st.binary(max_size=60))
def test_a_place_leads_back_to_its_offset(source: bytes) -> None:
    found = lines_of(source)
    for offset in range(len(source) + 1):
        place = found.place(offset)
        prefix = source[found.starts[place.line - 1] : offset].decode("utf-8", "surrogateescape")
        assert place.column == len(prefix) + 1
        assert offset >= found.starts[place.line - 1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢字", "plain é 漢字"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\rc\td", "a\\nb\\rc\td"),
        ("\x7f\x85\x9b", "\\x7f<U+0085><U+009B>"),
        ("\u202egnp.exe", "<U+202E>gnp.exe"),
        ("\u2066\u2069\u200b\ufeff\u2028", "<U+2066><U+2069><U+200B><U+FEFF><U+2028>"),
        ("\udcff", "\\xff"),
        ("\ud800", "<U+D800>"),
        ("\U000e0041", "<U+E0041>"),
        ("##[error]x ##vso[y] ## z", "# #[error]x # #vso[y] ## z"),
    ],
)
def test_what_could_harm_a_terminal_is_made_visible(text: str, shown: str) -> None:
    assert safe(text) == shown
    assert safe(safe(text)) == safe(text)


@given(st.text())
def test_a_safe_text_is_one_printable_line(text: str) -> None:
    assert safe(text).replace("\t", "").isprintable()


def test_the_width_of_a_text() -> None:
    assert (width("abc"), width("漢字"), width("e\u0301")) == (3, 4, 1)


def applied(old: bytes, diff: bytes) -> bytes:
    """A strict reader of one file's unified diff."""
    source, out, at = lines(old), [], 0
    body = lines(diff)[2:]
    for index, line in enumerate(body):
        if line.startswith(b"@@"):
            start = int(line.split()[1][1:].split(b",")[0])
            count = int(line.split()[1].split(b",")[1])
            begin = start - 1 if count else start
            out += source[at:begin]
            at = begin
            continue
        if line.startswith(b"\\"):
            continue
        text = line[1:]
        if body[index + 1 : index + 2] == [b"\\ No newline at end of file\n"]:
            text = text.removesuffix(b"\n")
        if line[:1] in b" -":
            assert source[at] == text
            at += 1
        if line[:1] in b" +":
            out.append(text)
    return b"".join(out + source[at:])


TEXTS = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"\xff\n", b"FROM x\n", b" b\n"]), max_size=25
)


@given(TEXTS, TEXTS, st.sampled_from([b"", b"end", b"a"]), st.sampled_from([b"", b"end", b"b"]))
def test_a_diff_leads_from_the_old_text_to_the_new_one(
    one: list[bytes], two: list[bytes], tail: bytes, new_tail: bytes
) -> None:
    old, new = b"".join(one) + tail, b"".join(two) + new_tail
    diff = patch({Path("f"): (old, new)})
    assert (diff == b"") == (old == new)
    assert not diff or applied(old, diff) == new


CASES = {
    "CRLF": (b"a\r\nb\r\nc\r\n", b"a\r\nX\r\nc\r\n"),
    "no final line end": (b"a\nb", b"a\nc"),
    "a final line end comes": (b"a\nb", b"a\nb\n"),
    "a final line end goes": (b"a\nb\n", b"a\nb"),
    "no UTF-8 and controls": (b"\xff\x1b[2J\nb\n", b"\xff\x1b[2J\nc\n"),
    "lines that look like a header": (b"--- a\n+++ b\n", b"--- a\n+++ c\n@@ -1 +1 @@\n"),
    "all goes": (b"a\n", b""),
    "from nothing": (b"", b"a\n"),
    "two far places": (b"".join(b"%d\n" % n for n in range(40)), b"".join(b"%d\n" % (n if n not in (3, 33) else 99) for n in range(40))),
}  # fmt: skip
NAMES = ["Dockerfile", "a b/Dockerfile", "é/Dockerfile", 'q"\\\t', "\udcff/x", "new\nline"]


@pytest.mark.parametrize("case", CASES)
def test_git_and_patch_apply_a_diff_byte_for_byte(tmp_path: Path, case: str) -> None:
    old, new = CASES[case]
    for command in (["git", "apply", "--whitespace=nowarn", "-"], ["patch", "--binary", "-p1", "-s"]):
        if command[0] == "patch" and not (old and new):
            continue  # patch takes a file that becomes empty for one that is deleted
        (tmp_path / "f").write_bytes(old)
        subprocess.run(command, input=patch({Path("f"): (old, new)}), check=True, cwd=tmp_path)
        assert (tmp_path / "f").read_bytes() == new


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_git_finds_the_file_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a\nb\n")
    subprocess.run(
        ["git", "apply", "-"], input=patch({Path(name): (b"a\nb\n", b"a\nc\n")}), check=True, cwd=tmp_path
    )
    assert path.read_bytes() == b"a\nc\n"


def test_far_places_are_hunks_of_their_own_and_near_ones_share_one() -> None:
    old = [b"%d\n" % n for n in range(40)]
    new = [*old]
    new[3] = new[9] = new[33] = b"x\n"
    assert len(blocks(old, new)) == 3
    assert patch({Path("f"): (b"".join(old), b"".join(new))}).count(b"@@ -") == 2


def test_a_diff_of_a_long_file_takes_no_quadratic_time() -> None:
    old = [b"same\n" if n % 2 else b"line %d\n" % n for n in range(60_000)]
    new = [line if n % 97 else b"changed %d\n" % n for n, line in enumerate(old)]
    begin = time.process_time()
    patch({Path("f"): (b"".join(old), b"".join(new))})
    assert time.process_time() - begin < 20  # a comparison of each line with each takes minutes


@pytest.mark.parametrize(
    ("source", "hashes"),
    [
        (b"", ["c129715d7a2bc9a3:1"]),
        (
            b" a\nb\n  \t\tc\n d",
            ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"],
        ),
    ],
    ids=["empty", "blanks do not count"],
)
def test_the_hash_of_a_line_is_that_of_github(source: bytes, hashes: list[str]) -> None:
    assert list(line_hashes(source)) == hashes
    assert list(line_hashes(source.replace(b"\n", b"\r\n"))) == hashes


def test_equal_hashes_are_numbered() -> None:
    tail = b"x" * 200
    found = line_hashes(b"same\n" + tail + b"\nsame\n" + tail)
    assert found[0].split(":")[0] == found[2].split(":")[0]
    assert [found[0][-2:], found[2][-2:]] == [":1", ":2"]
