"""AP803."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import CopyOut, Facts, PlatformKind, StageFacts
from archpatch.facts.written import why_arch_is_fine
from archpatch.rewrite import delete_flag
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, regex

_PACKAGES = regex(
    r"(?:^|/)(?:\.?v?env|site-packages|dist-packages|\.venv|\.local|bundle|gems|virtualenv)(?:/|$)"
)
_PYTHON = regex(r"(\d+\.\d+)")


class VenvAcrossStages(Rule):
    """Installed Python packages or gems are copied between stages that do not fit together.

    A virtualenv holds compiled modules: for one architecture, one C library and one minor version of Python. Taken from a
    stage on `$BUILDPLATFORM` the image for arm64 gets amd64's; taken from Debian to Alpine, or from Python 3.11 to 3.12,
    an import fails on every platform.

    It is fine for packages in pure Python, which this rule cannot tell, and for wheels.

    The fix drops `--platform` of the stage that installs them, where that is the trouble: it is unsafe, for the build is
    slower under emulation. For another C library or version there is none: use one base for both stages.
    """

    code, name, severity = "AP803", "venv-across-stages", Severity.WARNING
    hints = ("env", "-packages", ".local", "bundle", "gems")
    errors = (
        "ImportError: cannot open shared object file",
        "ModuleNotFoundError: No module named",
        "invalid ELF header",
        "wrong ELF class",
    )
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM python:3.12-slim AS build\nRUN python -m venv /venv && /venv/bin/pip install a\n"
            "FROM python:3.12-slim\nCOPY --from=build /venv /venv\n",
            "FROM python:3.12-slim AS build\nRUN python -m venv /venv && /venv/bin/pip install a\n"
            "FROM python:3.12-slim\nCOPY --from=build /venv /venv\n",
            "For the machine that builds",
            applicability="unsafe",
        ),
        Example(
            "FROM python:3.12 AS build\nRUN pip install --user a\nFROM python:3.12-alpine\n"
            "COPY --from=build /root/.local /root/.local\n",
            "FROM python:3.12 AS build\nRUN pip install --user a\nFROM python:3.12-alpine\n"
            "COPY --from=build /root/.local /root/.local\n",
            "Another C library",
        ),
        Example(
            "FROM python:3.11 AS build\nRUN python -m venv /venv\nFROM python:3.12\nCOPY --from=build /venv /venv\n",
            "FROM python:3.11 AS build\nRUN python -m venv /venv\nFROM python:3.12\nCOPY --from=build /venv /venv\n",
            "Another Python",
        ),
        Example(
            "FROM python:3.12 AS build\nRUN python -m venv /venv\nFROM python:3.12-slim\nCOPY --from=build /venv /venv\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each COPY of packages from a stage that does not fit."""
        for stage in facts.stages:
            for copy in stage.copies_in:
                reason = _reason(copy)
                if reason is None or copy.mount is not None:
                    continue
                if why_arch_is_fine(facts, "amd64", copy.instruction, copy.word.span) is not None:
                    continue
                yield self.finding(
                    copy.sources[0].span,
                    f"These packages were installed {reason}: compiled modules among them cannot be loaded here.",
                    _fix(document, copy),
                    related=(Related(copy.source.head.span, "the stage that installs them"),),
                )


def installed_packages(copy: CopyOut) -> bool:
    """Whether a COPY takes installed packages."""
    return any(_PACKAGES.search(source.value) for source in copy.sources)


def _reason(copy: CopyOut) -> str | None:
    source, by = copy.source, copy.by
    if not copy.sources or not installed_packages(copy) or not _installs(source):
        return None
    if source.kind is PlatformKind.BUILD and by.kind is PlatformKind.TARGET:
        return "for the machine that builds, not for the platform of this image"
    musl = source.distro.musl, by.distro.musl
    if None not in musl and musl[0] != musl[1]:
        names = ["musl" if one else "glibc" for one in musl]
        return f"against {names[0]}, and this stage has {names[1]}"
    versions = _python(source), _python(by)
    if None not in versions and versions[0] != versions[1]:
        return f"for Python {versions[0]}, and this stage has {versions[1]}"
    return None


def _installs(stage: StageFacts) -> bool:
    return any(True for _ in stage.all_installs("pip", "gem", "bundle")) or any(
        command.shell.name.startswith(("pip", "python", "poetry", "uv", "virtualenv", "bundle"))
        for one in stage.chain
        for command in one.commands
    )


def _python(stage: StageFacts) -> str | None:
    """The minor version of Python that the base's tag names."""
    image = stage.root.image
    if image is None or image.name.rsplit("/", 1)[-1] != "python" or image.tag is None:
        return None
    match = _PYTHON.match(image.tag)
    return match[1] if match else None


def _fix(document: Document, copy: CopyOut) -> Fix | None:
    platform = copy.source.platform(copy.source.facts.targets[0])
    if copy.source.kind is not PlatformKind.BUILD or platform.flag is None or platform.origin is not None:
        return None
    if copy.source.facts.uses(stage=copy.source):
        return None  # it asks for the target itself
    edits = (delete_flag(document, platform.flag),)
    return Fix("Install on the platform that is built", edits, Applicability.UNSAFE)
