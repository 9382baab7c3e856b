"""AP606."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.flags import build_flags
from archpatch.rewrite import delete_option
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix

_NATIVE = r"-m(?:arch|cpu|tune)=native|-DGGML_NATIVE=(?:ON|1)|--enable-native"


class MarchNative(Rule):
    """Code is compiled for the very CPU of the machine that builds: `-march=native`.

    An image is built in one place and runs in another. On a machine with an older CPU, or of another cloud, the
    program ends in `Illegal instruction` (SIGILL). Under emulation the compiler asks the emulator, whose CPU nobody
    has. `-mtune=native` only chooses what is fast, and is harmless.

    It is fine where the image runs on the machine that builds it, and nowhere else.

    The fix takes the option away: every 64-bit CPU then runs the program. It is unsafe: the program may be slower.
    `-march=x86-64-v3` for amd64 alone, in a `case`, is the way between.
    """

    code, name, severity = "AP606", "march-native", Severity.NOTE
    hints = ("native",)
    errors = ("Illegal instruction", "SIGILL", "exited with code 132")
    examples = (
        Example(
            "FROM debian\nRUN ./configure CFLAGS='-O2 -march=native' && make\n",
            "FROM debian\nRUN ./configure CFLAGS='-O2' && make\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN cmake -B build -DGGML_NATIVE=ON .\n",
            "FROM debian\nRUN cmake -B build .\n",
            applicability="unsafe",
        ),
        Example("FROM debian\nRUN make CFLAGS='-O2 -mtune=native'\n"),
        Example("FROM debian\nRUN make native-image\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every such option that decides which instructions are used."""
        for flag in build_flags(facts, _NATIVE):
            if flag.text.startswith("-mtune") or not flag.stage.reached:
                continue
            fixable = not flag.instruction.json and (
                isinstance(flag.word, ShellWord) or flag.word.span != flag.span
            )
            yield self.finding(
                flag.span,
                f"`{flag.text}` compiles for the CPU of the machine that builds: the image may end in `Illegal instruction` on "
                "another one, also of the same architecture.",
                Fix("Compile for every CPU", (delete_option(document, flag.span),), Applicability.UNSAFE)
                if fixable
                else None,
            )
