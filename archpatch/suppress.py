"""Suppression comments, and what is wrong with them.

    # archpatch: ignore[AP101,AP2] reason      the instruction below; inside a continuation, the command below
    # archpatch: ignore-file[AP3] reason       the whole file
    # archpatch: platforms=linux/amd64 reason  what the file is meant for

Codes may be prefixes or names. hadolint's `# hadolint ignore=DL3029` and BuildKit's `# check=skip=...` count for
the rules that name them in `also`. Inside a heredoc all of these are data.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from archpatch.platforms import Platform, UnknownPlatform
from archpatch.rule import Finding, Rule, Severity
from archpatch.syntax.tree import Document, Instruction
from archpatch.text import Applicability, Edit, Fix, Span, decode, regex


class Notice(Struct, frozen=True):
    """A finding of the engine's own: what `archpatch rules` and `explain` show of it."""

    code: str
    name: str
    severity: Severity
    manual: str


UNUSED = Notice(
    "AP001",
    "unused-suppression",
    Severity.NOTE,
    "A suppression comment that covers no finding.\n\n"
    "It hides the next finding at that place, which nobody has judged yet.\n\n"
    "Fine while another version of archpatch, or another rule pack, still finds something there.\n\n"
    "The fix deletes the code, or the comment when no code is left; a comment is no part of the build.",
)
UNEXPLAINED = Notice(
    "AP002",
    "suppression-without-reason",
    Severity.NOTE,
    "A suppression comment that does not say why.\n\n"
    "Whoever reads it later cannot tell whether it still holds.\n\n"
    "Fine where the reason is plain from the lines around it; ignore this code there.\n\n"
    "There is no fix: write the reason after the bracket.",
)
ABOVE_DIRECTIVES = Notice(
    "AP003",
    "suppression-above-directive",
    Severity.WARNING,
    "A suppression comment that stands above `# syntax=`, `# escape=` or `# check=`.\n\n"
    "BuildKit reads directives from the first line on and stops at the first other line: the directive below the "
    "comment is dead, and the build uses another frontend or another escape character.\n\n"
    "Fine when the directive is meant to be an ordinary comment.\n\n"
    "The fix moves the comment below; it is unsafe, because the directive then takes effect.",
)
UNREADABLE = Notice(
    "AP004",
    "unreadable-suppression",
    Severity.NOTE,
    "A comment that begins with `archpatch:` and says nothing archpatch knows, or names a rule there is none of.\n\n"
    "It suppresses nothing.\n\n"
    "Fine while the rule comes from a pack that is not installed here.\n\n"
    "There is no fix; the message names the nearest rule.",
)
NOTICES = (UNUSED, UNEXPLAINED, ABOVE_DIRECTIVES, UNREADABLE)

_OURS = regex(r"#+\s*archpatch:\s*(?P<order>.*)", re.DOTALL)
_IGNORE = regex(r"ignore(?P<file>-file)?\[(?P<codes>[^\]]*)\]\s*(?P<reason>.*)", re.DOTALL)
_PLATFORMS = regex(r"platforms=(?P<platforms>\S+)\s*(?P<reason>.*)", re.DOTALL)
_HADOLINT = regex(r"#\s*hadolint\s+(?P<file>global\s+)?ignore\s*=\s*(?P<codes>[A-Za-z0-9, ]+)")
_SKIP = regex(r"(?:^|;)\s*skip\s*=\s*(?P<codes>[^;]*)", re.IGNORECASE)
_DIRECTIVE = regex(r"#\s*(syntax|escape|check)\s*=\s*\S", re.IGNORECASE)
_IN_CONTEXT = regex(rb"(?:#|//|<!--)[ \t]*archpatch:[ \t]*ignore(?P<file>-file)?\[(?P<codes>[^\]\r\n]*)\]")
_ENDS_COMMAND = ("&&", "||", ";", "|")
_USAGE = "write `ignore[CODE] reason`, `ignore-file[CODE] reason` or `platforms=OS/ARCH reason`"


class Suppression(Struct, frozen=True):
    """One comment or directive. `covers` is where it counts; None: the whole file.

    `judged`: one of ours, which is reported when it is of no use.
    """

    comment: Span
    codes: tuple[str, ...]
    covers: Span | None
    reason: str = ""
    judged: bool = True

    def names(self, rule: Rule | Notice) -> frozenset[str]:
        """The codes of this suppression that mean `rule`."""
        if self.judged:
            return frozenset(code for code in self.codes if means(code, rule))
        also = rule.also if isinstance(rule, Rule) else ()
        return frozenset(
            code
            for code in self.codes
            if code in also or (code == "all" and any(not name.startswith("DL") for name in also))
        )

    def holds(self, span: Span) -> bool:
        """Whether a finding at `span` of the Dockerfile is covered."""
        return self.covers is None or (bool(len(self.covers)) and self.covers.meets(span))


def means(code: str, rule: Rule | Notice) -> bool:
    """Whether `code` (a code, a prefix of codes, or a name) stands for `rule`."""
    return stands_for(code, rule.code, rule.name)


def stands_for(code: str, known: str, name: str) -> bool:
    """Whether `code` stands for the rule of that code and name."""
    return bool(code) and (known.startswith(code) or name == code)


class Suppressions(Struct, frozen=True):
    """What the comments of one Dockerfile say. `platforms` None: nothing about targets."""

    document: Document
    entries: tuple[Suppression, ...] = ()
    platforms: tuple[Platform, ...] | None = None
    findings: tuple[Finding, ...] = ()  # AP002, AP003, AP004 for what cannot be read

    def covering(self, span: Span | None, rule: Rule | Notice) -> Iterator[tuple[Suppression, str]]:
        """The suppressions, each with its code, that cover a finding of `rule`; `span` None: in another file."""
        for entry in self.entries:
            if entry.covers is None or (span is not None and entry.holds(span)):
                for code in entry.names(rule):
                    yield entry, code

    def unused(
        self,
        used: frozenset[tuple[Suppression, str]],
        rules: Sequence[Rule | Notice],
        unread: Iterable[Span],
    ) -> Iterator[Finding]:
        """AP001 for codes that covered nothing and AP004 for codes that mean no rule.

        What lies in `unread` (scripts that could not be read) is not judged.
        """
        unread = tuple(unread)
        for entry in self.entries:
            if not entry.judged:
                continue
            unknown = tuple(code for code in entry.codes if not any(means(code, rule) for rule in rules))
            for code in unknown:
                yield self._unknown(entry, code, rules)
            if any(entry.holds(span) for span in unread):
                continue
            idle = tuple(code for code in entry.codes if code not in unknown and (entry, code) not in used)
            if idle and not _above_directives(self.document, entry.comment):
                yield self._idle(entry, idle)

    def _unknown(self, entry: Suppression, code: str, rules: Sequence[Rule | Notice]) -> Finding:
        from archpatch.misspelt import close  # for a misspelt code alone

        known = [name for rule in rules for name in (rule.code, rule.name)]
        near = close(code.upper(), known) or close(code, known)
        hint = f"; did you mean {near}?" if near else ""
        return _finding(UNREADABLE, self._place(entry, code), f"No rule is called {code or '[]'}{hint}")

    def _idle(self, entry: Suppression, idle: tuple[str, ...]) -> Finding:
        left = [code for code in entry.codes if code not in idle]
        names = ", ".join(idle)
        if not left:
            line = Span(
                self.document.line_start(entry.comment.start), self.document.line_end(entry.comment.start)
            )
            fix = Fix("Delete the comment", (Edit.delete(line),), Applicability.SAFE)
            return _finding(UNUSED, entry.comment, f"Nothing to suppress here: {names}", fix)
        text = decode(entry.comment.of(self.document.source))
        inner = text[text.index("[") + 1 : text.index("]")]
        start = entry.comment.start + len(text[: text.index("[") + 1].encode("utf-8", "surrogateescape"))
        span = Span(start, start + len(inner.encode("utf-8", "surrogateescape")))
        joint = ", " if ", " in inner else ","
        fix = Fix(f"Drop {names}", (Edit.replace(span, joint.join(left)),), Applicability.SAFE)
        return _finding(UNUSED, self._place(entry, idle[0]), f"Nothing to suppress here: {names}", fix)

    def _place(self, entry: Suppression, code: str) -> Span:
        """Where a code stands within the brackets."""
        source = self.document.source
        at = source.find(code.encode("utf-8", "surrogateescape"), source.index(b"[", entry.comment.start))
        return Span(at, at + len(code)) if code and at >= 0 else entry.comment


def read(document: Document) -> Suppressions:
    """The suppressions of a Dockerfile."""
    entries = list(_skipped_checks(document))
    findings: list[Finding] = []
    platforms: list[Platform] = []
    if b"archpatch:" in document.source or b"hadolint" in document.source:
        starts = [instruction.span.start for instruction in document.instructions]
        instructions = tuple(document.instructions)
        for comment in document.comments:
            text = decode(comment.of(document.source))
            place = _Place(document, instructions, starts, comment)
            if match := _HADOLINT.match(text):
                covers = None if match["file"] else place.next_line()
                entries.append(Suppression(comment, _split(match["codes"]), covers, judged=False))
            elif match := _OURS.match(text):
                _order(match["order"].strip(), place, entries, platforms, findings)
    return Suppressions(
        document, tuple(entries), tuple(dict.fromkeys(platforms)) if platforms else None, tuple(findings)
    )


def covered_in_context(source: bytes, span: Span, rule: Rule) -> bool:
    """Whether a comment of a context file (setup.py, a .csproj) covers a finding of `rule` at `span` there.

    Such a comment stands on the line of the finding or on the line above.
    """
    for match in _IN_CONTEXT.finditer(source):
        if not any(means(code, rule) for code in _split(decode(match["codes"]))):
            continue
        line = source.count(b"\n", 0, match.start())
        if match["file"] or 0 <= source.count(b"\n", 0, span.start) - line <= 1:
            return True
    return False


def _split(codes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code.strip() for code in codes.split(",")))


def _finding(notice: Notice, span: Span, message: str, fix: Fix | None = None) -> Finding:
    return Finding(notice.code, span, message, notice.severity, fix)


def _skipped_checks(document: Document) -> Iterator[Suppression]:
    for directive in document.directives:
        if directive.name == "check" and (match := _SKIP.search(directive.value)):
            yield Suppression(directive.span, _split(match["codes"]), None, judged=False)


def _order(
    order: str, place: _Place, entries: list[Suppression], platforms: list[Platform], findings: list[Finding]
) -> None:
    """Read what follows `archpatch:` in a comment."""
    comment = place.comment
    if match := _IGNORE.fullmatch(order):
        covers = None if match["file"] else place.covered()
        entries.append(Suppression(comment, _split(match["codes"]), covers, match["reason"]))
    elif match := _PLATFORMS.fullmatch(order):
        try:
            platforms += [Platform.parse(text) for text in match["platforms"].split(",")]
        except UnknownPlatform as error:
            findings.append(_finding(UNREADABLE, comment, f"In this comment {error}"))
            return
    else:
        findings.append(
            _finding(UNREADABLE, comment, f"archpatch does not understand this comment: {_USAGE}")
        )
        return
    if not match["reason"]:
        findings.append(_finding(UNEXPLAINED, comment, "This comment gives no reason; write it at its end"))
    if below := _above_directives(place.document, comment):
        findings.append(_above(place.document, comment, below))


class _Place(Struct, frozen=True):
    """A comment among the instructions of its file."""

    document: Document
    instructions: tuple[Instruction, ...]
    starts: list[int]
    comment: Span

    def covered(self) -> Span:
        """The instruction below, or within a continuation the command below. Empty where there is none."""
        index = bisect_right(self.starts, self.comment.start)
        if index and self.comment in self.instructions[index - 1].span:
            return self._command_below(self.instructions[index - 1])
        if index < len(self.instructions):
            return self.instructions[index].span
        return Span(self.comment.end, self.comment.end)

    def next_line(self) -> Span:
        """The instruction that begins on the very next line, as hadolint has it."""
        index = bisect_right(self.starts, self.comment.start)
        below = self.document.line_end(self.comment.end)
        if index < len(self.instructions) and self.document.line_start(self.starts[index]) == below:
            return self.instructions[index].span
        return Span(self.comment.end, self.comment.end)

    def _command_below(self, instruction: Instruction) -> Span:
        """The next line of the instruction; in a RUN with those after it, up to the end of the command."""
        at = start = self.document.line_end(self.comment.end)
        end = at
        while at < instruction.span.end:
            line = Span(at, min(self.document.line_end(at), instruction.span.end))
            at = self.document.line_end(at)
            text = decode(line.of(self.document.source)).strip()
            code = text.removesuffix(self.document.escape).rstrip()
            if not code or code.startswith("#"):
                continue
            if end > start and code.startswith(_ENDS_COMMAND):
                break
            end = line.end
            if instruction.keyword != "RUN" or code.endswith(_ENDS_COMMAND):
                break
        return Span(start, max(start, end))


def _above_directives(document: Document, comment: Span) -> Span | None:
    """The directives that would be in force if this comment (and ours beside it) did not stand above them."""
    first = document.directives[-1].span.end if document.directives else 0
    at = document.line_end(first) if document.directives else 0
    if document.line_start(comment.start) < at:
        return None
    found: Span | None = None
    passed = False
    while at < len(document.source):
        line = Span(at, document.line_end(at))
        text = decode(line.of(document.source)).lstrip("\ufeff").strip()
        if _OURS.match(text) and found is None:
            passed = passed or line.start <= comment.start < line.end
        elif _DIRECTIVE.match(text) and passed:
            found = line if found is None else found.cover(line)
        else:
            break
        at = line.end
    return found


def _above(document: Document, comment: Span, below: Span) -> Finding:
    line = Span(document.line_start(comment.start), document.line_end(comment.start))
    if document.source.startswith(b"\xef\xbb\xbf") and line.start == 0:
        line = Span(3, line.end)
    text = line.of(document.source)
    gap = b"" if document.source[below.end - 1 : below.end] == b"\n" else document.newline
    fix = Fix(
        "Move the comment below the directives",
        (Edit.delete(line), Edit.insert(below.end, gap + text)),
        Applicability.UNSAFE,
    )
    name = decode(below.of(document.source)).strip().splitlines()[0]
    return _finding(ABOVE_DIRECTIVES, comment, f"This comment switches off `{name}` below it", fix)
