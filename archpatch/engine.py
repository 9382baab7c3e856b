"""check() and fix(): findings whose claims are proved, and fixes that go in round by round up to a fixed point.

Fixes are ordered by their place in the file and nothing else; no rule is known here by its name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct, field
from msgspec.structs import replace

from archpatch.checking import InternalError, Report, Settings, ask, fixes_of, inside_context, targets_of
from archpatch.facts import Context, Facts
from archpatch.facts.ignore import Ignore
from archpatch.rule import Finding, Rule
from archpatch.suppress import NOTICES, Notice
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, apply

if TYPE_CHECKING:
    from archpatch.view import View

__all__ = [
    "ROUNDS",
    "InternalError",
    "Outcome",
    "Report",
    "Settings",
    "State",
    "Unstable",
    "check",
    "fix",
    "mend",
]

ROUNDS = 20


class Unstable(Exception):
    """Fixes that keep rewriting each other. The file is as it was; `codes` are the rules at it."""

    def __init__(self, path: Path, codes: Iterable[str]) -> None:
        self.codes = tuple(sorted(set(codes)))
        super().__init__(
            f"{path}: the fixes of {', '.join(self.codes)} do not settle; the file is as it was. "
            "Please report it with this Dockerfile."
        )


class Outcome(Struct, frozen=True):
    """What fix() made of a file. Nothing is written to disk.

    `files`: changed files of the context, by path. `applied`: the findings whose fixes went in, round by round;
    their spans are those of their round. `report`: what is left. `demoted`: findings of any round whose fix claims
    to be SAFE and changes what amd64 gets. `abstained`: rounds in which the second reader had no opinion.
    """

    source: bytes
    report: Report
    files: Mapping[Path, bytes] = field(default_factory=dict)
    applied: tuple[Finding, ...] = ()
    demoted: tuple[Finding, ...] = ()
    abstained: int = 0


def check(
    document: Document,
    rules: Sequence[Rule],
    settings: Settings | None = None,
    context: Context | None = None,
) -> Report:
    """Every finding of the asked rules; a fix that is SAFE here leaves amd64 what it gets.

    Raises InternalError when a rule fails.
    """
    return State(document, tuple(rules), settings or Settings(), context).whole()


def fix(
    document: Document,
    rules: Sequence[Rule],
    settings: Settings | None = None,
    context: Context | None = None,
    level: Applicability = Applicability.SAFE,
    wanted: Callable[[Finding], bool] | None = None,
) -> Outcome:
    """Write the fixes of `level` and above until nothing is left to write.

    Whole fixes go in, in the order of their place; one that meets another waits a round. `wanted` may refuse a
    finding. Raises Unstable when the rounds do not end, InternalError when a rule fails or its fix breaks the
    file: then the file must stay as it was.
    """
    return mend(State(document, tuple(rules), settings or Settings(), context), level, wanted)


def mend(
    state: State,
    level: Applicability,
    wanted: Callable[[Finding], bool] | None = None,
    *,
    twice: bool = True,
) -> Outcome:
    """`fix`, from a state whose findings may be known already. `twice`: have the second reader look at each round;
    not where nothing comes of the text."""
    start = state
    states = [state]
    rounds: list[list[Finding]] = []
    demoted: dict[tuple[str, str], Finding] = {}
    abstained = 0
    for _ in range(ROUNDS):
        report = state.whole()
        demoted |= {(finding.code, finding.message): finding for finding in report.demoted}
        chosen = _choose(state, [one for one in _mendable(state, level) if wanted is None or wanted(one)])
        if not chosen:
            applied = tuple(finding for findings in rounds for finding in findings)
            return Outcome(
                state.document.source, report, state.files, applied, tuple(demoted.values()), abstained
            )
        rounds.append(chosen)
        state, agreed = state.after(chosen, twice)
        abstained += not agreed
        if state in states:  # the rounds that led from this text back to it are to blame
            del rounds[: states.index(state)]
            break
        states.append(state)
    raise Unstable(start.document.path, (finding.code for findings in rounds for finding in findings))


def _mendable(state: State, level: Applicability) -> Iterator[Finding]:
    """The findings whose fixes are trusted enough, of rules that are asked to write."""
    everything: tuple[Rule | Notice, ...] = (*state.rules, *NOTICES)
    names = {rule.code: rule for rule in everything}
    for finding in state.report.findings:
        if _mends(finding, level) and state.settings.writes(names[finding.code], finding):
            yield finding


def _mends(finding: Finding, level: Applicability) -> bool:
    fix = finding.fix
    return fix is not None and bool(fix.edits) and fix.applicability >= max(level, Applicability.UNSAFE)


def _choose(state: State, asked: list[Finding]) -> list[Finding]:
    """The findings to mend in this round. Fixes that are safe each, but not together, go in one at a time."""
    chosen = _compatible(asked)
    safe = [finding for finding in chosen if _is_safe(finding)]
    if state.keeps_view(safe):
        return chosen
    return _compatible(finding for finding in asked if not _is_safe(finding) or finding is safe[0])


def _demoted(state: State, findings: Iterable[Finding]) -> list[Finding]:
    """The findings whose SAFE fix does not leave amd64 what it gets."""
    safe = [finding for finding in findings if _is_safe(finding)]
    culprits: set[int] = set()
    rest = safe
    while rest:
        together = _compatible(rest, twice=True)
        culprits.update(map(id, _culprits(state, together)))
        proved = set(map(id, together))
        rest = [finding for finding in rest if id(finding) not in proved]
    return [finding for finding in safe if id(finding) in culprits]


def _culprits(state: State, together: list[Finding]) -> list[Finding]:
    """Those of findings that can go in together whose fixes change what amd64 gets; found by halves, for each proof
    reads the whole file."""
    if state.keeps_view(together):
        return []
    if len(together) == 1:
        return together
    half = len(together) // 2
    return [*_culprits(state, together[:half]), *_culprits(state, together[half:])]


def _is_safe(finding: Finding) -> bool:
    return finding.fix is not None and finding.fix.applicability is Applicability.SAFE


def _claim_less(finding: Finding) -> Finding:
    return replace(finding, fix=replace(_fix(finding), applicability=Applicability.UNSAFE))


def _fix(finding: Finding) -> Fix:
    assert finding.fix is not None
    return finding.fix


def _compatible(findings: Iterable[Finding], *, twice: bool = False) -> list[Finding]:
    """The findings whose fixes go in together: first come in the order of place, first served.

    `twice`: also those that declare at another place what one before them declares. Nobody wants to read that, but it
    holds for a proof, which else would be one for each download of a stage.
    """
    taken: dict[Path | None, list[Edit]] = {}
    declared: dict[str, Edit] = {}
    chosen: list[Finding] = []
    whole: set[int] = set()  # several findings may share one fix, which mends them all
    findings = list(findings)
    places = {id(fix): [edit.order for edit in fix.edits] for fix in fixes_of(findings)}
    for finding in sorted(findings, key=lambda finding: places[id(finding.fix)]):
        edits = _fix(finding).edits
        if id(finding.fix) in whole:
            chosen.append(finding)
            continue
        if any(_meets(edit, taken.get(edit.path, ())) for edit in edits):
            continue
        if not twice and any(declared.get(name, edit) != edit for edit in edits for name in edit.declares):
            continue
        declared.update((name, edit) for edit in edits for name in edit.declares)
        for edit in edits:
            others = taken.setdefault(edit.path, [])
            at = bisect_left(others, edit.span, key=_span)
            if edit not in others[at : at + 1]:
                others.insert(at, edit)
        chosen.append(finding)
        whole.add(id(finding.fix))
    return chosen


def _span(edit: Edit) -> Span:
    return edit.span


def _meets(edit: Edit, taken: Sequence[Edit]) -> bool:
    """Whether an edit clashes with one of `taken`, which are in order and clash with none of each other."""
    at = bisect_left(taken, edit.span, key=_span)
    if edit in taken[at : at + 1]:
        return False
    return any(edit.clashes(other) for other in taken[max(at - 1, 0) : at + 1])


class _Edited(Context):
    """A context some of whose files have been mended."""

    def __init__(self, base: Context, files: Mapping[str, bytes]) -> None:
        self.root = base.root
        self.complete = base.complete
        self._base = base
        self._files = files

    @property
    def siblings(self) -> tuple[str, ...]:
        return self._base.siblings

    @property
    def ignore(self) -> Ignore:
        return self._base.ignore

    def _listing(self, depth: int) -> tuple[str, ...]:
        return self._base._listing(depth)

    def _content(self, path: str) -> bytes | None:
        return self._files[path] if path in self._files else self._base._content(path)

    def _head(self, path: str) -> bytes | None:
        return super()._head(path) if path in self._files else self._base._head(path)


class State(Struct, frozen=True, dict=True):
    """A Dockerfile and the mended files of its context, between two rounds. `files` by the paths of edits."""

    document: Document
    rules: tuple[Rule, ...]
    settings: Settings
    base: Context | None
    files: Mapping[Path, bytes] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether all that was written is the same."""
        return (
            isinstance(other, State)
            and self.document.source == other.document.source
            and self.files == other.files
        )

    @property
    def context(self) -> Context | None:
        """The context as the rules shall see it."""
        if not self.files or self.base is None:
            return self.base
        inner = {inside_context(path, self.document).as_posix(): text for path, text in self.files.items()}
        return _Edited(self.base, inner)

    @cached_property
    def facts(self) -> Facts:
        """What the rules and the view are made from."""
        targets = targets_of(self.document, self.settings)
        return Facts(self.document, targets=targets, context=self.context, tables=self.settings.tables)

    @cached_property
    def report(self) -> Report:
        """The findings, their claims proved."""
        report = ask(self.facts, self.rules, self.settings)
        demoted = _demoted(self, report.findings)
        if not demoted:
            return report
        findings = tuple(_claim_less(one) if one in demoted else one for one in report.findings)
        return replace(report, findings=findings, demoted=tuple(demoted))

    def whole(self) -> Report:
        """The findings of every rule. Raises InternalError when a rule failed."""
        for failure in self.report.failures:
            raise InternalError(f"{self.document.path}: {failure}")
        return self.report

    @cached_property
    def view(self) -> View:
        """What amd64 gets from this text."""
        from archpatch.view import view  # a check without a SAFE fix needs none

        return view(self.facts)

    @cached_property
    def _tried(self) -> dict[bytes, State]:
        """The states that were tried from this one, by text: what was proved is not parsed again."""
        return {}

    def _with(self, findings: list[Finding]) -> State:
        """The state after these fixes, as far as the Dockerfile goes."""
        source = self._written(findings)
        if source not in self._tried:
            document = parse(source, self.document.path)
            self._tried[source] = State(document, self.rules, self.settings, self.base, self.files)
        return self._tried[source]

    def keeps_view(self, findings: list[Finding]) -> bool:
        """Whether their fixes, made together, leave amd64 what it gets. Of other files nobody can say that."""
        if not findings:
            return True
        if any(edit.path is not None for fix in fixes_of(findings) for edit in fix.edits):
            return False
        from archpatch.view import same

        after = self._with(findings)
        return not after.document.problems and same(self.view, after.view)

    def after(self, findings: list[Finding], twice: bool) -> tuple[State, bool]:
        """The next state, and whether the second reader agreed (False: it had no opinion).

        Raises InternalError when the file does not read as it should.
        """
        state = self._with(findings)
        if state.document.problems:
            self._refuse(findings, state.document.problems[0].message)
        agreed = self._read_twice(state, findings) if twice else True
        others = dict(self._other_files(findings))
        if others:
            state = replace(state, files={**self.files, **others})
        return state, agreed

    def _read_twice(self, after: State, findings: list[Finding]) -> bool:
        from archpatch.syntax import second  # here, since a check needs none

        verdict = second.compare(self.document, after.document, _edits_of(findings, None))
        if verdict.opinion is second.Opinion.DISAGREES:
            self._refuse(findings, verdict.reason)
        return verdict.opinion is second.Opinion.AGREES

    def _written(self, findings: list[Finding]) -> bytes:
        try:
            return apply(self.document.source, _edits_of(findings, None))
        except ValueError as error:
            self._refuse(findings, str(error))

    def _other_files(self, findings: list[Finding]) -> Iterator[tuple[Path, bytes]]:
        paths = {edit.path for fix in fixes_of(findings) for edit in fix.edits if edit.path is not None}
        for path in sorted(paths):
            source = self.files.get(path)
            if source is None and self.base is not None:
                source = self.base.read(inside_context(path, self.document))
            if source is None:
                self._refuse(findings, f"{path} is not in the build context")
            try:
                yield path, apply(source, _edits_of(findings, path))
            except ValueError as error:
                self._refuse(findings, f"{path}: {error}")

    def _refuse(self, findings: list[Finding], reason: str) -> NoReturn:
        codes = ", ".join(sorted({finding.code for finding in findings}))
        raise InternalError(
            f"{self.document.path}: the fixes of {codes} break the file ({reason}); it is as it was. "
            "Please report it with this Dockerfile."
        )


def _edits_of(findings: Iterable[Finding], path: Path | None) -> list[Edit]:
    """The edits of one file; None is the Dockerfile."""
    return [edit for fix in fixes_of(findings) for edit in fix.edits if edit.path == path]
