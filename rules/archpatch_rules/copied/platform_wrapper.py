"""AP807."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, written
from archpatch.facts.written import why_arch_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import regex

_WRAPPER = regex(r"(?:.*/)?(?:linux32|i386|qemu-(?:x86_64|i386)(?:-static)?)")
_PROGRAMS = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN"})


class PlatformWrapper(Rule):
    """A program is started as on another machine: `linux32`, `setarch x86_64`, `qemu-x86_64`.

    `linux32` and `setarch` change what `uname -m` says and nothing else; on an arm64 machine they fail (`setarch:
    failed to set personality`) or make scripts choose the wrong files. An emulator that is written into the image starts
    one architecture's programs, slowly, on every platform.

    It is fine in a branch that asks for the architecture, and in a file that is for that architecture by its name.

    There is no automatic fix: leave the wrapper out, and build the image for the platform it is meant for.
    """

    code, name, severity = "AP807", "platform-wrapper", Severity.WARNING
    hints = ("linux32", "setarch", "qemu-x86_64", "qemu-i386")
    errors = ("setarch: failed to set personality to x86_64: Invalid argument", "qemu-x86_64: Could not open")
    examples = (
        Example(
            "FROM debian\nRUN setarch x86_64 ./configure\n",
            "FROM debian\nRUN setarch x86_64 ./configure\n",
        ),
        Example(
            'FROM debian\nENTRYPOINT ["/usr/bin/qemu-x86_64-static", "/app"]\n',
            'FROM debian\nENTRYPOINT ["/usr/bin/qemu-x86_64-static", "/app"]\n',
        ),
        Example("FROM debian\nRUN setarch -R ./configure\n", title="Addresses alone"),
        Example("FROM debian\nRUN echo linux32\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command."""
        for place in written(facts, "linux32", "setarch", "qemu-x86_64", "qemu-i386"):
            if place.instruction.keyword not in _PROGRAMS:
                continue
            if place.command is None:
                first = next((word for word in place.instruction.words if word.value != "CMD"), None)
                wraps = place.word is first and _WRAPPER.fullmatch(place.value.split()[0]) is not None
            else:
                words = place.command.shell.words
                wraps = (
                    place.word in place.command.shell.wrappers and _WRAPPER.fullmatch(place.value) is not None
                )
                wraps = wraps or (
                    bool(words) and place.word is words[0] and _wraps([word.literal or "" for word in words])
                )
            if not wraps or why_arch_is_fine(
                facts, "amd64", place.instruction, place.word.span, place.command
            ):
                continue
            yield self.finding(
                place.word.span,
                "This starts a program as on an x86 machine: it fails, or chooses the wrong files, in an image for another "
                "architecture. Build the image for the platform it is meant for instead.",
            )


def _wraps(words: list[str]) -> bool:
    """Whether the first words of a command are such a wrapper: `setarch x86_64`, `linux32 make`."""
    if words[0].rsplit("/", 1)[-1] == "setarch":
        return len(words) > 1 and words[1] in ("x86_64", "i386", "i686", "linux32", "linux64")
    return len(words) > 1 and _WRAPPER.fullmatch(words[0]) is not None
