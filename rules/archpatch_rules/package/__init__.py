"""Package managers: AP301 and on."""

from archpatch.rule import Rule
from archpatch_rules.package.apk_arch_url import ApkArchUrl
from archpatch_rules.package.apt_arch_amd64 import AptArchAmd64
from archpatch_rules.package.apt_foreign_arch import AptForeignArch
from archpatch_rules.package.apt_package_amd64_only import AptPackageAmd64Only
from archpatch_rules.package.cross_toolchain_package import CrossToolchainPackage
from archpatch_rules.package.deb_file_amd64 import DebFileAmd64
from archpatch_rules.package.google_chrome import GoogleChrome
from archpatch_rules.package.multilib import Multilib
from archpatch_rules.package.repo_basearch_literal import RepoBasearchLiteral
from archpatch_rules.package.rpm_arch_literal import RpmArchLiteral
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
)
