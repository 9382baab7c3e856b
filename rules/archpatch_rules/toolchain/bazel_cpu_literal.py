"""AP609."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.suppressors import why_fine
from archpatch.rewrite import delete_option
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.toolchain.stages import for_each_target

_CPU = r"--(?:host_)?cpu=(?:k8|x86_64|amd64)"
_OTHER = r"--(?:platforms|config)=\S*(?:linux[-_/]?(?:x86_64|amd64|x64)|(?:x86_64|amd64)[-_]linux)\S*"


class BazelCpuLiteral(Rule):
    """Bazel builds for one CPU on every platform: `bazel build --cpu=k8`.

    On linux/arm64 Bazel then looks for a toolchain for amd64 (`no matching toolchain`), or makes a foreign program,
    which ends in `exec format error`.

    It is fine in a branch for amd64, and where one command builds for several platforms.

    Bazel builds for the machine it runs on when it is told nothing: the fix takes `--cpu` away. It is unsafe, for a
    `.bazelrc` may say otherwise. For `--platforms` and `--config` there is no fix: which ones there are for arm64,
    the workspace knows.
    """

    code, name, severity = "AP609", "bazel-cpu-literal", Severity.WARNING
    hints = ("bazel",)
    errors = ("no matching toolchain", "exec format error")
    examples = (
        Example(
            "FROM debian\nRUN bazel build --cpu=k8 -c opt //app\n",
            "FROM debian\nRUN bazel build -c opt //app\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN bazel build --platforms=//platforms:linux_x86_64 //app\n",
            "FROM debian\nRUN bazel build --platforms=//platforms:linux_x86_64 //app\n",
        ),
        Example('FROM debian\nRUN [ "$(uname -m)" != x86_64 ] || bazel build --cpu=k8 //app\n'),
        Example("FROM debian\nRUN bazel build --config=opt //app\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Options of Bazel that name amd64, in stages of the target platform."""
        for stage in for_each_target(facts):
            for command in stage.commands_with("bazel", later=True):
                if command.shell.name not in ("bazel", "bazelisk"):
                    continue
                for word in command.shell.arguments:
                    cpu = re.fullmatch(_CPU, word.literal or "")
                    if not cpu and not re.fullmatch(_OTHER, word.literal or ""):
                        continue
                    if why_fine(facts, command.run, word.span, command) is not None:
                        continue
                    edits = (delete_option(document, word.span),) if cpu and not command.run.json else ()
                    yield self.finding(
                        word.span,
                        f"`{word.literal}` builds for amd64 whatever is asked for: on linux/arm64 Bazel finds no toolchain, or "
                        "makes a foreign program.",
                        Fix("Build for the machine Bazel runs on", edits, Applicability.UNSAFE)
                        if edits
                        else None,
                    )
