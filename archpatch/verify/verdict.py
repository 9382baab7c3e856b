"""The result of a verification: what was looked at, what was seen there, and what that proves."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archpatch.platforms import Platform
from archpatch.text import Applicability


class Level(enum.Enum):
    """How far a verification goes; `proves` says what a good end of it means."""

    PLAN = "plan"
    CHECK = "check"
    BUILD = "build"
    RUN = "run"
    IMAGE = "image"  # an image that exists already

    @property
    def proves(self) -> str:
        """In one line, for people."""
        return {
            Level.PLAN: "nothing: no command was run",
            Level.CHECK: "BuildKit's own checks and the platforms of the base images; nothing was built",
            Level.BUILD: "each image builds, and every native file in it is for its platform and can be loaded",
            Level.RUN: "as build, and the given command ends with 0 in each image",
            Level.IMAGE: "every native file in the image is for its platform and can be loaded; nothing was run",
        }[self]


class State(enum.Enum):
    """What is known of an image on a platform."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Verdict(enum.Enum):
    """What the evidence says of a fix.

    CONFIRMED: before, something failed or was shipped wrong on a platform; after, it is right, and nowhere worse.
    NEUTRAL: right before and after. REFUTED: worse after. UNKNOWN: it could not be told; the proof says why.
    """

    CONFIRMED = "confirmed"
    NEUTRAL = "neutral"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen. `kind` as in KINDS; `path` is in the image; `lines` (from 1) in the Dockerfile.

    `codes`: the rules that know this trouble. `state`: what it makes of the image.
    """

    kind: str
    message: str
    state: State = State.WRONG
    path: str = ""
    lines: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    log: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two pieces of evidence, of different builds, the same one."""
        return (self.kind, self.path, "" if self.kind == "build" else self.message)


KINDS = {
    "build": "the build failed",
    "base": "a base image is wrong for the platform",
    "lint": "BuildKit warned",
    "run": "the command failed in the image",
    "refused": "archpatch does not build this",
    "unread": "could not be looked at",
    # the rest are codes of archpatch.verify.audit
}


@dataclass(frozen=True, slots=True)
class Look:
    """One image on one platform. `failed`: there is no image, the build did not end well."""

    target: str
    dockerfile: Path
    platform: Platform
    state: State
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
    mode: str = "unknown"
    seconds: float = 0.0
    elf_files: int = 0
    exempt: int = 0
    failed: bool = False
    cached: bool = False
    command: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()  # base images with their digests, as the build named them

    @property
    def rank(self) -> int | None:
        """How good it is: 2 right, 1 built and wrong, 0 does not build; None where that is not known."""
        if self.state is State.UNKNOWN:
            return None
        if self.state is State.RIGHT:
            return 2
        return 0 if self.failed else 1

    @property
    def wrong(self) -> tuple[Evidence, ...]:
        """What makes it wrong."""
        return tuple(one for one in self.evidence if one.state is State.WRONG)


def state_of(evidence: Iterable[Evidence]) -> State:
    """WRONG beats UNKNOWN beats RIGHT: one thing that is wrong is enough to know it."""
    states = {one.state for one in evidence}
    if State.WRONG in states:
        return State.WRONG
    return State.UNKNOWN if State.UNKNOWN in states else State.RIGHT


@dataclass(frozen=True, slots=True)
class Proof:
    """What one platform says of a fix: `command` shows it again, `evidence` is for people."""

    platform: Platform
    verdict: Verdict
    command: str
    evidence: str
    before: State = State.UNKNOWN
    after: State = State.UNKNOWN


@dataclass(frozen=True, slots=True)
class FixProof:
    """The verdict over one fix and whether it was written."""

    path: Path
    code: str
    title: str
    line: int
    applicability: Applicability
    verdict: Verdict
    why: str
    proofs: tuple[Proof, ...] = ()
    written: bool = False


def combined(proofs: Iterable[Proof]) -> Verdict:
    """The verdict over all platforms: one REFUTED refutes; else UNKNOWN, CONFIRMED, NEUTRAL in this order."""
    verdicts = {proof.verdict for proof in proofs}
    if Verdict.CONFIRMED in verdicts and Verdict.UNKNOWN in verdicts:
        return Verdict.UNKNOWN
    for verdict in (Verdict.REFUTED, Verdict.UNKNOWN, Verdict.CONFIRMED):
        if verdict in verdicts:
            return verdict
    return Verdict.NEUTRAL if verdicts else Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Verification:
    """A whole run. `looks` are those of the files as they are at its end; `before` those of a fix before."""

    level: Level
    looks: tuple[Look, ...] = ()
    before: tuple[Look, ...] = ()
    fixes: tuple[FixProof, ...] = ()
    builder: str = ""
    driver: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[Platform, str] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    plan: str = ""
    commands: tuple[str, ...] = ()
    trouble: str = ""  # why nothing could be looked at

    @property
    def state(self) -> State:
        """Of the whole run. A plan looks at nothing and is never wrong."""
        if self.trouble:
            return State.UNKNOWN
        states = {look.state for look in self.looks}
        verdicts = {fix.verdict for fix in self.fixes}
        if State.WRONG in states or Verdict.REFUTED in verdicts:
            return State.WRONG
        if State.UNKNOWN in states or Verdict.UNKNOWN in verdicts:
            return State.UNKNOWN
        return State.RIGHT

    @property
    def exit_code(self) -> int:
        """0 right, 1 wrong or refuted, 5 could not tell."""
        return {State.RIGHT: 0, State.WRONG: 1, State.UNKNOWN: 5}[self.state]
