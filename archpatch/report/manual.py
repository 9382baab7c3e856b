"""A rule's manual page, made from its docstring and its examples: for a terminal, and as Markdown for docs/rules/.

    python -m archpatch.report.manual docs/rules

writes a page for each installed rule and an index, and takes away pages of rules that are gone.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from archpatch import registry
from archpatch.report.pages import environment
from archpatch.rule import Example, Rule, Style
from archpatch.suppress import NOTICES, Notice

SHOWN = 3  # examples of each kind on a page
_FAMILIES = {
    "AP0": "Suppression comments",
    "AP1": "Platform flags and arguments",
    "AP2": "Base images",
    "AP3": "Packages",
    "AP4": "Downloads",
    "AP5": "Code generators",
    "AP6": "Compilers and toolchains",
    "AP7": "Library and JVM paths",
    "AP8": "Copied artefacts and entrypoints",
}


class File(Struct, frozen=True):
    """A file of an example: `text` as it is, or a diff to what the fix makes of it."""

    name: str
    text: str
    is_diff: bool


class Shown(Struct, frozen=True):
    """An example as a page shows it."""

    title: str
    files: tuple[File, ...]


class Page(Struct, frozen=True):
    """What a template needs to know of a rule."""

    code: str
    name: str
    severity: str
    summary: str
    body: str
    fix: str = "see below"
    style: str = ""
    opt_in: bool = False
    errors: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    found: tuple[Shown, ...] = ()
    spared: tuple[Shown, ...] = ()

    @property
    def family(self) -> str:
        """The heading that the rule stands under."""
        return _FAMILIES.get(self.code[:3], "Other packs")


def page(rule: Rule | Notice) -> Page:
    """The manual of a rule, or of a notice of the engine's own, as data."""
    manual = rule.manual
    summary, _, body = manual.partition("\n\n")
    head = Page(rule.code, rule.name, str(rule.severity), " ".join(summary.split()), body)
    if isinstance(rule, Notice):
        return head
    found, spared = ([e for e in rule.examples if (e.after is not None) is hit] for hit in (True, False))
    return replace(
        head,
        fix=_fix(rule.examples),
        style=rule.style.value if rule.style else "",
        opt_in=rule.opt_in,
        errors=rule.errors,
        also=rule.also,
        options=tuple(_options(rule)),
        found=tuple(map(_shown, _chosen(found))),
        spared=tuple(map(_shown, _chosen(spared))),
    )


def markdown(rule: Rule | Notice) -> str:
    """The page of docs/rules/."""
    return _render("rule.md.j2", page=page(rule))


def plain(rule: Rule | Notice) -> str:
    """The page for a terminal."""
    return _render("rule.txt.j2", page=page(rule)).expandtabs()


def index(rules: Iterable[Rule | Notice]) -> str:
    """docs/rules/index.md: every rule under its family."""
    families: dict[str, list[Page]] = {}
    for one in map(page, rules):
        families.setdefault(one.family, []).append(one)
    return _render("rules.md.j2", families=families)


def files(rules: Iterable[Rule | Notice]) -> Mapping[str, str]:
    """Every file of docs/rules/: name -> text."""
    rules = tuple(rules)
    return {"index.md": index(rules), **{f"{rule.code}.md": markdown(rule) for rule in rules}}


def _fix(examples: Iterable[Example]) -> str:
    """How far the fixes of these examples go: `safe`, `safe or unsafe`, `manual`, `none`."""
    levels = {example.applicability for example in examples}
    return " or ".join(level for level in ("safe", "unsafe", "manual") if level in levels) or "none"


def _options(rule: Rule) -> Iterator[tuple[str, str]]:
    if dataclasses.is_dataclass(rule):
        for one in dataclasses.fields(rule):
            yield one.name, repr(getattr(rule, one.name))


def _chosen(examples: list[Example]) -> list[Example]:
    """The first ones with a title; where none has one, the first."""
    return ([example for example in examples if example.title] or examples[:1])[:SHOWN]


def _shown(example: Example) -> Shown:
    after = {**example.files, **example.files_after, example.name: example.after or example.before}
    before = {**example.files, example.name: example.before}
    files = tuple(_file(name, before.get(name, ""), text) for name, text in after.items())
    style = " (explicit style)" if example.style is Style.EXPLICIT else ""
    unmended = example.after is not None and not any(file.is_diff for file in files)
    return Shown(example.title + style + (" (no fix is written)" if unmended else ""), files)


def _file(name: str, before: str, after: str) -> File:
    if before == after:
        return File(name, "\n".join(before.splitlines()), is_diff=False)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=100, lineterm="")
    return File(name, "\n".join(list(lines)[3:]), is_diff=True)


def _render(template: str, **values: object) -> str:
    """A template filled in; other control characters than line ends and tabs, and bytes that are no text, are `?`."""
    text = environment().get_template(template).render(**values)
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)


def main(folder: Path) -> None:
    """Bring `folder` up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = files((*NOTICES, *registry.load()))
    for stale in folder.glob("*.md"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
