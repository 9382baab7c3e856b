"""Random Dockerfiles by the hour: each must be read, checked and fixed as promised (`tests/fuzzing.py` has the laws).

    python -m benchmarks.fuzz [--corpus FOLDER] [--minutes N] [--seed N] [--keep FOLDER]

Every input comes from the seed and its number, so that a run can be repeated. What breaks a law is made smaller, line
by line, and kept; ends with status 1 then. One process, one core; run it with several seeds for more.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.fuzzing import Broken, assert_lawful, mutant, seeds

MEMORY = 200  # MiB that the process may hold


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, help="a folder of Dockerfiles to begin from")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the processor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    files = seeds() + _corpus(options.corpus)
    del files[12_000:]
    seen: dict[str, int] = {}
    number = worked = slowest = 0
    while time.process_time() < options.minutes * 60:
        text = mutant(Random(f"{options.seed}-{number}"), files)
        number += 1
        start = time.process_time()
        why = broken(text)
        slowest = max(slowest, int(1000 * (time.process_time() - start)))
        worked += why == "worked"
        if why not in ("", "worked"):
            if why not in seen:
                _keep(options.keep, why, text)
            seen[why] = seen.get(why, 0) + 1
        if number % 2000 == 0:
            print(f"{number} inputs, {worked} with fixes, {len(seen)} ways to break", flush=True)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"seed {options.seed}: {number} inputs in {time.process_time():.0f} s, {worked} with fixes; "
        f"the slowest took {slowest} ms for all questions; {megabytes} MiB"
    )
    for why, times in sorted(seen.items()):
        print(f"{times:6} {why}")
    return bool(seen) or megabytes > MEMORY


def _corpus(folder: Path | None) -> list[bytes]:
    if folder is None:
        return []
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 20_000)
    return [path.read_bytes() for path in paths]


def broken(text: bytes) -> str:
    """Why a text breaks a law; "worked" where it keeps them and something was fixed, "" where nothing was."""
    try:
        return "worked" if assert_lawful(text) else ""
    except Broken as error:
        return str(error)


def _keep(folder: Path, why: str, text: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    small = smaller(why, text)
    name = hashlib.sha256(small).hexdigest()[:12]
    (folder / f"{name}.Dockerfile").write_bytes(small)
    (folder / f"{name}.txt").write_text(why + "\n")
    print(f"{name}: {why}", flush=True)


def smaller(why: str, text: bytes) -> bytes:
    """The text without every run of lines that does not matter for the way it breaks."""
    lines: Sequence[bytes] = text.splitlines(keepends=True)
    size = max(len(lines) // 2, 1)
    while size:
        at = 0
        while at < len(lines):
            without = [*lines[:at], *lines[at + size :]]
            if broken(b"".join(without)) == why:
                lines = without
            else:
                at += size
        size //= 2
    return b"".join(lines)


if __name__ == "__main__":
    sys.exit(main())
