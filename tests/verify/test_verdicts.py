"""From what was seen before and after to a verdict over each fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64
from archpatch.syntax.parse import parse
from archpatch.text import Applicability
from archpatch.verify.attribute import Pair, Unit, causes, proof
from archpatch.verify.verdict import Evidence, Look, Proof, State, Verdict, combined, state_of

TEXT = b"""ARG G=1
FROM golang AS build
ARG TARGETARCH=amd64
RUN go build
FROM debian AS other
RUN true
FROM scratch
LABEL a=b
COPY --from=build /app /app
COPY data /data
"""
DOCUMENT = parse(TEXT)


def look(*evidence: Evidence, failed: bool = False) -> Look:
    return Look("x", Path("Dockerfile"), ARM64, state_of(evidence), evidence, failed=failed)


def unit(*lines: int, code: str = "AP1") -> Unit:
    return Unit(code, "m", "t", min(lines, default=1), Applicability.SAFE, frozenset(lines) or None)


FOREIGN = Evidence("wrong-arch", "x86 code", path="app", lines=(9,))
OTHER = Evidence("wrong-arch", "x86 code", path="data/x", lines=(10,))
BROKEN = Evidence("build", "it failed", lines=(4,))
UNTOLD = Evidence("build", "no network", State.UNKNOWN)
RIGHT = look()


@pytest.mark.parametrize(
    ("at", "lines"),
    [
        pytest.param(9, {1, 2, 3, 4, 7, 9}, id="COPY --from: its stage, and what sets variables"),
        pytest.param(10, {1, 7, 10}, id="COPY of the context: no other COPY, no LABEL"),
        pytest.param(4, {1, 2, 3, 4}, id="RUN: all that its stage did before"),
        pytest.param(6, {1, 5, 6}, id="another stage alone"),
    ],
)
def test_what_can_be_the_cause_of_trouble_at_a_line(at: int, lines: set[int]) -> None:
    assert causes(DOCUMENT, ARM64, {at}) == lines


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        pytest.param(RIGHT, look(FOREIGN), True, id="right, then wrong"),
        pytest.param(look(FOREIGN), look(BROKEN, failed=True), True, id="built wrong, then not at all"),
        pytest.param(look(FOREIGN), look(FOREIGN, OTHER), True, id="wrong in one more way"),
        pytest.param(look(FOREIGN, OTHER), look(OTHER), False, id="wrong in one way less"),
        pytest.param(look(BROKEN, failed=True), look(FOREIGN), False, id="builds at last"),
        pytest.param(look(BROKEN, failed=True), look(BROKEN, failed=True), False, id="fails as before"),
        pytest.param(RIGHT, look(UNTOLD), False, id="could not be told"),
    ],
)
def test_worse(before: Look, after: Look, worse: bool) -> None:
    assert Pair(before, after).worse is worse


@pytest.mark.parametrize(
    ("where", "before", "after", "verdict", "text"),
    [
        pytest.param((3,), look(FOREIGN), RIGHT, Verdict.CONFIRMED, "after: right", id="mended at its cause"),
        pytest.param((6,), look(FOREIGN), RIGHT, Verdict.NEUTRAL, "does not come from its lines", id="elsewhere"),
        pytest.param((3,), RIGHT, RIGHT, Verdict.NEUTRAL, "right before and after", id="right all along"),
        pytest.param((3,), look(FOREIGN), look(FOREIGN), Verdict.UNKNOWN, "still wrong", id="not mended"),
        pytest.param(
            (3,), look(FOREIGN, OTHER), look(OTHER), Verdict.CONFIRMED, "gone after, but", id="its part is mended"
        ),
        pytest.param((3,), look(UNTOLD), RIGHT, Verdict.UNKNOWN, "before: no network", id="before unknown"),
        pytest.param((3,), look(FOREIGN), look(UNTOLD), Verdict.UNKNOWN, "after: no network", id="after unknown"),
        pytest.param((3,), look(BROKEN, failed=True), RIGHT, Verdict.CONFIRMED, "it failed", id="builds now"),
        pytest.param((), look(FOREIGN), RIGHT, Verdict.CONFIRMED, "after: right", id="place not known"),
        pytest.param(
            (6,), look(BROKEN, failed=True), look(BROKEN, failed=True), Verdict.UNKNOWN, "does not build",
            id="nothing to see",
        ),
    ],
)  # fmt: skip
def test_one_platforms_word_on_a_fix(
    where: tuple[int, ...], before: Look, after: Look, verdict: Verdict, text: str
) -> None:
    mine, culprit = unit(*where), unit(3, code="AP2")
    found = proof(DOCUMENT, mine, Pair(before, after), [mine, culprit], "docker x")
    assert found.verdict is verdict
    assert text in found.evidence


def test_trouble_that_no_fix_stands_near_is_everyones() -> None:
    mine = unit(6)
    assert proof(DOCUMENT, mine, Pair(look(FOREIGN), RIGHT), [mine], "").verdict is Verdict.CONFIRMED


def test_native_nodes_may_hide_what_was_wrong_and_the_evidence_says_so() -> None:
    before = replace(RIGHT, notes=("its final stage runs on $BUILDPLATFORM: right here",))
    found = proof(DOCUMENT, unit(3), Pair(before, RIGHT), [], "")
    assert found.verdict is Verdict.NEUTRAL
    assert "$BUILDPLATFORM" in found.evidence


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ("CONFIRMED NEUTRAL", "CONFIRMED"),
        ("NEUTRAL NEUTRAL", "NEUTRAL"),
        ("CONFIRMED UNKNOWN", "UNKNOWN"),
        ("CONFIRMED REFUTED", "REFUTED"),
        ("REFUTED UNKNOWN", "REFUTED"),
        ("", "UNKNOWN"),
    ],
)
def test_the_verdict_over_all_platforms(verdicts: str, verdict: str) -> None:
    proofs = [Proof(AMD64, Verdict[name], "", "") for name in verdicts.split()]
    assert combined(proofs) is Verdict[verdict]
