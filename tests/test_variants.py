"""Ordinary ways to write each pitfall, which are found and mended, and ordinary ways to be right, which are spared.

The files of `variants` hold one Dockerfile after the other, each below a line `#### NAME`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archpatch.engine import Settings, check, fix
from archpatch.facts import MemoryContext
from archpatch.registry import load
from archpatch.rule import Severity
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

RULES = load()


def variants(name: str) -> list[object]:
    text = (Path(__file__).parent / "variants" / f"{name}.txt").read_text()
    parts = [part.split("\n", 1) for part in text.split("#### ")[1:]]
    return [pytest.param(body, id=title) for title, body in parts]


def serious(text: str) -> list[str]:
    document = parse(text.encode(), Path("Dockerfile"))
    report = check(document, RULES, Settings(), MemoryContext({"Dockerfile": text}))
    return [finding.code for finding in report.findings if finding.severity >= Severity.WARNING]


@pytest.mark.parametrize("text", variants("found"))
def test_a_pitfall_is_found_and_mended_however_it_is_written(text: str) -> None:
    assert serious(text)
    context = MemoryContext({"Dockerfile": text})
    document = parse(text.encode(), Path("Dockerfile"))
    mended = fix(document, RULES, Settings(), context, Applicability.UNSAFE).source.decode()
    assert serious(mended) == []


@pytest.mark.parametrize("text", variants("quiet"))
def test_what_is_right_is_spared_however_it_is_written(text: str) -> None:
    assert serious(text) == []
