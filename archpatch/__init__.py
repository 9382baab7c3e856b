"""Finds what makes a Dockerfile work on one CPU architecture only, and mends it."""

__version__ = "0.1.0"

HOMEPAGE = "https://github.com/archpatch/archpatch"
"""Where reports send their readers."""
