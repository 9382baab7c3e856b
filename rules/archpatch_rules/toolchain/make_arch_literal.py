"""AP611."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, steps_with
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import arch_of, arch_words
from archpatch.rewrite import declare_arg, substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Copy, Document, Run
from archpatch.text import Applicability, Edit, Fix, encode, regex
from archpatch_rules.toolchain.stages import for_each_target

_TOOLS = frozenset({"make", "gmake", "gox", "mage", "just", "task"})
# GOARCH is AP601's, and the triples of compilers are AP607's.
_OTHERS = ("GOARCH=", "CC=", "CXX=", "HOST=", "BUILD=", "TARGET=", "/", "./")
# What is made for one machine on purpose: kernels, emulators, with a cross compiler.
_DELIBERATE = regex(r"(?i)cross[-_]compile|defconfig|bzImage|modules|softmmu|linux-user")
_PROGRAMS = frozenset({"CMD", "ENTRYPOINT"})
_TAKE_A_PATH = frozenset(
    {"-C", "-f", "-I", "-o", "-W", "-d", "-t", "--directory", "--file", "--makefile", "-output"}
)


class MakeArchLiteral(Rule):
    """A build is asked for one architecture by name: `make build-linux-amd64`, `make ARCH=x86_64`, `gox -osarch=linux/amd64`.

    Every platform's image then holds the program for amd64, which ends in `exec format error` on arm64, or the build
    fails there for lack of a cross compiler.

    It is fine in a branch for amd64, where the same command builds for several architectures, and for kernels,
    emulators and what a cross compiler makes, which are meant for one machine.

    The fix puts `${TARGETARCH}` in the place of Docker's words and `$(uname -m)` in that of the kernel's. It is
    unsafe, for whether the Makefile has such a target for arm64 is not known.
    """

    code, name, severity = "AP611", "make-arch-literal", Severity.WARNING
    hints = ("make ", "gox ", "mage ", "just ", "task ", "arch=x86_64", "arch=amd64")
    errors = ("exec format error", "No rule to make target")
    examples = (
        Example(
            "FROM golang:1.22\nRUN make build-linux-amd64\n",
            "FROM golang:1.22\nARG TARGETARCH\nRUN make build-linux-${TARGETARCH}\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN make -j4 ARCH=x86_64 all\n",
            'FROM debian\nRUN make -j4 ARCH="$(uname -m)" all\n',
            "The kernel's word",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN ARCH=x86_64 make all\n",
            'FROM debian\nRUN ARCH="$(uname -m)" make all\n',
            "In its environment",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN make linux-amd64 && mv out/linux-amd64/app /app\n",
            "FROM debian\nRUN make linux-amd64 && mv out/linux-amd64/app /app\n",
            "The result has the name too",
        ),
        Example("FROM golang:1.22\nRUN make build-linux-amd64 build-linux-arm64\n"),
        Example('FROM debian\nRUN [ "$(uname -m)" != x86_64 ] || make ARCH=x86_64\n'),
        Example("FROM debian\nRUN make -C src/x86_64 all\n", title="A folder"),
        Example("FROM debian\nRUN make ARCH=x86_64 CROSS_COMPILE=x86_64-linux-gnu-\n", title="On purpose"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Goals and variables with amd64 in them, in stages of the target platform."""
        for stage in for_each_target(facts):
            for command in stage.commands_with("amd64", "x86", later=True):
                if command.shell.name not in _TOOLS:
                    continue
                for word in _asked(command):
                    if why_fine(facts, command.run, word.span, command) is None:
                        yield self.finding(
                            word.span,
                            f"`{word.raw}` asks `{command.shell.name}` for amd64 whatever platform is built: the image "
                            "for another one holds a program that does not start there.",
                            _fix(document, facts, command, word),
                        )


def _asked(command: Command) -> Iterator[ShellWord]:
    """The goals and variables that name amd64."""
    assigns = command.shell.assigns
    if any(_DELIBERATE.search(word.raw) for word in command.shell.arguments) or any(
        _DELIBERATE.search(assign.name) for assign in assigns
    ):
        return
    for assign in assigns:  # `ARCH=x86_64 make`
        value = assign.value.literal if assign.value is not None else None
        known = assign.name.upper().endswith("ARCH") and not assign.name.startswith("GO")
        if assign.value is not None and known and arch_of(value or "") == "amd64":
            yield assign.value
    before = ""
    for word in command.shell.arguments:
        text = word.literal or ""
        of_gox = command.shell.name == "gox" and text.startswith(("-arch", "-osarch"))
        if (
            any(found.arch == "amd64" for found in arch_words(text))
            and (of_gox or not text.startswith("-"))
            and not text.startswith(_OTHERS)
            and before not in _TAKE_A_PATH
        ):
            yield word
        before = text


def _fix(document: Document, facts: Facts, command: Command, word: ShellWord) -> Fix | None:
    edits: list[Edit] = []
    declared = False
    for found in arch_words(word.literal or ""):
        span = word.find(found.text)
        expression = {"amd64": "${TARGETARCH}", "x86_64": "$(uname -m)"}.get(found.text)
        if _stands_elsewhere(facts, command, found.text):
            return None  # a result that is named for the architecture too
        if span is None or expression is None or len(span) != len(encode(found.text)) or edits:
            return None  # two of them in a word may be two different things
        edit = substitute(word, span, expression, command)
        if edit is None:
            return None
        edits.append(edit)
        declared = found.text == "amd64"
    if declared:
        edits += declare_arg(document, facts, command.run, "TARGETARCH")
    return Fix("Build for the platform that is asked for", tuple(edits), Applicability.UNSAFE)


def _stands_elsewhere(facts: Facts, command: Command, text: str) -> bool:
    """Whether the same RUN, a COPY or a program names the architecture once more."""
    steps = (
        step for step in steps_with(facts, text) if isinstance(step, Copy | Run) or step.keyword in _PROGRAMS
    )
    named = sum(
        step.span.of(facts.document.source).count(encode(text))
        for step in steps
        if not isinstance(step, Run) or step.span == command.run.span
    )
    return named > sum(word.raw.count(text) for word in _asked(command))
