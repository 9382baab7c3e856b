"""archpatch parse: the tree, for people who write rules."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archpatch.cli.app import FAILED, OK, complain
from archpatch.cli.options import AnyPath, standard_input
from archpatch.discover import MAX_SIZE, Unreadable, check_text, read
from archpatch.facts import Facts
from archpatch.report.safe import safe
from archpatch.syntax.dump import Data, as_data, as_text
from archpatch.syntax.parse import parse as read_tree
from archpatch.syntax.tree import Instruction, Run


@click.command()
@click.argument("file", type=AnyPath())
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--pieces", is_flag=True, help="Show the pieces too, which cover every byte once.")
def parse(file: Path, output_format: str, *, pieces: bool) -> int:
    """Show the tree of FILE (-: standard input): instructions, words, and the commands of each RUN.

    Offsets are bytes of the file, ends left out; lines count from 1.
    """
    try:
        if file == Path("-"):
            source = standard_input(MAX_SIZE + 1)
            check_text(source)
        else:
            source = read(file)
    except Unreadable as error:
        complain(f"{file}: {error}")
        return FAILED
    document = read_tree(source, file)
    facts = Facts(document)

    def commands(node: Instruction) -> Data:
        return _shell(facts, node) if isinstance(node, Run) and not node.json else {}

    if output_format == "json":
        click.echo(json.dumps(as_data(document, pieces=pieces, extra=commands), indent=2))
    else:
        click.echo(as_text(document, pieces=pieces, extra=commands), nl=False)
    for problem in document.problems:
        line = source.count(b"\n", 0, problem.span.start) + 1
        complain(f"{file}:{line}: {problem.message}")
    return FAILED if document.problems else OK


def _shell(facts: Facts, run: Run) -> Data:
    """What the shell makes of a RUN; `only_on` where the arms around a command name architectures."""
    script = facts.shell(run)
    if not script.readable:
        return {"shell": [{"unreadable": safe(script.problem)}]}
    return {
        "shell": [
            {
                "start": command.span.start,
                "end": command.span.end,
                "name": safe(command.name),
                "arguments": " ".join(safe(word.raw) for word in command.arguments),
                **({} if command.only_on is None else {"only_on": " ".join(sorted(command.only_on))}),
            }
            for command in script.commands
        ]
    }
