"""Which architectures are asked for."""

from __future__ import annotations

import pytest

from archpatch.facts.targets import choices, only_asked_for, others
from archpatch.platforms import Platform
from tests.facts.build import facts_of


@pytest.mark.parametrize(
    ("targets", "beside", "chosen"),
    [
        pytest.param("linux/amd64", (), ("amd64", "arm64"), id="amd64 alone"),
        pytest.param("linux/amd64 linux/arm64", ("arm64",), ("amd64", "arm64"), id="the default"),
        pytest.param("linux/arm/v6 linux/arm/v7", ("arm",), ("amd64", "arm64", "arm"), id="two variants"),
        pytest.param(
            "linux/s390x linux/arm64", ("s390x", "arm64"), ("amd64", "arm64", "s390x"), id="not amd64"
        ),
    ],
)
def test_architectures_are_named_once_each(
    targets: str, beside: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    asked = facts_of("FROM alpine\n", targets=tuple(map(Platform.parse, targets.split())))
    assert others(asked) == beside
    assert choices(asked) == chosen


def test_windows_on_amd64_is_amd64_too() -> None:
    asked = facts_of(
        "FROM alpine\n", targets=(Platform.parse("linux/amd64"), Platform.parse("windows/amd64"))
    )
    assert only_asked_for(asked, "amd64")
    assert not only_asked_for(asked, "arm64")
