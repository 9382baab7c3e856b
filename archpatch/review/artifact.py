"""A report that another job wrote, perhaps on a fork: an attacker's until it is proved.

It is read against a schema and a size. A finding that we make ourselves in the same file is told in our words, with
our fix. Of any other, the rule is named by what we know of it, the report's words are shown escaped and marked as
its, and its fix is not shown: a click would write what it says into the repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from archpatch.discover import Unreadable, read
from archpatch.report.comments import Remark
from archpatch.report.model import RuleInfo
from archpatch.rule import Severity

MAX_SIZE = 5 << 20  # bytes
_Line = Annotated[int, Meta(ge=1, le=10_000_000)]
_Name = Annotated[str, Meta(max_length=4096, min_length=1)]
_Long = Annotated[str, Meta(max_length=20_000)]


class BadReport(Exception):
    """A file that is no report of ours; str() is one line."""


class _Place(Struct, frozen=True):
    line: _Line


class _Fix(Struct, frozen=True):
    applicability: Literal["safe", "unsafe", "manual"]
    title: _Long = ""


class _Finding(Struct, frozen=True):
    code: Annotated[str, Meta(pattern=r"\A[A-Z]{2,8}[0-9]{3,5}\Z")]
    severity: Literal["error", "warning", "note"]
    start: _Place
    end: _Place
    fingerprint: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    path: _Name | None = None  # not there where it is not UTF-8: such a file cannot be commented on
    message: _Long = ""
    fix: _Fix | None = None


class _Image(Struct, frozen=True):
    path: _Name | None = None


class _Error(Struct, frozen=True):
    path: _Name | None = None


class Report(Struct, frozen=True):
    """What is taken from the file."""

    version: Literal[1]
    findings: Annotated[list[_Finding], Meta(max_length=20_000)]
    images: Annotated[list[_Image], Meta(max_length=200_000)]
    errors: Annotated[list[_Error], Meta(max_length=200_000)]
    unknown: Annotated[list[_Error], Meta(max_length=200_000)]

    @property
    def looked_at(self) -> frozenset[str]:
        """The Dockerfiles that were looked at without trouble."""
        trouble = {one.path for one in (*self.errors, *self.unknown)}
        return frozenset(one.path for one in self.images if one.path and one.path not in trouble)


def load(path: Path) -> Report:
    """Read a report. Raises BadReport."""
    try:
        report = msgspec.json.decode(read(path, MAX_SIZE, nul=True), type=Report)
    except (Unreadable, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReport(f"{path}: is no report of archpatch: {error}") from error
    for finding in report.findings:
        if finding.path and not _is_inside(finding.path):
            raise BadReport(f"{path}: names a file outside of the repository")
    return report


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\0" not in path


def remarks(
    report: Report, rules: Mapping[str, RuleInfo], own: Callable[[str], Mapping[str, Remark]]
) -> Iterator[Remark]:
    """What a review has to say of it; the worst first. A rule that we do not know is passed over.

    `own`: what we find in a file ourselves, by fingerprint.
    """
    for one in sorted(report.findings, key=lambda one: -Severity[one.severity.upper()]):
        rule = rules.get(one.code)
        if rule is None or one.path is None:
            continue
        mine = own(one.path).get(one.fingerprint)
        if mine is not None and mine.code == one.code:
            yield mine
            continue
        severity = Severity[one.severity.upper()]
        fix = f"{one.fix.title} ({one.fix.applicability})" if one.fix else ""
        last = max(one.start.line, one.end.line)
        yield Remark(
            _hearsay(one, one.path), one.code, rule.name, rule.url, severity, one.path, one.start.line, last,
            one.message, fix, hearsay=True,
        )  # fmt: skip


def _hearsay(one: _Finding, path: str) -> str:
    """A fingerprint that is none of ours, whatever the report says: its words take no comment of ours over."""
    told = "\n".join(("hearsay", one.code, one.fingerprint, path))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
