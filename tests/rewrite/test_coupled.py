"""Fixes of downloads: what names the file goes with its URL."""

from __future__ import annotations

import pytest

from archpatch.engine import Settings, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability
from tests.rewrite.mending import CASE, HELM, NODE, RULES, fixed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"RUN wget '{HELM}' && tar xf \"helm-v3.9.1-linux-amd64.tar.gz\" && mv 'linux-amd64/helm' /bin",
            'ARG TARGETARCH\nRUN wget "https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz"'
            ' && tar xf "helm-v3.9.1-linux-${TARGETARCH}.tar.gz" && mv "linux-${TARGETARCH}/helm" /bin',
        ),
        (
            f"RUN wget {HELM} && tar xf *.gz && rm 'helm-v3.9.1-linux-amd64.tar.gz' && mv 'x/linux-amd64' /y",
            "ARG TARGETARCH\nRUN wget https://get.helm.sh/helm-v3.9.1-linux-${TARGETARCH}.tar.gz && tar xf *.gz"
            ' && rm "helm-v3.9.1-linux-${TARGETARCH}.tar.gz" && mv "x/linux-${TARGETARCH}" /y',
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


def test_instructions_that_go_by_the_files_name_take_its_word_from_one_argument() -> None:
    before = (
        "FROM debian\n"
        f"RUN wget {NODE}\n"
        "RUN tar xf node-v20.1.0-linux-x64.tar.xz -C /opt\n"
        "ENV PATH=/opt/node-v20.1.0-linux-x64/bin:$PATH\n"
    )
    named = before.replace("linux-x64", "linux-${TARGET_ARCH}")
    declared = "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x64}\n"
    assert fixed(before) == named.replace("RUN wget", f"{declared}RUN wget")
    assert fixed(before, Applicability.SAFE) == before
    assert fixed("# syntax=docker/dockerfile:1.2\n" + before) == "# syntax=docker/dockerfile:1.2\n" + before


def test_one_run_that_goes_by_the_files_name_chooses_for_itself() -> None:
    before = f"FROM debian\nRUN wget {NODE} && tar xf *.xz\nENV PATH=/opt/node-v20.1.0-linux-x64/bin:$PATH\n"
    after = fixed(before)
    assert f"FROM debian\nARG TARGETARCH\n{CASE}wget {NODE.replace('linux-x64', 'linux-${_arch}')}" in after
    assert after.endswith("\nENV PATH=/opt/node-v20.1.0-linux-${TARGETARCH/amd64/x64}/bin:$PATH\n")


def test_an_old_frontend_gets_a_choice_in_each_run() -> None:
    before = f"# syntax=docker/dockerfile:1.4\nFROM debian\nRUN wget {NODE}\nRUN tar xf node-v20.1.0-linux-x64.tar.xz\n"
    assert fixed(before).count("case ") == 2


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
        "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
        "ENV FILE Miniconda3-latest-Linux-${TARGET_ARCH}.sh",
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


FETCH = "RUN curl -L https://github.com/firecracker-microvm/firecracker/releases/download/v$V/firecracker-v$V-x86_64.tgz | tar xz"


def test_what_has_the_version_of_an_archive_goes_with_it_and_is_not_safe() -> None:
    before = f"FROM debian\nENV V=1.7.0\n{FETCH} && mv release-v$V-x86_64/firecracker-v$V-x86_64 /a && rm jailer-v$V-x86_64\n"
    assert fixed(before, Applicability.SAFE) == before
    after = fixed(before)
    assert (
        ' && mv "release-v$V-$(uname -m)/firecracker-v$V-$(uname -m)" /a && rm "jailer-v$V-$(uname -m)"\n'
        in after
    )
    own = f"FROM debian\nENV V=1.7.0\n{FETCH} && mv firecracker-v$V-x86_64 /a\n"
    assert fixed(own, Applicability.SAFE) == fixed(own) != own


def test_another_file_of_the_same_version_does_not_go_with_it() -> None:
    others = "https://a.example/one-1.2.3-linux-amd64.tgz && cp two-1.2.3-linux-amd64 /two"
    other = "wget https://github.com/x/two/releases/download/1.2.3/two-1.2.3-linux-amd64"
    before = f"FROM debian\nRUN {other} && wget {others}\n"
    assert "two-1.2.3-linux-${TARGETARCH} && wget" in fixed(before)
    assert fixed(before).count("two-1.2.3-linux-${TARGETARCH}") == 2


@pytest.mark.parametrize(
    ("used", "safe"),
    [
        pytest.param("mv dist_amd64/helm /bin", False, id="a path that nobody knows of"),
        pytest.param("cp dist_amd64/helm /bin", False, id="copied"),
        pytest.param("mkdir dist_amd64", True, id="made here"),
        pytest.param("mv linux-amd64/helm /opt/dist_amd64", True, id="where something goes"),
        pytest.param("cp /usr/share/dist_amd64 /bin", True, id="of the system"),
    ],
)
def test_a_path_for_amd64_that_is_used_after_a_download_makes_its_fix_unsafe(used: str, safe: bool) -> None:
    before = f"FROM debian\nRUN wget {HELM} && tar xf *.gz && {used}\n"
    assert (fixed(before, Applicability.SAFE) != before) is safe
    assert fixed(before) != before
