"""`--output-format json`, version 1: stable, with a JSON Schema in the package (schemas/report.schema.json)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from archpatch import __version__
from archpatch.report import Look
from archpatch.report.lines import Place
from archpatch.report.model import Entry, Error, FileResult, Result
from archpatch.text import Edit, Fix, Span, encode

Object = dict[str, object]


def render(result: Result, look: Look) -> bytes:
    """One object."""
    report: Object = {
        "version": 1,
        "tool": __version__,
        "style": result.style.value,
        "platforms": [str(platform) for platform in result.platforms],
        "files": len(result.files),
        "images": [_image(file) for file in result.files],
        "findings": [finding(result, file, entry) for file, entry in result.entries],
        "suppressed": sum(len(file.suppressed) for file in result.files),
        "unknown": [
            {**path_of(file.path), **text_of("message", problem.message)}
            for file in result.files
            for problem in file.unknown
        ],
        "errors": [_error(error) for error in result.all_errors],
    }
    if result.mended is not None:
        report["baseline"] = {
            "known": sum(len(file.outside) for file in result.files),
            "mended": list(result.mended),
        }
    return dump(report, indent=2)


def dump(value: object, indent: int | None = None) -> bytes:
    """JSON in ASCII, so that no control character, surrogate or line separator is left raw.

    A runner of CI takes `##[` and `##vso[` for a command wherever it stands; `#` stands within strings alone.
    """
    text = json.dumps(value, indent=indent, separators=None if indent else (",", ":"))
    return text.replace("##", "#\\u0023").encode("ascii") + b"\n"


def finding(result: Result, file: FileResult, entry: Entry) -> Object:
    """One finding."""
    found = entry.finding
    rule = result.rule(found.code)
    return {
        "code": found.code,
        "name": rule.name,
        "severity": str(found.severity),
        **path_of(entry.path),
        **_span(file, found.span, entry.path),
        **text_of("message", found.message),
        "url": rule.url,
        "fingerprint": entry.fingerprint,
        "fix": _fix(file, found.fix) if found.fix else None,
        "related": [
            {
                **path_of(related.path or file.path),
                **_span(file, related.span, related.path),
                **text_of("message", related.message),
            }
            for related in found.related
        ],
    }


def path_of(path: Path) -> dict[str, str]:
    """`path`, with `/`; `path_base64` where it is not UTF-8."""
    raw = os.fsencode(path.as_posix())
    try:
        return {"path": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path_base64": base64.b64encode(raw).decode("ascii")}


def text_of(key: str, text: str | bytes) -> dict[str, str]:
    """A text under `key`; in base64 under `key_base64` where it is not UTF-8."""
    try:
        raw = encode(text)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte: from an escape in a JSON form
        raw = str(text).encode("utf-8", "replace")
    try:
        return {key: raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{key}_base64": base64.b64encode(raw).decode("ascii")}


def _span(file: FileResult, span: Span, path: Path | None) -> dict[str, dict[str, int]]:
    start, end = file.places(span, path)
    return {"start": _place(start), "end": _place(end)}


def _place(place: Place) -> dict[str, int]:
    return {"line": place.line, "column": place.column, "offset": place.offset}


def _fix(file: FileResult, fix: Fix) -> Object:
    return {
        **text_of("title", fix.title),
        "applicability": str(fix.applicability),
        "edits": [_edit(file, edit) for edit in fix.edits],
    }


def _edit(file: FileResult, edit: Edit) -> Object:
    path = path_of(edit.path or file.path)
    return {**path, "start": edit.span.start, "end": edit.span.end, **text_of("text", edit.text)}


def _image(file: FileResult) -> Object:
    states = {str(platform): state.value for platform, state in file.states.items()}
    return {**path_of(file.path), "target": None, "platforms": states}


def _error(error: Error) -> Object:
    message = text_of("message", error.message)
    return {**path_of(error.path), "line": error.line, "kind": error.kind.value, **message}
