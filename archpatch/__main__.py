"""`python -m archpatch`."""

from archpatch.cli import main

main()
