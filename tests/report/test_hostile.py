"""Files, names and messages of an attacker: nothing of theirs escapes from any format."""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from archpatch.report import FORMATS, HUMAN, Look, render
from archpatch.report.comments import comment, mark, outside, remarks
from archpatch.report.html import MOST
from archpatch.report.markdown import fenced, text
from archpatch.report.model import Error, Kind, Result
from archpatch.rule import Finding, Related, Severity
from archpatch.syntax.tree import Problem
from archpatch.text import Edit, Span, decode
from tests.conftest import examples
from tests.report.conftest import fix, result

pytestmark = pytest.mark.long

NASTY = [
    b"\x1b[2J\x1b]0;owned\x07",
    b"\r::error file=x::owned",
    b"::error::owned",
    b" ::set-output name=a::b",
    b"##[error]owned",
    b"##vso[task.setvariable variable=a]b",
    b"x ##[group]y",
    b"section_start:1:x\r\x1b[0K",
    b"]]><!--<script>alert(1)</script>",
    b"\"'&<>",
    b"<img src=x onerror=alert(1)>",
    b"</details></code></pre>",
    b"```\n# owned\n```",
    b"````` x",
    b"[a](http://evil.example) ![b](https://evil.example/x.png)",
    b"https://evil.example www.evil.example a@evil.example",
    b"@everyone #1 GH-1 gl-1 evil/repo#2 3e5c1e6 a" + b"0" * 39,
    b'!1 $1 &1 ~bug %1.0 %"x" [issue:1]',
    b"| a | b |",
    b"\xff\xfe\x80",
    b"\xed\xa0\x80",
    "\u202e\u2066\u200b\ufeff\u2028\u2029\u0085\u009b".encode(),
    b"\x00\x01\x7f\x0b\x0c",
    b"%0A::error::x %25",
    b"a" * 3000,
    b"-" * 40 + b"\n" + b"=" * 40,
    b"* * *\n- x\n> y\n1. z",
]
COUNT = examples(200, 2000)


def nasty(seed: int) -> bytes:
    pick = random.Random(seed)
    return b" ".join(pick.choices(NASTY, k=pick.randint(1, 4)))


def hostile(seed: int) -> Result:
    """A result in which the file, its name, each message and each inserted text are an attacker's."""
    source = b"FROM a\nRUN " + nasty(seed) + b"\n" + nasty(seed + 1) + b"\nCMD x\n"
    message = decode(nasty(seed + 2))
    name = nasty(seed + 3).replace(b"/", b"_").replace(b"\0", b"0")[:200]
    at = source.index(b"RUN")
    end = source.rindex(b"\nCMD")
    mend = fix(
        Edit.replace(Span(at, at + 3), nasty(seed + 4)), Edit.insert(end, nasty(seed + 5)), title=message
    )
    found = Finding(
        "XX101", Span(at, end), message, Severity(seed % 3), mend, (Related(Span(0, 4), message),)
    )
    path = Path(decode(name))
    return result(
        source,
        [found],
        path=path,
        suppressed=[found],
        errors=[Error(path, Kind.PARSE, message, 1)],
        unknown=[Problem(Span(at, end), message)],
    )


RESULTS = [hostile(seed) for seed in range(0, COUNT * 6, 6)]


@functools.cache
def rendered(name: str) -> list[str]:
    return [render(name, one, Look()).decode("utf-8") for one in RESULTS]


@pytest.mark.parametrize("name", sorted(HUMAN))
def test_no_control_reaches_a_terminal(name: str) -> None:
    for report in rendered(name):
        for line in report.split("\n"):
            assert line.replace("\t", "").isprintable(), ascii(line)


COMMANDS = (
    "error",
    "warning",
    "notice",
    "debug",
    "group",
    "endgroup",
    "add-mask",
    "set-output",
    "stop-commands",
)


def actions_commands(line: str) -> str | None:
    """What the runner of GitHub Actions takes for a command: `::name` after blanks, or `##[name` anywhere."""
    if match := re.match(r"\s*::([a-z-]+)[ :]", line):
        return match[1] if match[1] in COMMANDS else None
    match = re.search(r"##\[([a-z-]+)", line)
    return match[1] if match and match[1] in COMMANDS else None


# Markdown goes to a file, never to the log; what people read is shown between two lines that stop commands.
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"github", "markdown", *HUMAN}])
def test_no_line_is_a_command_of_github_actions(name: str) -> None:
    for report in rendered(name):
        for line in re.split(r"\r\n?|\n", report):
            assert actions_commands(line) is None, line


@pytest.mark.parametrize("name", sorted(HUMAN))
def test_no_line_that_people_read_holds_the_old_form_of_a_command(name: str) -> None:
    assert not any(re.search(r"##\w*\[", report) for report in rendered(name))


def test_the_commands_for_github_actions_are_ours_alone() -> None:
    for one, report in zip(RESULTS, rendered("github"), strict=True):
        lines = re.split(r"\r\n?|\n", report.removesuffix("\n"))
        assert len(lines) == 2
        kind = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
        assert [actions_commands(line) for line in lines] == [
            "error",
            kind[one.files[0].entries[0].finding.severity],
        ]
        for line in lines:
            properties = line.removeprefix("::").split("::")[0].partition(" ")[2]
            known = {"file", "line", "endLine", "col", "endColumn", "title"}
            assert {pair.split("=")[0] for pair in properties.split(",")} <= known
            assert "\x1b" not in line


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("azure", "markdown")])
def test_no_line_is_a_command_of_azure_pipelines(name: str) -> None:
    for report in rendered(name):
        assert not re.search(r"##(vso)?\[", report)


def test_the_commands_for_azure_are_ours_alone() -> None:
    for report in rendered("azure"):
        for line in report.removesuffix("\n").split("\n"):
            assert re.fullmatch(r"##vso\[task\.logissue [^]]*\][^\x00-\x1f]*", line.replace("\t", " "))
            assert line.count("##") == 1


@pytest.mark.parametrize("name", ["json", "sarif", "gitlab", "rdjson", "jsonl", "rdjsonl"])
def test_json_is_valid_ascii_without_lone_surrogates(name: str) -> None:
    for report in rendered(name):
        assert report.isascii()
        assert report.replace("\n", "").isprintable()
        for document in report.splitlines() if name.endswith("l") else [report]:
            json.dumps(json.loads(document), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("name", ["checkstyle", "junit"])
def test_xml_is_valid(name: str) -> None:
    for report in rendered(name):
        root = ET.fromstring(report)
        assert {child.tag for child in root.iter()} <= {
            "checkstyle", "file", "error", "testsuites", "testsuite", "testcase", "failure", "system-out",
        }  # fmt: skip


# What GitHub and GitLab make links of in any text.
LINKED = re.compile(
    r"""@\w|\#\d|://|www\.|[!$&]\d|[~%][\w"]|\[[a-z_]+:\w|\b[Gg][HhLl]-\d|\b[0-9a-fA-F]{7,40}\b"""
)


def assert_plain(markdown: str, link: str = "https://example.org/XX101") -> None:
    """Nothing in it is HTML, an image, a mention or a link but what our templates put there."""
    for token in MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(markdown):
        if token.type == "html_block":
            ours = r"<!-- archpatch:v1:\w+ -->\s*|<details><summary>(?:[^<>@#]|&#x27;|[@#]\u200b)*</summary>\s*|</details>\s*"
            assert re.fullmatch(ours, token.content), token.content
        for inner in token.children or ():
            assert inner.type not in ("html_inline", "image")
            if inner.type == "link_open":
                assert inner.attrs["href"] == link
            if inner.type == "text":
                assert not LINKED.search(inner.content), inner.content


def test_markdown_holds_no_link_image_mention_or_html_of_theirs() -> None:
    for report in rendered("markdown"):
        assert_plain(report)


@pytest.mark.parametrize("fence", ["suggestion", "suggestion:-3+4"])
def test_comments_of_a_review_hold_no_link_image_mention_or_html_of_theirs(fence: str) -> None:
    suggested = 0
    for one in RESULTS:
        (remark,) = remarks(one)
        bodies = [comment(remark, suggested=shown, fence=fence) for shown in (True, False)]
        assert [mark(body) for body in bodies] == [remark.fingerprint] * 2
        for body in bodies:
            assert_plain(body)
        assert (f"```{fence}\n" in bodies[0]) == (remark.replaced is not None)
        assert f"```{fence}\n" not in bodies[1]
        suggested += remark.replaced is not None
    assert suggested


def test_the_comment_on_a_whole_request_holds_none_either() -> None:
    every = [remark for one in RESULTS for remark in remarks(one)]
    for at in range(0, len(every), 100):
        notes = [text(remark.message) for remark in every[at : at + 3]]
        body = outside(every[at : at + 100], notes)
        assert mark(body) == "summary"
        assert_plain(body)


def test_a_fence_cannot_be_closed_from_within() -> None:
    for run, language in itertools.product(range(12), ("", "diff")):
        body = f"x\n{'`' * run}\n# owned"
        (token,) = MarkdownIt().parse(fenced(body, language))
        assert token.type == "fence"
        assert token.content == body + "\n"


@pytest.mark.parametrize("value", [decode(one) for one in NASTY], ids=ascii)
def test_escaped_text_stands_for_itself(value: str) -> None:
    (_, inline, _) = MarkdownIt("gfm-like", {"linkify": False}).parse("x " + text(value))
    assert {child.type for child in inline.children or ()} == {"text"}


def is_whole(name: str, report: bytes) -> bool:
    """Whether a report can be read in its format."""
    if name in ("json", "sarif", "gitlab", "rdjson"):
        return bool(json.loads(report))
    if name in ("jsonl", "rdjsonl"):
        return all(json.loads(line) for line in report.splitlines()[::100])
    if name in ("checkstyle", "junit"):
        return ET.fromstring(report) is not None
    return report.endswith(b"\n") and b"XX101" in report


LEAST = {"sarif": 25_000, "markdown": 100, "html": MOST}  # of those that take no more


@pytest.mark.parametrize("name", FORMATS)
def test_a_great_many_findings_are_reported_in_every_format(name: str) -> None:
    count = examples(30_000 if name == "sarif" else 5_000, 100_000)  # SARIF's limit is 25,000
    source = b"FROM a\n" + b"RUN x\n" * 100
    base = result(source, [Finding("XX101", Span(7, 12), "m", Severity.NOTE)])
    (file,) = base.files
    many = Result((replace(file, entries=file.entries * count),), (), base.rules)
    report = render(name, many, Look())
    assert is_whole(name, report)
    assert report.count(b"XX101") >= LEAST.get(name, count)
    if name == "markdown":
        assert len(report) < 1_000_000
