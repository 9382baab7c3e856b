"""Other instructions than the one that fetches a file, which may name it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from archpatch.facts import Download, Facts, StageFacts
from archpatch.syntax.tree import Document, Env, Instruction
from archpatch.text import Span, decode, encode, regex

_URLS = regex(r"\b(?:https?|ftp)://\S+")


class Others:
    """The instructions of a stage, and of those that take files from it, that may name what it fetches."""

    def __init__(self, stage: StageFacts) -> None:
        facts = stage.facts
        fetching = facts.once(_fetching)
        stages = {stage.index, *(other.index for other in stage.feeds)}
        self._texts = [
            (step, text)
            for index in sorted(stages)
            for step, text in facts.once(_texts, facts.stages[index])
            if step.span.start not in fetching
        ]
        self._naming: dict[str, list[int]] = {}

    def naming(self, names: Iterable[str]) -> list[tuple[Instruction, str]]:
        """Those with one of `names` in them, and their texts without URLs. Instructions that fetch for themselves
        are left out: what they name is theirs."""
        found: set[int] = set()
        for name in names:
            if name not in self._naming:
                self._naming[name] = [at for at, (_, text) in enumerate(self._texts) if name in text]
            found.update(self._naming[name])
        return [self._texts[at] for at in sorted(found)]


def _fetching(facts: Facts) -> frozenset[int]:
    """Where the instructions begin that fetch what is for one architecture."""
    return frozenset(one.instruction.span.start for one in facts.downloads if one.tokens)


def _texts(facts: Facts, stage: StageFacts) -> list[tuple[Instruction, str]]:
    """What the instructions of a stage say, without URLs."""
    source = facts.document.source
    return [
        (step, _URLS.sub("", decode(Span(step.body.start, step.span.end).of(source))))
        for step in stage.body
        if step.keyword not in ("LABEL", "ARG")
    ]


@lru_cache(maxsize=4)  # downloads come stage by stage
def others_of(stage: StageFacts) -> Others:
    """The other instructions that may name a download of `stage`."""
    return Others(stage)


def is_all_changed(
    document: Document, instruction: Instruction, download: Download, names: Iterable[str]
) -> bool:
    """Whether an ENV names the file in those places alone that change with the URL."""
    held = [token.span for token in download.tokens if token.span and token.span in instruction.span]
    if not held or not isinstance(instruction, Env):
        return False
    source, at, kept = document.source, instruction.span.start, b""
    for span in sorted(dict.fromkeys(held)):
        kept += source[at : span.start]
        at = span.end
    kept += source[at : instruction.span.end]
    return not any(encode(name) in kept for name in names)
