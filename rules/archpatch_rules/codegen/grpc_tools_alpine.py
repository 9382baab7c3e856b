"""AP503."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.codegen.grpctools import PLUGIN, PROTOC, grpc_builds, with_own_protoc

_PROJECT = (
    '<Project Sdk="Microsoft.NET.Sdk.Web">\n  <ItemGroup>\n'
    '    <PackageReference Include="Grpc.Tools" Version="2.83.0" />\n'
    '    <Protobuf Include="protos/shop.proto" />\n  </ItemGroup>\n</Project>\n'
)


class GrpcToolsAlpine(Rule):
    """A .NET project generates gRPC code on Alpine with a protoc that is linked against glibc.

    Grpc.Tools brings protoc and its C# plugin for glibc alone. On Alpine the build ends in MSB6003, `protoc could
    not be run. No such file or directory`: the file is there, its loader is not. This is so on every architecture.

    It is fine on the Debian or Ubuntu SDK, whose output runs on Alpine too when it is published for linux-musl, and
    where the project or the build names another protoc.

    The fix installs Alpine's protoc and plugin and tells every build command of them. It is unsafe: code is generated
    with other versions than the package's.
    """

    code, name, severity = "AP503", "grpc-tools-alpine", Severity.WARNING
    hints = ("dotnet",)
    errors = ("MSB6003", 'protoc" could not be run')
    examples = (
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine AS build\nCOPY . .\nRUN dotnet publish -o /shop\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine AS build\n"
            "RUN apk add --no-cache protobuf grpc-plugins\n"
            "COPY . .\n"
            "RUN dotnet publish -o /shop -p:Protobuf_ProtocFullPath=/usr/bin/protoc "
            "-p:gRPC_PluginFullPath=/usr/bin/grpc_csharp_plugin\n",
            files={"src/shop.csproj": _PROJECT},
            applicability="unsafe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\nCOPY . .\nRUN dotnet publish -o /shop\n",
            files={"src/shop.csproj": _PROJECT},
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage on Alpine that builds such a project."""
        for build in grpc_builds(facts):
            if build.stage.distro.musl:
                yield self.finding(
                    build.span,
                    f"{build.package.name} {build.version} brings a protoc for glibc, which Alpine has not: `protoc could not be "
                    "run. No such file or directory`. Build on the Debian SDK, or with Alpine's own protoc.",
                    with_own_protoc(document, facts, build, ("protobuf", "grpc-plugins"), (PROTOC, PLUGIN)),
                    related=build.related(document),
                )
