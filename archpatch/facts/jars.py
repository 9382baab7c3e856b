"""How the makers of jars with native libraries spell an architecture."""

from __future__ import annotations

from archpatch.text import regex

_SPELLINGS = (
    (regex(r"(?:^|[/:])(?:netty|grpc|protoc|protobuf)|/io/(?:netty|grpc)/"), "aarch_64"),  # os-maven-plugin
    (regex(r"/bytedeco/|(?:^|/)(?:javacpp|opencv|openblas|ffmpeg|leptonica|tesseract)-"), "arm64"),  # JavaCPP
)


def arm64_of_jar(path: str) -> str | None:
    """What stands in place of `x86_64` in the name or URL of a jar for arm64; None where its maker's spelling is not
    known, for there are three (`aarch_64`, `aarch64`, `arm64`)."""
    return next((word for pattern, word in _SPELLINGS if pattern.search(path)), None)
