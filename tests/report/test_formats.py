"""Each format holds what its readers ask for."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from archpatch.report import FORMATS, Look, render
from archpatch.report.model import Result, Verb, entries
from archpatch.rule import Finding, Related, Severity, Style
from archpatch.syntax.parse import parse
from archpatch.text import Applicability, Edit, Span
from tests.report.conftest import FINDING, FULL, NOTE, RULE, SOURCE, fix, result


def shown(name: str, of: Result = FULL, look: Look | None = None) -> str:
    return render(name, of, look or Look()).decode("utf-8")


def test_a_frame_shows_the_place_the_fix_and_how_far_it_is_trusted() -> None:
    assert shown("full", result(SOURCE, [FINDING]), Look(quiet=True)) == (
        "warning[XX101] It is pinned\n"
        " --> a/Dockerfile:1:6  some-pitfall\n"
        "  |\n"
        "1 | FROM --platform=$BUILDPLATFORM alpine\n"
        "  |      ^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "2 | RUN true\n"
        "  |\n"
        "  = see a/Dockerfile:2:1: used here\n"
        "  = fix (safe, `archpatch fix` writes it): Mend it\n"
        "1 - FROM --platform=$BUILDPLATFORM alpine\n"
        "1 + FROM alpine\n"
    )


def test_a_fix_in_two_places_numbers_its_lines_as_they_will_be() -> None:
    source = b"FROM a\n" + b"RUN x\n" * 8 + b"RUN last\n"
    at = source.index(b"last")
    mended = fix(Edit.insert(7, "ARG ONE\nARG TWO\n"), Edit.replace(Span(at, at + 4), "end"))
    frame = shown("full", result(source, [Finding("XX101", Span(0, 4), "m", Severity.NOTE, mended)]))
    assert (" 2 + ARG ONE\n 3 + ARG TWO\n 4 | RUN x\n   :\n10 - RUN last\n12 + RUN end\n") in frame


def test_carets_stand_under_wide_characters_and_tabs() -> None:
    source = "FROM a\nRUN\techo 漢字 x\n".encode()
    found = Finding("XX101", Span(source.index(b"x\n"), source.index(b"x\n") + 1), "m", Severity.NOTE)
    frame = shown("full", result(source, [found]), Look(quiet=True)).splitlines()
    assert frame[4] == "2 | RUN    echo 漢字 x"
    assert frame[5] == "  |                  ^"


def test_a_place_of_many_lines_is_cut_short() -> None:
    source = b"FROM a\nRUN x \\\n" + b"  y \\\n" * 50 + b"  z\n"
    found = Finding("XX101", Span(7, len(source) - 1), "m", Severity.NOTE)
    frame = shown("full", result(source, [found]), Look(quiet=True))
    assert frame.count("\n") < 20
    assert "  :\n" in frame
    assert "53 |   z\n" in frame


def test_a_very_long_line_is_cut_around_the_place() -> None:
    source = b"FROM a\nRUN " + b"x" * 50_000 + b" HERE " + b"y" * 50_000 + b"\n"
    at = source.index(b"HERE")
    found = Finding(
        "XX101", Span(at, at + 4), "m", Severity.NOTE, fix(Edit.replace(Span(at, at + 4), "THERE"))
    )
    frame = shown("full", result(source, [found]), Look(quiet=True))
    assert len(frame) < 2000
    line, carets = frame.splitlines()[4:6]
    assert line[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    assert "THERE" in frame


def test_the_summary_counts_and_names_the_next_command() -> None:
    text = shown("full", Result(FULL.files, (), FULL.rules, arguments=("a b",)))
    assert text.endswith(
        "1 Dockerfile:\n"
        "  linux/amd64: 1 ready\n"
        "  linux/arm64: 1 ready after fix\n"
        "Findings: 1 warning, 1 note; fixes: 1 safe, 0 unsafe; suppressed: 1; could not be read as shell: 1 RUN\n"
        "Next: archpatch fix 'a b'\n"
    )


@pytest.mark.parametrize(
    ("applicability", "verb", "command"),
    [
        (Applicability.SAFE, Verb.CHECK, "archpatch fix x"),
        (Applicability.UNSAFE, Verb.CHECK, "archpatch fix --unsafe --diff x"),
        (Applicability.UNSAFE, Verb.FIX, "archpatch fix --unsafe --diff x"),
        (Applicability.MANUAL, Verb.CHECK, "archpatch explain XX101"),
        (None, Verb.CHECK, "archpatch verify x"),
    ],
)
def test_the_next_command(applicability: Applicability | None, verb: Verb, command: str) -> None:
    found = Finding("XX101", Span(5, 30), "m", Severity.WARNING)
    if applicability is not None:
        mend = fix(Edit.delete(Span(5, 31)), applicability=applicability)
        found = Finding("XX101", Span(5, 30), "m", Severity.WARNING, mend)
    made = result(SOURCE, [] if applicability is None else [found])
    text = shown(
        "full",
        Result(made.files, (), made.rules, verb=verb, arguments=("x", "--style", "explicit"), paths=("x",)),
    )
    options = "" if command.split()[1] in ("explain", "verify") else " --style explicit"
    assert text.splitlines()[-1] == f"Next: {command}{options}"


def test_concise_is_one_line_a_finding() -> None:
    assert shown("concise", FULL, Look(quiet=True)) == (
        "a/Dockerfile:1:6: warning XX101 [*] It is pinned\na/Dockerfile:2:1: note XX101 A note\n"
    )


def test_json_holds_what_the_contract_says() -> None:
    report = json.loads(shown("json"))
    assert list(report) == [
        "version", "tool", "style", "platforms", "files", "images", "findings", "suppressed", "unknown", "errors",
    ]  # fmt: skip
    finding = report["findings"][0]
    assert finding == {
        "code": "XX101",
        "name": "some-pitfall",
        "severity": "warning",
        "path": "a/Dockerfile",
        "start": {"line": 1, "column": 6, "offset": 5},
        "end": {"line": 1, "column": 31, "offset": 30},
        "message": "It is pinned",
        "url": RULE.url,
        "fingerprint": finding["fingerprint"],
        "fix": {
            "title": "Mend it",
            "applicability": "safe",
            "edits": [{"path": "a/Dockerfile", "start": 5, "end": 31, "text": ""}],
        },
        "related": [
            {
                "path": "a/Dockerfile",
                "start": {"line": 2, "column": 1, "offset": 38},
                "end": {"line": 2, "column": 9, "offset": 46},
                "message": "used here",
            }
        ],
    }
    assert report["suppressed"] == 1
    assert report["unknown"] == [
        {"path": "a/Dockerfile", "message": "RUN at line 2 could not be read as shell"}
    ]
    assert report["errors"][0] == {"path": "b", "line": 3, "kind": "parse", "message": "unknown"}
    assert [json.loads(line) for line in shown("jsonl").splitlines()] == report["findings"]


def test_a_text_that_is_no_utf8_is_given_in_base64() -> None:
    mend = fix(Edit.replace(Span(5, 6), b"\xff"))
    made = result(b"FROM a\n", [Finding("XX101", Span(5, 6), "bad \udcff", Severity.NOTE, mend)])
    finding = json.loads(shown("json", made))["findings"][0]
    assert finding["message_base64"] == "YmFkIP8="
    assert finding["fix"]["edits"][0]["text_base64"] == "/w=="
    assert "message" not in finding


def test_a_fingerprint_stays_when_lines_move_and_differs_between_twins() -> None:
    def prints(source: bytes, at: list[int]) -> list[str]:
        found = [Finding("XX101", Span(one, one + 1), "m", Severity.NOTE) for one in at]
        return [entry.fingerprint for entry in entries(parse(source, Path("D")), found, {})]

    one = b"FROM a AS x\nRUN b \\\n  c\nRUN b   c\n"
    moved = b"# new\n\nFROM a AS x\nARG z\nRUN b \\\n  c\nRUN b   c\n"
    first = prints(one, [one.index(b"RUN"), one.rindex(b"RUN")])
    assert first == prints(moved, [moved.index(b"RUN"), moved.rindex(b"RUN")])
    assert first[0] != first[1]
    twins = b"FROM a\nRUN b\nRUN b\n"
    assert len(set(prints(twins, [7, 13]))) == 2
    other_stage = b"FROM a AS y\nRUN b \\\n  c\nRUN b   c\n"
    assert prints(other_stage, [12])[0] != first[0]


def test_findings_of_a_very_long_instruction_have_fingerprints_of_their_own() -> None:
    words = " ".join(f"word{number}" for number in range(2000))
    source = f"FROM a\nRUN {words}\n".encode()
    places = [Span(source.index(word), source.index(word) + 5) for word in (b"word7 ", b"word8 ")]
    found = [replace(FINDING, span=place, fix=None) for place in places]
    first, second = (entry.fingerprint for entry in entries(parse(source, Path("D")), found, {}))
    assert first != second
    moved = b"# a line above\n" + source.replace(b" word", b"  word")
    later = [replace(one, span=Span(one.span.start + 30, one.span.end + 30)) for one in found]
    assert [entry.fingerprint for entry in entries(parse(moved, Path("D")), later, {})] == [first, second]
    other = source.replace(b"word1999", b"word2000")
    assert entries(parse(other, Path("D")), found, {})[0].fingerprint != first


def sarif(of: Result = FULL) -> dict[str, Any]:
    report = json.loads(shown("sarif", of))
    assert report["version"] == "2.1.0"
    assert report["$schema"].endswith("sarif-2.1.0.json")
    (run,) = report["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_holds_what_github_requires() -> None:
    run = sarif()
    assert run["tool"]["driver"]["name"] == "archpatch"
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["id"]
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in ("note", "warning", "error")
        assert rule["properties"]["precision"] in ("very-high", "high", "medium", "low")
        assert "security-severity" not in rule["properties"]
        assert len(rule["properties"]["tags"]) <= 20
    for one in run["results"]:
        assert one["message"]["text"]
        assert one["level"] in ("note", "warning", "error")
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["partialFingerprints"]["primaryLocationLineHash"].count(":") == 1
        place = one["locations"][0]["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith(("/", "file:", "./"))
        assert {"startLine", "startColumn", "endLine", "endColumn"} <= set(place["region"])
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["automationDetails"]["id"] == "archpatch/"


def test_sarif_says_what_is_hidden_what_is_related_and_what_could_not_be_done() -> None:
    run = sarif()
    assert [one["level"] for one in run["results"]] == ["error", "warning", "note"]
    assert [one.get("suppressions") for one in run["results"]] == [[{"kind": "inSource"}], None, None]
    related = run["results"][1]["relatedLocations"][0]
    assert (related["id"], related["message"]["text"]) == (1, "used here")
    told = run["invocations"][0]["toolExecutionNotifications"]
    assert [(one["level"], one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for one in told] == [
        ("error", "b"), ("error", "gone"), ("note", "a/Dockerfile"),
    ]  # fmt: skip
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_names_the_file_behind_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()
    Path("real é").mkdir()
    Path("real é/x").write_bytes(SOURCE)
    Path("Dockerfile").symlink_to("real é/x")
    run = sarif(result(SOURCE, [FINDING], path=Path("Dockerfile")))
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "real%20%C3%A9/x", "uriBaseId": "SRCROOT"}


def test_sarif_leaves_out_the_least_severe_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archpatch.report.sarif.MOST", 2)
    run = sarif()
    assert [one["level"] for one in run["results"]] == ["error", "warning"]
    assert (
        "1 findings were left out"
        in run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    )


def test_github_commands() -> None:
    lines = shown("github").splitlines()
    assert lines == [
        "::error file=b,title=archpatch%3A parse,line=3::unknown",
        "::error file=gone,title=archpatch%3A read::no such file or folder",
        "::warning file=a/Dockerfile,line=1,endLine=1,col=6,endColumn=31,title=XX101 some-pitfall::It is pinned",
        "::notice file=a/Dockerfile,line=2,endLine=2,col=1,endColumn=9,title=XX101 some-pitfall::A note",
    ]


def test_github_leaves_columns_out_for_places_of_several_lines() -> None:
    made = result(SOURCE, [Finding("XX101", Span(5, 42), "100%: a,b", Severity.ERROR)])
    assert shown("github", made) == (
        "::error file=a/Dockerfile,line=1,endLine=2,title=XX101 some-pitfall::100%25: a,b\n"
    )


def test_gitlab_code_quality() -> None:
    assert json.loads(shown("gitlab"))[0] == {
        "description": "It is pinned",
        "check_name": "XX101 some-pitfall",
        "fingerprint": FULL.files[0].entries[0].fingerprint,
        "severity": "major",
        "location": {"path": "a/Dockerfile", "lines": {"begin": 1, "end": 1}},
    }


def test_rdjson_has_columns_in_bytes_and_line_wise_suggestions() -> None:
    source = "FROM é AS x\n".encode()
    found = Finding("XX101", Span(8, 12), "m", Severity.ERROR)
    one = json.loads(shown("rdjson", result(source, [found])))["diagnostics"][0]
    assert one["location"]["range"] == {"start": {"line": 1, "column": 9}, "end": {"line": 1, "column": 13}}
    assert one["severity"] == "ERROR"
    mended = json.loads(shown("rdjson"))["diagnostics"][0]
    assert mended["suggestions"] == [
        {"range": {"start": {"line": 1}, "end": {"line": 1}}, "text": "FROM alpine"}
    ]
    assert mended["location"]["range"] == mended["suggestions"][0]["range"]
    assert json.loads(shown("rdjsonl").splitlines()[0]) == mended


def test_rdjson_suggests_nothing_for_places_far_apart() -> None:
    source = b"FROM a\n" + b"RUN x\n" * 40
    mend = fix(Edit.replace(Span(5, 6), "b"), Edit.insert(len(source), "RUN y\n"))
    made = result(source, [Finding("XX101", Span(5, 6), "m", Severity.NOTE, mend)])
    assert "suggestions" not in json.loads(shown("rdjson", made))["diagnostics"][0]


def test_checkstyle_and_junit_are_xml() -> None:
    files = ET.fromstring(shown("checkstyle")).findall("file")
    assert [(file.get("name"), len(file)) for file in files] == [("a/Dockerfile", 2), ("b", 1), ("gone", 1)]
    assert files[0][0].attrib == {
        "line": "1", "column": "6", "severity": "warning", "message": "It is pinned", "source": "archpatch.XX101",
    }  # fmt: skip
    suites = ET.fromstring(shown("junit")).findall("testsuite")
    assert [(one.get("tests"), one.get("failures"), one.get("errors")) for one in suites] == [
        ("2", "1", "0"), ("1", "0", "1"), ("1", "0", "1"),
    ]  # fmt: skip
    clean = ET.fromstring(shown("junit", result(b"FROM a\n")))
    assert [one.get("tests") for one in clean.iter("testsuite")] == ["1"]


def test_azure_commands() -> None:
    assert shown("azure", result(SOURCE, [FINDING])) == (
        "##vso[task.logissue type=warning;sourcepath=a/Dockerfile;linenumber=1;columnnumber=6;code=XX101;]It is pinned\n"
    )


def test_markdown_has_a_matrix_and_fenced_diffs() -> None:
    text = shown("markdown")
    assert text.startswith("## archpatch: 0 of 1 Dockerfile ready\n\n1 warning, 1 note\n")
    assert "| a/Dockerfile | ready | ready after `archpatch fix` |" in text
    assert "```diff\n@@ a/Dockerfile:1 @@\n-FROM --platform=$BUILDPLATFORM alpine\n+FROM alpine\n```" in text
    assert "- gone: no such file or folder" in text


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_found_is_a_valid_report_too(name: str) -> None:
    text = shown(name, Result(rules=FULL.rules))
    if name in ("json", "sarif", "gitlab", "rdjson"):
        json.loads(text)
    elif name in ("checkstyle", "junit"):
        ET.fromstring(text)


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_is_the_same_every_time(name: str) -> None:
    assert shown(name) == shown(name)


def test_notes_of_the_other_style_are_one_line_and_json_keeps_them() -> None:
    explicit = replace(RULE, style=Style.EXPLICIT)
    plain = result(SOURCE, [NOTE])
    entry = replace(plain.files[0].entries[0], written=False)
    many = replace(
        plain, files=(replace(plain.files[0], entries=(entry, entry)),), rules={RULE.code: explicit}
    )
    text = shown("full", many)
    assert "A note" not in text
    assert (
        "Not shown: 2 notes of the explicit style (XX101); "
        "--style explicit or --select CODE shows and writes them\n"
    ) in text
    assert len(json.loads(shown("json", many))["findings"]) == 2
    assert "A note" in shown("full", replace(many, rules=plain.rules))  # a note of no style is shown


@pytest.mark.parametrize("width", [50, 80, 0])
def test_long_messages_are_broken_at_the_terminal_s_width_and_nowhere_else(width: int) -> None:
    words = " ".join(f"word{n}" for n in range(60))
    long = Finding(
        "XX101",
        FINDING.span,
        words,
        Severity.WARNING,
        fix(Edit.delete(Span(5, 31)), title=words),
        (Related(Span(38, 46), words),),
    )
    text = shown("full", result(SOURCE, [long]), Look(quiet=True, width=width))
    assert " ".join(text.split()).count("word58 word59") == 3
    told = [line for line in text.splitlines() if "word" in line]
    assert max(map(len, told)) <= (width or 1000)
    assert (len(told) == 3) == (width == 0)
