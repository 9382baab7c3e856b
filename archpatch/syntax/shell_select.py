"""What names an architecture in a script, and what the words mean that it is compared with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache

from msgspec import Struct, field
from msgspec.structs import replace

from archpatch.platforms import ARCHES, Convention, arch_of, arch_words
from archpatch.syntax.shell_tree import ArchTest, Script, Selector, ShellCommand
from archpatch.syntax.shell_words import Literal, Param, Part, ShellWord, Substitution
from archpatch.text import encode, holds, regex

EVERY = frozenset(ARCHES)
NONE: frozenset[str] = frozenset()

_MENTIONS = (b"arch", b"ARCH", b"uname", b"PLATFORM", b"HOSTTYPE", b"xx-info", b"machine()")
_VARIABLES = {
    "TARGETARCH": Selector.TARGETARCH,
    "TARGETPLATFORM": Selector.TARGETPLATFORM,
    "BUILDARCH": Selector.BUILDARCH,
    "BUILDPLATFORM": Selector.BUILDPLATFORM,
    "HOSTTYPE": Selector.UNAME,
}

# What a selector may say beside the first spelling of its convention.
_FURTHER: dict[Selector, dict[str, tuple[str, ...]]] = {
    Selector.UNAME: {
        "arm": ("armv6l", "armv8l"), "386": ("i386", "i486", "i586"), "mips64le": ("mips64",),
        "loong64": ("loongarch64",),
    },
    Selector.DPKG: {"arm": ("armel",), "mips64le": ("mips64el",), "loong64": ("loong64",)},
    Selector.APK: {"arm": ("armhf",), "loong64": ("loongarch64",)},
    Selector.RPM: {"arm": ("armhfp", "armv7l"), "386": ("i386",), "loong64": ("loongarch64",)},
}  # fmt: skip
_PLATFORM_TAILS = {"arm": ("/v5", "/v6", "/v7", "/v8"), "amd64": ("/v2", "/v3", "/v4")}


def mentions_arch(data: bytes, aliases: Iterable[str] = ()) -> bool:
    """Whether a script can ask for an architecture at all; a quick look."""
    return holds(data, _MENTIONS) or holds(data, map(encode, aliases))


class Origin(Struct, frozen=True):
    """Where the value of a word comes from. `values`: what the script itself assigned for which architectures.
    `before`: constant text in front of the value (`x$ARCH`)."""

    selector: Selector
    translated: bool = False
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    before: str = ""

    def test(self, word: ShellWord, glob: bool = True) -> ArchTest | None:
        """What it means to compare the value with `word`; None when that is computed or names none."""
        text = word.literal
        if text is None:
            return None
        text = text.removeprefix(self.before)
        taken = _matching(self.values.items(), text, glob) if self.values else NONE
        taken = taken or _matching(spellings(self.selector), text, glob)
        means = taken or _meaning(text)
        if self.translated:
            taken = means
        return ArchTest(word.span, text, means, taken)


@cache
def spellings(selector: Selector) -> tuple[tuple[str, frozenset[str]], ...]:
    """Each value that a selector can have, and its architecture."""
    found: list[tuple[str, frozenset[str]]] = []
    convention = selector.convention
    for arch in ARCHES:
        words = list(_FURTHER.get(selector, {}).get(arch, ()))
        if convention and (word := convention.spell(arch)):
            words.insert(0, word)
        elif convention is Convention.DOCKER:
            words.insert(0, arch)
        if selector.is_platform:
            tails = ("", *_PLATFORM_TAILS.get(arch, ()))
            words = [f"linux/{word}{tail}" for word in words for tail in tails]
        found += ((word, frozenset({arch})) for word in words)
    return tuple(found)


def _matching(values: Iterable[tuple[str, frozenset[str]]], pattern: str, glob: bool) -> frozenset[str]:
    found: set[str] = set()
    simple = not glob or not any(sign in pattern for sign in "*?[")
    for value, arches in values:
        if value == pattern if simple else fnmatchcase(value, pattern):
            found |= arches
    return frozenset(found)


_ALL_WORDS = tuple(
    (word, frozenset({arch}))
    for convention in (Convention.DOCKER, Convention.UNAME, Convention.DPKG, Convention.APK, Convention.NODE)
    for arch in ARCHES
    if (word := convention.spell(arch))
)


def _meaning(text: str) -> frozenset[str]:
    """The architectures that a word or pattern means in any convention."""
    if arch := arch_of(text):
        return frozenset({arch})
    if any(sign in text for sign in "*?["):
        bare = text.removeprefix("linux/")
        if set(bare) - set("*?/"):
            return _matching(_ALL_WORDS, bare, True) or _named(text)
        return NONE
    return _named(text)


def _named(text: str) -> frozenset[str]:
    """The architecture if just one is named in a longer text."""
    found = frozenset(word.arch for word in arch_words(text))
    return found if len(found) == 1 else NONE


def regex_test(word: ShellWord, origin: Origin | None, basic: bool = False) -> ArchTest:
    """What it means that a value matches a regular expression: that of `=~` or, if `basic`, that of plain grep.

    `origin` None: what the value may be does not tell (`grep -i`); the expression's words do.
    """
    text = word.literal or word.raw.strip("\"'")
    if basic:  # there the signs have a meaning of their own behind a backslash alone
        text = re.sub(r"\\?[|()+?]", lambda sign: sign[0][1:] or "\\" + sign[0], text)
    means = NONE
    for piece in re.split(r"[|()^$]|\.\*", text):
        means |= _meaning(piece.replace("\\", "").replace("?", "")) if piece else NONE
        if piece in ("arm", "arm*"):
            means |= {"arm", "arm64"}
    taken = _found_by(text, origin) if origin else None
    if taken is None or origin is None:
        return ArchTest(word.span, word.literal or word.raw, means, means)
    means = taken or means
    return ArchTest(word.span, word.literal or word.raw, means, means if origin.translated else taken)


# Expressions that Python reads as the tools do, and quickly: none repeats a group.
_PLAIN_EXPRESSION = regex(r"(?:[\w./|^$(-]|\[[\w-]+\]|[*+?](?![*+?])|\)(?![*+?]))+")


def _found_by(expression: str, origin: Origin) -> frozenset[str] | None:
    """The architectures whose values hold a match; None where the values or the expression are not known."""
    values = (*origin.values.items(), *spellings(origin.selector))
    if not values or not _PLAIN_EXPRESSION.fullmatch(expression):
        return None
    try:
        search = re.compile(expression).search
    except re.error:
        return None
    return frozenset().union(*(arches for value, arches in values if search(value)))


def arches_of(words: Iterable[ShellWord]) -> frozenset[str]:
    """The architectures that a list of words goes through; empty when it names fewer than two."""
    found = {arch for word in words for arch in _meaning(word.literal or "")}
    return frozenset(found) if len(found) > 1 else NONE


def origin_of_word(word: ShellWord, variables: Mapping[str, Origin | None]) -> Origin | None:
    """Where a word gets an architecture from, if it does."""
    return _origin_of_parts(word.parts, variables)


def _origin_of_parts(parts: tuple[Part, ...], variables: Mapping[str, Origin | None]) -> Origin | None:
    before, found, further = "", None, False
    for part in parts:
        if isinstance(part, Literal):
            before += "" if found else part.text
            further = further or bool(found and part.text)
            continue
        origin = None
        if isinstance(part, Param):
            origin = _origin_of_param(part, variables)
        elif isinstance(part, Substitution):
            origin = origin_of_script(part.script, variables)
        if origin is not None and found is None:
            found = origin
        elif not (isinstance(part, Param) and part.name == "TARGETVARIANT" and found is None):
            further = True
    if found is None:
        return None
    return replace(found, before=before, translated=found.translated or further)


def _origin_of_param(part: Param, variables: Mapping[str, Origin | None]) -> Origin | None:
    own = variables[part.name] if part.name in variables else _variable(part.name)
    if part.operator in ("", ":-", "-", ":=", "=", ":?", "?"):
        other = _origin_of_parts(part.operand, variables) if part.operand else None
        if own is None or other is None:
            return own or other
        same = own.selector.convention is other.selector.convention
        return replace(own, translated=own.translated or not same)
    if own is None or part.operator in ("#x", "!x") or part.operator == "[":
        return None
    if part.operator in ("#", "##") and all(
        isinstance(one, Literal) and one.text == "*-" for one in part.operand
    ):
        return own  # `${dpkgArch##*-}`: no selector says a dash
    return replace(own, translated=True)


def variables_of(aliases: Mapping[str, str]) -> dict[str, Origin | None]:
    """The variables of a Dockerfile that hold what an automatic one holds."""
    return {name: _variable(automatic) for name, automatic in aliases.items()}


def _variable(name: str) -> Origin | None:
    selector = _VARIABLES.get(name)
    return Origin(selector) if selector else None


def origin_of_script(script: Script, variables: Mapping[str, Origin | None]) -> Origin | None:
    """Where the output of `$(...)` gets an architecture from: `uname -m | sed ...`, `echo $TARGETARCH`, a case."""
    if script.switches:
        switch = script.switches[0]
        values = {
            text: command.only_on
            for command in script.commands
            if command.name in ("echo", "printf") and command.only_on is not None
            for text in [command.arguments[-1].literal if command.arguments else None]
            if text
        }
        return Origin(switch.selector, True, values)
    for index, command in enumerate(script.commands):
        origin = origin_of_command(command, variables)
        if origin is not None:
            return replace(origin, translated=True) if len(script.commands) > index + 1 else origin
    return None


def origin_of_command(command: ShellCommand, variables: Mapping[str, Origin | None]) -> Origin | None:
    """Where the output of a command gets an architecture from."""
    name, arguments = command.name, command.arguments
    words = [word.raw.strip("\"'") for word in arguments]
    text = " ".join(words)
    if name == "uname":
        if text in ("-m", "--machine"):
            return Origin(Selector.UNAME)
        return Origin(Selector.UNAME, True) if re.match(r"-\w*[aimp]", text) else None
    if name == "arch":
        return Origin(Selector.UNAME)
    if name == "dpkg" and words[:1] == ["--print-architecture"]:
        return Origin(Selector.DPKG)
    if name == "dpkg-architecture":
        return Origin(Selector.DPKG, "ARCH" not in text or "MULTIARCH" in text or "CPU" in text)
    if name == "apk" and "--print-arch" in words:
        return Origin(Selector.APK)
    if name == "rpm" and re.search(r"%\{?_(?:host_|target_)?(?:arch|cpu)", text):
        return Origin(Selector.RPM)
    if name in ("xx-info", "go"):
        return _tool(name, words)
    if name in ("python", "python3") and "machine()" in text:
        return Origin(Selector.UNAME)
    if name == "node" and "process.arch" in text:
        return Origin(Selector.OTHER, True)
    if name in ("echo", "printf"):
        found = [origin for word in arguments if (origin := origin_of_word(word, variables))]
        return found[0] if found else None
    return None


def _tool(name: str, words: list[str]) -> Origin | None:
    if name == "xx-info":
        return Origin(Selector.XX, words != ["arch"]) if words[:1] != ["env"] else None
    if words[:1] == ["env"] and words[1:] and words[1] in ("GOARCH", "GOHOSTARCH"):
        return Origin(Selector.GO, len(words) > 2)
    return None
