"""The command line."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """The entry point `archpatch`."""
    if sys.argv[1:] == [
        "--version"
    ]:  # editors and hooks ask often; click alone would take three times as long
        from archpatch import __version__

        print(f"archpatch {__version__}")
        return
    # Little of what is made dies in a cycle: looking for cycles less often saves a twentieth of a start.
    gc.set_threshold(50_000)
    from archpatch.cli.app import run

    sys.exit(run(sys.argv[1:]))
