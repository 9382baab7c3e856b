"""Options of compilers wherever a file writes them: `gcc -mavx`, `ENV CFLAGS="-m64"`, `./configure CFLAGS=-O2`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.facts.assigned import assigned
from archpatch.facts.managers import words_of
from archpatch.syntax.shell import Literal, ShellWord
from archpatch.syntax.tree import Instruction, Word
from archpatch.text import Span, decode, encode

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts

_NAMES = (
    "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "FFLAGS", "FCFLAGS", "EXTRA_CFLAGS", "EXTRA_CXXFLAGS",
    "CGO_CFLAGS", "CGO_CXXFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS", "COPTFLAGS", "CXXOPTFLAGS", "FOPTFLAGS",
    "CMAKE_ARGS", "CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS", "CC_OPT_FLAGS", "CC", "CXX", "OPT", "RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS",
)  # fmt: skip
_TOOLS = words_of(
    """gcc g++ cc c++ clang clang++ gfortran configure config Configure cmake meson make gmake ninja bazel bazelisk
    pip pip3 scons waf qmake native-image cargo rustc"""
)

_CPUS = (
    r"x86-64(?:-v\d)?|core2|corei7(?:-avx\w*)?|nocona|nehalem|westmere|sandybridge|ivybridge|haswell|broadwell|"
    r"skylake(?:-avx512)?|cascadelake|icelake-\w+|sapphirerapids|alderlake|silvermont|atom|k8(?:-sse3)?|amdfam10|"
    r"bdver\d|btver\d|znver\d|intel"
)
X86_ONLY = (
    r"-m64|-msse[\w.]*|-mssse3|-mavx\w*|-mfma4?|-mf16c|-maes|-mpclmul|-mpopcnt|-mbmi2?|-mfpmath=\w+|-mno-red-zone|"
    rf"-mcmodel=medium|-fcf-protection(?:=\w+)?|-m(?:arch|tune)=(?:{_CPUS})"
)
"""Options of gcc and clang that gcc 12 on arm64 rejects."""


class BuildFlag(Struct, frozen=True):
    """An option in a command or in a variable (`name`, else ""); `span` is its text in the file.

    `--copt=-mavx` as a word of its own is one option: its `text` is `-mavx`, its span that of the word.
    """

    text: str
    span: Span
    word: Word | ShellWord
    instruction: Instruction
    stage: StageFacts
    name: str = ""
    command: Command | None = None


def build_flags(facts: Facts, pattern: str) -> Iterator[BuildFlag]:
    """Every option that fits `pattern` as a whole, in the order of the file.

    The text of a variable, or of an argument, is split at blanks: `CFLAGS="-O2 -mavx"` has two options.
    """
    source = facts.document.source
    compiled = re.compile(pattern)
    seen: set[Span] = set()
    for place in assigned(facts, *_NAMES):
        if place.stage is None:
            continue
        for text, span in _options(place.word, source, compiled):
            seen.add(span)
            yield BuildFlag(text, span, place.word, place.instruction, place.stage, place.name, place.command)
    for command in facts.commands_with("-"):
        if command.shell.name not in _TOOLS:
            continue
        for word in command.shell.arguments:
            for text, span in _options(word, source, compiled):
                if span not in seen:
                    yield BuildFlag(text, span, word, command.run, command.stage, "", command)


_PIECE = r"[^\s\"';]+"


def _options(word: Word | ShellWord, source: bytes, pattern: re.Pattern[str]) -> Iterator[tuple[str, Span]]:
    """The options in the constant text of a word: `-mavx` of `CFLAGS=-mavx` and `--copt=-mavx` too."""
    if isinstance(word, ShellWord):
        spans = [part.span for part in word.parts if isinstance(part, Literal)]
    else:
        spans = [word.span]
    for span in spans:
        text = decode(span.of(source))
        for token in re.finditer(_PIECE, text):
            start = token.start() + token[0].find("=-") + 1
            option = text[start : token.end()]
            if pattern.fullmatch(option):
                first = span.start + len(encode(text[:start]))
                found = Span(first, first + len(encode(option)))
                alone = token[0] == text and text[:1] == "-" and span == word.span
                yield option, span if alone else found
