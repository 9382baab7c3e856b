"""What BuildKit's instruction parser rejects, beyond what the line parsers see.

Source: moby/buildkit frontend/dockerfile/instructions/parse.go and bflag.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archpatch.syntax.tree import Arg, Env, Flag, From, Instruction, Problem, Word
from archpatch.syntax.words import BadWord, split_parts
from archpatch.text import Span, regex

_LONGEST_LINE = 65_535  # bytes; Go's scanner gives up beyond
_STAGE_NAME = regex(r"[a-z][a-z0-9-_.]*\Z")
_TRUTH = frozenset({"true", "false"})

_SWITCHES = frozenset({"link", "keep-git-dir", "parents", "unpack"})
_REPEATED = frozenset({"mount", "device", "exclude"})
_FIRST = frozenset({"ARG", "FROM"})  # what may stand before the first FROM
_NOT_UNDER_ONBUILD = frozenset({"FROM", "MAINTAINER", "ONBUILD"})
_EXPANDED = frozenset(
    {"ADD", "ARG", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_WITH_PAIRS = (Arg, Env)
_NONE: frozenset[str] = frozenset()
_ANY = None  # instructions whose flags BuildKit never looks at
_FLAGS: dict[str, frozenset[str] | None] = {
    "ADD": frozenset({"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"}),
    "ARG": _ANY,
    "CMD": _NONE,
    "COPY": frozenset({"chown", "chmod", "from", "link", "parents", "exclude"}),
    "ENTRYPOINT": _NONE,
    "ENV": _NONE,
    "EXPOSE": _NONE,
    "FROM": frozenset({"platform"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "start-interval", "retries"}),
    "LABEL": _NONE,
    "MAINTAINER": _NONE,
    "ONBUILD": _NONE,
    "RUN": frozenset({"mount", "network", "security", "device"}),
    "SHELL": _NONE,
    "STOPSIGNAL": _ANY,
    "USER": _NONE,
    "VOLUME": _NONE,
    "WORKDIR": _NONE,
}


def check_file(source: bytes, any_instruction: bool, any_stage: bool) -> Iterator[Problem]:
    """What is wrong with the file as a whole."""
    start = 0
    while (
        len(source) - start > _LONGEST_LINE
        and (end := source.rfind(b"\n", start, start + _LONGEST_LINE + 1)) >= 0
    ):
        start = end + 1
    if len(source) - start > _LONGEST_LINE:
        yield Problem(Span(start, start), f"a line is longer than {_LONGEST_LINE:,} bytes")
    if not any_instruction:
        yield Problem(
            Span(0, 0), "there is no instruction in this file" if source.strip() else "the file is empty"
        )
    elif not any_stage:
        yield Problem(Span(0, 0), "there is no FROM in this file")


def check_instruction(node: Instruction, after_from: bool) -> Iterator[Problem]:
    """What is wrong with one instruction; `after_from` says whether a FROM stands at or before it."""
    keyword = node.keyword
    if not after_from and (node.onbuild or (keyword in _FLAGS and keyword not in _FIRST)):
        name = "ONBUILD" if node.onbuild else keyword
        yield Problem(node.keyword_span, f"{name} stands before the first FROM")
    if node.onbuild:
        # The rest is looked at when another build takes this image as its base.
        if keyword in _NOT_UNDER_ONBUILD:
            yield Problem(node.keyword_span, f"{keyword} is not allowed under ONBUILD")
        elif isinstance(node, Env) and any(item.value is None for item in node.declarations):
            yield Problem(node.body, f"{keyword} has a name without a value")
        return
    if keyword not in _FLAGS:
        yield Problem(node.keyword_span, f"unknown instruction: {keyword}")
        return
    known = _FLAGS[keyword]
    if node.flags and known is not _ANY:
        yield from _check_flags(node.flags, known)
    message = _arguments(node)
    if message:
        yield Problem(node.body if len(node.body) else node.keyword_span, message)


def check_words(node: Instruction, escape: str) -> Iterator[Problem]:
    """Words whose quotes or substitutions BuildKit cannot read, where it expands them."""
    if node.keyword not in _EXPANDED or node.onbuild or node.heredocs:
        return
    words: Iterable[Word | None] = node.words
    if isinstance(node, Env):
        words = (word for item in node.declarations for word in (item.name, item.value))
    elif isinstance(node, Arg):
        words = (item.value for item in node.declarations)
    for word in filter(None, (*words, *(flag.value for flag in node.flags))):
        try:
            split_parts(word.value, escape)
        except BadWord as error:
            yield Problem(word.span, f"BuildKit cannot read this word: {error}")


def _check_flags(flags: tuple[Flag, ...], known: frozenset[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for flag in flags:
        name = flag.name
        if name not in known:
            yield Problem(flag.span, f"unknown flag: --{name}")
        elif name in seen and name not in _REPEATED:
            yield Problem(flag.span, f"--{name} is given twice")
        elif flag.value is None and name not in _SWITCHES:
            yield Problem(flag.span, f"--{name} needs a value, as in --{name}=...")
        elif flag.value and name in _SWITCHES and flag.value.value.lower() not in _TRUTH:
            yield Problem(flag.span, f"--{name} is true or false, not {flag.value.value}")
        seen.add(name)


def _arguments(node: Instruction) -> str:
    """What is wrong with the number or the form of the arguments; empty if nothing is."""
    keyword, count = node.keyword, len(node.words)
    if keyword == "FROM":
        return _from(node)
    if keyword in ("ADD", "COPY"):
        return "" if count > 1 else f"{keyword} needs a source and a destination"
    if isinstance(node, _WITH_PAIRS):
        return _pairs(node)
    if keyword in ("CMD", "ENTRYPOINT", "RUN"):
        return ""
    if not count:
        return f"{keyword} needs an argument"
    if keyword == "SHELL" and not node.json:
        return "SHELL needs a JSON list"
    if keyword == "HEALTHCHECK":
        return _healthcheck(node)
    return ""


def _from(node: Instruction) -> str:
    count = len(node.words)
    named = count == 3 and node.words[1].value.lower() == "as"
    if count != 1 and not named:
        return "FROM takes an image, or an image and AS and a name"
    if isinstance(node, From) and node.name and not _STAGE_NAME.match(node.name.value.lower()):
        return f"not a name for a stage: {node.name.value} (letters, digits, - _ and .; a letter first)"
    return ""


def _pairs(node: Arg | Env) -> str:
    if not node.declarations:
        return f"{node.keyword} needs an argument"
    for declaration in node.declarations:
        if not declaration.name.value:
            return f"a name of {node.keyword} is empty"
        if isinstance(node, Env) and declaration.value is None:
            return f"{node.keyword} {declaration.name.value} has no value"
    return ""


def _healthcheck(node: Instruction) -> str:
    kind = node.words[0].value.upper()
    if kind == "NONE":
        return "" if len(node.words) == 1 else "HEALTHCHECK NONE takes no arguments"
    if kind != "CMD":
        return f"HEALTHCHECK takes NONE or CMD, not {node.words[0].value}"
    return "" if len(node.words) > 1 else "HEALTHCHECK CMD needs a command"
