"""AP111."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import AUTOMATIC, Facts, VariableKind
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document, Instruction, Word


class PlatformVarInExecForm(Rule):
    """A platform argument in ENTRYPOINT, CMD, HEALTHCHECK or an exec-form RUN is not filled in.

    The exec form (`["/app-$TARGETARCH"]`) is never expanded. The shell form of CMD and ENTRYPOINT, or a shell that the
    exec form starts, expands it when the container runs: by then the ARG is gone. The container looks for a file with a
    dollar sign in its name, or for one without an architecture, or takes the fallback on every platform.

    It is fine where ENV sets the name, for a shell: the environment stays in the image. So is a fallback that asks the
    machine (`${TARGETARCH:-$(uname -m)}`).

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
            "FROM alpine\nARG TARGETARCH\nENV ARCH=$TARGETARCH\nCMD /opt/$ARCH/app\n",
            title="Under another name",
        ),
        Example(
            "FROM alpine\nARG TARGETARCH\nARG ARCH=$TARGETARCH\nCMD /opt/$ARCH/app\n",
            "FROM alpine\nARG TARGETARCH\nARG ARCH=$TARGETARCH\nCMD /opt/$ARCH/app\n",
            "An ARG under another name is gone too",
        ),
        Example(
            'FROM alpine\nARG TARGETARCH\nCMD ["sh", "-c", "exec /opt/app-${TARGETARCH:-amd64}"]\n',
            'FROM alpine\nARG TARGETARCH\nCMD ["sh", "-c", "exec /opt/app-${TARGETARCH:-amd64}"]\n',
            "A shell of its own finds no ARG either",
        ),
        Example(
            'FROM alpine\nARG TARGETARCH\nCMD ["sh", "-c", "exec /opt/app-${TARGETARCH:-$(uname -m)}"]\n',
            title="The machine is asked",
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
            if instruction.json and _is_shell(instruction) and instruction.keyword == "RUN":
                continue
            for word in instruction.words:
                for name in sorted(_automatic_names(facts, instruction, word)):
                    if _is_answered(word.value, name):
                        continue
                    yield self.finding(
                        word.find(f"${name}") or word.find(f"${{{name}") or word.span,
                        f"{name} is not filled in here: "
                        + (
                            "the exec form is never expanded."
                            if instruction.json and not _is_shell(instruction)
                            else "this is expanded when the container runs, and an ARG is gone by then."
                        )
                        + " Install the file under a name without an architecture.",
                    )


def _is_answered(text: str, name: str) -> bool:
    """Whether a shell sets the name itself, or asks the machine where it is not set."""
    return f"{name}=" in text or f"${{{name}:-$(" in text or f"${{{name}-$(" in text


def _is_shell(instruction: Instruction) -> bool:
    first = instruction.words[0].value.rsplit("/", 1)[-1] if instruction.words else ""
    return first in ("sh", "bash", "ash", "dash", "zsh", "ksh", "powershell", "pwsh", "cmd")


def _automatic_names(facts: Facts, instruction: Instruction, word: Word) -> frozenset[str]:
    """The automatic arguments that a word hangs on; without those that ENV has put into the image's environment, which a
    shell finds there when the container runs."""
    if "$" not in word.value:
        return frozenset()
    scope = facts.scope(instruction)
    if instruction.json and not _is_shell(instruction):
        value = scope.expand(word)
        return frozenset(value.names | value.missing) & AUTOMATIC
    found: set[str] = set()
    for name in scope.used(word):
        variable = scope.get(name)
        if variable is None:
            found.add(name)
        elif variable.kind is not VariableKind.ENV:
            found |= {name} | variable.value.names | variable.value.missing
    return frozenset(found) & AUTOMATIC
