"""AP116."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.platforms import AMD64, arch_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ArchSwitch, Assign, Script, Selector, SwitchArm
from archpatch.syntax.tree import Document, Run
from archpatch.text import Applicability, Edit, Fix, Span, decode, regex

# Another machine to build on has no tool for it then, and says so; no image is wrong.
_BUILDERS = (Selector.BUILDARCH, Selector.BUILDPLATFORM)


class MissingArchBranch(Rule):
    """A choice by architecture has nothing for a platform that is built, or takes amd64 for whatever is left.

    Without a branch the variable that the others set stays empty, and a URL or a path is wrong; with `*) ARCH=amd64`
    or `else ARCH=amd64` the image gets amd64 files in silence; with `*) exit 1` the build stops there.

    It is fine where a branch only adds something for one architecture and sets nothing that is used later, and where
    the default serves amd64 alone because every other platform that is built has a branch. Where amd64 has one too, the
    default can only be for a platform nobody thought of, and gives it a foreign binary.

    Where the branch for amd64, or the default, just sets the word `amd64`, the fix adds one with the word of the platform
    that is missing; a default that falls back to amd64 beside a branch of its own for amd64 is made to fail aloud. An amd64 build
    stays the same, yet a person should look whether the file exists for that platform: unsafe.
    """

    code, name, severity = "AP116", "missing-arch-branch", Severity.WARNING
    hints = ("case", "if", "test", "[")
    errors = ("404", "unsupported architecture", "exec format error")
    examples = (
        Example(
            "FROM debian\n"
            'RUN case "$(dpkg --print-architecture)" in \\\n'
            "      amd64) ARCH=amd64 ;; \\\n"
            "      armhf) ARCH=armv7 ;; \\\n"
            "    esac && wget https://example.com/tool-$ARCH.tgz\n",
            "FROM debian\n"
            'RUN case "$(dpkg --print-architecture)" in \\\n'
            "      arm64) ARCH=arm64 ;; amd64) ARCH=amd64 ;; \\\n"
            "      armhf) ARCH=armv7 ;; \\\n"
            "    esac && wget https://example.com/tool-$ARCH.tgz\n",
            "No branch at all",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nARG TARGETARCH\n"
            'RUN if [ "$TARGETARCH" = arm ]; then A=arm; else A=amd64; fi && wget https://example.com/tool-$A.tgz\n',
            "FROM debian\nARG TARGETARCH\n"
            'RUN if [ "$TARGETARCH" = arm ]; then A=arm; elif [ "$TARGETARCH" = arm64 ]; then A=arm64; else A=amd64; fi '
            "&& wget https://example.com/tool-$A.tgz\n",
            "arm64 falls into the branch of amd64",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nARG TARGETPLATFORM\n"
            'RUN if [ "$TARGETPLATFORM" = linux/amd64 ]; then A=amd64; elif [ "$TARGETPLATFORM" = linux/arm64 ]; then A=arm64; '
            "else A=amd64; fi && wget https://example.com/tool-$A.tgz\n",
            "FROM debian\nARG TARGETPLATFORM\n"
            'RUN if [ "$TARGETPLATFORM" = linux/amd64 ]; then A=amd64; elif [ "$TARGETPLATFORM" = linux/arm64 ]; then A=arm64; '
            "else echo >&2 unsupported platform; exit 1; fi && wget https://example.com/tool-$A.tgz\n",
            "A default that nobody should get",
            applicability="unsafe",
        ),
        Example(
            'FROM golang\nARG TARGETARCH\nRUN case "$TARGETARCH" in amd64) export GOARCH=amd64 ;; arm64) export GOARCH=arm64 ;; '
            "*) export GOOS=linux GOARCH=amd64 ;; esac; go build -o /app-$GOARCH .\n",
            'FROM golang\nARG TARGETARCH\nRUN case "$TARGETARCH" in amd64) export GOARCH=amd64 ;; arm64) export GOARCH=arm64 ;; '
            "*) echo >&2 unsupported platform; exit 1 ;; esac; go build -o /app-$GOARCH .\n",
            "A statement that sets more than one variable",
            applicability="unsafe",
        ),
        Example(
            'FROM debian\nRUN case "$(uname -m)" in aarch64) A=arm64 ;; *) A=amd64 ;; esac && echo $A > /arch\n',
            title="The default serves amd64 alone",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM debian\nARG BUILDARCH\n"
            'RUN case "$BUILDARCH" in amd64) A=x64 ;; arm64) A=arm64 ;; *) A=x64 ;; esac && wget https://example.com/tool-$A.tgz\n',
            title="A tool for the machine that builds",
        ),
        Example(
            'FROM debian\nARG TARGETARCH\nRUN if [ "$TARGETARCH" = amd64 ]; then apt-get install -y intel-microcode; fi\n',
            title="Something more for one architecture",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Switches whose arms leave a target out."""
        for run in (run for stage in facts.stages for run in stage.every_run):
            script = facts.shell(run)
            for switch in script.switches:
                covered = frozenset(arch for arm in switch.arms for arch in arm.arches)
                missing = [
                    target.arch for target in facts.targets if target.arch not in covered | {AMD64.arch}
                ]
                finding = self._judge(document, script, run, switch, covered, missing)
                if finding is not None:
                    yield finding

    def _judge(
        self,
        document: Document,
        script: Script,
        run: Run,
        switch: ArchSwitch,
        covered: frozenset[str],
        missing: list[str],
    ) -> Finding | None:
        if switch.default is not None and (assign := _sets_amd64(script, switch.default)) is not None:
            return self._judge_default(document, script, switch, assign, AMD64.arch in covered, missing)
        if not missing or AMD64.arch not in covered or switch.default is not None or len(switch.arms) < 2:
            return None
        arm = next(arm for arm in switch.arms if AMD64.arch in arm.arches)
        names = [
            assign
            for assign in _assigned(script, arm)
            if _used_after(document, run, switch.span, assign.name)
            and not _set_elsewhere(script, switch, assign, missing)
        ]
        if not names:
            return None
        message = (
            f"There is a branch for amd64 and none for {' and '.join(missing)}: there {names[0].name} stays empty, and what "
            "follows is wrong."
        )
        return self.finding(switch.subject.span, message, _add_arm(document, script, switch, arm, missing))

    def _judge_default(
        self,
        document: Document,
        script: Script,
        switch: ArchSwitch,
        assign: Assign,
        amd64_has_its_own: bool,
        missing: list[str],
    ) -> Finding | None:
        """A default that sets a variable to amd64."""
        if missing:
            message = (
                f"For {' and '.join(missing)} no branch is taken but the default, which sets {assign.name} to amd64: what "
                "follows gets amd64 files on that platform, in silence."
            )
            return self.finding(assign.span, message, _add_branch(document, script, switch, assign, missing))
        if not amd64_has_its_own or switch.selector in _BUILDERS:
            return None
        message = f"A platform without a branch of its own silently gets {assign.name} of amd64: let the default fail."
        return self.finding(assign.span, message, _fail_aloud(script, assign))


def _assigned(script: Script, arm: SwitchArm) -> list[Assign]:
    body = arm.body
    return [
        assign
        for assign in script.assigns
        if body is not None and assign.span in body.span and not assign.prefix
    ]


def _sets_amd64(script: Script, default: SwitchArm) -> Assign | None:
    """The assignment of an amd64 word in a default that does nothing else with architectures."""
    for assign in _assigned(script, default):
        value = assign.value.literal if assign.value else None
        if value and {word.arch for word in arch_words(value)} == {AMD64.arch}:
            return assign
    return None


def _fail_aloud(script: Script, assign: Assign) -> Fix | None:
    """An error in place of the whole statement: `GOOS=linux GOARCH=amd64`, `export ARCH=amd64`."""
    statement = next((one for one in script.commands if assign in one.assigns), None)
    if statement is None or not script.readable:
        return None
    # Without quotes: it may stand within those of `sh -c`.
    edit = Edit.replace(statement.span, "echo >&2 unsupported platform; exit 1")
    return Fix("Let the default fail aloud", (edit,), Applicability.UNSAFE)


def _used_after(document: Document, run: Run, span: Span, name: str) -> bool:
    rest = decode(document.source[span.end : run.span.end])
    return re.search(rf"\$\{{?{re.escape(name)}\b", rest) is not None


def _set_elsewhere(script: Script, switch: ArchSwitch, assign: Assign, missing: list[str]) -> bool:
    return any(
        other.name == assign.name
        and other.span not in switch.span
        and (other.only_on is None or not other.only_on.isdisjoint(missing))
        for other in script.assigns
    )


def _add_arm(
    document: Document, script: Script, switch: ArchSwitch, arm: SwitchArm, missing: list[str]
) -> Fix | None:
    """A `case` arm for the missing architectures where amd64's only sets the word amd64."""
    if not script.readable or switch.convention is None or switch.selector.is_platform:
        return None
    assigns = _assigned(script, arm)
    if len(assigns) != 1 or assigns[0].value is None or assigns[0].value.literal != AMD64.arch:
        return None
    if arm.body is None or arm.body.span != assigns[0].span:
        return None
    if not document.source[switch.span.start :].startswith(b"case"):
        return None
    arms = "".join(
        f"{word}) {assigns[0].name}={arch} ;; " for arch in missing if (word := switch.convention.spell(arch))
    )
    return Fix(
        f"Add a branch for {' and '.join(missing)}",
        (Edit.insert(arm.span.start, arms),),
        Applicability.UNSAFE,
    )


def _add_branch(
    document: Document, script: Script, switch: ArchSwitch, assign: Assign, missing: list[str]
) -> Fix | None:
    """A branch for each missing architecture above a default that only sets the word amd64."""
    default, source = switch.default, document.source
    if not script.readable or switch.convention is None or default is None or default.body is None:
        return None
    if default.body.span != assign.span or assign.value is None or assign.value.literal != AMD64.arch:
        return None
    words = {arch: _pattern(switch, arch) for arch in missing}
    subject = decode(switch.subject.span.of(source))
    if not all(words.values()) or "\n" in subject:
        return None
    otherwise = _ELSE.search(source[switch.span.start : default.span.start])
    if source.startswith(b"case", switch.span.start):
        at = default.span.start
        text = "".join(f"{word}) {assign.name}={arch} ;; " for arch, word in words.items())
    elif source.startswith(b"if", switch.span.start) and otherwise:
        at = switch.span.start + otherwise.start()
        text = "".join(
            f"elif [ {subject} = {word} ]; then {assign.name}={arch}; " for arch, word in words.items()
        )
    else:
        return None
    edit = Edit.insert(at, text)
    return Fix(f"Add a branch for {' and '.join(missing)}", (edit,), Applicability.UNSAFE)


_ELSE = regex(rb"\belse(?:\s|\\\r?\n)+$")


def _pattern(switch: ArchSwitch, arch: str) -> str | None:
    """How the selector names an architecture; a platform with a variant (`linux/arm/v7`) has more than one name."""
    if switch.selector.is_platform:
        return None if arch == "arm" else f"linux/{arch}"
    return switch.convention.spell(arch) if switch.convention is not None else None
