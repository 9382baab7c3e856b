"""AP806."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from archpatch.facts import Facts, StageFacts, Written, written
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import ArchWord, arch_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document

_WORDS = ("amd64", "x86_64", "x86-64", "x64", "linux64", "64bit", "arm64", "aarch64")
_PROGRAMS = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})
# Rules of their own: JDKs, library folders, loaders, emulators.
_OTHERS = ("/jvm/", "-linux-gnu", "ld-linux", "ld-musl", "qemu-")


class EntrypointArchName(Rule):
    """ENTRYPOINT, CMD or HEALTHCHECK starts a program that is named for one architecture: `/app-linux-amd64`.

    In the image for arm64 the program is either called otherwise, and the container stops with `no such file or
    directory`, or it is the one for amd64 and the container stops with `exec format error`.

    It is fine where the file itself gives the program that name: `COPY app-linux-${TARGETARCH} /app-linux-amd64`.

    There is no automatic fix, for nothing is expanded here: install the program under a name without the architecture
    (`COPY app-linux-${TARGETARCH} /app`) and start that.
    """

    code, name, severity = "AP806", "entrypoint-arch-name", Severity.WARNING
    hints = ("entrypoint", "cmd", "healthcheck")
    errors = (
        'exec: "/app-linux-amd64": stat /app-linux-amd64: no such file or directory: unknown',
        "exec format error",
    )
    examples = (
        Example(
            'FROM debian\nRUN make install\nENTRYPOINT ["/opt/tool-linux-x86_64"]\n',
            'FROM debian\nRUN make install\nENTRYPOINT ["/opt/tool-linux-x86_64"]\n',
        ),
        Example(
            "FROM debian\nHEALTHCHECK CMD /bin/grpc_health_probe-linux-amd64 -addr=:50051\n",
            "FROM debian\nHEALTHCHECK CMD /bin/grpc_health_probe-linux-amd64 -addr=:50051\n",
        ),
        Example(
            'FROM debian\nARG TARGETARCH\nCOPY app-${TARGETARCH} /app-amd64\nCMD ["/app-amd64"]\n',
            title="A name that the file gives",
        ),
        Example(
            'FROM debian\nWORKDIR /opt/app-linux-x64\nCOPY app .\nCMD ["/opt/app-linux-x64/app"]\n',
            title="A folder that the file makes",
        ),
        Example('FROM debian\nCMD ["/app", "--label=amd64"]\n', title="An argument"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each instruction."""
        for place in written(facts, *_WORDS, only=_PROGRAMS):
            word = _program(place)
            if word is None or any(text in place.value for text in _OTHERS):
                continue
            span = next(place.places(word.text), None)
            if span is None or _given_here(facts, place.stage, place.value.split()[0]):
                continue
            if why_arch_is_fine(facts, word.arch, place.instruction, span) is not None:
                continue
            yield self.finding(
                place.word.span,
                f"This program is named for {word.arch}; in an image for another architecture it is not there under that "
                "name, or cannot run. Install it under a name without the architecture.",
            )


def _program(place: Written) -> ArchWord | None:
    """The architecture in the program that is started: the first word."""
    words = [word for word in place.instruction.words if word.value != "CMD"]
    if not words or place.word is not words[0] or not place.value.split():
        return None
    return next(iter(arch_words(place.value.split()[0])), None)


class _Given(NamedTuple):
    """The names of files that the instructions of a stage give, and the folders named for an architecture."""

    names: frozenset[str]
    folders: frozenset[str]


def _given(facts: Facts, stage: StageFacts) -> _Given:
    names: list[str] = []
    folders: list[str] = []
    for step in stage.body:
        words = step.words if step.keyword == "WORKDIR" else ()
        if isinstance(step, Copy) and step.destination is not None:
            words = (step.destination,)
            names.append(step.destination.value.rsplit("/", 1)[-1])
        folders += (word.value.rstrip("/") for word in words)
    for command in stage.commands:
        output = command.shell.option("-o", "-O", "--output", "--output-document")
        if output is not None:
            names.append((output.literal or "").rsplit("/", 1)[-1])
    return _Given(frozenset(names), frozenset(folder for folder in folders if arch_words(folder)))


def _given_here(facts: Facts, stage: StageFacts, program: str) -> bool:
    """Whether a COPY, a WORKDIR, or the output option of a command, names the program or its folder so itself."""
    program = program.strip("\"'")
    *folders, _ = accumulate(program.split("/"), "{}/{}".format)
    name = program.rpartition("/")[2]
    return any(
        name in given.names or not given.folders.isdisjoint(folders)
        for given in (facts.once(_given, one) for one in stage.chain)
    )
