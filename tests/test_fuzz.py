"""Random Dockerfiles keep the laws. The long form: `python -m benchmarks.fuzz`."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.fuzzing import Broken, assert_lawful, mutant, seeds

SEEDS = seeds()
FOUND = sorted((Path(__file__).parent / "fuzzed").glob("*.Dockerfile"))


@settings(
    max_examples=int(os.environ.get("ARCHPATCH_FUZZ", examples(60, 1000))),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(st.randoms(use_true_random=False))
def test_a_random_dockerfile_keeps_the_laws(random: Random) -> None:
    assert_lawful(mutant(random, SEEDS))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_broke_a_law_once_keeps_them_all_now(path: Path) -> None:
    assert_lawful(path.read_bytes())


def test_a_second_fix_that_changes_the_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = b"FROM debian\nRUN curl -fLO https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubectl\n"
    assert assert_lawful(source)
    real = __import__("archpatch.engine", fromlist=["fix"]).fix

    def fix(document: object, *rest: object) -> object:
        outcome = real(document, *rest)
        return type(outcome)(outcome.source + b"# more\n", outcome.report)

    monkeypatch.setattr("archpatch.engine.fix", fix)
    with pytest.raises(Broken, match="a second run changes the file again"):
        assert_lawful(source)
