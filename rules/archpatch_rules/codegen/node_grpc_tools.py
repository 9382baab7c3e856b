"""AP504."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install
from archpatch.facts.node_modules import locked_version
from archpatch.facts.suppressors import why_fine
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span, regex

# grpc/grpc-node#1405 and #2274: up to here the publisher has linux-x64 and no linux-arm64.
_LAST_WITHOUT_ARM64 = (1, 12, 3)
_VERSION = regex(r"=?v?(\d+)\.(\d+)\.(\d+)$")
_LOCK = (
    '{"name": "shop", "lockfileVersion": 3, "packages": {'
    '"node_modules/grpc-tools": {"version": "1.12.3", "hasInstallScript": true}}}'
)


class NodeGrpcTools(Rule):
    """npm installs a grpc-tools whose protoc was never built for arm64 Linux.

    Up to 1.12.3 the package fetches protoc and its plugin for linux-x64 alone. On arm64 its install script asks for
    `linux-arm64.tar.gz` and gets a 404: `npm install` fails, or, with scripts ignored, `grpc_tools_node_protoc` ends
    in ENOENT.

    It is fine in a stage on the build machine's platform, where generated code is all that leaves it, and in a branch for
    amd64. A range such as `^1.12.0` without a lock file tells no version, and is not reported.

    There is no fix: a newer version, protoc of the distribution with `protoc-gen-grpc-web` or ts-proto, or buf, and
    only the project can tell which.
    """

    code, name, severity = "AP504", "node-grpc-tools", Severity.WARNING
    hints = ("npm", "yarn", "pnpm")
    errors = ("404", "grpc_tools_node_protoc", "ENOENT", "node-pre-gyp ERR! install error")
    examples = (
        Example(
            "FROM node:18\nRUN npm install -g grpc-tools@1.11.3\n",
            "FROM node:18\nRUN npm install -g grpc-tools@1.11.3\n",
        ),
        Example(
            "FROM node:18\nCOPY . .\nRUN npm ci\n",
            "FROM node:18\nCOPY . .\nRUN npm ci\n",
            "The lock file tells the version",
            files={"package-lock.json": _LOCK},
        ),
        Example(
            "FROM node:18\nCOPY . .\nRUN npm ci\n",
            title="A newer one",
            files={"package-lock.json": _LOCK.replace("1.12.3", "1.13.0")},
        ),
        Example("FROM node:18\nRUN npm install -g grpc-tools\n", title="Any version"),
        Example(
            'FROM node:18\nRUN if [ "$(uname -m)" = x86_64 ]; then npm install -g grpc-tools@1.11.3; fi\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each install that takes such a version."""
        if facts.named_arch == "amd64":
            return
        for stage in facts.stages:
            for install in stage.installs_by("npm", "yarn", "pnpm"):
                named = _version(install, facts)
                if named is None or not any(
                    stage.platform(one).platform == one for one in facts.targets if one.arch == "arm64"
                ):
                    continue
                version, span = named
                if why_fine(facts, install.run, span, install.command) is None:
                    yield self.finding(
                        span,
                        f"grpc-tools {version} has no protoc for arm64: its install script gets a 404 for "
                        "linux-arm64.tar.gz. Take a newer version, or another protoc.",
                    )


def _version(install: Install, facts: Facts) -> tuple[str, Span] | None:
    """The version that an install takes, and what to point at; None where it is newer, or nobody can tell."""
    for package in install.packages:
        if package.name == "grpc-tools":
            version = package.version or ""
            return (version, package.word.span) if _is_old(version) else None
    if install.packages:
        return None
    version = locked_version(facts, "grpc-tools") or ""
    shell = install.command.shell
    return (version, shell.words[0].span.cover(shell.words[-1].span)) if _is_old(version) else None


def _is_old(version: str) -> bool:
    found = _VERSION.match(version)
    return found is not None and tuple(map(int, found.groups())) <= _LAST_WITHOUT_ARM64
