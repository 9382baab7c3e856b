"""AP115."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ArchSwitch, ArchTest
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, encode


class ArchVocabularyMismatch(Rule):
    """A selector is compared with a word that it never holds: `[ "$TARGETARCH" = aarch64 ]`.

    Every selector has its own spelling: TARGETARCH says amd64 and arm64, `uname -m` x86_64 and aarch64, `dpkg
    --print-architecture` amd64 and arm64, TARGETPLATFORM linux/arm64 (never linux/arm64/v8). With a word of another
    vocabulary the branch is never taken: on arm64 the default runs, or nothing, in silence.

    It is fine where the right spelling stands in the same `case` too (`arm64|aarch64)`), or the value was respelled
    before (`sed s/x86_64/amd64/`).

    The fix adds the right word to a `case` pattern, and replaces it in a test. For another architecture than amd64
    an amd64 build stays the same, so it is safe; where amd64 itself was misspelled, amd64 takes the branch from now
    on: unsafe.
    """

    code, name, severity = "AP115", "arch-vocabulary-mismatch", Severity.WARNING
    hints = (
        "targetarch",
        "targetplatform",
        "buildarch",
        "buildplatform",
        "uname",
        "dpkg",
        "apk",
        "arch",
        "rpm",
    )
    examples = (
        Example(
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "$TARGETARCH" in x86_64|amd64) A=x64 ;; aarch64) A=arm64 ;; esac && echo $A\n',
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "$TARGETARCH" in x86_64|amd64) A=x64 ;; arm64|aarch64) A=arm64 ;; esac && echo $A\n',
            applicability="safe",
        ),
        Example(
            'FROM debian\nRUN if [ "$(uname -m)" = "arm64" ]; then apt-get install -y gcc; fi\n',
            'FROM debian\nRUN if [ "$(uname -m)" = "aarch64" ]; then apt-get install -y gcc; fi\n',
            "uname says aarch64",
            applicability="safe",
        ),
        Example(
            'FROM debian\nARG TARGETPLATFORM\nRUN [ "$TARGETPLATFORM" = linux/arm64/v8 ] && echo arm || echo other\n',
            'FROM debian\nARG TARGETPLATFORM\nRUN [ "$TARGETPLATFORM" = linux/arm64 ] && echo arm || echo other\n',
            "BuildKit normalises the variant away",
            applicability="safe",
        ),
        Example(
            'FROM debian\nARG TARGETARCH\nRUN if [ "$TARGETARCH" = "x86_64" ]; then echo fast; fi\n',
            'FROM debian\nARG TARGETARCH\nRUN if [ "$TARGETARCH" = "amd64" ]; then echo fast; fi\n',
            "amd64 itself is misspelled",
            applicability="unsafe",
        ),
        Example(
            'FROM debian\nRUN arch="$(dpkg --print-architecture)"; case "${arch##*-}" in amd64) echo x ;; aarch64) echo arm ;; esac\n',
            'FROM debian\nRUN arch="$(dpkg --print-architecture)"; case "${arch##*-}" in amd64) echo x ;; '
            "arm64|aarch64) echo arm ;; esac\n",
            "A part in front of a dash is cut off",
            applicability="safe",
        ),
        Example('FROM debian\nARG TARGETARCH\nRUN case "$TARGETARCH" in arm64|aarch64) echo arm ;; esac\n'),
        Example('FROM debian\nRUN case "$(uname -m)" in x86_64) echo x ;; aarch64) echo arm ;; esac\n'),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Words of arch switches that their selector never holds."""
        for run in (run for stage in facts.stages for run in stage.every_run):
            script = facts.shell(run)
            for switch in script.switches:
                covered = {arch for arm in switch.arms for test in arm.words for arch in test.taken}
                for test in (test for arm in switch.arms for test in arm.words):
                    arch = next(iter(test.arches), None)
                    if switch.convention is None or test.taken or len(test.arches) != 1 or arch is None:
                        continue
                    word = self._spelling(switch, arch)
                    if (
                        arch in covered
                        or word is None
                        or all(target.arch != arch for target in facts.targets)
                    ):
                        continue
                    yield self.finding(
                        test.span,
                        f"{switch.selector.value} is never `{test.text}`; for this architecture it says `{word}`, so this "
                        "branch is never taken.",
                        self._fix(document, test, word, arch) if script.readable else None,
                    )

    def _spelling(self, switch: ArchSwitch, arch: str) -> str | None:
        word = switch.convention.spell(arch) if switch.convention else None
        return f"linux/{word}" if word and switch.selector.is_platform else word

    def _fix(self, document: Document, test: ArchTest, word: str, arch: str) -> Fix | None:
        at = test.span.of(document.source).find(encode(test.text))
        if at < 0:
            return None
        span = Span(test.span.start + at, test.span.start + at + len(encode(test.text)))
        pattern = document.source[test.span.end :].lstrip()[:1] in (b")", b"|")
        safe = Applicability.UNSAFE if arch == "amd64" else Applicability.SAFE
        if pattern:
            return Fix(f"Match {word} too", (Edit.insert(test.span.start, f"{word}|"),), safe)
        return Fix(f"Compare with {word}", (Edit.replace(span, word),), safe)
