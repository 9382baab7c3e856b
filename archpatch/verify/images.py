"""The inspection of built or existing images: from an image's files to evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from archpatch.facts import Facts
from archpatch.syntax.tree import Document, Instruction
from archpatch.verify.audit import Audit, Issue, audit
from archpatch.verify.exempt import Exemptions
from archpatch.verify.oci import Image, LayerCache, Store
from archpatch.verify.verdict import Evidence, State

_SHOWN = 1000  # pieces of evidence of one image
_STEP = re.compile(r"\[(?:[a-z]+/\S+ )?(?:(?P<stage>\S+) )?(?P<number>\d+)/\d+\] (?P<keyword>[A-Z]+)")
_ANY_STEP = re.compile(r"\[[^\]]*\d+/\d+\] [A-Z]")  # of another target too
_LAYERED = ("RUN", "COPY", "ADD", "WORKDIR")


def inspect(path: Path, exemptions: Exemptions, cache: LayerCache) -> list[tuple[Image, Audit]]:
    """Every image of a layout or archive, audited. Raises Unreadable."""
    with Store(path) as store:
        return [(image, audit(image, store.rootfs(image, cache), exemptions)) for image in store.images()]


def evidence_of(found: Audit, lines: Sequence[tuple[int, ...]] = ()) -> tuple[Evidence, ...]:
    """What an audit says, the first of many files by name. `lines`: those of each layer, where they are known."""
    evidence = [_evidence(issue, lines) for issue in found.wrong[:_SHOWN]]
    if len(found.wrong) > _SHOWN:
        left = len(found.wrong) - _SHOWN
        evidence.append(Evidence(found.wrong[0].code, f"and {left} more files"))
    if found.unread:
        text = "; ".join(found.unread[:3]) + (
            f" and {len(found.unread) - 3} more" if len(found.unread) > 3 else ""
        )
        evidence.append(Evidence("unread", text, State.UNKNOWN))
    return tuple(evidence)


def _evidence(issue: Issue, lines: Sequence[tuple[int, ...]]) -> Evidence:
    known = 0 <= issue.layer < len(lines)
    return Evidence(issue.code, issue.message, path=issue.path, lines=lines[issue.layer] if known else ())


def instruction_lines(document: Document, image: Image, stage: str | None) -> tuple[tuple[int, ...], ...]:
    """For each layer, lowest first, the lines (from 1) of the instruction that made it; () where that is not clear.

    Told by the history, from its end: the layers that no instruction of the file made are the base image's, and
    get the lines of FROM.
    """
    facts = Facts(document, (image.platform,))
    last = facts.stage_named(stage, len(facts.stages)) if stage else facts.final
    layers: list[tuple[int, ...]] = [()] * len(image.layers)
    steps = [text for text, layered in image.config.history if layered]
    if last is None or len(steps) != len(layers):
        return tuple(layers)
    chain = last.chain_for(image.platform)
    makers = [
        one for part in reversed(chain) for one in part.body if one.keyword in _LAYERED and not one.onbuild
    ]
    at = len(layers) - 1
    for instruction in reversed(makers):
        if at >= 0 and steps[at].startswith(instruction.keyword):
            layers[at] = _lines(document, instruction)
            at -= 1
        elif instruction.keyword != "WORKDIR":  # a folder that is there already makes no layer
            return tuple(layers)
    base = _lines(document, chain[-1].head)
    return (*[base] * (at + 1), *layers[at + 1 :])


def _lines(document: Document, instruction: Instruction) -> tuple[int, ...]:
    first = document.source.count(b"\n", 0, instruction.span.start) + 1
    return tuple(range(first, first + instruction.span.of(document.source).count(b"\n") + 1))


def is_step(name: str) -> bool:
    """Whether a step of the build is an instruction of a Dockerfile, not one of buildx's own."""
    return _ANY_STEP.match(name) is not None


def step_lines(document: Document, step: str) -> tuple[int, ...]:
    """The lines of the instruction that a step of the build runs, told by its number; () where that is not clear.

    `[linux/arm64 build 3/8] RUN make`: the third of the stage's FROM (where it names an image) and its RUN, COPY,
    ADD and WORKDIR. A stage without a name is called `stage-N`, or nothing where it is the only one.
    """
    match = _STEP.match(step)
    if not match:
        return ()
    name, number, keyword = match["stage"], int(match["number"]), match["keyword"]
    facts = Facts(document)
    for stage in facts.stages:
        if name is not None and name not in (stage.name, f"stage-{stage.index}"):
            continue
        steps: list[Instruction] = [one for one in stage.body if one.keyword in _LAYERED and not one.onbuild]
        if stage.parent is None and not stage.is_scratch:
            steps.insert(0, stage.head)
        if number <= len(steps) and steps[number - 1].keyword == keyword:
            return _lines(document, steps[number - 1])
    return ()
