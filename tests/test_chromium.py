"""Chrome's package by its URL, and Chromium in its place (AP405)."""

from __future__ import annotations

import pytest

from archpatch.checking import Settings
from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

RULES = tuple(rule for rule in load() if rule.code == "AP405")
NAME = "google-chrome-stable_current_amd64.deb"
URL = f"https://dl.google.com/linux/direct/{NAME}"


def fixed(text: str) -> str:
    return fix(parse(text.encode()), RULES, Settings(), None, Applicability.UNSAFE).source.decode()


def test_what_is_installed_at_once_is_installed_on_both() -> None:
    before = f"FROM debian\nRUN curl -o c.deb {URL} \\\n && apt-get install -y ./c.deb xvfb && google-chrome --version\n"
    after = (
        f'FROM debian\nRUN if [ "$(dpkg --print-architecture)" = amd64 ]; then curl -o c.deb {URL} \\\n'
        " && apt-get install -y ./c.deb xvfb; else apt-get install -y chromium xvfb"
        " && ln -s chromium /usr/bin/google-chrome; fi && google-chrome --version\n"
    )
    assert fixed(before) == after
    assert not check(parse(after.encode()), RULES).findings


def test_dpkg_looks_at_no_index_and_apt_does() -> None:
    after = fixed(f"FROM debian\nRUN wget {URL} && dpkg -i {NAME}\n")
    assert after.endswith(f"dpkg -i {NAME}; else apt-get update && apt-get install -y chromium; fi\n")


@pytest.mark.parametrize(
    "text",
    [
        f"FROM ubuntu:22.04\nRUN wget {URL} && apt-get install -y ./{NAME}\n",
        f"FROM debian\nRUN wget {URL}\nRUN apt-get install -y ./{NAME}\n",
        f"FROM debian\nRUN wget {URL} && dpkg -i {NAME} || apt-get install -fy\n",
        f"FROM debian\nRUN wget {URL}; dpkg -i {NAME}\n",
        f"FROM debian\nRUN test -e {NAME} || wget {URL} && dpkg -i {NAME}\n",
        f"FROM debian\nRUN wget {URL} && sudo dpkg -i {NAME}\n",
        f"FROM debian\nRUN wget {URL} && apt-get install -y ./{NAME} && ls *.deb\n",
        f"FROM debian\nRUN wget {URL} && apt-get install -y ./{NAME} && ls /opt/google/chrome\n",
        f'FROM debian\nRUN bash -c "wget {URL} && apt-get install -y ./{NAME}"\n',
    ],
)
def test_what_is_not_one_row_of_commands_on_debian_gets_no_fix(text: str) -> None:
    assert fixed(text) == text
    assert check(parse(text.encode()), RULES).findings


@pytest.mark.parametrize(
    ("options", "package", "found"),
    [
        ("", "google-chrome-stable", False),
        ("[signed-by=/k.gpg] ", "google-chrome-beta", False),
        ("[arch=$(dpkg --print-architecture)] ", "google-chrome-stable", False),
        ("[arch=amd64,arm64] ", "google-chrome-stable", False),
        ("[arch=amd64] ", "google-chrome-stable", True),
        ("", "google-chrome-stable=120.0.6099.109-1", True),
    ],
)
def test_googles_repository_has_chrome_for_arm64(options: str, package: str, found: bool) -> None:
    line = f"deb {options}https://dl.google.com/linux/chrome/deb/ stable main"
    text = (
        f'FROM debian\nRUN echo "{line}" > /etc/apt/sources.list.d/c.list && apt-get update\n'
        f"RUN apt-get install -y {package}\n"
    )
    report = check(parse(text.encode()), load(), Settings(select=("AP302",)))
    assert bool(report.findings) is found
