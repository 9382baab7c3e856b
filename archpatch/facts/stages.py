"""A stage of a build: what it stands on, for which platform it runs, who uses it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from archpatch.facts.contents import Contents
from archpatch.facts.graph import (
    CopyOut,
    ImageUse,
    ImageUseKind,
    PlatformKind,
    StagePlatform,
    classify,
)
from archpatch.facts.images import ImageRef, parse_image
from archpatch.facts.suppressors import Suppressor, why_stage_is_fine
from archpatch.facts.values import END, History, Scope, Value, declare
from archpatch.platforms import ARCHES, Platform
from archpatch.syntax.tree import Arg, Copy, Env, Flag, From, Instruction, Run, Stage, Word
from archpatch.syntax.words import BadWord, Literal, split_parts
from archpatch.text import regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts

# What runs programs of amd64 on arm64.
_EMULATOR = regex(rb"\b(?:box(?:64|86)|fex-emu|qemu-user|qemu-x86_64)\b")


class StageFacts(Contents):
    """What holds for one stage. One object a stage: compare them with `is` or `==`."""

    def __init__(self, facts: Facts, stage: Stage) -> None:
        self.facts = facts
        self.stage = stage
        self.index = stage.index
        self.name = stage.name
        self.head: From = stage.head
        self.body = stage.body
        self._bases: dict[Platform | None, StageFacts | None] = {}
        self._images: dict[Platform | None, ImageRef | None] = {}
        self._platforms: dict[Platform, StagePlatform] = {}
        self._ends: dict[Platform | None, Scope] = {}  # the scope after its last instruction

    @property
    def me(self) -> StageFacts:
        """Itself, for the part of its class that is written apart."""
        return self

    def __repr__(self) -> str:
        return f"StageFacts({self.index}, {self.name!r})"

    # What it stands on

    @property
    def varies(self) -> bool:
        """Whether its FROM has a variable, and so may name something else for another target."""
        return "$" in self.head.image.value

    def base(self, target: Platform | None = None) -> Value:
        """What `FROM` names once variables are in."""
        return self.facts.global_scope(target if self.varies else None).expand(self.head.image)

    def parent_for(self, target: Platform | None) -> StageFacts | None:
        """The stage its FROM names for this target."""
        target = target if self.varies else None
        if target not in self._bases:
            text = self.base(target).text
            self._bases[target] = self.facts.stage_named(text, self.index) if text else None
        return self._bases[target]

    @cached_property
    def parent(self) -> StageFacts | None:
        """The stage its FROM names, when that is one for all targets."""
        found = {self.parent_for(target) for target in self.facts.targets}
        return next(iter(found)) if len(found) == 1 else None

    @cached_property
    def is_scratch(self) -> bool:
        """`FROM scratch`, itself."""
        return self.parent is None and self.base(self.facts.targets[0]).text == "scratch"

    def image_for(self, target: Platform | None) -> ImageRef | None:
        """The image its FROM names for this target; None for a stage or scratch."""
        target = target if self.varies else None
        if target not in self._images:
            self._images[target] = self._image(target)
        return self._images[target]

    def _image(self, target: Platform | None) -> ImageRef | None:
        if self.parent_for(target) is not None:
            return None
        text = self.base(target).text
        if text is None:
            text = self._partly(target)
        return None if text in ("", "scratch") else parse_image(text, self.head.image)

    def _partly(self, target: Platform | None) -> str:
        """What FROM names, with the known variables put in and the others as written."""
        word, scope = self.head.image, self.facts.global_scope(target)
        try:
            parts = split_parts(word.value, self.facts.escape)
        except BadWord:
            return word.value
        pieces = []
        for part in parts:
            if isinstance(part, Literal):
                pieces.append(part.text)
            else:
                written = word.value[part.start : part.end]
                value = scope.expand(written)
                pieces.append(written if value.text is None else value.text)
        return "".join(pieces)

    @cached_property
    def image(self) -> ImageRef | None:
        """The image its FROM names; with variables as written in it where targets differ."""
        refs = {self.image_for(target) for target in self.facts.targets}
        return next(iter(refs)) if len(refs) == 1 else self.image_for(None)

    def chain_for(self, target: Platform | None) -> tuple[StageFacts, ...]:
        """Itself, its parent, ... to the stage whose FROM names an image or scratch."""
        found = [self]
        while (parent := found[-1].parent_for(target)) is not None:
            found.append(parent)
        return tuple(found)

    @cached_property
    def chain(self) -> tuple[StageFacts, ...]:
        """`chain_for` the first target."""
        return self.chain_for(self.facts.targets[0])

    def ever(self, question: Callable[[StageFacts], bool]) -> bool:
        """Whether `question` is true of it or of a stage that it stands on; asked of each stage once."""
        return self.facts.once(_ever, question)[self.index]

    def root_for(self, target: Platform | None) -> StageFacts:
        """The last of the chain: its FROM names an image or scratch."""
        return self.facts.stages[self.facts.roots(target)[self.index]]

    @property
    def root(self) -> StageFacts:
        """`root_for` the first target."""
        return self.root_for(self.facts.targets[0])

    @cached_property
    def children(self) -> tuple[StageFacts, ...]:
        """The stages whose FROM names this one, for some target."""
        return self.facts.children.get(self.index, ())

    @cached_property
    def why_fine(self) -> Suppressor | None:
        """Why it may be for one architecture as a whole; None where nothing speaks for that."""
        return why_stage_is_fine(self)

    # Families of `FROM x-${TARGETARCH}`

    @cached_property
    def members(self) -> Mapping[Platform, StageFacts]:
        """The stage that FROM picks for each target, when it depends on the target; else empty."""
        if not self.base(None).names:
            return MappingProxyType({})
        picked = {target: self.parent_for(target) for target in self.facts.targets}
        return MappingProxyType({target: stage for target, stage in picked.items() if stage is not None})

    @cached_property
    def missing_members(self) -> tuple[Platform, ...]:
        """The targets for which such a family has no stage, while it has one for another architecture."""
        if not self.base(None).names or not self.every_member:
            return ()
        return tuple(target for target in self.facts.targets if self.parent_for(target) is None)

    @cached_property
    def every_member(self) -> Mapping[str, StageFacts]:
        """As `members`, for every architecture there is, by architecture."""
        if not self.base(None).names:
            return {}
        picked = {arch: self.parent_for(Platform("linux", arch)) for arch in ARCHES}
        return {arch: stage for arch, stage in picked.items() if stage is not None}

    @cached_property
    def family_arch(self) -> str | None:
        """The architecture for which this stage is picked by a `FROM x-${TARGETARCH}`; None outside of families."""
        return self.facts.family_arches.get(self.index)

    # The platform

    def platform(self, target: Platform) -> StagePlatform:
        """For which platform it is resolved and run when `target` is built."""
        root = self.root_for(target)
        if target not in root._platforms:
            root._platforms[target] = root._own_platform(target)
        return root._platforms[target]

    def _own_platform(self, target: Platform) -> StagePlatform:
        flag: Flag | None = self.head.platform
        if flag is None or flag.value is None or not flag.value.value:
            return StagePlatform(PlatformKind.TARGET, target, self, flag)
        if self.base(target).text == "scratch":
            return StagePlatform(PlatformKind.TARGET, target, self, flag)
        if self.base(target).text is None and self.candidates:
            return StagePlatform(PlatformKind.UNKNOWN, None, self, flag)
        kind, platform, origin = classify(flag.value, self.facts.global_scope_of, target, self.facts.build)
        return StagePlatform(kind, platform, self, flag, origin)

    @cached_property
    def kind(self) -> PlatformKind:
        """What decides its platform, when that is the same for all targets; else UNKNOWN."""
        kinds = {self.platform(target).kind for target in self.facts.targets}
        return next(iter(kinds)) if len(kinds) == 1 else PlatformKind.UNKNOWN

    # Who uses it

    @cached_property
    def targets(self) -> frozenset[Platform]:
        """The targets for which the default build, that of the last stage, reaches it."""
        return frozenset(target for target in self.facts.targets if self.index in self.facts.reached(target))

    @property
    def reached(self) -> bool:
        """Whether the default build reaches it for some target."""
        return bool(self.targets)

    @cached_property
    def candidates(self) -> tuple[StageFacts, ...]:
        """The earlier stages that an unknown variable in FROM may mean: those whose name fits the rest of it."""
        if self.base(self.facts.targets[0]).text is not None:
            return ()
        try:
            parts = split_parts(self._partly(self.facts.targets[0]), self.facts.escape)
        except BadWord:
            return ()
        pattern = "".join(re.escape(part.text) if isinstance(part, Literal) else ".*" for part in parts)
        if pattern == ".*":
            return ()  # the name of an image, as far as anyone can tell
        matching = re.compile(pattern).fullmatch
        return tuple(
            stage for stage in self.facts.stages[: self.index] if stage.name and matching(stage.name)
        )

    @cached_property
    def copies_in(self) -> tuple[CopyOut, ...]:
        """What it takes from other stages, in the order of the file."""
        return tuple(self._copies_in())

    def _copies_in(self) -> Iterator[CopyOut]:
        for instruction, word, kind in self._references():
            source = self.facts.stage_referred(word.value, numbers=kind is ImageUseKind.COPY)
            if source is None or source is self:
                continue
            if isinstance(instruction, Copy):
                yield CopyOut(source, self, instruction, word, instruction.sources, instruction.destination)
            elif isinstance(instruction, Run):
                for mount in instruction.mounts:
                    if mount.get("from") == word:
                        path, goal = mount.get("source", "src"), mount.get("target", "dst", "destination")
                        yield CopyOut(source, self, instruction, word, (path,) if path else (), goal, mount)

    @cached_property
    def emulates(self) -> bool:
        """Whether it, or a stage that it stands on, names an emulator of amd64."""
        lowered = self.facts.lowered
        return any(_EMULATOR.search(step.span.of(lowered)) for one in self.chain for step in one.body)

    @cached_property
    def copies_out(self) -> tuple[CopyOut, ...]:
        """What other stages take from it, in the order of the file."""
        return self.facts.copies.get(self.index, ())

    def descendants(self) -> Iterator[StageFacts]:
        """The stages that stand on it, directly or on each other, the nearest first and each once."""
        seen: set[int] = set()
        pending = deque([self])
        while pending:  # no recursion, however long the chain
            for child in pending.popleft().children:
                if child.index not in seen:
                    seen.add(child.index)
                    pending.append(child)
                    yield child

    @cached_property
    def feeds(self) -> tuple[StageFacts, ...]:
        """Every stage that gets its base or files from it, directly or through others, in the order of the file."""
        found: set[int] = set()
        pending = [self]
        while pending:
            stage = pending.pop()
            for following in (*stage.children, *(copy.by for copy in stage.copies_out)):
                if following.index not in found:
                    found.add(following.index)
                    pending.append(following)
        return tuple(self.facts.stages[index] for index in sorted(found))

    def needs(self, target: Platform) -> Iterator[StageFacts]:
        """The stages that it needs for this target."""
        parent = self.parent_for(target)
        yield from (parent,) if parent is not None else self.candidates
        yield from (copy.source for copy in self.copies_in)

    @cached_property
    def images(self) -> tuple[ImageUse, ...]:
        """The images it names: in FROM (for the first target where targets differ), COPY and mounts."""
        found = []
        if self.image is not None:
            found.append(ImageUse(self.image, self, self.head, self.head.image, ImageUseKind.FROM))
        for instruction, word, kind in self._references():
            if (
                self.facts.stage_referred(word.value, numbers=kind is ImageUseKind.COPY) is None
                and word.value
            ):
                found.append(ImageUse(parse_image(word.value, word), self, instruction, word, kind))
        return tuple(found)

    def _references(self) -> Iterator[tuple[Instruction, Word, ImageUseKind]]:
        """Every `--from` and `from=` of its instructions."""
        for instruction in self.body:
            if isinstance(instruction, Copy) and instruction.source_stage is not None:
                yield instruction, instruction.source_stage, ImageUseKind.COPY
            elif isinstance(instruction, Run):
                for mount in instruction.mounts:
                    word = mount.get("from")
                    if word is not None:
                        yield instruction, word, ImageUseKind.MOUNT

    # Variables

    @cached_property
    def declaring(self) -> Mapping[tuple[str, bool], list[Arg | Env]]:
        """The ARG and ENV that declare a name, in order; those under ONBUILD apart (True)."""
        found: dict[tuple[str, bool], list[Arg | Env]] = {}
        for step in self.body:
            if isinstance(step, Arg | Env) and step.keyword != "LABEL":
                for declaration in step.declarations:
                    found.setdefault((declaration.name.value, step.onbuild), []).append(step)
        return found

    def scope_at(self, position: int, target: Platform | None = None) -> Scope:
        """The variables visible just before byte `position` of the stage."""
        return replace(self.end_scope(target), position=position)

    def end_scope(self, target: Platform | None = None) -> Scope:
        """The variables visible after its last instruction, which are those that its children inherit."""
        waiting: list[StageFacts] = []
        stage: StageFacts | None = self
        while stage is not None and target not in stage._ends:
            waiting.append(stage)
            stage = stage.parent_for(target)
        while waiting:  # parents first: no recursion however long the chain
            stage = waiting.pop()
            stage._ends[target] = stage._read(target)
        return self._ends[target]

    def onbuild_scope_at(self, position: int, target: Platform | None = None) -> Scope:
        """What an ONBUILD instruction will see in the later build that runs it: the ENVs, and ONBUILD's own ARGs."""
        history = History()
        scope = Scope(history, END, self.end_scope(target), self.facts.escape, closed=False, env_only=True)
        for instruction in self.body:
            if instruction.onbuild and instruction.span.start < position:
                declare(instruction, instruction.span.start, history, scope, self.facts.global_scope(target))
        return scope

    def _read(self, target: Platform | None) -> Scope:
        """Its end scope, where that of its parent is known."""
        parent = self.parent_for(target)
        inherited = None if parent is None else parent._ends[target]
        history = History()
        scope = Scope(history, END, inherited, self.facts.escape, self.root_for(target).is_scratch)
        outer = self.facts.global_scope(target)
        for instruction in () if parent is None else parent.body:
            if instruction.onbuild:  # triggers of the parent run right after FROM
                declare(instruction, self.head.span.start, history, scope, outer)
        for instruction in self.body:
            if not instruction.onbuild:
                declare(instruction, instruction.span.start, history, scope, outer)
        return scope


def _ever(facts: Facts, question: Callable[[StageFacts], bool]) -> tuple[bool, ...]:
    """By number of a stage, the answer; a stage stands on earlier ones alone."""
    answers: list[bool] = []
    for stage in facts.stages:
        parent = stage.parent_for(facts.targets[0])
        answers.append((parent is not None and answers[parent.index]) or question(stage))
    return tuple(answers)
