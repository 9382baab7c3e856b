"""Paths of libraries, loaders and JVMs: AP701 to AP707."""

from archpatch.rule import Rule
from archpatch_rules.path.arch_dir_in_env import ArchDirInEnv
from archpatch_rules.path.cuda_path import CudaPath
from archpatch_rules.path.java_home_arch import JavaHomeArch
from archpatch_rules.path.ld_preload_literal import LdPreloadLiteral
from archpatch_rules.path.loader_literal import LoaderLiteral
from archpatch_rules.path.multiarch_dir_literal import MultiarchDirLiteral
from archpatch_rules.path.python_ext_suffix import PythonExtSuffix

RULES: tuple[Rule, ...] = (
    LdPreloadLiteral(),
    JavaHomeArch(),
    MultiarchDirLiteral(),
    LoaderLiteral(),
    PythonExtSuffix(),
    CudaPath(),
    ArchDirInEnv(),
)
