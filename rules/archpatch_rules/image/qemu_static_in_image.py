"""AP208."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, written
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document
from archpatch.text import regex

_EMULATOR = regex(r"qemu-(?!system)[\w${}]+-static")


class QemuStaticInImage(Rule):
    """An emulator is copied into the image: `COPY qemu-aarch64-static /usr/bin/`.

    It was needed for cross-builds before Linux 4.8: since then the kernel keeps the emulator open when it is registered
    (binfmt_misc, flag F), as `docker run --privileged tonistiigi/binfmt --install all` does, and the image needs none.
    The file is a program for the builder's architecture in an image for another one; a missing one fails the build.

    It does no harm beyond its size, so this is a note.

    There is no automatic fix: leave the COPY out, and the script that fetches the file before the build.
    """

    code, name, severity = "AP208", "qemu-static-in-image", Severity.NOTE
    hints = ("-static",)
    errors = ('"/qemu-aarch64-static": not found',)
    examples = (
        Example(
            "FROM debian\nCOPY qemu-aarch64-static /usr/bin/\n",
            "FROM debian\nCOPY qemu-aarch64-static /usr/bin/\n",
        ),
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y qemu-user-static\n",
            title="A tool of its own",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """COPY and ADD of an emulator."""
        for place in written(facts, "-static", only=frozenset({"COPY", "ADD"})):
            copy = place.instruction
            if isinstance(copy, Copy) and place.word in copy.sources and _EMULATOR.search(place.value):
                yield self.finding(
                    place.word.span,
                    "The kernel brings its emulator along (binfmt_misc with flag F): the image needs none, and this one is "
                    "a program for another architecture in it. Leave it out.",
                )
