"""Short ways to images that are built and looked at, for tests."""

from __future__ import annotations

from pathlib import Path

from archpatch.verify.run import Request, verify
from archpatch.verify.verdict import Level, State, Verification
from tests.engine.conftest import Tree, program

APPS: Tree = {"app-amd64": program("amd64"), "app-arm64": program("arm64")}
GOOD = 'FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\nENTRYPOINT ["/app"]\n'


def run(folder: Path, level: Level = Level.BUILD, **options: object) -> Verification:
    """archpatch verify of a folder."""
    return verify(Request((folder,), level, **options))  # type: ignore[arg-type]  # fields of Request


def told(result: Verification) -> dict[str, State]:
    return {f"{look.target} {look.platform}": look.state for look in result.looks}
