"""What a review says of a finding, and of those that it cannot put beside a line.

What comes from files is escaped or stands in a fence that it cannot end: no mention, link, image or HTML of
theirs gets through. Each comment begins with a mark by which it is found again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import jinja2
from msgspec import Struct

from archpatch.report.markdown import diff, fenced, text, unlinked
from archpatch.report.model import Entry, FileResult, Result, repository_path
from archpatch.report.pages import environment
from archpatch.report.rdjson import suggestion
from archpatch.report.regions import Region
from archpatch.report.safe import safe
from archpatch.rule import Severity
from archpatch.text import Applicability

LONGEST = 60_000  # characters of a comment; GitHub takes 65,536
MOST_LINES = 200  # of a finding or a fix; one that is longer has no line of its own
_MARK = re.compile(r"\A<!-- archpatch:v1:([0-9a-f]{64}|summary) -->\n")


class Lines(Struct, frozen=True):
    """New text for the lines `first` to `last` (from 1, both within), without the last line end."""

    first: int
    last: int
    text: str


class Remark(Struct, frozen=True):
    """A finding as a review knows it. `path` is that in the repository; texts are raw.

    `texts`: the lines that were looked at, as far as they are known; `replaced`: the fix, where it may be suggested;
    `url` empty: the rule has no page. `diff` is Markdown. `hearsay`: another job says so, and we did not find it.
    """

    fingerprint: str
    code: str
    name: str
    url: str
    severity: Severity
    path: str
    first: int
    last: int
    message: str
    fix: str = ""
    replaced: Lines | None = None
    diff: str = ""
    texts: Mapping[int, str] = {}
    hearsay: bool = False


def remarks(result: Result) -> Iterator[Remark]:
    """What a review has to say of a run: all but the notes of a style that was not chosen; the worst first."""
    found = [item for item in result.entries if not result.is_aside(item[1])]
    for file, entry in sorted(found, key=lambda item: -item[1].finding.severity):
        yield _remark(result, file, entry)


def _remark(result: Result, file: FileResult, entry: Entry) -> Remark:
    found = entry.finding
    rule = result.rule(found.code)
    lines = file.lines(entry.path)
    first, last = lines.number(found.span.start), lines.last(found.span)
    region = _suggested(file, entry)
    numbers = set(range(first, min(last, first + MOST_LINES) + 1))
    if region:
        numbers.update(range(region.first, region.last + 1))
    return Remark(
        entry.fingerprint,
        found.code,
        rule.name,
        rule.url,
        found.severity,
        repository_path(entry.path),
        first,
        last,
        found.message,
        f"{found.fix.title} ({found.fix.applicability})" if found.fix else "",
        Lines(region.first, region.last, region.new.decode().removesuffix("\n")) if region else None,
        diff(file, entry) if found.fix and found.fix.edits else "",
        {number: _shown(lines.text(number)) for number in numbers},
    )


def _shown(line: str) -> str:
    """A line as an API of JSON gives it back."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _suggested(file: FileResult, entry: Entry) -> Region | None:
    """The fix as whole lines, where anybody may take it by a click: safe, plain text, plain line ends."""
    fix = entry.finding.fix
    if fix is None or entry.level is not Applicability.SAFE:
        return None
    region = suggestion(file, fix)
    if region is None or region.path != entry.path or region.last - region.first >= MOST_LINES:
        return None
    if not region.old.endswith(b"\n") or region.new == b"\n":
        return None
    plain = region.new.decode().replace("\n", "").replace("\t", "")
    return region if plain.isprintable() else None


def comment(remark: Remark, *, suggested: bool, fence: str = "suggestion") -> str:
    """The body of a comment; `suggested`: it stands at just the lines that the fix replaces."""
    shown = _suggestion(remark.replaced, fence) if suggested and remark.replaced else ""
    body = _comment(remark, shown, remark.diff)
    return body if len(body) <= LONGEST else _comment(remark, "", "")


def _comment(remark: Remark, shown: str, told: str) -> str:
    name = text(remark.name)
    return _render(
        "comment.md.j2",
        remark=remark,
        rule=f"[{text(remark.code)}]({remark.url}) {name}" if remark.url else f"{text(remark.code)} {name}",
        message=_short(remark.message),
        fix=_short(remark.fix),
        fix_html=html.escape(unlinked(safe(remark.fix)[:500])),
        suggestion=shown,
        diff=told,
    )


def _suggestion(lines: Lines, language: str) -> str:
    """A block that replaces the lines of the comment; an empty one deletes them."""
    if lines.text == "":
        return f"```{language}\n```"
    return fenced(lines.text, language)


def cut(value: str, most: int) -> str:
    """The first `most` characters of a text of others, as it is shown, within a line of Markdown."""
    return text(safe(value)[:most])


def _short(value: str) -> str:
    return cut(value, 4000)


def outside(
    found: Sequence[Remark], notes: Sequence[str], request: str = "pull request", most: int = 200
) -> str:
    """The one comment on what is found elsewhere; as much as there is room for."""
    lines: list[str] = []
    room = LONGEST - 2000 - sum(map(len, notes))
    for remark in found[:most]:
        place = f"{cut(remark.path, 500)}:{remark.first}"
        line = f"{remark.severity} {text(remark.code)} {place} {cut(remark.message, 500)}"
        room -= len(line) + 3
        if room < 0:
            break
        lines.append(line)
    return _render(
        "outside.md.j2", lines=lines, left_out=len(found) - len(lines), notes=notes, request=request
    )


def mended(fingerprint: str) -> str:
    """What stands in place of a comment whose thread we may not resolve."""
    return f"<!-- archpatch:v1:{fingerprint} -->\nNothing is left to say here; this thread may be resolved."


def mark(body: str) -> str | None:
    """The fingerprint that a comment of ours begins with, or `summary`."""
    match = _MARK.match(body.replace("\r\n", "\n"))
    return match[1] if match else None


def same(one: str, two: str) -> bool:
    """Whether two bodies say the same; servers change line ends and blanks at the end."""
    return _plain(one) == _plain(two)


def _plain(body: str) -> str:
    return "\n".join(line.rstrip() for line in body.replace("\r\n", "\n").strip().split("\n"))


def _render(name: str, **values: object) -> str:
    return _environment().get_template(name).render(**values).encode("utf-8", "replace").decode()


@cache
def _environment() -> jinja2.Environment:
    """Each text of its templates goes through text(), fenced() or html.escape."""
    return environment(keep_end=False)
