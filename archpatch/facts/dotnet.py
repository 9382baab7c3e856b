"""What `dotnet` is told to build for, and which SDK runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.platforms import AMD64, arch_of
from archpatch.syntax.shell import ShellWord
from archpatch.text import Span, regex

if TYPE_CHECKING:
    from archpatch.facts.facts import Facts
    from archpatch.facts.shells import Command
    from archpatch.facts.stages import StageFacts

_VERBS = frozenset({"restore", "build", "publish", "pack", "msbuild", "test"})
_RUNTIME, _ARCH = frozenset({"-r", "--runtime"}), frozenset({"-a", "--arch"})
_PROPERTY = regex(r"(?i)(?:[-/]p|[-/]{1,2}property):RuntimeIdentifier=(.*)")
_JOINED = regex(r"(?:-r|--runtime|(?P<arch>-a|--arch))[=:](?P<value>.+)")
_RID = regex(r"(linux|linux-musl|(?:alpine|debian|ubuntu|rhel|centos|fedora)[.\d]*)-(x64|arm64)")
_TRAP = regex(r"(?:linux|linux-musl|alpine)-amd64|linux/amd64|amd64")
_VERSION = regex(r"(\d+)\.\d+(?:\.(\d+))?")
_OWN = frozenset({"--self-contained", "--sc", "--use-current-runtime", "--ucr"})


class Runtime(Struct, frozen=True):
    """A runtime that a command names: the option's word (None: an MSBuild property, or `--runtime=x`), the value, what
    it says.

    `system` is `linux`, `linux-musl`, `alpine.3.9`, or "" where the option is `--arch`; `arch` is as in
    Platform.arch, "" where it is spelled as .NET does not spell it (`linux-$TARGETARCH`).
    """

    command: Command
    option: ShellWord | None
    value: ShellWord
    system: str
    arch: str

    @property
    def span(self) -> Span:
        """Option and value."""
        return self.option.span.cover(self.value.span) if self.option else self.value.span

    @property
    def folder(self) -> str | None:
        """What the SDK calls the folder of the results by: `linux-x64`; None where the option does not say."""
        return (
            f"{self.system}-{'x64' if self.arch == 'amd64' else self.arch}"
            if self.system and self.arch
            else None
        )

    @property
    def musl(self) -> bool | None:
        """Whether it is for musl; None where it is what the SDK has."""
        return ("musl" in self.system or self.system.startswith("alpine")) if self.system else None


def runtimes(facts: Facts, command: Command) -> Iterator[Runtime]:
    """What the options of one `dotnet` command say; systems other than Linux are left out."""
    arguments = command.shell.arguments
    if command.shell.name != "dotnet" or not arguments or arguments[0].literal not in _VERBS:
        return
    for index, word in enumerate(arguments):
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        if word.literal in _RUNTIME | _ARCH and following is not None:
            found = _read(facts, command, word, following, word.literal in _ARCH)
        elif match := _PROPERTY.fullmatch(word.raw):
            found = _told(command, None, word, match[1], is_arch=False)
        elif match := _JOINED.fullmatch(word.literal or ""):
            found = _told(command, None, word, match["value"], is_arch=match["arch"] is not None)
        else:
            continue
        if found is not None:
            yield found


def _read(
    facts: Facts, command: Command, option: ShellWord, value: ShellWord, is_arch: bool
) -> Runtime | None:
    text = value.literal
    if text is None:
        known = facts.value(command, value, AMD64)
        platform = not value.names.isdisjoint({"TARGETPLATFORM", "BUILDPLATFORM"})
        wrong = not is_arch and (platform or _TRAP.fullmatch(known.text or ""))
        system = "linux-musl" if "musl" in value.raw or "alpine" in value.raw else ""
        return Runtime(command, option, value, system, "") if wrong else None
    return _told(command, option, value, text, is_arch=is_arch)


def _told(
    command: Command, option: ShellWord | None, word: ShellWord, text: str, *, is_arch: bool
) -> Runtime | None:
    """What `text`, which stands in a word, says; None where it names no runtime of Linux."""
    if is_arch:
        arch = arch_of(text)
        return Runtime(command, option, word, "", arch) if arch in ("amd64", "arm64") else None
    named = _RID.fullmatch(text)
    return Runtime(command, option, word, named[1], _canonical(named[2])) if named else None


def _canonical(arch: str) -> str:
    return "amd64" if arch == "x64" else arch


def sdk_version(stage: StageFacts) -> tuple[int, int]:
    """Major version and patch of the SDK image; (0, 0) where its name does not tell."""
    image = stage.root.image
    if image is None or not image.repository.endswith("dotnet/sdk"):
        return (0, 0)
    version = _VERSION.match(image.tag or "latest")
    if version is None:
        return (99, 0) if (image.tag or "latest").startswith("latest") else (0, 0)
    return int(version[1]), int(version[2] or 999)


def told_nothing(command: Command) -> bool:
    """Whether `dotnet publish` makes a program for the machine it runs on: self-contained, and without a runtime."""
    shell = command.shell
    verb = shell.arguments[0].literal if shell.arguments else None
    if shell.name != "dotnet" or verb != "publish" or not shell.has(*_OWN):
        return False
    if shell.has("--self-contained=false") or "false" in {word.literal for word in shell.arguments}:
        return False
    return not names_runtime(command)


def names_runtime(command: Command) -> bool:
    """Whether a `dotnet` command is told a runtime or an architecture, by an option or a property."""
    shell = command.shell
    return shell.has(*_RUNTIME, *_ARCH) or any(
        word.raw.startswith("--os") or _JOINED.match(word.raw) is not None or "RuntimeIdentifier" in word.raw
        for word in shell.arguments
    )
