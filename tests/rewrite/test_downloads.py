"""Fixes of downloads: what is written in the URL, and where a fix is withheld."""

from __future__ import annotations

import pytest

from archpatch.engine import Settings, fix
from archpatch.platforms import AMD64, Platform
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability
from tests.rewrite.mending import HELM, NODE, codes, fixed

PATHS = tuple(rule for rule in load() if rule.code.startswith("AP7"))


@pytest.mark.parametrize(
    "body",
    [
        f'RUN ["wget", "{HELM}"]',
        f"RUN sh -c 'wget {NODE}'",
        f"RUN sudo -u app sh -c 'wget {HELM}'",
        f"RUN su - app -c 'wget {HELM}'",
        f"RUN sh -c \"wget '{HELM}'\"",
        f"RUN wget {NODE} && sh -c 'tar xf node-v20.1.0-linux-x64.tar.xz'",
        f"RUN wget {HELM} && tar xf helm-v3.9.1-linux-am'd64'.tar.gz",
        f'RUN wget {NODE}\nCMD ["/node-v20.1.0-linux-x64/bin/node"]',
        f'RUN wget {NODE}\nRUN ["tar", "xf", "node-v20.1.0-linux-x64.tar.xz"]',
        f'RUN wget {HELM} && tar xf *.gz\nENTRYPOINT ["/linux-amd64/helm"]',
        f"ARG D=x/linux-amd64\nRUN wget {HELM} && tar xf *.gz && mv $D/helm /bin",
        "ADD https://github.com/krallin/tini/releases/download/v0.19.0/tini /bin/",
        "ARG T\nADD https://github.com/krallin/tini/releases/download/v${T#v}/tini$T /tini",
        f"ENV URL={NODE}\nRUN wget $URL && tar xf node-v20.1.0-linux-x64.tar.xz",
    ],
)
def test_a_fix_that_might_not_do_is_withheld(body: str) -> None:
    text = f"FROM debian\n{body}\n"
    assert fixed(text) == text


def test_the_word_of_the_arm_that_is_wrong_is_mended_for_a_file_and_its_checksum() -> None:
    url = "https://github.com/just-containers/s6-overlay/releases/download/v2.2.0.3/s6-overlay-$A.tar.gz"
    arms = 'RUN case "$(uname -m)" in x86_64) A=amd64 ;; aarch64) A=%s ;; esac; '
    text = f"FROM debian\n{arms}wget {url} && wget {url}.sha256 && sha256sum -c *.sha256\n"
    assert fixed(text % "arm") == text % "aarch64"


def test_the_word_of_an_arm_is_no_place_for_a_choice() -> None:
    url = "https://github.com/just-containers/s6-overlay/releases/download/v2.2.0.3/s6-overlay"
    body = 'case "$(uname -m)" in x86_64) A=amd64 ;; aarch64) A=arm ;; esac; '
    text = f"FROM debian\nRUN {body}wget {url}-$A.tar.gz && wget {url}-nobin-$A.tar.gz\n"
    assert "_arch" not in fixed(text)


@pytest.mark.parametrize("body", [f'RUN ["wget", "{HELM}"]', f"RUN sudo -u app sh -c 'wget {HELM}'"])
def test_a_download_without_a_fix_is_found_all_the_same(body: str) -> None:
    assert "AP401" in codes(f"FROM debian\n{body}\n")


@pytest.mark.parametrize("quote", ["'", '"'])
def test_another_shell_sees_the_argument_in_its_environment(quote: str) -> None:
    text = f"FROM debian\nRUN bash -c {quote}wget {HELM}{quote}\n"
    expected = "FROM debian\nARG TARGETARCH\nRUN bash -c " + quote
    expected += "wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz" + quote + "\n"
    assert fixed(text) == expected


def test_stages_named_by_number_keep_add_as_it_is() -> None:
    text = (
        "FROM debian\n"
        "ADD https://github.com/just-containers/s6-overlay/releases/download/v2.2.0.3/s6-overlay-amd64.tar.gz /s6.tgz\n"
        "FROM debian\nCOPY --from=0 /s6.tgz /s6.tgz\n"
    )
    assert fixed(text) == text
    assert codes(text) == ["AP401"]


def test_a_tool_of_the_build_stage_follows_the_builder() -> None:
    before = (
        f"FROM --platform=$BUILDPLATFORM debian AS b\nRUN wget -O /bin/x {NODE} && x\n"
        "FROM debian\nCOPY --from=b /out /out\n"
    )
    after = fixed(before)
    assert "ARG BUILDARCH\n" in after
    assert 'case "$BUILDARCH" in' in after
    assert "uname" not in after
    assert "  arm64) _arch=arm64 ;;" in after


def test_a_pinned_stage_downloads_what_fits_it() -> None:
    text = f"FROM --platform=linux/amd64 debian\nRUN wget {HELM}\n"
    assert codes(text) == []


def test_the_variant_of_arm_has_a_name_of_its_own() -> None:
    settings = Settings(targets=(AMD64, Platform("linux", "arm", "v7")))
    after = fixed(f"FROM debian\nRUN wget {NODE}\n", settings=settings)
    assert "      arm|armv7l) _arch=armv7l ;; \\\n" in after


def test_a_platform_that_the_publisher_does_not_serve_is_named() -> None:
    settings = Settings(targets=(AMD64, Platform("linux", "ppc64le")))
    url = "https://github.com/aptible/supercronic/releases/download/v0.2.1/supercronic-linux-amd64"
    assert codes(f"FROM debian\nRUN wget {url}\n", settings) == ["AP405"]
    assert fixed(f"FROM debian\nRUN wget {HELM}\n", Applicability.SAFE, settings).count("${TARGETARCH}") == 1


def test_a_platform_of_which_the_table_says_nothing_makes_the_fix_unsafe() -> None:
    settings = Settings(targets=(AMD64, Platform("linux", "ppc64le")))
    text = "FROM debian\nRUN wget https://github.com/wagoodman/dive/releases/download/v0.12.0/dive_0.12.0_linux_amd64.tar.gz\n"
    assert codes(text, settings) == ["AP401"]
    assert fixed(text, Applicability.SAFE, settings) == text
    assert "${TARGETARCH}" in fixed(text, settings=settings)


def test_only_amd64_wants_nothing_else() -> None:
    assert codes(f"FROM debian\nRUN wget {HELM}\n", Settings(targets=(AMD64,))) == []


@pytest.mark.parametrize(
    ("run", "mended"),
    [
        pytest.param("cp /lib/x86_64-linux-gnu/a /b", 'cp "/lib/$(uname -m)-linux-gnu/a" /b', id="bare"),
        pytest.param(
            "./configure --libdir=/lib/x86_64-linux-gnu",
            './configure --libdir="/lib/$(uname -m)-linux-gnu"',
            id="the value of an option",
        ),
        pytest.param(
            "ROOT=/r && cp $ROOT/lib/x86_64-linux-gnu/a /b",
            'ROOT=/r && cp "$ROOT/lib/$(uname -m)-linux-gnu/a" /b',
            id="a folder in a variable",
        ),
        pytest.param(
            "cp $TOOL-x /lib/x86_64-linux-gnu/*.so /b",
            'cp $TOOL-x /lib/"$(uname -m)"-linux-gnu/*.so /b',
            id="a glob",
        ),
        pytest.param(
            "LIST=a && cp $LIST,/lib/x86_64-linux-gnu/a /b",
            'LIST=a && cp $LIST,/lib/"$(uname -m)"-linux-gnu/a /b',
            id="a variable that may hold several words",
        ),
        pytest.param(
            "for f in a b; do cp /lib/x86_64-linux-gnu/$f /b; done",
            'for f in a b; do cp /lib/"$(uname -m)"-linux-gnu/$f /b; done',
            id="a variable of a loop",
        ),
        pytest.param(
            "cp ~/lib/x86_64-linux-gnu/a /b", 'cp ~/lib/"$(uname -m)"-linux-gnu/a /b', id="the home folder"
        ),
        pytest.param(
            "cp /lib/x86_64-linux-gnu/a:/usr/lib/x86_64-linux-gnu/a /b",
            'cp "/lib/$(uname -m)-linux-gnu/a:/usr/lib/$(uname -m)-linux-gnu/a" /b',
            id="two places outside of quotes",
        ),
        pytest.param(
            "cp '/lib/x86_64-linux-gnu/\"a\"' /b",
            'cp "/lib/$(uname -m)-linux-gnu/\\"a\\"" /b',
            id="quotes within single ones",
        ),
        pytest.param('cp "/lib/x86_64-linux-gnu/a" /b', 'cp "/lib/$(uname -m)-linux-gnu/a" /b', id="double"),
        pytest.param("cp '/lib/x86_64-linux-gnu/a' /b", 'cp "/lib/$(uname -m)-linux-gnu/a" /b', id="single"),
        pytest.param(
            "cp '/lib/x86_64-linux-gnu/$a' /b",
            "cp '/lib/'\"$(uname -m)\"'-linux-gnu/$a' /b",
            id="what double quotes would change",
        ),
        pytest.param(
            "cp '/lib/x86_64-linux-gnu/a/lib/x86_64-linux-gnu/b' /b",
            "cp '/lib/'\"$(uname -m)\"'-linux-gnu/a/lib/'\"$(uname -m)\"'-linux-gnu/b' /b",
            id="two places of one word",
        ),
        pytest.param(
            'sh -c "cp /lib/x86_64-linux-gnu/a /b"', 'sh -c "cp /lib/$(uname -m)-linux-gnu/a /b"', id="sh -c"
        ),
        pytest.param(
            'echo "`cat /lib/x86_64-linux-gnu/a`"',
            'echo "`cat /lib/$(uname -m)-linux-gnu/a`"',
            id="backquotes",
        ),
        pytest.param(
            'echo "$(cat /lib/x86_64-linux-gnu/a)"',
            'echo "$(cat "/lib/$(uname -m)-linux-gnu/a")"',
            id="a substitution has quotes of its own",
        ),
        pytest.param(
            "<<EOF\ncp /lib/x86_64-linux-gnu/a /b\nEOF",
            '<<EOF\ncp "/lib/$(uname -m)-linux-gnu/a" /b\nEOF',
            id="heredoc",
        ),
    ],
)
def test_what_is_asked_of_the_machine_is_quoted_where_quotes_can_stand(run: str, mended: str) -> None:
    document = parse(f"FROM debian\nRUN {run}\n".encode())
    outcome = fix(document, PATHS, level=Applicability.UNSAFE)
    assert outcome.source.decode() == f"FROM debian\nRUN {mended}\n"


def test_a_choice_is_tied_to_the_first_command_as_the_others_are_to_each_other() -> None:
    after = fixed(f"FROM debian\nRUN apt-get update \\\n    && wget {NODE}\n", Applicability.SAFE)
    assert "    esac \\\n    && apt-get update \\\n    && wget " in after
    after = fixed(f"FROM debian\nRUN apt-get update && \\\n    wget {NODE}\n", Applicability.SAFE)
    assert "    esac && \\\n    apt-get update && \\\n    wget " in after


def test_a_choice_is_made_before_what_runs_in_the_background() -> None:
    after = fixed(f"FROM debian\nRUN wget -O a {NODE} & wget -O b {NODE}; wait\n", Applicability.SAFE)
    assert "    esac; \\\n    wget -O a " in after  # tied by `&&`, it would be made in the background too
    assert after.count("linux-${_arch}.tar.xz") == 2


@pytest.mark.parametrize(
    ("declared", "value", "code"),
    [
        ("ARG SUM=sha256:" + "0" * 64, "${SUM}", "AP406"),
        ("ARG SUM", "$SUM", "AP406"),
        ("ARG TARGETARCH\nARG SUM=sha256:${TARGETARCH}", "${SUM}", "AP401"),
    ],
    ids=["a literal default", "given by who builds", "by architecture"],
)
def test_a_checksum_held_by_an_argument_is_one_for_all_platforms(
    declared: str, value: str, code: str
) -> None:
    url = "https://github.com/krallin/tini/releases/download/v0.19.0/tini-amd64"
    assert codes(f"FROM debian\n{declared}\nADD --checksum={value} {url} /tini\n") == [code]


def test_what_uname_says_is_asked_in_every_run() -> None:
    text = "FROM debian\nRUN wget {0}https://repo.anaconda.com/miniconda/Miniconda3-latest-Linux-{1}.sh{0}\n"
    text += "RUN bash {0}Miniconda3-latest-Linux-{1}.sh{0} -b\n"
    assert fixed(text.format("", "x86_64")) == text.format('"', "$(uname -m)")


def test_a_wheel_is_named_by_the_kernels_words() -> None:
    text = "FROM python:3.12\nRUN wget {0}https://example.com/x-1.0-cp312-cp312-linux_{1}.whl{0}\n"
    assert fixed(text.format("", "x86_64")) == text.format('"', "$(uname -m)")


@pytest.mark.parametrize(
    ("check", "safe"),
    [
        ("COPY SUMS /\nRUN wget {url} && sha256sum -c --ignore-missing /SUMS", False),
        ("COPY SUMS /\nRUN wget {url}\nRUN sha256sum --check /SUMS", False),
        ("RUN wget {url} && wget https://dl.k8s.io/v1.30.0/SUMS && sha256sum -c --ignore-missing SUMS", True),
        ("RUN wget {url} && wget -O- {url}.sha256 > sum && sha256sum -c sum", True),
        ("RUN wget {url} && wget -O- {url}.sha256 | sha256sum -c", True),
    ],
)
def test_a_list_of_checksums_from_elsewhere_may_not_know_the_file(check: str, safe: bool) -> None:
    url = "https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl"
    text = f"FROM debian\n{check.format(url=url)}\n"
    assert (fixed(text, Applicability.SAFE) != text) is safe
    assert "amd64" not in fixed(text)


def test_a_checksum_beside_a_file_is_named_as_the_file_is() -> None:
    base = "https://github.com/aptible/supercronic/releases/download/v0.2.33"
    text = (
        f"FROM debian\nRUN BIN=supercronic-linux-amd64; wget {base}/$BIN; wget {base}/$BIN.sha1sum; "
        "sha1sum -c $BIN.sha1sum\n"
    )
    assert fixed(text, Applicability.SAFE) == text.replace("RUN BIN", "ARG TARGETARCH\nRUN BIN").replace(
        "linux-amd64", "linux-${TARGETARCH}"
    )


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example/v1/plugin-linux.so", ["AP402"]),
        ("https://a.example/v1/plugin.so.1.2", ["AP402"]),
        ("https://a.example/v1/App-1.0.AppImage", ["AP402"]),
        ("https://a.example/arm/plugin.so", []),
        ("https://a.example/v1/plugin-aarch64.so", []),
        ("https://a.example/v1/plugin-windows.so.zip", []),
        ("https://a.example/v1/plugin-${KIND}.so", []),
        ("https://a.example/v1/plugin.so https://a.example/v1/plugin-arm64.so", []),
    ],
)
def test_machine_code_whose_url_names_no_architecture_is_for_one_all_the_same(
    url: str, found: list[str]
) -> None:
    assert codes(f"FROM debian\nARG KIND\nRUN wget {url}\n") == found


def test_machine_code_in_a_branch_for_amd64_is_right() -> None:
    text = 'RUN if [ "$(uname -m)" = x86_64 ]; then wget https://a.example/plugin.so; fi'
    assert codes(f"FROM debian\n{text}\n") == []


def test_a_folder_of_a_url_is_not_what_a_build_calls_by_the_same_name() -> None:
    triple = "x86_64-unknown-linux-musl"
    text = (
        f"FROM alpine\nADD https://static.rust-lang.org/rustup/archive/1.26.0/{triple}/rustup-init /rustup-init\n"
        f"RUN /rustup-init -y && cargo build --target {triple} && cp target/{triple}/release/app /app\n"
    )
    after = fix(parse(text.encode()), load(), level=Applicability.UNSAFE).source.decode()
    assert "FROM fetch-${TARGETARCH} AS fetch\n" in after
    assert "COPY --from=fetch /file /rustup-init\n" in after
    assert (
        "cargo build --target ${_arch}-unknown-linux-musl && cp target/${_arch}-unknown-linux-musl/" in after
    )
