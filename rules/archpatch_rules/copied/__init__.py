"""Copied artefacts and entrypoints: AP801 to AP807."""

from archpatch.rule import Rule
from archpatch_rules.copied.arch_path_copy import ArchPathCopy
from archpatch_rules.copied.copy_from_pinned_stage import CopyFromPinnedStage
from archpatch_rules.copied.entrypoint_arch_name import EntrypointArchName
from archpatch_rules.copied.platform_wrapper import PlatformWrapper
from archpatch_rules.copied.prebuilt_elf_in_context import PrebuiltElfInContext
from archpatch_rules.copied.rootfs_tarball import RootfsTarball
from archpatch_rules.copied.venv_across_stages import VenvAcrossStages

RULES: tuple[Rule, ...] = (
    PrebuiltElfInContext(),
    ArchPathCopy(),
    VenvAcrossStages(),
    CopyFromPinnedStage(),
    RootfsTarball(),
    EntrypointArchName(),
    PlatformWrapper(),
)
