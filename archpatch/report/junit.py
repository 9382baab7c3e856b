"""`--output-format junit`: each Dockerfile a suite, each finding a test case that failed; a note is no failure."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.report import Look
from archpatch.report.model import Entry, Error, FileResult, Result, repository_path
from archpatch.report.xml import document, escaped, quoted
from archpatch.rule import Severity


def render(result: Result, look: Look) -> bytes:
    """The suites in the order of the files."""
    lines = ['<testsuites name="archpatch">']
    for file in result.files:
        lines += _suite(repository_path(file.path), file, file.errors, result)
    for error in result.errors:
        lines += _suite(repository_path(error.path), None, (error,), result)
    return document([*lines, "</testsuites>"])


def _suite(name: str, file: FileResult | None, errors: tuple[Error, ...], result: Result) -> Iterator[str]:
    entries = file.entries if file else ()
    failures = sum(entry.finding.severity > Severity.NOTE for entry in entries)
    tests = len(entries) + len(errors) or 1
    yield (
        f'  <testsuite name={quoted(name)} tests="{tests}" failures="{failures}" errors="{len(errors)}" skipped="0">'
    )
    for error in errors:
        yield f'    <testcase name="{error.kind.value}" classname={quoted(name)}>'
        yield f"      <error message={quoted(error.message)}/>"
        yield "    </testcase>"
    for entry in entries if file else ():
        assert file is not None
        yield from _case(name, file, entry, result)
    if not entries and not errors:
        yield f'    <testcase name="archpatch" classname={quoted(name)}/>'
    yield "  </testsuite>"


def _case(name: str, file: FileResult, entry: Entry, result: Result) -> Iterator[str]:
    found = entry.finding
    start, _ = file.places(found.span, entry.path)
    place = f"{entry.path}:{start.line}:{start.column}"
    title = f"{found.code} {result.rule(found.code).name} {start.line}:{start.column}"
    yield f'    <testcase name={quoted(title)} classname={quoted(name)} line="{start.line}">'
    if found.severity is Severity.NOTE:
        yield f"      <system-out>{escaped(f'{place}: {found.message}')}</system-out>"
    else:
        kind = str(found.severity)
        yield f'      <failure type="{kind}" message={quoted(found.message)}>{escaped(place)}</failure>'
    yield "    </testcase>"
