"""A file that ADD or COPY brings: its source follows the architecture, and it gets a name without one."""

from __future__ import annotations

from collections.abc import Container, Mapping

from archpatch.facts import Download, Facts, PlatformKind, StageFacts
from archpatch.facts.targets import choices, only_asked_for
from archpatch.facts.written import written
from archpatch.platforms import AMD64, ARM64
from archpatch.rewrite import declare_arg, substitute_word
from archpatch.rewrite.paths import MOST_EDITS, declare_spelling
from archpatch.rewrite.stages import may_be_folder, mentioned
from archpatch.syntax.tree import Copy, Document, Word
from archpatch.text import Edit, Span, encode


def fetch_under_one_name(
    document: Document, facts: Facts, download: Download, words: Mapping[str, str]
) -> tuple[Edit, ...] | None:
    """Let an ADD's URL follow TARGETARCH, and take the architecture out of the file's name wherever it is used.

    None where an argument cannot say the word, where the destination is no folder, where the name stands in a place
    that cannot be changed, and where other architectures than amd64 and arm64 are asked for.
    """
    instruction, word = download.instruction, download.word
    goal = instruction.destination if isinstance(instruction, Copy) else None
    if not isinstance(instruction, Copy) or not isinstance(word, Word) or goal is None or instruction.onbuild:
        return None
    if len(instruction.sources) != 1 or instruction.json or download.digests or len(download.tokens) != 1:
        return None
    if download.stage.kind is not PlatformKind.TARGET or not only_asked_for(facts, "amd64", "arm64"):
        return None
    span = download.tokens[0].span
    if span is None or span not in word.span or word.value != word.verbatim or goal.value != goal.verbatim:
        return None
    chosen = _expression(document, facts, download, words)
    names = plain_name(word, span)
    if chosen is None or names is None or "$" in goal.value or not may_be_folder(document, goal):
        return None
    if not goal.value.endswith(("/", ".")) and not mentioned(document, f"{goal.value}/{names[0]}"):
        return None  # nothing shows that it is one
    used = call_by_plain_name(document, facts, (download.stage, *download.stage.feeds), instruction, *names)
    if used is None:
        return None
    folder = goal.value if goal.value.endswith("/") else f"{goal.value}/"
    edits = (*chosen[0], Edit.replace(span, chosen[1]), Edit.replace(goal.span, folder + names[1]), *used)
    return tuple(dict.fromkeys(edits))


def fetch_by_docker_name(
    document: Document, facts: Facts, download: Download, words: Mapping[str, str]
) -> tuple[Edit, ...] | None:
    """Let an ADD fetch `tool-${TARGETARCH}` in place of `tool`, which its publisher offers for amd64 by both names.

    None where the table knows no such file, and where the file's name in the image would change.
    """
    instruction, word = download.instruction, download.word
    goal = instruction.destination if isinstance(instruction, Copy) else None
    if not isinstance(word, Word) or goal is None or may_be_folder(document, goal) or instruction.onbuild:
        return None
    if words.get(AMD64.arch) != "" or len(download.tokens) != 1 or download.match is None or download.digests:
        return None
    token = download.tokens[0]
    mark = next((mark for mark in "-_" if _published(facts, download, f"{mark}amd64")), None)
    if mark is None or token.span is None or token.span not in word.span or instruction.json:
        return None
    if download.stage.kind is not PlatformKind.TARGET:
        return None
    edit = substitute_word(word, token.span, f"{mark}${{TARGETARCH}}")
    return None if edit is None else (*declare_arg(document, facts, instruction, "TARGETARCH"), edit)


def _published(facts: Facts, download: Download, word: str) -> bool:
    """Whether the table has the file under a name with `word` in it, spelled by Docker on all targets, as sure as the
    one that is fetched."""
    at = download.tokens[0].start
    other = facts.tables.asset(download.url[:at] + word + download.url[at:])
    arches = choices(facts)
    return (
        other is not None
        and download.match is not None
        and other.exact
        and other.asset.tool == download.match.asset.tool
        and all(other.asset.spell(arch) == (arch,) for arch in arches)
        and all(other.published(arch) == download.match.published(arch) for arch in arches)
    )


def _expression(
    document: Document, facts: Facts, download: Download, words: Mapping[str, str]
) -> tuple[tuple[Edit, ...], str] | None:
    amd64, arm64 = words.get(AMD64.arch), words.get(ARM64.arch)
    return declare_spelling(document, facts, download.instruction, amd64, arm64) if amd64 and arm64 else None


def plain_name(word: Word, span: Span) -> tuple[str, str] | None:
    """The file's name, and that without the architecture and a mark beside it; None where it hangs on a variable."""
    name = word.verbatim.rpartition("/")[2].strip("\"'")
    start = span.start - word.span.start - (len(encode(word.verbatim)) - len(encode(name)))
    end = start + len(span)
    if start < 1 or set(name) & set("$?#&\"'") or not name.isascii() or not name[:start].strip("-_."):
        return None
    before = name[:start]
    return name, (before[:-1] if before[-1] in "-_." else before) + name[end:]


def call_by_plain_name(
    document: Document,
    facts: Facts,
    stages: Container[StageFacts],
    adding: Copy,
    name: str,
    plain: str,
    made_in: Container[StageFacts] = (),
) -> tuple[Edit, ...] | None:
    """Edits that call a file of these stages by its plain name; None where not all of its mentions can be edited.

    `adding` is the instruction that brings the file, and `made_in` are the stages that make it: both are left alone.
    """
    sought = encode(name)
    mentions = document.source.count(sought)
    if mentions > MOST_EDITS or mentioned(document, plain, whole=True):
        return None  # something else may be called so
    cut = next((at for at, (one, two) in enumerate(zip(name, plain, strict=False)) if one != two), len(plain))
    gone = len(name) - len(plain)
    used: set[Span] = set()
    made: set[Span] = set()
    for place in written(facts, name):
        if place.instruction is adding or "://" in place.value:
            continue
        if place.stage in stages:
            used.update(place.places(name))
        elif place.stage in made_in:
            made.update(place.places(name))
    if mentions != len(used | made) + adding.span.of(document.source).count(sought):
        return None
    return tuple(Edit.delete(Span(span.start + cut, span.start + cut + gone)) for span in sorted(used))
