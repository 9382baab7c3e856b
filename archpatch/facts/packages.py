"""Installations of packages: which manager a command calls, and with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.facts.managers import MANAGERS, Manager, Spec
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Run
from archpatch.text import regex

if TYPE_CHECKING:
    from archpatch.facts.shells import Command

Render = Callable[[ShellWord], str]
"""The text of a word with what is known put in; what is not stays as written (`${VERSION}`, `$(cat x)`)."""


class Package(Struct, frozen=True):
    """A package that an argument names. `word` is that argument, for edits; several packages share it when it is a
    variable that holds a list. `name` is without version and architecture; of Python packages in normal form.

    `arch` is as written (`amd64` in `foo:amd64`, `x86_64` in `foo.x86_64`). `local`: a file, a URL, a folder.
    """

    name: str
    version: str | None
    word: ShellWord
    arch: str | None = None
    local: bool = False


class Install(Struct, frozen=True):
    """One command that installs packages.

    `manager` is one of apk apt dpkg rpm yum dnf microdnf tdnf zypper pip npm yarn pnpm gem bundle cargo go conda
    (apt-get, aptitude are apt; `uv pip`, `python -m pip` are pip; mamba is conda). `verb` is its subcommand.
    `options` are the option words, without their values. `requirements` are the files that list packages
    (`-r requirements.txt`), `virtual` the name of apk's `-t`. `complete` is False where an argument is wholly
    unknown: then a package that is not there may be there all the same. `postgresql-${V}` stays as it is written.
    """

    manager: str
    verb: str
    packages: tuple[Package, ...]
    command: Command
    options: tuple[ShellWord, ...]
    requirements: tuple[ShellWord, ...] = ()
    virtual: ShellWord | None = None
    complete: bool = True

    @property
    def run(self) -> Run:
        """The RUN that it stands in."""
        return self.command.run

    @property
    def names(self) -> frozenset[str]:
        """The names of the packages."""
        return frozenset(package.name for package in self.packages)

    def has(self, *names: str) -> bool:
        """Whether one of these packages is among them."""
        return any(package.name in names for package in self.packages)

    def option(self, *names: str) -> ShellWord | None:
        """The value of an option, as `ShellCommand.option`."""
        return self.command.shell.option(*names)


def install_of(command: Command, render: Render) -> Install | None:
    """The installation that a command is; None for any other command."""
    name = command.shell.name
    if name not in _CALLED and not _PIP.match(name) and not _PYTHON.match(name):
        return None
    words = list(command.shell.arguments)
    manager = _manager(name, words)
    if manager is None:
        return None
    reader = _Reader(manager, render)
    reader.read(words)
    verb = reader.verb
    if manager.name == "rpm":
        verb = next(
            (text for word in reader.options if re.match(r"-[a-zA-Z]*[iUF]", text := render(word))), ""
        )
        verb = verb or next((text for word in reader.options if (text := render(word)) in _RPM_LONG), "")
    elif manager.name == "dpkg":
        verb = next((text for word in reader.options if (text := render(word)) in manager.verbs), "")
    if reader.other or not (verb or manager.bare):
        return None
    piped = any(word.raw.rsplit("/", 1)[-1] == "xargs" for word in command.shell.wrappers)
    return Install(
        manager.name,
        verb,
        tuple(reader.packages),
        command,
        tuple(reader.options),
        tuple(reader.requirements),
        reader.virtual,
        reader.complete and not piped,
    )


_RPM_LONG = ("--install", "--upgrade", "--freshen", "--reinstall")
_LEADING = {"conda": ("env",), "mamba": ("env",), "micromamba": ("env",), "yarn": ("global",)}
_CALLED = frozenset({*MANAGERS, "uv", "install_packages"})
_PYTHON = regex(r"(?:python|pypy)[\d.]*$")
_PIP = regex(r"pip[\d.]*$")


_TOKEN = regex(r"[A-Za-z0-9][\w.+-]*")


def may_install(text: str, known: frozenset[str]) -> bool:
    """Whether a RUN calls a package manager and names one of these packages, or has a variable that may; a quick look."""
    words = _TOKEN.findall(text)
    if "$" not in text and known.isdisjoint(words):
        return False
    return not _CALLED.isdisjoint(words) or "pip" in text


def calls(*managers: str) -> tuple[str, ...]:
    """The texts one of which stands in every command that calls one of these managers."""
    return ("install_packages", *managers) if "apt" in managers else managers


def _manager(name: str, words: list[ShellWord]) -> Manager | None:
    """The manager that `name` with these arguments calls; what only leads to it is taken off `words`."""
    if _PIP.match(name):
        return MANAGERS["pip"]
    if _PYTHON.match(name):
        literals = [word.literal for word in words]
        if "-m" in literals and literals.index("-m") + 1 < len(words):
            at = literals.index("-m") + 1
            if literals[at] == "pip":
                del words[: at + 1]
                return MANAGERS["pip"]
        return None
    if name == "uv" and words and words[0].literal == "pip":
        del words[0]
        return MANAGERS["pip"]
    first = words[0].raw if words else ""
    if first in _LEADING.get(name, ()) or (name == "cargo" and first.startswith("+")):
        del words[0]
    elif name == "install_packages":  # Bitnami's wrapper of apt-get
        return Manager("apt", frozenset(), MANAGERS["apt"].values, MANAGERS["apt"].read, bare=True)
    return MANAGERS.get(name)


class _Reader:
    """Sorts the words of one command line."""

    def __init__(self, manager: Manager, render: Render) -> None:
        self.manager = manager
        self.render = render
        self.verb = ""
        self.packages: list[Package] = []
        self.options: list[ShellWord] = []
        self.requirements: list[ShellWord] = []
        self.virtual: ShellWord | None = None
        self.complete = True
        self.other = False  # another subcommand than one that installs

    def read(self, words: list[ShellWord]) -> None:
        verbless = not self.manager.verbs or self.manager.name == "dpkg"
        queue = iter(words)
        for word in queue:
            text = self.render(word)
            if text.startswith("-") and len(text) > 1:
                if text != "--":
                    self.options.append(word)
                    self._value(word, text, queue)
            elif self.verb or verbless:
                self._package(word, text)
            elif text in self.manager.verbs:
                self.verb = text
            elif text:
                self.other = True
                return

    def _value(self, word: ShellWord, text: str, queue: Iterator[ShellWord]) -> None:
        """Take the value of an option off the queue, and keep it where it matters."""
        name, equals, attached = text.partition("=")
        value: ShellWord | None = None
        if equals:
            value = word if attached else None
        elif name in self.manager.values:
            value = next(queue, None)
        elif self.manager.clusters and text[1] != "-":
            if text[:2] in self.manager.values:
                name, value = text[:2], word
            elif f"-{text[-1]}" in self.manager.values:
                name = f"-{text[-1]}"
                value = next(queue, None)
        if value is None:
            return
        if name in self.manager.files:
            self.requirements.append(value)
        elif self.manager.name == "apk" and name in ("-t", "--virtual"):
            self.virtual = value
        elif self.manager.name == "pip" and name in ("-e", "--editable"):
            self.packages.append(Package(self.render(value), None, value, local=True))

    def _package(self, word: ShellWord, text: str) -> None:
        if self.manager.name in ("apk", "apt") and word.literal is not None and len(text.split()) > 1:
            self.complete = False  # no name holds a blank: a quote is open that never ends
            return
        # A list in an unquoted variable is several packages.
        for name in [text] if word.literal is not None else text.split():
            spec: Spec = self.manager.read(name)
            if spec.name.startswith(("$", "`")):
                self.complete = False
            if spec.name:
                self.packages.append(Package(spec.name, spec.version, word, spec.arch, spec.local))
