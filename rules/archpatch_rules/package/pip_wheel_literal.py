"""AP319."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package
from archpatch.platforms import ArchWord, arch_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, regex
from archpatch_rules.package.which import is_fine, names_it, packages

# Where an index keeps its files: folders named by the first digits of a hash.
_FROM_AN_INDEX = regex(r"://[^/]+/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]+/")


class PipWheelLiteral(Rule):
    """pip installs a wheel that is built for one architecture.

    On another one the build ends with `ERROR: ... is not a supported wheel on this platform`.

    It is fine in a branch that asks for the architecture, beside the wheel for the other one, and for wheels without an
    architecture (`-any.whl`). A wheel that the same stage downloads is the download's matter.

    A wheel from an index's file server becomes `name==version`, which lets pip take the one that fits; it is unsafe, for
    the package may have none for arm64. For other wheels there is none.
    """

    code, name, severity = "AP319", "pip-wheel-literal", Severity.ERROR
    hints = (".whl",)
    errors = ("is not a supported wheel on this platform",)
    examples = (
        Example(
            "FROM python:3.12\nRUN pip install "
            "https://files.example.org/packages/ab/cd/0123/lxml-5.2.1-cp312-cp312-manylinux_2_28_x86_64.whl\n",
            "FROM python:3.12\nRUN pip install lxml==5.2.1\n",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12\nRUN pip install https://example.com/tool-1.0-cp312-cp312-linux_x86_64.whl\n",
            "FROM python:3.12\nRUN pip install https://example.com/tool-1.0-cp312-cp312-linux_x86_64.whl\n",
        ),
        Example("FROM python:3.12\nRUN pip install https://example.com/tool-1.0-py3-none-any.whl\n"),
        Example(
            "FROM python:3.12\nRUN case $(uname -m) in\\\n  x86_64) pip install /w/tool-1.0-cp312-cp312-linux_x86_64.whl ;;\\\n"
            "  aarch64) pip install /w/tool-1.0-cp312-cp312-linux_aarch64.whl ;;\\\n esac\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each wheel."""
        for install, package in packages(facts, "pip"):
            found = _architecture(package)
            if found is None or found.arch == facts.named_arch or is_fine(facts, install, package):
                continue
            name = package.word.raw.rsplit("/", 1)[-1].strip("'\"")
            if "://" not in package.word.raw and _is_downloaded(facts, name):
                continue
            yield self.finding(
                package.word.find(found.text) or package.word.span,
                f"{name} is built for {found.text}, and is installed on every platform: pip refuses it on another one.",
                _fix(install, package),
            )


def _architecture(package: Package) -> ArchWord | None:
    """The architecture in the platform tag of a wheel: the last part of its name."""
    path = package.word.raw.partition("#")[0].strip("'\"")
    if not package.local or not path.endswith(".whl"):
        return None
    tag = path.rsplit("-", 1)[-1]
    if tag.startswith(("win", "macosx")):
        return None
    return next(
        (word for word in arch_words(tag.replace("_x86_64", "-x86_64").replace("_aarch64", "-aarch64"))), None
    )


def _is_downloaded(facts: Facts, name: str) -> bool:
    """Whether the wheel, of whatever platform it was renamed to, is downloaded in the file."""
    package = name.split("-")[:2]
    names = ((one.output or "").rsplit("/", 1)[-1] or one.file_name for one in facts.downloads)
    return any(one.endswith(".whl") and one.split("-")[:2] == package for one in names)


def _fix(install: Install, package: Package) -> Fix | None:
    path = package.word.literal or ""
    if not _FROM_AN_INDEX.search(path) or not names_it(install, package):
        return None
    parts = path.rsplit("/", 1)[-1].split("-")
    if len(parts) < 5:  # a wheel is name-version-python-abi-platform
        return None
    name, version = parts[:2]
    edit = Edit.replace(package.word.span, f"{name}=={version}")
    return Fix("Let pip choose the wheel", (edit,), Applicability.UNSAFE)
