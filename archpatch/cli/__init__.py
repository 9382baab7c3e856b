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

        try:
            print(f"archpatch {__version__}", flush=True)
        except OSError as error:
            sys.stdout = None  # what is in its buffer must not fail again at exit
            print(f"error: standard output: {error.strerror}", file=sys.stderr)
            sys.exit(2)
        return
    # Little of what is made dies in a cycle: looking for cycles less often saves a twentieth of a start.
    gc.set_threshold(50_000)
    from archpatch.cli.app import run

    status = run(sys.argv[1:])
    gc.freeze()  # or the interpreter would look through all there is for cycles as it ends: a fifth of a short run
    sys.exit(status)
