"""Fixes as bash reads them: what a RUN calls, with which words, before and after, on amd64 and on arm64."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from archpatch.engine import Settings, fix
from archpatch.facts import MemoryContext
from archpatch.platforms import AMD64, ARM64
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability, encode
from tests.conftest import examples
from tests.engine.random_runs import dockerfile
from tests.engine.replay import Played, Script, play, scripts

pytestmark = pytest.mark.engine
RULES = load()
_ARCH = re.compile("amd64|x86_64|x64|arm64|aarch_?64")

# SAFE fixes that change words, not what is meant by them: the amd64 view says why for each.
OTHER_WORDS = {
    "AP105": "an argument that was not declared was empty",
    "AP106": "an argument that was declared in another scope was empty",
    "AP305": "git:amd64 is git on amd64",
    **dict.fromkeys(("AP312", "AP313", "AP314", "AP315", "AP316", "AP330"), "a package more is installed"),
    "AP602": "-r linux-x64 is -a amd64",
}


@dataclass(frozen=True)
class Changed:
    """A RUN that a fix changes, or that sees other values after it."""

    name: str
    before: Script
    after: Script
    on_arm64: Script


@dataclass(frozen=True)
class Told:
    """What the scripts of a change call."""

    name: str
    before: Played
    after: Played
    on_arm64: Played


def changed(name: str, source: bytes, mended: bytes) -> Iterator[Changed]:
    if mended == source:
        return
    sides = [scripts(source, AMD64), scripts(mended, AMD64), scripts(mended, ARM64)]
    if len({len(side) for side in sides}) > 1:
        return  # a fix that adds a RUN or takes one away
    for before, after, on_arm64 in zip(*sides, strict=True):
        if before and after and on_arm64 and before != after:
            yield Changed(name, before, after, on_arm64)


def played(changes: list[Changed]) -> list[Told]:
    results = iter(play([script for one in changes for script in (one.before, one.after, one.on_arm64)]))
    return [Told(one.name, next(results), next(results), next(results)) for one in changes]


def shape(one: Played) -> tuple[int, list[str]]:
    """The calls with the architecture left open, and how the script ended."""
    return one.status, sorted(_ARCH.sub("{A}", call) for call in one.calls)


def differs(one: Told) -> bool:
    """Whether other commands ran, or less was echoed: a choice by `$(test ... && echo WORD)` echoes more."""
    before, after = Counter(one.before.calls), Counter(one.after.calls)
    return bool(before - after) or any(not call.startswith("echo ") for call in after - before)


def of_examples(level: Applicability) -> list[Told]:
    changes: list[Changed] = []
    for rule in RULES:
        for number, example in enumerate(rule.examples):
            document = parse(encode(example.before), Path(example.name))
            context = MemoryContext({**example.files, example.name: example.before})
            settings = Settings(style=example.style, extend_select=(rule.code,))
            mended = fix(document, (rule,), settings, context, level).source
            changes += changed(f"{rule.code} {number}", document.source, mended)
    return played(changes)


def test_safe_fixes_of_all_examples_call_on_amd64_what_was_called_before(engine: str) -> None:
    told = [one for one in of_examples(Applicability.SAFE) if one.name.split()[0] not in OTHER_WORDS]
    assert len(told) > 20
    assert {one.name: one.after for one in told if one.after != one.before} == {}


def test_fixes_of_all_examples_end_on_both_platforms_as_before(engine: str) -> None:
    told = of_examples(Applicability.UNSAFE)
    assert len(told) > 90
    ends = {one.name: (one.before.status, one.after.status, one.on_arm64.status) for one in told}
    assert {name: statuses for name, statuses in ends.items() if len(set(statuses)) > 1} == {}


@pytest.mark.long
def test_downloads_in_random_scripts_call_the_same_on_amd64_and_its_counterpart_on_arm64(engine: str) -> None:
    changes: list[Changed] = []
    for seed in range(examples(60, 2000)):
        document = parse(encode(dockerfile(seed)))
        mended = fix(document, RULES, Settings(), None, Applicability.UNSAFE).source
        changes += changed(str(seed), document.source, mended)
    told = played(changes)
    assert len(told) > 40
    assert {one.name: one.after for one in told if one.after != one.before} == {}
    shapes = {one.name: (shape(one.after), shape(one.on_arm64)) for one in told}
    assert {name: pair for name, pair in shapes.items() if pair[0] != pair[1]} == {}
    assert not [one.name for one in told if one.after.calls == one.on_arm64.calls]


@pytest.mark.corpus
@pytest.mark.long
def test_fixes_of_real_files_call_on_amd64_what_was_called_before(engine: str, corpus: Path) -> None:
    changes: list[Changed] = []
    real = sorted(path for path in (corpus / "real").rglob("*") if path.is_file())
    for path in real[:: examples(20, 1)]:
        document = parse(path.read_bytes(), path)
        if not document.problems:
            context = MemoryContext({path.name: ""})
            mended = fix(document, RULES, Settings(), context, Applicability.UNSAFE).source
            changes += changed(str(path.relative_to(corpus)), document.source, mended)
    told = played(changes)
    assert len(told) > 20
    assert {one.name: one.after.calls for one in told if differs(one)} == {}
    assert {
        one.name for one in told if len({one.before.status, one.after.status, one.on_arm64.status}) > 1
    } == set()
