"""Code generators: AP501 and on."""

from archpatch.rule import Rule
from archpatch_rules.codegen.protoc_asset import ProtocAsset

RULES: tuple[Rule, ...] = (ProtocAsset(),)
