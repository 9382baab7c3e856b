"""Places where an automatic argument does not arrive: the scripts in `sudo sh -c '...'` and `su - app -c '...'`.

BuildKit puts an ARG into the environment of a RUN. sudo resets the environment unless it is told otherwise
(https://www.sudo.ws/docs/man/sudoers.man/#Command_environment), `su -` starts a login shell with one of its own
(https://man7.org/linux/man-pages/man1/su.1.html), and `env -i` begins with none.
"""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.syntax.shell import Literal, Quote, ShellCommand
from archpatch.text import Fix, Nest, Span, decode, holds, regex

_CLEARING = (b"sudo", b"su ", b"runuser", b"env -", b"--ignore-environment")
_KEEPING = ("-E", "--preserve-env")
_ALONE = ("-i", "-", "--ignore-environment")
_LOGIN = ("-", "-l", "--login")
_AUTOMATIC = regex(r"(?:TARGET|BUILD)(?:ARCH|OS|PLATFORM|VARIANT)")


class Unheard:
    """The places of a file that are read by a shell with an environment of its own."""

    def __init__(self, facts: Facts) -> None:
        source = facts.document.source
        self._places = Nest(
            (place, command)
            for stage in (facts.stages if holds(source, _CLEARING) else ())
            for run in stage.every_run
            if holds(source, _CLEARING, run.span.start, run.span.end)
            for command in facts.shell(run).shells
            if _has_its_own(command)
            for place in _kept_as_written(command)
        )

    def breaks(self, fix: Fix) -> bool:
        """Whether a fix writes an automatic argument at such a place, where it is empty."""
        return any(
            edit.path is None
            and any(True for _ in self._places.holding(edit.span))
            and _AUTOMATIC.search(decode(edit.text)) is not None
            for edit in fix.edits
        )


def _has_its_own(command: ShellCommand) -> bool:
    """Whether a command that is given a script runs it in another environment than that of the RUN."""
    words = [word.raw for word in command.wrappers]
    if "sudo" in words and not any(word.partition("=")[0] in _KEEPING for word in words):
        return True
    if "env" in words and not set(_ALONE).isdisjoint(words):
        return True
    return command.name in ("su", "runuser") and any(
        word.raw in _LOGIN or (word.raw[:1] == "-" and word.raw[1:].isalpha() and "l" in word.raw)
        for word in command.arguments
    )


def _kept_as_written(command: ShellCommand) -> Iterator[Span]:
    """The parts of its script in which the shell around it expands nothing: all that is not in double quotes."""
    assert command.script is not None
    for word in command.words:
        if command.script.span in word.span:
            for part in word.parts:
                if isinstance(part, Literal) and part.quote is not Quote.DOUBLE:
                    yield part.span
            return
    for redirect in command.redirects:
        target = redirect.target
        if redirect.body is not None and target is not None and target.raw != target.literal:
            yield redirect.body
