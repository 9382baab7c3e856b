"""Rules of this family, in the order of their codes."""

from archpatch.rule import Rule

RULES: tuple[Rule, ...] = ()
