"""Every question, on every real file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from archpatch.facts import Facts, FolderContext
from archpatch.syntax.parse import parse
from tests.facts.build import facts_of


def _ask_everything(facts: Facts) -> int:
    """Ask all there is to ask; the number of answers."""
    answers = len(facts.images) + len(facts.uses()) + len(facts.family)
    for stage in facts.stages:
        answers += (
            len(stage.targets) + len(stage.members) + len(stage.missing_members) + len(stage.candidates)
        )
        answers += (
            len(stage.copies_out) + len(stage.feeds) + len(stage.children) + len(tuple(stage.all_installs()))
        )
        assert stage.distro.family
        assert stage.kind
        for target in (None, *facts.targets):
            for step in stage.stage.instructions:
                scope = facts.scope(step, target)
                answers += sum(scope.expand(word).text is not None for word in step.words)
            for command in stage.commands:
                answers += sum(
                    facts.value(command, word, target).text is not None for word in command.shell.words
                )
    return answers


def _hold_laws(facts: Facts) -> None:
    """What must be true of the answers, whatever the file."""
    source = facts.document.source
    for use in facts.uses():
        assert use.span.of(source).startswith(b"$")
        assert use.name.encode() in use.span.of(source)
    for image in facts.images:
        for span, part in ((image.ref.tag_span, image.ref.tag), (image.ref.digest_span, image.ref.digest)):
            assert span is None or span.of(source).decode() == part
    for stage in facts.stages:
        assert all(stage.chain_for(target)[-1] is stage.root_for(target) for target in facts.targets)
        assert all(copy.source in {one.source for one in copy.by.copies_in} for copy in stage.copies_out)
        for install in stage.installs:
            assert all(package.word.span in install.command.shell.span for package in install.packages)
    assert facts.final is None or facts.final.targets == set(facts.targets)


def test_every_question_has_an_answer_on_every_real_file(corpus: Path) -> None:
    files = sorted(path for path in (corpus / "real").rglob("*") if path.is_file())
    step = 1 if os.environ.get("ARCHPATCH_FULL") == "1" else 8
    answers = 0
    for path in files[::step]:
        facts = Facts(parse(path.read_bytes(), path), context=FolderContext(path.parent, path.name))
        answers += _ask_everything(facts)
        _hold_laws(facts)
    assert answers > len(files[::step])


def test_the_same_question_has_the_same_answer() -> None:
    text = "FROM a AS b\nARG TARGETARCH\nRUN A=$TARGETARCH; apk add $A\nFROM b\nCOPY --from=c /x /y\n"
    one, two = facts_of(text), facts_of(text)
    list(two.commands())  # whatever was asked before
    assert _ask_everything(one) == _ask_everything(two)
    assert [install.names for install in one.stages[0].installs] == [i.names for i in two.stages[0].installs]


def test_no_shell_is_read_before_someone_asks_for_one() -> None:
    code = (
        "import sys; from archpatch.facts import Facts; from archpatch.syntax.parse import parse\n"
        "facts = Facts(parse(b'ARG V\\nFROM a:$V AS b\\nRUN apk add gcc\\nFROM b\\nCOPY --from=b /a /b\\n'))\n"
        "[stage.kind for stage in facts.stages], facts.images, facts.final.reached, facts.stages[0].copies_out\n"
        "facts.uses(), [facts.scope(step) for step in facts.stages[0].body]\n"
        "sys.exit('tree_sitter' in sys.modules or 'libcst' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
