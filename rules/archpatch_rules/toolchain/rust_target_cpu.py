"""AP604."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.flags import build_flags
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import ARM64
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document

_CPU = r"(?:-C)?target-(?:cpu|feature)=(.+)"
_X86 = (
    r"(?:x86-64|core|nehalem|westmere|sandybridge|ivybridge|haswell|broadwell|skylake|cascadelake|icelake|znver|k8)"
    r"[\w-]*|\+(?:sse|ssse|avx|fma|bmi|aes|pclmul|popcnt|adx|sha)\S*"
)


class RustTargetCpu(Rule):
    """Rust compiles for one kind of CPU: `-C target-cpu=x86-64-v3`, `-C target-feature=+avx2`, `target-cpu=native`.

    Names of x86 CPUs and features are no CPUs on arm64: the build for linux/arm64 fails or warns on every crate.
    `native` is the CPU of the machine that builds: the program ends in `Illegal instruction` on an older one.

    It is fine in a branch for amd64, and for `native` where the image runs where it is built.

    There is no automatic fix: whether the program needs the instructions, its author knows. Set RUSTFLAGS in the RUN
    that compiles, in a branch for amd64.
    """

    code, name, severity = "AP604", "rust-target-cpu", Severity.WARNING
    hints = ("target-cpu", "target-feature")
    errors = ("Illegal instruction", "SIGILL", "is not a recognized processor")
    examples = (
        Example(
            "FROM rust:1.80\nENV RUSTFLAGS='-C target-cpu=x86-64-v3'\nRUN cargo build --release\n",
            "FROM rust:1.80\nENV RUSTFLAGS='-C target-cpu=x86-64-v3'\nRUN cargo build --release\n",
        ),
        Example(
            "FROM rust:1.80\nRUN RUSTFLAGS='-Ctarget-cpu=native' cargo build --release\n",
            "FROM rust:1.80\nRUN RUSTFLAGS='-Ctarget-cpu=native' cargo build --release\n",
            "A note: it is the machine that builds",
        ),
        Example(
            'FROM rust:1.80\nRUN if [ "$(uname -m)" = x86_64 ]; then export RUSTFLAGS="-C target-cpu=haswell"; fi; cargo build\n'
        ),
        Example("FROM rust:1.80\nRUN RUSTFLAGS='-C target-feature=-crt-static' cargo build\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every such option: x86 names a warning, `native` a note."""
        for flag in build_flags(facts, _CPU):
            match = re.fullmatch(_CPU, flag.text)
            value = match[1] if match else ""
            if not flag.stage.reached or why_fine(facts, flag.instruction, flag.span, flag.command):
                continue
            if value == "native":
                yield self.finding(
                    flag.span,
                    "`target-cpu=native` compiles for the CPU of the machine that builds: the image may end in `Illegal "
                    "instruction` on another one.",
                    severity=Severity.NOTE,
                )
            elif re.match(_X86, value) and flag.stage.kind is PlatformKind.TARGET and ARM64 in facts.targets:
                yield self.finding(
                    flag.span,
                    f"`{flag.text}` is for x86 alone: linux/arm64 has no such CPU or feature. Say it for amd64 only.",
                )
