"""`--output-format sarif`: SARIF 2.1.0, with all that GitHub's code scanning asks for.

Paths are those within the repository, links followed: GitHub shows no finding in a file behind a link.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from archpatch import HOMEPAGE, __version__
from archpatch.report import Look
from archpatch.report.json import Object, dump
from archpatch.report.linehash import line_hashes
from archpatch.report.model import Entry, FileResult, Kind, Result, RuleInfo, repository_path
from archpatch.rule import Severity
from archpatch.text import Edit, Fix, Span

MOST = 25_000  # results of a run that GitHub takes
_LONGEST = 1024  # characters of a description
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation"}


def render(result: Result, look: Look) -> bytes:
    """One run."""
    found = [(file, entry) for file in result.files for entry in (*file.entries, *file.suppressed)]
    found.sort(key=lambda item: -item[1].finding.severity)
    rules = [rule for _, rule in sorted(result.rules.items())]
    index = {rule.code: at for at, rule in enumerate(rules)}
    run: Object = {
        "tool": {
            "driver": {
                "name": "archpatch",
                "semanticVersion": __version__,
                "informationUri": HOMEPAGE,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": "archpatch/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The root of the repository."}}},
        "invocations": [_invocation(result, len(found))],
        "results": [_result(file, entry, index) for file, entry in found[:MOST]],
    }
    return dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _rule(rule: RuleInfo) -> Object:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": _short(rule.summary) or rule.name},
        "fullDescription": {"text": _short(_plain(rule.manual)) or rule.name},
        "help": {"text": _plain(rule.manual) or rule.name, "markdown": rule.manual or rule.name},
        "helpUri": rule.url,
        "defaultConfiguration": {"level": str(rule.severity)},
        "properties": {
            "precision": "high",
            "problem.severity": _PROBLEM[rule.severity],
            "tags": ["multi-arch", "docker", "portability"],
        },
    }


def _plain(manual: str) -> str:
    return manual.replace("`", "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _invocation(result: Result, found: int) -> Object:
    told = [_notification("error", error.path, error.message, error.line) for error in result.all_errors]
    told += [
        _notification("note", file.path, problem.message, file.lines(None).number(problem.span.start))
        for file in result.files
        for problem in file.unknown
    ]
    if found > MOST:
        text = f"{found - MOST} findings were left out, the least severe ones: {MOST} is the limit."
        told.append({"level": "warning", "message": {"text": text}})
    broken = any(error.kind is Kind.INTERNAL for error in result.all_errors)
    return {"executionSuccessful": not broken, "toolExecutionNotifications": told}


def _notification(level: str, path: Path, message: str, line: int | None) -> Object:
    place: Object = {"artifactLocation": _artifact(path)}
    if line:
        place["region"] = {"startLine": line}
    return {"level": level, "message": {"text": unicode(message)}, "locations": [{"physicalLocation": place}]}


def _result(file: FileResult, entry: Entry, index: dict[str, int]) -> Object:
    found = entry.finding
    result: Object = {
        "ruleId": found.code,
        "ruleIndex": index[found.code],
        "level": str(found.severity),
        "message": {"text": unicode(found.message)},
        "locations": [_location(file, found.span, entry.path)],
        "partialFingerprints": dict(_fingerprints(file, entry)),
    }
    if found.related:
        result["relatedLocations"] = [
            {"id": at, **_location(file, one.span, one.path), "message": {"text": unicode(one.message)}}
            for at, one in enumerate(found.related, 1)
        ]
    if found.fix and found.fix.edits:
        result["fixes"] = [_fix(file, found.fix)]
    if entry.suppressed:
        result["suppressions"] = [{"kind": "inSource"}]
    return result


def _fingerprints(file: FileResult, entry: Entry) -> Iterator[tuple[str, str]]:
    yield "archpatchFingerprint/v1", entry.fingerprint
    hashes = line_hashes(file.text(entry.path))
    line = file.lines(entry.path).number(entry.finding.span.start)
    if line <= len(hashes):
        yield "primaryLocationLineHash", hashes[line - 1]


def _location(file: FileResult, span: Span, path: Path | None) -> Object:
    place = {"artifactLocation": _artifact(path or file.path), "region": _region(file, span, path)}
    return {"physicalLocation": place}


def _region(file: FileResult, span: Span, path: Path | None) -> Object:
    start, end = file.places(span, path)
    return {
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
        "byteOffset": span.start,
        "byteLength": len(span),
    }


def _artifact(path: Path) -> Object:
    return {"uri": _uri(path, os.getcwd()), "uriBaseId": "SRCROOT"}


@lru_cache(maxsize=1024)
def _uri(path: Path, here: str) -> str:
    return quote(os.fsencode(repository_path(Path(os.path.realpath(os.path.join(here, path))))))


def _fix(file: FileResult, fix: Fix) -> Object:
    """The title says how far the fix may be trusted: SARIF has no field for it."""
    return {
        "description": {"text": unicode(f"{fix.title} ({fix.applicability})")},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(path),
                "replacements": [_replacement(file, path, edit) for edit in edits],
            }
            for path, edits in file.edits(fix)
        ],
    }


def _replacement(file: FileResult, path: Path, edit: Edit) -> Object:
    try:
        content = {"text": edit.text.decode("utf-8")}
    except UnicodeDecodeError:
        content = {"binary": base64.b64encode(edit.text).decode("ascii")}
    return {"deletedRegion": _region(file, edit.span, path), "insertedContent": content}


def unicode(text: str) -> str:
    """A text without lone surrogates; bytes that are no UTF-8 become U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
