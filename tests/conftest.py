"""What tests share: the corpus of real files, the engine, and what happens where one of them is missing.

`ARCHPATCH_CORPUS` names a folder of real Dockerfiles. Without it, or without a Docker engine, the tests that need
them are skipped, visibly; with `ARCHPATCH_REQUIRE_ENGINE=1` such a skip is a failure. `ARCHPATCH_FULL=1` takes
every file of the corpus where a test otherwise takes a sample, and the long form of a test that has one: these bear
the marker `long`, or `hypothesis`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.forks import Forks

FULL = os.environ.get("ARCHPATCH_FULL") == "1"
REQUIRED = os.environ.get("ARCHPATCH_REQUIRE_ENGINE") == "1"
_NEEDS = ("corpus", "engine")  # fixtures and markers of one name
_PROGRAM = (sys.executable, "-c", "from archpatch.cli import main; main()")

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def examples(short: int, long: int) -> int:
    """How many examples to try: `long` with ARCHPATCH_FULL=1."""
    return long if FULL else short


def pytest_configure(config: pytest.Config) -> None:
    # How long one example takes says something of the machine and nothing of the law.
    hypothesis.settings.register_profile("steady", deadline=None, max_examples=examples(40, 200))
    hypothesis.settings.load_profile("steady")
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # started in the background of a shell: as would our programs
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "corpus: needs the real files that ARCHPATCH_CORPUS names")
    config.addinivalue_line("markers", "slow: takes more than five seconds")
    config.addinivalue_line("markers", "long: does more with ARCHPATCH_FULL=1")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, _caches: Iterator[str]) -> None:
    """Each test has a cache of its own: none reads what another kept, nor what the user has."""
    monkeypatch.setenv("XDG_CACHE_HOME", next(_caches))


@pytest.fixture(scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    base = tmp_path_factory.mktemp("caches")
    return (str(base / str(number)) for number in itertools.count())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the fixture `corpus` or `engine` bears the marker too."""
    for item in items:
        for name in set(_NEEDS) & set(getattr(item, "fixturenames", ())):
            item.add_marker(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where the engine is required, a test that needs it and was skipped has failed."""
    report = yield
    wanted = any(item.get_closest_marker(name) for name in _NEEDS)
    if REQUIRED and wanted and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although ARCHPATCH_REQUIRE_ENGINE=1: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files."""
    named = os.environ.get("ARCHPATCH_CORPUS")
    if not named:
        pytest.skip("ARCHPATCH_CORPUS names no folder of real files")
    folder = Path(named).resolve()
    assert folder.is_dir(), f"ARCHPATCH_CORPUS is no folder: {folder}"
    return folder


@pytest.fixture(scope="session")
def engine() -> str:
    """The version of the Docker engine that answers through buildx."""
    if shutil.which("docker") is None:
        pytest.skip("no docker program")
    for question in (
        ["docker", "buildx", "inspect"],
        ["docker", "version", "--format", "{{.Server.Version}}"],
    ):
        asked = subprocess.run(question, capture_output=True, text=True, timeout=60)
        if asked.returncode != 0:
            pytest.skip(f"no Docker engine answers: {asked.stderr.strip()[:200]}")
    return asked.stdout.strip()


@pytest.fixture(scope="session")
def archpatch() -> Iterator[Run]:
    """Runs the program as a user does: `archpatch("fix", "--unsafe", folder)`; options go to subprocess.run.

    A run that needs no more than a folder, an environment and a time limit is forked (`tests/forks.py`), unless
    ARCHPATCH_FULL=1 asks for real starts.
    """
    forks = Forks()

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        settings = {"capture_output": True, "timeout": 120, "stdin": subprocess.DEVNULL, **options}
        environment = {**options.get("env", os.environ)}
        alike = environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH")
        if alike and options.keys() <= {"cwd", "env", "timeout"} and not FULL and hasattr(os, "fork"):
            return forks.run(
                list(map(str, arguments)), options.get("cwd", "."), environment, settings["timeout"]
            )
        if "input" in settings:
            del settings["stdin"]
        return subprocess.run([*_PROGRAM, *map(str, arguments)], **settings)

    yield run
    forks.close()
