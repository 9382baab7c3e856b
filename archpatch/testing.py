"""The laws that every example of every rule of every pack keeps.

In the tests of a pack:

    @pytest.mark.parametrize(("rule", "example"), every_example(RULES), ids=example_id)
    def test_every_example_is_lawful(rule, example):
        assert_lawful(rule, example, load())

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
    def test_every_rule_is_well_formed(rule):
        assert_well_formed(rule)

An example that speaks of the file as a whole (which stage is which by number, how many there are) says
`whole_file=True`; it is then not tried beside an unrelated stage and under ONBUILD.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from archpatch.engine import Outcome, Settings, check, fix
from archpatch.facts import Facts, MemoryContext
from archpatch.platforms import Platform
from archpatch.registry import malformed
from archpatch.rewrite import attached_start
from archpatch.rule import Example, Finding, Rule, Style
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, apply, decode, encode, regex

_UNRELATED = "FROM scratch AS unrelated\nCOPY unrelated.txt /unrelated.txt\n"
_BOM = b"\xef\xbb\xbf"
_NOT_UNDER_ONBUILD = ("ONBUILD", "FROM", "MAINTAINER")
_NUMBERED = regex(r"from=\d")


def every_example(rules: Iterable[Rule]) -> list[tuple[Rule, Example]]:
    """Every rule with each of its examples."""
    return [(rule, example) for rule in rules for example in rule.examples]


def example_id(value: object) -> str:
    """A name for a test: that of the rule, and the title or the first line of the example."""
    if isinstance(value, Rule):
        return value.name
    assert isinstance(value, Example)
    return value.title or next(iter(value.before.splitlines()), "empty")


def assert_well_formed(rule: Rule) -> None:
    """The laws of a rule as such. Raises AssertionError, which says what is wrong."""
    problem = malformed(rule)
    assert not problem, f"{type(rule).__name__}: {problem}"
    paragraphs = rule.manual.split("\n\n")
    assert len(paragraphs) >= 4, (
        f"{rule.code}: the docstring needs four paragraphs (the pitfall, what it costs, when it is fine, what "
        f"the fix does), it has {len(paragraphs)}"
    )
    assert "\n" not in paragraphs[0], (
        f"{rule.code}: the pitfall is one sentence on one line: {paragraphs[0]!r}"
    )
    assert all(hint == hint.lower() for hint in rule.hints), f"{rule.code}: hints are in lower case"
    assert any(example.after is None for example in rule.examples), f"{rule.code}: no example is spared"
    assert any(example.after is not None for example in rule.examples), f"{rule.code}: no example is found"
    seen: list[Example] = []
    for example in rule.examples:
        alike = replace(example, title="", after=None, files_after={}, applicability=None)
        assert alike not in seen, f"{rule.code}: two examples are alike: {example.before!r}"
        seen.append(alike)


def assert_lawful(rule: Rule, example: Example, rules: Sequence[Rule]) -> None:
    """Put an example of `rule` under all laws; `rules` is every rule that a user may have.

    Raises AssertionError, which names the law and shows the text.
    """
    trial = _Trial(rule, example, encode(example.before))
    for law in _LAWS:
        law(trial, rules)


@dataclass(frozen=True)
class _Trial:
    """A rule at work on an example, or on a variant of it."""

    rule: Rule
    example: Example
    source: bytes

    @cached_property
    def document(self) -> Document:
        return parse(self.source, Path(self.example.name))

    @cached_property
    def context(self) -> MemoryContext:
        name = Path(self.example.name).name
        files: dict[str, str | bytes] = {name: self.source, **self.example.files}
        return MemoryContext(files, name)

    @cached_property
    def settings(self) -> Settings:
        """The rule alone, named: then its notes are mended too."""
        platforms = tuple(Platform.parse(text) for text in self.example.platforms)
        return Settings(platforms, self.example.style, select=(self.rule.code,))

    def facts(self) -> Facts:
        return Facts(self.document, targets=self.settings.targets, context=self.context)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the engine reports of the rule."""
        report = check(self.document, (self.rule,), self.settings, self.context)
        return tuple(finding for finding in report.findings if finding.code == self.rule.code)

    @cached_property
    def mended(self) -> Outcome:
        """The rule's own fixes, SAFE and UNSAFE."""
        return fix(self.document, (self.rule,), self.settings, self.context, Applicability.UNSAFE)

    def on(self, source: bytes) -> _Trial:
        """The same with another text."""
        return dataclasses.replace(self, source=source)

    def fail(self, law: str, what: object = "") -> AssertionError:
        text = f"\n{what}" if what else ""
        return AssertionError(
            f"{self.rule.code} {self.rule.name}: {law}{text}\n--- on\n{decode(self.source)}"
        )

    def expect(self, result: bytes, wanted: bytes, law: str) -> None:
        if result != wanted:
            raise self.fail(law, f"--- is\n{decode(result)}--- should be\n{decode(wanted)}")


def _round_trip(trial: _Trial, rules: Sequence[Rule]) -> None:
    document = trial.document
    joined = b"".join(piece.span.of(trial.source) for piece in document.pieces)
    trial.expect(joined, trial.source, "the pieces of the file, joined, are not the file")
    if document.problems:
        raise trial.fail("BuildKit would reject the example", document.problems[0].message)


def _found_or_spared(trial: _Trial, rules: Sequence[Rule]) -> None:
    found = bool(trial.findings)
    if found is (trial.example.after is None):
        raise trial.fail("is found and should be spared" if found else "is not found", trial.findings)
    applicability = {str(finding.fix.applicability) for finding in trial.findings if finding.fix}
    wanted = {trial.example.applicability} - {None}
    if applicability != wanted:
        raise trial.fail(
            "applicability",
            f"the fixes are {sorted(applicability)}, the example says {sorted(map(str, wanted))}",
        )


def _speaks_clearly(trial: _Trial, rules: Sequence[Rule]) -> None:
    for finding in trial.findings:
        texts = [finding.message, *(related.message for related in finding.related)]
        texts += [finding.fix.title] if finding.fix else []
        if any(not text.strip() or "\n" in text for text in texts):
            raise trial.fail("messages and titles are one line that says something", texts)


def _spans_lie_inside(trial: _Trial, rules: Sequence[Rule]) -> None:
    for finding in trial.findings:
        spans = [(finding.path, finding.span), *((one.path, one.span) for one in finding.related)]
        for path, span in spans:
            if not len(span):
                raise trial.fail("an empty span", finding)
            _inside(trial, path, span.end, finding)
        for edit in finding.fix.edits if finding.fix else ():
            _inside(trial, edit.path, edit.span.end, finding)


def _inside(trial: _Trial, path: Path | None, end: int, finding: Finding) -> None:
    source: bytes | None = trial.source
    if path is not None:
        source = trial.context.read(path.relative_to(trial.document.path.parent))
    if source is None or end > len(source):
        raise trial.fail("a span outside of its file", finding)


def _is_fixed(trial: _Trial, rules: Sequence[Rule]) -> None:
    wanted = trial.source if trial.example.after is None else encode(trial.example.after)
    trial.expect(trial.mended.source, wanted, "the fixes give another text")
    folder = trial.document.path.parent
    files = {path.relative_to(folder).as_posix(): decode(text) for path, text in trial.mended.files.items()}
    if files != dict(trial.example.files_after):
        raise trial.fail("the fixes give other files", files)


def _is_clean_afterwards(trial: _Trial, rules: Sequence[Rule]) -> None:
    left = [
        finding
        for finding in trial.mended.report.findings
        if finding.fix is not None and finding.fix.applicability is not Applicability.MANUAL
    ]
    if left:
        raise trial.fail("findings with a fix are left after the fixes", left)


def _is_safe(trial: _Trial, rules: Sequence[Rule]) -> None:
    outcome = fix(trial.document, (trial.rule,), trial.settings, trial.context)
    if outcome.demoted:
        raise trial.fail("a fix that says it is safe changes what linux/amd64 gets", outcome.demoted)


def _is_idempotent(trial: _Trial, rules: Sequence[Rule]) -> None:
    """With all rules on: the text after fix() is one that fix() leaves alone."""
    for style, level in (
        (Style.MINIMAL, Applicability.SAFE),
        (Style.MINIMAL, Applicability.UNSAFE),
        (Style.EXPLICIT, Applicability.UNSAFE),
    ):
        settings = replace(trial.settings, style=style, select=())
        if style is trial.example.style:
            settings = replace(settings, extend_select=(trial.rule.code,))
        once = fix(trial.document, rules, settings, trial.context, level)
        files: dict[str, str | bytes] = dict(trial.example.files)
        folder = trial.document.path.parent
        files |= {path.relative_to(folder).as_posix(): text for path, text in once.files.items()}
        again = fix(parse(once.source, trial.document.path), rules, settings, MemoryContext(files), level)
        trial.expect(
            again.source, once.source, f"a second `fix` ({style.value}, {level}) changes the text again"
        )
        if again.files:
            raise trial.fail("a second `fix` changes files again", sorted(again.files))


def _holds_with_crlf_and_bom(trial: _Trial, rules: Sequence[Rule]) -> None:
    variants = [("a BOM", _BOM + trial.source, _BOM + trial.mended.source)]
    if b"\r" not in trial.source:
        variants.append(
            ("CRLF", trial.source.replace(b"\n", b"\r\n"), trial.mended.source.replace(b"\n", b"\r\n"))
        )
    for name, source, wanted in variants:
        other = trial.on(source)
        if len(other.findings) != len(trial.findings):
            raise other.fail(f"{len(trial.findings)} findings without {name}, {len(other.findings)} with it")
        other.expect(other.mended.source, wanted, f"the fixes do otherwise with {name}")


def _holds_beside_another_stage(trial: _Trial, rules: Sequence[Rule]) -> None:
    document = trial.document
    if trial.example.whole_file or _NUMBERED.search(trial.example.before) or not document.stages:
        return
    at = attached_start(document, document.stages[0].head)
    other = trial.on(apply(trial.source, [Edit.insert(at, _UNRELATED)]))
    if len(other.findings) != len(trial.findings):
        raise other.fail("beside an unrelated stage other findings come", other.findings)
    result = other.mended.source.replace(encode(_UNRELATED), b"", 1)
    other.expect(result, trial.mended.source, "beside an unrelated stage the fixes do otherwise")


def _holds_under_onbuild(trial: _Trial, rules: Sequence[Rule]) -> None:
    """What an image leaves to its children is mended alike, or left alone.

    An example that is spared may be found there: a child does not inherit an ARG.
    """
    source = _under_onbuild(trial.document)
    if trial.example.whole_file or source is None or source == trial.source:
        return
    other = trial.on(source)
    _spans_lie_inside(other, rules)
    _is_clean_afterwards(other, rules)
    mended = _under_onbuild(parse(trial.mended.source, trial.document.path))
    if trial.example.after is not None and other.mended.source not in (source, mended):
        raise other.fail("under ONBUILD the fixes do otherwise", decode(other.mended.source))


def _under_onbuild(document: Document) -> bytes | None:
    """The file with the instructions of its last stage put under ONBUILD; None where one cannot be."""
    body = document.stages[-1].body if document.stages else ()
    if any(step.keyword in _NOT_UNDER_ONBUILD or step.onbuild for step in body):
        return None
    return apply(document.source, [Edit.insert(step.span.start, "ONBUILD ") for step in body])


def _is_pure(trial: _Trial, rules: Sequence[Rule]) -> None:
    facts = trial.facts()
    first = list(trial.rule.check(trial.document, facts))
    if first != list(trial.rule.check(trial.document, facts)) or first != list(
        trial.rule.check(trial.document, trial.facts())
    ):
        raise trial.fail("asked twice, the rule answers differently")
    if any(finding.code != trial.rule.code for finding in first):
        raise trial.fail("a finding under another rule's code", first)


def _hints_hold(trial: _Trial, rules: Sequence[Rule]) -> None:
    text = trial.source.lower()
    hinted = not trial.rule.hints or any(encode(hint) in text for hint in trial.rule.hints)
    if not hinted and list(trial.rule.check(trial.document, trial.facts())):
        raise trial.fail("there is a finding, and none of the rule's hints in the file", trial.rule.hints)


_LAWS = (
    _round_trip,
    _found_or_spared,
    _speaks_clearly,
    _spans_lie_inside,
    _is_pure,
    _hints_hold,
    _is_fixed,
    _is_clean_afterwards,
    _is_safe,
    _holds_with_crlf_and_bom,
    _holds_beside_another_stage,
    _holds_under_onbuild,
    _is_idempotent,
)
