"""Package managers: AP301 and on."""

from archpatch.rule import Rule
from archpatch_rules.package.apk_arch_url import ApkArchUrl
from archpatch_rules.package.apk_gcc_without_musl_dev import ApkGccWithoutMuslDev
from archpatch_rules.package.apk_implicit_musl_dev import ApkImplicitMuslDev
from archpatch_rules.package.apk_redundant_update import ApkRedundantUpdate
from archpatch_rules.package.apk_source_build_deps import ApkSourceBuildDeps
from archpatch_rules.package.apt_arch_amd64 import AptArchAmd64
from archpatch_rules.package.apt_foreign_arch import AptForeignArch
from archpatch_rules.package.apt_package_amd64_only import AptPackageAmd64Only
from archpatch_rules.package.browser_download import BrowserDownload
from archpatch_rules.package.conda_linux_64 import CondaLinux64
from archpatch_rules.package.cross_toolchain_package import CrossToolchainPackage
from archpatch_rules.package.deb_file_amd64 import DebFileAmd64
from archpatch_rules.package.gcloud_component import GcloudComponent
from archpatch_rules.package.gem_platform import GemPlatform
from archpatch_rules.package.google_chrome import GoogleChrome
from archpatch_rules.package.js_compile_target import JsCompileTarget
from archpatch_rules.package.multilib import Multilib
from archpatch_rules.package.node_modules_across_platforms import NodeModulesAcrossPlatforms
from archpatch_rules.package.npm_arch_pin import NpmArchPin
from archpatch_rules.package.pip_package_amd64_only import PipPackageAmd64Only
from archpatch_rules.package.pip_platform import PipPlatform
from archpatch_rules.package.pip_prefer_binary import PipPreferBinary
from archpatch_rules.package.pip_wheel_literal import PipWheelLiteral
from archpatch_rules.package.repo_basearch_literal import RepoBasearchLiteral
from archpatch_rules.package.rpm_arch_literal import RpmArchLiteral
from archpatch_rules.package.runtime_implicit_libgcc import RuntimeImplicitLibgcc
from archpatch_rules.package.runtime_missing_libstdcxx import RuntimeMissingLibstdcxx
from archpatch_rules.package.torch_index import TorchIndex
from archpatch_rules.package.ubuntu_archive_host import UbuntuArchiveHost

RULES: tuple[Rule, ...] = (
    AptArchAmd64(),
    GoogleChrome(),
    AptPackageAmd64Only(),
    Multilib(),
    AptForeignArch(),
    DebFileAmd64(),
    CrossToolchainPackage(),
    UbuntuArchiveHost(),
    RpmArchLiteral(),
    RepoBasearchLiteral(),
    ApkArchUrl(),
    ApkGccWithoutMuslDev(),
    ApkImplicitMuslDev(),
    RuntimeMissingLibstdcxx(),
    RuntimeImplicitLibgcc(),
    ApkSourceBuildDeps(),
    ApkRedundantUpdate(),
    PipPreferBinary(),
    PipWheelLiteral(),
    PipPlatform(),
    PipPackageAmd64Only(),
    TorchIndex(),
    CondaLinux64(),
    NpmArchPin(),
    NodeModulesAcrossPlatforms(),
    JsCompileTarget(),
    BrowserDownload(),
    GemPlatform(),
    GcloudComponent(),
)
