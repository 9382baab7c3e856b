"""Who imports whom: floors, doors, and what a start-up must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "archpatch").rglob("*.py"))
PACK = sorted((ROOT / "rules").rglob("*.py"))

# From the ground up; modules of one floor may import each other.
FLOORS = (
    ("text", "platforms", "misspelt"),
    ("syntax", "ignorefiles", "assets"),
    ("tables",),
    ("rule", "deferred", "facts", "rewrite"),
    ("registry", "suppress", "view", "checking", "engine"),
    ("report", "verify", "write", "config", "discover", "git", "narrow", "testing"),
    ("session", "look", "cache", "review", "ignoring", "starters"),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}

# Outside package -> the modules that may import it.
DOORS = {
    "libcst": {"syntax/python"},
    "tree_sitter": {"syntax/shell"},
    "tree_sitter_bash": {"syntax/shell"},
    "dockerfile_parse": {"syntax/second"},
    "click": {"cli/"},
    "rich": {"report/"},
    "jinja2": {"report/"},
    "elftools": {"verify/"},
    # Engines are run by verify, git (what changed since a commit) by git alone, its config distrusted.
    "subprocess": {"verify/", "git"},
    "urllib3": {"review/http"},
}
PUBLIC = (
    "text",
    "platforms",
    "rule",
    "deferred",
    "facts",
    "rewrite",
    "syntax.tree",
    "syntax.shell",
    "syntax.python",
    "tables",
)


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, wherever in it."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module: str) -> int | None:
    """The floor of `archpatch.NAME...`; None for the package itself."""
    parts = module.split(".")
    return LEVEL.get(parts[1]) if parts[0] == "archpatch" and len(parts) > 1 else None


def name(path: Path) -> str:
    return path.relative_to(ROOT / "archpatch").with_suffix("").as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_imports_from_floors_below_only(path: Path) -> None:
    own = name(path).split("/")[0]
    if name(path) == "__init__":
        return
    assert own in LEVEL, f"{own} has no floor yet"
    above = [
        module for module in imports(path) if (level := floor(module)) is not None and level > LEVEL[own]
    ]
    assert not above


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_each_outside_package_has_one_door(path: Path) -> None:
    through = [
        module
        for module in imports(path)
        if module.split(".")[0] in DOORS
        and not any(name(path).startswith(d) for d in DOORS[module.split(".")[0]])
    ]
    assert not through


@pytest.mark.parametrize("path", PACK, ids=lambda path: path.relative_to(ROOT / "rules").as_posix())
def test_the_rule_pack_imports_public_modules_only(path: Path) -> None:
    for module in imports(path):
        if module.startswith("archpatch."):
            assert module.removeprefix("archpatch.").startswith(PUBLIC), module


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        (
            "['--version']",
            ("rich", "jinja2", "libcst", "tree_sitter", "dockerfile_parse", "elftools", "archpatch.facts"),
        ),
        ("['check', '--output-format', 'json', 'fixtures/hello']", ("rich", "jinja2", "libcst", "elftools")),
        ("['verify', '--level', 'plan', 'fixtures/hello']", ("libcst", "backports.zstd", "compression.zstd")),
    ],
    ids=["version", "check", "plan"],
)
def test_a_start_loads_no_more_than_it_needs(command: str, heavy: tuple[str, ...]) -> None:
    program = (
        f"import sys; from archpatch.cli.app import run; run({command}); print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    loaded = set(ran.stderr.splitlines()[-1].split())
    assert "archpatch.cli.app" in loaded
    assert not loaded & set(heavy)
