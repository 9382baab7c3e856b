"""Answers about stages: where a platform comes from, who takes whose files, which images are named."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.facts.images import ImageRef
from archpatch.facts.values import Scope, Value, Variable, names_in
from archpatch.platforms import Platform, UnknownPlatform
from archpatch.syntax.tree import Copy, Flag, Instruction, Mount, Word

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.stages import StageFacts


class PlatformKind(enum.Enum):
    """What decides the platform of a stage."""

    TARGET = "target"  # what is asked for
    BUILD = "build"  # the machine that builds
    CONSTANT = "constant"  # the text of the file
    UNKNOWN = "unknown"


class StagePlatform(Struct, frozen=True):
    """The platform of a stage for one target.

    `platform` is None when it is not known. `root` is the stage whose FROM names the image: only its flag counts,
    BuildKit passes over the others. `flag` is that flag, None where there is none. `origin` is the declaration whose
    default made the platform constant: `ARG P=linux/amd64` behind `--platform=$P`, `ARG BUILDPLATFORM=linux/amd64`
    behind `$BUILDPLATFORM`.
    """

    kind: PlatformKind
    platform: Platform | None
    root: StageFacts
    flag: Flag | None = None
    origin: Variable | None = None


class CopyOut(Struct, frozen=True):
    """Files of stage `source` that stage `by` takes: by `COPY --from` or, with `mount` set, for one RUN.

    `word` is the reference; `sources` are the paths (none: a mount of everything), `destination` where they go.
    """

    source: StageFacts
    by: StageFacts
    instruction: Instruction
    word: Word
    sources: tuple[Word, ...]
    destination: Word | None
    mount: Mount | None = None


def source_of(facts: Facts, copy: Copy) -> StageFacts | None:
    """The stage that a COPY takes its files of; None where it has no `--from`, or that names an image."""
    word = copy.source_stage
    return None if word is None else facts.stage_referred(word.value, numbers=True)


class ImageUseKind(enum.Enum):
    """Which instruction names an image."""

    FROM = "FROM"
    COPY = "COPY"
    MOUNT = "MOUNT"


class ImageUse(Struct, frozen=True):
    """An image that the file names; `stage` is the stage that uses it."""

    ref: ImageRef
    stage: StageFacts
    instruction: Instruction
    word: Word
    kind: ImageUseKind

    def platform(self, target: Platform) -> StagePlatform:
        """The platform for which it is resolved: for COPY and mounts always the target."""
        if self.kind is ImageUseKind.FROM:
            return self.stage.platform(target)
        return StagePlatform(PlatformKind.TARGET, target, self.stage)


# A platform that no file is written for: what changes with it depends on it.
_PROBE = Platform("linux", "s390x")


def classify(
    word: Word, scope: Callable[[Platform, Platform], Scope], target: Platform, build: Platform
) -> tuple[PlatformKind, Platform | None, Variable | None]:
    """What a value of `--platform` hangs on. `scope(target, build)` is the global scope for a pair of platforms.

    Decided by trial, so that `linux/$BUILDARCH`, `${BUILDPLATFORM:-linux/amd64}` and `${TARGETARCH:+linux/amd64}`
    come out right: a value that moves with the builder is BUILD, one that moves with the target is TARGET.
    """
    outer = scope(target, build)
    value = outer.expand(word)
    platform = _platform(value, build)
    if platform is None:
        return PlatformKind.UNKNOWN, None, None
    if not value.names and not _is_system(value):
        return PlatformKind.CONSTANT, platform, _origin(word, outer)
    by_target = _platform(scope(_other(target), build).expand(word), build)
    by_build = _platform(scope(target, _other(build)).expand(word), _other(build))
    if by_target == platform and by_build == platform:
        return PlatformKind.CONSTANT, platform, None
    if (platform, by_target, by_build) == (target, _other(target), platform):
        return PlatformKind.TARGET, platform, None
    if (platform, by_target, by_build) == (build, platform, _other(build)):
        return PlatformKind.BUILD, platform, None
    return PlatformKind.UNKNOWN, platform, None


def _other(platform: Platform) -> Platform:
    return _PROBE if platform != _PROBE else Platform("linux", "ppc64le")


def _platform(value: Value, build: Platform) -> Platform | None:
    if value.text is None:
        return None
    if _is_system(value):
        return Platform(value.text.strip().lower(), build.arch, build.variant)
    try:
        return Platform.parse(value.text)
    except UnknownPlatform:
        return None


def _is_system(value: Value) -> bool:
    """`linux` alone: it has the builder's architecture."""
    return value.text is not None and value.text.strip().lower() in ("linux", "windows")


def _origin(word: Word, scope: Scope) -> Variable | None:
    """The global ARG whose default decides `word`, followed through ARGs that only pass a value on."""
    seen: set[str] = set()
    pending = sorted(names_in(word.value, scope.escape))
    while pending:
        name = pending.pop()
        found = None if name in seen else scope.get(name)
        seen.add(name)
        if found is None or found.declaration is None or found.declaration.value is None:
            continue
        inner = names_in(found.declaration.value.value, scope.escape) - seen
        if not inner:
            return found
        pending += sorted(inner)
    return None
