"""Which findings two commits of archpatch give differently, over a folder of Dockerfiles.

    python -m benchmarks.ecosystem REV_A REV_B --corpus FOLDER [--markdown] [--limit N]

Both commits are unpacked beside each other and look at the same files, without configs and cache. A finding is known by
its file, rule and place; `+` is new, `-` is gone, `~` is there in both with another message, severity or fix. Ends
with 1 where anything differs, so that whoever changes a rule has to look at what that does to real files.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parent.parent
_NAMED = re.compile("dockerfile|containerfile", re.IGNORECASE)
_PROGRAM = "from archpatch.cli import main; main()"
_CHECK = ("check", "--isolated", "--no-cache", "--exit-zero", "--output-format", "json", "--files-from", "-")


@dataclass(frozen=True, order=True)
class Finding:
    """What a report says at one place of one file. `offset` in bytes; `fix`: its applicability, or "" for none."""

    path: str
    offset: int
    code: str
    line: int
    severity: str
    message: str
    fix: str
    edits: str

    @property
    def place(self) -> tuple[str, int, str]:
        return self.path, self.offset, self.code

    def __str__(self) -> str:
        fix = f" [{self.fix}]" if self.fix else ""
        return f"{self.path}:{self.line} {self.code} {self.severity}: {self.message}{fix}"


@dataclass
class Changes:
    """The difference of two reports: lines as `(sign, finding)`, and how many of each sign a rule has."""

    lines: list[tuple[str, Finding]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)  # errors and what could not be looked at
    files: int = 0

    @property
    def by_rule(self) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for sign, finding in self.lines:
            counts[finding.code][sign] += 1
        return dict(sorted(counts.items()))


def unpack(repository: Path, revision: str, folder: Path) -> str:
    """Put the tree of a commit into a folder; the commit's short name."""
    git = ("git", "-C", str(repository))
    name = subprocess.run(
        (*git, "rev-parse", "--verify", "--short", f"{revision}^{{commit}}"), capture_output=True, text=True
    )
    if name.returncode:
        sys.exit(f"no commit is called {revision!r}: {name.stderr.strip()}")
    packed = subprocess.run((*git, "archive", name.stdout.strip()), check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as tree:
        tree.extractall(folder, filter="data")
    return name.stdout.strip()


def look(tree: Path, corpus: Path, files: Sequence[str]) -> dict[str, object]:
    """The JSON report that the archpatch of an unpacked commit gives of files of the corpus."""
    ran = subprocess.run(
        (sys.executable, "-c", _PROGRAM, *_CHECK),
        cwd=corpus,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tree), str(tree / "rules")))},
        input=b"".join(os.fsencode(name) + b"\0" for name in files),
        capture_output=True,
    )
    if ran.returncode not in (0, 4):
        sys.exit(f"archpatch of {tree.name} ended with {ran.returncode}: {ran.stderr.decode()[-2000:]}")
    report: dict[str, object] = json.loads(ran.stdout)
    return report


def findings(report: dict[str, object]) -> Iterator[Finding]:
    """The findings of a JSON report."""
    rows = report["findings"]
    assert isinstance(rows, list)
    for row in rows:
        fix = row["fix"] or {}
        yield Finding(
            _text(row, "path"),
            row["start"]["offset"],
            row["code"],
            row["start"]["line"],
            row["severity"],
            _text(row, "message"),
            fix.get("applicability", ""),
            json.dumps(fix.get("edits", [])),
        )


def _text(row: dict[str, object], key: str) -> str:
    return str(row.get(key, row.get(f"{key}_base64", "")))


def _others(report: dict[str, object]) -> Counter[str]:
    """Errors, and what could not be looked at, as lines."""
    rows = [*_list(report, "errors"), *_list(report, "unknown")]
    return Counter(f"{_text(row, 'path')}: {_text(row, 'message')}" for row in rows)


def _list(report: dict[str, object], key: str) -> list[dict[str, object]]:
    rows = report[key]
    assert isinstance(rows, list)
    return rows


def compare(before: dict[str, object], after: dict[str, object]) -> Changes:
    """What differs between two reports, in the order of files and places."""
    old, new = Counter(findings(before)), Counter(findings(after))
    gone, come = sorted((old - new).elements()), sorted((new - old).elements())
    places = {finding.place: finding for finding in gone}
    changes = Changes(files=int(str(after["files"])))
    changed = set()
    for finding in come:
        twin = places.pop(finding.place, None)
        changes.lines.append(("~" if twin else "+", finding))
        changed |= {twin} if twin else set()
    changes.lines += (("-", finding) for finding in gone if finding not in changed)
    changes.lines.sort(key=lambda line: (line[1].place, line[0]))
    was, now = _others(before), _others(after)
    changes.other = [f"+ {line}" for line in sorted(now - was)] + [f"- {line}" for line in sorted(was - now)]
    return changes


def show(changes: Changes, names: tuple[str, str], *, limit: int, markdown: bool) -> str:
    """The rules that differ with their counts, then at most `limit` findings of each, then other lines."""
    head = f"{names[0]} -> {names[1]}, {changes.files} files"
    counts = Counter(sign for sign, _ in changes.lines)
    total = f"{counts['+']} new, {counts['-']} gone, {counts['~']} changed, {len(changes.other)} other lines"
    out = [f"### {head}\n", f"{total}\n"] if markdown else [head, total]
    if changes.lines:
        out += ["| rule | new | gone | changed |", "| --- | ---: | ---: | ---: |"] if markdown else [""]
        for code, signs in changes.by_rule.items():
            row = (code, *(str(signs[sign]) for sign in "+-~"))
            out.append("| " + " | ".join(row) + " |" if markdown else "{:8} {:>5} {:>5} {:>5}".format(*row))
    for code in changes.by_rule:
        own = [f"{sign} {finding}" for sign, finding in changes.lines if finding.code == code]
        out += _block(code, own, limit, markdown)
    if changes.other:
        out += _block("not looked at", changes.other, limit, markdown)
    return "\n".join(out) + "\n"


def _block(title: str, lines: Sequence[str], limit: int, markdown: bool) -> list[str]:
    rest = [f"... and {len(lines) - limit} more"] if len(lines) > limit else []
    shown = [_printable(line) for line in lines[:limit]] + rest
    if markdown:
        fence = "`" * (max((len(run) for line in shown for run in re.findall("`+", line)), default=2) + 1)
        return ["", f"<details><summary>{title}</summary>\n", f"{max(fence, '```', key=len)}diff", *shown,
                max(fence, "```", key=len), "</details>"]  # fmt: skip
    return ["", f"{title}:", *(f"  {line}" for line in shown)]


def _printable(line: str) -> str:
    """A line that no file can use to write more than itself on a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)[:300]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", help="a commit")
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of Dockerfiles")
    parser.add_argument("--repository", type=Path, default=ROOT, help="where the commits are")
    parser.add_argument("--limit", type=int, default=20, help="findings that are shown of each rule")
    parser.add_argument("--markdown", action="store_true", help="for a comment on a pull request")
    options = parser.parse_args(arguments)
    paths = (path for path in options.corpus.rglob("*") if path.is_file() and _NAMED.search(path.name))
    files = sorted(path.relative_to(options.corpus).as_posix() for path in paths)
    if not files:
        parser.error(f"no Dockerfile in {options.corpus}")
    names, reports = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, revision in enumerate((options.before, options.after)):
            tree = Path(folder, str(number))
            names.append(unpack(options.repository, revision, tree))
            reports.append(look(tree, options.corpus, files))
    changes = compare(*reports)
    print(show(changes, (names[0], names[1]), limit=options.limit, markdown=options.markdown), end="")
    return bool(changes.lines or changes.other)


if __name__ == "__main__":
    sys.exit(main())
