"""A file to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.write.shared import OLD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_bytes(OLD)
    return path
