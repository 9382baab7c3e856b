"""Compilers and toolchains: AP601 and on."""

from archpatch.rule import Rule
from archpatch_rules.toolchain.dotnet_rid_literal import DotnetRidLiteral
from archpatch_rules.toolchain.go_goarch_literal import GoGoarchLiteral

RULES: tuple[Rule, ...] = (GoGoarchLiteral(), DotnetRidLiteral())
