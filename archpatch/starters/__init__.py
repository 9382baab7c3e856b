"""The files that `archpatch init` proposes, for the repository it finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from archpatch import HOMEPAGE, __version__
from archpatch.config import NAMES
from archpatch.discover import Unreadable, read
from archpatch.platforms import DEFAULT_TARGETS, Platform, UnknownPlatform

CI = ("github", "gitlab")
_SEEN_IN = (".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml", "docker-bake*.hcl")
_PLATFORM = re.compile(
    r"\blinux/(?:386|amd64|arm64|arm(?:/v[5-7])?|loong64|mips64le|ppc64le|riscv64|s390x)\b"
)
_MOST = 200  # workflows that are read


class Proposal(Struct, frozen=True):
    """A file to write. `text` None: it is there already, and `hint` is what to put into it by hand."""

    path: Path
    text: str | None
    hint: str = ""


def proposals(root: Path, ci: str | None = None) -> Iterator[Proposal]:
    """What a repository lacks: a config, a hook, and, where `ci` names one, a job."""
    yield _config(root)
    hook = _text("pre-commit.yaml").replace("HOMEPAGE", HOMEPAGE).replace("VERSION", f"v{__version__}")
    existing = root / ".pre-commit-config.yaml"
    if not existing.exists():
        yield Proposal(existing, f"repos:\n{hook}")
    elif "archpatch" not in _read(existing):
        yield Proposal(existing, None, hook)
    if ci == "github":
        workflow = root / ".github" / "workflows" / "archpatch.yml"
        if not workflow.exists():
            yield Proposal(workflow, _text("github.yaml"))
    elif ci == "gitlab":
        pipeline = root / ".gitlab-ci.yml"
        if not pipeline.exists():
            yield Proposal(pipeline, _text("gitlab.yaml"))
        elif "archpatch" not in _read(pipeline):
            yield Proposal(pipeline, None, _text("gitlab.yaml"))


def _config(root: Path) -> Proposal:
    for name in NAMES:
        path = root / name
        if path.exists() and (name != "pyproject.toml" or "[tool.archpatch]" in _read(path)):
            return Proposal(path, None)
    found = list(platforms(root))
    listed = ", ".join(f'"{one}"' for one in found or DEFAULT_TARGETS)
    why = "those of this repository's workflows" if found else "the default"
    text = _text("archpatch.toml").replace("PLATFORMS", f"[{listed}]").replace("WHY", why)
    return Proposal(root / "archpatch.toml", text)


def platforms(root: Path) -> tuple[Platform, ...]:
    """The platforms that workflows and bake files name, where they name more than one."""
    found: set[Platform] = set()
    for path in [path for glob in _SEEN_IN for path in sorted(root.glob(glob))][:_MOST]:
        for word in _PLATFORM.findall(_read(path)):
            try:
                found.add(Platform.parse(word))
            except UnknownPlatform:
                continue
    return tuple(sorted(found, key=str)) if len(found) > 1 else ()


def _read(path: Path) -> str:
    try:
        return read(path, 1 << 20).decode("utf-8", "replace")
    except Unreadable:
        return ""


def _text(name: str) -> str:
    return files("archpatch.starters").joinpath(name).read_text(encoding="utf-8")
