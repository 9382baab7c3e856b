"""How fast archpatch is, beside hadolint and tally in the same run.

    python benchmarks/bench.py CORPUS [--files N] [--peer-files N] [--repeat N] [--lines N] [--json FILE]

CORPUS is a folder of Dockerfiles. Peers are slow on many files, so they may get a sample (every n-th file); their
time is then scaled to the whole, and the table says so: a sample that happens to hold more of the long files overstates
it. Times are wall-clock seconds, the best of the repeats, and seconds of all processors, which other work on the machine
disturbs less; memory is that of the largest process. Needs hadolint, tally and dockerfile beside the interpreter (the
extra `dev`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

BIN = Path(sys.executable).parent
CHECK = (
    str(BIN / "archpatch"),
    "check",
    "--isolated",
    "--no-cache",
    "--exit-zero",
    "--output-format",
    "json",
)
HADOLINT = (str(BIN / "hadolint"), "--no-fail", "--format", "json")
TALLY = (
    str(BIN / "tally"),
    "lint",
    "--no-config",
    "--slow-checks",
    "off",
    "--fail-level",
    "none",
    "--format",
    "json",
)
LIMIT = 120.0  # seconds that a program may take


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program: `seconds` is infinite where it took longer than LIMIT."""

    seconds: float
    cpu: float  # seconds of all processors
    megabytes: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `ratio`: how many times longer than archpatch, or than `python -c pass`."""

    what: str
    program: str
    run: Run
    ratio: float
    remark: str = ""

    def __str__(self) -> str:
        seconds = f"> {LIMIT:.0f} s" if self.run.seconds == float("inf") else f"{self.run.seconds:8.3f} s"
        return (
            f"| {self.what} | {self.program} | {seconds} | {self.ratio:7.2f} | {self.run.cpu:8.3f} s |"
            f" {self.run.megabytes:6.0f} MB |"
            f" {self.remark} |"
        )


def once(command: Sequence[str]) -> Run:
    """Run a command with its output thrown away."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - start
        if pid:
            break
        if seconds > LIMIT:
            process.kill()
            os.wait4(process.pid, 0)
            process.returncode = -9
            return Run(float("inf"), float("inf"), 0)
        time.sleep(min(0.0005 + seconds / 500, 0.05))
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 4):  # findings, or files that do not parse
        sys.exit(f"{' '.join(command)[:200]} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def best(command: Sequence[str], repeat: int) -> Run:
    """The fastest of several runs, with the most memory of them."""
    runs = [once(command) for _ in range(repeat)]
    return Run(
        min(run.seconds for run in runs), min(run.cpu for run in runs), max(run.megabytes for run in runs)
    )


def long_run(lines: int) -> bytes:
    """A Dockerfile with one RUN of so many continuation lines, 16 bytes each."""
    return b"FROM debian:bookworm\nRUN true \\\n" + b"  && echo line \\\n" * lines + b"  && true\n"


def start_up(file: Path, repeat: int) -> Iterator[Row]:
    """One small file, beside an interpreter that does nothing."""
    what = "one file"
    nothing = best((sys.executable, "-c", "pass"), repeat)
    yield Row(what, "python -c pass", nothing, 1.0)
    for name, command in (
        ("archpatch --version", (CHECK[0], "--version")),
        ("archpatch check", (*CHECK, str(file))),
        ("hadolint", (*HADOLINT, str(file))),
        ("tally", (*TALLY, str(file))),
    ):
        run = best(command, repeat)
        more = (run.seconds - nothing.seconds) * 1000
        yield Row(what, name, run, run.seconds / nothing.seconds, f"{more:+.0f} ms")


def many(files: Sequence[Path], peer_files: int, repeat: int) -> Iterator[Row]:
    """All files in one run each. A sample's time is scaled without the start-up."""
    what = f"{len(files)} files"
    ours = best((*CHECK, *map(str, files)), repeat)
    yield Row(what, "archpatch", ours, 1.0, f"{ours.seconds / len(files) * 1000:.2f} ms a file")
    step = max(1, len(files) // peer_files)
    sample = files[::step]
    for name, command in (("hadolint", HADOLINT), ("tally", TALLY)):
        run = once((*command, *map(str, sample)))
        smallest = min(files, key=lambda file: file.stat().st_size)
        start = once((*command, str(smallest))) if step > 1 else Run(0, 0, 0)
        times = len(files) / len(sample)
        scaled = Run(
            start.seconds + max(0.0, run.seconds - start.seconds) * times,
            start.cpu + max(0.0, run.cpu - start.cpu) * times,
            run.megabytes,
        )
        remark = f"scaled from {len(sample)} files" if step > 1 else ""
        yield Row(what, name, scaled, scaled.seconds / ours.seconds, remark)


def one_core(files: Sequence[Path], repeat: int) -> Iterator[Row]:
    """One process, beside the least that a reader must do (floor.py)."""
    what = f"{len(files)} files, one process"
    if find_spec("dockerfile") is None:
        sys.exit("floor.py needs the extra `dev`")
    least = best((sys.executable, str(Path(__file__).with_name("floor.py")), *map(str, files)), repeat)
    yield Row(what, "Moby's parser and the grammar of bash", least, 1.0)
    ours = best((*CHECK, "--jobs", "1", *map(str, files)), repeat)
    yield Row(what, "archpatch", ours, ours.cpu / least.cpu, "ratio of processor time")


def kept(files: Sequence[Path], folder: Path, repeat: int) -> Iterator[Row]:
    """All files, and the small one, with their results kept from a run before."""
    os.environ["XDG_CACHE_HOME"] = str(folder)
    warm = tuple(word for word in CHECK if word != "--no-cache")
    for what, some in ((f"{len(files)} files, kept", files), ("one file, kept", files[:1])):
        once((*warm, *map(str, some)))
        yield Row(what, "archpatch", best((*warm, *map(str, some)), repeat), 1.0)


def one_long_run(folder: Path, lines: int, repeat: int) -> Iterator[Row]:
    """A RUN of many lines; the time of a small file is taken off, so what is left is the text's."""
    small, large = folder / "Dockerfile.small", folder / "Dockerfile.large"
    small.write_bytes(long_run(1))
    large.write_bytes(long_run(lines))
    what = f"RUN of {lines} lines, {large.stat().st_size // 1000} kB"
    ours = 0.0
    for name, command in (("archpatch", CHECK), ("hadolint", HADOLINT), ("tally", TALLY)):
        times = repeat if name == "archpatch" else 1
        floor, run = best((*command, str(small)), repeat), best((*command, str(large)), times)
        net = Run(max(run.seconds - floor.seconds, 0.001), max(run.cpu - floor.cpu, 0.001), run.megabytes)
        ours = ours or net.seconds
        yield Row(what, name, net, net.seconds / ours, "without start-up")


def main() -> None:
    """Measure, print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--files", type=int, default=10**9, help="take no more files than this")
    parser.add_argument(
        "--peer-files", type=int, default=10**9, help="take about this many of them for the peers"
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--lines", type=int, default=3000, help="of the long RUN")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    named = re.compile("dockerfile|containerfile", re.IGNORECASE)
    found = sorted(path for path in options.corpus.rglob("*") if path.is_file() and named.search(path.name))
    files = found[:: max(1, len(found) // options.files)]
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors\n")
    print("| what | program | time | ratio | processor | memory | |\n|---|---|---|---|---|---|---|")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "Dockerfile")
        small.write_bytes(b"FROM --platform=$BUILDPLATFORM python:3.12\nRUN pip install flask\n")
        for row in itertools.chain(
            start_up(small, options.repeat),
            many(files, options.peer_files, max(1, options.repeat // 2)),
            one_core(files, max(1, options.repeat // 2)),
            kept(files, Path(folder), options.repeat),
            one_long_run(Path(folder), options.lines, options.repeat),
        ):
            print(row, flush=True)
            rows.append(row)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
