"""Architectures in paths that COPY and ADD take out of an ARG or ENV: `ARG BIN=out/linux-amd64/app`, `COPY $BIN /app`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.arch_values import arch_value, has_own_rule
from archpatch.facts.origins import Piece, piece_at, text_of, trace_word
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import AMD64, ArchWord
from archpatch.rewrite import declare_arg, substitute_word
from archpatch.syntax.tree import Arg, Copy, Document, Env, Word
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch_rules.copied.paths import names_one


class HeldPath(Struct, frozen=True):
    """A source of COPY or ADD whose path names one architecture in the value of a variable. `path` is what it comes to,
    `span` where the architecture is written, `piece` the part of the path that holds it."""

    copy: Copy
    source: Word
    path: str
    word: ArchWord
    piece: Piece
    span: Span


def held_paths(facts: Facts) -> Iterator[HeldPath]:
    """Every such source for which nothing speaks. A value that is an architecture and nothing else is another rule's
    matter."""
    for stage in facts.stages:
        copies = [copy for copy in stage.body if isinstance(copy, Copy)]
        if not any("$" in word.value for copy in copies for word in copy.sources):
            continue
        paths = {
            text_of(trace_word(facts, copy, word, AMD64)): (copy, word)
            for copy in copies
            for word in copy.sources
        }
        shapes = {(path.replace(word.text, "{A}"), word.arch) for path in paths if (word := names_one(path))}
        for path, (copy, source) in paths.items():
            found = _held(facts, copy, source, path) if "$" in source.value else None
            other = "arm64" if found and found.word.arch == "amd64" else "amd64"
            if found is None or (path.replace(found.word.text, "{A}"), other) in shapes:
                continue
            if why_arch_is_fine(facts, found.word.arch, copy, source.span) is None:
                yield found


def _held(facts: Facts, copy: Copy, source: Word, path: str) -> HeldPath | None:
    word = names_one(path)
    if word is None:
        return None
    pieces = trace_word(facts, copy, source, AMD64)
    piece, span = piece_at(pieces, word.start, word.end) or (None, None)
    declaration = piece.declaration if piece else None
    if piece is None or span is None or declaration is None:
        return None
    if arch_value(declaration) is not None or has_own_rule(declaration):
        return None
    if any(text_of(trace_word(facts, copy, source, target)) != path for target in facts.targets):
        return None
    return HeldPath(copy, source, path, word, piece, span)


def follow_value(document: Document, facts: Facts, found: HeldPath) -> Fix | None:
    """Let the value follow TARGETARCH; None where that may not be all: where it is spelled otherwise, where something
    else uses it, and where the file keeps its name in a folder."""
    declaring, holder = found.piece.instruction, found.piece.holder
    declaration, stage = found.piece.declaration, facts.stage_of(found.copy)
    goal = found.copy.destination.value if found.copy.destination else ""
    if not isinstance(declaring, Arg | Env) or not isinstance(holder, Word) or declaration is None:
        return None
    if found.word.text != "amd64" or found.path.count("amd64") != 1 or found.copy.source_stage is not None:
        return None
    if stage is None or stage.kind is not PlatformKind.TARGET or not only_asked_for(facts, "amd64", "arm64"):
        return None
    kept = found.word.text in PurePosixPath(found.path).name and (goal in (".", "..") or goal.endswith("/"))
    uses = facts.uses(declaration.name.value)
    if kept or declaring.onbuild or not all(isinstance(use.instruction, Copy) for use in uses):
        return None
    edit = substitute_word(holder, found.span, "${TARGETARCH}")
    if edit is None:
        return None
    own = facts.stage_of(declaring) is not None
    edits: tuple[Edit, ...] = declare_arg(document, facts, declaring, "TARGETARCH") if own else ()
    return Fix(f"Let {declaration.name.value} follow TARGETARCH", (*edits, edit), Applicability.UNSAFE)
