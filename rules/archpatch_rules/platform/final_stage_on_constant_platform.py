"""AP102."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StagePlatform
from archpatch.platforms import ARM64
from archpatch.rewrite import delete_flag
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch_rules.image.lacking import why_no_arm64


class FinalStageOnConstantPlatform(Rule):
    """The image that is shipped is held to one platform by `FROM --platform=linux/amd64`.

    BuildKit pulls that platform's base for every platform that is asked for and labels the result with the
    one asked for: an arm64 image with amd64 binaries, which fails with `exec format error` or runs slowly under
    emulation. The constant may hide behind an ARG (`ARG P=linux/amd64`, `--platform=$P`), where BuildKit's own
    check does not see it, or be a default on TARGETPLATFORM itself, which wins over the automatic value.

    It is fine in a file that belongs to one architecture on purpose: its name says so (`Dockerfile.amd64`), or a
    comment does (`# archpatch: platforms=linux/amd64 reason`), or every platform asked for is the constant.

    The fix drops the flag, or lets the ARG follow the target (`ARG P=$TARGETPLATFORM`; `--build-arg P=` still
    works). An amd64 build stays the same; yet the pin may be all that keeps an arm64 laptop from pushing the
    wrong image, so it is unsafe: see that whoever builds names `--platform`.
    """

    code, name, severity = "AP102", "final-stage-on-constant-platform", Severity.WARNING
    hints = ("--platform",)
    errors = ("exec format error", "no match for platform in manifest")
    also = ("DL3029", "FromPlatformFlagConstDisallowed")
    examples = (
        Example(
            "FROM --platform=linux/amd64 debian:bookworm-slim\nCOPY app /app\n",
            "FROM debian:bookworm-slim\nCOPY app /app\n",
            applicability="unsafe",
        ),
        Example(
            "ARG PLATFORM=linux/amd64\nFROM --platform=$PLATFORM debian:bookworm-slim\nCOPY app /app\n",
            "ARG PLATFORM=$TARGETPLATFORM\nFROM --platform=$PLATFORM debian:bookworm-slim\nCOPY app /app\n",
            "Hidden behind an argument",
            applicability="unsafe",
        ),
        Example(
            'ARG PLATFORM="linux/amd64"\nFROM --platform=${PLATFORM} debian:bookworm-slim\nCOPY app /app\n',
            "ARG PLATFORM=$TARGETPLATFORM\nFROM --platform=${PLATFORM} debian:bookworm-slim\nCOPY app /app\n",
            "In quotes",
            applicability="unsafe",
        ),
        Example(
            "ARG ARCH=amd64\nFROM --platform=linux/${ARCH} debian:bookworm-slim\n",
            "ARG ARCH=$TARGETARCH\nFROM --platform=linux/${ARCH} debian:bookworm-slim\n",
            "The argument is a part of it",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=linux/amd64 node:22 AS base\nFROM base AS test\nRUN npm test\nFROM base\n",
            "FROM node:22 AS base\nFROM base AS test\nRUN npm test\nFROM base\n",
            "Through a chain of stages",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=linux/amd64 postgis/postgis:17-3.5\n",
            "FROM --platform=linux/amd64 postgis/postgis:17-3.5\n",
            "The base has no arm64: no fix",
        ),
        Example("FROM --platform=$TARGETPLATFORM debian:bookworm-slim\n", title="Follows the target"),
        Example(
            "FROM --platform=linux/amd64 vendor/codegen AS codegen-amd64\n"
            "FROM debian:bookworm-slim\n"
            "COPY --from=codegen-amd64 /out/api.json /api.json\n",
            title="A tool stage, pinned on purpose",
        ),
        Example(
            "FROM --platform=linux/amd64 debian AS base-amd64\n"
            "FROM --platform=linux/arm64 debian AS base-arm64\n"
            "FROM base-${TARGETARCH}\n",
            title="One for each",
        ),
        Example(
            "FROM --platform=linux/amd64 debian:bookworm-slim\n",
            title="Its name says so",
            name="Dockerfile.amd64",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """The flag of the root of the final stage's chain, when it is one platform and another is asked for."""
        final = facts.final
        if final is None or final.kind is not PlatformKind.CONSTANT or facts.named_arch:
            return
        wrong = [target for target in facts.targets if final.platform(target).platform != target]
        if not wrong:
            return  # FROM chooses among stages, each held to its own platform
        platform = final.platform(wrong[0])
        flag = platform.flag
        others = [str(target) for target in wrong if final.platform(target).platform == platform.platform]
        if flag is None:
            return
        if platform.origin is not None and platform.origin.name in (
            "BUILDPLATFORM",
            "TARGETPLATFORM",
            "TARGETARCH",
        ):
            return  # a default on an automatic arg is a pitfall of its own: platform-arg-default
        image = platform.root.image
        reason = why_no_arm64(facts, image) if image is not None and ARM64 in wrong else None
        yield self.finding(
            flag.span,
            f"The final image is always {platform.platform}, whatever is asked for: built for {' and '.join(others)}, "
            "it carries that label over foreign binaries and ends in `exec format error` there. "
            + (
                f"Its base has no arm64 ({reason}): another one has to take its place before the platform can be left "
                "to `docker buildx build --platform`."
                if reason
                else "Leave the platform to `docker buildx build --platform`."
            ),
            None if reason else self._fix(document, platform),
            related=()
            if platform.root is final
            else (Related(final.head.span, "the final stage, on this base"),),
        )

    def _fix(self, document: Document, platform: StagePlatform) -> Fix | None:
        assert platform.flag is not None
        origin = platform.origin
        if origin is None:
            edit = delete_flag(document, platform.flag)
            return Fix("Drop the constant --platform", (edit,), Applicability.UNSAFE)
        value = origin.declaration.value if origin.declaration else None
        text = value.value.strip("\"'") if value is not None else ""
        whole = text == str(platform.platform)
        if value is None or not (whole or (platform.platform and text == platform.platform.arch)):
            return None
        edit = Edit.replace(
            Span(value.span.start, value.span.end), "$TARGETPLATFORM" if whole else "$TARGETARCH"
        )
        return Fix(f"Let {origin.name} follow the target", (edit,), Applicability.UNSAFE)
