"""Values of words in RUN, the shell in force, and the uses of variables."""

from __future__ import annotations

import pytest

from archpatch.facts import Facts, Place, Use
from archpatch.platforms import AMD64, ARM64, Platform
from tests.facts.build import facts_of


def _echoed(text: str, target: Platform | None) -> str | None:
    """The value of the last argument of the last `echo` of the last stage."""
    facts = facts_of(text)
    assert facts.final is not None
    command = [command for command in facts.final.commands if command.shell.name == "echo"][-1]
    return facts.value(command, command.shell.arguments[-1], target).text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("FROM a\nRUN echo $(uname -m)\n", ("x86_64", "aarch64"), id="uname"),
        pytest.param("FROM a\nRUN echo `arch`\n", ("x86_64", "aarch64"), id="arch"),
        pytest.param("FROM a\nRUN echo _$(dpkg --print-architecture)\n", ("_amd64", "_arm64"), id="dpkg"),
        pytest.param("FROM a\nRUN echo $(apk --print-arch)\n", ("x86_64", "aarch64"), id="apk"),
        pytest.param("FROM a\nRUN echo $(rpm -E %_arch)\n", ("x86_64", "aarch64"), id="rpm"),
        pytest.param("FROM a\nRUN echo $(go env GOARCH)\n", ("amd64", "arm64"), id="go"),
        pytest.param(
            "FROM --platform=$BUILDPLATFORM a\nRUN echo $(uname -m)\n",
            ("x86_64", "x86_64"),
            id="uname on the builder",
        ),
        pytest.param(
            "FROM --platform=$BUILDPLATFORM a\nARG TARGETARCH\nRUN echo $TARGETARCH\n",
            ("amd64", "arm64"),
            id="the target on the builder",
        ),
        pytest.param("FROM a\nRUN echo $(uname -m | sed s/x/y/)\n", (None, None), id="a pipe"),
        pytest.param("FROM a\nRUN A=$(uname -m); echo $A\n", ("x86_64", "aarch64"), id="through a variable"),
        pytest.param("FROM a\nRUN A=1 && A=2 && echo $A\n", ("2", "2"), id="the last assignment"),
        pytest.param("FROM a\nRUN echo $A; A=1\n", (None, None), id="an assignment that comes later"),
        pytest.param("FROM a\nRUN A=1 true; echo $A\n", (None, None), id="an assignment for one command"),
        pytest.param(
            "FROM a\nENV A=0\nRUN [ -f /x ] && A=1; echo $A\n", (None, None), id="an assignment that may be"
        ),
        pytest.param(
            "FROM a\nENV A=0\nRUN [ -f /x ] && A=1 && echo $A\n", ("1", "1"), id="within the condition"
        ),
        pytest.param("FROM a\nENV A=0\nRUN (A=1); echo $A\n", (None, None), id="an assignment in a subshell"),
        pytest.param(
            "FROM a\nENV A=0\nRUN for x in 1 2; do echo $A; A=1; done\n", (None, None), id="a later round"
        ),
        pytest.param("FROM a\nENV A=0\nRUN f() { echo $A; }; A=1; f\n", (None, None), id="a later call"),
        pytest.param("FROM a\nRUN for A in 1 2; do echo $A; done\n", (None, None), id="a loop"),
        pytest.param(
            "FROM a\nARG TARGETARCH\nRUN echo ${TARGETARCH:-x}\n", ("amd64", "arm64"), id="a fallback"
        ),
        pytest.param("FROM a\nRUN echo ${TARGETARCH:-x}\n", ("x", "x"), id="a fallback that is taken"),
        pytest.param(
            "FROM a\nRUN echo ${TARGETARCH:-$(uname -m)}\n", ("x86_64", "aarch64"), id="a fallback that asks"
        ),
        pytest.param(
            "FROM a\nARG TARGETARCH\nRUN echo ${TARGETARCH/amd64/x64}\n", ("x64", "arm64"), id="a replacement"
        ),
        pytest.param(
            "FROM a\nARG TARGETPLATFORM\nRUN echo ${TARGETPLATFORM#linux/}\n",
            ("amd64", "arm64"),
            id="a prefix",
        ),
        pytest.param("FROM a\nARG TARGETARCH\nRUN echo ${TARGETARCH%%[0-9]*}\n", (None, None), id="a class"),
        pytest.param("FROM a\nRUN echo '$TARGETARCH'\n", ("$TARGETARCH",) * 2, id="single quotes"),
        pytest.param("FROM a\nRUN echo $HOME\n", (None, None), id="the environment of the image"),
        pytest.param("FROM a\nRUN A=$B; B=$A; A=$B; echo $A\n", (None, None), id="a circle"),
    ],
)
def test_the_value_of_a_word_for_amd64_and_arm64(text: str, values: tuple[str | None, str | None]) -> None:
    assert (_echoed(text, AMD64), _echoed(text, ARM64)) == values


CASE = 'case "$TARGETARCH" in amd64) A=x64; B=y ;; arm64) A=aarch64 ;; *) exit 1 ;; esac; '


def test_the_arm_of_the_platform_gives_the_value() -> None:
    text = f"FROM a\nARG TARGETARCH\nENV A=none B=none\nRUN {CASE} echo $A-$B\n"
    assert _echoed(text, AMD64) == "x64-y"
    assert _echoed(text, ARM64) == "aarch64-none"
    assert _echoed(text, None) is None


def test_a_word_names_the_automatic_arguments_behind_it() -> None:
    facts = facts_of("FROM a\nARG TARGETARCH\nRUN A=x-$TARGETARCH; echo $A\n")
    command = facts.stages[0].commands[-1]
    assert facts.value(command, command.shell.arguments[0]).names == {"TARGETARCH"}


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        pytest.param("FROM a\nRUN echo a\n", True, id="sh"),
        pytest.param('FROM a\nSHELL ["/bin/bash", "-c"]\nRUN echo a\n', True, id="bash"),
        pytest.param('FROM a AS x\nSHELL ["pwsh", "-c"]\nFROM x\nRUN echo a\n', False, id="of the parent"),
        pytest.param('FROM a\nRUN echo a\nSHELL ["pwsh", "-c"]\n', True, id="a SHELL that comes later"),
        pytest.param("FROM mcr.microsoft.com/windows/nanoserver:ltsc2022\nRUN dir\n", False, id="cmd"),
        pytest.param("# escape=`\nFROM org/tool\nRUN dir c:\\\n", False, id="a backquote as escape"),
        pytest.param("# escape=`\nFROM alpine\nRUN ls\n", True, id="a backquote on Linux"),
    ],
)
def test_which_shells_are_read(text: str, readable: bool) -> None:
    facts = facts_of(text)
    assert facts.final is not None
    assert facts.shell(facts.final.runs[0]).readable is readable


def _shown(facts: Facts, use: Use) -> str:
    return f"{use.span.of(facts.document.source).decode()} {use.place.value}"


@pytest.mark.parametrize(
    ("body", "uses"),
    [
        pytest.param(
            "RUN echo $TARGETARCH ${TARGETOS}", ["$TARGETARCH shell", "${TARGETOS} shell"], id="words"
        ),
        pytest.param('RUN echo "a-${TARGETARCH:-amd64}"', ["${TARGETARCH:-amd64} shell"], id="a fallback"),
        pytest.param("RUN case $TARGETARCH in amd64) ls;; esac", ["$TARGETARCH shell"], id="a subject"),
        pytest.param("RUN if [ $TARGETARCH = x ]; then ls; fi", ["$TARGETARCH shell"], id="a condition"),
        pytest.param("RUN for a in $TARGETARCH; do ls; done", ["$TARGETARCH shell"], id="a loop"),
        pytest.param("RUN A=$TARGETARCH", ["$TARGETARCH shell"], id="an assignment"),
        pytest.param("RUN ls > /$TARGETARCH", ["$TARGETARCH shell"], id="a redirect"),
        pytest.param("RUN ls $(echo $TARGETARCH)", ["$TARGETARCH shell"], id="a substitution"),
        pytest.param("RUN sh -c 'echo $TARGETARCH'", ["$TARGETARCH shell"], id="sh -c"),
        pytest.param("RUN ( { ls $TARGETARCH; } )", ["$TARGETARCH shell"], id="groups"),
        pytest.param("RUN <<EOF\nls $TARGETARCH\nEOF", ["$TARGETARCH shell"], id="a script in a heredoc"),
        pytest.param(
            "RUN cat <<EOF > /x\n${TARGETARCH}\nEOF", ["${TARGETARCH} shell"], id="a heredoc of a command"
        ),
        pytest.param("RUN cat <<'EOF' > /x\n$TARGETARCH\nEOF", [], id="a quoted heredoc of a command"),
        pytest.param("RUN echo '$TARGETARCH'", [], id="single quotes"),
        pytest.param("RUN echo \\$TARGETARCH", [], id="escaped"),
        pytest.param('RUN ["ls", "$TARGETARCH"]', [], id="exec form"),
        pytest.param("CMD echo $TARGETARCH", [], id="CMD runs later"),
        pytest.param(
            "COPY a-$TARGETARCH /b/${TARGETOS}", ["$TARGETARCH word", "${TARGETOS} word"], id="COPY"
        ),
        pytest.param("COPY --chown=$TARGETARCH a b", ["$TARGETARCH flag"], id="a flag"),
        pytest.param("COPY --from=$TARGETARCH a b", [], id="--from expands nothing"),
        pytest.param(
            "COPY <<EOF /x\nA ${TARGETARCH}\nEOF", ["${TARGETARCH} heredoc"], id="a heredoc of COPY"
        ),
        pytest.param('COPY <<"EOF" /x\n$TARGETARCH\nEOF', [], id="a quoted heredoc of COPY"),
        pytest.param("ADD https://x/$TARGETARCH /x", ["$TARGETARCH word"], id="ADD"),
        pytest.param("ENV A=$TARGETARCH B='$TARGETOS'", ["$TARGETARCH word"], id="ENV"),
        pytest.param("LABEL a=$TARGETARCH", ["$TARGETARCH word"], id="LABEL"),
        pytest.param("ARG A=${TARGETARCH}", ["${TARGETARCH} word"], id="the default of an ARG"),
        pytest.param("WORKDIR /$TARGETARCH", ["$TARGETARCH word"], id="WORKDIR"),
        pytest.param(
            "RUN --mount=type=cache,id=a-$TARGETARCH,target=/c ls", ["$TARGETARCH mount"], id="a mount"
        ),
        pytest.param(
            "RUN echo \\\n # $TARGETARCH\n $TARGETOS", ["$TARGETOS shell"], id="a comment in a continuation"
        ),
        pytest.param("RUN echo $TARGETARCHITECTURE", [], id="a longer name"),
        pytest.param("ONBUILD RUN echo $TARGETARCH", ["$TARGETARCH shell"], id="ONBUILD"),
    ],
)
def test_the_uses_of_automatic_arguments(body: str, uses: list[str]) -> None:
    facts = facts_of(f"FROM a\n{body}\n")
    assert [_shown(facts, use) for use in facts.uses()] == uses
    assert not any(use.visible for use in facts.uses())


@pytest.mark.parametrize(
    ("script", "assigned"),
    [
        pytest.param("TARGETARCH=$(uname -m); echo $TARGETARCH", [True], id="before"),
        pytest.param("export TARGETARCH=x && echo $TARGETARCH", [True], id="exported"),
        pytest.param("echo $TARGETARCH; TARGETARCH=x", [False], id="after"),
        pytest.param("TARGETARCH=${TARGETARCH:-x}; echo $TARGETARCH", [False, True], id="from itself"),
        pytest.param("for TARGETARCH in a b; do echo $TARGETARCH; done", [True], id="by a loop"),
        pytest.param("read TARGETARCH; echo $TARGETARCH", [True], id="by read"),
        pytest.param(". /env.sh; echo $TARGETARCH", [True], id="by a file"),
        pytest.param(". /etc/os-release; echo $TARGETARCH", [False], id="not by os-release"),
        pytest.param(": ${TARGETARCH:=$(uname -m)}; echo $TARGETARCH", [False, True], id="where it is unset"),
        pytest.param("eval $(cat x); echo $TARGETARCH", [True], id="by eval"),
    ],
)
def test_a_name_that_the_shell_sets_is_its_own(script: str, assigned: list[bool]) -> None:
    uses = facts_of(f"FROM a\nRUN {script}\n").uses("TARGETARCH")
    assert [use.assigned for use in uses] == assigned


def test_a_use_is_visible_from_its_declaration_on() -> None:
    facts = facts_of(
        "FROM a\nRUN ls $TARGETARCH\nARG TARGETARCH\nRUN ls $TARGETARCH\nFROM a\nRUN ls $TARGETARCH\n"
    )
    assert [use.visible for use in facts.uses()] == [False, True, False]
    assert [use.visible for use in facts.uses(stage=facts.stages[1])] == [False]


def test_uses_of_other_names_can_be_asked_for() -> None:
    facts = facts_of("FROM a\nARG GOARCH=amd64\nENV X=$GOARCH\nRUN GOARCH=$GOARCH go build\n")
    assert [(use.place, use.visible) for use in facts.uses("GOARCH")] == [
        (Place.WORD, True),
        (Place.SHELL, True),
    ]


def test_a_use_in_a_script_knows_its_command() -> None:
    (use,) = facts_of("FROM a\nRUN ls && curl https://x/$TARGETARCH\n").uses()
    assert use.command is not None
    assert use.command.name == "curl"


def test_a_script_that_cannot_be_read_has_no_uses() -> None:
    assert facts_of("FROM a\nRUN if $TARGETARCH; then\n").uses() == ()
