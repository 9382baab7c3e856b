"""The page: whole in itself, valid, and nobody's but ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from archpatch.report import Look, render
from archpatch.report.html import MOST
from archpatch.report.model import Result
from archpatch.report.safe import width
from archpatch.report.stagegraph import Box, graph
from archpatch.rule import Finding, Severity
from archpatch.text import Span
from tests.report.conftest import FINDING, FULL, SOURCE, result
from tests.report.test_hostile import RESULTS

VOID = {"meta", "!doctype", "path", "rect"}
TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "h1", "h2", "h3", "p",
    "b", "a", "span", "code", "pre", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "div", "figure", "figcaption",
    "svg", "defs", "marker", "path", "rect", "text",
}  # fmt: skip


class Page(HTMLParser):
    """Checks that each tag is one of ours and is closed; keeps links, texts and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        if tag not in VOID or (tag in ("path", "rect") and not self.get_starttag_text().endswith("/>")):  # type: ignore[union-attr]
            self.open.append(tag)
        self.names |= {name for name, _ in attrs}
        for name, value in attrs:
            if name in ("href", "marker-end"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(of: Result) -> str:
    return render("html", of, Look()).decode("utf-8")


def boxes(source: bytes) -> dict[str, Box]:
    drawing = graph(result(source).files[0])
    assert drawing
    return {box.name: box for box in drawing.boxes}


def test_the_page_shows_states_findings_and_fixes() -> None:
    text = "".join(Page(page(FULL)).texts)
    for part in ("0 of 1 Dockerfile ready", "linux/arm64", "ready after fix", "It is pinned", "-FROM --platform", "+FROM alpine", "gone", "could not be read as shell"):  # fmt: skip
        assert part in text


def test_nothing_is_fetched_and_no_script_runs() -> None:
    text = page(FULL)
    assert "default-src 'none'" in text
    assert not re.search(r"<(script|img|link|iframe|object|embed)|@import|src=|url\(\s*['\"]?http", text)


def test_a_hostile_file_adds_no_tag_no_attribute_and_no_link() -> None:
    known = Page(page(FULL)).names
    for one in RESULTS:
        text = page(one)
        shown = Page(text)
        assert shown.names <= known
        assert {re.sub(r"\d+", "N", link) for link in shown.links} <= {
            "https://example.org/XXN", "#image-N", "url(#tip-N)",
        }  # fmt: skip
        assert text.replace("\n", "").isprintable()
        assert len(shown.ids) == len(set(shown.ids))


def test_the_graph_shows_where_files_go_and_for_which_platform_each_stage_is() -> None:
    source = (
        b"FROM --platform=$BUILDPLATFORM golang AS build\nFROM --platform=linux/amd64 debian AS old\n"
        b"FROM build AS more\nFROM alpine\nCOPY --from=more /a /a\nCOPY --from=old /b /b\nCOPY --from=more /c /c\n"
    )
    drawn = boxes(source)
    assert {name: (box.kind, box.final) for name, box in drawn.items()} == {
        "build": ("build", False),
        "old": ("constant", False),
        "more": ("build", False),
        "stage 3": ("target", True),
    }
    assert drawn["old"].platform == "linux/amd64"
    assert drawn["build"].x < drawn["more"].x < drawn["stage 3"].x
    assert drawn["build"].y != drawn["old"].y
    drawing = graph(result(source).files[0])
    assert drawing
    assert sorted(arrow.copies for arrow in drawing.arrows) == [False, True, True]
    assert all(0 <= box.x <= drawing.width - drawing.box_width for box in drawing.boxes)


def test_a_box_shows_the_end_of_an_image_and_no_more_than_fits() -> None:
    digest = b"@sha256:" + b"0" * 64
    drawn = boxes(
        b"FROM mcr.example.com/a/long/path/to/sdk:10.0"
        + digest
        + b" AS s\nFROM "
        + "漢".encode() * 40
        + b" AS "
        b"a-name-that-is-longer-than-any-box-that-can-hold-it\n"
    )
    one, two = drawn.values()
    assert one.base == "FROM …ong/path/to/sdk:10.0@…"
    assert two.name.endswith("…")
    for box in (one, two):
        assert max(width(box.name), width(box.base)) <= 28


def test_what_stands_between_backticks_is_code_and_a_lone_one_stays() -> None:
    for message, shown in {"`a <b>` c": "<code>a &lt;b&gt;</code> c", "a ` b": "<p>a ` b</p>"}.items():
        assert shown in page(result(SOURCE, [Finding("XX101", Span(5, 30), message, Severity.NOTE)]))


def test_an_image_without_findings_is_drawn_too() -> None:
    shown = Page(page(result(SOURCE)))
    assert "image-1" in shown.ids
    assert "Nothing was found." in "".join(shown.texts)


def test_an_arrow_past_a_column_runs_between_the_boxes() -> None:
    source = b"FROM a AS one\nFROM one AS two\nFROM two\nCOPY --from=one /a /a\n"
    drawing = graph(result(source).files[0])
    assert drawing
    (past,) = (arrow.path for arrow in drawing.arrows if arrow.copies)
    lane = re.search(r" L\d+ (\d+) ", past)
    assert lane
    assert not any(box.y <= int(lane[1]) <= box.y + drawing.box_height for box in drawing.boxes)


@pytest.mark.parametrize("source", [b"", b"NONSENSE\n", b"FROM a\n" * 61], ids=["empty", "broken", "many"])
def test_what_cannot_be_drawn_is_not(source: bytes) -> None:
    assert graph(result(source).files[0]) is None


def test_findings_beyond_what_a_page_bears_are_counted() -> None:
    many = result(
        SOURCE, [FINDING] + [Finding("XX101", Span(38, 46), f"m{n}", Severity.NOTE) for n in range(MOST)]
    )
    assert "1 more findings were left out" in "".join(Page(page(many)).texts)


def test_a_whole_folder_is_one_page(tmp_path: Path) -> None:
    base = result(SOURCE, [FINDING]).files[0]
    many = Result((base,) * 300, (), FULL.rules)
    shown = Page(page(many))
    assert sum(name.startswith("image-") for name in shown.ids) == 300
