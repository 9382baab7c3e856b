"""What stands in a stage: RUNs, their commands and installations, its distribution, user and shells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from archpatch.facts.checksums import Sums, sums_of
from archpatch.facts.distro import SCRATCH, UNKNOWN, Distro, distro_of_image, distro_of_managers
from archpatch.facts.packages import Install, calls, may_install
from archpatch.facts.shells import Command
from archpatch.syntax.tree import Instruction, Run, Word
from archpatch.text import decode, encode, holds, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts

_NAME = regex(rb"[A-Za-z_]\w*")
_WIDE_NAME = regex(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")


def _by_stage(_: Facts, wanted: Callable[[Install], bool], managers: tuple[str, ...]) -> dict[int, bool]:
    """What any_install() has found so far, by number of a stage."""
    return {}


class Contents:
    """The part of `StageFacts` that tells what its instructions hold."""

    facts: Facts
    body: tuple[Instruction, ...]

    @property
    @abstractmethod
    def me(self) -> StageFacts:
        """The stage itself."""

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Its RUN instructions, those under ONBUILD left out."""
        return tuple(step for step in self.body if isinstance(step, Run) and not step.onbuild)

    @cached_property
    def every_run(self) -> tuple[Run, ...]:
        """Its RUN instructions with those under ONBUILD, which a later build runs on this image."""
        return tuple(step for step in self.body if isinstance(step, Run))

    def naming(self, names: Iterable[str]) -> list[Instruction]:
        """The instructions that may use one of these variables: a `$` and the name stand in them."""
        found = {at for name in names for at in self._naming.get(encode(name), ())}
        return [self.body[at] for at in sorted(found)]

    @cached_property
    def _naming(self) -> Mapping[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        source = self.facts.document.source
        for at, step in enumerate(self.body):
            text = step.span.of(source)
            if b"$" not in text:
                continue
            words = set(_NAME.findall(text))
            if not text.isascii():  # letters beyond ASCII may belong to a name, or end it
                words.update(_WIDE_NAME.findall(text))
            for word in words:
                found.setdefault(word, []).append(at)
        return found

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """Every simple command of its RUNs."""
        return tuple(command for run in self.runs for command in self.facts.commands_of(run, self.me))

    def runs_with(self, *texts: str, later: bool = False) -> Iterator[Run]:
        """Its RUNs (`later`: those under ONBUILD too) in which one of these texts (in lower case) stands in any
        case: a quick look, as `Rule.hints` is for files, that spares reading the scripts of the others."""
        wanted = tuple(map(encode, texts))
        lowered = self.facts.lowered
        for run in self.every_run if later else self.runs:
            if holds(lowered, wanted, run.span.start, run.span.end):
                yield run

    def commands_with(self, *texts: str, later: bool = False) -> Iterator[Command]:
        """The simple commands of its RUNs (`later`: those under ONBUILD too) in which one of these texts stands."""
        for run in self.runs_with(*texts, later=later):
            yield from self.facts.commands_of(run, self.me)

    def installs_by(
        self, *managers: str, known: frozenset[str] | None = None, later: bool = False
    ) -> Iterator[Install]:
        """The installations by these package managers, by default all; with `known`, those of the RUNs in which one
        of these words stands, or a variable; `later`: those under ONBUILD too."""
        every = self.every_run if later else self.runs
        for run in self.runs_with(*calls(*managers), later=later) if managers else every:
            if known is not None and not may_install(decode(run.span.of(self.facts.document.source)), known):
                continue
            for install in self.facts.installs_of(run, self.me):
                if not managers or install.manager in managers:
                    yield install

    @cached_property
    def sums(self) -> tuple[Sums, ...]:
        """Its RUNs that compute checksums."""
        return tuple(sums_of(self.facts, self.me))

    @cached_property
    def installs(self) -> tuple[Install, ...]:
        """Every installation of packages in it, in the order of the file; parents are left out."""
        return tuple(install for run in self.runs for install in self.facts.installs_of(run, self.me))

    def all_installs(self, *managers: str) -> Iterator[Install]:
        """Those of its parents (for the first target) and its own by these package managers."""
        for stage in reversed(self.me.chain):
            yield from stage.installs_by(*managers)

    def any_install(self, wanted: Callable[[Install], bool], *managers: str) -> bool:
        """Whether `wanted` holds for an installation by these package managers in it or in its parents (for the first
        target). Each stage's answer is kept: `wanted` is a function that stays, not one made for the question."""
        kept = self.facts.once(_by_stage, wanted, managers)
        passed: list[int] = []
        here: StageFacts | None = self.me
        while here is not None and here.index not in kept:
            passed.append(here.index)
            if any(map(wanted, here.installs_by(*managers))):
                break
            here = here.parent_for(self.facts.targets[0])
        answer = here is not None and kept.get(here.index, True)
        kept.update(dict.fromkeys(passed, answer))
        return answer

    @cached_property
    def image_distro(self) -> Distro:
        """Its distribution as far as the name of its image says."""
        root = self.me.root
        if root.is_scratch:
            return SCRATCH
        return UNKNOWN if root.image is None else distro_of_image(root.image)

    @cached_property
    def distro(self) -> Distro:
        """Its distribution: by the image's name, else by the package managers it calls."""
        found = self.image_distro
        if found is not UNKNOWN:
            return found
        return distro_of_managers(install.manager for stage in self.me.chain for install in stage.installs)

    @cached_property
    def user(self) -> Word | None:
        """The USER in force at its end, as written; None where neither it nor a parent names one."""
        for stage in self.me.chain:
            for step in reversed(stage.body):
                if step.keyword == "USER" and step.words and not step.onbuild:
                    return step.words[0]
        return None

    @cached_property
    def shells(self) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Its SHELL instructions: where each stands and its words."""
        return tuple(
            (step.span.start, tuple(word.value for word in step.words))
            for step in self.body
            if step.keyword == "SHELL" and not step.onbuild
        )
