"""What follows from a Dockerfile: stages and platforms, variables, commands, packages, the build context."""

from __future__ import annotations

from archpatch.facts.context import Context, FolderContext, MemoryContext
from archpatch.facts.distro import Distro, Family
from archpatch.facts.downloads import Download, UrlToken
from archpatch.facts.facts import Facts
from archpatch.facts.graph import CopyOut, ImageUse, ImageUseKind, PlatformKind, StagePlatform, source_of
from archpatch.facts.images import ImageRef, parse_image
from archpatch.facts.packages import Install, Package
from archpatch.facts.shells import Command
from archpatch.facts.stages import StageFacts
from archpatch.facts.uses import Place, Use
from archpatch.facts.values import AUTOMATIC, Scope, Value, Variable, VariableKind
from archpatch.facts.written import Written, steps_with, written

__all__ = [
    "AUTOMATIC",
    "Command",
    "Context",
    "CopyOut",
    "Distro",
    "Download",
    "Facts",
    "Family",
    "FolderContext",
    "ImageRef",
    "ImageUse",
    "ImageUseKind",
    "Install",
    "MemoryContext",
    "Package",
    "Place",
    "PlatformKind",
    "Scope",
    "StageFacts",
    "StagePlatform",
    "UrlToken",
    "Use",
    "Value",
    "Variable",
    "VariableKind",
    "Written",
    "parse_image",
    "source_of",
    "steps_with",
    "written",
]
