"""What was proved stays proved, while nothing changes that it was proved of.

A verdict is kept under a hash of the Dockerfile, the context, the digests of the base images, the platform, the
builder and its version, and everything that the user said. Where one of these cannot be known (a base out of
reach, a context too large to hash, named contexts, a frontend of the file's own) nothing is kept. What could not be told is never kept, nor is a build
that failed: the next try may tell more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpatch import __version__
from archpatch.discover import user_folder
from archpatch.facts.context import FolderContext
from archpatch.platforms import Platform
from archpatch.verify.bases import bases_of
from archpatch.verify.buildx import Buildx
from archpatch.verify.verdict import Evidence, Look, State

if TYPE_CHECKING:
    from archpatch.verify.build import Bench, Candidate

_FORMAT = 3
_MAX_BYTES = 256 << 20  # of a context
_MAX_FILES = 20_000
_MAX_ENTRY = 4 << 20


def default_folder() -> Path:
    """Where verdicts are kept: the user's own cache."""
    return user_folder() / "verify"


@dataclass(slots=True)
class Verdicts:
    """The verdicts on disk."""

    folder: Path
    _digests: dict[str, str | None] = field(default_factory=dict)

    def key(self, bench: Bench, candidate: Candidate, platform: Platform) -> str | None:
        """The hash of all that the verdict depends on; None where that is not fully known."""
        job = candidate.job
        builds_on = bench.preflight.build_platform(platform)
        named, unknown = bases_of(candidate.document, platform, builds_on, stage=job.stage, args=job.args)
        if unknown or job.contexts or bench.buildx.settings.no_cache or bench.trust_syntax:
            return None
        digests = {base.reference: self._digest(bench.buildx, base.reference) for base in named}
        context = _context_hash(candidate)
        if context is None or None in digests.values():
            return None
        settings, found = bench.buildx.settings, bench.preflight
        parts = {
            "format": _FORMAT, "tool": __version__, "source": _hash(candidate.source), "context": context,
            "bases": digests, "platform": str(platform), "mode": found.mode(platform).value,
            "builder": [found.builder.name, found.builder.driver, found.builder.version, dict(found.versions)],
            "stage": job.stage, "args": dict(job.args), "exports": job.exports, "network": settings.network,
            "allow": bench.exemptions.globs, "run": bench.run_command,
        }  # fmt: skip
        return _hash(json.dumps(parts, sort_keys=True).encode())

    def _digest(self, buildx: Buildx, reference: str) -> str | None:
        if reference not in self._digests:
            self._digests[reference] = _resolved(buildx, reference)
        return self._digests[reference]

    def get(self, key: str, candidate: Candidate) -> Look | None:
        """The look under `key`; None where there is none that can be read."""
        path = self.folder / f"{key}.json"
        try:
            with path.open("rb") as file:
                if not _is_ours(file.fileno()):
                    return None
                raw = json.loads(file.read(_MAX_ENTRY))
            look = _look(raw, candidate)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return look if look.state is not State.UNKNOWN else None

    def put(self, key: str, look: Look) -> None:
        """Keep a look. A cache that cannot be written is no error."""
        if look.state is State.UNKNOWN or look.failed or look.cached:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temp = self.folder / f".{key}.{secrets.token_hex(4)}"
            try:
                with open(temp, "x", encoding="ascii", opener=_private) as file:
                    json.dump(_raw(look), file)
                temp.replace(self.folder / f"{key}.json")
            finally:
                temp.unlink(missing_ok=True)


def _is_ours(descriptor: int) -> bool:
    """Whether this user wrote the file; on Windows the profile's rights say so."""
    return sys.platform == "win32" or os.fstat(descriptor).st_uid == os.getuid()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _resolved(buildx: Buildx, reference: str) -> str | None:
    """The digest that a name stands for now: at its registry, else in the engine's store."""
    if "@sha256:" in reference:
        return reference.rpartition("@")[2]
    answer = buildx.ask("buildx", "imagetools", "inspect", "--raw", reference)
    if answer.ok and answer.out:
        return _hash(answer.out.encode())
    stored = buildx.ask("image", "inspect", "--format", "{{.Id}}", reference)
    return stored.out.strip() or None if stored.ok else None


def _context_hash(candidate: Candidate) -> str | None:
    """Names, modes, links and bytes of all that a build could copy; None where that is too much.

    The Dockerfile is left out: its text counts for itself, mended or not.
    """
    job = candidate.job
    own = os.path.realpath(job.dockerfile)
    ignored = FolderContext(job.context, job.dockerfile.name).ignore
    changed = {os.path.realpath(path): data for path, data in candidate.files.items()}
    total = hashlib.sha256()
    left = _MAX_BYTES
    for number, (name, path) in enumerate(_walk(job.context)):
        if number >= _MAX_FILES:
            return None
        if ignored.ignores(name) or os.path.realpath(path) == own:
            continue
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                data = os.fsencode(os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                data = b""
            elif stat.S_ISREG(status.st_mode):
                left -= status.st_size
                if left < 0:
                    return None
                data = changed.get(os.path.realpath(path)) or path.read_bytes()
            else:
                continue
        except OSError:
            return None
        header = f"{name}\0{stat.S_IFMT(status.st_mode):o} {status.st_mode & 0o7777:o}\0{len(data)}\0"
        total.update(header.encode("utf-8", "surrogateescape") + data)
    return total.hexdigest()


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file, folder and link below `root`, by names in order."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted([*files, *folders]):
            path = Path(folder, name)
            yield path.relative_to(root).as_posix(), path


def _raw(look: Look) -> dict[str, Any]:
    evidence = [
        {
            "kind": one.kind, "message": one.message, "state": one.state.value, "path": one.path,
            "lines": one.lines, "codes": one.codes, "log": one.log,
        }
        for one in look.evidence
    ]  # fmt: skip
    return {
        "platform": str(look.platform), "state": look.state.value, "evidence": evidence, "notes": look.notes,
        "mode": look.mode, "elf_files": look.elf_files, "exempt": look.exempt, "failed": look.failed,
        "command": look.command, "resolved": look.resolved,
    }  # fmt: skip


def _look(raw: Any, candidate: Candidate) -> Look:
    evidence = tuple(
        Evidence(
            str(one["kind"]), str(one["message"]), State(one["state"]), str(one["path"]),
            tuple(map(int, one["lines"])), tuple(map(str, one["codes"])), str(one["log"]),
        )
        for one in raw["evidence"]
    )  # fmt: skip
    return Look(
        candidate.job.name,
        candidate.job.dockerfile,
        Platform.parse(raw["platform"]),
        State(raw["state"]),
        evidence,
        notes=_texts(raw["notes"]),
        mode=str(raw["mode"]),
        elf_files=int(raw["elf_files"]),
        exempt=int(raw["exempt"]),
        failed=bool(raw["failed"]),
        cached=True,
        command=_texts(raw["command"]),
        resolved=_texts(raw["resolved"]),
    )


def _texts(raw: Any) -> tuple[str, ...]:
    return tuple(map(str, raw))
