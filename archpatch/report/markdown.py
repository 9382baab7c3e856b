"""`--output-format markdown`: for step summaries and comments.

What comes from files stands in fences longer than any run of backticks in it, or escaped: no link, image, mention
or HTML of theirs gets through.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import jinja2
from msgspec import Struct

from archpatch.report import Look
from archpatch.report.diff import blocks, lines
from archpatch.report.model import Entry, FileResult, Result, State
from archpatch.report.pages import environment
from archpatch.report.regions import regions
from archpatch.report.safe import safe
from archpatch.text import decode, regex

LONGEST = 900_000  # bytes; a step summary of GitHub Actions holds 1 MiB
_BREAK = "\u200b"
_SPECIAL = regex(r"([\\`*_{}\[\]()<>+!|~&$^=%.-])")
# What a server links in any text, escaped or not: mentions, addresses, issues (#1, GH-1); on GitLab merge requests
# (!1), snippets ($1), epics (&1), labels (~x), milestones (%x) and the long forms ([issue:1]). And commits.
_LINKED = regex(r"""(@|\#|:(?=//)|w(?=ww)|[!$&](?=\d)|[~%](?=[\w"])|\[(?=\w+:)|\b[Gg][HhLl](?=\\?-\d))""")
_COMMIT = regex(r"(?<![0-9A-Za-z_])[0-9a-fA-F]{7,40}(?![0-9A-Za-z_])")
_WORDS = {
    State.READY: "ready",
    State.AFTER_FIX: "ready after `archpatch fix`",
    State.AFTER_UNSAFE: "ready after `archpatch fix --unsafe`",
    State.NEEDS_YOU: "**needs you**",
    State.UNKNOWN: "unknown",
}


class Section(Struct, frozen=True):
    """A finding as the template shows it; texts are Markdown already."""

    head: str
    place: str
    message: str
    fix: str
    diff: str


def render(result: Result, look: Look) -> bytes:
    """The images, then the findings, as many as there is room for."""
    sections: list[Section] = []
    room = LONGEST
    for file, entry in result.entries:
        section = _section(result, file, entry)
        room -= len(section.message) + len(section.diff) + 400
        if room < 0:
            break
        sections.append(section)
    platforms = list(dict.fromkeys(platform for file in result.files for platform in file.states))
    severities = Counter(str(entry.finding.severity) for _, entry in result.entries)
    page = _template().render(
        platforms=platforms,
        images=[
            (text(file.path), [_WORDS[file.states[p]] if p in file.states else "" for p in platforms])
            for file in result.files[:1000]
            if any(state is not State.READY for state in file.states.values())
        ],
        ready=sum(all(state is State.READY for state in file.states.values()) for file in result.files),
        files=len(result.files),
        severities=severities,
        sections=sections,
        left_out=sum(severities.values()) - len(sections),
        errors=[(text(error.path), text(error.message)) for error in result.all_errors[:1000]],
    )
    return page.encode("utf-8", "replace")


@cache
def _template() -> jinja2.Template:
    """Each text of it goes through text() or fenced()."""
    return environment().get_template("report.md.j2")


def _section(result: Result, file: FileResult, entry: Entry) -> Section:
    found = entry.finding
    start, _ = file.places(found.span, entry.path)
    rule = result.rule(found.code)
    fix = found.fix
    return Section(
        head=f"{found.severity} [{found.code}]({rule.url}) {text(rule.name)}",
        place=f"{text(entry.path)}:{start.line}:{start.column}",
        message=text(found.message),
        fix=f"{text(fix.title)} ({fix.applicability})" if fix else "",
        diff=diff(file, entry),
    )


def diff(file: FileResult, entry: Entry) -> str:
    """The fix as a fenced diff of the lines that it touches."""
    out: list[str] = []
    for region in regions(file, entry.finding.fix, gap=2) if entry.finding.fix else ():
        out.append(f"@@ {safe(region.path)}:{region.first} @@")
        old, new = lines(region.old), lines(region.new)
        at = 0
        for block in blocks(old, new):
            out += (f" {_line(line)}" for line in old[at : block.start])
            out += (f"-{_line(line)}" for line in old[block.start : block.end])
            out += (f"+{_line(line)}" for line in new[block.new_start : block.new_end])
            at = block.end
        out += (f" {_line(line)}" for line in old[at:])
    return fenced("\n".join(out), "diff") if out else ""


def _line(line: bytes) -> str:
    return safe(decode(line.removesuffix(b"\n").removesuffix(b"\r")))


def fenced(body: str, language: str) -> str:
    """A code block that no line of `body` can end."""
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def text(value: object) -> str:
    """Text of others within a line of Markdown, where it stands for itself alone."""
    return unlinked(_SPECIAL.sub(r"\\\1", safe(value).replace("\t", " ")))


def unlinked(escaped: str) -> str:
    """Text that no server takes for a mention, a reference or an address."""
    return _COMMIT.sub(_broken, _LINKED.sub(rf"\1{_BREAK}", escaped))


def _broken(match: re.Match[str]) -> str:
    return _BREAK.join(re.findall(".{1,6}", match[0]))
