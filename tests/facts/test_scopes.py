"""ARG and ENV: what is visible where, and what is known of it."""

from __future__ import annotations

import pytest

from archpatch.facts import Facts, VariableKind
from archpatch.platforms import AMD64, ARM64, Platform
from tests.facts.build import facts_of


def _end(text: str, word: str, target: Platform | None = ARM64) -> str | None:
    facts = facts_of(text)
    assert facts.final is not None
    return facts.final.end_scope(target).expand(word).text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("FROM a\n", "[]", id="not declared"),
        pytest.param("ARG TARGETARCH\nFROM a\n", "[]", id="declared above FROM alone"),
        pytest.param("FROM a\nARG TARGETARCH\n", "[arm64]", id="declared"),
        pytest.param("FROM a AS b\nARG TARGETARCH\nFROM b\n", "[arm64]", id="inherited"),
        pytest.param("FROM a AS b\nARG TARGETARCH\nFROM a\n", "[]", id="of an unrelated stage"),
        pytest.param("FROM a\nARG TARGETARCH=amd64\n", "[amd64]", id="a default wins"),
        pytest.param("FROM a\nARG TARGETARCH=\n", "[]", id="an empty default wins"),
        pytest.param("FROM a\nARG TARGETARCH=$TARGETARCH\n", "[]", id="a default of itself is empty"),
        pytest.param("ARG TARGETARCH=amd64\nFROM a\nARG TARGETARCH\n", "[amd64]", id="a global default wins"),
        pytest.param(
            "ARG TARGETARCH=$TARGETARCH\nFROM a\nARG TARGETARCH\n", "[arm64]", id="a global one of itself"
        ),
        pytest.param("FROM a\nENV TARGETARCH=x\nARG TARGETARCH\n", "[arm64]", id="ARG after ENV"),
        pytest.param("FROM a\nARG TARGETARCH\nENV TARGETARCH=x\n", "[x]", id="ENV after ARG"),
        pytest.param("FROM a\nARG ONE TARGETARCH TWO\n", "[arm64]", id="several in one ARG"),
        pytest.param("FROM a\nONBUILD ARG TARGETARCH\n", "[]", id="ONBUILD is for a later build"),
        pytest.param("FROM a AS b\nONBUILD ARG TARGETARCH\nFROM b\n", "[arm64]", id="ONBUILD of the parent"),
        pytest.param("FROM a\nLABEL TARGETARCH=x\n", "[]", id="a label is no variable"),
    ],
)
def test_the_value_of_an_automatic_argument_at_the_end(text: str, value: str) -> None:
    assert _end(text, "[$TARGETARCH]") == value


@pytest.mark.parametrize(
    ("text", "word", "value"),
    [
        pytest.param("FROM a\nARG X\n", "$X", None, id="an ARG that the command line sets"),
        pytest.param("FROM a\nARG X=1\n", "$X", "1", id="a default"),
        pytest.param("ARG X=1\nFROM a\n", "$X", None, id="global, not declared: the image may set it"),
        pytest.param("ARG X=1\nFROM a\nARG X\n", "$X", "1", id="global, declared"),
        pytest.param("ARG X\nFROM a\nARG X\n", "$X", None, id="global without default"),
        pytest.param("FROM a\n", "$JAVA_HOME", None, id="the environment of the image"),
        pytest.param("FROM scratch\n", "[$JAVA_HOME]", "[]", id="scratch has no environment"),
        pytest.param("FROM a\nENV X=1 Y=$X\n", "$Y", None, id="values of one ENV see what was before"),
        pytest.param("FROM a\nARG X=1 Y=$X\n", "$Y", "1", id="those of one ARG see each other"),
        pytest.param("FROM a\nENV X one two\n", "$X", "one two", id="the old form"),
        pytest.param("FROM a\nENV X='$Y'\n", "$X", "$Y", id="single quotes"),
        pytest.param("FROM a\nENV X=a\\$b\n", "$X", "a$b", id="an escape"),
        pytest.param("FROM a\nENV P=$PATH:/x\n", "$P", None, id="more than an unknown"),
        pytest.param(
            "FROM a\nARG X=${TARGETARCH:-amd64}\n", "$X", "amd64", id="a fallback for what is not declared"
        ),
        pytest.param("FROM a\nARG X=1\n", "${X^^}", None, id="a word that BuildKit rejects"),
    ],
)
def test_the_value_of_a_word_at_the_end(text: str, word: str, value: str | None) -> None:
    assert _end(text, word) == value


def test_a_value_names_the_automatic_arguments_behind_it() -> None:
    facts = facts_of("FROM a\nARG TARGETARCH\nARG ARCH=${TARGETARCH}\nENV F=tool-$ARCH\n")
    value = facts.stages[0].end_scope().expand("/opt/$F")
    assert value.text is None
    assert value.names == {"TARGETARCH"}
    assert facts.stages[0].end_scope(AMD64).expand("/opt/$F").text == "/opt/tool-amd64"


def test_a_value_names_what_nothing_set() -> None:
    facts = facts_of("FROM a\nARG X=1\n")
    value = facts.stages[0].end_scope(AMD64).expand("${TARGETARCH:-amd64}$X")
    assert (value.text, value.unset) == ("amd641", True)
    assert value.missing == {"TARGETARCH"}


def test_a_scope_ends_at_its_instruction() -> None:
    facts = facts_of("FROM a\nWORKDIR /$TARGETARCH\nARG TARGETARCH\nWORKDIR /$TARGETARCH\n")
    first, declares, second = facts.stages[0].body
    assert facts.declared_before(first, "TARGETARCH") is None
    assert facts.declared_later(first, "TARGETARCH") is declares
    assert facts.declared_later(second, "TARGETARCH") is None
    found = facts.declared_before(second, "TARGETARCH")
    assert found is not None
    assert (found.kind, found.instruction, found.inherited) == (VariableKind.ARG, declares, False)


def test_an_inherited_variable_says_so() -> None:
    facts = facts_of("FROM a AS b\nARG TARGETARCH\nFROM b\nRUN x\n")
    found = facts.declared_before(facts.stages[1].body[0], "TARGETARCH")
    assert found is not None
    assert found.inherited


def test_from_sees_the_global_scope_alone() -> None:
    facts = facts_of("ARG V=1\nFROM a AS b\nARG V=2\nFROM c:$V\n")
    scope = facts.scope(facts.stages[1].head, ARM64)
    assert scope.expand("$V-$TARGETARCH").text == "1-arm64"
    assert facts.globals.expand("$TARGETARCH").text is None
    found = facts.globals.get("TARGETARCH")
    assert found is not None
    assert found.kind is VariableKind.AUTOMATIC


def test_a_global_arg_sees_those_above_it() -> None:
    facts = facts_of("ARG A=1\nARG B=$A\nARG A=2\nFROM a\n")
    scope = facts.scope(facts.document.globals[1], ARM64)
    assert scope.expand("$A").text == "1"
    assert "B" not in scope


def test_an_onbuild_instruction_sees_the_environment_and_the_args_of_onbuild() -> None:
    facts = facts_of("FROM a\nARG TARGETARCH\nENV E=1\nONBUILD ARG TARGETOS\nONBUILD RUN x\n")
    scope = facts.scope(facts.stages[0].body[-1], ARM64)
    assert "TARGETARCH" not in scope
    assert scope.expand("$E-$TARGETOS").text == "1-linux"


def test_a_value_that_doubles_with_each_line_stays_small() -> None:
    text = "FROM a\nENV A=0123456789\n" + "ENV A=$A$A\n" * 60
    assert _end(text, "$A") is None


@pytest.mark.parametrize(
    ("target", "values"),
    [
        pytest.param(Platform("linux", "arm", "v7"), ["linux/arm/v7", "linux", "arm", "v7"], id="arm"),
        pytest.param(AMD64, ["linux/amd64", "linux", "amd64", ""], id="amd64"),
    ],
)
def test_the_parts_of_a_platform(target: Platform, values: list[str]) -> None:
    facts = Facts(
        facts_of("FROM a\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT\n").document, (target,)
    )
    scope = facts.stages[0].end_scope(target)
    words = ("$TARGETPLATFORM", "$TARGETOS", "$TARGETARCH", "$TARGETVARIANT")
    assert [scope.expand(word).text for word in words] == values
