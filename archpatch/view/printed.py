"""What commands print that name the architecture, and what a filter makes of it."""

from __future__ import annotations

import re
from collections.abc import Hashable

from archpatch.platforms import Convention
from archpatch.text import regex
from archpatch.view.state import Machine
from archpatch.view.values import Command, Node


def printed(step: Hashable, machine: Machine) -> str | None:
    """What a step prints; None when it may do anything else."""
    if step == "&&":
        return ""
    if isinstance(step, Command):
        return None if step.assigns or step.redirects else _printed_by(step, machine)
    if isinstance(step, Node) and step.kind == "pipe":
        text: str | None = None
        for number, part in enumerate(step.parts):
            assert isinstance(part, tuple)
            if len(part) != 1:
                return None
            text = printed(part[0], machine) if not number else _filtered(part[0], text)
            if text is None:
                return None
        return text
    return None


_SELECTORS = {
    ("uname", "-m"): Convention.UNAME,
    ("uname", "--machine"): Convention.UNAME,
    ("arch",): Convention.UNAME,
    ("dpkg", "--print-architecture"): Convention.DPKG,
    ("apk", "--print-arch"): Convention.APK,
    ("rpm", "-E", "%_arch"): Convention.RPM,
    ("rpm", "-E", "%{_arch}"): Convention.RPM,
    ("rpm", "--eval", "%_arch"): Convention.RPM,
    ("rpm", "--eval", "%{_arch}"): Convention.RPM,
    ("dpkg-architecture", "-qDEB_HOST_MULTIARCH"): Convention.GNU,
    ("dpkg-architecture", "-q", "DEB_HOST_MULTIARCH"): Convention.GNU,
    ("dpkg-architecture", "-qDEB_HOST_ARCH"): Convention.DPKG,
}


def _printed_by(command: Command, machine: Machine) -> str | None:
    texts = [word.text for word in command.words]
    arguments = tuple(text for text in texts if text is not None)
    if len(arguments) != len(texts):
        return None
    if arguments in (("uname",), ("uname", "-s")):
        return "Linux\n"
    if convention := _SELECTORS.get(arguments):
        word = machine.spell(convention)
        return None if word is None else word + "\n"
    constant = all(word.constant is not None for word in command.words)
    if constant and arguments[:1] == ("echo",) and "\\" not in "".join(arguments):
        newline = arguments[1:2] != ("-n",)
        return " ".join(arguments[1 if newline else 2 :]) + ("\n" if newline else "")
    if constant and arguments[:1] == ("printf",) and arguments[1:2] in (("%s",), ("%s\\n",)):
        return (
            "".join(arguments[2:3]) + ("\n" if "n" in arguments[1] else "") if len(arguments) == 3 else None
        )
    return None


_SED = regex(r"s([/|,:#])((?:(?!\1).)*)\1((?:(?!\1).)*)\1(g?)")


def _filtered(step: Hashable, text: str | None) -> str | None:
    """What a `sed 's/a/b/'` in a pipe makes of a text; None for any other filter."""
    if text is None or not isinstance(step, Command) or step.assigns or step.redirects:
        return None
    words = [word.text for word in step.words]
    if words[:1] != ["sed"] or None in words:
        return None
    programs = [word for word in words[1:] if word is not None and word not in ("-e", "-E", "-r")]
    for program in ";".join(programs).split(";"):
        match = _SED.fullmatch(program.strip())
        # Basic and extended expressions agree on these characters alone.
        if match is None or not re.fullmatch(r"\^?[\w/ .-]*\$?", match[2]) or re.search(r"[\\&]", match[3]):
            return None
        lines = [re.sub(match[2], match[3], line, count=0 if match[4] else 1) for line in text.split("\n")]
        text = "\n".join(lines)
    return text
