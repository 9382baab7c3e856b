"""What a Dockerfile downloads, and where the architecture of each download is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.assets import UNKNOWN
from archpatch.facts import Download, Facts
from archpatch.facts.suppressors import why_download_is_fine
from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.syntax.parse import parse
from archpatch.text import decode

KUBECTL = "https://dl.k8s.io/release/v1.30.0/bin/linux"


def downloads(body: str, head: str = "FROM debian") -> tuple[Download, ...]:
    return facts_of(f"{head}\n{body}\n").downloads


def facts_of(text: str, targets: tuple[Platform, ...] = (AMD64, ARM64)) -> Facts:
    return Facts(parse(text.encode(), Path("Dockerfile")), targets=targets)


def written(text: str) -> list[str | None]:
    """What stands in the file where the tokens of all downloads are written."""
    source = text.encode()
    return [
        None if token.span is None else decode(token.span.of(source))
        for one in facts_of(text).downloads
        for token in one.tokens
    ]


@pytest.mark.parametrize(
    ("body", "kind", "output", "explicit"),
    [
        (f"RUN curl -fsSLo /bin/kubectl {KUBECTL}/amd64/kubectl", "curl", "/bin/kubectl", True),
        (f"RUN curl -fLO {KUBECTL}/amd64/kubectl", "curl", "kubectl", False),
        (f"RUN curl -f {KUBECTL}/amd64/kubectl > /bin/kubectl", "curl", "/bin/kubectl", True),
        (f"RUN curl -f {KUBECTL}/amd64/kubectl | tee /bin/kubectl", "curl", None, True),
        (f"RUN wget {KUBECTL}/amd64/kubectl?x=1", "wget", "kubectl", False),
        (f"RUN wget -O- {KUBECTL}/amd64/kubectl | tee x", "wget", None, True),
        (f"RUN sudo wget -qO kubectl '{KUBECTL}/amd64/kubectl'", "wget", "kubectl", True),
        (f"RUN aria2c -o k {KUBECTL}/amd64/kubectl", "aria2c", "k", True),
        (f"ADD {KUBECTL}/amd64/kubectl /bin/kubectl", "ADD", "/bin/kubectl", True),
        (f"RUN fetch_it {KUBECTL}/amd64/kubectl", "fetch_it", None, False),
        (f"RUN npm install {KUBECTL}/amd64/kubectl", "npm", None, False),
        ("RUN aws s3 cp s3://bucket/tool-amd64 /bin/tool", "aws", None, False),
        ("RUN gsutil cp gs://bucket/tool-amd64 /bin/tool", "gsutil", None, False),
    ],
)
def test_a_download_knows_its_command_and_its_file(
    body: str, kind: str, output: str | None, explicit: bool
) -> None:
    (found,) = downloads(body)
    assert (found.kind, found.output, found.explicit) == (kind, output, explicit)
    assert [token.text for token in found.tokens] == ["amd64"]
    assert found.hard_coded
    assert not found.varies


@pytest.mark.parametrize(
    "body",
    [
        "RUN curl -fsSL",
        f"RUN echo {KUBECTL}/amd64/kubectl",
        "RUN git clone https://example.com/x-amd64.git",
        "COPY tool-amd64 /bin/tool",
        "RUN apt-get install -y curl wget",
        "RUN curl -fsSL $URL",
        'RUN ["echo", "https://example.com/x-amd64"]',
    ],
)
def test_what_is_no_download_is_left_out(body: str) -> None:
    assert downloads(body) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"FROM debian\nRUN curl -fLO {KUBECTL}/amd64/kubectl\n", ["amd64"]),
        (f"FROM debian\nRUN A=amd64 && curl -fLO {KUBECTL}/$A/kubectl\n", ["amd64"]),
        (f"FROM debian\nARG U={KUBECTL}\nRUN curl -fLO $U/amd64/kubectl\n", ["amd64"]),
        (f"FROM debian\nENV U={KUBECTL}/amd64\nRUN curl -fLO $U/kubectl\n", ["amd64"]),
        (f"FROM debian\nENV A=amd64 U={KUBECTL}\nENV V=$U/$A\nRUN curl -fLO ${{V}}/kubectl\n", ["amd64"]),
        (f"FROM debian\nRUN curl -fLO {KUBECTL}/\\\namd64/kubectl\n", ["amd64"]),
        (f"FROM debian\nARG TARGETARCH\nRUN curl -fLO {KUBECTL}/$TARGETARCH/kubectl\n", [None]),
        (f"FROM debian\nRUN curl -fLO {KUBECTL}/$(dpkg --print-architecture)/kubectl\n", [None]),
        ("FROM debian\nADD https://github.com/krallin/tini/releases/download/v0.19.0/tini /tini\n", [""]),
    ],
)
def test_the_architecture_is_found_where_it_is_written(text: str, expected: list[str | None]) -> None:
    assert written(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"for f in {KUBECTL}/amd64/kubectl {KUBECTL}/amd64/kubeadm; do wget $f; done", ["amd64", "amd64"]),
        ('for f in yq_linux_amd64 notes; do curl -O "https://example.com/$f"; done', ["amd64"]),
        ("for f in a b; do for g in x-amd64; do wget https://example.com/$f/$g; done; done", ["amd64"]),
        ("if true; then for f in x-amd64; do wget https://example.com/$f; done; fi", ["amd64"]),
        (
            'l=(a-amd64 "b-$V-amd64" \'c-amd64\' a-amd64b); for f in "${l[@]}"; do wget "https://example.com/$f"; done',
            ["amd64", "amd64", "amd64"],
        ),
        ('l=(); l+=(a-amd64); for f in "${l[@]}"; do wget "https://example.com/$f"; done', []),
        ("for f in a-amd64; do :; done; wget https://example.com/$f", []),
        ("for f in a-amd64; do echo https://example.com/$f; done", []),
        ("for f in a b; do wget https://example.com/$f; done", []),
        ("for f in a-amd64; do wget https://example.com/$f; mv $f /usr/bin/${f%-amd64}; done", []),
    ],
    ids=[
        "urls",
        "names",
        "the inner loop",
        "in a branch",
        "an array",
        "an array that grows",
        "behind the loop",
        "not fetched",
        "no architecture",
        "an architecture is taken off",
    ],
)
def test_a_loop_fetches_each_of_its_items(body: str, expected: list[str]) -> None:
    assert written(f"FROM debian\nRUN {body}\n") == expected


def test_a_loop_over_both_architectures_names_each_beside_the_other() -> None:
    loop = downloads("RUN for f in jq-amd64 jq-arm64; do wget https://example.com/$f; done")
    array = downloads('RUN l=(jq-amd64 jq-arm64); for f in "${l[@]}"; do wget "https://example.com/$f"; done')
    found = (*loop, *array)
    assert len([one for one in found if one.tokens]) == 2
    assert all(why_download_is_fine(one.stage.facts, one) for one in found if one.tokens)


@pytest.mark.parametrize("value", ["amd64", "linux-amd64", "x86_64-linux-gnu"])
def test_a_literal_argument_is_the_declarations_matter(value: str) -> None:
    (found,) = downloads(f"ARG A={value}\nRUN curl -fLO https://example.com/tool-$A.tgz")
    assert not found.hard_coded
    assert not found.varies


def test_a_word_that_two_values_make_together_is_written_out() -> None:
    (download,) = downloads("ARG BITS='64'\nRUN wget https://example.com/tool-linux${BITS}.tgz")
    assert download.hard_coded
    assert [token.span for token in download.tokens] == [None]
    (download,) = downloads("RUN B=$(getconf LONG_BIT) && wget https://example.com/tool-linux$B.tgz")
    assert not download.hard_coded


def test_a_selector_gives_each_target_its_own_url() -> None:
    (found,) = downloads(f"ARG TARGETARCH\nRUN curl -fLO {KUBECTL}/${{TARGETARCH}}/kubectl")
    assert found.url == f"{KUBECTL}/amd64/kubectl"
    assert found.urls == ((ARM64, f"{KUBECTL}/arm64/kubectl"),)
    assert not found.hard_coded


def test_a_case_that_sets_a_variable_makes_the_url_follow_the_target() -> None:
    body = (
        'RUN case "$(uname -m)" in x86_64) A=amd64 ;; aarch64) A=arm64 ;; esac; '
        f"curl -fLO {KUBECTL}/$A/kubectl"
    )
    (found,) = downloads(body)
    assert found.urls == ((ARM64, f"{KUBECTL}/arm64/kubectl"),)


def test_a_case_that_chooses_an_argument_makes_the_url_follow_the_target() -> None:
    body = (
        f"ARG A={KUBECTL}/amd64/kubectl\nARG B={KUBECTL}/arm64/kubectl\n"
        'RUN case "$(uname -m)" in x86_64) U=$A ;; aarch64) U=$B ;; esac; curl -fLO "$U"'
    )
    (found,) = downloads(body)
    assert found.urls == ((ARM64, f"{KUBECTL}/arm64/kubectl"),)


def test_a_default_that_a_branch_overrides_makes_the_url_follow_the_target() -> None:
    body = f'RUN A=amd64; if [ "$(uname -m)" = aarch64 ]; then A=arm64; fi; curl -fLO {KUBECTL}/$A/kubectl'
    (found,) = downloads(body)
    assert found.varies


@pytest.mark.parametrize(
    ("asks", "system"),
    [
        ("$(uname -s)", "Linux"),
        ("`uname -s`", "Linux"),
        ("$(uname | tr A-Z a-z)", "linux"),
        ("$(uname -s | tr '[:upper:]' '[:lower:]')", "linux"),
        ("$(uname -s | rev)", UNKNOWN),
        ("$(uname -r)", UNKNOWN),
    ],
)
def test_the_systems_name_is_known(asks: str, system: str) -> None:
    (found,) = downloads(f'RUN curl -fLo /x "https://example.com/tool-{asks}-amd64"')
    assert found.url == f"https://example.com/tool-{system}-amd64"


def test_what_nobody_knows_stays_unknown() -> None:
    (found,) = downloads("ARG V\nRUN curl -fLO https://dl.k8s.io/release/$V/bin/linux/amd64/kubectl")
    assert found.url == f"https://dl.k8s.io/release/{UNKNOWN}/bin/linux/amd64/kubectl"
    assert found.match is not None
    assert found.match.asset.tool == "kubectl"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/tool-windows-amd64.zip",
        "https://example.com/tool-darwin-amd64",
        "https://example.com/repo/x86_64/key.gpg",
        "https://example.com/x86_64/release.noarch.rpm",
        "https://example.com/tool-linux-arm64",
        "https://example.com/x64dbg.zip",
        "https://awscli.amazonaws.com/awscli-exe-linux-aarch64.zip",
    ],
)
def test_a_file_of_another_system_or_of_none_has_no_token(url: str) -> None:
    (found,) = downloads(f"RUN curl -fLO {url}")
    assert found.tokens == ()


def test_a_cross_toolchain_is_for_the_machine_it_runs_on() -> None:
    (found,) = downloads("RUN wget https://example.com/gcc-arm-10.3-x86_64-aarch64-none-linux-gnu.tar.xz")
    assert [token.text for token in found.tokens] == ["x86_64"]


HEX = "b" * 64


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (f"RUN curl -fLo k {KUBECTL}/amd64/kubectl && echo '{HEX}  k' | sha256sum -c", 1),
        (f'ENV SUM={HEX}\nRUN curl -fLo k {KUBECTL}/amd64/kubectl && echo "$SUM  k" | sha256sum -c -', 1),
        (f"ADD --checksum=sha256:{HEX} {KUBECTL}/amd64/kubectl /k", 1),
        (f"RUN curl -fLo k {KUBECTL}/amd64/kubectl && sha256sum -c - <<< '{HEX}  k'", 1),
        (f"RUN curl -fLo k {KUBECTL}/amd64/kubectl\nRUN echo '{HEX}  k' | sha256sum -c", 1),
        (f"ADD {KUBECTL}/amd64/kubectl /k\nRUN echo '{HEX}  /k' | sha256sum -c", 1),
        (f"ADD {KUBECTL}/amd64/kubectl /k\nRUN echo '{HEX}  /kk' | sha256sum -c", 0),
        (f"ADD {KUBECTL}/amd64/kubectl /k\nRUN sha256sum /k | grep {HEX}", 1),
        (f"ADD {KUBECTL}/amd64/kubectl /k\nRUN sha256sum /kk | grep {HEX}", 0),
        (f"ADD {KUBECTL}/amd64/kubectl /k\nRUN sha256sum /kk && grep {HEX} /k.log; sha256sum -c k.sum", 0),
        (f'ADD {KUBECTL}/amd64/kubectl /k\nRUN test "$(sha256sum /k | cut -c-64)" = {HEX}', 1),
        (f"RUN curl -fLo k {KUBECTL}/amd64/kubectl && grep k SUMS | sha256sum -c -", 0),
        (f"RUN curl -fLo k {KUBECTL}/amd64/kubectl && git checkout {HEX[:40]}", 0),
        (f"RUN echo '{HEX}  other' | sha256sum -c && curl -fLo k {KUBECTL}/amd64/kubectl", 0),
    ],
)
def test_a_literal_checksum_belongs_to_its_download(body: str, count: int) -> None:
    (found,) = downloads(body)
    assert len(found.digests) == count


@pytest.mark.parametrize(
    "check",
    [
        'case "$TARGETARCH" in amd64) S={a} ;; arm64) S={b} ;; esac; echo "$S  k" | sha256sum -c',
        'if [ "$TARGETARCH" = amd64 ]; then echo "{a}  k" | sha256sum -c; else echo "{b}  k" | sha256sum -c; fi',
        'eval "S=\\$SUM_$TARGETARCH"; echo "$S  k" | sha256sum -c',
    ],
)
def test_a_checksum_that_is_chosen_by_architecture_is_none_of_one(check: str) -> None:
    text = check.format(a="a" * 64, b="b" * 64)
    (found,) = downloads(f"ARG TARGETARCH\nRUN curl -fLo k {KUBECTL}/$TARGETARCH/kubectl; {text}")
    assert found.varies
    assert found.digests == ()


def test_a_function_that_is_given_a_url_and_a_checksum_holds_one_against_the_other() -> None:
    tool = "https://github.com/mikefarah/yq/releases/download/v4.16.2/yq_linux_amd64"
    first, second = downloads(
        'RUN get() { curl -fLo "/bin/$1" "$2"; [ -z "$3" ] || echo "$3  /bin/$1" | sha256sum -c; }; '
        f'get kubectl {KUBECTL}/amd64/kubectl ""; get yq {tool} "{HEX}"'
    )
    assert [first.digests, [digest.text for digest in second.digests]] == [(), [HEX]]


@pytest.mark.parametrize(
    "body",
    [
        f"RUN fetch-verified {KUBECTL}/amd64/kubectl /bin/kubectl {HEX}",
        f"RUN aria2c --checksum=sha-256={HEX} -o /bin/kubectl {KUBECTL}/amd64/kubectl",
        f'RUN [ "$(curl -fsSL {KUBECTL}/amd64/kubectl | tee /bin/kubectl | sha256sum)" = "{HEX}  -" ]',
    ],
    ids=["written", "an option", "a comparison"],
)
def test_a_program_that_is_given_a_url_and_a_checksum_holds_one_against_the_other(body: str) -> None:
    (one,) = downloads(body)
    assert [digest.text for digest in one.digests] == [HEX]


def test_the_checksum_of_a_list_is_not_that_of_what_is_fetched_beside_it() -> None:
    text = (
        "FROM debian\nRUN wget https://example.com/SHA256SUMS.asc && wget https://example.com/tool-x86_64.tgz"
        f" && echo '{HEX}  SHA256SUMS.asc' | sha256sum -c - && sha256sum -c SHA256SUMS.asc\n"
    )
    assert [len(download.digests) for download in facts_of(text).downloads] == [0, 0]


def test_each_of_two_downloads_has_its_own_checksum() -> None:
    body = (
        f"RUN curl -fLo a {KUBECTL}/amd64/kubectl && curl -fLo b {KUBECTL}/amd64/kubeadm"
        f" && echo '{'a' * 64}  a' | sha256sum -c && echo '{'b' * 64}  b' | sha256sum -c"
    )
    first, second = downloads(body)
    assert [digest.text[0] for digest in first.digests] == ["a"]
    assert "b" in [digest.text[0] for digest in second.digests]


@pytest.mark.parametrize(
    ("options", "loud"),
    [
        ("-fsSLO", True),
        ("-sSLO", False),
        ("--fail -LO", True),
        ("--fail-with-body -LO", True),
        ("-LO -f", True),
    ],
)
def test_curl_is_loud_with_f_alone(options: str, loud: bool) -> None:
    (found,) = downloads(f"RUN curl {options} {KUBECTL}/amd64/kubectl")
    assert found.fails_loudly is loud


@pytest.mark.parametrize(
    ("rest", "argument"),
    [
        ("RUN kubectl version\nFROM debian\nCOPY --from=b /out /out", "BUILDARCH"),
        ("FROM debian\nCOPY --from=b /bin/kubectl /bin/", "TARGETARCH"),
        ("RUN kubectl version\nFROM debian\nCOPY --from=b /bin/kubectl /bin/", None),
    ],
)
def test_a_tool_of_a_build_stage_is_named_for_who_runs_it(rest: str, argument: str | None) -> None:
    head = "FROM --platform=$BUILDPLATFORM debian AS b"
    (found,) = downloads(f"RUN curl -fLo /bin/kubectl {KUBECTL}/amd64/kubectl\n{rest}", head)
    assert found.argument == argument


def test_a_stage_of_the_target_names_its_files_by_the_target() -> None:
    (found,) = downloads(f"RUN curl -fLO {KUBECTL}/amd64/kubectl")
    assert found.argument == "TARGETARCH"


def test_a_pinned_stage_has_no_argument_for_its_files() -> None:
    (found,) = downloads(f"RUN curl -fLO {KUBECTL}/amd64/kubectl", "FROM --platform=linux/amd64 debian")
    assert found.argument is None


def test_a_maven_program_for_linux_is_one_although_it_ends_in_exe() -> None:
    url = "https://repo1.maven.org/maven2/io/grpc/protoc-gen-grpc-java/1.60.0/protoc-gen-grpc-java-1.60.0-linux-x86_64.exe"
    (found,) = downloads(f"RUN curl -fsSLo /bin/plugin {url}")
    assert [token.text for token in found.tokens] == ["x86_64"]
    assert why_download_is_fine(found.stage.facts, found) is None
