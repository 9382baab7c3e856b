"""The word that was meant by a misspelt one."""

from __future__ import annotations

import pytest

from archpatch.misspelt import close, nearest

CODES = ("AP109", "AP611", "AP101", "go-goarch-literal")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        pytest.param("AP1O1", "AP101", id="a letter for a digit: the beginning counts"),
        pytest.param("AP1090", "AP109", id="one letter too many"),
        pytest.param("go-goarch", "go-goarch-literal", id="half of a name"),
    ],
)
def test_the_word_that_is_most_alike_is_meant(word: str, meant: str) -> None:
    assert nearest(word, CODES) == meant
    assert close(word, CODES) == meant


def test_a_word_that_is_like_none_means_none() -> None:
    assert nearest("ZZ9", CODES) in CODES
    assert close("ZZ9", CODES) is None
