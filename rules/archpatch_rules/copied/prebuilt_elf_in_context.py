"""AP801."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StageFacts
from archpatch.facts.programs import program_arch
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document, Word
from archpatch.text import Fix, regex
from archpatch_rules.copied.paths import context_path, follow_target, keeps_name, named_path, other_arch_file

_AMD64 = "\x7fELF\x02\x01\x01" + "\0" * 9 + "\x02\0\x3e\0" + "\0" * 44
_ARM64 = "\x7fELF\x02\x01\x01" + "\0" * 9 + "\x02\0\udcb7\0" + "\0" * 44
_MOST = 64  # files of a folder that are looked at
_TEXT = regex(
    r"\.(?:json|ya?ml|toml|txt|md|conf|cfg|ini|sh|py|rb|js|ts|php|html|css|xml|sql|properties|lock|list|template|jar|war|j2"
    r"|gz|tgz|zip|xz|bz2|csproj|sln|gradle|mod|sum|repo|key|pem|crt|env|erb|R|go|c|h|cpp|patch|service|cron)$"
)
_FOLDERS = ("bin", "dist", "lib", "libs", "out", "release", "target", "build", "binaries", "_output")


class PrebuiltElfInContext(Rule):
    """A program that was built before, for one architecture, is copied out of the build context.

    The header of the file says for which machine it is. The image for any other gets it all the same, labels it, and
    ends in `exec format error` when it is started.

    It is fine in a file that is for that architecture by its name, in a stage of a per-arch family, and in a branch that
    asks for the architecture.

    The fix writes `${TARGETARCH}` into the path where the context holds the program for arm64 beside it
    (`bin/amd64/app`, `bin/arm64/app`): then it is safe, and unsafe where the name in the image changes with it. Else
    there is none: build the program in a stage of its own, or put one for each architecture into the context.
    """

    code, name, severity = "AP801", "prebuilt-elf-in-context", Severity.WARNING
    hints = ("copy", "add")
    errors = ("exec format error", "cannot execute binary file: Exec format error")
    examples = (
        Example(
            "FROM debian\nCOPY bin/amd64/app /usr/local/bin/app\n",
            "FROM debian\nARG TARGETARCH\nCOPY bin/${TARGETARCH}/app /usr/local/bin/app\n",
            files={"bin/amd64/app": _AMD64, "bin/arm64/app": _ARM64},
            applicability="safe",
        ),
        Example(
            "FROM debian\nCOPY app-amd64 /usr/local/bin/\n",
            "FROM debian\nARG TARGETARCH\nCOPY app-${TARGETARCH} /usr/local/bin/\n",
            "Its name in the image changes too",
            files={"app-amd64": _AMD64, "app-arm64": _ARM64},
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY bin/ /usr/local/bin/\n",
            "FROM debian\nCOPY bin/ /usr/local/bin/\n",
            "A folder with one in it",
            files={"bin/app": _AMD64},
        ),
        Example("FROM debian\nCOPY run.sh /run.sh\n", files={"run.sh": "#!/bin/sh\n"}),
        Example(
            "FROM debian\nCOPY app /app\n",
            title="Its name says so",
            files={"app": _ARM64},
            name="Dockerfile.arm64",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each source that is, or holds, a program."""
        context = facts.context
        if context is None:
            return
        for stage in facts.stages:
            for copy in stage.body:
                if (
                    isinstance(copy, Copy)
                    and copy.source_stage is None
                    and stage.kind is not PlatformKind.CONSTANT
                ):
                    yield from self._sources(document, facts, stage, copy)

    def _sources(self, document: Document, facts: Facts, stage: StageFacts, copy: Copy) -> Iterator[Finding]:
        for source in copy.sources:
            found = next(_programs(facts, source), None)
            if found is None:
                continue
            path, arch = found
            if only_asked_for(facts, arch):
                continue
            if why_arch_is_fine(facts, arch, copy, source.span) is not None:
                continue
            yield self.finding(
                source.span,
                f"`{path}` in the build context is a program for {arch}: the image for any other architecture gets it too, "
                "and it ends in `exec format error` there.",
                _fix(document, facts, copy, source),
            )


def _programs(facts: Facts, source: Word) -> Iterator[tuple[str, str]]:
    """The programs that a source brings along: path and architecture."""
    context, value = facts.context, source.value
    if context is None or "$" in value or "://" in value or value.startswith("<<"):
        return
    path = context_path(value)
    if not path:
        return  # the whole context: what counts is what the image does with it
    paths: list[str] = [path]
    if "*" in path:
        paths = [str(one) for one in context.files(path)]
    elif path.rsplit("/", 1)[-1] in _FOLDERS:
        paths = [str(one) for one in context.files(f"{path}/*")]
    for one in paths[:_MOST]:
        if _TEXT.search(one) or ("/" not in one and one not in context.siblings):
            continue  # not worth opening
        head = context.head(one)
        arch = None if head is None else program_arch(head)
        if arch is not None:
            yield one, arch


def _fix(document: Document, facts: Facts, copy: Copy, source: Word) -> Fix | None:
    named = named_path(copy, source)
    other = None if named is None else other_arch_file(facts, named)
    if named is None or other is None or facts.context is None:
        return None
    if program_arch(facts.context.head(other) or b"") != "arm64":
        return None
    return follow_target(document, facts, named, safe=keeps_name(named))
