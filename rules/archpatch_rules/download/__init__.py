"""Downloads: AP401 to AP412."""

from archpatch.rule import Rule
from archpatch_rules.download.checksum_single_arch import ChecksumSingleArch
from archpatch_rules.download.curl_without_fail import CurlWithoutFail
from archpatch_rules.download.download_arch import DownloadArch
from archpatch_rules.download.download_arch_unknown import DownloadArchUnknown
from archpatch_rules.download.download_spelling import DownloadSpelling
from archpatch_rules.download.installer_arch_option import InstallerArchOption
from archpatch_rules.download.libc_change import LibcChange
from archpatch_rules.download.release_asset_filter import ReleaseAssetFilter
from archpatch_rules.download.swallowed_failure import SwallowedFailure
from archpatch_rules.download.tool_without_arm64 import ToolWithoutArm64
from archpatch_rules.download.ubuntu_pool_deb import UbuntuPoolDeb
from archpatch_rules.download.version_before_arm64 import VersionBeforeArm64

RULES: tuple[Rule, ...] = (
    DownloadArch(),
    DownloadArchUnknown(),
    DownloadSpelling(),
    VersionBeforeArm64(),
    ToolWithoutArm64(),
    ChecksumSingleArch(),
    CurlWithoutFail(),
    LibcChange(),
    UbuntuPoolDeb(),
    InstallerArchOption(),
    SwallowedFailure(),
    ReleaseAssetFilter(),
)
