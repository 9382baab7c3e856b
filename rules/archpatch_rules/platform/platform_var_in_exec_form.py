"""AP111."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import AUTOMATIC, Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document, Instruction, Word


class PlatformVarInExecForm(Rule):
    """A platform argument in ENTRYPOINT, CMD, HEALTHCHECK or an exec-form RUN is not filled in.

    The exec form (`["/app-$TARGETARCH"]`) is never expanded, and the shell form of CMD and ENTRYPOINT is expanded when
    the container runs: by then the ARG is gone. The container looks for a file with a dollar sign in its name.

    It is fine where ENV sets the name, in the shell form: the environment stays in the image.

    There is no automatic fix: give the file a name without an architecture when it is installed (`mv app-$TARGETARCH
    app` in a RUN) and start that.
    """

    code, name, severity = "AP111", "platform-var-in-exec-form", Severity.ERROR
    hints = ("entrypoint", "cmd", "run")
    errors = ('exec: "/app-$TARGETARCH": stat /app-$TARGETARCH: no such file or directory',)
    examples = (
        Example(
            'FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /\nENTRYPOINT ["/app-$TARGETARCH"]\n',
            'FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /\nENTRYPOINT ["/app-$TARGETARCH"]\n',
            "Never expanded",
        ),
        Example(
            "FROM alpine\nARG TARGETARCH\nCMD /opt/$TARGETARCH/app\n",
            "FROM alpine\nARG TARGETARCH\nCMD /opt/$TARGETARCH/app\n",
            "Expanded when the ARG is gone",
        ),
        Example(
            "FROM alpine\nARG TARGETARCH\nENV TARGETARCH=$TARGETARCH\nCMD /opt/$TARGETARCH/app\n",
            title="ENV stays",
        ),
        Example(
            'FROM alpine\nARG TARGETARCH\nRUN ["sh", "-c", "echo $TARGETARCH"]\n', title="A shell expands it"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Automatic names in the words of such instructions."""
        for instruction in document.instructions:
            if instruction.keyword not in ("ENTRYPOINT", "CMD", "HEALTHCHECK", "RUN"):
                continue
            if instruction.keyword == "RUN" and not instruction.json:
                continue
            if instruction.json and _is_shell(instruction):
                continue
            for word in instruction.words:
                for name in sorted(_automatic_names(facts, instruction, word)):
                    if not instruction.json and _in_environment(facts, instruction, name):
                        continue
                    yield self.finding(
                        word.find(f"${name}") or word.find(f"${{{name}") or word.span,
                        f"{name} is not filled in here: "
                        + (
                            "the exec form is never expanded."
                            if instruction.json
                            else "this is expanded when the container runs, and an ARG is gone by then."
                        )
                        + " Install the file under a name without an architecture.",
                    )


def _is_shell(instruction: Instruction) -> bool:
    first = instruction.words[0].value.rsplit("/", 1)[-1] if instruction.words else ""
    return first in ("sh", "bash", "ash", "dash", "zsh", "ksh", "powershell", "pwsh", "cmd")


def _automatic_names(facts: Facts, instruction: Instruction, word: Word) -> frozenset[str]:
    value = facts.scope(instruction).expand(word)
    return frozenset(value.names | value.missing) & AUTOMATIC


def _in_environment(facts: Facts, instruction: Instruction, name: str) -> bool:
    variable = facts.scope(instruction).get(name)
    return variable is not None and variable.kind.name == "ENV"
