"""The built-in rule pack: one pitfall, one file, named as the rule."""

from archpatch.rule import Rule
from archpatch_rules import codegen, copied, download, image, package, path, platform, toolchain

RULES: tuple[Rule, ...] = (
    *platform.RULES,
    *image.RULES,
    *package.RULES,
    *download.RULES,
    *codegen.RULES,
    *toolchain.RULES,
    *path.RULES,
    *copied.RULES,
)
