"""Random Dockerfiles that are led by what they reach in the parser, the facts and the rules.

    pip install atheris    # Linux on x86_64; there is no wheel for other machines
    python -m benchmarks.fuzz_atheris [FOLDER OF SEEDS] [-max_total_time=600] [other options of libFuzzer]

Each input is read and checked; one that breaks a law of `tests/fuzzing.py`, or takes more than a second of the
processor for one question, ends the run and is written to `crash-...` by libFuzzer.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["archpatch", "archpatch_rules"]):
    from archpatch.rule import Style
    from tests.fuzzing import assert_checked, seeds


def one(data: bytes) -> None:
    """Raise Broken where the input breaks a law."""
    assert_checked(data, Style.EXPLICIT if data[:1] == b"#" else Style.MINIMAL)


def main() -> None:
    """Hand the inputs of libFuzzer over; the examples of all rules are tried first."""
    for seed in seeds():
        one(seed)
    atheris.Setup([*sys.argv, "-max_len=4096", "-rss_limit_mb=1024"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
