"""Python that a build runs: heredocs, `python -c`, and the setup.py of a package that is built from the context.

Read and never run. libcst is loaded only once such a text is there and can matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.syntax.shell import Literal, Quote
from archpatch.syntax.tree import Run
from archpatch.text import Span, encode

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts
    from archpatch.syntax.python import PythonModule


class PythonText(Struct, frozen=True):
    """A module, the file that holds it and the RUN that runs it.

    `path` is as in Finding and Edit: None for the Dockerfile, else the context file's. `source` is the whole file:
    the module's spans are offsets in it. `quote` is the shell's quote around the text, "" in a heredoc or file.
    """

    module: PythonModule
    path: Path | None
    source: bytes
    run: Run
    stage: StageFacts
    quote: str = ""


def python_texts(facts: Facts, *wanted: bytes) -> Iterator[PythonText]:
    """Every readable Python of a build in which one of `wanted` stands."""
    if facts.context is not None:
        yield from _setups(facts, wanted)
    if not any(word in facts.document.source for word in wanted):
        return
    for stage in facts.stages:
        for run in stage.runs:
            for span, quote in _bodies(facts, stage, run):
                text = span.of(facts.document.source)
                if any(word in text for word in wanted):
                    module = _module(text, span.start)
                    if module is not None:
                        yield PythonText(module, None, facts.document.source, run, stage, quote)


def _module(text: bytes, base: int = 0) -> PythonModule | None:
    from archpatch.syntax.python import read_python  # few files have Python that matters

    return read_python(text, base)


def _bodies(facts: Facts, stage: StageFacts, run: Run) -> Iterator[tuple[Span, str]]:
    source = facts.document.source
    if len(run.heredocs) == 1 and not run.heredocs[0].chomp:
        content = run.heredocs[0].content
        first = source[content.start : facts.document.line_end(content.start)]
        if first.startswith(b"#!") and b"python" in first and run.body == run.heredocs[0].marker:
            yield content, ""
            return
    if b"python" not in run.span.of(source):
        return
    for command in facts.commands_of(run, stage):
        shell = command.shell
        if not shell.name.startswith("python"):
            continue
        code = shell.option("-c")
        if code is not None and len(code.parts) == 1 and isinstance(code.parts[0], Literal):
            part = code.parts[0]
            if part.quote is not Quote.NONE and len(part.span) == len(encode(part.text)):
                yield part.span, part.quote.value
        first_words = [word.literal for word in shell.arguments[:1]]
        for redirect in shell.redirects:
            plain = redirect.body is not None and (
                b"$" not in redirect.body.of(source)
                or _is_quoted(redirect.target.raw if redirect.target else "")
            )
            if (
                redirect.operator == "<<"
                and redirect.body is not None
                and plain
                and first_words in ([], ["-"])
            ):
                yield redirect.body, ""


def _is_quoted(marker: str) -> bool:
    return marker[:1] in ("'", '"', "\\")


def _setups(facts: Facts, wanted: tuple[bytes, ...]) -> Iterator[PythonText]:
    context = facts.context
    assert context is not None
    source = facts.document.source
    if not (b"setup.py" in source or b"./" in source or "setup.py" in context.siblings):
        return
    seen: set[Path] = set()
    for stage in facts.stages:
        for run, folder in _built(facts, stage):
            path = Path(folder, "setup.py")
            if path in seen:
                continue
            seen.add(path)
            text = context.read(path)
            if text is None or not any(word in text for word in wanted):
                continue
            module = _module(text)
            if module is not None:
                yield PythonText(module, facts.document.path.parent / path, text, run, stage)


def _built(facts: Facts, stage: StageFacts) -> Iterator[tuple[Run, str]]:
    """The folders of the context whose setup.py a stage runs. An absolute path is taken for the context itself."""
    for install in stage.installs_by("pip"):
        for package in install.packages:
            text = package.name.partition("[")[0]
            if package.local and "://" not in text and not text.endswith((".whl", ".gz", ".zip")):
                yield install.run, _folder(text)
    for command in stage.commands_with("setup.py"):
        if command.shell.name.startswith("python"):
            script = _script(command)
            if script is not None:
                yield command.run, _folder(str(PurePosixPath(script).parent))


def _script(command: Command) -> str | None:
    first = command.shell.arguments[0].literal if command.shell.arguments else None
    return first if first is not None and PurePosixPath(first).name == "setup.py" else None


def _folder(text: str) -> str:
    return "." if text.startswith(("/", "~", "$")) else str(PurePosixPath(text or "."))
