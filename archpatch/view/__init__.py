"""The amd64 view: what a linux/amd64 build on an amd64 host would execute (docs/how-it-works.md, "Trust")."""

from archpatch.view.compare import difference, same
from archpatch.view.stages import View, view

__all__ = ["View", "difference", "same", "view"]
