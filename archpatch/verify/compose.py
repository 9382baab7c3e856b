"""What buildx drops of a compose file: `services.NAME.platform`, by which docker compose builds and runs.

Only this one key is wanted, so the file is read by its indentation; flow style, anchors and the like are passed
over (buildx reads the rest of the file, and reads it whole).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY = re.compile(r"^( *)(?:\"([^\"]+)\"|'([^']+)'|([A-Za-z0-9._-]+))\s*:(?:\s+(.*))?$")
_MAX_SIZE = 1 << 20


def service_platforms(text: str) -> Mapping[str, str]:
    """Service -> the value of its `platform`, as written; services without one are left out."""
    found: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in text[:_MAX_SIZE].splitlines():
        match = _KEY.match(line.rstrip())
        if not match:
            continue
        indent, name = len(match[1]), match[2] or match[3] or match[4]
        while stack and stack[-1][0] >= indent:
            stack.pop()
        path = [key for _, key in stack]
        value = (match[5] or "").split(" #")[0].strip().strip("\"'")
        if len(path) == 2 and path[0] == "services" and name == "platform" and value:
            found[path[1]] = value
        stack.append((indent, name))
    return found
