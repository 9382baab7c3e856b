"""Asks the rules, and takes style, selection and suppression comments into account.

No rule is known here by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from archpatch import suppress
from archpatch.facts import Context, Facts, StageFacts
from archpatch.platforms import AMD64, DEFAULT_TARGETS, Platform
from archpatch.rule import Finding, Rule, Severity, Style
from archpatch.suppress import Notice, Suppression, Suppressions, means
from archpatch.syntax.tree import Document, Instruction, Problem, Run
from archpatch.tables import Tables
from archpatch.text import Applicability, Fix, Nest, Span, decode

if TYPE_CHECKING:
    from archpatch.rewrite.unheard import Unheard


class InternalError(Exception):
    """A rule that fails, or whose fix breaks the file. The file is as it was; str() names the rules."""


class Settings(Struct, frozen=True):
    """What is asked for. `select` empty: every rule that is no opt-in; all three hold codes, prefixes or names."""

    targets: tuple[Platform, ...] = DEFAULT_TARGETS
    style: Style = Style.MINIMAL
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    tables: Tables = field(default_factory=Tables)

    def named(self, rule: Rule | Notice) -> bool:
        """Whether a selection names this very rule; a prefix names a family, no rule."""
        return any(code in (rule.code, rule.name) for code in (*self.select, *self.extend_select))

    def asks(self, rule: Rule | Notice) -> bool:
        """Whether findings of the rule are wanted."""
        if not isinstance(rule, Notice):
            if rule.style is Style.MINIMAL and self.style is not Style.MINIMAL:
                return False
            if rule.opt_in and not self.named(rule):
                return False
        if self.ignore and any(means(code, rule) for code in self.ignore):
            return False
        if not self.select:
            return True
        return any(means(code, rule) for code in (*self.select, *self.extend_select))

    def writes(self, rule: Rule | Notice, finding: Finding) -> bool:
        """Whether `fix` takes the fix of this finding, as far as severity and style decide."""
        if finding.severity > Severity.NOTE or self.named(rule):
            return True
        return isinstance(rule, Rule) and rule.style is self.style


class Report(Struct, frozen=True):
    """What one look at a file gave. `errors`: it does not parse; no fix is offered then.

    `unknown`: what could not be looked at. `targets`: the platforms that were looked at, which a comment of the
    file may have named. `foreign`: those of them for which the final stage is made for another platform. `blind`:
    the final image is made, among others, by scripts that are `unknown`. `demoted`: findings whose fix claimed to be
    SAFE and would change what amd64 gets; among `findings` it is UNSAFE. `failures`: rules that failed, each told in
    a sentence; the findings are those of the others.
    """

    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Finding, ...] = ()
    unknown: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    targets: tuple[Platform, ...] = DEFAULT_TARGETS
    foreign: frozenset[Platform] = frozenset()
    blind: bool = False
    demoted: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()


def targets_of(document: Document, settings: Settings) -> tuple[Platform, ...]:
    """The platforms to look at: those that a comment of the file names, else those asked for."""
    return suppress.read(document).platforms or settings.targets


def ask(facts: Facts, rules: Sequence[Rule], settings: Settings) -> Report:
    """Every finding of the asked rules, styles, selection and suppressions taken into account.

    The rules' own claims on their fixes stand here unchecked.
    """
    document, context, targets = facts.document, facts.context, facts.targets
    comments = suppress.read(document)
    errors = document.problems
    if all(target == AMD64 for target in targets):
        about_comments = (finding for finding in comments.findings if _wanted(settings, finding))
        return Report(tuple(about_comments), errors=errors, targets=targets)
    failures: list[str] = []
    raw = list(_ask(_needed(document, rules, settings, comments), document, facts, failures))
    raw = _claiming_less(raw, facts)
    kept, hidden, used = _sift(raw, comments, context, document)
    unread = tuple(_unread(facts))
    unknown = tuple(problem for _, problem in unread)
    findings = [_styled(finding, rule, settings) for rule, finding in kept if settings.asks(rule)]
    own = list(comments.findings)
    if not errors and not failures and settings.asks(suppress.UNUSED):
        known: tuple[Rule | Notice, ...] = (*rules, *suppress.NOTICES)
        own += comments.unused(used, known, (problem.span for problem in unknown))
    findings += (
        finding for finding in own if _wanted(settings, finding) and not _hidden_notice(comments, finding)
    )
    if errors:
        findings = [replace(finding, fix=None) for finding in findings]
    return Report(
        tuple(sorted(dict.fromkeys(findings), key=_place)),
        tuple(sorted((finding for rule, finding in hidden if settings.asks(rule)), key=_place)),
        unknown,
        errors,
        targets,
        frozenset(_foreign(facts)),
        any(stage is not None and stage.reached for stage, _ in unread),
        failures=tuple(failures),
    )


def _place(finding: Finding) -> tuple[str, Span, str, str]:
    return (str(finding.path or ""), finding.span, finding.code, finding.message)


# Parts that many hints hold and few files do: where one is not, none of those hints is looked for.
_RARE = ("64", "86", "32", "target", "-m", "linux-", "google", "build")
_NOTICES = {notice.code: notice for notice in suppress.NOTICES}


def _wanted(settings: Settings, finding: Finding) -> bool:
    return settings.asks(_NOTICES[finding.code])


def _hidden_notice(comments: Suppressions, finding: Finding) -> bool:
    return any(comments.covering(finding.span, _NOTICES[finding.code]))


def _needed(
    document: Document, rules: Sequence[Rule], settings: Settings, comments: Suppressions
) -> Iterator[Rule]:
    """The rules that must be asked: those wanted, and those that a suppression names, to judge it."""
    text = decode(document.source.lower())
    unhinted, hinted = _hints(tuple(rules))
    needed = set(unhinted)
    while hinted:
        found = [hint for hint in hinted if hint.text in text]
        needed.update(*(hint.places for hint in found))
        hinted = [longer for hint in found for longer in hint.longer]
    judging = [entry for entry in comments.entries if entry.judged] if settings.asks(suppress.UNUSED) else ()
    for rule in (rules[place] for place in sorted(needed)):
        if settings.asks(rule) or any(entry.names(rule) for entry in judging):
            yield rule


class _Hint(Struct, frozen=True):
    """A text, the places of the rules whose hint it is, and the hints that hold it: where it is not, they are not."""

    text: str
    places: frozenset[int]
    longer: list[_Hint]


@lru_cache(maxsize=8)
def _hints(rules: tuple[Rule, ...]) -> tuple[frozenset[int], list[_Hint]]:
    """The places of the rules without hints, and the hints of the others: to look for each of some 200 in a file would
    be a twentieth of a check."""
    having: dict[str, set[int]] = {text: set() for text in _RARE}
    for place, rule in enumerate(rules):
        for text in rule.hints:
            having.setdefault(text, set()).add(place)
    roots: list[_Hint] = []
    known: list[_Hint] = []
    for text in sorted(having, key=len):
        hint = _Hint(text, frozenset(having[text]), [])
        shorter = next((one for one in reversed(known) if one.text in text), None)
        (roots if shorter is None else shorter.longer).append(hint)
        known.append(hint)
    return frozenset(place for place, rule in enumerate(rules) if not rule.hints), roots


def _ask(
    rules: Iterable[Rule], document: Document, facts: Facts, failures: list[str]
) -> Iterator[tuple[Rule, Finding]]:
    for rule in rules:
        try:
            findings = tuple(rule.check(document, facts))
        except Exception as error:  # a rule may be anyone's code; no other may suffer, nor the file
            reason = f"{type(error).__name__}: {error}"
            failures.append(f"rule {rule.code} ({rule.name}) failed: {reason}; the file is as it was")
            continue
        for finding in findings:
            yield rule, finding


def _claiming_less(raw: list[tuple[Rule, Finding]], facts: Facts) -> list[tuple[Rule, Finding]]:
    """The findings, without those fixes that write an automatic argument where it is empty; none is SAFE that changes
    what a later build will run, on an image and by a builder that nobody sees."""
    if all(finding.fix is None for _, finding in raw):
        return raw
    from archpatch.rewrite.unheard import Unheard  # a check without a fix needs none

    unheard = Unheard(facts)
    later = Nest((step.span, step) for step in facts.document.instructions if step.onbuild)
    judged = {id(fix): _judged(fix, unheard, later) for fix in fixes_of(finding for _, finding in raw)}
    return [
        (rule, finding)
        if judged.get(id(finding.fix)) is finding.fix
        else (rule, replace(finding, fix=judged[id(finding.fix)]))
        for rule, finding in raw
    ]


def fixes_of(findings: Iterable[Finding]) -> Iterable[Fix]:
    """The fixes of findings, one that several of them share but once: each of thousands may have as many edits."""
    return {id(finding.fix): finding.fix for finding in findings if finding.fix is not None}.values()


def _judged(fix: Fix, unheard: Unheard, later: Nest[Instruction]) -> Fix | None:
    if unheard.breaks(fix):
        return None
    own = (edit.span for edit in fix.edits if edit.path is None)
    if fix.applicability is Applicability.SAFE and any(
        any(True for _ in later.holding(span)) for span in own
    ):
        return replace(fix, applicability=Applicability.UNSAFE)
    return fix


def _sift(
    raw: Iterable[tuple[Rule, Finding]],
    comments: Suppressions,
    context: Context | None,
    document: Document,
) -> tuple[list[tuple[Rule, Finding]], list[tuple[Rule, Finding]], frozenset[tuple[Suppression, str]]]:
    """Findings that stay, findings that a comment hides, and the codes that hid one."""
    kept: list[tuple[Rule, Finding]] = []
    hidden: list[tuple[Rule, Finding]] = []
    used: set[tuple[Suppression, str]] = set()
    for rule, finding in raw:
        covering = frozenset(comments.covering(None if finding.path else finding.span, rule))
        used |= covering
        elsewhere = finding.path is not None and _covered_there(finding, rule, context, document)
        if covering or elsewhere:
            hidden.append((rule, finding))
        else:
            kept.append((rule, _leaving_covered(finding, rule, comments)))
    return kept, hidden, frozenset(used)


def _leaving_covered(finding: Finding, rule: Rule, comments: Suppressions) -> Finding:
    """The finding, without its fix where that would change what a comment keeps from this rule."""
    edits = finding.fix.edits if finding.fix is not None and comments.entries else ()
    changed = (edit.span for edit in edits if edit.path is None and len(edit.span))
    return (
        replace(finding, fix=None) if any(any(comments.covering(span, rule)) for span in changed) else finding
    )


def _covered_there(finding: Finding, rule: Rule, context: Context | None, document: Document) -> bool:
    source = context.read(inside_context(finding.path, document)) if context and finding.path else None
    return source is not None and suppress.covered_in_context(source, finding.span, rule)


def inside_context(path: Path, document: Document) -> Path:
    """The path of a context file as the context names it: relative to the Dockerfile's folder."""
    folder = document.path.parent
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _styled(finding: Finding, rule: Rule, settings: Settings) -> Finding:
    """Outside of a rule's own style its findings are notes, and without a fix: none is written or proved there."""
    if rule.style in (None, settings.style):
        return finding
    fix = finding.fix if settings.named(rule) else None
    return replace(finding, severity=Severity.NOTE, fix=fix)


def _unread(facts: Facts) -> Iterator[tuple[StageFacts | None, Problem]]:
    """RUNs whose shell could not be read, and their stages: rules may have missed something there."""
    document = facts.document
    for instruction in document.instructions:
        if isinstance(instruction, Run) and not instruction.json and not facts.shell(instruction).readable:
            line = document.source.count(b"\n", 0, instruction.span.start) + 1
            problem = Problem(instruction.span, f"RUN at line {line} could not be read as shell")
            yield facts.stage_of(instruction), problem


def _foreign(facts: Facts) -> Iterator[Platform]:
    for target in facts.targets if facts.final is not None else ():
        assert facts.final is not None
        if facts.final.platform(target).platform not in (None, target):
            yield target
