"""Edits of whole instructions: an argument is declared once for all fixes of a stage, ADD follows the architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.checking import Settings
from archpatch.engine import check, fix
from archpatch.facts import Facts
from archpatch.registry import load
from archpatch.rewrite import arch_case_in
from archpatch.syntax.parse import parse
from archpatch.text import Applicability, apply

CACHE = "RUN --mount=type=cache,target=/app/target cargo build\n"
FLAGS = "RUN gcc -mavx a.c\n"
MIRROR = "RUN echo 'deb http://archive.ubuntu.com/ubuntu jammy main' > /etc/apt/sources.list\n"
URL = "RUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl\n"


def mended(text: str) -> str:
    """The text once all fixes of all rules are in."""
    outcome = fix(parse(text.encode()), load(), Settings(), None, Applicability.UNSAFE)
    assert not outcome.demoted
    return outcome.source.decode()


@pytest.mark.parametrize(
    "steps",
    [(CACHE, CACHE), (FLAGS, FLAGS), (MIRROR, "RUN true\n", MIRROR), (FLAGS, URL, CACHE), (URL, FLAGS)],
    ids=["two caches", "two sets of flags", "two mirrors", "three kinds", "a word of an architecture first"],
)
def test_fixes_of_one_stage_declare_an_argument_once(steps: tuple[str, ...]) -> None:
    after = mended("FROM ubuntu:22.04\nRUN true\n" + "".join(steps))
    assert after.count("ARG TARGETARCH\n") == 1
    assert after.startswith("FROM ubuntu:22.04\nRUN true\nARG TARGETARCH\n")


def test_each_stage_has_a_declaration_of_its_own() -> None:
    after = mended(f"FROM ubuntu:22.04 AS a\n{FLAGS}FROM ubuntu:22.04\nCOPY --from=a /x /x\n{FLAGS}")
    assert after.count("ARG TARGETARCH\n") == 2


@pytest.mark.parametrize(
    ("below", "left"),
    [
        ("ARG TARGETARCH\n", ""),
        ("RUN true\n\nARG TARGETARCH\n\nRUN false\n", "RUN true\n\nRUN false\n"),
        ("ARG TARGETOS TARGETARCH\n", "ARG TARGETOS\n"),
        ("ARG TARGETARCH TARGETOS\n", "ARG TARGETOS\n"),
        ("# why\nARG TARGETARCH\n", "# why\nARG TARGETARCH\n"),
        ("ARG TARGETARCH=amd64\nRUN true\n", "ARG TARGETARCH\nRUN true\n"),
        ("ENV TARGETARCH=x\nARG TARGETARCH\n", "ENV TARGETARCH=x\nARG TARGETARCH\n"),
        ("ARG \\\n  TARGETARCH\n", "ARG \\\n  TARGETARCH\n"),
        ("FROM ubuntu:22.04\nARG TARGETARCH\n", "FROM ubuntu:22.04\nARG TARGETARCH\n"),
    ],
)
def test_a_declaration_below_is_moved_where_that_changes_nothing_else(below: str, left: str) -> None:
    after = mended(f"FROM ubuntu:22.04\n{URL}{below}")
    head = "FROM ubuntu:22.04\nARG TARGETARCH\nRUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl\n"
    assert after == head + left


GOSU = "https://github.com/tianon/gosu/releases/download/1.17/gosu-"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"ADD {GOSU}amd64 /bin/gosu-amd64\nRUN chmod 755 /bin/gosu-amd64\n",
            f"ARG TARGETARCH\nADD {GOSU}${{TARGETARCH}} /bin/gosu-${{TARGETARCH}}\nRUN chmod 755 /bin/gosu-${{TARGETARCH}}\n",
            id="its own name",
        ),
        pytest.param(
            f"ADD {GOSU}amd64 /bin/gosu\nRUN chmod 755 /bin/gosu\n",
            f"ARG TARGETARCH\nADD {GOSU}${{TARGETARCH}} /bin/gosu\nRUN chmod 755 /bin/gosu\n",
            id="another name",
        ),
        pytest.param(
            f'ADD {GOSU}amd64 "/bin/gosu-amd64"\nRUN chmod 755 /bin/gosu-amd64\n',
            f'ARG TARGETARCH\nADD {GOSU}${{TARGETARCH}} "/bin/gosu-${{TARGETARCH}}"\nRUN chmod 755 /bin/gosu-${{TARGETARCH}}\n',
            id="in quotes",
        ),
        pytest.param(
            f'ADD {GOSU}amd64 /bin/gosu-amd64\nENTRYPOINT ["/bin/gosu-amd64"]\n',
            None,
            id="a start that names it",
        ),
    ],
)
def test_the_place_that_add_gives_a_file_follows_its_name(before: str, after: str | None) -> None:
    head = "FROM ubuntu:22.04\n"
    assert mended(head + before) == head + (before if after is None else after)


S6 = "https://github.com/just-containers/s6-overlay/releases/download/v"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"ADD {S6}3.1.6.2/s6-overlay-x86_64.tar.xz /tmp\nRUN tar -C / -Jxpf /tmp/s6-overlay-x86_64.tar.xz\n",
            "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            f"ADD {S6}3.1.6.2/s6-overlay-${{TARGET_ARCH}}.tar.xz /tmp/s6-overlay.tar.xz\n"
            "RUN tar -C / -Jxpf /tmp/s6-overlay.tar.xz\n",
            id="the kernel's names",
        ),
        pytest.param(
            f'ADD {S6}2.2.0.3/s6-overlay-amd64-installer /opt/\nENTRYPOINT ["/opt/s6-overlay-amd64-installer"]\n',
            f"ARG TARGETARCH\nADD {S6}2.2.0.3/s6-overlay-${{TARGETARCH/arm64/aarch64}}-installer /opt/s6-overlay-installer\n"
            'ENTRYPOINT ["/opt/s6-overlay-installer"]\n',
            id="of two vocabularies, called by its name",
        ),
        pytest.param(
            f"ADD {S6}3.1.6.2/s6-overlay-x86_64.tar.xz /tmp\nRUN tar xf /tmp/s6-overlay-$(uname -m).tar.xz\n",
            None,
            id="nobody says that this is a folder",
        ),
        pytest.param(
            f"ADD {S6}3.1.6.2/s6-overlay-x86_64.tar.xz /tmp/\n# s6-overlay-x86_64.tar.xz\nRUN tar xf /tmp/s6-overlay-x86_64.tar.xz\n",
            None,
            id="a mention that is no word",
        ),
        pytest.param(
            f"ADD {S6}3.1.6.2/s6-overlay-x86_64.tar.xz /tmp/\nRUN tar xf /tmp/s6-overlay-x86_64.tar.xz -C /s6-overlay.tar.xz\n",
            None,
            id="the plain name is taken",
        ),
    ],
)
def test_a_file_that_add_puts_into_a_folder_loses_the_architecture_of_its_name(
    before: str, after: str | None
) -> None:
    head = "FROM ubuntu:22.04\n"
    assert mended(head + before) == head + (before if after is None else after)


@pytest.mark.parametrize(
    "line",
    [
        'RUN add-apt-repository "deb http://archive.ubuntu.com/ubuntu jammy {}"\n',
        "RUN --mount=type=cache,target=/app/target cargo build --bin {}\n",
        "RUN gcc -mavx {}.c\n",
    ],
)
def test_fixes_of_several_steps_by_one_rule_ask_for_one_argument(line: str) -> None:
    text = "FROM ubuntu:22.04\n# what for\n" + line.format("universe") + line.format("multiverse")
    findings = check(parse(text.encode(), Path("Dockerfile")), load(), Settings(), None).findings
    fixes = [one.fix for one in findings if one.fix is not None]
    places = {edit.span for fix in fixes for edit in fix.edits if edit.text.startswith(b"ARG ")}
    assert len(fixes) == 2
    assert len(places) == 1


def test_a_choice_for_one_place_is_all_or_nothing() -> None:
    document = parse(b'FROM a\nRUN build --arch=x64 $OTHER\nRUN ["build", "--arch=x64"]\n')
    facts = Facts(document)
    words = {"amd64": "x64", "arm64": "arm64"}
    first, exec_form = facts.commands()
    option, variable = first.shell.arguments
    place = option.find("x64")
    assert place is not None
    edits = arch_case_in(document, facts, first.run, option, place, words)
    assert edits is not None
    assert b"--arch=${_arch}" in apply(document.source, edits)
    assert arch_case_in(document, facts, first.run, variable, variable.span, words) is None
    assert arch_case_in(document, facts, exec_form.run, exec_form.shell.arguments[0], place, words) is None
