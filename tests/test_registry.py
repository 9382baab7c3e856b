"""Rule packs by entry point: found when they are right, named when they are not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from archpatch.registry import BrokenPack, load
from archpatch.testing import assert_lawful, assert_well_formed, every_example

SAMPLE = Path(__file__).parent / "sample_pack"

GOOD = """
from archpatch.rule import Example, Rule, Severity

class One(Rule):
    code, name, severity, examples = "ZZ101", "one", Severity.NOTE, ()
    def check(self, document, facts):
        yield from ()

class Two(One):
    code, name = "ZZ102", "two"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts a distribution with a rule pack of this text on the path."""
    modules: list[str] = []

    def put(text: str, name: str = "broken_pack", folder: Path = tmp_path) -> None:
        (folder / f"{name}.py").write_text(text)
        info = folder / f"{name}-0.7.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.7\n")
        (info / "entry_points.txt").write_text(f"[archpatch.rules]\nmine = {name}\n")
        if str(folder) not in sys.path:
            monkeypatch.syspath_prepend(str(folder))
        modules.append(name)
        importlib.invalidate_caches()

    yield put
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The sample pack, installed."""
    monkeypatch.syspath_prepend(str(SAMPLE))
    return importlib.import_module("sample_pack")


def test_the_built_in_rules_come_in_the_order_of_their_codes() -> None:
    codes = [rule.code for rule in load()]
    assert codes == sorted(codes)
    assert "AP101" in codes


def test_rules_of_another_pack_come_too(install: Callable[..., None]) -> None:
    install(GOOD + "RULES = (One(), Two())")
    assert {"ZZ101", "ZZ102"} <= {rule.code for rule in load()}


def test_a_third_party_pack_is_found_and_keeps_the_laws(sample: ModuleType) -> None:
    rules = load()
    assert sample.RULES[0] in rules
    for rule in sample.RULES:
        assert_well_formed(rule)
    for rule, example in every_example(sample.RULES):
        assert_lawful(rule, example, rules)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError", id="a failing import"
        ),
        pytest.param("1 / 0", "cannot be loaded: ZeroDivisionError", id="an exception"),
        pytest.param("x = 1", "cannot be loaded: AttributeError", id="no RULES"),
        pytest.param(GOOD + "RULES = [One()]", "RULES is a list, not a tuple", id="a list"),
        pytest.param(GOOD + "RULES = (One,)", r"in RULES is no Rule object; write One\(\)", id="a class"),
        pytest.param(GOOD + "RULES = (One(), 'two')", "'two' in RULES is no Rule object", id="a text"),
        pytest.param(
            GOOD + "One.code = 'ZZ1'\nRULES = (One(),)", "code 'ZZ1' is not letters", id="a short code"
        ),
        pytest.param(
            GOOD + "One.code = 'AP001'\nRULES = (One(),)", "one of the engine's own", id="a reserved code"
        ),
        pytest.param(
            GOOD + "One.name = 'No_Name'\nRULES = (One(),)", "name 'No_Name' is not", id="a bad name"
        ),
        pytest.param(GOOD + "One.severity = 1\nRULES = (One(),)", "has no severity", id="no severity"),
        pytest.param(
            GOOD + "Two.code = 'ZZ101'\nRULES = (One(), Two())",
            "two rules have the code ZZ101: One in rule pack 'mine' .*and Two in rule pack 'mine'",
            id="one code twice",
        ),
        pytest.param(
            GOOD + "Two.name = 'one'\nRULES = (One(), Two())",
            "two rules have the name one",
            id="one name twice",
        ),
        pytest.param(
            GOOD + "One.code = 'AP101'\nRULES = (One(),)",
            r"two rules have the code AP101.*\(archpatch_rules\) of archpatch",
            id="a code of the built-in pack",
        ),
    ],
)
def test_a_broken_pack_stops_the_run_and_is_named(
    install: Callable[..., None], text: str, message: str
) -> None:
    install(text)
    with pytest.raises(BrokenPack, match=message) as caught:
        load()
    assert "'mine' (broken_pack) of broken_pack 0.7" in str(caught.value)


def test_of_two_distributions_with_one_name_the_first_on_the_path_counts(
    install: Callable[..., None], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    install(GOOD + "RULES = (Two(),)", "twin_pack", second)
    install(GOOD + "RULES = (One(),)", "twin_pack", first)
    codes = {rule.code for rule in load()}
    assert "ZZ101" in codes
    assert "ZZ102" not in codes


def test_no_pack_comes_from_the_current_folder(
    install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    assert "AP101" in {rule.code for rule in load()}
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert "AP101" in {rule.code for rule in load()}
