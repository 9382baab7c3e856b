"""AP322."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.platforms import AMD64
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, regex
from archpatch_rules.package.which import installs, is_fine, names_it

_LOCAL = regex(r"\+(cpu|cu\d+)(?![\w.])")
_INDEX = regex(r"https?://download\.pytorch\.org/whl/(?:[a-z]+/)?(cu\d+)")
_FIRST_WITH_ARM64 = 124  # CUDA 12.4: the first index with wheels for aarch64


class TorchIndex(Rule):
    """PyTorch is asked for in a build that PyTorch's index has for x86_64 alone (`torch==2.1.0+cpu`, `whl/cu118`).

    On arm64 the build ends with `ERROR: No matching distribution found for torch==2.1.0+cpu`: wheels for arm64 had no such
    suffix, and the indexes for CUDA before 12.4 have none.

    It is fine in a branch that asks for the architecture, and with an index that has both (`whl/cpu`).

    The fix takes `+cpu` off the version where the index is `whl/cpu`: pip then takes the same wheel on amd64, and the one
    for arm64 there. From a page with the builds for CUDA too, another one would be taken: there it asks for both, each on
    its own architecture. It is unsafe: arm64 may have no wheel of that version. For CUDA there is none: which build the
    arm64 image is to have is for a person to say.
    """

    code, name, severity = "AP322", "torch-index", Severity.ERROR
    hints = ("pytorch.org/whl", "+cpu", "+cu")
    errors = (
        "No matching distribution found for torch",
        "Could not find a version that satisfies the requirement torch",
    )
    examples = (
        Example(
            "FROM python:3.11\nRUN pip install torch==2.1.0+cpu --index-url https://download.pytorch.org/whl/cpu\n",
            "FROM python:3.11\nRUN pip install torch==2.1.0 --index-url https://download.pytorch.org/whl/cpu\n",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.11\nRUN pip install torch==2.1.0+cpu -f https://download.pytorch.org/whl/torch_stable.html\n",
            "FROM python:3.11\nRUN pip install 'torch==2.1.0+cpu; platform_machine == \"x86_64\"' "
            "'torch==2.1.0; platform_machine == \"aarch64\"' -f https://download.pytorch.org/whl/torch_stable.html\n",
            "A page with every build",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.11\nRUN pip install torch --index-url https://download.pytorch.org/whl/cu118\n",
            "FROM python:3.11\nRUN pip install torch --index-url https://download.pytorch.org/whl/cu118\n",
        ),
        Example(
            "FROM python:3.11\nRUN pip install torch --extra-index-url https://download.pytorch.org/whl/cu118\n",
            "FROM python:3.11\nRUN pip install torch --extra-index-url https://download.pytorch.org/whl/cu118\n",
            "An index beside PyPI's: a warning, for arm64 gets a build without CUDA",
        ),
        Example(
            "FROM python:3.11\nARG CUDA=cu121\nRUN pip install torch --index-url https://download.pytorch.org/whl/$CUDA\n",
            "FROM python:3.11\nARG CUDA=cu121\nRUN pip install torch --index-url https://download.pytorch.org/whl/$CUDA\n",
            "The index is a variable",
        ),
        Example("FROM python:3.11\nRUN pip install torch --index-url https://download.pytorch.org/whl/cpu\n"),
        Example(
            "FROM python:3.11\nRUN pip install torch --index-url https://download.pytorch.org/whl/cu128\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each package with such a suffix, else one for the index."""
        if "arm64" not in others(facts):
            return
        for install in installs(facts, "pip"):
            found = [(one, match) for one in install.packages if (match := _LOCAL.search(one.word.raw))]
            found = [(one, match) for one, match in found if "platform_machine" not in one.word.raw]
            found = [(one, match) for one, match in found if not is_fine(facts, install, one)]
            for package, match in found:
                yield self.finding(
                    package.word.span,
                    f"{package.name} is asked for as `{match[0]}`, which PyTorch's index has for x86_64 alone at this version.",
                    _fix(install, package, match[0]),
                )
            if not found:
                yield from self._index(facts, install)

    def _index(self, facts: Facts, install: Install) -> Iterator[Finding]:
        for option in ("--index-url", "-i", "--extra-index-url"):
            word = install.option(option)
            match = _INDEX.search(_address(facts, install, word)) if word else None
            if word is None or match is None or int(match[1][2:]) >= _FIRST_WITH_ARM64:
                continue
            if why_fine(facts, install.run, word.span, install.command) is not None:
                continue
            beside = option == "--extra-index-url" and not install.option("--index-url", "-i", "--no-index")
            yield self.finding(
                word.span,
                f"PyTorch's index for {match[1]} has no wheels for arm64: there pip takes what the other index has, without "
                "CUDA."
                if beside
                else f"PyTorch's index for {match[1]} has no wheels for arm64: there the build finds no torch.",
                severity=Severity.WARNING if beside else None,
            )


def _address(facts: Facts, install: Install, word: ShellWord) -> str:
    """An index as amd64 asks for it, or as it is written where that is not known."""
    return facts.value(install.command, word, AMD64).text or word.raw


def _fix(install: Install, package: Package, suffix: str) -> Fix | None:
    index = install.option("--index-url", "-i", "--extra-index-url", "-f", "--find-links")
    span = package.word.find(suffix)
    if suffix != "+cpu" or span is None or index is None or "pytorch.org/whl" not in index.raw:
        return None
    text = package.word.literal
    if not names_it(install, package):
        return None
    if "whl/cpu" in index.raw:
        return Fix("Take the build without a suffix", (Edit.delete(span),), Applicability.UNSAFE)
    if text is None or set(text) & set("'\";") or not text.endswith(suffix):
        return None
    asked = f"'{text}; platform_machine == \"x86_64\"' '{text.removesuffix(suffix)}; platform_machine == \"aarch64\"'"
    return Fix("Ask for one build for each", (Edit.replace(package.word.span, asked),), Applicability.UNSAFE)
