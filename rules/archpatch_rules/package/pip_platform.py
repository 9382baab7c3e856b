"""AP320."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, PlatformKind
from archpatch.facts.assigned import assigned
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import arch_words
from archpatch.rewrite import substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, Span
from archpatch_rules.package.which import installs, stages


class PipPlatform(Rule):
    """pip or uv is told to take the wheels of one platform (`--platform manylinux2014_x86_64`).

    Nothing fails where the image is built: the wheels are unpacked and not asked. On arm64 the program ends with
    `ImportError: ... cannot open shared object file` or `invalid ELF header` as soon as it loads one.

    It is fine in a branch that asks for the architecture, in a stage that is pinned, and where both are fetched.

    The fix puts `$(uname -m)` into a tag of manylinux2014 or newer, which both architectures have. It is unsafe: a
    package may have no such wheel for arm64. For other tags and for `UV_PYTHON_PLATFORM` there is none: leave the option
    out, and pip takes what fits the machine. uv's `--python-platform` is a matter of build-target-option.
    """

    code, name, severity = "AP320", "pip-platform", Severity.WARNING
    hints = ("--platform", "uv_python_platform")
    errors = ("invalid ELF header", "cannot open shared object file")
    examples = (
        Example(
            "FROM python:3.12\nRUN pip install --platform manylinux2014_x86_64 --only-binary=:all: --target /opt numpy\n",
            'FROM python:3.12\nRUN pip install --platform "manylinux2014_$(uname -m)" --only-binary=:all: --target /opt numpy\n',
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nRUN python -m pip download --platform manylinux2014_x86_64 --only-binary=:all: numpy\n",
            'FROM python:3.12\nRUN python -m pip download --platform "manylinux2014_$(uname -m)" --only-binary=:all: numpy\n',
            "Called by Python",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nENV UV_PYTHON_PLATFORM=x86_64-manylinux_2_28\nRUN uv pip install numpy\n",
            "FROM python:3.12\nENV UV_PYTHON_PLATFORM=x86_64-manylinux_2_28\nRUN uv pip install numpy\n",
        ),
        Example(
            "FROM python:3.12\nRUN UV_PYTHON_PLATFORM=x86_64-manylinux_2_28 uv sync\n",
            "FROM python:3.12\nRUN UV_PYTHON_PLATFORM=x86_64-manylinux_2_28 uv sync\n",
        ),
        Example("FROM python:3.12\nRUN pip install --platform any --only-binary=:all: --target /opt flask\n"),
        Example(
            "FROM python:3.12\nRUN pip download --platform manylinux2014_x86_64 --platform manylinux2014_aarch64 "
            "--only-binary=:all: numpy\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each option or variable."""
        for install in installs(facts, "pip"):
            word = install.option("--platform")
            if word is not None:
                found = next(
                    (one for one in arch_words(_split(word.raw)) if one.arch in ("amd64", "arm64")), None
                )
                span = word.find(found.text) if found else None
                if found is None or span is None or found.arch == facts.named_arch:
                    continue
                if why_fine(facts, install.run, span, install.command) is None:
                    yield self.finding(span, _message(found.text), _fix(install, word, span, found.text))
        concerned = list(stages(facts))
        for place in assigned(facts, "UV_PYTHON_PLATFORM"):
            found = next(iter(arch_words(place.value or "")), None)
            if found is None or found.arch == facts.named_arch or place.stage not in concerned:
                continue
            if why_fine(facts, place.instruction, place.word.span, place.command) is None:
                yield self.finding(place.word.span, _message(found.text))


def _message(text: str) -> str:
    return f"The wheels of {text} are taken on every platform: another one cannot load what they hold."


def _split(tag: str) -> str:
    """A platform tag with its architecture as a word of its own."""
    return tag.replace("_x86_64", "-x86_64").replace("_aarch64", "-aarch64")


def _fix(install: Install, word: ShellWord, span: Span, text: str) -> Fix | None:
    newer = any(tag in word.raw for tag in ("manylinux2014", "manylinux_2_", "musllinux_"))
    if (
        not newer
        or text not in ("x86_64", "aarch64")
        or install.command.stage.kind is not PlatformKind.TARGET
    ):
        return None
    edit = (
        substitute(word, span, "$(uname -m)", install.command)
        if install.command.script.readable and not install.run.json
        else None
    )
    return Fix("Take the wheels of the machine", (edit,), Applicability.UNSAFE) if edit else None
