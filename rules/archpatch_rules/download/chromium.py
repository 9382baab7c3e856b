"""Chrome as a file of a package: on other architectures than amd64, Debian's Chromium in its place."""

from __future__ import annotations

from collections.abc import Sequence

from archpatch.facts import Download
from archpatch.facts.nodes import items_from
from archpatch.rewrite import is_nested
from archpatch.syntax.shell import Script, ShellCommand, ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, decode, encode, regex

_INSTALLERS = frozenset({"apt", "apt-get", "dpkg"})
_FILE = regex(rb"\.deb(?![\w.])")
_FOLDER = b"/opt/google/chrome"
_NAME = regex(rb"(?<![\w./-])(?:/usr/bin/)?(google-chrome(?:-stable|-beta|-unstable)?)(?![\w.-])")


def chromium_instead(document: Document, download: Download) -> Fix | None:
    """Fetch, install and remove it on amd64 alone; None where these are not one row of commands in a RUN of Debian's."""
    command = download.command
    if (
        command is None
        or download.match is None
        or download.match.asset.tool != "google-chrome"
        or download.stage.distro.name != "debian"
        or _FOLDER in document.source
        or is_nested(command.script, command.shell.span)
    ):
        return None
    row = _row(document, command.script, command.shell)
    installer = _installer(row)
    if installer is None:
        return None
    place = Span(row[0].span.start, row[-1].span.end)
    others = b"\n".join((document.source[: place.start], document.source[place.end :]))
    if _FILE.search(others):
        return None
    links = "".join(
        f" && ln -s chromium /usr/bin/{name}" for name in dict.fromkeys(map(decode, _NAME.findall(others)))
    )
    end = f"; else {_with_chromium(document, installer)}{links}; fi"
    edits = (
        Edit.insert(place.start, 'if [ "$(dpkg --print-architecture)" = amd64 ]; then '),
        Edit.insert(place.end, end),
    )
    return Fix("Install Chromium on other architectures", edits, Applicability.UNSAFE)


def _row(document: Document, script: Script, first: ShellCommand) -> list[ShellCommand]:
    """The command and those after it, each if the one before did well, that speak of the file of a package."""
    row: list[ShellCommand] = []
    for item in items_from(script, first):
        node = item.node
        if not isinstance(node, ShellCommand) or (row and not _FILE.search(node.span.of(document.source))):
            break
        row.append(node)
        if item.operator != "&&":
            return [] if item.operator == "||" else row
    return row


def _installer(row: Sequence[ShellCommand]) -> ShellCommand | None:
    """The one command of a row that installs the file; None where there is more to the row than that and `rm`."""
    found = [one for one in row[1:] if one.name in _INSTALLERS]
    if len(found) != 1 or any(one.name not in ("rm", *_INSTALLERS) for one in row[1:]):
        return None
    by_itself = not found[0].wrappers  # not by sudo
    return found[0] if by_itself and sum(map(_is_file, found[0].words)) == 1 else None


def _is_file(word: ShellWord) -> bool:
    return _FILE.search(encode(word.raw)) is not None


def _with_chromium(document: Document, installer: ShellCommand) -> str:
    """What installs Chromium instead, with what else is installed at once."""
    if installer.name == "dpkg":
        return "apt-get update && apt-get install -y chromium"
    file = next(filter(_is_file, installer.words)).span
    source = document.source
    return decode(
        source[installer.span.start : file.start] + b"chromium" + source[file.end : installer.span.end]
    )
