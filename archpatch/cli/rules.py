"""archpatch rules and archpatch explain: what there is to find, offline."""

from __future__ import annotations

import json

import click

from archpatch.cli.app import FOUND, OK
from archpatch.look import describe
from archpatch.misspelt import no_such_rule
from archpatch.registry import BrokenPack, load
from archpatch.report.safe import safe
from archpatch.rule import Rule
from archpatch.suppress import NOTICES, Notice


@click.command()
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rules(output_format: str) -> int:
    """List every rule, those of installed packs too."""
    known = _known()
    if output_format == "json":
        click.echo(json.dumps([_data(rule) for rule in known], indent=2))
        return OK
    wide = max(len(rule.name) for rule in known)
    for rule in known:
        about = describe(rule)
        marks = "".join(f" ({mark})" for mark in _marks(rule))
        click.echo(f"{rule.code}  {rule.severity!s:7}  {rule.name:{wide}}  {safe(about.summary)}{marks}")
    return OK


@click.command()
@click.argument("rule", metavar="CODE|NAME", required=False)
@click.option("--error", "text", metavar="TEXT", help="Find rules by the text of a build or run error.")
def explain(rule: str | None, text: str | None) -> int:
    """Show the manual page of a rule, or find the rules that explain an error."""
    if (rule is None) == (text is None):
        raise click.UsageError("name a rule, or an error with --error TEXT")
    known = _known()
    if text is not None:
        return _explain_error(text, known)
    word = str(rule)
    found = next((one for one in known if word.upper() == one.code or word.lower() == one.name), None)
    if found is None:
        raise click.UsageError(no_such_rule(word, [name for one in known for name in (one.code, one.name)]))
    from archpatch.report.manual import plain  # jinja2 is for this page alone

    click.echo(plain(found), nl=False)
    return OK


def _explain_error(text: str, known: tuple[Rule | Notice, ...]) -> int:
    """Rules whose known error stands in the text, or the other way round."""
    wanted = _folded(text)
    found = [
        (rule, error)
        for rule in known
        if isinstance(rule, Rule)
        for error in rule.errors
        if wanted and (_folded(error) in wanted or wanted in _folded(error))
    ]
    for rule, error in found:
        click.echo(f"{rule.code}  {rule.name}: {safe(error)}")
    if not found:
        click.echo("No rule knows this error; `archpatch check` looks for causes in the Dockerfile.")
        return FOUND
    click.echo(f"Read more: archpatch explain {found[0][0].code}")
    return OK


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _known() -> tuple[Rule | Notice, ...]:
    try:
        return (*NOTICES, *load())
    except BrokenPack as error:
        raise click.UsageError(str(error)) from error


def _marks(rule: Rule | Notice) -> list[str]:
    if isinstance(rule, Notice):
        return []
    style = [f"style {rule.style.value}"] if rule.style else []
    return style + ["opt-in"] * rule.opt_in


def _data(rule: Rule | Notice) -> dict[str, object]:
    about = describe(rule)
    more: dict[str, object] = {"style": None, "opt_in": False, "errors": [], "also": []}
    if isinstance(rule, Rule):
        style = rule.style.value if rule.style else None
        more = {"style": style, "opt_in": rule.opt_in, "errors": list(rule.errors), "also": list(rule.also)}
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": str(rule.severity),
        "summary": about.summary,
        "manual": about.manual,
        "url": about.url,
        **more,
    }
