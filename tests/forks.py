"""The program as a process of its own, forked from one that has it loaded: in a tenth of the time that a start takes.

`python -m tests.forks` reads a line of JSON for each run, `run` writes them. What a start itself does (imports, the
interpreter's options) is not tried by this; `tests/test_floors.py` and `tests/cli` do.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def serve() -> None:
    """Fork a child for each line of standard input; print its pid, and its exit status when it has ended."""
    import archpatch
    import archpatch_rules

    for package in (archpatch, archpatch_rules):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    from archpatch.cli import main

    while line := sys.stdin.readline():
        task = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(**task)
            main()
            return
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _become(arguments: list[str], folder: str, environment: dict[str, str], output: str, errors: str) -> None:
    sys.argv = ["archpatch", *arguments]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, output, os.O_WRONLY),
        (2, errors, os.O_WRONLY),
    ):
        opened = os.open(path, flags)
        os.dup2(opened, descriptor)
        os.close(opened)


class Forks:
    """A server that has the program loaded, started at the first run."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None

    def run(
        self, arguments: Sequence[str], folder: str | Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the program. Raises subprocess.TimeoutExpired, after the child was killed."""
        if self._server is None:
            self._server = subprocess.Popen(
                (sys.executable, "-m", "tests.forks"),
                cwd=ROOT,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
            task = {
                "arguments": list(arguments),
                "folder": os.path.abspath(folder),
                "environment": dict(environment),
                "output": output.name,
                "errors": errors.name,
            }
            assert self._server.stdin
            assert self._server.stdout
            self._server.stdin.write(json.dumps(task).encode() + b"\n")
            pid = int(self._server.stdout.readline())
            if not select.select([self._server.stdout], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout)
            code = int(self._server.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.communicate()


if __name__ == "__main__":
    serve()
