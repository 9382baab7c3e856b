"""The whole interface of a rule pack.

A pack is a module with `RULES`, a tuple of `Rule` objects, named by an entry point of group `archpatch.rules`.
A rule's docstring is its manual page, its `examples` are its tests (archpatch.testing puts them under the laws),
its dataclass fields are its options.
"""

from __future__ import annotations

import enum
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct, field

from archpatch.text import Fix, Span

if TYPE_CHECKING:
    from archpatch.facts import Facts
    from archpatch.syntax.tree import Document


class Severity(enum.IntEnum):
    """NOTE: works, but relies on something unsaid. WARNING: a foreign binary is shipped, or the build may
    fail. ERROR: a build or a start on some target platform fails."""

    NOTE = 0
    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


class Style(enum.Enum):
    """MINIMAL: what changes the result. EXPLICIT: what the build relies on is written out."""

    MINIMAL = "minimal"
    EXPLICIT = "explicit"


class Related(Struct, frozen=True):
    """Another place that belongs to a finding; `path` None is the Dockerfile."""

    span: Span
    message: str
    path: Path | None = None


class Finding(Struct, frozen=True):
    """A pitfall at a place. `path` None is the Dockerfile; else a file of its build context."""

    code: str
    span: Span
    message: str
    severity: Severity
    fix: Fix | None = None
    related: tuple[Related, ...] = ()
    path: Path | None = None


class Example(Struct, frozen=True):
    """A Dockerfile and what a rule makes of it; the unit of manual and test.

    `after` None: the rule spares `before`. `after` equal to `before`: found, and no fix is written (none, or a
    MANUAL one). Else: found, and `after` is the text once all fixes (SAFE and UNSAFE) of this rule are in.
    `applicability` is that of the fix; None where there is none.
    """

    before: str
    after: str | None = None
    title: str = ""  # a sentence; shown in the manual
    files: Mapping[str, str] = field(default_factory=dict)  # the build context, beside the Dockerfile
    files_after: Mapping[str, str] = field(default_factory=dict)  # those that the fix changes
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    style: Style = Style.MINIMAL
    name: str = "Dockerfile"
    applicability: str | None = None
    whole_file: bool = False  # counts stages: not tried beside an unrelated stage and under ONBUILD


class Rule(ABC):
    """A pitfall: how it is found and mended.

    `hints`: lower-case words; a Dockerfile that holds none of them, in whatever case, cannot have a finding of
    this rule (the engine then does not ask it). Empty: always ask.
    `style`: findings are notes outside that style; `fix` writes a note's fix only in the rule's own style or when
    `--select` names the rule. `opt_in`: asked only when `--select` or `--extend-select` names it.
    `errors`: texts of build or run errors that this pitfall causes, for `archpatch explain --error`.
    `also`: other tools' names for it, whose suppressions count (`DL3029`, `FromPlatformFlagConstDisallowed`).
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    examples: ClassVar[tuple[Example, ...]]
    style: ClassVar[Style | None] = None
    opt_in: ClassVar[bool] = False
    hints: ClassVar[tuple[str, ...]] = ()
    errors: ClassVar[tuple[str, ...]] = ()
    also: ClassVar[tuple[str, ...]] = ()

    @property
    def manual(self) -> str:
        """The manual page: Markdown, its first line the pitfall in a sentence."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @abstractmethod
    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every finding of this rule in the file. Pure: the same arguments give equal findings."""

    def finding(
        self,
        span: Span,
        message: str,
        fix: Fix | None = None,
        *,
        severity: Severity | None = None,
        related: tuple[Related, ...] = (),
        path: Path | None = None,
    ) -> Finding:
        """A finding of this rule, with its own severity where none is given."""
        return Finding(
            self.code, span, message, self.severity if severity is None else severity, fix, related, path
        )
