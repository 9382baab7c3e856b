"""How templates are read: one set of rules for all pages. jinja2 is dear at start-up: import this at first use where most runs
write none."""

from __future__ import annotations

import jinja2


def environment(*, html: bool = False, keep_end: bool = True) -> jinja2.Environment:
    """The templates of archpatch.report. `html`: every value is escaped; Markdown has no escaping of jinja2's, its texts go
    through filters or functions of their own. `keep_end`: the line end at the end of a template counts."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("archpatch.report"),
        autoescape=html,  # noqa: S701  (off for Markdown alone)
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=keep_end,
    )
