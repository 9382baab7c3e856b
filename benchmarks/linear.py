"""Whether time grows with the size of a file and no faster, for files of many shapes; the same through hadolint and tally.

    python -m benchmarks.linear [SHAPE ...] [--kib 256 512 1024] [--repeat N] [--peers]

Seconds of the processor for a check with every rule, start-up and report left out, the best of the repeats; then how
many times longer each size takes than the one before, and by how much the largest makes the process grow. With
--peers, hadolint and tally (from the extra `dev`) get the smallest size, their start-up taken off; LIMIT seconds end them.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from archpatch.checking import Settings
from archpatch.look import Task, look, rules
from archpatch.report.model import Verb
from archpatch.rule import Severity
from archpatch.text import Applicability

Shape = Callable[[int], str]  # a file of about so many bytes

SHAPES: dict[str, Shape] = {
    "many instructions": lambda n: "FROM debian:12\n" + "RUN apt-get install -y gcc-amd64\n" * (n // 33),
    "one RUN of many continuation lines": lambda n: (
        "FROM debian:12\nRUN true \\\n" + "  && echo x86_64 \\\n" * (n // 18) + "  && true\n"
    ),
    "comments inside a continuation": lambda n: (
        "FROM debian:12\nRUN true \\\n" + "# amd64\n" * (n // 8) + "  && true\n"
    ),
    "many stages that build on each other": lambda n: (
        "FROM debian:12 AS s0\n" + "".join(f"FROM s{i} AS s{i + 1}\nARG TARGETARCH\n" for i in range(n // 40))
    ),
    "downloads of stages that build on each other": lambda n: (
        "FROM debian:12 AS s0\n"
        + "".join(
            f"FROM s{i} AS s{i + 1}\nARG BUILDARCH\nRUN curl -O https://example.com/t-$BUILDARCH\n"
            for i in range(n // 84)
        )
    ),
    "packages of stages that build on each other": lambda n: (
        "FROM alpine:3.19 AS s0\n"
        + "".join(
            f"FROM s{i} AS s{i + 1}\nRUN apk add py3-pip gcc && pip install grpcio && make\n"
            for i in range(n // 76)
        )
    ),
    "copies between stages": lambda n: (
        "FROM debian:12 AS s0\n"
        + "".join(f"FROM scratch AS s{i + 1}\nCOPY --from=s{i} /a /a\n" for i in range(n // 48))
    ),
    "one heredoc": lambda n: "FROM debian:12\nRUN <<EOF\n" + "echo $TARGETARCH amd64\n" * (n // 23) + "EOF\n",
    "many heredocs": lambda n: (
        "FROM debian:12\n" + "RUN <<EOF\ncurl -LO https://example.com/t-amd64\nEOF\n" * (n // 50)
    ),
    "arms of a case": lambda n: (
        'FROM debian:12\nARG TARGETARCH\nRUN case "$TARGETARCH" in \\\n'
        + "".join(f"  x{i}) A={i} ;; \\\n" for i in range(n // 18))
        + "  esac; echo $A\n"
    ),
    "arguments and variables": lambda n: (
        "FROM debian:12\n" + "".join(f"ARG A{i}=amd64\nENV B{i}=$A{i}\n" for i in range(n // 32))
    ),
    "nothing but ARG": lambda n: "FROM debian:12\n" + "ARG A\n" * (n // 6),
    "one long line": lambda n: "FROM debian:12\nRUN echo " + "amd64 " * (n // 6) + "\n",
    "lines of 65,000 characters": lambda n: (
        "FROM debian:12\n" + ("RUN echo " + "amd64-" * 10_832 + "\n") * max(1, n // 65_000)
    ),
    "assignments of one line": lambda n: "FROM debian:12\nRUN <<EOF\n" + "A=amd64 " * (n // 8) + "\nx\nEOF\n",
    "quotes that never end": lambda n: (
        "FROM debian:12\nRUN echo '"
        + "\"x86_64 '" * (n // 30 * 3)
        + "\n"  # of three, the last opens one anew
    ),
    "nested expansions": lambda n: "FROM debian:12\n" + "ENV A=${B:-${C:-${D:-amd64}}}\n" * (n // 30),
    "expansions in each other": lambda n: (
        "FROM debian:12\nENV A=" + "${B:-" * (n // 6) + "amd64" + "}" * (n // 6) + "\n"
    ),
    "substitutions in each other": lambda n: (
        "FROM debian:12\nRUN echo " + "$(echo " * (n // 8) + "amd64" + ")" * (n // 8) + "\n"
    ),
    "downloads": lambda n: (
        "FROM debian:12\n" + "RUN curl -fsSLO https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubectl\n" * (n // 66)
    ),
    "downloads of one RUN": lambda n: (
        "FROM debian:12\nRUN set -e"
        + "".join(f" && \\\n  curl -fsSLO https://example.com/{i}/t-linux-amd64" for i in range(n // 58))
        + "\n"
    ),
    "loops of one RUN": lambda n: (
        "FROM debian:12\nRUN set -e"
        + "".join(f"; for f in t{i}-amd64; do curl -fO https://example.com/$f; done" for i in range(n // 58))
        + "\n"
    ),
    "downloads whose fixes are proved": lambda n: (
        "FROM debian:12\n"
        + "RUN curl -fLO https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$(uname -m)\n"
        * (n // 101)
    ),
    "one long URL": lambda n: (
        "FROM debian:12\nRUN curl -LO https://example.com/" + "-amd64-" * (n // 7) + "\n"
    ),
    "many files of one COPY": lambda n: "FROM debian:12\nCOPY" + " t-amd64" * (n // 8) + " /opt/\n",
    "packages of one line": lambda n: (
        "FROM debian:12\nRUN apt-get install -y" + " libc6:amd64" * (n // 12) + "\n"
    ),
    "paths of one line": lambda n: (
        "FROM debian:12\nRUN ls" + " /usr/lib/x86_64-linux-gnu/libz.so" * (n // 34) + "\n"
    ),
    "switches of one RUN": lambda n: (
        "FROM debian:12\nRUN set -e"
        + "".join(f"; \\\n case $(uname -m) in x86_64) A{i}=amd64 ;; esac" for i in range(n // 50))
        + "\n"
    ),
}
LIMIT = 120.0  # seconds
PEERS = {
    "hadolint": ("--no-fail", "--format", "json"),
    "tally": ("lint", "--no-config", "--slow-checks", "off", "--fail-level", "none", "--format", "json"),
}


def checked(source: bytes) -> Callable[[], object]:
    """All that `check` does with a file but print."""
    task = Task(Path("Dockerfile"), Settings(), Severity.WARNING, Verb.CHECK, Applicability.SAFE, source)
    rules()
    return lambda: look(task)


def seconds(source: bytes, repeat: int = 1) -> float:
    """The processor's time to check a file, the best of some."""
    check = checked(source)
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        start = time.process_time()
        check()
        best = min(best, time.process_time() - start)
    return best


def peer(name: str, source: bytes) -> float:
    """The processor's time of another program for a file, start-up and all; infinite where it takes longer than LIMIT."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "Dockerfile")
        file.write_bytes(source)
        before = _children()
        command = (str(Path(sys.executable).with_name(name)), *PEERS[name], str(file))
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return float("inf")
        return _children() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "shapes", nargs="*", metavar="SHAPE", help="the names of some, in quotes; all by default"
    )
    parser.add_argument("--kib", type=int, nargs="+", default=[256, 512, 1024], help="sizes")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args(arguments)
    gc.set_threshold(50_000)  # as the program does
    sizes = [f"{size} KiB" for size in options.kib]
    peers = [f"{name}, {sizes[0]}" for name in PEERS] if options.peers else []
    columns = ["shape", *sizes, *(["ratios"] if len(sizes) > 1 else []), "MiB", *peers]
    print("| " + " | ".join(columns) + " |\n| --- |" + " ---: |" * (len(columns) - 1))
    small = {name: peer(name, b"FROM debian:12\n") for name in PEERS} if options.peers else {}
    for name in options.shapes or SHAPES:
        shape = SHAPES[name]
        seconds(shape(4096).encode())  # what is made once, on first use
        times = [seconds(shape(size * 1024).encode(), options.repeat) for size in options.kib]
        ratios = [" ".join(f"{after / before:.1f}" for before, after in pairwise(times))] if times[1:] else []
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        others = [peer(one, shape(options.kib[0] * 1024).encode()) - small[one] for one in small]
        row = [
            name,
            *(f"{one:.2f}" for one in times),
            *ratios,
            str(memory),
            *(f"{one:.1f}" for one in others),
        ]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
