"""Edits that rules share, by what they are about; those that many rules ask for can be had from here.

Each function gives edits over one document and nothing else; the rule makes the Fix and says how far to trust it.
"""

from archpatch.rewrite.cases import arch_case, arch_case_in
from archpatch.rewrite.edits import (
    add_packages,
    add_words,
    attached_start,
    declare_arg,
    delete_flag,
    delete_option,
    in_place,
    insert_before,
    put,
    set_by_case,
    substitute,
    substitute_word,
)
from archpatch.rewrite.quotes import guarded, in_one_pair, is_nested, shells_around

__all__ = [
    "add_packages",
    "add_words",
    "arch_case",
    "arch_case_in",
    "attached_start",
    "declare_arg",
    "delete_flag",
    "delete_option",
    "guarded",
    "in_one_pair",
    "in_place",
    "insert_before",
    "is_nested",
    "put",
    "set_by_case",
    "shells_around",
    "substitute",
    "substitute_word",
]
