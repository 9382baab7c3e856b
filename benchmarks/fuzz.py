"""Random Dockerfiles by the hour: each must be read, checked and fixed as promised (`tests/fuzzing.py` has the laws).

    python -m benchmarks.fuzz [--corpus FOLDER] [--minutes N] [--inputs N] [--small] [--seed N] [--keep FOLDER]

Every input comes from the seed and its number, so that a run can be repeated. What breaks a law is made smaller, line
by line, and kept; ends with status 1 then. One process, one core; run it with several seeds for more.

With --small an input is some lines of a file. Each is read and checked, in one style or the other; every tenth is
also mended and must keep all the laws. That is some fifty times as many inputs in the same time.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from archpatch.rule import Style
from tests.fuzzing import Broken, assert_checked, assert_lawful, mutant, seeds, small

MEMORY = 200  # MiB that the process may hold
Laws = Callable[[bytes], bool]
READS: tuple[Laws, ...] = tuple(partial(assert_checked, style=style) for style in Style)
ALL_LAWS = 10  # with --small: one input of so many is mended


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, help="a folder of Dockerfiles to begin from")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the processor")
    parser.add_argument("--inputs", type=int, default=10**9, help="no more than these")
    parser.add_argument("--small", action="store_true", help="a few lines each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    files = seeds() + _corpus(options.corpus)
    del files[12_000:]
    seen: dict[str, int] = {}
    number = mended = worked = slowest = 0
    make = small if options.small else mutant
    while time.process_time() < options.minutes * 60 and number < options.inputs:
        text = make(Random(f"{options.seed}-{number}"), files)
        laws: Laws = (
            assert_lawful if not options.small or number % ALL_LAWS == 0 else READS[number % len(READS)]
        )
        number += 1
        mended += laws is assert_lawful
        start = time.process_time()
        why = broken(text, laws)
        slowest = max(slowest, int(1000 * (time.process_time() - start)))
        worked += why == "worked" and laws is assert_lawful
        if why not in ("", "worked"):
            if why not in seen:
                _keep(options.keep, why, text, laws)
            seen[why] = seen.get(why, 0) + 1
        if number % 2000 == 0:
            print(f"{number} inputs, {worked} mended, {len(seen)} ways to break", flush=True)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"seed {options.seed}: {number} inputs in {time.process_time():.0f} s, {mended} of them under all laws, "
        f"{worked} of those mended; the slowest took {slowest} ms for all questions; {megabytes} MiB"
    )
    for why, times in sorted(seen.items()):
        print(f"{times:6} {why}")
    return bool(seen) or megabytes > MEMORY


def _corpus(folder: Path | None) -> list[bytes]:
    if folder is None:
        return []
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 20_000)
    return [path.read_bytes() for path in paths]


def broken(text: bytes, laws: Laws) -> str:
    """Why a text breaks a law; "worked" where it keeps them and something can be fixed, "" where nothing can."""
    try:
        return "worked" if laws(text) else ""
    except Broken as error:
        return str(error)


def _keep(folder: Path, why: str, text: bytes, laws: Laws) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    least = smaller(why, text, laws)
    name = hashlib.sha256(least).hexdigest()[:12]
    (folder / f"{name}.Dockerfile").write_bytes(least)
    (folder / f"{name}.txt").write_text(why + "\n")
    print(f"{name}: {why}", flush=True)


def smaller(why: str, text: bytes, laws: Laws) -> bytes:
    """The text without every run of lines that does not matter for the way it breaks."""
    lines: Sequence[bytes] = text.splitlines(keepends=True)
    size = max(len(lines) // 2, 1)
    while size:
        at = 0
        while at < len(lines):
            without = [*lines[:at], *lines[at + size :]]
            if broken(b"".join(without), laws) == why:
                lines = without
            else:
                at += size
        size //= 2
    return b"".join(lines)


if __name__ == "__main__":
    sys.exit(main())
