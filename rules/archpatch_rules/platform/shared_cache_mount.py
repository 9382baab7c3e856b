"""AP113."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind
from archpatch.rewrite import declare_arg
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document, Mount, Run
from archpatch.text import Applicability, Edit, Fix

# Folders that hold what was built. Download caches (pip, npm, apt, Go's and cargo's registry) are keyed by content.
_BUILT = frozenset(
    {"target", "build", "_build", "node_modules", "obj", ".venv", "venv", "cmake-build-release"}
)


class SharedCacheMount(Rule):
    """A cache mount on a folder of build results is shared by all platforms of a build.

    `RUN --mount=type=cache,target=/src/target` is one folder for amd64 and arm64: the second build finds objects of
    the first, links them or fails on them, now and then, depending on which platform was first.

    It is fine for caches of downloads, in a stage that runs on the build platform, and where the `id` names the
    architecture.

    The fix puts `${TARGETARCH}` into the `id`, so that each platform has a cache of its own; the first build after
    it starts with an empty one. What an amd64 build makes stays the same, but its cache moves: unsafe.
    """

    code, name, severity = "AP113", "shared-cache-mount", Severity.WARNING
    hints = ("type=cache",)
    errors = (
        "error adding symbols: file in wrong format",
        "invalid ELF header",
        "incompatible with elf64-x86-64",
    )
    examples = (
        Example(
            "FROM rust:1.80 AS build\nRUN --mount=type=cache,target=/src/target cargo build --release\n",
            "FROM rust:1.80 AS build\nARG TARGETARCH\n"
            "RUN --mount=type=cache,target=/src/target,id=target-${TARGETARCH} cargo build --release\n",
            applicability="unsafe",
        ),
        Example(
            "FROM node:22\nRUN --mount=type=cache,id=modules,target=/app/node_modules npm ci\n",
            "FROM node:22\nARG TARGETARCH\nRUN --mount=type=cache,id=modules-${TARGETARCH},target=/app/node_modules npm ci\n",
            "It has an id already",
            applicability="unsafe",
        ),
        Example("FROM rust:1.80\nRUN --mount=type=cache,target=/usr/local/cargo/registry cargo build\n"),
        Example(
            "FROM rust:1.80\nARG TARGETARCH\n"
            "RUN --mount=type=cache,target=/src/target,id=target-$TARGETARCH cargo build --release\n"
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM node:22 AS web\nRUN --mount=type=cache,target=/app/node_modules npm ci\n"
            "FROM scratch\nCOPY --from=web /app/dist /\n",
            title="One stage for all platforms",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Cache mounts of stages that run on the target, without an architecture in id or target."""
        if len({target.arch for target in facts.targets}) < 2:
            return
        for stage in facts.stages:
            if stage.kind is not PlatformKind.TARGET or not stage.reached:
                continue
            shared = [
                (run, mount)
                for run in stage.runs
                for mount in run.mounts
                if mount.type == "cache" and _holds_results(mount)
            ]
            for run, mount in shared:
                yield self._found(document, facts, run, mount, above=shared[0][0])

    def _found(self, document: Document, facts: Facts, run: Run, mount: Mount, above: Run) -> Finding:
        identity, target = mount.get("id"), mount.get("target", "dst", "destination")
        assert target is not None
        folder = target.value.rstrip("/").rsplit("/", 1)[-1].lstrip("._")
        at = identity.span.end if identity else target.span.end
        text = "-${TARGETARCH}" if identity else f",id={folder}-${{TARGETARCH}}"
        edits = (*declare_arg(document, facts, run, "TARGETARCH", above=above), Edit.insert(at, text))
        return self.finding(
            mount.span,
            f"All platforms share this cache of `{target.value}`: an arm64 build finds what an amd64 build left there. Give "
            "each architecture a cache of its own.",
            Fix("Name the architecture in the cache's id", edits, Applicability.UNSAFE),
        )


def _holds_results(mount: Mount) -> bool:
    target, identity = mount.get("target", "dst", "destination"), mount.get("id")
    if target is None or "$" in target.value or (identity is not None and "$" in identity.value):
        return False
    return target.value.rstrip("/").rsplit("/", 1)[-1] in _BUILT
