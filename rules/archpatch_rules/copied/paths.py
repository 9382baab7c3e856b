"""Architectures in the paths of COPY and ADD: where, and what the context says of the other one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from archpatch.facts import Facts, PlatformKind, StageFacts, source_of, steps_with
from archpatch.facts.jars import arm64_of_jar
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import ArchWord, Convention, arch_words
from archpatch.rewrite import substitute_word
from archpatch.rewrite.added import call_by_plain_name, plain_name
from archpatch.rewrite.paths import declare_spelling, name_edits
from archpatch.syntax.tree import Copy, Document, Word
from archpatch.text import Applicability, Edit, Fix, Span, encode, regex

# Words for amd64 beside which arm64 is called as TARGETARCH says.
_EXPRESSIONS = ("amd64", "x64")
# Library folders, loaders, Python's names and emulators have rules of their own.
_OTHERS = regex(
    r"(?<!-unknown)-linux-gnu(?=/|$)|ld-musl|ld-linux|cpython-|lib\.linux-|qemu-|/jvm/|targets/x86_64-linux"
)
_TEXTS = regex(
    r"\.(?:patch|diff|ya?ml|json|toml|conf|cfg|config|list|txt|md|sh|mk|cmake|py|rb|js|repo|lock|prf|asc)$"
)

# What is written about a program is none.
_ABOUT = regex(r"(?:^|/)docs?/")
# goreleaser's folders: amd64_v1 (GOAMD64) beside arm64 or arm64_v8.0.
_LEVEL = regex(r"_v[1-4](?=/|$)")
_ENDING = regex(r"\.(?:tar(?:\.\w+)?|t[gx]z|tbz2?|zip)$")
_VARIABLE = regex(r"\$(?:\{[^}]*\}|\w+)|[*?]")


class ArchPath(Struct, frozen=True):
    """A source of COPY or ADD whose path names one architecture."""

    copy: Copy
    source: Word
    word: ArchWord

    @property
    def span(self) -> Span | None:
        """Where the word stands."""
        at = self.source.find(self.source.value)
        if at is None:
            return None
        start = at.start + len(encode(self.source.value[: self.word.start]))
        return Span(start, start + len(encode(self.word.text)))

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive."""
        return _ENDING.search(self.source.value) is not None

    def respelled(self, word: str) -> str:
        """The path with another word in place of this one, every time that it occurs."""
        return self.source.value.replace(self.word.text, word)


def arch_paths(facts: Facts) -> Iterator[ArchPath]:
    """Every source that names one architecture when nothing speaks for it; URLs are the downloads' matter."""
    for stage in facts.stages:
        copies = [copy for copy in stage.body if isinstance(copy, Copy)]
        named = [path for copy in copies for word in copy.sources if (path := named_path(copy, word))]
        shapes = {(path.respelled("{A}"), path.word.arch) for path in named}
        for found in named:
            other = "arm64" if found.word.arch == "amd64" else "amd64"
            if found.span is None or (found.respelled("{A}"), other) in shapes:
                continue  # the stage takes both
            if why_arch_is_fine(facts, found.word.arch, found.copy, found.span) is None:
                yield found


def named_path(copy: Copy, source: Word) -> ArchPath | None:
    """The source, where it names one architecture and no rule of its own is for it."""
    word = names_one(source.value)
    return None if word is None else ArchPath(copy, source, word)


def names_one(path: str) -> ArchWord | None:
    """The one architecture that a path names, where no rule of its own is for it."""
    if "://" in path or path.startswith("<<") or any(one.search(path) for one in (_OTHERS, _TEXTS, _ABOUT)):
        return None
    words = arch_words(path)
    if len({word.arch for word in words}) != 1 or words[0].arch not in ("amd64", "arm64"):
        return None
    return words[-1]


def context_path(path: str) -> str:
    """A source as a path of the build context."""
    return str(PurePosixPath("/" + path)).lstrip("/")


def follow_target(document: Document, facts: Facts, found: ArchPath, safe: bool) -> Fix | None:
    """Put the target's word in place of the word, where an argument can say it, also in commands that use the file by
    its name; `safe` where the other file is known to be there."""
    stage = facts.stage_of(found.copy)
    if stage is None or stage.kind is not PlatformKind.TARGET or not only_asked_for(facts, "amd64", "arm64"):
        return None
    goal = found.copy.destination.value if found.copy.destination else ""
    chosen = _expression(document, facts, found)
    if chosen is None or (found.is_archive and arch_words(goal)):
        return None  # an archive under a fixed name still unpacks into a folder of another name
    if found.word.text in goal.rpartition("/")[2] and not _called(facts, found, goal):
        return None  # amd64's by its name in the image too, and nothing here says what it is for
    edits = list(chosen[0])
    for word in arch_words(found.source.value):
        span, text = ArchPath(found.copy, found.source, word).span, chosen[1]
        if span is not None and (level := _LEVEL.match(found.source.value, word.end)):
            span, text = Span(span.start, span.end + len(level[0])), f"{text}*"
        edit = None if span is None else substitute_word(found.source, span, text)
        if word.text != found.word.text or edit is None:
            return None
        edits.append(edit)
    renamed = _renamed(found)
    if renamed is not None and facts.once(_in_written_file, renamed):
        return None
    if renamed is not None:
        used = name_edits(document, facts, (stage, *stage.feeds), renamed, found.word.text)
        if used is None:
            used = _under_one_name(document, facts, stage, found)
            safe = False
        if used is None:
            return None
        edits += used
    trust = Applicability.SAFE if safe and found.word.text == "amd64" else Applicability.UNSAFE
    return Fix("Copy what is for the architecture that is built", tuple(edits), trust)


def _called(facts: Facts, found: ArchPath, goal: str) -> bool:
    """Whether another instruction names the file by the name that it has in the image."""
    name = goal.rpartition("/")[2]
    if name == found.word.text:
        return False  # elsewhere the word may mean something else
    return any(step is not found.copy for step in steps_with(facts, name))


def _in_written_file(facts: Facts, name: str) -> bool:
    """Whether a file that the Dockerfile itself writes out (`COPY <<EOF`) calls the file by its name."""
    return any(
        encode(name) in heredoc.content.of(facts.document.source)
        for step in steps_with(facts, name)
        if isinstance(step, Copy)
        for heredoc in step.heredocs
    )


def _under_one_name(
    document: Document, facts: Facts, stage: StageFacts, found: ArchPath
) -> tuple[Edit, ...] | None:
    """Edits that give the file a name without the word in the image, wherever it is started or used there."""
    goal, source = found.copy.destination, found.source
    if found.is_archive or goal is None or len(found.copy.sources) > 1 or goal.value != goal.verbatim:
        return None
    names = plain_name(source, found.span) if found.span is not None else None
    if names is None or "$" in goal.value:
        return None
    name, plain = names
    if goal.value.endswith("/") or goal.value == ".":
        folder = goal.value if goal.value.endswith("/") else "./"
    elif goal.value.rpartition("/")[2] == name:
        folder = goal.value.removesuffix(name)
    else:
        return None
    source_stage = source_of(facts, found.copy)
    made_in = source_stage.chain if source_stage is not None else ()
    used = call_by_plain_name(document, facts, (stage, *stage.feeds), found.copy, name, plain, made_in)
    return None if used is None else (Edit.replace(goal.span, folder + plain), *used)


def _expression(document: Document, facts: Facts, found: ArchPath) -> tuple[tuple[Edit, ...], str] | None:
    if found.word.text == "x86_64":
        jar = found.source.value.endswith(".jar")
        spelled = arm64_of_jar(found.source.value) if jar else Convention.UNAME.spell("arm64")
        if found.copy.json or spelled is None:
            return None
        return declare_spelling(document, facts, found.copy, "x86_64", spelled)
    if found.word.text not in _EXPRESSIONS or (found.copy.json and found.word.text != "amd64"):
        return None
    return declare_spelling(document, facts, found.copy, found.word.text, "arm64")


def _renamed(found: ArchPath) -> str | None:
    """The part of the file's name, with the word, by which commands may call it, or what is in it, in the image."""
    goal = found.copy.destination.value.rsplit("/", 1)[-1] if found.copy.destination else ""
    named = keeps_name(found) or bool(arch_words(goal))  # the destination names it
    if named and not found.is_archive:
        return None
    name = _ENDING.sub("", found.source.value.rsplit("/", 1)[-1])
    parts = _VARIABLE.split(name)
    part = next((part for part in parts if found.word.text in part), None)
    return f"/{part}" if part == found.word.text else part  # alone it may mean something else


def other_arch_file(facts: Facts, found: ArchPath) -> str | None:
    """The file of the context that is there for arm64 under the word that TARGETARCH says."""
    if facts.context is None or found.word.text not in _EXPRESSIONS or "$" in found.source.value:
        return None
    path = context_path(found.respelled("arm64"))
    return path if facts.context.head(path) is not None else None


def keeps_name(found: ArchPath) -> bool:
    """Whether the file has a name in the image that does not come from the word: `COPY app-amd64 /bin/app`."""
    name = found.source.value.rsplit("/", 1)[-1]
    if not arch_words(name):
        return True
    goal = found.copy.destination.value.rsplit("/", 1)[-1] if found.copy.destination else ""
    return bool(goal) and name.startswith(goal) and not arch_words(goal)


def is_rootfs(facts: Facts, found: ArchPath) -> bool:
    """Whether it is an archive with the file system of an image from scratch."""
    stage = facts.stage_of(found.copy)
    return stage is not None and stage.is_scratch and found.is_archive and found.copy.source_stage is None
