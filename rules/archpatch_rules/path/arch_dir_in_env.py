"""AP707."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, Written, steps_with, written
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import ArchWord, arch_words
from archpatch.rewrite.paths import declare_spelling, substitute_written
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document, Instruction
from archpatch.text import Applicability, Fix, Span, encode, regex
from archpatch_rules.path.java_home_arch import names_jvm

_INSTRUCTIONS = frozenset({"ENV", "WORKDIR"})
_TELLING = ("ENV", "ARG", "LABEL", "WORKDIR")
_WORDS = ("amd64", "x86_64", "x86-64", "x64", "linux64", "64bit", "arm64", "aarch64")
# Folders that rules of their own look at, and Android's tools, which come for one machine alone.
_OTHERS = regex(
    r"-linux-gnu|targets/x86_64-linux|musl-|cpython-|ndk|prebuilt/|\.(?:tar|tgz|zip|gz|xz|deb|rpm|sh)\b"
)


class ArchDirInEnv(Rule):
    """A folder named for one architecture stands in ENV or WORKDIR: `/opt/node-v20-linux-x64/bin` in PATH.

    Archives are often unpacked into a folder that bears the architecture. Once the download follows the target, the
    folder is called otherwise on arm64, and the program is not found: `not found`, exit code 127.

    It is fine where the file itself makes a folder of that name, whatever is in it: by COPY, or by WORKDIR, if nothing
    that is fetched or copied bears the name.

    The fix writes `${TARGETARCH}`, respelled where amd64 is written `x64`. It is unsafe: what fetches the archive has to
    follow the target too. There is none while another instruction has the name as it was, nor for other words; unpack
    into a folder of a fixed name (`tar --strip-components=1 -C /opt/node`).
    """

    code, name, severity = "AP707", "arch-dir-in-env", Severity.WARNING
    hints = _WORDS
    errors = ("not found", 'exec: "node": executable file not found in $PATH')
    examples = (
        Example(
            "FROM debian\nENV PATH=$PATH:/opt/node-v20.11.0-linux-x64/bin\n",
            "FROM debian\nARG TARGETARCH\nENV PATH=$PATH:/opt/node-v20.11.0-linux-${TARGETARCH/amd64/x64}/bin\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV PATH /usr/local/go/bin:/etcd-v3.5.0-linux-amd64:$PATH\n",
            "FROM debian\nARG TARGETARCH\nENV PATH /usr/local/go/bin:/etcd-v3.5.0-linux-${TARGETARCH}:$PATH\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV BLENDER=/opt/blender-2.93-linux-x86_64/blender\n",
            "FROM debian\nENV BLENDER=/opt/blender-2.93-linux-x86_64/blender\n",
            "A word that TARGETARCH does not give",
        ),
        Example(
            "FROM debian\nCOPY tools /opt/tools-x64\nENV PATH=$PATH:/opt/tools-x64\n",
            title="A folder that the file makes itself",
        ),
        Example(
            "FROM debian\nCOPY node-v16-linux-x64.tgz /\nRUN tar xzf /node-v16-linux-x64.tgz\n"
            "ENV PATH=$PATH:/node-v16-linux-x64/bin\n",
            "FROM debian\nCOPY node-v16-linux-x64.tgz /\nRUN tar xzf /node-v16-linux-x64.tgz\n"
            "ENV PATH=$PATH:/node-v16-linux-x64/bin\n",
            "Another instruction relies on the name",
        ),
        Example("FROM debian\nWORKDIR /opt/app-linux-x64\nCOPY app .\n", title="WORKDIR makes it"),
        Example("FROM debian\nENV PATH=$PATH:/opt/node/bin\n"),
        Example(
            "FROM debian\nENV BASE=https://example.com/release\nENV URL=$BASE/v1/bin/linux/amd64/tool\nRUN echo $URL\n",
            title="An address",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each folder."""
        made = [
            step.destination.value
            for step in document.instructions
            if isinstance(step, Copy) and step.destination is not None
        ]
        for place in written(facts, *_WORDS, only=_INSTRUCTIONS):
            if not _is_folder(place) or "://" in (
                facts.scope(place.instruction).expand(place.value).text or ""
            ):
                continue
            for element in re.split(r"[:\s]+", place.value.strip("\"'")):
                word = (
                    next(iter(arch_words(element)), None)
                    if element[:1] in ("/", "$", "~", ".") and "/" in element
                    else None
                )
                span = None if word is None else next(place.places(element), None)
                if word is None or span is None or any(_within(element, goal) for goal in made):
                    continue
                elsewhere = _stands_elsewhere(facts, place, _name(element, word))
                if place.instruction.keyword == "WORKDIR" and not elsewhere:
                    continue  # made here
                start = span.start + len(encode(element[: word.start]))
                at = Span(start, start + len(word.text))
                if why_arch_is_fine(facts, word.arch, place.instruction, at) is not None:
                    continue
                yield self.finding(
                    span,
                    f"This folder is named for {word.arch}. In an image for another architecture it either holds foreign "
                    "programs or is called otherwise.",
                    None if elsewhere else _fix(document, facts, place, element, word),
                )


def _is_folder(place: Written) -> bool:
    if arch_words(place.name.lower()):
        return False  # the variable is about one architecture: CARGO_TARGET_X86_64_..., IOS_SIM_AMD64
    return "://" not in place.value and not _OTHERS.search(place.value.lower()) and not names_jvm(place)


def _within(path: str, folder: str) -> bool:
    folder = folder.rstrip("/")
    return bool(folder) and (path == folder or path.startswith(f"{folder}/"))


def _name(path: str, word: ArchWord) -> str:
    """The part of a path that holds the architecture; with the one before it where it is nothing else."""
    start, end = path.rfind("/", 0, word.start) + 1, path.find("/", word.end)
    name = path[start : end if end >= 0 else len(path)]
    return name if name != word.text else "/".join(path[:start].split("/")[-2:]) + name


def _stands_elsewhere(facts: Facts, place: Written, name: str) -> bool:
    """Whether an instruction that fetches, copies or starts something names it too; for WORKDIR, one before it."""
    others = (step for step in facts.once(_using, name) if step.span != place.instruction.span)
    first = next(others, None)
    if first is None:
        return False
    return place.instruction.keyword != "WORKDIR" or first.span.start < place.instruction.span.start


def _using(facts: Facts, name: str) -> tuple[Instruction, ...]:
    """The instructions that name it and do more than tell where it is."""
    return tuple(step for step in steps_with(facts, name) if step.keyword not in _TELLING)


def _fix(document: Document, facts: Facts, place: Written, element: str, word: ArchWord) -> Fix | None:
    if word.text not in ("amd64", "x64") or not only_asked_for(facts, "amd64", "arm64"):
        return None
    if place.stage.kind is not PlatformKind.TARGET or place.instruction.onbuild:
        return None
    java_8 = word.text == "amd64" and "/lib/amd64" in element  # the folder of its libraries
    arm64 = "aarch64" if java_8 else "arm64"
    chosen = declare_spelling(document, facts, place.instruction, word.text, arm64)
    if chosen is None:
        return None
    edits = []
    for span in place.places(element):
        start = span.start + len(encode(element[: word.start]))
        edit = substitute_written(place, Span(start, start + len(word.text)), chosen[1])
        if edit is None:
            return None
        edits.append(edit)
    return Fix(
        "Name the folder of the architecture that is built", (*chosen[0], *edits), Applicability.UNSAFE
    )
