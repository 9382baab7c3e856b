"""Does each image that a Dockerfile names have each target platform? Asked of BuildKit, with the user's own logins.

One image a question: the first error of a check hides what follows. Nothing is pulled but manifests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from archpatch.facts import Facts
from archpatch.facts.graph import PlatformKind
from archpatch.facts.images import parse_image
from archpatch.platforms import AMD64, Platform
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Arg, Document
from archpatch.verify.buildx import Buildx, Check, is_reference
from archpatch.verify.triage import diagnose
from archpatch.verify.verdict import Evidence, State

_AT_ONCE = 4
_SPECIAL = frozenset('"$\\`')
_OTHER = re.compile(r'pulled with platform "([^"]+)", expected "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Base:
    """An image that a file uses for a target: the platform that is asked of it, and where the file names it."""

    reference: str
    platform: Platform
    line: int


def bases_of(
    document: Document,
    target: Platform,
    build: Platform = AMD64,
    *,
    stage: str | None = None,
    args: Mapping[str, str] | None = None,
    contexts: Mapping[str, object] | None = None,
) -> tuple[tuple[Base, ...], tuple[str, ...]]:
    """The images that a build for `target` takes, and those texts that are not known before it.

    `stage`, `args` and `contexts` are those of the build. A context takes the place of the image of its name.
    """
    document = with_args(document, args or {})
    facts = Facts(document, (target,), build=build)
    reached = _reached(facts, stage, target)
    places = {_full(name): place for name, place in (contexts or {}).items()}
    found: dict[Base, None] = {}
    unknown: dict[str, None] = {}
    for use in facts.images:
        if use.stage.index not in reached:
            continue
        platform = use.platform(target).platform
        line = document.source.count(b"\n", 0, use.instruction.span.start) + 1
        name = use.ref.familiar
        if use.ref.known and (place := places.get(_full(name))) is not None:
            if not isinstance(place, str):
                continue  # a folder, or an image that is built first
            name = place.partition("://")[2]
        elif not use.ref.known or not is_reference(name):
            unknown[use.word.value] = None
            continue
        if platform is None:
            unknown[use.word.value] = None
        else:
            found[Base(name, platform, line)] = None
    return tuple(found), tuple(unknown)


def _full(name: str) -> str:
    """A name by which a context and a FROM can be compared: with its tag."""
    ref = parse_image(name)
    return f"{ref.registry}/{ref.repository}:{ref.digest or ref.tag or 'latest'}"


def _reached(facts: Facts, stage: str | None, target: Platform) -> set[int]:
    """The numbers of the stages that a build of `stage` (None: the last) needs."""
    last = facts.stage_named(stage, len(facts.stages)) if stage else facts.final
    pending = [last or facts.final]
    found: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and one.index not in found:
            found.add(one.index)
            pending += one.needs(target)
    return found


def with_args(document: Document, args: Mapping[str, str]) -> Document:
    """The file with the values of `args` as the defaults of its global ARGs; lines keep their numbers."""
    source, end = bytearray(), 0
    for instruction in document.globals:
        for one in instruction.declarations if isinstance(instruction, Arg) else ():
            value = args.get(one.name.value)
            if value is not None and "\n" not in value:
                escaped = "".join(document.escape + char if char in _SPECIAL else char for char in value)
                source += document.source[end : one.span.start] + f'{one.name.value}="{escaped}"'.encode(
                    "utf-8", "replace"
                )
                end = one.span.end
    return parse(bytes(source) + document.source[end:], document.path) if end else document


def probe(buildx: Buildx, bases: Iterable[Base]) -> Mapping[tuple[str, Platform], Evidence | None]:
    """What is wrong with each image on its platform; None where nothing is."""
    questions = list(dict.fromkeys((base.reference, base.platform) for base in bases))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda question: _ask(buildx, *question), questions)
        return dict(zip(questions, answers, strict=True))


def _ask(buildx: Buildx, reference: str, platform: Platform) -> Evidence | None:
    # A stage whose name holds the architecture may name its platform: that silences an unrelated check.
    text = f"FROM --platform={platform} {reference} AS stage-{platform.os}-{platform.arch}\n"
    return _read(buildx.call_check(text.encode()), reference, platform)


def _read(answer: Check, reference: str, platform: Platform) -> Evidence | None:
    if answer.failure:
        return Evidence("base", f"{reference}: {answer.failure}", State.UNKNOWN)
    for warning in answer.warnings or ():
        match = _OTHER.search(warning.detail)
        if warning.rule_name == "InvalidBaseImagePlatform" and match:
            return Evidence(
                "base",
                f"{reference} is a single image for {match[1]}: a build for {match[2]} succeeds with it and "
                f"ships {match[1]} code under a {match[2]} label",
            )
    if error := answer.build_error:
        diagnosis = diagnose(error.message)
        state = State.WRONG if diagnosis.name == "base-platform" else State.UNKNOWN
        return Evidence("base", f"{reference}: {diagnosis.meaning} ({platform})", state, log=error.message)
    return None


def runs_on_builder(document: Document, stage: str | None, target: Platform) -> bool:
    """Whether the stage that becomes the image stands on $BUILDPLATFORM."""
    facts = Facts(document, (target,))
    last = facts.stage_named(stage, len(facts.stages)) if stage else facts.final
    return last is not None and last.platform(target).kind is PlatformKind.BUILD
