"""Values of ARG and ENV that are an architecture and nothing else."""

from __future__ import annotations

import re

from archpatch.platforms import ArchWord, arch_words
from archpatch.syntax.tree import Declaration
from archpatch.text import regex

# An architecture, with or without the system and the libc around it: amd64, linux-x64, x86_64-unknown-linux-musl.
_AROUND = regex(r"(?:linux|unknown|pc|gnu|musl|debian|ubuntu|[-_./])*", re.IGNORECASE)
# These have rules of their own: Go's variables, and package managers' settings.
_OTHERS = frozenset(
    {"GOARCH", "GOHOSTARCH", "CARGO_BUILD_TARGET", "npm_config_arch", "CONDA_SUBDIR", "JAVA_HOME"}
)


def arch_value(declaration: Declaration) -> ArchWord | None:
    """The one architecture that a value consists of; Android's names are those of phones and of the NDK."""
    if any(word in declaration.name.value.upper() for word in ("ANDROID", "NDK")):
        return None
    text = declaration.value.value.strip("\"'") if declaration.value else ""
    words = arch_words(text) if text and "$" not in text else ()
    if len(words) != 1 or words[0].arch not in ("amd64", "arm64") or declaration.name.value in _OTHERS:
        return None
    rest = text[: words[0].start] + text[words[0].end :]
    return words[0] if _AROUND.fullmatch(rest) and not words[0].text.lower().startswith("64") else None


def has_own_rule(declaration: Declaration) -> bool:
    """Whether a rule of its own looks at a variable of that name."""
    return declaration.name.value in _OTHERS
