"""A choice by architecture at the head of a RUN: a `case` that sets a variable."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.targets import choices
from archpatch.platforms import Convention
from archpatch.rewrite.edits import declare_arg, put
from archpatch.rewrite.quotes import is_nested
from archpatch.syntax.shell import Script, ShellWord
from archpatch.syntax.tree import Document, Instruction, Run, Word
from archpatch.text import Edit, Span, decode, encode, regex

_LEADING = regex(rb"[\\`][ \t]*\r?\n([ \t]*)&&")  # a line of a command list that begins with its operator


def arch_case(
    document: Document,
    facts: Facts,
    run: Run,
    words: Mapping[str, str],
    at: Collection[Span],
    variable: str = "_arch",
    argument: str = "TARGETARCH",
    above: Instruction | None = None,
) -> tuple[tuple[Edit, ...], str] | None:
    """A `case` over the target's architecture at the head of a RUN, which sets a variable to `words[arch]`.

    `words` is keyed as Platform.arch. Gives the edits and the expression to use (`${_arch}`) at the places `at`; None
    for the exec form, where the shell was not read, where a place is in the script of `sh -c`, whose shell has no
    such variable, and where one of them is the RUN's first. Where the stage runs on the target, `uname -m` stands in for builders
    that set no automatic args (the legacy builder, podman before 5); in a build-platform stage it would name
    the wrong machine. `above`: as in declare_arg.

    Where the RUN begins with such a `case` already, that one sets the variable too, or has one with these words.
    """
    stage = facts.stage_of(run)
    if run.json or run.onbuild or stage is None or not facts.shell(run).readable:
        return None
    if any(is_nested(facts.shell(run), place) for place in at):
        return None
    text = decode(run.span.of(document.source))
    variable = _free_name(text, variable)
    native = all(stage.platform(target).kind is PlatformKind.TARGET for target in facts.targets)
    subject = f"${{{argument}:-$(uname -m)}}" if native else f"${argument}"
    chosen = {arch: words[arch] for arch in choices(facts) if arch in words}
    declared = declare_arg(document, facts, run, argument, above=above)
    if (joined := _join(document, run, subject, native, chosen, variable)) is not None:
        return (*declared, *joined[0]), joined[1]
    lines = [
        f'case "{subject}" in',
        *(f"  {_pattern(arch, native)}) {variable}={word} ;;" for arch, word in chosen.items()),
        f'  *) echo >&2 "unsupported architecture: {subject}"; exit 1 ;;',
    ]
    head = _at_head(document, run, lines, ";" if _has_background(facts.shell(run)) else "&&")
    if any(place.start == head.span.start for place in at):
        return None
    return (*declared, head), f"${{{variable}}}"


def _free_name(text: str, name: str) -> str:
    """A name that a text does not have: `_arch`, else `_arch2` and so on."""
    if name not in text:
        return name
    return next(other for number in range(2, 1000) if (other := f"{name}{number}") not in text)


def _join(
    document: Document, run: Run, subject: str, native: bool, words: Mapping[str, str], variable: str
) -> tuple[tuple[Edit, ...], str] | None:
    """What to add to a `case` as `arch_case` writes it, at the head of a RUN, so that it sets `variable` too, and the
    expression; nothing to add where it sets one to these words. None where there is none for these architectures."""
    at, joint = _head_of(document, run)
    arms = "".join(
        rf"  {re.escape(_pattern(arch, native))}\) (_\w+=[^\n]*?) ;;{re.escape(joint)}" for arch in words
    )
    last = re.escape(f'  *) echo >&2 "unsupported architecture: {subject}"; exit 1 ;;{joint}esac')
    first = re.escape(f'case "{subject}" in{joint}')
    text = document.source[at : run.span.end]
    if not text.startswith(b"case ") or not (found := re.match(encode(first + arms + last), text)):
        return None
    held = [dict(one.split("=", 1) for one in decode(arm).split("; ")) for arm in found.groups()]
    for name in held[0]:
        if [arm.get(name) for arm in held] == list(words.values()):
            return (), f"${{{name}}}"
    ends = [at + found.end(number) for number in range(1, len(held) + 1)]
    edits = [Edit.insert(end, f"; {variable}={word}") for end, word in zip(ends, words.values(), strict=True)]
    return tuple(edits), f"${{{variable}}}"


def arch_case_in(
    document: Document, facts: Facts, run: Run, word: ShellWord | Word, place: Span, words: Mapping[str, str]
) -> tuple[Edit, ...] | None:
    """The same for one place, which lies in `word`: the edits of the `case` and of the place; None where one of them
    cannot be made."""
    case = arch_case(document, facts, run, words, (place,))
    edit = put(word, place, case[1]) if case else None
    return None if case is None or edit is None else (*case[0], edit)


def _pattern(arch: str, native: bool) -> str:
    """What an arm of the `case` for an architecture matches; `native`: the machine's own word too."""
    uname = Convention.UNAME.spell(arch)
    return f"{arch}|{uname}" if native and uname and uname != arch else arch


def _has_background(script: Script) -> bool:
    """Whether a command of the list runs beside the others: what `&&` ties to it would run there too."""
    return any(item.operator == "&" for item in script.body.items)


def _head_of(document: Document, run: Run) -> tuple[int, str]:
    """Where the commands of a RUN begin, and what stands between the lines of a `case` there."""
    newline = decode(document.newline)
    if run.heredocs:
        at = run.heredocs[0].content.start
        return (document.line_end(at) if document.source[at : at + 2] == b"#!" else at), newline
    column = run.body.start - document.line_start(run.body.start)
    indent = " " * column if column <= 12 else "    "
    return run.body.start, f" {document.escape}{newline}{indent}"


def _at_head(document: Document, run: Run, lines: list[str], tie: str) -> Edit:
    """Lines of a `case` above the first command of a RUN; `tie` stands at the end of a line, or at its head where the
    RUN has it there."""
    at, joint = _head_of(document, run)
    if run.heredocs:
        return Edit.insert(at, "".join(line + joint for line in [*lines, "esac"]))
    leads = _LEADING.search(run.body.of(document.source)) if tie == "&&" else None
    if leads:  # in line with the others that begin so
        end = f"esac {document.escape}{decode(document.newline)}{decode(leads[1])}&& "
        return Edit.insert(at, joint.join([*lines, end]))
    return Edit.insert(at, joint.join([*lines, f"esac{' ' * (tie == '&&')}{tie}", ""]))
