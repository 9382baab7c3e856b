"""Which fix a piece of evidence speaks of: by the lines of the file that could have caused it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from archpatch.facts import Facts
from archpatch.facts.stages import StageFacts
from archpatch.platforms import Platform
from archpatch.rule import Finding
from archpatch.syntax.tree import Document, Instruction
from archpatch.text import Applicability, Span
from archpatch.verify.verdict import Evidence, Look, Proof, State, Verdict

_SETTING = ("FROM", "ARG", "ENV")
_WORKING = (*_SETTING, "RUN", "COPY", "ADD", "WORKDIR", "SHELL", "USER", "ONBUILD")


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest thing that can be taken back: all fixes of a rule with one message in a file.

    `lines` (from 1, in the file before) are those of its findings and edits; None where they are not known there.
    """

    code: str
    message: str
    title: str
    line: int
    applicability: Applicability
    lines: frozenset[int] | None

    @property
    def key(self) -> tuple[str, str]:
        """By what its findings are known, in whatever round."""
        return (self.code, self.message)


def units(document: Document, first: Sequence[Finding], applied: Iterable[Finding]) -> list[Unit]:
    """The units of an outcome. `first`: the findings of the file before; only their places are places in it."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in applied:
        groups.setdefault((finding.code, finding.message), []).append(finding)
    known = set(first)
    found = []
    for (code, message), members in groups.items():
        placed = [finding for finding in members if finding in known]
        elsewhere = any(edit.path for one in members if one.fix for edit in one.fix.edits)
        lines = frozenset(line for finding in placed for line in _lines_of(document, finding))
        whole = len(placed) == len(members) and not elsewhere
        start = min((finding.span.start for finding in placed or members), default=0)
        levels = [finding.fix.applicability for finding in members if finding.fix]
        title = next((finding.fix.title for finding in members if finding.fix), message)
        found.append(
            Unit(
                code, message, title, _line(document, start), min(levels), lines if whole and lines else None
            )
        )
    return found


def _lines_of(document: Document, finding: Finding) -> Iterable[int]:
    edits = finding.fix.edits if finding.fix else ()
    spans = [finding.span] if finding.path is None else []
    for span in (*spans, *(edit.span for edit in edits if edit.path is None)):
        yield from _range(document, span)


def _line(document: Document, offset: int) -> int:
    return document.source.count(b"\n", 0, offset) + 1


def _range(document: Document, span: Span) -> range:
    first = _line(document, span.start)
    return range(first, first + span.of(document.source).count(b"\n") + 1)


def causes(document: Document, platform: Platform, lines: Iterable[int]) -> frozenset[int]:
    """The lines that could bring about trouble at `lines`.

    Those of the instruction itself, of what its stage did before (for a COPY only what sets variables), of the
    stages that it copies from or stands on, and of the global part.
    """
    facts = Facts(document, (platform,))
    wanted = set(lines)
    found = wanted | _lines_of_all(document, document.globals)
    pending: list[StageFacts] = []
    for stage in facts.stages:
        for instruction in stage.stage.instructions:
            if not wanted & set(_range(document, instruction.span)):
                continue
            copied = instruction.keyword in ("COPY", "ADD")
            relevant = _SETTING if copied else _WORKING
            before = (one for one in stage.stage.instructions if one.span.start < instruction.span.start)
            found |= _lines_of_all(document, (one for one in before if one.keyword in relevant))
            sources = [copy.source for copy in stage.copies_in if copy.instruction == instruction]
            pending += sources
            if copied:
                for parent in stage.chain_for(platform)[1:]:
                    setting = (one for one in parent.body if one.keyword in _SETTING)
                    found |= _lines_of_all(document, setting)
            else:
                pending += stage.needs(platform)
    seen: set[int] = set()
    while pending:
        stage = pending.pop()
        if stage.index not in seen:
            seen.add(stage.index)
            working = (one for one in stage.stage.instructions if one.keyword in _WORKING)
            found |= _lines_of_all(document, working)
            pending += stage.needs(platform)
    return frozenset(found)


def _lines_of_all(document: Document, instructions: Iterable[Instruction]) -> set[int]:
    return {line for one in instructions for line in _range(document, one.span)}


@dataclass(frozen=True, slots=True)
class Pair:
    """One image on one platform before and after."""

    before: Look
    after: Look

    @property
    def worse(self) -> bool:
        """Whether after is worse: a lower rank, or built and wrong in a way that it was not before."""
        old, new = self.before.rank, self.after.rank
        if old is None or new is None:
            return False
        if new != old:
            return new < old
        known = {one.key for one in self.before.wrong}
        return new == 1 and any(one.key not in known for one in self.after.wrong)


def proof(document: Document, unit: Unit, pair: Pair, others: Sequence[Unit], command: str) -> Proof:
    """What one platform says of a fix that is not worse. `others`: all units of the file."""
    before, after = pair.before, pair.after

    def told(verdict: Verdict, text: str) -> Proof:
        return Proof(before.platform, verdict, command, text, before.state, after.state)

    if State.UNKNOWN in (before.state, after.state):
        side, look = ("before", before) if before.state is State.UNKNOWN else ("after", after)
        return told(Verdict.UNKNOWN, f"{side}: {_first(look.evidence)}")
    if before.state is State.RIGHT:
        hidden = next((note for note in before.notes if "$BUILDPLATFORM" in note), "")
        return told(Verdict.NEUTRAL, "right before and after" + (f"; {hidden}" if hidden else ""))
    left = {one.key for one in after.wrong}
    linked = _linked(document, unit, before, left, others)
    if not linked:
        if after.rank == 0:
            return told(Verdict.UNKNOWN, f"the image does not build: {_first(after.wrong)}")
        return told(Verdict.NEUTRAL, "what was wrong does not come from its lines")
    if after.state is State.RIGHT:
        return told(Verdict.CONFIRMED, f"before: {_first(linked)}; after: right")
    if after.rank == 1 and not any(one.key in left for one in linked):
        return told(Verdict.CONFIRMED, f"before: {_first(linked)}; gone after, but: {_first(after.wrong)}")
    return told(Verdict.UNKNOWN, f"still wrong after: {_first(after.wrong)}")


def _linked(
    document: Document,
    unit: Unit,
    before: Look,
    left: Collection[tuple[str, str, str]],
    others: Sequence[Unit],
) -> list[Evidence]:
    """The trouble that may come from where a fix stands.

    Where a fix can be credited with none, it shares in what went away and no fix stands near.
    """
    mine: list[Evidence] = []
    nobodys: list[Evidence] = []
    for one in before.wrong:
        lines = causes(document, before.platform, one.lines) if one.lines else frozenset()
        if unit.lines is None or unit.lines & lines:
            mine.append(one)
        elif not any(other.lines is None or other.lines & lines for other in others):
            nobodys.append(one)
    return mine or [one for one in nobodys if one.key not in left]


def _first(evidence: Sequence[Evidence]) -> str:
    if not evidence:
        return "no evidence"
    one = evidence[0]
    more = f" and {len(evidence) - 1} more" if len(evidence) > 1 else ""
    file = f" (/{one.path})" if one.path else ""
    return f"{one.message}{file}{more}"
