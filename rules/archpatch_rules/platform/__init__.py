"""Platform flags and arguments: AP101 to AP120."""

from archpatch.rule import Rule
from archpatch_rules.platform.arch_variable_unset import ArchVariableUnset
from archpatch_rules.platform.arch_vocabulary_mismatch import ArchVocabularyMismatch
from archpatch_rules.platform.cross_stage_ignores_target import CrossStageIgnoresTarget
from archpatch_rules.platform.dead_directive import DeadDirective
from archpatch_rules.platform.final_stage_on_build_platform import FinalStageOnBuildPlatform
from archpatch_rules.platform.final_stage_on_constant_platform import FinalStageOnConstantPlatform
from archpatch_rules.platform.host_arch_in_build_stage import HostArchInBuildStage
from archpatch_rules.platform.image_copy_into_build_stage import ImageCopyIntoBuildStage
from archpatch_rules.platform.implicit_target_platform import ImplicitTargetPlatform
from archpatch_rules.platform.literal_arch_arg import LiteralArchArg
from archpatch_rules.platform.missing_arch_branch import MissingArchBranch
from archpatch_rules.platform.platform_arg_default import PlatformArgDefault
from archpatch_rules.platform.platform_arg_late import PlatformArgLate
from archpatch_rules.platform.platform_arg_undeclared import PlatformArgUndeclared
from archpatch_rules.platform.platform_flag_on_stage import PlatformFlagOnStage
from archpatch_rules.platform.platform_var_in_exec_form import PlatformVarInExecForm
from archpatch_rules.platform.redundant_target_platform import RedundantTargetPlatform
from archpatch_rules.platform.shared_cache_mount import SharedCacheMount
from archpatch_rules.platform.single_arch_file_family import SingleArchFileFamily

RULES: tuple[Rule, ...] = (
    FinalStageOnBuildPlatform(),
    FinalStageOnConstantPlatform(),
    PlatformFlagOnStage(),
    PlatformArgDefault(),
    PlatformArgUndeclared(),
    PlatformArgLate(),
    CrossStageIgnoresTarget(),
    HostArchInBuildStage(),
    ImageCopyIntoBuildStage(),
    ImplicitTargetPlatform(),
    RedundantTargetPlatform(),
    PlatformVarInExecForm(),
    SharedCacheMount(),
    LiteralArchArg(),
    ArchVocabularyMismatch(),
    MissingArchBranch(),
    DeadDirective(),
    SingleArchFileFamily(),
    ArchVariableUnset(),
)
