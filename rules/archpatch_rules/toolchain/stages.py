"""Which stages the rules on compilers and build tools look at."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.facts.targets import only_asked_for
from archpatch.platforms import AMD64


def for_each_target(facts: Facts) -> Iterator[StageFacts]:
    """The stages that are built anew for each target; none where amd64 alone is asked for, or the file's name says
    that it is for one architecture."""
    if facts.named_arch or only_asked_for(facts, AMD64.arch):
        return
    yield from (stage for stage in facts.stages if stage.reached and stage.kind is PlatformKind.TARGET)
