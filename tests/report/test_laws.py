"""What a machine reads from a report and applies gives the very bytes that archpatch would write."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archpatch import look, session
from archpatch.discover import Found
from archpatch.report import Look, render
from archpatch.report.comments import comment, remarks
from archpatch.report.diff import patch
from archpatch.report.model import Result, Verb
from archpatch.report.regions import regions
from archpatch.rule import Finding, Rule, Severity, Style
from archpatch.session import Options
from archpatch.text import Applicability, Edit, Fix, Span, apply, decode, encode
from tests.report.conftest import result
from tests.report.test_lines import applied

SOURCES = [
    b"FROM a\nRUN b\nRUN c\nCMD d\n",
    b"FROM a\r\nRUN b\r\nRUN c\r\nCMD d",
    "\ufeffFROM é\nRUN 漢字 𝕏\n\n\nCMD d\n".encode(),
    b"FROM \xff\xfe\nRUN b\n\nCMD d\n",
    b"FROM a",
]


@st.composite
def mended(draw: st.DrawFn) -> tuple[bytes, Fix]:
    """A text and a fix of it: one to three edits that do not clash."""
    source = draw(st.sampled_from(SOURCES))
    texts = [b"", b"X", b"ARG Y\n", b"a\r\nb", "é".encode(), b"\n", b"\xfe"]
    places = [
        len(encode(decode(source)[:at])) for at in range(len(decode(source)) + 1)
    ]  # no character is split
    edits: list[Edit] = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.sampled_from(places))
        end = draw(st.sampled_from([place for place in places if start <= place <= start + 12]))
        text = draw(st.sampled_from(texts))
        if (text or end > start) and not any(Edit(Span(start, end), text).clashes(edit) for edit in edits):
            edits.append(Edit(Span(start, end), text))
    if not edits:
        edits = [Edit.insert(0, "# x\n")]
    return source, Fix("Mend it", tuple(edits), Applicability.SAFE)


def of(source: bytes, fix: Fix) -> Result:
    return result(source, [Finding("XX101", Span(0, 4), "m", Severity.WARNING, fix)], path=Path("D"))


def from_json(finding: dict[str, Any], source: bytes) -> bytes:
    edits = []
    for edit in finding["fix"]["edits"]:
        edits.append((edit["start"], edit["end"], text_of(edit)))
    for start, end, text in sorted(edits, reverse=True):
        source = source[:start] + text + source[end:]
    return source


def from_sarif(one: dict[str, Any], source: bytes, by: str) -> bytes:
    """Apply by lines and columns, or by bytes."""
    (change,) = one["fixes"][0]["artifactChanges"]
    starts = [0, *(at + 1 for at, byte in enumerate(source) if byte == 0x0A)]

    def offset(line: int, column: int) -> int:
        text = source[starts[line - 1] :].decode("utf-8", "surrogateescape")
        return starts[line - 1] + len(text[: column - 1].encode("utf-8", "surrogateescape"))

    edits = []
    for replacement in change["replacements"]:
        region, content = replacement["deletedRegion"], replacement["insertedContent"]
        text = base64.b64decode(content["binary"]) if "binary" in content else content["text"].encode()
        if by == "bytes":
            start, end = region["byteOffset"], region["byteOffset"] + region["byteLength"]
        else:
            start = offset(region["startLine"], region["startColumn"])
            end = offset(region["endLine"], region["endColumn"])
        edits.append((start, end, text))
    for start, end, text in sorted(edits, reverse=True):
        source = source[:start] + text + source[end:]
    return source


def from_rdjson(one: dict[str, Any], source: bytes) -> bytes | None:
    if "suggestions" not in one:
        return None
    (suggestion,) = one["suggestions"]
    lines = source.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    first, last = suggestion["range"]["start"]["line"], suggestion["range"]["end"]["line"]
    text = suggestion["text"].encode()
    if text and lines:
        for end in (b"\r\n", b"\n"):
            if lines[last - 1].endswith(end):
                text = text if text == end else text + end
                break
    return b"".join([*lines[: first - 1], text, *lines[last:]])


@given(mended())
def test_the_fix_of_a_json_report_gives_the_bytes_of_the_fix(case: tuple[bytes, Fix]) -> None:
    source, fix = case
    (finding,) = json.loads(render("json", of(source, fix), Look()))["findings"]
    assert from_json(finding, source) == apply(source, fix.edits)


@pytest.mark.parametrize("by", ["lines and columns", "bytes"])
@given(case=mended())
def test_the_fix_of_a_sarif_report_gives_the_bytes_of_the_fix(by: str, case: tuple[bytes, Fix]) -> None:
    source, fix = case
    (one,) = json.loads(render("sarif", of(source, fix), Look()))["runs"][0]["results"]
    assert from_sarif(one, source, by) == apply(source, fix.edits)


@given(mended())
@example((b"FROM a\n\n\nCMD d\n", Fix("Mend it", (Edit.insert(8, b"\n"),), Applicability.SAFE)))
def test_the_suggestion_of_an_rdjson_report_gives_the_bytes_of_the_fix(case: tuple[bytes, Fix]) -> None:
    source, fix = case
    (one,) = json.loads(render("rdjson", of(source, fix), Look()))["diagnostics"]
    found = from_rdjson(one, source)
    after = apply(source, fix.edits)
    if found is not None:
        assert found == after


@given(mended())
def test_regions_are_whole_lines_and_give_the_bytes_of_the_fix(case: tuple[bytes, Fix]) -> None:
    source, fix = case
    file = of(source, fix).files[0]
    found = list(regions(file, fix))
    parts, at = [], 0
    for region in found:
        assert region.span.of(source) == region.old
        assert region.span.start == 0 or source[region.span.start - 1 : region.span.start] == b"\n"
        assert region.span.end == len(source) or region.old.endswith(b"\n")
        parts += [source[at : region.span.start], region.new]
        at = region.span.end
    assert b"".join([*parts, source[at:]]) == apply(source, fix.edits)


@given(mended())
def test_the_diff_of_a_fix_leads_to_its_bytes(case: tuple[bytes, Fix]) -> None:
    source, fix = case
    after = apply(source, fix.edits)
    diff = patch({Path("D"): (source, after)})
    assert not diff or applied(source, diff) == after


def real_files(corpus: Path) -> list[Path]:
    files = sorted(path for path in (corpus / "real").rglob("*") if path.is_file())
    if os.environ.get("ARCHPATCH_FULL") != "1":
        files = random.Random(7).sample(files, min(300, len(files)))
    return files


STYLES = tuple(Style)


@dataclass(frozen=True)
class Looked:
    """Real files in a scratch folder, what `check` says of them, and what `diff --unsafe` would write."""

    folder: Path
    style: Style
    check: Result
    diff: Result


@pytest.fixture(scope="module", params=STYLES, ids=str)
def looked(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Looked]:
    here = os.getcwd()
    folder = tmp_path_factory.mktemp("real")
    os.chdir(folder)
    paths = []
    for number, source in enumerate(real_files(corpus)):
        path = Path(f"{number}/Dockerfile")
        path.parent.mkdir()
        shutil.copyfile(source, path)
        paths.append(path)
    found = Found(tuple(paths), total=len(paths))
    check, diff = (
        session.run(
            found, Options(verb=verb, level=Applicability.UNSAFE, style=request.param, jobs=2, isolated=True)
        )
        for verb in (Verb.CHECK, Verb.DIFF)
    )
    yield Looked(folder, request.param, check, diff)
    os.chdir(here)


def test_real_files_are_found_something_in(looked: Looked) -> None:
    assert any(file.entries for file in looked.check.files)
    assert any(file.changes for file in looked.diff.files)


def test_the_diff_of_real_files_gives_the_bytes_of_fix(looked: Looked) -> None:
    folder = looked.folder
    text = b"".join(patch(file.changes) for file in looked.diff.files)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=text, check=True, cwd=folder)
    patched = {path: (folder / path).read_bytes() for file in looked.diff.files for path in file.changes}
    for file in looked.diff.files:
        for path, (old, _) in file.changes.items():
            (folder / path).write_bytes(old)
    found = Found(tuple(file.path for file in looked.diff.files))
    options = Options(verb=Verb.FIX, level=Applicability.UNSAFE, style=looked.style, jobs=2, isolated=True)
    session.run(found, options)
    for path, after in patched.items():
        assert (folder / path).read_bytes() == after, path
    for file in looked.diff.files:
        assert (file.path in patched) == ((folder / file.path).read_bytes() != file.source)
        for path, (old, _) in file.changes.items():
            (folder / path).write_bytes(old)


def test_each_fix_of_a_report_on_real_files_gives_the_bytes_of_that_fix_alone(looked: Looked) -> None:
    check = looked.check
    report = json.loads(render("json", check, Look()))["findings"]
    scan = json.loads(render("sarif", check, Look()))["runs"][0]["results"]
    by_print = {
        one["partialFingerprints"]["archpatchFingerprint/v1"]: one
        for one in scan
        if "suppressions" not in one
    }
    diagnostics = json.loads(render("rdjson", check, Look()))["diagnostics"]
    compared = suggested = 0
    for (file, entry), finding, one in zip(check.entries, report, diagnostics, strict=True):
        fix = entry.finding.fix
        if not fix or not fix.edits:
            continue
        assert not any(edit.path for edit in fix.edits), "each of these files stands alone"
        after = apply(file.source, fix.edits)
        assert from_json(finding, file.source) == after
        same = by_print[entry.fingerprint]
        assert unquote(same["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) == str(file.path)
        for by in ("bytes", "lines and columns"):
            assert from_sarif(same, file.source, by) == after
        found = from_rdjson(one, file.source)
        if found is not None:
            suggested += 1
            assert found == after
        compared += 1
    assert compared
    assert suggested


def from_comment(body: str, first: int, last: int, source: bytes) -> bytes | None:
    """A suggestion in a comment on some lines, taken by a click: what stands in its block replaces them."""
    block = re.search(r"^(`{3,})suggestion[^\n]*\n(?P<text>.*?)^\1$", body, re.M | re.S)
    if block is None:
        return None
    lines = source.decode("utf-8", "surrogateescape").split("\n")
    lines[first - 1 : last] = block["text"].split("\n")[:-1]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("fence", ["suggestion", "suggestion:-2+0"])
def test_each_suggestion_of_a_review_of_real_files_gives_the_bytes_of_that_fix_alone(
    looked: Looked, fence: str
) -> None:
    fixes = {entry.fingerprint: (file, entry) for file, entry in looked.check.entries}
    taken = 0
    for remark in remarks(looked.check):
        file, entry = fixes[remark.fingerprint]
        lines, fix = remark.replaced, entry.finding.fix
        first, last = (lines.first, lines.last) if lines else (1, 1)
        found = from_comment(comment(remark, suggested=True, fence=fence), first, last, file.source)
        assert (found is None) == (lines is None)
        if found is not None:
            assert fix
            assert fix.applicability is Applicability.SAFE
            assert found == apply(file.source, fix.edits)
            taken += 1
    assert taken


def test_fixes_of_a_report_applied_until_none_is_left_give_the_bytes_of_fix(looked: Looked) -> None:
    wanted = {file.path: file.changes[file.path][1] for file in looked.diff.files if file.changes}
    report = json.loads(render("json", looked.check, Look()))["findings"]
    for file in looked.check.files:
        findings = [one for one in report if one["path"] == file.path.as_posix()]
        if findings:
            after = settled(file.path, file.source, findings, looked.style)
            assert after == wanted.get(file.path, file.source), file.path


def settled(path: Path, source: bytes, findings: list[dict[str, Any]], style: Style) -> bytes:
    """Apply what a JSON report offers, in order of place, whole fixes that do not clash; check again; until none is left."""
    for _ in range(20):
        chosen: list[Fix] = []
        for fix in sorted(offered(findings, style), key=lambda fix: [edit.order for edit in fix.edits]):
            if not any(fix.clashes(other) for other in chosen):
                chosen.append(fix)
        if not chosen:
            return source
        source = apply(source, [edit for fix in chosen for edit in fix.edits])
        again = session.run(Found((path,)), Options(style=style, isolated=True), stdin=source)
        findings = json.loads(render("json", again, Look()))["findings"]
    raise AssertionError("never settles")


def offered(findings: list[dict[str, Any]], style: Style) -> Iterator[Fix]:
    """What `fix --unsafe` writes of a report: the fixes of errors and warnings, and of notes of the style."""
    for one in findings:
        fix = one["fix"]
        rule = look.by_code()[one["code"]]
        if fix is None or not fix["edits"] or fix["applicability"] == "manual":
            continue
        if one["severity"] != "note" or (isinstance(rule, Rule) and rule.style is style):
            edits = (Edit(Span(e["start"], e["end"]), text_of(e)) for e in fix["edits"])
            yield Fix(fix["title"], tuple(edits), Applicability[fix["applicability"].upper()])


def text_of(edit: dict[str, Any]) -> bytes:
    return base64.b64decode(edit["text_base64"]) if "text_base64" in edit else edit["text"].encode()
