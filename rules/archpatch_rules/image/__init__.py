"""Base images: AP201 to AP208."""

from archpatch.rule import Rule
from archpatch_rules.image.alpine_glibc_hack import AlpineGlibcHack
from archpatch_rules.image.base_arch_in_name import BaseArchInName
from archpatch_rules.image.base_arch_org import BaseArchOrg
from archpatch_rules.image.base_arch_tag import BaseArchTag
from archpatch_rules.image.base_without_arm64 import BaseWithoutArm64
from archpatch_rules.image.family_member_missing import FamilyMemberMissing
from archpatch_rules.image.qemu_static_in_image import QemuStaticInImage

RULES: tuple[Rule, ...] = (
    BaseArchOrg(),
    BaseArchTag(),
    BaseArchInName(),
    BaseWithoutArm64(),
    FamilyMemberMissing(),
    AlpineGlibcHack(),
    QemuStaticInImage(),
)
