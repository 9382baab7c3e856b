"""Whether anything uses the value of an ARG or ENV that holds an architecture."""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice

from archpatch.facts import Facts, Place, PlatformKind, Use, VariableKind
from archpatch.syntax.tree import Declaration, Flag, Instruction
from archpatch.text import regex

# What a FROM takes where a builder sets no automatic arguments.
_FALLBACK = regex(r"\$\{(?:BUILD|TARGET)(?:PLATFORM|ARCH):?-.*\}")


def uses_by_name(facts: Facts, names: set[str]) -> dict[str, list[Use]]:
    """The uses of these variables, by name, in the order of the file."""
    found: dict[str, list[Use]] = {}
    for use in facts.uses(*names) if names else ():
        found.setdefault(use.name, []).append(use)
    return found


def is_used(facts: Facts, instruction: Instruction, declaration: Declaration, uses: list[Use]) -> bool:
    """Whether some instruction sees this declaration's value."""
    name, is_global = declaration.name.value, facts.stage_of(instruction) is None
    if is_global:
        pin = _pin_told_elsewhere(facts, declaration)
        flags = [one.head.platform for one in facts.stages if one.head.platform and one.why_fine is None]
        words = [flag.value for flag in flags if flag is not pin and flag.value]
        words += [stage.head.image for stage in facts.stages]
        if any(name in _FALLBACK.sub("", word.value) for word in words):
            return True
    first = bisect_left(uses, instruction.span.start, key=lambda use: use.instruction.span.start)
    for use in islice(uses, first, None):
        variable = facts.scope(use.instruction).get(name)
        if use.assigned or variable is None or use.place is Place.FLAG or _is_compiled_for(use):
            continue
        if variable.declaration is declaration or variable.instruction is instruction:
            return True
        if is_global and variable.kind is VariableKind.ARG:
            return True
    return False


def _is_compiled_for(use: Use) -> bool:
    """Whether it says what a compiler that is built is to compile for: `configure --target=`."""
    shell = use.command
    if shell is None or shell.name != "configure":
        return False
    word = next((one for one in shell.words if use.span in one.span), None)
    return word is not None and word.raw.startswith("--target=")


def _pin_told_elsewhere(facts: Facts, declaration: Declaration) -> Flag | None:
    """The --platform that holds the final stage to this value: final-stage-on-constant-platform tells of it."""
    final = facts.final
    if final is None or final.kind is not PlatformKind.CONSTANT:
        return None
    platforms = [final.platform(target) for target in facts.targets]
    origins = [one.origin.declaration for one in platforms if one.origin is not None]
    return platforms[0].flag if origins and all(one is declaration for one in origins) else None
