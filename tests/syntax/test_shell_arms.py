"""Arms by architecture: which commands run on what, and the questions that decide it."""

from __future__ import annotations

import pytest

from archpatch.platforms import Convention
from archpatch.syntax.shell import ArchSwitch, Script, Selector, read
from archpatch.text import Span


def script(text: str, **aliases: str) -> Script:
    source = text.encode()
    found = read(source, Span(0, len(source)), aliases=aliases)
    assert found.readable, found.problem
    return found


def only(text: str, **aliases: str) -> dict[str, str]:
    """The usual architectures that each command is for; `-` everywhere."""
    usual = ("amd64", "arm64", "arm")
    return {
        command.name: "-"
        if command.only_on is None
        else " ".join(arch for arch in usual if arch in command.only_on)
        for command in script(text, **aliases).commands
        if command.name in {"a", "b", "c", "d", "z"}
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'case "$TARGETARCH" in amd64) a;; arm64) b;; *) c;; esac; z',
            {"a": "amd64", "b": "arm64", "c": "arm", "z": "-"},
            id="case",
        ),
        pytest.param(
            "case $(uname -m) in x86_64|amd64) a;; aarch64|arm64) b;; esac",
            {"a": "amd64", "b": "arm64"},
            id="case over uname",
        ),
        pytest.param(
            "case `dpkg --print-architecture` in amd64) a;; *) b;; esac",
            {"a": "amd64", "b": "arm64 arm"},
            id="backquotes",
        ),
        pytest.param(
            'case "$TARGETPLATFORM" in "linux/amd64") a;; linux/arm/v7) b;; linux/arm*) c;; esac',
            {"a": "amd64", "b": "arm", "c": "arm64"},
            id="platform and globs",
        ),
        pytest.param("case ${TARGETARCH} in arm*) a;; *64) b;; esac", {"a": "arm64 arm", "b": "amd64"}, id="globs"),
        pytest.param("case $(uname -m) in arm*) a;; esac", {"a": "arm"}, id="a glob means what uname says"),
        pytest.param(
            'if [ "$TARGETARCH" = "amd64" ]; then a; elif [ $TARGETARCH = arm64 ]; then b; else c; fi; z',
            {"a": "amd64", "b": "arm64", "c": "arm", "z": "-"},
            id="if",
        ),
        pytest.param('if [ "$TARGETARCH" != amd64 ]; then a; else b; fi', {"a": "arm64 arm", "b": "amd64"}, id="not equal"),
        pytest.param('if ! [ "$TARGETARCH" = amd64 ]; then a; fi', {"a": "arm64 arm"}, id="negated"),
        pytest.param('if [[ "$(uname -m)" == x86* ]]; then a; fi', {"a": "amd64"}, id="double test with a glob"),
        pytest.param('if [[ $(uname -m) =~ ^(arm|aarch) ]]; then a; else b; fi', {"a": "arm64 arm", "b": "amd64"}, id="regex"),
        pytest.param(
            'if [ $TARGETARCH = amd64 -o $TARGETARCH = arm64 ]; then a; fi', {"a": "amd64 arm64"}, id="or in a test"
        ),
        pytest.param(
            'if [ $TARGETARCH = amd64 ] || [ $TARGETARCH = arm64 ]; then a; else b; fi',
            {"a": "amd64 arm64", "b": "arm"},
            id="or between tests",
        ),
        pytest.param(
            'if [ $TARGETARCH = amd64 ] && [ -f x ]; then a; else b; fi',
            {"a": "amd64", "b": "amd64 arm64 arm"},
            id="and with another test",
        ),
        pytest.param('if test "$(arch)" = aarch64; then a; fi', {"a": "arm64"}, id="test arch"),
        pytest.param('if [ "amd64" = "$TARGETARCH" ]; then a; fi', {"a": "amd64"}, id="the other way round"),
        pytest.param('if [ "x$TARGETARCH" = "xamd64" ]; then a; fi', {"a": "amd64"}, id="with an x"),
        pytest.param("if uname -m | grep -q aarch64; then a; else b; fi", {"a": "arm64", "b": "amd64 arm"}, id="grep"),
        pytest.param("if apk --print-arch | grep -qv x86_64; then a; fi", {"a": "arm64 arm"}, id="grep -v"),
        pytest.param("if uname -m | grep -q arm; then a; else b; fi", {"a": "arm", "b": "amd64 arm64"}, id="grep for what uname says of 32 bits alone"),
        pytest.param("if uname -m | grep -q 'arm\\|aarch64'; then a; else b; fi", {"a": "arm64 arm", "b": "amd64"}, id="grep for either"),
        pytest.param("if uname -m | grep -qE '^(arm|aarch64)'; then a; else b; fi", {"a": "arm64 arm", "b": "amd64"}, id="grep -E"),
        pytest.param("if uname -m | egrep -q '^(x86|aarch)_?64$'; then a; fi", {"a": "amd64 arm64"}, id="egrep"),
        pytest.param("if dpkg --print-architecture | grep -q arm; then a; else b; fi", {"a": "arm64 arm", "b": "amd64"}, id="grep for what dpkg says of both"),
        pytest.param("if uname -m | grep -qi ARM64; then a; fi", {"a": "arm64"}, id="grep -i"),
        pytest.param("if [[ $(uname -m) =~ ^arm ]]; then a; else b; fi", {"a": "arm", "b": "amd64 arm64"}, id="regex for 32 bits alone"),
        pytest.param("if [[ $TARGETARCH =~ ^arm ]]; then a; else b; fi", {"a": "arm64 arm", "b": "amd64"}, id="regex for both"),
        pytest.param("if [[ $(uname -m) =~ armv[67]l ]]; then a; else b; fi", {"a": "arm", "b": "amd64 arm64"}, id="regex with a class"),
        pytest.param("if [[ $(uname -m) =~ (arm64)+ ]]; then a; fi", {"a": "arm64"}, id="a group that repeats is not run"),
        pytest.param("if uname -m | grep -q 'arm64\\('; then a; fi", {"a": "arm64"}, id="an expression that is none"),
        pytest.param('[ "$TARGETARCH" = amd64 ] && a || b; z', {"a": "amd64", "b": "arm64 arm", "z": "-"}, id="and or"),
        pytest.param('[ "$TARGETARCH" != amd64 ] || a; z', {"a": "amd64", "z": "-"}, id="or"),
        pytest.param('[ $TARGETARCH = amd64 ] && { a; b; }; z', {"a": "amd64", "b": "amd64", "z": "-"}, id="group"),
        pytest.param('a && [ $TARGETARCH = amd64 ] && b && c; z', {"a": "-", "b": "amd64", "c": "amd64", "z": "-"}, id="chain"),
        pytest.param('[ $(uname -m) = x86_64 ] || exit 0; a', {"a": "amd64"}, id="early exit"),
        pytest.param('if [ $(uname -m) != x86_64 ]; then exit 0; fi; a', {"a": "amd64"}, id="early exit in if"),
        pytest.param(
            "case $TARGETARCH in amd64) a;; arm64) b;; *) exit 1;; esac; z",
            {"a": "amd64", "b": "arm64", "z": "-"},
            id="an error for odd ones is no arm",
        ),
        pytest.param(
            '( [ $TARGETARCH = amd64 ] || exit 0; a ); z', {"a": "amd64", "z": "-"}, id="a subshell ends alone"
        ),
        pytest.param(
            'ARCH=$(uname -m); if [ "$ARCH" = x86_64 ]; then a; fi', {"a": "amd64"}, id="variable"
        ),
        pytest.param(
            "ARCH=$(dpkg --print-architecture | sed s/amd64/x64/); case $ARCH in x64) a;; armhf) b;; esac",
            {"a": "amd64", "b": "arm"},
            id="translated",
        ),
        pytest.param(
            'case $TARGETARCH in amd64) X=one;; arm64) X=two;; esac; if [ $X = two ]; then a; fi',
            {"a": "arm64"},
            id="a value of an arm",
        ),
        pytest.param(
            'X=$(case $(uname -m) in x86_64) echo one;; *) echo two;; esac); [ $X = one ] && a',
            {"a": "amd64"},
            id="a case in a substitution",
        ),
        pytest.param('case "${TARGETARCH:-$(uname -m)}" in x86_64|amd64) a;; esac', {"a": "amd64"}, id="fallback"),
        pytest.param('case "${TARGETARCH}${TARGETVARIANT}" in armv7) a;; arm64) b;; esac', {"a": "arm", "b": "arm64"}, id="variant"),
        pytest.param('case "$(uname -s)-$(uname -m)" in Linux-x86_64) a;; esac', {"a": "amd64"}, id="composed"),
        pytest.param('case "$ARCH" in amd64) a;; arm64) b;; esac', {"a": "amd64", "b": "arm64"}, id="a variable from elsewhere"),
        pytest.param('case "$OS" in debian) a;; alpine) b;; esac', {"a": "-", "b": "-"}, id="not an architecture"),
        pytest.param('if [ -z "$TARGETARCH" ]; then a; fi', {"a": "-"}, id="empty or not"),
        pytest.param('if [ "$TARGETARCH" = "$X" ]; then a; fi', {"a": "-"}, id="against an unknown"),
        pytest.param(
            'if [ $TARGETARCH = amd64 ]; then if [ -f x ]; then exit 0; fi; a; fi; z',
            {"a": "amd64", "z": "-"},
            id="an exit that may not happen",
        ),
        pytest.param(
            'if [ "$(rpm -E %_arch)" = aarch64 ]; then a; fi; [ $(xx-info arch) = arm64 ] && b; [ "$(go env GOARCH)" = arm64 ] && c',
            {"a": "arm64", "b": "arm64", "c": "arm64"},
            id="rpm, xx and go",
        ),
        pytest.param('if [ "$TARGETARCH" = amd64 -a -f x ]; then a; else b; fi', {"a": "amd64", "b": "amd64 arm64 arm"}, id="and in a test"),
        pytest.param('if [ ! "$TARGETARCH" = amd64 ]; then a; else b; fi', {"a": "arm64 arm", "b": "amd64"}, id="not in a test"),
        pytest.param('if [ ! -f x ]; then a; fi', {"a": "-"}, id="not of something else"),
        pytest.param('if [[ ( "$TARGETARCH" = amd64 || "$TARGETARCH" = arm ) && -n x ]]; then a; fi', {"a": "amd64 arm"}, id="parentheses in a test"),
        pytest.param('if test "$TARGETARCH" =; then a; fi', {"a": "-"}, id="a test that lacks a word"),
        pytest.param('if test; then a; fi; if [ "$TARGETARCH" ]; then b; fi', {"a": "-", "b": "-"}, id="a test of nothing, and of one word"),
        pytest.param("if echo x | grep -q aarch64; then a; fi", {"a": "-"}, id="grep over something else"),
        pytest.param('if [ "$(python3 -c \'import platform; print(platform.machine())\')" = aarch64 ]; then a; fi', {"a": "arm64"}, id="Python"),
        pytest.param('if [ "$(node -p process.arch)" = arm64 ]; then a; fi', {"a": "arm64"}, id="node"),
        pytest.param('if [ "$(dpkg-architecture -q DEB_HOST_ARCH)" = arm64 ]; then a; fi', {"a": "arm64"}, id="dpkg-architecture"),
        pytest.param("(( 1 + 1 )) && a", {"a": "-"}, id="arithmetic"),
        pytest.param("{ a; } > x; if b; then c; fi | z > y", {"a": "-", "b": "-", "c": "-", "z": "-"}, id="redirects of groups"),
        pytest.param("if [ $TARGETARCH = arm64 ]; then a; fi > x 2>&1; z", {"a": "arm64", "z": "-"}, id="a redirect of an if"),
        pytest.param("f() { [ $TARGETARCH = arm64 ] && a; }; f; z", {"a": "arm64", "z": "-"}, id="a function"),
        pytest.param("! { [ $TARGETARCH = arm64 ]; } && a; z", {"a": "-", "z": "-"}, id="a negated group"),
        pytest.param("sh -c 'case $TARGETARCH in arm64) a;; esac'", {"a": "arm64"}, id="inside of sh -c"),
        pytest.param("if [ $TARGETARCH = arm64 ]; then sh -c 'a; b'; fi", {"a": "arm64", "b": "arm64"}, id="sh -c inside of an arm"),
    ],
)  # fmt: skip
def test_commands_know_their_architectures(text: str, expected: dict[str, str]) -> None:
    assert only(text) == expected


def test_assignments_know_their_architectures_too() -> None:
    found = script("case $TARGETARCH in amd64) X=1;; arm64) export X=2;; esac; X=3").assigns
    assert [assign.only_on for assign in found] == [frozenset({"amd64"}), frozenset({"arm64"}), None]


def test_a_dockerfile_variable_may_stand_for_an_automatic_one() -> None:
    text = 'if [ "$MY" = one ] || [ "$MY" = arm64 ]; then a; fi'
    assert only(text, MY="TARGETARCH") == {"a": "arm64"}


def test_a_loop_over_architectures_is_known() -> None:
    inside, outside = script("for i in amd64 arm64; do a $i; done; b").commands
    assert inside.over == {"amd64", "arm64"}
    assert outside.over == frozenset()
    assert script("for i in amd64 tools; do a $i; done").commands[0].over == frozenset()


def switch(text: str) -> ArchSwitch:
    (found,) = script(text).switches
    return found


def test_a_switch_tells_what_is_compared_with_what() -> None:
    text = 'case "$TARGETARCH" in amd64) a;; aarch64) b;; *) exit 1;; esac'
    found = switch(text)
    assert (found.selector, found.convention) == (Selector.TARGETARCH, Convention.DOCKER)
    assert found.subject.raw == '"$TARGETARCH"'
    assert [[test.text for test in arm.words] for arm in found.arms] == [["amd64"], ["aarch64"]]
    first, second = (arm.words[0] for arm in found.arms)
    assert first.arches == first.taken == {"amd64"}
    assert second.arches == {"arm64"}
    assert not second.taken
    assert second.span == Span(text.index("aarch64"), text.index("aarch64") + 7)
    assert found.default is not None
    assert found.default.span.of(text.encode()) == b"*) exit 1;;"


@pytest.mark.parametrize(
    ("text", "selector", "convention", "mismatches"),
    [
        pytest.param("case $(uname -m) in arm64) a;; esac", Selector.UNAME, Convention.UNAME, ["arm64"], id="uname"),
        pytest.param("case $(uname -m) in armv7l|armv6l|i386) a;; esac", Selector.UNAME, Convention.UNAME, [], id="32 bits"),
        pytest.param("case $TARGETPLATFORM in linux/arm64/v8) a;; esac", Selector.TARGETPLATFORM, Convention.DOCKER, ["linux/arm64/v8"], id="v8 is folded"),
        pytest.param("case $TARGETPLATFORM in amd64) a;; esac", Selector.TARGETPLATFORM, Convention.DOCKER, ["amd64"], id="no system"),
        pytest.param("case $(dpkg --print-architecture) in aarch64) a;; armhf|i386|ppc64el) b;; esac", Selector.DPKG, Convention.DPKG, ["aarch64"], id="dpkg"),
        pytest.param("case $(apk --print-arch) in x86_64|armhf|armv7|x86) a;; esac", Selector.APK, Convention.APK, [], id="apk"),
        pytest.param('A=$(uname -m | tr x y); [ "$A" = arm64 ] && a', Selector.UNAME, None, [], id="translated: any word"),
        pytest.param('case "${TARGETARCH:-$(uname -m)}" in x86_64) a;; esac', Selector.TARGETARCH, None, [], id="two vocabularies"),
        pytest.param('case "${TARGETARCH:-amd64}" in x86_64) a;; esac', Selector.TARGETARCH, Convention.DOCKER, ["x86_64"], id="constant fallback"),
        pytest.param('[ "$TARGETARCH" = x86_64 ] && a', Selector.TARGETARCH, Convention.DOCKER, ["x86_64"], id="test"),
    ],
)  # fmt: skip
def test_words_of_another_vocabulary_are_never_taken(
    text: str, selector: Selector, convention: Convention | None, mismatches: list[str]
) -> None:
    found = switch(text)
    assert (found.selector, found.convention) == (selector, convention)
    words = [test for arm in found.arms for test in arm.words]
    assert [test.text for test in words if test.arches and not test.taken] == mismatches


@pytest.mark.parametrize(
    ("text", "bodies", "default"),
    [
        pytest.param("[ $TARGETARCH = arm64 ] && a || b", ["a"], "b", id="and or"),
        pytest.param("[ $TARGETARCH = arm64 ] || exit 0", [None], "exit 0", id="or"),
        pytest.param("if [ $TARGETARCH = arm64 ]; then a; else b; c; fi", ["a"], "b; c", id="if"),
        pytest.param("if [ $TARGETARCH = arm64 ]; then a; fi", ["a"], None, id="no default"),
    ],
)
def test_a_switch_has_its_bodies(text: str, bodies: list[str | None], default: str | None) -> None:
    found = switch(text)
    source = text.encode()
    assert [arm.body.span.of(source).decode() if arm.body else None for arm in found.arms] == bodies
    body = found.default.body if found.default else None
    assert (body.span.of(source).decode() if body else None) == default


def test_the_condition_of_an_if_is_no_switch_of_its_own() -> None:
    assert len(script("if [ $TARGETARCH = a64 ] && [ $TARGETARCH = arm64 ]; then a; fi").switches) == 1


@pytest.mark.parametrize(("arms", "expected"), [(200, "arm64"), (400, "-")], ids=["followed", "too many"])
def test_a_variable_of_very_many_values_is_not_followed(arms: int, expected: str) -> None:
    many = "; ".join(f"case $TARGETARCH in arm64) X=v{number};; esac" for number in range(arms))
    text = f"{many}; if [ $X = v7 ]; then a; fi"
    assert only(text) == {"a": expected}
    assert only(text + "; X=$TARGETARCH; if [ $X = arm64 ]; then b; fi") == {"a": expected, "b": "arm64"}


@pytest.mark.parametrize(
    ("text", "arches"),
    [
        pytest.param('case $TARGETARCH in amd64|"") a;; arm64) b;; esac', [{"amd64"}, {"arm64"}], id="beside"),
        pytest.param("case $TARGETARCH in '') a;; amd64) b;; arm64) c;; esac", [set(), {"amd64"}, {"arm64"}], id="first"),
    ],
)  # fmt: skip
def test_the_empty_pattern_is_no_default(text: str, arches: list[set[str]]) -> None:
    found = switch(text)
    assert found.default is None
    assert [set(arm.arches) for arm in found.arms] == arches
