"""Edits that many rules share: declare an argument, drop a flag, add a package, choose by architecture.

Each gives edits over one document and nothing else; the rule makes the Fix and says how far to trust it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archpatch.facts import Command, Facts, StageFacts
from archpatch.platforms import arch_words
from archpatch.rewrite.quotes import all_quoted, guarded, has_backquotes, is_nested
from archpatch.syntax.shell import Literal, Quote, ShellCommand, ShellWord
from archpatch.syntax.tree import Arg, Document, Flag, From, Instruction, Word
from archpatch.text import Edit, Span, decode, encode, regex

_DOUBLE = regex(r"[$`\\!\n]")  # what double quotes read, and single ones do not
_MOST_ESCAPED = 4  # quotes that a word may hold to be given double ones as a whole


def declare_arg(
    document: Document, facts: Facts, instruction: Instruction, *names: str, above: Instruction | None = None
) -> tuple[Edit, ...]:
    """Make the automatic args `names` visible to `instruction`: `ARG NAME` lines, or nothing where they are.

    The lines go above the first instruction of the stage, up to this one, that speaks of an architecture: so
    fixes of several instructions ask for the same edit, and what stands before keeps its cache. A rule whose
    instructions speak of none names the first of them in the stage, `above`. Where the stage declares one further
    down, the declaration is moved.
    """
    scope = facts.scope(instruction)
    missing = [name for name in dict.fromkeys(names) if scope.get(name) is None]
    stage = facts.stage_of(instruction)
    if not missing or stage is None:
        return ()
    place = instruction
    if not instruction.onbuild:
        marks = (one for one in (above, facts.once(_first_of_arch, stage)) if one is not None)
        before = (one for one in marks if stage.head.span.end <= one.span.start < instruction.span.start)
        place = min(before, key=lambda one: one.span.start, default=instruction)
    keyword = "arg" if decode(instruction.keyword_span.of(document.source)).islower() else "ARG"
    prefix = "ONBUILD " if instruction.onbuild else ""
    at = attached_start(document, place)
    indent = decode(document.source[document.line_start(place.span.start) : place.span.start])
    newline = decode(document.newline)
    text = "".join(f"{indent}{prefix}{keyword} {name}{newline}" for name in missing)
    added = Edit.insert(
        at, text, declares=tuple(f"{prefix}{name} of stage {stage.index}" for name in missing)
    )
    return (added, *_no_longer_needed(document, facts, instruction, missing))


def _no_longer_needed(
    document: Document, facts: Facts, instruction: Instruction, names: Sequence[str]
) -> Iterator[Edit]:
    """Takes away the first `ARG NAME` below an instruction, for each name; one with a value or a comment stays."""
    for name in names:
        later = facts.declared_later(instruction, name)
        line = Span(0, 0) if later is None else _line_of(document, later)
        if not isinstance(later, Arg) or not line or attached_start(document, later) != line.start:
            continue
        if all(one.name.value in names and one.value is None for one in later.declarations):
            yield _delete_line(document, line)
            continue
        for one in later.declarations:
            if one.name.value == name and one.value is None:
                gap = document.source[line.start : one.span.start]
                yield Edit.delete(Span(one.span.start - (len(gap) - len(gap.rstrip())), one.span.end))


def _line_of(document: Document, instruction: Instruction) -> Span:
    """The line of an instruction, its end included; empty where it has several."""
    line = Span(document.line_start(instruction.span.start), document.line_end(instruction.span.start))
    return line if instruction.span.end <= line.end else Span(line.start, line.start)


def _delete_line(document: Document, line: Span) -> Edit:
    """Take a line away; where blank lines stand above and below, one of them too."""
    above = document.source[document.line_start(max(line.start - 1, 0)) : line.start]
    below = document.source[line.end : document.line_end(line.end)]
    end = line.end + len(below) if below and not above.strip() and not below.strip() else line.end
    return Edit.delete(Span(line.start, end))


def _first_of_arch(facts: Facts, stage: StageFacts) -> Instruction | None:
    return next((step for step in stage.body if _speaks_of_arch(facts.document, step)), None)


def _speaks_of_arch(document: Document, instruction: Instruction) -> bool:
    if instruction.onbuild or isinstance(instruction, From):
        return False
    text = decode(instruction.span.of(document.source))
    if any(name in text for name in ("TARGETARCH", "TARGETPLATFORM", "TARGETOS", "BUILDARCH")):
        return not isinstance(instruction, Arg)
    return bool(arch_words(text))


def attached_start(document: Document, instruction: Instruction) -> int:
    """Where the lines of an instruction begin, the comment lines right above it included: what is put here
    does not come between a comment (a suppression, say) and what it speaks of."""
    at = document.line_start(instruction.span.start)
    for comment in reversed(document.comments):
        if comment.end <= at and document.line_end(comment.start) == at:
            at = document.line_start(comment.start)
    return at


def delete_flag(document: Document, flag: Flag) -> Edit:
    """Take a flag away, and the blanks after it."""
    end = flag.span.end
    while document.source[end : end + 1] in (b" ", b"\t"):
        end += 1
    return Edit.delete(Span(flag.span.start, end))


def delete_option(document: Document, span: Span) -> Edit:
    """Take an option of a list away: with a blank beside it, or with the continued line that it has for itself."""
    source = document.source
    start, end = document.line_start(span.start), document.line_end(span.end)
    rest = source[span.end : end].strip()
    if not source[start : span.start].strip() and rest == document.escape.encode():
        return Edit.delete(Span(start, end))
    first = not source[start : span.start].strip() or source[span.start - 1 : span.start] in (b"'", b'"')
    if first and source[span.end : span.end + 1] in (b" ", b"\t"):
        return Edit.delete(Span(span.start, span.end + 1))
    if source[span.start - 1 : span.start] in (b" ", b"\t"):
        return Edit.delete(Span(span.start - 1, span.end))
    return Edit.delete(span)


def delete_instruction(document: Document, instruction: Instruction) -> Edit:
    """Take an instruction away, with its line end."""
    return Edit.delete(
        Span(document.line_start(instruction.span.start), document.line_end(instruction.span.end))
    )


def insert_before(document: Document, instruction: Instruction, line: str) -> Edit:
    """Put a line of its own (or several, joined with a plain newline) above an instruction and its comments."""
    text = (line + "\n").replace("\n", decode(document.newline))
    return Edit.insert(attached_start(document, instruction), text)


def substitute(word: ShellWord, span: Span, expression: str, command: Command | None = None) -> Edit | None:
    """Put a shell expression (`${TARGETARCH}`) in place of `span`, which lies in a literal part of `word`.

    Quotes are re-done: in single quotes nothing expands, so the word gets double ones, or they are closed and opened
    again where it holds what those would change. With the `command` that the word belongs to, a word outside of quotes
    that gets a `$(...)` is put in quotes as a whole, or the `$(...)` alone where they would change another part.
    None where the place is no literal of this word (a variable, a nested script).
    """
    for part in word.parts:
        if isinstance(part, Literal) and span in part.span:
            if part.quote is Quote.SINGLE:
                if (whole := _in_double_quotes(word, part, span, expression, command)) is not None:
                    return whole
                closes = span.end == part.span.end  # the quote that ends the part need not be opened again
                return Edit.replace(
                    Span(span.start, span.end + closes), f'\'"{expression}"' + "'" * (not closes)
                )
            if part.quote is Quote.NONE and command is not None:
                return all_quoted(word, span, expression, command) or Edit.replace(
                    span, guarded(expression, span, command)
                )
            return Edit.replace(span, expression)
    return None


def _in_double_quotes(
    word: ShellWord, part: Literal, span: Span, expression: str, command: Command | None
) -> Edit | None:
    """A word that is in single quotes as a whole, in double ones; None where they would change more than one place."""
    text = encode(part.text)
    if command is None or command.run.json or word.parts != (part,) or len(part.span) != len(text):
        return None
    if word.span != Span(part.span.start - 1, part.span.end + 1) or _DOUBLE.search(part.text):
        return None
    if part.text.count('"') > _MOST_ESCAPED:
        return None
    if is_nested(command.script, span) or has_backquotes(command.stage.facts, command.run.span):
        return None
    if len(arch_words(part.text)) != 1:
        return None  # another edit of the word may be to come
    at = span.start - part.span.start
    before, after = (decode(one).replace('"', '\\"') for one in (text[:at], text[at + len(span) :]))
    return Edit.replace(word.span, f'"{before}{expression}{after}"')


def in_place(holder: object, span: Span, expression: str, command: Command | None) -> Edit:
    """Put an expression in place of a variable or `$(...)` of a word, which stands at `span`."""
    parts = holder.parts if isinstance(holder, ShellWord) else ()
    bare = any(part.span == span and part.quote is Quote.NONE for part in parts)
    return Edit.replace(span, guarded(expression, span, command) if bare and command else expression)


def set_by_case(expression: str) -> bool:
    """Whether an expression is a variable of the script, as `arch_case` gives: a shell within does not know it."""
    return expression.startswith("${_")


def substitute_word(word: Word, span: Span, expression: str) -> Edit | None:
    """The same for a word that BuildKit expands (ENV, COPY, ADD, LABEL): None within single quotes."""
    before = word.verbatim.encode("utf-8", "surrogateescape")[: span.start - word.span.start]
    if before.replace(b"\\'", b"").count(b"'") % 2 and b'"' not in before:
        return None
    return Edit.replace(span, expression)


def put(holder: ShellWord | Word, span: Span, expression: str) -> Edit | None:
    """`substitute` or `substitute_word`, as the word is one of a shell or of the Dockerfile."""
    if isinstance(holder, ShellWord):
        return substitute(holder, span, expression)
    return substitute_word(holder, span, expression)


def add_packages(document: Document, packages: Sequence[ShellWord], names: Sequence[str]) -> tuple[Edit, ...]:
    """Add package names to an install command that already lists `packages` (at least one).

    A sorted list stays sorted; a list with one name a line keeps that form, continuation and indentation.
    """
    texts = [word.raw for word in packages]
    edits: dict[int, list[str]] = {}
    for name in names:
        anchor = len(packages) - 1
        if texts == sorted(texts) and len(texts) > 1:
            anchor = max((index for index, text in enumerate(texts) if text < name), default=-1)
        edits.setdefault(anchor, []).append(name)
    return tuple(_beside(document, packages, anchor, added) for anchor, added in sorted(edits.items()))


def _beside(document: Document, packages: Sequence[ShellWord], anchor: int, names: list[str]) -> Edit:
    source = document.source
    first = packages[max(anchor, 0)].span
    line = document.line_start(first.start)
    indent = source[line : first.start]
    alone = not indent.strip() and (
        len(packages) > 1 or b"\n" in source[first.start : document.line_end(first.end)]
    )
    gap = b" " + document.escape.encode() + document.newline + indent if alone else b" "
    if anchor < 0:
        return Edit.insert(first.start, b"".join(name.encode() + gap for name in names))
    return Edit.insert(first.end, b"".join(gap + name.encode() for name in names))


def add_words(
    document: Document, command: ShellCommand, beside: tuple[str, ...], words: Sequence[str]
) -> Edit:
    """Add arguments to a command: after the last one that begins with one of `beside`, else after the last of all.

    Where that argument begins a line of its own, so do the new ones.
    """
    alike = [word for word in command.arguments if word.raw.startswith(beside)]
    anchor = (alike or command.words)[-1]
    indent = document.source[document.line_start(anchor.span.start) : anchor.span.start]
    alone = bool(alike) and not indent.strip() and bool(indent)
    gap = b" " + document.escape.encode() + document.newline + indent if alone else b" "
    return Edit.insert(anchor.span.end, b"".join(gap + word.encode() for word in words))
