"""The docs are true: their commands run, their outputs are what comes, their links lead somewhere.

A fenced block of language `console` holds commands (lines that begin with `$ `) and what they print to standard
output; a line `...` stands for any lines. All blocks of a document run in order in one scratch folder with a copy of fixtures/. A
block below `<!-- engine -->` needs a Docker engine. A `python` block whose first line names a `.py` file is a file of
an installed rule pack, or a test of it. `pytest tests/test_docs.py --force-regen` writes the real outputs into the
documents.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml

from archpatch import registry
from archpatch.cli.app import app
from archpatch.suppress import NOTICES

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RULES = ROOT / "docs" / "rules"
# `<!-- engine -->` above a block: its commands need one. The fence itself holds one word, or no generator of sites knows
# it for one.
BLOCK = re.compile(r"^(?P<engine><!-- engine -->\n)?```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Step:
    command: str
    expected: str
    start: int  # of the expected output, in the document
    engine: bool


def steps(document: str) -> Iterator[Step]:
    """Every command of the console blocks with the output under it."""
    for block in BLOCK.finditer(document):
        if not block["info"].startswith("console"):
            continue
        for match in re.finditer(
            r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<output>(?:(?!\$ ).*\n)*)", block["text"], re.M
        ):
            yield Step(
                match["command"].replace("\n> ", "\n").strip(),
                match["output"],
                block.start("text") + match.start("output"),
                block["engine"] is not None,
            )


def normal(output: str) -> str:
    """Output without what differs from machine to machine: versions, times, digests, blanks at line ends."""
    output = re.sub(r"\bv?\d+\.\d+\.\d+(\+\w+)?\b", "X.Y.Z", output)
    output = re.sub(r"\b\d+(\.\d+)? ?(s|ms|seconds)\b", "N s", output)
    output = re.sub(r"sha256:[0-9a-f]{8,64}", "sha256:...", output)
    return "".join(line.rstrip() + "\n" for line in output.splitlines())


def fits(expected: str, output: str) -> bool:
    parts = re.split(r"^\.\.\.\n", normal(expected), flags=re.M)
    return re.fullmatch("(?:.*\n)*?".join(map(re.escape, parts)), normal(output)) is not None


@dataclass(frozen=True)
class Scratch:
    """A folder with a copy of fixtures/, and the packs that a document shows, installed."""

    folder: Path
    packs: Path

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        settings = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.packs),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "XDG_CACHE_HOME": str(self.packs.parent / "cache"),
        }
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=300,
        )


def scratch(document: str, tmp_path: Path) -> Scratch:
    packs, folder = tmp_path / "packs", tmp_path / "work"
    shutil.copytree(ROOT / "fixtures", folder / "fixtures")
    packs.mkdir()
    for block in BLOCK.finditer(document):
        name = re.match(r"# (\S+\.py)\n", block["text"])
        if block["info"] == "python" and name:
            path = (folder if name[1].startswith("test_") else packs) / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"])
    if any(packs.iterdir()):
        (pack,) = (path.name for path in packs.iterdir())
        info = packs / f"{pack}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {pack}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[archpatch.rules]\n{pack} = {pack}\n")
    return Scratch(folder, packs)


def check_outputs(path: Path, tmp_path: Path, *, engine: bool, regenerate: bool) -> None:
    """Run the commands of a document; those of engine blocks only with `engine`."""
    document = path.read_text()
    place = scratch(document, tmp_path)
    written, position = [], 0
    for step in steps(document):
        if step.command.startswith("python3 -m venv") or (step.engine and not engine):
            continue
        output = place.run(step.command).stdout
        if regenerate:
            text = output if output.endswith("\n") or not output else output + "\n"
            kept = step.expected if fits(step.expected, output) else text
            written += [document[position : step.start], kept]
            position = step.start + len(step.expected)
        else:
            assert fits(step.expected, output), f"$ {step.command}\n{output}"
    if regenerate:
        path.write_text("".join(written) + document[position:])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_command_of_the_docs_prints_what_they_say(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    check_outputs(path, tmp_path, engine=False, regenerate=request.config.getoption("force_regen"))


@pytest.mark.parametrize(
    "path", [p for p in DOCUMENTS if "<!-- engine -->\n" in p.read_text()], ids=lambda path: path.name
)
def test_each_command_that_needs_an_engine_prints_what_the_docs_say(
    path: Path, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    check_outputs(path, tmp_path, engine=True, regenerate=request.config.getoption("force_regen"))


def test_the_readme_s_two_commands_are_the_ones_that_ci_runs() -> None:
    commands = [
        s.command for s in steps((ROOT / "README.md").read_text()) if s.command.startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert set(commands) <= set(script)


def archpatch_commands(document: str) -> Iterator[list[str]]:
    """Every `archpatch COMMAND ...` in blocks and inline code, as words without `archpatch`."""
    code = [block["text"] for block in BLOCK.finditer(document)] + re.findall(
        r"`(archpatch [^`\n]+)`", document
    )
    for text in code:
        for line in re.findall(r"(?<![\w/.-])(?<!# )archpatch ([a-z].*)", text.replace("\\\n", " ")):
            yield re.split(r" [|>#] ?|[;&()`,]", line)[0].split()


def test_every_option_of_archpatch_that_the_docs_name_exists() -> None:
    context = click.Context(app)
    unknown = []
    for path in DOCUMENTS:
        for name, *words in archpatch_commands(path.read_text()):
            command = app.get_command(context, name)
            assert command is not None, f"{path.name}: archpatch {name}"
            if isinstance(command, click.Group) and words and words[0] in command.commands:
                command = command.commands[words[0]]
            known = {
                option
                for parameter in command.params
                for option in (*parameter.opts, *parameter.secondary_opts)
            }
            named = {word.split("=")[0].rstrip("'\".,") for word in words if re.match(r"--[a-z]", word)}
            unknown += [
                f"{path.name}: archpatch {name} {option}"
                for option in named - known - {"--help", "--version"}
            ]
    assert not unknown


def test_the_rule_pages_are_up_to_date() -> None:
    from archpatch.report import manual

    wanted = manual.files((*NOTICES, *registry.load()))
    found = {path.name: path.read_text(encoding="utf-8") for path in RULES.iterdir()}
    assert found == wanted, "run: python -m archpatch.report.manual docs/rules"


def pages(entries: list[object]) -> Iterator[str]:
    """The pages that a navigation names."""
    for entry in entries:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from pages(value) if isinstance(value, list) else [value]


def test_the_navigation_names_every_page_once() -> None:
    named = list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    rule_pages = {name for name in there if re.fullmatch(r"rules/AP\d+\.md", name)}
    assert sorted(named) == sorted(there - rule_pages)


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(BLOCK, "", path.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [*DOCUMENTS, RULES / "index.md"], ids=lambda path: path.name)
def test_each_link_between_the_docs_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(BLOCK, "", path.read_text())):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_yaml_and_shell_block_can_be_read(path: Path) -> None:
    for block in BLOCK.finditer(path.read_text()):
        assert re.fullmatch(r"\w*", block["info"]), "a site's generator takes one word"
        if block["info"] in ("yaml", "yml"):
            assert yaml.safe_load(block["text"]) is not None
        elif block["info"] in ("sh", "bash"):
            subprocess.run(["bash", "-n"], input=block["text"].encode(), check=True)
