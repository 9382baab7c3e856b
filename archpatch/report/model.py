"""What a run found, as every report sees it. All of it can be pickled: files are looked at in several processes."""

from __future__ import annotations

import enum
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from msgspec import Struct, field

from archpatch.discover import root_of
from archpatch.platforms import DEFAULT_TARGETS, Platform
from archpatch.report.lines import Lines, Place, lines_of
from archpatch.rule import Finding, Severity, Style
from archpatch.syntax.tree import Document, Problem
from archpatch.text import Applicability, Edit, Fix, Span, decode, encode, sha256

# Characters. The hash of a longer instruction stands for it, for it may have thousands of findings.
_LONG = 1 << 13


class State(enum.Enum):
    """What an image needs to be right on a platform; ordered from good to bad."""

    READY = "ready"
    AFTER_FIX = "ready-after-fix"
    AFTER_UNSAFE = "ready-after-unsafe"
    NEEDS_YOU = "needs-you"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """How people are told: `ready after fix`."""
        return _IN_WORDS[self]


_IN_WORDS = {
    State.READY: "ready",
    State.AFTER_FIX: "ready after fix",
    State.AFTER_UNSAFE: "ready after fix --unsafe",
    State.NEEDS_YOU: "needs you",
    State.UNKNOWN: "unknown",
}


class Kind(enum.Enum):
    """What went wrong with a file; the exit code depends on it."""

    READ = "read"
    PARSE = "parse"
    WRITE = "write"
    CONFIG = "config"
    INTERNAL = "internal"


class Error(Struct, frozen=True):
    """A file that could not be looked at or written. `message` is one line without the path."""

    path: Path
    kind: Kind
    message: str
    line: int | None = None


class RuleInfo(Struct, frozen=True, dict=True):
    """What reports say of a rule. `url` is the page of it, `style` the one it belongs to.

    `read` gives its manual: few reports show it, and to read it may import the rule.
    """

    code: str
    name: str
    severity: Severity
    read: Callable[[], str]
    url: str
    style: Style | None = None

    @cached_property
    def manual(self) -> str:
        """Its docstring."""
        return self.read()

    @property
    def summary(self) -> str:
        """The first paragraph of the manual, on one line."""
        return " ".join(self.manual.split("\n\n")[0].split())


class Entry(Struct, frozen=True):
    """A finding with what reports add to it.

    `path` is the file it stands in, as it is shown. `written`: `fix` writes its fix, if that is trusted enough
    (a note's only in the rule's own style or when the rule is named).
    """

    finding: Finding
    path: Path
    fingerprint: str
    written: bool = True
    suppressed: bool = False

    @property
    def level(self) -> Applicability | None:
        """How far `fix` must be trusted to write the fix; None where it never does."""
        fix = self.finding.fix
        if not self.written or fix is None or not fix.edits or fix.applicability is Applicability.MANUAL:
            return None
        return fix.applicability


class FileResult(Struct, frozen=True):
    """One Dockerfile that was looked at.

    `source` is the text that the entries speak of, `others` the texts of context files that entries, edits or
    related places name. After `fix` that is the new text; `changes` then holds (old, new) of what was
    written, or, for a diff, would be.
    """

    path: Path
    source: bytes
    targets: tuple[Platform, ...] = DEFAULT_TARGETS
    entries: tuple[Entry, ...] = ()
    suppressed: tuple[Entry, ...] = ()
    outside: tuple[Entry, ...] = ()  # found, and not asked for: a baseline knows them, or their lines are old
    unknown: tuple[Problem, ...] = ()
    errors: tuple[Error, ...] = ()
    states: Mapping[Platform, State] = field(default_factory=dict)
    others: Mapping[Path, bytes] = field(default_factory=dict)
    changes: Mapping[Path, tuple[bytes, bytes]] = field(default_factory=dict)
    applied: tuple[Finding, ...] = ()
    demoted: tuple[Finding, ...] = ()
    failing: bool = False  # findings at or above --fail-on are left

    def text(self, path: Path | None) -> bytes:
        """The bytes of the Dockerfile, or of another file that an entry or edit names."""
        return self.source if path is None or path == self.path else self.others.get(path, b"")

    def lines(self, path: Path | None) -> Lines:
        """The lines of that text."""
        return lines_of(self.text(path))

    def places(self, span: Span, path: Path | None) -> tuple[Place, Place]:
        """Start and end of a span."""
        lines = self.lines(path)
        return lines.place(span.start), lines.place(span.end)

    def edits(self, fix: Fix) -> Iterator[tuple[Path, tuple[Edit, ...]]]:
        """The edits of a fix by file, in order of path and place."""
        by_path: dict[Path, list[Edit]] = {}
        for edit in fix.edits:
            by_path.setdefault(edit.path or self.path, []).append(edit)
        for path, edits in by_path.items():
            yield path, tuple(edits)


class Verb(enum.Enum):
    """What the run was asked to do."""

    CHECK = "check"
    FIX = "fix"
    DIFF = "diff"


class Result(Struct, frozen=True):
    """A whole run."""

    files: tuple[FileResult, ...] = ()
    errors: tuple[Error, ...] = ()  # those of files that could not be looked at come here
    rules: Mapping[str, RuleInfo] = field(default_factory=dict)
    platforms: tuple[Platform, ...] = DEFAULT_TARGETS
    style: Style = Style.MINIMAL
    verb: Verb = Verb.CHECK
    unsafe: bool = False
    templates: int = 0
    mended: tuple[str, ...] | None = (
        None  # what a baseline knows and is gone: code and path; None: no baseline
    )
    arguments: tuple[str, ...] = ()  # options and paths of the command line, for "the next command"
    paths: tuple[str, ...] = ()  # the paths among them

    @property
    def all_errors(self) -> tuple[Error, ...]:
        """Every error, ordered by path and line."""
        found = [*self.errors, *(error for file in self.files for error in file.errors)]
        return tuple(sorted(found, key=lambda error: (str(error.path), error.line or 0, error.message)))

    @property
    def entries(self) -> Iterator[tuple[FileResult, Entry]]:
        """Every finding that is shown, in the order of the files."""
        for file in self.files:
            for entry in file.entries:
                yield file, entry

    def rule(self, code: str) -> RuleInfo:
        """What is known of a rule."""
        return self.rules[code]

    def is_aside(self, entry: Entry) -> bool:
        """Whether it is a note of a style that was not chosen, by a rule that was not named."""
        if entry.finding.severity > Severity.NOTE or entry.written:
            return False
        return self.rule(entry.finding.code).style is not None


def repository_path(path: Path) -> str:
    """The path within its repository, with `/`; outside of one, from the current folder on."""
    return _repository_path(path, os.getcwd())


@lru_cache(maxsize=1024)
def _repository_path(path: Path, here: str) -> str:
    absolute = os.path.join(here, path)
    base = root_of(os.path.dirname(absolute)) or here
    relative = os.path.relpath(absolute, base)
    return path.as_posix() if relative.startswith("..") else Path(relative).as_posix()


def entries(
    document: Document,
    findings: Sequence[Finding],
    others: Mapping[Path, bytes],
    *,
    writes: Callable[[Finding], bool] = lambda finding: True,
    suppressed: bool = False,
) -> tuple[Entry, ...]:
    """Findings with paths and fingerprints.

    A fingerprint is a hash of the code, the path in the repository, the stage, the instruction with its blanks
    folded, and how many equal ones stand above: lines may move, it stays.
    """
    if not findings:
        return ()
    seen: Counter[tuple[str, ...]] = Counter()
    surroundings = _Surroundings(document, others)
    result = []
    for finding in findings:
        path = finding.path or document.path
        stage, text = surroundings.of(finding)
        key = (finding.code, repository_path(path), stage, text)
        seen[key] += 1
        fingerprint = sha256(encode("\0".join((*key, str(seen[key])))))
        result.append(Entry(finding, path, fingerprint, writes(finding), suppressed))
    return tuple(result)


class _Surroundings:
    """The name of the stage and the text of the instruction that findings stand in, each instruction looked at once."""

    def __init__(self, document: Document, others: Mapping[Path, bytes]) -> None:
        self._document = document
        self._others = others
        stages = [("", document.globals)]
        stages += ((stage.name or str(stage.index), stage.instructions) for stage in document.stages)
        self._placed = [(one.span.start, name, one) for name, instructions in stages for one in instructions]
        self._known: dict[int, tuple[str, str]] = {}

    def of(self, finding: Finding) -> tuple[str, str]:
        """The name (empty outside of a stage), and the text with its blanks folded, or its hash where that is long."""
        at, document = finding.span.start, self._document
        if finding.path is not None and finding.path != document.path:
            lines = lines_of(self._others.get(finding.path, b""))
            return "", _folded(lines.text(lines.number(at)))
        place = bisect_right(self._placed, at, key=lambda one: one[0]) - 1
        if place < 0 or at > self._placed[place][2].span.end:
            lines = lines_of(document.source)
            return "", _folded(lines.text(lines.number(at)))
        if place not in self._known:
            _, name, instruction = self._placed[place]
            text = _folded(decode(instruction.span.of(document.source)))
            self._known[place] = name, text if len(text) < _LONG else sha256(encode(text))
        return self._known[place]


def _folded(text: str) -> str:
    return " ".join(text.split())
