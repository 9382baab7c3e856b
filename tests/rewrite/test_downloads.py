"""Fixes of downloads: what is changed with the URL, and where a fix is withheld."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.engine import Settings, check, fix
from archpatch.platforms import AMD64, Platform
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

PATHS = tuple(rule for rule in load() if rule.code.startswith("AP7"))
RULES = tuple(rule for rule in load() if rule.code.startswith(("AP4", "AP5")))
HELM = "https://get.helm.sh/helm-v3.9.1-linux-amd64.tar.gz"
NODE = "https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-x64.tar.xz"
CASE = (
    'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
    "      amd64|x86_64) _arch=x64 ;; \\\n"
    "      arm64|aarch64) _arch=arm64 ;; \\\n"
    '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
    "    esac && "
)


def fixed(text: str, level: Applicability = Applicability.UNSAFE, settings: Settings | None = None) -> str:
    outcome = fix(parse(text.encode(), Path("Dockerfile")), RULES, settings or Settings(), None, level)
    assert not outcome.demoted
    return outcome.source.decode()


def codes(text: str, settings: Settings | None = None) -> list[str]:
    report = check(parse(text.encode(), Path("Dockerfile")), RULES, settings or Settings())
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"RUN wget '{HELM}' && tar xf \"helm-v3.9.1-linux-amd64.tar.gz\" && mv 'linux-amd64/helm' /bin",
            "ARG TARGETARCH\nRUN wget 'https://get.helm.sh/helm-v3.9.1-linux-'\"${TARGETARCH}\"'.tar.gz'"
            " && tar xf \"helm-v3.9.1-linux-${TARGETARCH}.tar.gz\" && mv 'linux-'\"${TARGETARCH}\"'/helm' /bin",
        ),
        (
            f"RUN wget {HELM} && tar xf *.gz && rm 'helm-v3.9.1-linux-amd64.tar.gz' && mv 'x/linux-amd64' /y",
            "ARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz && tar xf *.gz"
            " && rm 'helm-v3.9.1-linux-'\"${TARGETARCH}\"'.tar.gz' && mv 'x/linux-'\"${TARGETARCH}\" /y",
        ),
        (
            "RUN T=helm-v3.9.1-linux-amd64.tar.gz; wget https://get.helm.sh/$T && tar xf $T && mv linux-amd64/helm /bin",
            "ARG TARGETARCH\nRUN T=helm-v3.9.1-linux-${TARGETARCH}.tar.gz; wget https://get.helm.sh/$T && tar xf $T"
            " && mv linux-${TARGETARCH}/helm /bin",
        ),
        (
            "ENV V=v3.9.1\nRUN wget https://get.helm.sh/helm-$V-linux-amd64.tar.gz && tar xf helm-$V-linux-amd64.tar.gz",
            "ENV V=v3.9.1\nARG TARGETARCH\nRUN wget https://get.helm.sh/helm-$V-linux-${TARGETARCH}.tar.gz"
            " && tar xf helm-$V-linux-${TARGETARCH}.tar.gz",
        ),
        (
            f"ENV URL={HELM}\nRUN wget -O helm.tgz $URL",
            "ARG TARGETARCH\nENV URL=https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz\nRUN wget -O helm.tgz $URL",
        ),
        (
            f"RUN wget {HELM} && mkdir other-linux-amd64",
            "ARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz && mkdir other-linux-amd64",
        ),
        (
            f"RUN wget {HELM} && wget {HELM}.sha256sum && sha256sum -c helm-v3.9.1-linux-amd64.tar.gz.sha256sum",
            "ARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz"
            " && wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz.sha256sum"
            " && sha256sum -c helm-v3.9.1-linux-${TARGETARCH}.tar.gz.sha256sum",
        ),
        (
            f"RUN wget {NODE} && tar xf node-v20.1.0-linux-x64.tar.xz",
            f"ARG TARGETARCH\n{CASE}wget https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-${{_arch}}.tar.xz"
            " && tar xf node-v20.1.0-linux-${_arch}.tar.xz",
        ),
    ],
)
def test_what_repeats_the_name_goes_with_it_and_is_safe(before: str, after: str) -> None:
    assert fixed(f"FROM debian\n{before}\n", Applicability.SAFE) == f"FROM debian\n{after}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"RUN wget {HELM}\nRUN tar xf helm-v3.9.1-linux-amd64.tar.gz && unzip terraform_linux_amd64.zip",
            "ARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz\n"
            "RUN tar xf helm-v3.9.1-linux-${TARGETARCH}.tar.gz && unzip terraform_linux_amd64.zip",
        ),
        (
            f"ADD {HELM} /\nENV HELM=/helm-v3.9.1-linux-amd64.tar.gz",
            "ARG TARGETARCH\nADD https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz /\n"
            "ENV HELM=/helm-v3.9.1-linux-${TARGETARCH}.tar.gz",
        ),
        (
            f"ENV D=x/linux-amd64\nRUN wget {HELM} && tar xf *.gz && mv $D/helm /bin\nRUN ls $D",
            "ARG TARGETARCH\nENV D=x/linux-${TARGETARCH}\n"
            "RUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz && tar xf *.gz && mv $D/helm /bin\n"
            "RUN ls $D",
        ),
    ],
)
def test_other_instructions_that_repeat_the_name_make_the_fix_unsafe(before: str, after: str) -> None:
    text = f"FROM debian\n{before}\n"
    assert fixed(text, Applicability.SAFE) == text
    assert fixed(text) == f"FROM debian\n{after}\n"


def test_another_tool_that_joins_its_name_in_another_way_is_no_mention() -> None:
    other = "ENV FILE=buildkit-v${V}.linux-amd64.tar.gz\nRUN ls $FILE\n"
    fetch = "RUN wget -O /bin/yq https://github.com/mikefarah/yq/releases/download/v4.22.1/yq_linux_"
    expected = f"FROM debian\nARG TARGETARCH\n{other}{fetch}${{TARGETARCH}}\n"
    assert fixed(f"FROM debian\n{other}{fetch}amd64\n", Applicability.SAFE) == expected


def test_the_stage_that_takes_the_file_declares_the_argument_too() -> None:
    before = f"FROM alpine AS x\nRUN wget {HELM} && tar xf *.gz\nFROM debian\nCOPY --from=x /linux-amd64/helm /bin/\n"
    after = (
        "FROM alpine AS x\nARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz"
        " && tar xf *.gz\nFROM debian\nARG TARGETARCH\nCOPY --from=x /linux-${TARGETARCH}/helm /bin/\n"
    )
    assert fixed(before) == after


@pytest.mark.parametrize(
    "body",
    [
        f'RUN ["wget", "{HELM}"]',
        f"RUN sh -c 'wget {NODE}'",
        f"RUN sudo -u app sh -c 'wget {HELM}'",
        f"RUN su app -c 'wget {HELM}'",
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
        pytest.param("cp /lib/x86_64-linux-gnu/a /b", 'cp /lib/"$(uname -m)"-linux-gnu/a /b', id="bare"),
        pytest.param('cp "/lib/x86_64-linux-gnu/a" /b', 'cp "/lib/$(uname -m)-linux-gnu/a" /b', id="double"),
        pytest.param(
            "cp '/lib/x86_64-linux-gnu/a' /b", "cp '/lib/'\"$(uname -m)\"'-linux-gnu/a' /b", id="single"
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
            'echo "$(cat /lib/"$(uname -m)"-linux-gnu/a)"',
            id="a substitution has quotes of its own",
        ),
        pytest.param(
            "<<EOF\ncp /lib/x86_64-linux-gnu/a /b\nEOF",
            '<<EOF\ncp /lib/"$(uname -m)"-linux-gnu/a /b\nEOF',
            id="heredoc",
        ),
    ],
)
def test_what_is_asked_of_the_machine_is_quoted_where_quotes_can_stand(run: str, mended: str) -> None:
    document = parse(f"FROM debian\nRUN {run}\n".encode())
    outcome = fix(document, PATHS, level=Applicability.UNSAFE)
    assert outcome.source.decode() == f"FROM debian\nRUN {mended}\n"


def test_a_choice_is_made_before_what_runs_in_the_background() -> None:
    after = fixed(f"FROM debian\nRUN wget -O a {NODE} & wget -O b {NODE}; wait\n", Applicability.SAFE)
    assert "    esac; wget -O a " in after  # tied by `&&`, it would be made in the background too
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


def test_other_instructions_that_name_the_file_choose_for_themselves() -> None:
    before = (
        "FROM debian\n"
        f"RUN wget {NODE}\n"
        "RUN tar xf node-v20.1.0-linux-x64.tar.xz -C /opt\n"
        "ENV PATH=/opt/node-v20.1.0-linux-x64/bin:$PATH\n"
    )
    after = fixed(before)
    fetched = NODE.replace("linux-x64", "linux-${_arch}")
    assert f"FROM debian\nARG TARGETARCH\n{CASE}wget {fetched}\n" in after
    assert f"{CASE}tar xf node-v20.1.0-linux-${{_arch}}.tar.xz -C /opt\n" in after
    assert after.endswith("\nENV PATH=/opt/node-v20.1.0-linux-${TARGETARCH/amd64/x64}/bin:$PATH\n")
    assert fixed(before, Applicability.SAFE) == before
    assert fixed("# syntax=docker/dockerfile:1.2\n" + before) == "# syntax=docker/dockerfile:1.2\n" + before


def test_what_uname_says_is_asked_in_every_run() -> None:
    name = "Miniconda3-latest-Linux-{}.sh"
    text = f"FROM debian\nRUN wget https://repo.anaconda.com/miniconda/{name}\nRUN bash {name} -b\n"
    assert fixed(text.format("x86_64", "x86_64")) == text.format('"$(uname -m)"', '"$(uname -m)"')


def test_a_wheel_is_named_by_the_kernels_words() -> None:
    text = "FROM python:3.12\nRUN wget https://example.com/x-1.0-cp312-cp312-linux_x86_64.whl\n"
    assert fixed(text) == text.replace("x86_64", '"$(uname -m)"')


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


def test_the_image_itself_holds_what_its_target_runs() -> None:
    rules = (*RULES, *(rule for rule in load() if rule.code.startswith("AP1")))
    document = parse(
        f"ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM debian\nRUN wget {HELM}\n".encode()
    )
    after = fix(document, rules, Settings(), None, Applicability.UNSAFE).source.decode()
    assert after.endswith(
        "FROM debian\nARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz\n"
    )


def test_a_file_that_add_fetches_by_a_name_in_env_follows_there() -> None:
    before = "FROM debian\nENV FILE Miniconda3-latest-Linux-x86_64.sh\nADD https://repo.anaconda.com/miniconda/${FILE} .\n"
    before += "RUN sh ./${FILE} -b && rm ${FILE}\n"
    after = before.replace(
        "ENV FILE Miniconda3-latest-Linux-x86_64.sh",
        "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
        "ENV FILE Miniconda3-latest-Linux-${TARGET_ARCH/arm64/aarch64}.sh",
    )
    assert fixed(before) == after


def test_other_commands_follow_the_package_of_ubuntus_archive_or_it_stays() -> None:
    fetch = "FROM ubuntu\nRUN wget http://archive.ubuntu.com/ubuntu/pool/main/f/x_1_amd64.deb"
    after = fixed(f"{fetch} && dpkg -i x_1_amd64.deb\nRUN rm x_1_amd64.deb\n")
    assert after.endswith(" && dpkg -i x_1_${TARGETARCH}.deb\nRUN rm x_1_${TARGETARCH}.deb\n")
    withheld = f'{fetch}\nRUN ["dpkg", "-i", "x_1_amd64.deb"]\n'
    assert fixed(withheld) == withheld


def test_what_is_unpacked_may_join_its_words_in_another_way() -> None:
    url = "https://example.com/tool-linux_amd64-1.0.tar.gz"
    before = f"FROM debian\nRUN wget -O- {url} | tar xz && mv linux-amd64/tool /bin\nRUN rm -r linux-amd64\n"
    after = before.replace("amd64", "${TARGETARCH}").replace("RUN wget", "ARG TARGETARCH\nRUN wget")
    assert fixed(before) == after


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        pytest.param("F=tool_linux_amd64.tar.gz", True, id="the same word"),
        pytest.param("F=tool_linux_x86_64.tar.gz", False, id="another word"),
        pytest.param("F=tool_linux_x86_64.tar.gz; wget $U/$F", True, id="used there and done with"),
    ],
)
def test_a_file_that_each_branch_names_follows_in_each_of_them(other: str, fits: bool) -> None:
    before = f"FROM debian\nENV U=https://example.com\nRUN if [ $NEW ]; then {other}; else F=tool-linux-amd64.gz; fi; wget $U/$F\n"
    assert ("F=tool-linux-${TARGETARCH}.gz" in fixed(before)) is fits


def test_a_pattern_that_the_name_fits_goes_with_it() -> None:
    before = (
        "FROM debian\nRUN wget https://johnvansickle.com/ffmpeg/releases/ffmpeg-release-amd64-static.tar.xz "
    )
    before += "&& tar xf ffmpeg-*.tar.xz && mv ffmpeg-*-amd64-static/ffmpeg /bin && rm -r *-arm-amd64-*\nRUN rm -r f*-amd64-static\n"
    after = before.replace("amd64-static", "${TARGETARCH}-static").replace(
        "RUN wget", "ARG TARGETARCH\nRUN wget"
    )
    assert fixed(before) == after


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(
            'A=$(dpkg --print-architecture) && if [ "$A" = "arm64" ]; then F=-n; A=sbsa; fi', id="a test"
        ),
        pytest.param('A=$(uname -m) && case "$A" in x86_64) F=1 ;; aarch64) F=2 ;; esac', id="a case"),
        pytest.param('if [ "$(uname -m)" = "x86_64" ]; then A=x86_64; else A=arm64; fi', id="its own words"),
    ],
)
def test_what_a_script_asks_of_the_machine_stays_where_a_folder_is_named_like_it(asked: str) -> None:
    url = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/$A/cuda-keyring_1.1-1_all.deb"
    mended = fixed(f"FROM debian\nRUN {asked} && curl -fsSLO {url}\n")
    assert asked.replace("A=arm64", "A=sbsa") in mended
    assert "ubuntu2404/${_arch}/" in mended or "A=sbsa; fi" in mended
