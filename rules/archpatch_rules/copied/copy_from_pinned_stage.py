"""AP804."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import AUTOMATIC, CopyOut, Facts, PlatformKind
from archpatch.facts.suppressors import runs_anywhere
from archpatch.facts.written import why_arch_is_fine
from archpatch.rewrite import delete_flag
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix, regex
from archpatch_rules.copied.venv_across_stages import installed_packages
from archpatch_rules.image.lacking import why_no_arm64

# Where package managers put programs and libraries.
_SYSTEM = regex(r"^/?(?:usr/)?(?:s?bin|lib|lib64|libexec)(?:/|$)|\.so(?:\.[\d.*]+|\*)?$")
# Where images keep programs, theirs or those that they are made for: /ko-app is where ko puts what it builds.
_PROGRAMS = regex(r"/(?:s?bin|libexec|lib64|ko-app)(?:/|$)")
# Images that hold scripts alone.
_SCRIPTS = frozenset({"composer", "composer/composer", "mlocati/php-extension-installer", "tonistiigi/xx"})
# What the kernel of the machine that builds starts for foreign programs: qemu-static-in-image speaks of it.
_FOR_KERNEL = regex(r"qemu-[\w*${}]+-static$")
_DATA = regex(
    r"/(?:ssl|ca-certificates|zoneinfo|certs|locale|fonts|share|python3?[\d.]*|node_modules)(?:/|$)"
)


class CopyFromPinnedStage(Rule):
    """A program is copied out of a stage that is held to one platform: `FROM --platform=linux/amd64`.

    The image for arm64 gets the amd64 program, without a word, and it ends in `exec format error`. The same goes for
    programs and libraries that a stage on `$BUILDPLATFORM` got from its package manager: they are for the machine that
    builds. And for programs of the image itself, where the stage is no more than its FROM.

    It is fine for what has no architecture (web pages, jars, certificates), for a stage that says amd64 in its name, for
    what such a stage compiles for the target, and where the image has an emulator for it (box64, FEX, QEMU).

    The fix drops the flag. It is unsafe: the stage may be pinned because what it fetches is there for amd64 alone. There
    is none where its image is known to have no arm64.
    """

    code, name, severity = "AP804", "copy-from-pinned-stage", Severity.WARNING
    hints = ("--platform",)
    errors = ("exec format error", "cannot execute binary file: Exec format error")
    examples = (
        Example(
            "FROM --platform=linux/amd64 debian AS tools\nRUN apt-get update && apt-get install -y jq\nFROM debian\n"
            "COPY --from=tools /usr/bin/jq /usr/bin/jq\n",
            "FROM debian AS tools\nRUN apt-get update && apt-get install -y jq\nFROM debian\n"
            "COPY --from=tools /usr/bin/jq /usr/bin/jq\n",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM debian AS tools\nRUN apt-get update && apt-get install -y tini\nFROM debian\n"
            "COPY --from=tools /usr/bin/tini /tini\n",
            "FROM debian AS tools\nRUN apt-get update && apt-get install -y tini\nFROM debian\n"
            "COPY --from=tools /usr/bin/tini /tini\n",
            "Installed on the machine that builds",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM ghcr.io/astral-sh/uv:0.5 AS uv\nFROM debian\nCOPY --from=uv /uv /usr/bin/uv\n",
            "FROM ghcr.io/astral-sh/uv:0.5 AS uv\nFROM debian\nCOPY --from=uv /uv /usr/bin/uv\n",
            "The image's own",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM alpine AS certs\nRUN apk add --no-cache ca-certificates\nFROM scratch\n"
            "COPY --from=certs /etc/ssl/certs /etc/ssl/certs\n",
            title="What has no architecture",
        ),
        Example(
            "FROM --platform=linux/amd64 node AS web\nRUN npm run build\nFROM nginx\nCOPY --from=web /app/dist /www\n"
        ),
        Example(
            "FROM --platform=linux/amd64 debian AS tools-amd64\nFROM debian\nCOPY --from=tools-amd64 /bin/x /bin/x\n",
            title="Its name says so",
        ),
        Example(
            "FROM --platform=linux/amd64 debian AS game\nFROM debian\nCOPY --from=game /opt/game /opt/game\n"
            "RUN apt-get update && apt-get install -y box64\n",
            title="It runs under an emulator",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM composer:2 AS composer\nFROM php\n"
            "COPY --from=composer /usr/bin/composer /usr/bin/composer\n",
            title="A script",
        ),
        Example(
            "FROM --platform=linux/amd64 multiarch/qemu-user-static AS qemu\nFROM debian AS build\n"
            "COPY --from=qemu /usr/bin/qemu-aarch64-static /usr/bin/\nRUN make\nFROM scratch\nCOPY --from=build /app /app\n",
            title="An emulator that runs on the machine that builds",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each COPY of something native."""
        for stage in facts.stages:
            for copy in stage.copies_in:
                source = next((one for one in copy.sources if not _neutral(one.value)), None)
                if copy.mount is not None or source is None or not _is_foreign(facts, copy):
                    continue
                platform = copy.source.platform(facts.targets[0])
                pinned = copy.source.kind is PlatformKind.CONSTANT
                whose = str(platform.platform) if pinned else "the machine that builds"
                yield self.finding(
                    source.span,
                    f"This comes from a stage for {whose}, and the image for another platform gets it all the same: it ends "
                    "in `exec format error` there.",
                    _fix(document, facts, copy),
                    related=(Related(platform.root.head.span, f"this stage is for {whose}"),),
                )


def _neutral(path: str) -> bool:
    return runs_anywhere(path) or _DATA.search(path) is not None or _FOR_KERNEL.search(path) is not None


def _is_foreign(facts: Facts, copy: CopyOut) -> bool:
    source, by = copy.source, copy.by
    if (
        by.kind is not PlatformKind.TARGET
        or installed_packages(copy)
        or source.why_fine is not None
        or by.emulates
    ):
        return False
    if facts.uses("TARGETARCH", "TARGETPLATFORM", "TARGETOS", stage=source):
        return False  # it compiles for the target
    if source.kind is PlatformKind.CONSTANT:
        pinned = source.platform(facts.targets[0])
        if pinned.origin is not None and pinned.origin.name in AUTOMATIC:
            return False  # platform-arg-default says what there is to say
        platform = pinned.platform
        arch = platform.arch if platform is not None else ""
        if all(platform == target for target in by.targets or facts.targets):
            return False
        return why_arch_is_fine(facts, arch, copy.instruction, copy.word.span) is None
    if source.kind is not PlatformKind.BUILD or source.copies_in:
        return False
    if not source.installs:
        return _is_image_s_own(copy)
    return all(_SYSTEM.search(path.value) for path in copy.sources if not _neutral(path.value))


def _is_image_s_own(copy: CopyOut) -> bool:
    """Whether the stage is no more than its image, and what is taken is a program by its place or by where it goes."""
    image = copy.source.root.image
    if (
        image is None
        or not image.known
        or image.name in _SCRIPTS
        or any(one.body for one in copy.source.chain)
    ):
        return False
    goal = copy.destination.value if copy.destination is not None else ""
    return any(_PROGRAMS.search(path) for path in (goal, *(source.value for source in copy.sources)))


def _fix(document: Document, facts: Facts, copy: CopyOut) -> Fix | None:
    platform = copy.source.platform(facts.targets[0])
    if platform.flag is None or platform.origin is not None:
        return None
    image = platform.root.image
    if image is not None and why_no_arm64(facts, image) is not None:
        return None
    edits = (delete_flag(document, platform.flag),)
    return Fix("Let the stage follow the platform that is built", edits, Applicability.UNSAFE)
