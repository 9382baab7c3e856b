"""Compilers and toolchains: AP601 and on."""

from archpatch.rule import Rule
from archpatch_rules.toolchain.bazel_cpu_literal import BazelCpuLiteral
from archpatch_rules.toolchain.cargo_target_literal import CargoTargetLiteral
from archpatch_rules.toolchain.dotnet_project_rid import DotnetProjectRid
from archpatch_rules.toolchain.dotnet_rid_literal import DotnetRidLiteral
from archpatch_rules.toolchain.go_goarch_literal import GoGoarchLiteral
from archpatch_rules.toolchain.march_native import MarchNative
from archpatch_rules.toolchain.maven_native_classifier import MavenNativeClassifier
from archpatch_rules.toolchain.python_machine_spelling import PythonMachineSpelling
from archpatch_rules.toolchain.rust_target_cpu import RustTargetCpu
from archpatch_rules.toolchain.setup_py_x86_flags import SetupPyX86Flags
from archpatch_rules.toolchain.toolchain_triple import ToolchainTriple
from archpatch_rules.toolchain.x86_cflags import X86Cflags

RULES: tuple[Rule, ...] = (
    GoGoarchLiteral(),
    DotnetRidLiteral(),
    CargoTargetLiteral(),
    RustTargetCpu(),
    X86Cflags(),
    MarchNative(),
    ToolchainTriple(),
    MavenNativeClassifier(),
    BazelCpuLiteral(),
    DotnetProjectRid(),
    SetupPyX86Flags(),
    PythonMachineSpelling(),
)
