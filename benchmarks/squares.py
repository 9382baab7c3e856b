"""Which rules do more than twice the work where what they look for stands twice as often in a file.

    python -m benchmarks.squares [CODE ...] [--times N] [--all]

Each example of each rule, many times over: in one RUN, in one stage, and in a chain of stages that build on each other.
Work is the lines of Python that `check` runs, counted, so that two runs of this say the same. Printed are the layouts
that grow by more than LIMIT from N times to 2 N times, all of them with --all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise

from archpatch.look import rules
from archpatch.rule import Example
from archpatch.syntax.parse import parse
from archpatch.text import decode, encode
from benchmarks.linear import checked
from benchmarks.steps import steps

LIMIT = 2.3
TIMES = 24


def in_one_run(example: Example, times: int) -> str:
    """The commands of the last stage's RUN instructions in a single one; empty where that would not be the same."""
    head, body = parts(example)
    runs = [text.removeprefix("RUN ").rstrip("\n") for text in body if text.startswith("RUN ")]
    if not runs or any(
        "<<" in run or "\n" in run or run.startswith(("[", "--")) or "#" in run for run in runs
    ):
        return ""
    rest = "".join(text for text in body if not text.startswith(("RUN ", "ONBUILD ")))
    return head + rest + "RUN " + " && \\\n  ".join(runs * times) + "\n"


def in_one_stage(example: Example, times: int) -> str:
    """The instructions of the last stage, again and again."""
    head, body = parts(example)
    return head + "".join(body) * times


def in_a_chain(example: Example, times: int) -> str:
    """The last stage, and others upon it with the same instructions."""
    head, body = parts(example)
    text = "".join(body)
    if " AS " in head.splitlines()[-1].upper():
        return ""
    first = head.rstrip("\n") + " AS chain0\n" + text
    return first + "".join(f"FROM chain{number} AS chain{number + 1}\n{text}" for number in range(times))


LAYOUTS = {"one RUN": in_one_run, "one stage": in_one_stage, "a chain": in_a_chain}


def parts(example: Example) -> tuple[str, tuple[str, ...]]:
    """All up to the last FROM, and each instruction after it with its line end."""
    text = example.before if example.before.endswith("\n") else example.before + "\n"
    document = parse(encode(text))
    if not document.stages:
        return "", ()
    source, body = document.source, document.stages[-1].body
    starts = [*(one.span.start for one in body), len(source)]
    texts = [decode(source[start:end]) for start, end in pairwise([0, *starts])]
    return texts[0], tuple(texts[1:])


def growth(example: Example, times: int) -> Iterator[tuple[str, int, int]]:
    """The name of each layout that fits the example, and the work at so many times and at twice as many."""
    for name, layout in LAYOUTS.items():
        if layout(example, 1) and layout(example, 2) != layout(example, 1):
            once, twice = (encode(layout(example, count)) for count in (times, 2 * times))
            yield name, steps(checked(once)), steps(checked(twice))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line for each layout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("codes", nargs="*", metavar="CODE", help="of rules; all by default")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--all", action="store_true", help="print all layouts")
    options = parser.parse_args(arguments)
    for rule in rules():
        if options.codes and rule.code not in options.codes:
            continue
        for number, example in enumerate(rule.examples):
            for name, once, twice in growth(example, options.times):
                if options.all or twice > LIMIT * once:
                    title = example.title or f"example {number + 1}"
                    print(f"{rule.code}  {twice / once:.2f}  {once:>9}  {name}: {title}", flush=True)


if __name__ == "__main__":
    main()
