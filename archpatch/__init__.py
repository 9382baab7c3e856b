"""Finds what makes a Dockerfile work on one CPU architecture only, and mends it."""

__version__ = "0.1.0"
