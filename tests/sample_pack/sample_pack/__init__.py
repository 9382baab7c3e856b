"""A rule pack of somebody else's, as small as one can be: docs/writing-rules.md."""

from sample_pack.unofficial_mirror import UnofficialMirror

RULES = (UnofficialMirror(),)
