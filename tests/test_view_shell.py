"""The amd64 view against a real shell: where it claims to know what runs, the shell runs that."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Hashable, Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archpatch.facts import Facts
from archpatch.platforms import AMD64
from archpatch.syntax.parse import parse
from archpatch.view import view
from archpatch.view.stages import Body
from archpatch.view.values import Command, Node
from tests.conftest import examples

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64", reason="asks the shell of an amd64 Linux"
)

# The command `x` shows how many arguments it got, and which.
SHOW = 'x() { printf "%s\\037" "$#" "$@"; printf "\\036"; }\n'


def by_the_shell(script: str) -> list[list[str]]:
    ran = subprocess.run(
        ["sh", "-c", SHOW + script],
        env={"PATH": "/usr/bin:/bin", "TARGETARCH": "amd64", "TARGETPLATFORM": "linux/amd64"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert not ran.stderr, ran.stderr
    return [record.split("\037")[1:-1] for record in ran.stdout.split("\036")[:-1]]


def by_the_view(script: str) -> list[list[str]] | None:
    """None where something stays symbolic."""
    text = f"FROM debian\nARG TARGETARCH TARGETPLATFORM\nRUN <<END\n{script}\nEND\n"
    document = parse(text.encode())
    assert not document.problems
    (step,) = view(Facts(document, targets=(AMD64,))).stages[0].steps
    assert isinstance(step, Node)
    try:
        body = step.parts[2]
        assert isinstance(body, Body)
        return list(_calls(body.steps))
    except Undecided:
        return None


class Undecided(Exception):
    """Something in a view is a symbol."""


def _calls(steps: Hashable) -> Iterator[list[str]]:
    assert isinstance(steps, tuple)
    for step in steps:
        if isinstance(step, Command):
            words = [word.constant for word in step.words]
            if None in words:
                raise Undecided
            yield [word for word in words[1:] if word is not None]
        elif isinstance(step, Node) and step.kind in ("export", "assign"):
            continue
        elif isinstance(step, Node) and step.kind == "steps":
            yield from _calls(step.parts)
        elif isinstance(step, Node) and step.kind == "subshell":
            yield from _calls(step.parts[0])
        elif step != "fails":
            raise Undecided


@pytest.mark.parametrize(
    "script",
    [
        "x a 'b c' \"d e\" f\\ g",
        "A='b c'; x $A \"$A\" $A$A \"$A\"'$A'",
        'A=; x $A "$A" \'\' ""',
        "A='  b  c  '; x $A- -$A \"$A\"",
        'case "$TARGETARCH" in amd64|x86_64) A=x64 ;; arm64) A=arm ;; *) exit 1 ;; esac; x "t-$A.tgz"',
        "case $(uname -m) in x86_64) x 1;; *) x 2;; esac",
        "A=$(uname -m); x ${A%_64} ${A#x86} ${A%%6*} ${A##*_}",
        'A=a.b.c B=; x ${A%.*} ${A%%.*} ${A#*.} ${A##*.} ${A:-d} ${A:+d} "${B:-e f}"',
        'A=$(echo amd64 | sed "s/amd64/x64/"); x $A',
        "A=$(uname -m | sed -e 's/x86_64/amd64/' -e 's/aarch64/arm64/'); x $A",
        "A=`uname -m`; x `echo $A`",
        'if [ "$TARGETARCH" = arm64 ]; then x 1; elif [ -n "$TARGETARCH" ]; then x 2; else x 3; fi',
        '[ "$TARGETARCH" = amd64 ] && A=1 || A=2; x $A',
        '[ "$TARGETARCH" != amd64 ] && x 1; x 2',
        '! [ "$TARGETARCH" = amd64 ] || x 1',
        'test -z "$TARGETARCH" || { x 1; x 2; }',
        "A=1; (A=2; x $A); x $A",
        "A=1; { A=2; x $A; }; x $A",
        "A=1; A=$A$A; x $A",
        'A=*; x "$A"',
        "case a*b in a\\*b) x 1;; *) x 2;; esac; case axb in 'a*b') x 3;; a*b) x 4;; esac",
        "case abc in [a-c]bc) x 1;; esac; case - in [!a]) x 2;; esac; case ab in a?) x 3;; esac",
        'x "${TARGETPLATFORM#*/}" "${TARGETPLATFORM%/*}"',
        "export A=1; x $A; A=2; x $A",
        "x $(printf %s a; echo b)",
        "false || true && x 1",
        "A=1 B=2\nx $A $B",
        "A=1 B=$(uname -m)\n\n# a remark\n  C=3 D='4'\nexport E=5\nx $A $B $C $D $E",
        "true && A=1 B=2\nx $A; A=3 B=4 \\\n  x $A",
    ],
)
def test_the_shell_runs_what_the_view_says(script: str) -> None:
    seen = by_the_view(script)
    assert seen is not None
    assert seen == by_the_shell(script)


names = st.sampled_from(["A", "B", "TARGETARCH"])
texts = st.sampled_from(["amd64", "arm64", "x64", "a b", "", "x86_64", "linux/amd64", "*"])
words = st.one_of(
    st.sampled_from(["amd64", "x64", "arm64", "$(uname -m)", "`uname -m`", "''", "a\\ b"]),
    texts.map(lambda text: f"'{text}'"),
    names.map(lambda name: f"${name}"),
    names.map(lambda name: f'"${{{name}}}-t"'),
    st.tuples(names, st.sampled_from([":-y", "-y", ":+z", "+z", "#a", "##*6", "%4", "%%6*", "%_*"])).map(
        lambda pair: f'"${{{pair[0]}{pair[1]}}}"'
    ),
)
tests = st.one_of(
    st.tuples(words, st.sampled_from(["=", "!="]), words).map(
        lambda parts: '[ "{}" {} "{}" ]'.format(*parts)
    ),
    st.tuples(names, st.sampled_from(["-n", "-z"])).map(lambda pair: f'[ {pair[1]} "${pair[0]}" ]'),
).map(lambda test: test.replace('""', '"').replace("\"'", "'").replace("'\"", "'"))


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    patterns = st.sampled_from(["amd64", "arm*", "x86_64|x64", "*4", "''", '"a b"', "*"])
    return st.one_of(
        st.tuples(inner, inner).map("; ".join),
        st.tuples(tests, inner, inner).map(lambda parts: "if {}; then {}; else {}; fi".format(*parts)),
        st.tuples(words, patterns, inner, patterns, inner).map(
            lambda parts: "case {} in {}) {};; {}) {};; esac".format(*parts)
        ),
        st.tuples(tests, inner).map(lambda parts: "{} && {{ {}; }}".format(*parts)),
        st.tuples(tests, inner).map(lambda parts: "{} || {{ {}; }}".format(*parts)),
        inner.map(lambda text: f"( {text} )"),
    )


scripts = st.recursive(
    st.one_of(
        st.lists(words, max_size=3).map(lambda parts: " ".join(["x", *parts])),
        st.tuples(names, words).map("=".join),
        st.tuples(names, words).map(lambda pair: f"export {pair[0]}={pair[1]}"),
    ),
    compound,
    max_leaves=8,
)


@settings(max_examples=examples(60, 1000), suppress_health_check=list(HealthCheck))
@given(st.lists(scripts, min_size=1, max_size=4))
def test_the_shell_runs_what_the_view_says_of_random_scripts(lines: list[str]) -> None:
    script = "\n".join(["A=x64", "B='a b'", *lines])
    seen = by_the_view(script)
    assume(seen is not None)
    assert seen == by_the_shell(script)
