"""The built-in rule pack: one pitfall, one file, named as the rule. `rules.json` is made from these files."""

from archpatch import deferred

RULES = deferred.rules(__file__)
