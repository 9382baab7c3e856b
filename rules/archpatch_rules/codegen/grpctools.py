"""Builds that run the protoc of the Grpc.Tools package, and how they are given another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from archpatch.facts import Command, Facts, Family, StageFacts
from archpatch.facts.nuget import PackageReference, Project, projects
from archpatch.rewrite import add_packages, add_words, insert_before
from archpatch.rule import Related
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, decode

_VERBS = frozenset({"build", "publish", "pack", "test", "msbuild"})
_TOOLS = ("grpc.tools", "grpc.aspnetcore", "grpc.aspnetcore.server.reflection")
# What gives the build another protoc, or another package's.
_OVERRIDES = ("protobuf_protoc", "protobuf_tools_", "grpc_protoc_plugin", "grpc_pluginfullpath")
PROTOC = "-p:Protobuf_ProtocFullPath=/usr/bin/protoc"
PLUGIN = "-p:gRPC_PluginFullPath=/usr/bin/grpc_csharp_plugin"


class GrpcBuild(Struct, frozen=True):
    """The commands that run protoc, in the stage where the first of them stands and those built upon it."""

    stage: StageFacts
    commands: tuple[Command, ...]
    package: PackageReference

    @property
    def span(self) -> Span:
        """`dotnet publish` of the first command."""
        shell = self.commands[0].shell
        return shell.words[0].span.cover(shell.arguments[0].span)

    @property
    def version(self) -> str:
        """The package's version, for a message."""
        return ".".join(map(str, self.package.version))

    def related(self, document: Document) -> tuple[Related, ...]:
        """The place in the project file."""
        path = document.path.parent / self.package.path
        return (Related(self.package.span, "the package that brings protoc", path),)


def grpc_builds(facts: Facts) -> Iterator[GrpcBuild]:
    """Every build of a project with .proto files by Grpc.Tools' own protoc."""
    context = facts.context
    if context is None or any(name in decode(facts.document.source).lower() for name in _OVERRIDES):
        return
    done: set[int] = set()
    for stage in facts.stages:
        if stage.index in done or not stage.reached:
            continue
        upon = [stage, *(one for one in facts.stages if stage in one.chain[1:])]
        commands = [
            command for one in upon for command in one.commands_with("dotnet") if _runs_protoc(command)
        ]
        if not commands or commands[0].stage is not stage:
            continue
        done |= {one.index for one in upon}
        words = [word.literal or "" for command in commands for word in command.shell.arguments[1:]]
        found = projects(context, *(word for word in words if word and word[0] not in "-/"))
        package = _package(found)
        if package is not None:
            yield GrpcBuild(stage, tuple(commands), package)


def _runs_protoc(command: Command) -> bool:
    shell = command.shell
    verb = shell.arguments[0].literal if shell.arguments else None
    return shell.name == "dotnet" and verb in _VERBS and not shell.has("--no-build")


def _package(found: Sequence[Project]) -> PackageReference | None:
    """The reference that decides which Grpc.Tools is used; None where no .proto file is compiled."""
    if not any(project.generates for project in found):
        return None
    if any(name in project.text.lower() for project in found for name in _OVERRIDES):
        return None
    references = [one for project in found for one in project.packages if one.version]
    for name in _TOOLS:
        for reference in references:
            if reference.name.lower() == name:
                return reference
    return None


def with_own_protoc(
    document: Document, facts: Facts, build: GrpcBuild, packages: tuple[str, ...], properties: tuple[str, ...]
) -> Fix | None:
    """Install the distribution's protoc in the stage, and name it in every command that runs one.

    None where a package could not be installed as root, where the image is not Microsoft's SDK, and where a .proto
    file is of an edition, which the distribution's protoc may be too old for.
    """
    stage = build.stage
    image = stage.image
    if (
        image is None
        or not image.repository.endswith("dotnet/sdk")
        or any(one.run.json for one in build.commands)
    ):
        return None
    if stage.distro.family not in (Family.DEBIAN, Family.ALPINE) or _has_editions(facts):
        return None
    first = build.commands[0].run
    before = [step for step in stage.body if step.span.start < first.span.start]
    if any(step.onbuild for step in stage.body):
        return None
    edits = _into_install(document, stage, packages, first.span.start)
    if not edits:
        if any(step.keyword == "SHELL" for step in before):
            return None
        edits = (insert_before(document, stage.body[0], _install(stage, packages)),)
    for command in build.commands:
        edits = (*edits, add_words(document, command.shell, ("-p:", "/p:"), properties))
    return Fix("Use the distribution's protoc", edits, Applicability.UNSAFE)


def _into_install(
    document: Document, stage: StageFacts, packages: tuple[str, ...], end: int
) -> tuple[Edit, ...]:
    manager = "apk" if stage.distro.family is Family.ALPINE else "apt"
    for install in stage.installs:
        words = [package.word for package in install.packages]
        early = install.run.span.end < end and install.command.shell.only_on is None
        if install.manager == manager and early and install.complete and words and not install.run.json:
            return add_packages(document, words, [one for one in packages if one not in install.names])
    return ()


def _install(stage: StageFacts, packages: tuple[str, ...]) -> str:
    escape = stage.facts.document.escape
    if stage.distro.family is Family.ALPINE:
        return f"RUN apk add --no-cache {' '.join(packages)}"
    return (
        f"RUN apt-get update {escape}\n"
        f"    && apt-get install -y --no-install-recommends {' '.join(packages)} {escape}\n"
        "    && rm -rf /var/lib/apt/lists/*"
    )


def _has_editions(facts: Facts) -> bool:
    context = facts.context
    assert context is not None
    return any(
        line.lstrip().startswith(b"edition")
        for path in context.files("**/*.proto")
        for line in (context.read(path) or b"").splitlines()
    )
