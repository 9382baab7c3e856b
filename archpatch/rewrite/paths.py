"""Edits of paths and names that hold an architecture: a selector in its place, wherever the word stands."""

from __future__ import annotations

from collections.abc import Container

from archpatch.facts import Facts, PlatformKind, StageFacts, Written, written
from archpatch.facts.targets import only_asked_for
from archpatch.platforms import AMD64, ARM64
from archpatch.rewrite import attached_start, declare_arg, in_one_pair, substitute, substitute_word
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Copy, Document, Instruction, Word
from archpatch.text import Edit, Span, decode, regex

_EXPANDED = frozenset({"ENV", "ARG", "COPY", "ADD", "WORKDIR"})
_USING = frozenset({"RUN", "ENV", "ARG", "WORKDIR", "VOLUME", "CMD", "ENTRYPOINT", "HEALTHCHECK"})  # not COPY


def substitute_written(written: Written, span: Span, expression: str) -> Edit | None:
    """Put a variable or `$(...)` in place of `span` of a word of either kind.

    None where nothing would expand it: in the exec form, in CMD or ENTRYPOINT, in a script that was not read.
    """
    word, command = written.word, written.command
    if command is not None and isinstance(word, ShellWord):
        return substitute(word, span, expression, command) if command.script.readable else None
    if isinstance(word, Word) and written.instruction.keyword in _EXPANDED:
        return substitute_word(word, span, expression)
    return None


def uname_edits(facts: Facts, written: Written, text: str, word: str) -> tuple[Edit, ...]:
    """Put `$(uname -m)` in place of `word` (x86_64) in each `text` of a word of a RUN.

    Nothing where that is not the target's name: outside of scripts, in a stage on another platform than the target,
    where an architecture is asked for whose folders are not called as `uname -m` says.
    """
    if written.command is None or written.stage.kind is not PlatformKind.TARGET:
        return ()
    if not only_asked_for(facts, "amd64", "arm64", "s390x", "riscv64"):
        return ()
    edits = []
    offset = text.index(word)
    for span in written.places(text):
        start = span.start + offset
        edit = substitute_written(written, Span(start, start + len(word)), "$(uname -m)")
        if edit is None:
            return ()
        edits.append(edit)
    word_of = written.word
    return in_one_pair(written.command, (word_of,), edits) if isinstance(word_of, ShellWord) else tuple(edits)


def respelled_copy(document: Document, facts: Facts, written: Written, text: str) -> tuple[Edit, ...]:
    """Put an argument that says `uname -m`'s word in place of `x86_64` in each `text` of a word of COPY.

    Nothing where the file is no stage's or image's, which have one for each platform, or where no argument can say it.
    """
    copy, word = written.instruction, written.word
    if not isinstance(copy, Copy) or not isinstance(word, Word) or copy.json or copy.source_stage is None:
        return ()
    return _respelled(document, facts, written, text, word)


def respelled_value(document: Document, facts: Facts, written: Written, text: str) -> tuple[Edit, ...]:
    """The same in the value of an ENV or ARG of a stage, where it is written out in full."""
    word = written.word
    if (
        written.instruction.keyword not in ("ENV", "ARG")
        or not isinstance(word, Word)
        or written.instruction.onbuild
    ):
        return ()
    if written.instruction in document.globals or "$" in word.value:
        return ()
    return _respelled(document, facts, written, text, word)


def _respelled(document: Document, facts: Facts, written: Written, text: str, word: Word) -> tuple[Edit, ...]:
    own = "x86_64"
    if own not in text or written.stage.kind is not PlatformKind.TARGET:
        return ()
    chosen = (
        declare_uname_word(document, facts, written.instruction)
        if only_asked_for(facts, "amd64", "arm64")
        else None
    )
    if chosen is None:
        return ()
    starts = [span.start + text.index(own) for span in written.places(text)]
    made = [substitute_word(word, Span(start, start + len(own)), chosen[1]) for start in starts]
    edits = [edit for edit in made if edit is not None]
    return () if len(edits) < len(starts) else (*chosen[0], *edits)


def add_to_search_path(written: Written, folder: str, other: str) -> tuple[Edit, ...]:
    """Name each folder of a list (`a:b`) with `folder` in it a second time, with `other` in its place.

    Nothing where one of them hangs on a variable.
    """
    edits: list[Edit] = []
    held: list[Span] = []
    # The longest first: `/lib/x` stands in `/usr/lib/x` too, and is no element of the list there.
    for element in sorted(dict.fromkeys(written.value.strip("\"'").split(":")), key=len, reverse=True):
        if folder in element:
            places = [span for span in written.places(element) if not any(span in one for one in held)]
            if not places or set(element) & set("${}"):
                return ()
            held += places
            edits.append(Edit.insert(places[0].end, f":{element.replace(folder, other)}"))
    return tuple(edits)


def declare_uname_word(
    document: Document, facts: Facts, instruction: Instruction
) -> tuple[tuple[Edit, ...], str] | None:
    """Arguments that give `uname -m`'s word for amd64 and arm64 where no shell is, and the expression to use."""
    return declare_spelling(document, facts, instruction, "x86_64", "aarch64")


def declare_spelling(
    document: Document,
    facts: Facts,
    instruction: Instruction,
    amd64: str,
    arm64: str,
    step: str = "TARGET_ARCH",
) -> tuple[tuple[Edit, ...], str] | None:
    """Arguments that give a publisher's words for amd64 and arm64 where no shell is, and the expression to use.

    `${NAME/from/to}` where one of them is not Docker's. Where neither is, an argument `step` of its own, declared
    twice, for BuildKit replaces one word at a time. None where the frontend that the file asks for knows no such
    thing, or a variable of the step's name means something else.
    """
    if not all(_PLAIN.fullmatch(word) for word in (amd64, arm64)):
        return None
    if (amd64, arm64) == ("amd64", "arm64"):
        return declare_arg(document, facts, instruction, "TARGETARCH"), "${TARGETARCH}"
    if not replaces_words(document):
        return None
    if arm64 == "arm64":
        return declare_arg(document, facts, instruction, "TARGETARCH"), f"${{TARGETARCH/amd64/{amd64}}}"
    if amd64 == "amd64":
        return declare_arg(document, facts, instruction, "TARGETARCH"), f"${{TARGETARCH/arm64/{arm64}}}"
    return declare_variable(document, facts, instruction, amd64, arm64, step)


def declare_variable(
    document: Document,
    facts: Facts,
    instruction: Instruction,
    amd64: str,
    arm64: str,
    name: str = "TARGET_ARCH",
) -> tuple[tuple[Edit, ...], str] | None:
    """An argument `name` that has these words for amd64 and arm64, and the expression to use, which a shell knows too;
    else as `declare_spelling`."""
    plain = all(_PLAIN.fullmatch(word) for word in (amd64, arm64))
    held = facts.scope(instruction).get(name)
    if held is not None:
        return ((), f"${{{name}}}") if _says(facts, instruction, name, amd64, arm64) else None
    if instruction.onbuild or not plain or not replaces_words(document):
        return None
    source, steps = "TARGETARCH", []
    for arch, word in (("amd64", amd64), ("arm64", arm64)):
        if arch != word:
            steps.append(f"ARG {name}=${{{source}/{arch}/{word}}}{decode(document.newline)}")
            source = name
    lines = "".join(steps)
    declared = declare_arg(document, facts, instruction, "TARGETARCH")
    if not declared:
        return (Edit.insert(_below_argument(document, facts, instruction), lines),), f"${{{name}}}"
    first, *others = declared
    both = Edit.insert(first.span.start, decode(first.text) + lines, declares=first.declares)
    return (both, *others), f"${{{name}}}"


def _says(facts: Facts, instruction: Instruction, name: str, amd64: str, arm64: str) -> bool:
    """Whether a variable has these values for amd64 and arm64."""
    held = (facts.scope(instruction, target).get(name) for target in (AMD64, ARM64))
    return [one.value.text if one else None for one in held] == [amd64, arm64]


def _below_argument(document: Document, facts: Facts, instruction: Instruction) -> int:
    """Where the stage's line `ARG TARGETARCH` ends, so that all who need the step ask for one; else above `instruction`."""
    held = facts.scope(instruction).get("TARGETARCH")
    if (
        held is None
        or held.instruction is None
        or facts.stage_of(held.instruction) is not facts.stage_of(instruction)
    ):
        return attached_start(document, instruction)
    return document.line_end(held.instruction.span.end)


_PLAIN = regex(r"[\w./-]+")
_OLD_FRONTEND = regex(
    r"docker/dockerfile(?:-upstream)?:(?:1\.[0-6](?![0-9])|0\.|experimental|master-experimental)"
)


def replaces_words(document: Document) -> bool:
    """Whether the frontend that a file asks for knows `${NAME/from/to}`: 1.7 (2023-11) is the first."""
    return not any(
        directive.name == "syntax" and _OLD_FRONTEND.search(directive.value)
        for directive in document.directives
    )


MOST_EDITS = 100  # of one fix that follows a name through a file: each use may be a finding with all of them in its fix
_USES = frozenset({"ARG", "ENV", "RUN", "WORKDIR", "VOLUME", "CMD", "ENTRYPOINT", "HEALTHCHECK"})


def name_edits(
    document: Document, facts: Facts, stages: Container[StageFacts], name: str, word: str
) -> tuple[Edit, ...] | None:
    """A selector in place of `word` wherever these stages use the file `name`, COPY left out.

    None where one of the places cannot be changed: then changing the others would break what fits now. None too for
    more than MOST_EDITS.
    """
    edits: list[Edit] = []
    at = name.index(word)
    for place in written(facts, name, only=_USES):
        if place.stage not in stages:
            continue
        for span in place.places(name):
            selected = Span(span.start + at, span.start + at + len(word))
            if word == "amd64":
                edit = substitute_written(place, selected, "${TARGETARCH}")
                edits += declare_arg(document, facts, place.instruction, "TARGETARCH")
            elif word == "x86_64" and place.command and place.stage.kind is PlatformKind.TARGET:
                edit = substitute_written(place, selected, "$(uname -m)")
            else:
                edit = None
            if edit is None or len(edits) > MOST_EDITS:
                return None
            edits.append(edit)
    return tuple(edits)
