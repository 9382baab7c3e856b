"""The command line."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point `archpatch`."""
    if sys.argv[1:] == [
        "--version"
    ]:  # editors and hooks ask often; click alone would take three times as long
        from archpatch import __version__

        print(f"archpatch {__version__}")
        return
    from archpatch.cli.app import run

    sys.exit(run(sys.argv[1:]))
