"""Images of Java on Alpine that have no arm64: the same tag without Alpine, where nothing in the file asks for Alpine."""

from __future__ import annotations

from archpatch.facts import CopyOut, Facts, ImageUse, PlatformKind, StageFacts
from archpatch.syntax.tree import Run
from archpatch.text import Applicability, Edit, Fix, decode, regex
from archpatch_rules.image.lacking import why_no_arm64

# Programs of Java run on any C library; each of these has the tag without `-alpine` for Debian or Ubuntu.
_JAVA = frozenset({"clojure", "eclipse-temurin", "gradle", "groovy", "jetty", "maven", "openjdk", "tomcat"})
_ALPINE = regex(r"-alpine(?:-?3\.\d+)?$")
# Official images have more than amd64 since September 2017: older tags are of amd64, whatever they stand on.
_JAVA_8_UPDATE = regex(r"^8u(\d+)")
_FIRST_UPDATE = 151
# What Alpine has otherwise than Debian: its package manager, busybox's options, musl, programs made for it.
_OF_ALPINE = regex(
    r"\b(?:apk|addgroup|adduser|su-exec|setup-\w+|musl|gcompat|jlink|native-image|busybox|crond|nc|telnet)\b|/bin/ash|/lib/ld-"
)
_JAVA_FILES = regex(
    r"\.(?:jar|war|ear|class|zip|tar|properties|xml|ya?ml|json|sh)$|/(?:libs?|target|install)(?:/|$)"
)


def off_alpine(facts: Facts, use: ImageUse) -> Fix | None:
    """Take the tag without Alpine; None where something relies on Alpine, or that tag has no arm64 either."""
    ref, stage = use.ref, use.stage
    span, tag = ref.tag_span, ref.tag
    if (
        use.word is not stage.head.image
        or not ref.official
        or ref.name not in _JAVA
        or span is None
        or not tag
    ):
        return None
    other = _ALPINE.sub("", tag)
    if other == tag or "alpine" in other or _is_older(tag) or facts.tables.image_lacks_arm64(ref.name, other):
        return None
    if stage.kind is not PlatformKind.TARGET or not all(map(_is_plain, (stage, *stage.descendants()))):
        return None
    title = f"Take {ref.name}:{other}, which is not made for Alpine"
    return Fix(title, (Edit.replace(span, other),), Applicability.UNSAFE)


def _is_older(tag: str) -> bool:
    """Whether a tag is older than the images of several platforms."""
    update = _JAVA_8_UPDATE.match(tag)
    return update is not None and int(update[1]) < _FIRST_UPDATE


def _is_plain(stage: StageFacts) -> bool:
    """Whether nothing that a stage does, takes or gives is for Alpine."""
    facts = stage.facts
    for step in stage.body:
        text = decode(step.span.of(facts.document.source))
        if _OF_ALPINE.search(text) or (isinstance(step, Run) and not facts.shell(step).readable):
            return False
    return all(map(_is_java, (*stage.copies_in, *stage.copies_out)))


def _is_java(copy: CopyOut) -> bool:
    """Whether what goes from one stage to another runs on any C library, or both have the same one in the end."""
    if all(_is_moving(stage) or stage.distro.musl is not True for stage in (copy.source, copy.by)):
        return True
    return bool(copy.sources) and all(_JAVA_FILES.search(path.value) for path in copy.sources)


def _is_moving(stage: StageFacts) -> bool:
    image = stage.root.image
    return image is not None and image.name in _JAVA and why_no_arm64(stage.facts, image) is not None
