"""Programs that run too long, print too much or leave children behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archpatch.verify import process
from archpatch.verify.process import NoProgram, Runner


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_output_code_and_input_pass_through(tmp_path: Path) -> None:
    code = "import sys, os; print(sys.stdin.read() + os.getcwd()); print('e', file=sys.stderr); sys.exit(3)"
    done = Runner().run(python(code), timeout=20, stdin=b"in ", cwd=tmp_path)
    assert (done.code, done.out, done.err, done.ok) == (3, f"in {tmp_path}\n", "e\n", False)


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(NoProgram, match="no-such-program"):
        Runner().run(("no-such-program",), timeout=5)


def test_the_time_limit_ends_a_program_and_its_children(tmp_path: Path) -> None:
    child = "import time; time.sleep(60)"
    code = f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', {child!r}]); print(p.pid, flush=True); time.sleep(60)"
    started = time.monotonic()
    done = Runner().run(python(code), timeout=2)
    assert done.code is None
    assert time.monotonic() - started < 20
    pid = int(done.out)
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists() or b"Z" in Path(f"/proc/{pid}/stat").read_bytes().split()[2:3]:
            break
        time.sleep(0.1)
    else:
        os.kill(pid, 9)
        pytest.fail("a child outlived its parent")


def test_output_without_end_is_kept_at_both_ends_in_bounded_memory() -> None:
    done = Runner().run(python("print('first'); print('x' * 30_000_000); print('last')"), timeout=60)
    assert done.out.startswith("first\n")
    assert done.out.endswith("last\n")
    assert "bytes left out" in done.out
    assert len(done.out) < 3 << 20


def test_lines_of_standard_error_are_handed_over_as_they_come() -> None:
    lines: list[bytes] = []
    Runner().run(python("import sys; sys.stderr.write('a\\nb')"), timeout=20, on_line=lines.append)
    assert lines == [b"a\n", b"b"]


def test_stop_ends_what_runs_and_starts_nothing_more() -> None:
    runner = Runner()
    threading.Timer(1.0, runner.stop).start()
    started = time.monotonic()
    assert runner.run(python("import time; time.sleep(60)"), timeout=50).code is None
    assert time.monotonic() - started < 30
    with pytest.raises(NoProgram, match="stopped"):
        runner.run(python("1"), timeout=5)


def test_programs_that_do_not_heed_a_stop_are_given_their_time_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_GRACE", 2.0)
    runner = Runner()
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(runner.run, python(deaf), timeout=50)
        time.sleep(1.5)
        started = time.monotonic()
        runner.stop()
        assert time.monotonic() - started < 13  # one after the other they take 16 s and more
