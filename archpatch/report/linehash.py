"""GitHub's `primaryLocationLineHash`, by which code scanning knows a finding again after lines moved.

The hash of a line is that of the first 100 characters from its start on, blanks and tabs left out and running
into the lines below: sum of c * 37^(99 - i) modulo 2^64, in UTF-16 code units, a CR or CRLF read as LF, the end of
the text marked by 65535 and filled up with zeros. Equal hashes of one file are numbered.
Source: github/codeql-action, fingerprints, and its published vectors.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

_WINDOW = 100
_MASK = (1 << 64) - 1
_TOP = pow(37, _WINDOW, 1 << 64)


@lru_cache(maxsize=16)
def line_hashes(source: bytes) -> tuple[str, ...]:
    """The hash of each line, the first at index 0."""
    text = re.sub(r"\r\n?", "\n", source.decode("utf-8", "replace"))
    units = memoryview(re.sub(r"[ \t]", "", text).encode("utf-16-le")).cast("H")
    values = [*units, 0xFFFF, *[0] * _WINDOW]
    sums = [0]
    for value in values:
        sums.append((sums[-1] * 37 + value) & _MASK)
    starts = [0, *(at + 1 for at, unit in enumerate(units) if unit == 0x0A)]
    seen: Counter[int] = Counter()
    hashes = []
    for start in starts:
        found = (sums[start + _WINDOW] - sums[start] * _TOP) & _MASK
        seen[found] += 1
        hashes.append(f"{found:x}:{seen[found]}")
    return tuple(hashes)
