"""Why an architecture that is written out may be right: N1 to N10."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.facts import Facts, MemoryContext
from archpatch.facts.suppressors import (
    Suppressor,
    is_build_tool,
    outputs_run_anywhere,
    runs_anywhere,
    why_download_is_fine,
    why_fine,
)
from archpatch.syntax.parse import parse
from archpatch.text import Span


def why(text: str, name: str = "Dockerfile", files: dict[str, str] | None = None) -> Suppressor | None:
    """Why the word between the first two `@` is fine."""
    start = text.index("@")
    end = text.index("@", start + 1) - 1
    source = text.replace("@", "")
    context = MemoryContext({name: source, **(files or {})})
    facts = Facts(parse(source.encode(), Path(name)), context=context)
    span = Span(len(source[:start].encode()), len(source[:end].encode()))
    holder = next(one for stage in facts.stages for one in stage.stage.instructions if span in one.span)
    return why_fine(facts, holder, span)


GUARDED, FALLBACK, TRANSLATION = (
    Suppressor.GUARDED_BY_SELECTOR,
    Suppressor.FALLBACK_OF_AUTOMATIC,
    Suppressor.TRANSLATION,
)
TINI = "https://github.com/krallin/tini/releases/download/v0.19.0"
ENUMERATES, NOT_ARCH, FAMILY = (
    Suppressor.ENUMERATES_ARCHES,
    Suppressor.NOT_AN_ARCH,
    Suppressor.PER_ARCH_FAMILY,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM debian\nRUN make @amd64@\n", None),
        ("FROM debian\nCOPY bin/@amd64@/x /x\n", None),
        # Android's: programs for the machine that builds, or files for telephones
        ("FROM debian\nENV NDK=android-ndk-r13b-linux-@x86_64@\n", None),
        ("FROM debian\nCOPY android/lib/@x86_64@/x.so /x.so\n", NOT_ARCH),
        # N1
        ('FROM debian\nARG TARGETARCH\nRUN case "$TARGETARCH" in amd64) make @x86_64@ ;; esac\n', GUARDED),
        ('FROM debian\nRUN if [ "$(uname -m)" = x86_64 ]; then make @amd64@; fi\n', GUARDED),
        ('FROM debian\nRUN [ "$(uname -m)" = @x86_64@ ] && make\n', GUARDED),
        ('FROM debian\nRUN case "$(dpkg --print-architecture)" in @amd64@) A=x ;; esac; make $A\n', GUARDED),
        ('FROM debian\nRUN case "$(uname -m)" in x86_64) A=@amd64@ ;; aarch64) A=arm64 ;; esac\n', GUARDED),
        ('FROM debian\nRUN [ "$DEBUG" = yes ] && make @amd64@\n', None),
        (
            "FROM debian\nARG TARGETARCH BUILDARCH\n"
            'RUN if [ "$TARGETARCH" = "${BUILDARCH}" ]; then make; else make @arm64@; fi\n',
            GUARDED,
        ),
        (
            'FROM debian\nARG BUILDARCH\nRUN if [ "$BUILDARCH" = "$X" ]; then make; else make @arm64@; fi\n',
            None,
        ),
        (
            "FROM debian\nARG TARGETARCH BUILDARCH\n"
            'RUN [ "$TARGETARCH" = "$BUILDARCH" ] || make @arm64@; make install\n',
            GUARDED,
        ),
        (
            "FROM debian\nARG TARGETARCH BUILDARCH\n"
            'RUN echo "on $BUILDARCH for $TARGETARCH" && make @amd64@\n',
            None,
        ),
        # N2
        ("FROM debian\nARG TARGETARCH\nRUN make ${TARGETARCH:-@amd64@}\n", FALLBACK),
        ("FROM debian\nRUN make ${TARGETARCH:-@amd64@}\n", None),
        ("FROM debian\nARG TARGETARCH\nENV A=${TARGETARCH:-@amd64@}\n", FALLBACK),
        ("FROM debian\nENV A=${TARGETARCH:-@amd64@}\n", None),
        ("FROM debian\nARG ARCH\nRUN make ${ARCH:-@amd64@}\n", None),
        # N3
        ("FROM debian\nRUN make $(uname -m | sed 's/@x86_64@/amd64/')\n", TRANSLATION),
        ("FROM debian\nARG TARGETARCH\nRUN make ${TARGETARCH/@amd64@/x64}\n", TRANSLATION),
        ("FROM debian\nRUN grep -E '@amd64@' list\n", TRANSLATION),
        # N4
        ("FROM debian\nRUN for a in amd64 arm64; do make @amd64@; done\n", ENUMERATES),
        ("FROM debian\nRUN build --platform linux/@amd64@,linux/arm64\n", ENUMERATES),
        ("FROM debian\nRUN build @amd64@ i386\n", None),
        # N5
        ("FROM debian\nLABEL arch=@amd64@\n", NOT_ARCH),
        ("FROM debian\nRUN echo built for @amd64@\n", NOT_ARCH),
        ("FROM debian\nRUN echo 'deb [arch=@amd64@] x y z' > /etc/apt/sources.list.d/x.list\n", None),
        ("FROM debian\nRUN echo 'deb [arch=@amd64@] x y z' | tee /etc/apt/sources.list.d/x.list\n", None),
        ("FROM debian\nRUN make tool-windows-@amd64@.exe\n", NOT_ARCH),
        ("FROM debian\nCOPY tool-darwin-@amd64@ /x\n", NOT_ARCH),
        # N6
        ("FROM debian AS b-amd64\nRUN make @amd64@\nFROM debian AS b-arm64\nFROM b-${TARGETARCH}\n", FAMILY),
        ("FROM debian AS b-amd64\nRUN make @amd64@\nFROM debian\n", None),
        # N7
        (
            "FROM --platform=linux/amd64 debian AS tool-amd64\nRUN make @amd64@\nFROM debian\nCOPY --from=tool-amd64 /x /x\n",
            Suppressor.DELIBERATE,
        ),
        (
            "FROM --platform=linux/amd64 debian AS tool\nRUN make @amd64@\nFROM debian\nCOPY --from=tool /x /x\n",
            None,
        ),
        # N8
        (
            "FROM --platform=linux/amd64 node AS web\nRUN make @amd64@\nFROM debian\nCOPY --from=web /app/dist /www\n",
            Suppressor.ARCH_INDEPENDENT_OUTPUT,
        ),
        # N9
        ("FROM debian\nARG ARCH\nCOPY bin/@$ARCH@ /x\n", Suppressor.USER_ARG),
    ],
)
def test_what_speaks_for_a_literal_architecture(text: str, reason: Suppressor | None) -> None:
    assert why(text) is reason


def test_a_stage_that_only_amd64_reaches_may_say_so() -> None:
    text = (
        "FROM debian AS tools\nRUN make @amd64@\n"
        "FROM debian AS b-amd64\nCOPY --from=tools /x /x\nFROM debian AS b-arm64\nFROM b-${TARGETARCH}\n"
    )
    assert why(text) is Suppressor.UNREACHABLE


def test_a_stage_on_windows_is_of_no_architecture_of_linux() -> None:
    text = "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nADD setup-@x64@.msi C:/setup.msi\n"
    assert why(text) is Suppressor.NOT_AN_ARCH


def test_a_file_of_a_family_may_name_its_architecture() -> None:
    text = "FROM debian\nRUN make @amd64@\n"
    assert why(text, "Dockerfile.amd64", {"Dockerfile.arm64": "FROM debian\n"}) is FAMILY
    assert why(text, "Dockerfile.amd64") is None


@pytest.mark.parametrize(
    ("path", "neutral"),
    [
        ("/app/dist", True),
        ("/app/dist/", True),
        ("/app/app.jar", True),
        ("/src/index.html", True),
        ("/app/x_pb2.py", True),
        ("/usr/local/bin", False),
        ("/go/bin/tool", False),
        ("/app/lib.so", False),
        ("/", False),
        ("/app/node_modules", False),
    ],
)
def test_the_name_of_a_path_tells_whether_it_runs_anywhere(path: str, neutral: bool) -> None:
    assert runs_anywhere(path) is neutral


@pytest.mark.parametrize(
    ("rest", "anywhere"),
    [
        ("FROM debian\nCOPY --from=web /app/dist /www\n", True),
        ("FROM debian\nCOPY --from=web /app/dist /app/server /www/\n", False),
        ("FROM web\n", False),
        ("FROM debian\n", False),
        ("", False),
    ],
)
def test_a_stage_runs_anywhere_when_all_that_is_taken_does(rest: str, anywhere: bool) -> None:
    facts = Facts(parse(f"FROM --platform=$BUILDPLATFORM node AS web\nRUN make\n{rest}".encode()))
    assert outputs_run_anywhere(facts.stages[0]) is anywhere


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("RUN curl -fLO https://example.com/x-amd64", None),
        ("RUN curl -fLO https://example.com/x-amd64 && curl -fLO https://example.com/x-arm64", ENUMERATES),
        ("RUN curl -fLO https://example.com/x-amd64\nRUN curl -fLO https://example.com/x-arm64", ENUMERATES),
        ("RUN curl -fLO https://example.com/x-amd64 && curl -fLO https://example.com/y-arm64", None),
        ('RUN [ "$(uname -m)" = x86_64 ] && curl -fLO https://example.com/x-amd64', GUARDED),
        (f"ADD {TINI}/tini /a/tini\nADD {TINI}/tini-arm64 /a/", ENUMERATES),
        (f"ADD {TINI}/tini /a/tini\nADD {TINI}/tini.asc /a/", None),
        (f"ADD {TINI}/tini /a/tini\nFROM debian\nADD {TINI}/tini-arm64 /a/", None),
    ],
)
def test_what_speaks_for_a_download(body: str, reason: Suppressor | None) -> None:
    facts = Facts(parse(f"FROM debian\n{body}\n".encode()))
    assert why_download_is_fine(facts, facts.downloads[0]) is reason


def test_a_tool_that_a_build_stage_runs_is_a_build_tool() -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM debian AS b\nRUN curl -fLo /bin/x https://example.com/x-amd64 && x make\n"
        "FROM debian\nCOPY --from=b /out /out\n"
    )
    (download,) = Facts(parse(text.encode())).downloads
    assert is_build_tool(download)


def test_every_reason_has_a_sentence_of_its_own() -> None:
    sentences = [reason.value for reason in Suppressor]
    assert len(set(sentences)) == len(sentences) == 12
    assert all(" " in sentence and not sentence.endswith(".") for sentence in sentences)
