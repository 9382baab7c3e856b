"""AP323."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, StageFacts
from archpatch.facts.assigned import assigned
from archpatch.facts.suppressors import why_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document, Instruction
from archpatch.text import Span
from archpatch_rules.package.which import stages

_NAMES = frozenset({"conda", "mamba", "micromamba", "conda-lock"})


class CondaLinux64(Rule):
    """conda is told of the platform `linux-64`: by a lock file, by an option, or by CONDA_SUBDIR.

    conda installs the packages of x86_64 without asking the machine. On arm64 the first program of the environment ends
    with `exec format error`, in the build or at the start.

    It is fine in a branch that asks for the architecture.

    There is no fix: the environment has to be solved for `linux-aarch64` as well (`conda-lock -p linux-64 -p linux-aarch64`),
    and the build then chooses the file by `${TARGETARCH}`. `mkl` and other packages of Intel's are not there for it.
    """

    code, name, severity = "AP323", "conda-linux-64", Severity.ERROR
    hints = ("linux-64",)
    errors = ("exec format error", "cannot execute binary file", "PackagesNotFoundError")
    examples = (
        Example(
            "FROM mambaorg/micromamba\nCOPY conda-linux-64.lock /tmp/\nRUN micromamba install -y -n base -f /tmp/conda-linux-64.lock\n",
            "FROM mambaorg/micromamba\nCOPY conda-linux-64.lock /tmp/\nRUN micromamba install -y -n base -f /tmp/conda-linux-64.lock\n",
        ),
        Example(
            "FROM condaforge/miniforge3\nENV CONDA_SUBDIR=linux-64\nRUN conda install -y numpy\n",
            "FROM condaforge/miniforge3\nENV CONDA_SUBDIR=linux-64\nRUN conda install -y numpy\n",
        ),
        Example(
            "FROM condaforge/miniforge3\nARG CONDA_SUBDIR=linux-64\nRUN conda install -y numpy\n",
            "FROM condaforge/miniforge3\nARG CONDA_SUBDIR=linux-64\nRUN conda install -y numpy\n",
        ),
        Example("FROM mambaorg/micromamba\nRUN micromamba install -y -n base -f /tmp/environment.yaml\n"),
        Example(
            'FROM mambaorg/micromamba\nRUN if [ "$(uname -m)" = x86_64 ]; then micromamba install -f /tmp/conda-linux-64.lock; fi\n'
        ),
        Example("FROM debian\nCOPY tool-linux-64.zip /tmp/\n", title="No conda"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each place."""
        for instruction, span, command in _places(facts, list(stages(facts))):
            if why_fine(facts, instruction, span, command) is None:
                yield self.finding(
                    span,
                    "conda installs the packages of linux-64 (x86_64) on every platform: on arm64 their programs do not run. "
                    "arm64 is linux-aarch64.",
                )


def _places(facts: Facts, concerned: list[StageFacts]) -> Iterator[tuple[Instruction, Span, Command | None]]:
    for stage in concerned:
        for command in stage.commands_with("linux-64"):
            words = [word for word in command.shell.arguments if "linux-64" in word.raw]
            both = any("linux-aarch64" in word.raw for word in command.shell.arguments)
            if words and not both and command.shell.name in _NAMES and command.shell.only_on is None:
                yield command.run, words[0].span, command
    for place in assigned(facts, "CONDA_SUBDIR"):
        if place.value == "linux-64" and place.stage in concerned:
            yield place.instruction, place.word.span, place.command
