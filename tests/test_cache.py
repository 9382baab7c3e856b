"""What is kept between runs changes nothing but time."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from archpatch import cache, session
from archpatch.cache import Cache, look_and_keep, opened
from archpatch.checking import Settings
from archpatch.discover import discover
from archpatch.look import Task, look
from archpatch.report.model import FileResult, Verb
from archpatch.rule import Severity, Style
from archpatch.session import Options
from archpatch.tables import Tables
from archpatch.text import Applicability
from tests.conftest import Run

SOURCE = b"FROM --platform=$BUILDPLATFORM python:3.12\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the cache."""
    return tmp_path / "cache"


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A Dockerfile that asks its context."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "Dockerfile").write_bytes(SOURCE)
    (tree / "requirements.txt").write_text("flask\n")
    return _task(tree / "Dockerfile")


def _task(path: Path, settings: Settings | None = None, fail_on: Severity = Severity.WARNING) -> Task:
    return Task(path, settings or Settings(), fail_on, Verb.CHECK, Applicability.SAFE)


def _kept(folder: Path, task: Task) -> FileResult | None:
    found = opened(folder)
    assert found is not None
    return found.find(task)


def test_what_is_kept_is_what_a_look_gives(folder: Path, task: Task) -> None:
    assert _kept(folder, task) is None
    first = look_and_keep(folder, task)
    assert first == look(task)
    assert isinstance(first, FileResult)
    assert first.entries
    assert _kept(folder, task) == first


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Dockerfile", SOURCE + b"RUN true\n"),
        ("requirements.txt", b"grpcio==1.30.0\n"),
        (".dockerignore", b"*\n"),
        ("Dockerfile.dockerignore", b"*\n"),
        ("setup.py", b"import platform\n"),
        ("Dockerfile.arm64", b"FROM scratch\n"),
    ],
)
def test_a_file_that_is_changed_or_new_is_seen(folder: Path, task: Task, name: str, text: bytes) -> None:
    (task.path.parent / "Dockerfile.amd64").write_bytes(SOURCE)
    named = _task(task.path.parent / "Dockerfile.amd64")
    for one in (task, named):
        look_and_keep(folder, one)
    (task.path.parent / name).write_bytes(text)
    seen = [_kept(folder, one) for one in (task, named)]
    assert None in seen
    for one, found in zip((task, named), seen, strict=True):
        assert found is None or found == look(one)


def test_a_file_of_the_context_that_is_gone_is_missed(folder: Path, task: Task) -> None:
    look_and_keep(folder, task)
    (task.path.parent / "requirements.txt").unlink()
    assert _kept(folder, task) is None


def test_other_settings_have_other_results(folder: Path, task: Task, tmp_path: Path) -> None:
    look_and_keep(folder, task)
    table = tmp_path / "own.tsv"
    for other in (
        _task(task.path, Settings(style=Style.EXPLICIT)),
        _task(task.path, Settings(select=("AP1",))),
        _task(task.path, Settings(ignore=("AP101",))),
        _task(task.path, Settings(extend_select=("AP112",))),
        _task(task.path, Settings(targets=Settings().targets[:1])),
        _task(task.path, fail_on=Severity.ERROR),
    ):
        assert _kept(folder, other) is None
    table.write_text("one")
    mine = _task(task.path, Settings(tables=Tables((table,))))
    before = Cache(folder).key(mine, SOURCE)
    table.write_text("two")
    assert before != Cache(folder).key(mine, SOURCE)


def test_other_code_has_other_results(folder: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Cache(folder).key(task, SOURCE)
    assert before == Cache(folder).key(task, SOURCE)
    monkeypatch.setattr(cache, "__version__", "0.0.0")
    assert before != Cache(folder).key(task, SOURCE)


def test_a_changed_file_of_a_pack_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, metadata = tmp_path / "site" / "mypack", tmp_path / "site" / "mypack-1.dist-info"
    pack.mkdir(parents=True)
    metadata.mkdir()
    (pack / "__init__.py").write_text("RULES = ()\n")
    (metadata / "entry_points.txt").write_text("[archpatch.rules]\nmine = mypack\n")
    alone = cache.program()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    first = cache.program()
    (pack / "rule.py").write_text("x = 1\n")
    assert len({alone, first, cache.program()}) == 3


@pytest.mark.parametrize("how", ["truncated", "empty", "other text", "a link", "a folder", "another's key"])
def test_an_entry_that_is_not_what_was_written_is_not_read(folder: Path, task: Task, how: str) -> None:
    look_and_keep(folder, task)
    entries = [path for path in (folder / "check").rglob("*") if path.is_file()]
    (entry,) = entries
    text = entry.read_bytes()
    if how == "truncated":
        entry.write_bytes(text[:-1])
    elif how == "empty":
        entry.write_bytes(b"")
    elif how == "other text":
        entry.write_bytes(text.replace(b"AP101", b"AP102"))
    elif how == "a link":
        entry.rename(folder / "elsewhere")
        entry.symlink_to(folder / "elsewhere")
    elif how == "a folder":
        entry.unlink()
        entry.mkdir()
    else:
        (task.path.parent / "Dockerfile").write_bytes(SOURCE + b"RUN true\n")
        key = Cache(folder).key(task, SOURCE + b"RUN true\n")
        assert key is not None
        other = folder / "check" / key[:2] / key[2:]
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(text)
    assert _kept(folder, task) is None
    assert look_and_keep(folder, task) == look(task)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_folder_is_closed_to_others_and_one_that_is_not_is_not_used(tmp_path: Path, task: Task) -> None:
    own = tmp_path / "own"
    assert Cache(own).usable()
    assert stat.S_IMODE((own / "check").stat().st_mode) == 0o700
    open_ = tmp_path / "open"
    (open_ / "check").mkdir(parents=True)
    (open_ / "check").chmod(0o777)
    assert not Cache(open_).usable()
    (tmp_path / "link").symlink_to(own)
    assert not Cache(tmp_path / "link").usable()
    assert look_and_keep(open_, task) == look(task)
    assert not list((open_ / "check").iterdir())


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, task: Task) -> None:
    (tmp_path / "file").write_text("")
    assert look_and_keep(tmp_path / "file" / "cache", task) == look(task)


def test_what_went_wrong_inside_is_not_kept(
    folder: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archpatch.engine.State.report", property(lambda _: 1 / 0))
    assert look_and_keep(folder, task).errors
    assert _kept(folder, task) is None


def test_a_finding_in_another_file_is_not_kept(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.12\nCOPY . .\nRUN pip install .\n")
    (tmp_path / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "setup(ext_modules=[Extension('a', ['a.c'], extra_compile_args=['-mavx2'])])\n"
    )
    task = _task(tmp_path / "Dockerfile")
    found = look_and_keep(folder, task)
    assert isinstance(found, FileResult)
    assert found.others
    assert _kept(folder, task) is None


def test_the_oldest_entries_go(folder: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MOST", 10)
    kept = opened(folder)
    assert kept is not None
    for number in range(14):
        task.path.write_bytes(SOURCE + b"#" * number)
        look_and_keep(folder, task)
        (newest,) = [p for p in (folder / "check").rglob("*") if p.is_file() and p.stat().st_mtime > 1e9]
        os.utime(newest, (number, number))
    kept.prune()
    ages = sorted(p.stat().st_mtime for p in (folder / "check").rglob("*") if p.is_file())
    assert ages == list(range(5, 14))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_warm_run_gives_what_a_cold_one_gave(
    folder: Path, corpus: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(corpus)
    found = discover([Path("boutique"), *sorted(Path("real").iterdir())[::12]])
    anew = session.run(found, Options(jobs=jobs))
    cold = session.run(found, Options(jobs=jobs, cache=folder))
    warm = session.run(found, Options(jobs=jobs, cache=folder))
    for one in (cold, warm):
        assert (one.files, one.errors, [*one.rules]) == (anew.files, anew.errors, [*anew.rules])
    kept = opened(folder)
    assert kept is not None
    tasks, _ = session.tasks(found, Options(cache=folder))
    hits = [kept.find(task) for task in tasks]
    assert sum(one is not None for one in hits) > 0.9 * len(hits)


FORMATS = ("full", "concise", "json", "sarif", "html", "markdown", "rdjson", "junit")


def test_every_report_is_the_same_from_the_cache(archpatch: Run, tmp_path: Path, task: Task) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "xdg")}

    def check(*options: str) -> dict[str, bytes]:
        outputs = [f"--output-format={name}:{tmp_path / name}" for name in FORMATS]
        archpatch("check", "--isolated", *outputs, *options, "tree", cwd=tmp_path, env=environment)
        return {name: (tmp_path / name).read_bytes().replace(b"--no-cache ", b"") for name in FORMATS}

    anew = check("--no-cache")
    assert not (tmp_path / "xdg").exists()
    cold = check()
    assert (tmp_path / "xdg" / "archpatch" / "check").is_dir()
    warm = check()
    for name in FORMATS:
        assert cold[name] == warm[name], name
    assert json.loads(warm["json"])["findings"] == json.loads(anew["json"])["findings"]
