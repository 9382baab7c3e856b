"""Files that a RUN uses by a name for amd64 (AP808)."""

from __future__ import annotations

import pytest

from archpatch.checking import Settings
from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

ONLY = Settings(select=("AP808",))


def found(text: str) -> int:
    return len(check(parse(text.encode()), load(), ONLY).findings)


def fixed(text: str) -> str:
    return fix(parse(text.encode()), load(), ONLY, level=Applicability.UNSAFE).source.decode()


@pytest.mark.parametrize(
    "unpack",
    ["tar xvf $V.tar.gz {}", "tar -C /opt -xzf a.tgz {}", "unzip -q a.zip {}", "bsdtar -xf a.zip LICENSE {}"],
)
def test_what_is_taken_out_of_an_archive_of_many_follows_wherever_it_is_named(unpack: str) -> None:
    text = f"FROM debian\nRUN {unpack} && mv {{}} /bin/tool\nRUN rm -f LICENSE\n"
    amd64, followed = (text.replace("{}", f"tool-{word}") for word in ("amd64", "${TARGETARCH}"))
    assert found(amd64) == 1
    assert fixed(amd64) == followed.replace("RUN", "ARG TARGETARCH\nRUN", 1)


@pytest.mark.parametrize(
    "body",
    [
        "RUN tar -xzf a.tgz -C tools-amd64",
        "RUN tar -xzf a.tgz --exclude tool-amd64",
        "RUN tar -czf a.tgz tool-amd64",
        "RUN make OUT=tool-amd64\nRUN mv tool-amd64 /bin/tool",
        "RUN rm -f /etc/tool-amd64",
        "RUN unzip a.zip tool-amd64 tool-arm64",
        'RUN unzip a.zip\nRUN if [ "$(uname -m)" = x86_64 ]; then mv tool-amd64 t; fi; rm tool-amd64',
    ],
)
def test_a_name_that_something_else_gives_or_takes_away_is_spared(body: str) -> None:
    assert found(f"FROM debian\n{body}\n") == 0
