"""The last lines of a report for people: what state the images are in, and the next command."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from archpatch.report.model import FileResult, Result, State, Verb
from archpatch.report.paint import Paint
from archpatch.report.safe import safe
from archpatch.rule import Severity, Style
from archpatch.text import Applicability

_COLORS = {
    State.READY: "green",
    State.AFTER_FIX: "cyan",
    State.AFTER_UNSAFE: "yellow",
    State.NEEDS_YOU: "red",
    State.UNKNOWN: "magenta",
}

_SHOWN = 10  # mended findings that are named


def summary(result: Result, paint: Paint) -> Iterator[str]:
    """The assessment, line by line."""
    files = result.files
    if result.verb is Verb.FIX:
        yield from _written(result)
    if files:
        yield from _images(files, paint)
        yield _findings(result)
        yield from _asides(result)
        yield from _baseline(result)
    if result.all_errors:
        yield paint(
            "red", f"Not done: {_count(len({e.path for e in result.all_errors}), 'file')}, see the errors"
        )
    if result.templates:
        yield f"Passed over: {_count(result.templates, 'template')} (a program makes Dockerfiles of them)"
    if files and (command := next_command(result)):
        yield f"Next: {paint('bold', safe(command))}"


def next_command(result: Result) -> str:
    """What to run next, ready to be pasted; empty where nothing is left to say."""
    levels = {entry.level for _, entry in result.entries}
    shown = shlex.join(result.arguments)
    if "-" in result.arguments:
        return ""
    if Applicability.SAFE in levels and result.verb is not Verb.FIX:
        return f"archpatch fix {shown}".rstrip()
    if Applicability.SAFE in levels and result.all_errors:
        return ""  # it could not be written, and the errors say why
    if Applicability.UNSAFE in levels and not (result.unsafe and result.verb is Verb.FIX):
        return f"archpatch fix --unsafe --diff {shown}".rstrip()
    worst = max(
        (entry for _, entry in result.entries if entry.finding.severity > Severity.NOTE),
        key=lambda entry: entry.finding.severity,
        default=None,
    )
    if worst:
        return f"archpatch explain {worst.finding.code}"
    if result.all_errors:
        return ""
    return f"archpatch verify {shlex.join(result.paths)}".rstrip()


def _written(result: Result) -> Iterator[str]:
    changed = [file for file in result.files if file.changes and not file.errors]
    fixes = sum(len(file.applied) for file in changed)
    if changed:
        yield f"Fixed: {_count(fixes, 'finding')} in {_count(len(changed), 'Dockerfile')}"
    if demoted := sum(len(file.demoted) for file in result.files):
        yield (
            f"Held back: {_count(demoted, 'fix', 'fixes')} said to be safe, "
            "which would change the linux/amd64 build; --unsafe writes them"
        )


def _images(files: tuple[FileResult, ...], paint: Paint) -> Iterator[str]:
    yield f"{_count(len(files), 'Dockerfile')}:"
    platforms = dict.fromkeys(platform for file in files for platform in file.states)
    for platform in platforms:
        states = Counter(file.states[platform] for file in files if platform in file.states)
        parts = (paint(_COLORS[state], f"{states[state]} {state.words}") for state in State if states[state])
        yield f"  {platform}: {', '.join(parts)}"


def _asides(result: Result) -> Iterator[str]:
    """Notes of a style that was not chosen: many, and none of them a pitfall."""
    counts = Counter(entry.finding.code for _, entry in result.entries if result.is_aside(entry))
    if counts:
        style = Style.EXPLICIT if result.style is Style.MINIMAL else Style.MINIMAL
        codes = ", ".join(sorted(counts))
        yield (
            f"Not shown: {_count(counts.total(), 'note')} of the {style.value} style ({codes}); "
            f"--style {style.value} or --select CODE shows and writes them"
        )


def _baseline(result: Result) -> Iterator[str]:
    """What was left out because it is not new, and what is known and gone."""
    if outside := sum(len(file.outside) for file in result.files):
        yield f"Left out: {_count(outside, 'finding')} that {'is' if outside == 1 else 'are'} not new"
    if result.mended:
        shown = "; ".join(safe(one) for one in result.mended[:_SHOWN])
        more = f" and {len(result.mended) - _SHOWN} more" if len(result.mended) > _SHOWN else ""
        yield f"Mended since the baseline: {shown}{more}; `archpatch baseline` writes it anew"


def _findings(result: Result) -> str:
    found = [entry for _, entry in result.entries]
    severities = Counter(entry.finding.severity for entry in found)
    parts = [_count(severities[one], str(one)) for one in reversed(Severity) if severities[one]]
    text = f"Findings: {', '.join(parts) or 'none'}"
    levels = Counter(entry.level for entry in found)
    if levels[Applicability.SAFE] or levels[Applicability.UNSAFE]:
        text += f"; fixes: {levels[Applicability.SAFE]} safe, {levels[Applicability.UNSAFE]} unsafe"
    if suppressed := sum(len(file.suppressed) for file in result.files):
        text += f"; suppressed: {suppressed}"
    if unknown := sum(len(file.unknown) for file in result.files):
        text += f"; could not be read as shell: {unknown} RUN"
    return text


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
