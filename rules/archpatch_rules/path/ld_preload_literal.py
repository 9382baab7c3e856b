"""AP701."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Written, written
from archpatch.facts.written import why_arch_is_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document, Env
from archpatch.text import Applicability, Edit, Fix

_FOLDERS = {
    "/usr/lib/x86_64-linux-gnu/": "amd64",
    "/lib/x86_64-linux-gnu/": "amd64",
    "/usr/lib/aarch64-linux-gnu/": "arm64",
    "/lib/aarch64-linux-gnu/": "arm64",
}


class LdPreloadLiteral(Rule):
    """LD_PRELOAD names a library by a path that only one architecture has: `/usr/lib/x86_64-linux-gnu/...`.

    The folder is called `aarch64-linux-gnu` on arm64. The loader says `cannot be preloaded: ignored`, every program
    goes on without the library (jemalloc, tcmalloc), and nothing fails.

    It is fine in a file that is for one architecture by its name.

    The fix leaves the folder out: the loader searches its own folders for a bare name, and these are the right ones on
    each architecture. On glibc amd64 gets the same library, so it is safe; where the C library is not known, unsafe.
    """

    code, name, severity = "AP701", "ld-preload-literal", Severity.WARNING
    hints = ("ld_preload",)
    errors = (
        "ERROR: ld.so: object '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2' from LD_PRELOAD cannot be preloaded",
    )
    examples = (
        Example(
            "FROM debian:bookworm\nENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n",
            "FROM debian:bookworm\nENV LD_PRELOAD=libjemalloc.so.2\n",
            applicability="safe",
        ),
        Example(
            'FROM example.com/base\nENV LD_PRELOAD "/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4"\n',
            'FROM example.com/base\nENV LD_PRELOAD "libtcmalloc.so.4"\n',
            "Which C library the base has is not known",
            applicability="unsafe",
        ),
        Example("FROM debian:bookworm\nENV LD_PRELOAD=libjemalloc.so.2\n", title="By name"),
        Example(
            "FROM debian:bookworm\nENV LD_PRELOAD=/usr/local/lib/libmine.so\n", title="A folder of your own"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each LD_PRELOAD of an ENV."""
        for place in written(facts, *_FOLDERS, only=frozenset({"ENV"})):
            found = preloaded(place)
            span = None if found is None else next(place.places(found), None)
            if found is None or span is None:
                continue
            if why_arch_is_fine(facts, _FOLDERS[found], place.instruction, span) is not None:
                continue
            yield self.finding(
                place.word.span,
                "This folder exists on one architecture alone: on others the loader ignores the library with a message, "
                "and every program runs without it. Name the library without its folder.",
                _fix(place, found),
            )


def preloaded(place: Written) -> str | None:
    """The folder of an architecture in the value of an ENV LD_PRELOAD."""
    if place.name != "LD_PRELOAD" or not isinstance(place.instruction, Env):
        return None
    return next((folder for folder in _FOLDERS if folder in place.value), None)


def _fix(place: Written, folder: str) -> Fix:
    edits = tuple(
        Edit.delete(span)
        for one in _FOLDERS
        for span in place.places(one)
        if one.startswith("/usr") or f"/usr{one}" not in place.value
    )
    single = place.value.strip("\"'") == place.value and ":" not in place.value and " " not in place.value
    known = single and place.stage.distro.musl is False and _FOLDERS[folder] == "amd64"
    return Fix("Name the library alone", edits, Applicability.SAFE if known else Applicability.UNSAFE)
