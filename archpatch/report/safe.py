"""What may reach a terminal: every text that a person reads goes through here.

File contents, names and messages are an attacker's: an escape sequence moves the cursor, a bidirectional control
turns a line around, a newline in a name forges a line of a log.
"""

from __future__ import annotations

import unicodedata

from archpatch.text import regex


def safe(text: object) -> str:
    """`text` on one line, with controls, format characters and undecodable bytes made visible.

    Tabs and ordinary blanks stay. The beginning of a CI runner's command, which counts anywhere in a line, is
    broken.
    """
    plain = str(text)
    if not plain.isprintable():
        plain = "".join(map(_visible, plain))
    return _COMMAND.sub(r"# #\1", plain) if "##" in plain else plain


def width(text: str) -> int:
    """The columns that a safe text without tabs takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _visible(char: str) -> str:
    if char.isprintable() or char == "\t":
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8 (surrogateescape)
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return _SHORT.get(char, f"\\x{code:02x}")
    return f"<U+{code:04X}>"


_COMMAND = regex(r"##(\w*\[)")
_SHORT = {"\n": "\\n", "\r": "\\r"}


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
