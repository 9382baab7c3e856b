"""Images that are known to have no arm64, and on whose word."""

from __future__ import annotations

from archpatch.facts import Facts, ImageRef
from archpatch.text import regex

# The list of official images has it no longer: Alpine's were early builds of the port to musl, for x86-64.
# Sources: docker-library/docs#2243; nextcloud/notify_push#157.
_OPENJDK_11 = regex(r"11(?:-ea(?:-\d+)?)?(?:-jdk)?-alpine(?:3\.\d+)?")
# The publisher's own images on Alpine. Sources: adoptium/containers#158, #425; leonchen83/redis-rdb-cli#62.
_ADOPT = regex(r"adoptopenjdk/openjdk\d+(?:-openj9)?")
_VERSION = regex(r"\d+(?:\.\d+)+")


def why_no_arm64(facts: Facts, ref: ImageRef) -> str | None:
    """On whose word an image has no arm64; None where nothing says so."""
    if not ref.known or ref.digest is not None:
        return None
    row = facts.tables.publishers_image(ref.name)
    if row is not None:
        return row["reason"] if _is_before(ref.tag or "", row["since"]) else None
    if ref.official and ref.name == "openjdk" and _OPENJDK_11.fullmatch(ref.tag or ""):
        return "the publisher built Java 11 on Alpine for amd64 alone"
    if _ADOPT.fullmatch(ref.name) and "alpine" in (ref.tag or "").split("-"):
        return "the publisher built Java on Alpine for amd64 alone"
    if ref.official and facts.tables.image_lacks_arm64(ref.name, ref.tag or "latest"):
        return "declared in the list of official images, not measured"
    return None


def _is_before(tag: str, since: str) -> bool:
    """Whether a tag is of a version before `since` (`>=1.4.3`); of any, where that is empty.

    A tag with fewer numbers (`1.4`) moves on with its versions, and is not before one of them.
    """
    if not since:
        return True
    match = _VERSION.match(tag.removeprefix("v"))
    if match is None:
        return False
    version = _numbers(match[0])
    return version < _numbers(since.removeprefix(">="))[: len(version)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
