"""AP609."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts, written
from archpatch.facts.suppressors import why_fine
from archpatch.rewrite import delete_option
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix
from archpatch_rules.toolchain.stages import for_each_target

_CPU = r"--(?:host_)?cpu=(?:k8|x86_64|amd64)"
# The folder of what is built for amd64: `bazel-out/<cpu>-<mode>`; `bazel-bin` is a link to its `bin` for whatever was
# built last (bazel.build, "Output Directory Layout").
_FOLDER = r"bazel-out/k8-(?:opt|fastbuild|dbg)(/bin(?![\w-]))?"
_OTHER = r"--(?:platforms|config)=\S*(?:linux[-_/]?(?:x86_64|amd64|x64)|(?:x86_64|amd64)[-_]linux)\S*"


class BazelCpuLiteral(Rule):
    """Bazel builds for one CPU on every platform: `bazel build --cpu=k8`.

    On linux/arm64 Bazel then looks for a toolchain for amd64 (`no matching toolchain`), or makes a foreign program,
    which ends in `exec format error`. Where the result is taken from amd64's folder, `bazel-out/k8-opt/bin`, the build
    fails: what was built for the machine lies in another one.

    It is fine in a branch for amd64, and where one command builds for several platforms.

    Bazel builds for the machine it runs on when it is told nothing: the fix takes `--cpu` away. It is unsafe, for a
    `.bazelrc` may say otherwise. In place of the folder it puts `bazel-bin`, the link to that of the last build; it is unsafe
    too, for another build may come in between. For `--platforms` and `--config` there is no fix: which ones there are for arm64,
    the workspace knows.
    """

    code, name, severity = "AP609", "bazel-cpu-literal", Severity.WARNING
    hints = ("bazel",)
    errors = ("no matching toolchain", "exec format error", "bazel-out/k8-opt/bin: no such file or directory")
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
        Example(
            "FROM debian AS build\nRUN bazel build -c opt //app && strip bazel-out/k8-opt/bin/app/app\n"
            "FROM debian\nCOPY --from=build /src/bazel-out/k8-opt/bin/app/app /app\n",
            "FROM debian AS build\nRUN bazel build -c opt //app && strip bazel-bin/app/app\n"
            "FROM debian\nCOPY --from=build /src/bazel-bin/app/app /app\n",
            "The folder of what was built",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN bazel build //app && tar -cf /a.tar bazel-out/k8-fastbuild/testlogs\n",
            "FROM debian\nRUN bazel build //app && tar -cf /a.tar bazel-out/k8-fastbuild/testlogs\n",
            "Not what was built",
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
        yield from self._folders(facts)

    def _folders(self, facts: Facts) -> Iterator[Finding]:
        """Paths into the folder of what is built for amd64."""
        concerned = list(for_each_target(facts))
        for place in written(facts, "bazel-out/k8-"):
            found = re.search(_FOLDER, place.value)
            span = next(place.places(found[0]), None) if found else None
            if found is None or span is None or place.stage not in concerned:
                continue
            if why_fine(facts, place.instruction, span, place.command) is not None:
                continue
            edits = (
                tuple(Edit.replace(one, "bazel-bin") for one in place.places(found[0])) if found[1] else ()
            )
            yield self.finding(
                span,
                f"`{found[0]}` is where Bazel puts what it builds for amd64; on linux/arm64 it is not there.",
                Fix("Take what was built last", edits, Applicability.UNSAFE) if edits else None,
            )
