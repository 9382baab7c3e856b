"""Files whose name says nothing on amd64, or says it in words of its own, and what goes by that name."""

from __future__ import annotations

import pytest

from archpatch.text import Applicability
from tests.rewrite.mending import codes, fixed

NINJA = "https://github.com/ninja-build/ninja/releases/download/v1.12.1/ninja-linux"
K3S = "https://github.com/k3s-io/k3s/releases/download/v1.30.0/k3s"
HADOOP = "https://downloads.apache.org/hadoop/common/hadoop-$V/hadoop-$V"


def _fixed(text: str) -> str:
    """The commands after the `case`, as the safe fix writes them."""
    return (
        fixed(f"FROM debian\nENV V=3.4.0\n{text}\n", Applicability.SAFE).rpartition("esac && \\\n")[2].strip()
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"wget {NINJA}.zip && unzip ninja-linux.zip && rm ./ninja-linux.zip",
            f"wget {NINJA}${{_arch}}.zip && unzip ninja-linux${{_arch}}.zip && rm ./ninja-linux${{_arch}}.zip",
            id="an archive",
        ),
        pytest.param(
            f"wget -P /tmp {NINJA}.zip && unzip '/tmp/ninja-linux.zip'",
            f"wget -P /tmp {NINJA}${{_arch}}.zip && unzip '/tmp/ninja-linux'\"${{_arch}}\"'.zip'",
            id="saved to a folder",
        ),
        pytest.param(
            f"cd /tmp && curl -fLO {NINJA}.zip && cd / && unzip /tmp/ninja-linux.zip && rm /opt/ninja-linux.zip",
            f"cd /tmp && curl -fLO {NINJA}${{_arch}}.zip && cd / && unzip /tmp/ninja-linux${{_arch}}.zip"
            " && rm /opt/ninja-linux.zip",
            id="of another folder",
        ),
        pytest.param(
            f"wget {K3S} && chmod +x k3s && mv k3s /usr/bin/k3s",
            f"wget {K3S}${{_arch}} && chmod +x k3s${{_arch}} && mv k3s${{_arch}} /usr/bin/k3s",
            id="a program that is moved",
        ),
        pytest.param(
            f"wget -O /usr/bin/k3s {K3S} && chmod +x /usr/bin/k3s",
            f"wget -O /usr/bin/k3s {K3S}${{_arch}} && chmod +x /usr/bin/k3s",
            id="under a name of its own",
        ),
        pytest.param(
            f"wget {HADOOP}.tar.gz && tar xf hadoop-$V.tar.gz -C /opt --strip-components=1",
            f"wget {HADOOP}${{_arch}}.tar.gz && tar xf hadoop-$V${{_arch}}.tar.gz -C /opt --strip-components=1",
            id="with a variable",
        ),
    ],
)
def test_what_goes_by_the_name_gets_its_ending_too(before: str, after: str) -> None:
    assert _fixed(f"RUN {before}") == after


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"RUN cd /usr/bin && wget {K3S} && chmod +x k3s", id="a program keeps its name"),
        pytest.param(f"RUN wget {NINJA}.zip && sh -c 'unzip ninja-linux.zip'", id="a shell within"),
        pytest.param(f"RUN wget {NINJA}.zip\nRUN unzip ninja-linux.zip", id="another RUN unpacks it"),
        pytest.param(f"RUN wget {HADOOP}.tar.gz && tar xf hadoop-$V.tar.gz && mv hadoop-$V /x", id="its folder"),
        pytest.param(f"RUN wget -O- {HADOOP}.tar.gz | tar xz\nRUN mv hadoop-$V /x", id="its folder, later"),
        pytest.param(f"RUN wget -O- {HADOOP}.tar.gz | tar xz\nENV HOME=/hadoop-${{V}}/x", id="its folder, elsewhere"),
    ],
)  # fmt: skip
def test_where_a_name_cannot_follow_it_stays_a_finding(text: str) -> None:
    before = f"FROM debian\nENV V=3.4.0\n{text}\n"
    assert codes(before) == ["AP401"]
    assert fixed(before) == before


BITCOIN = "https://bitcoincore.org/bin/bitcoin-core-$V/bitcoin-$V"
SONAR = "https://binaries.sonarsource.com/Distribution/sonar-scanner-cli/sonar-scanner-cli-7.0.1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            f"wget {BITCOIN}-x86_64-linux-gnu.tar.gz && tar xf bitcoin-$V-x86_64-linux-gnu.tar.gz && ls /usr/x86_64-linux-gnu",
            f"wget {BITCOIN}-${{_arch}}.tar.gz && tar xf bitcoin-$V-${{_arch}}.tar.gz && ls /usr/x86_64-linux-gnu",
            id="a triple",
        ),
        pytest.param(
            f"wget {SONAR}-linux-x64.zip && unzip *-7.0.1-linux-x64.zip && mv sonar-scanner-7.0.1-linux-x64 /opt/sonar",
            f"wget {SONAR}-linux${{_arch}}.zip && unzip *-7.0.1-linux${{_arch}}.zip"
            " && mv sonar-scanner-7.0.1-linux${_arch} /opt/sonar",
            id="with its joint; a folder of the same version",
        ),
        pytest.param(
            "curl -Os https://uploader.codecov.io/latest/linux/codecov && ls /usr/src/linux",
            "curl -Os https://uploader.codecov.io/latest/${_arch}/codecov && ls /usr/src/linux",
            id="a word of many meanings",
        ),
    ],
)  # fmt: skip
def test_words_of_one_tool_are_followed_too(before: str, after: str) -> None:
    assert _fixed(f"RUN {before}") == after


def test_a_copy_spells_the_words_of_one_tool_for_itself() -> None:
    before = f"FROM debian AS a\nENV V=27.0\nRUN wget {BITCOIN}-x86_64-linux-gnu.tar.gz\n"
    before += "FROM debian\nENV V=27.0\nCOPY --from=a /bitcoin-$V-x86_64-linux-gnu.tar.gz /\n"
    assert fixed(before).endswith(
        "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64-linux-gnu}\n"
        "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64-linux-gnu}\n"
        "COPY --from=a /bitcoin-$V-${TARGET_ARCH}.tar.gz /\n"
    )


@pytest.mark.parametrize("later", ["RUN dpkg -i ./tool_${V}_amd64.deb", "RUN rm tool_1.2_amd64.deb"])
def test_a_version_in_a_variable_beside_the_word_hides_no_name(later: str) -> None:
    before = f"FROM debian\nARG V=1.2\nRUN wget https://example.com/tool_${{V}}_amd64.deb\n{later}\n"
    assert fixed(before) == before.replace("amd64", "${TARGETARCH}").replace(
        "RUN wget", "ARG TARGETARCH\nRUN wget"
    )
