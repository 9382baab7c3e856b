"""What git knows of a repository: which files differ from a commit, and what they held there.

The repository is the scanned one: its own config may name programs, so those that git would run here (a file system
monitor, hooks, text converters, pagers) are switched off, and the system's config is not read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import subprocess

_TIMEOUT = 60.0  # seconds
_QUIET = (
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "protocol.allow=never",  # a partial clone would fetch what it lacks
)


class GitError(Exception):
    """git could not say; str() is one line."""


class Commit(Struct, frozen=True):
    """A commit of the repository whose folder is `root` (absolute)."""

    root: Path
    name: str

    def text(self, path: Path) -> bytes | None:
        """What a file held; None where there was none."""
        name = Path(os.path.relpath(os.path.realpath(path), self.root)).as_posix()
        if name.startswith("../"):
            return None
        ran = _run(self.root, "cat-file", "blob", f"{self.name}:{name}")
        return ran.stdout if ran.returncode == 0 else None


def fork_point(folder: Path, revision: str) -> Commit:
    """Where HEAD and `revision` part: what stands there has not been changed since. Raises GitError."""
    root = Path(os.path.realpath(os.fsdecode(_ask(folder, "rev-parse", "--show-toplevel").rstrip(b"\n"))))
    wanted = f"{revision}^{{commit}}"
    name = _ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, says=revision)
    commit = name.decode().strip()
    base = _run(root, "merge-base", commit, "HEAD")
    return Commit(root, base.stdout.decode().strip() if base.returncode == 0 else commit)


def _ask(folder: Path, *arguments: str, says: str = "") -> bytes:
    ran = _run(folder, *arguments)
    if ran.returncode:
        told = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(told[-1] if told else f"git knows no commit {says!r}")
    return ran.stdout


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    import subprocess  # dear at start-up, and most runs ask git nothing

    # A hook's environment speaks of the repository that is committed to, which need not be this one.
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG_")
    }
    settings |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603  (a list of arguments; a revision stands behind --end-of-options)
            ["git", *_QUIET, *arguments],  # noqa: S607  (git is where the user has it)
            cwd=folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git could not be run: {error}") from error
