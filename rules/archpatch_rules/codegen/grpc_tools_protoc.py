"""AP502."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.codegen.grpctools import PROTOC, grpc_builds, with_own_protoc

_PROJECT = (
    '<Project Sdk="Microsoft.NET.Sdk.Web">\n  <ItemGroup>\n'
    '    <PackageReference Include="Grpc.AspNetCore" Version="2.71.0" />\n'
    '    <Protobuf Include="protos/shop.proto" GrpcServices="Server" />\n  </ItemGroup>\n</Project>\n'
)


class GrpcToolsProtoc(Rule):
    """A .NET project generates gRPC code with a protoc that crashes on arm64 (Grpc.Tools 2.69 to 2.82).

    The package brings protoc along, and the one for linux_arm64 of these versions dies: `dotnet publish` ends in
    `protoc exited with code 139`. It happens where the SDK runs natively on arm64: a build node per architecture, a
    Graviton runner, a laptop with an Apple chip. On an amd64 machine with `--platform=$BUILDPLATFORM` the same file
    builds. Grpc.AspNetCore takes the package in.

    It is fine with Grpc.Tools 2.68.1 or older, or 2.83 or newer: to change the version in the project file is the
    better cure. It is also fine where the project or the build names another protoc.

    The fix, for when the version cannot change, installs the distribution's protoc in the SDK stage and tells every
    build command of it. It is unsafe: amd64 generates code with that protoc too, which may be older than the
    package's. There is no fix in a stage that is not root, on other images than Microsoft's SDK, and where a .proto
    file is of an edition.
    """

    code, name, severity = "AP502", "grpc-tools-protoc", Severity.WARNING
    hints = ("dotnet",)
    errors = ("protoc exited with code 139", 'linux_arm64/protoc" exited with code 139')
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "ARG TARGETARCH\n"
            "WORKDIR /src\n"
            "COPY . .\n"
            "RUN dotnet publish shop.csproj \\\n"
            "    -p:PublishTrimmed=true \\\n"
            "    -a $TARGETARCH \\\n"
            "    -o /shop\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:9.0\n"
            "COPY --from=build /shop /shop\n",
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "RUN apt-get update \\\n"
            "    && apt-get install -y --no-install-recommends protobuf-compiler \\\n"
            "    && rm -rf /var/lib/apt/lists/*\n"
            "ARG TARGETARCH\n"
            "WORKDIR /src\n"
            "COPY . .\n"
            "RUN dotnet publish shop.csproj \\\n"
            "    -p:PublishTrimmed=true \\\n"
            "    -p:Protobuf_ProtocFullPath=/usr/bin/protoc \\\n"
            "    -a $TARGETARCH \\\n"
            "    -o /shop\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:9.0\n"
            "COPY --from=build /shop /shop\n",
            files={"shop.csproj": _PROJECT},
            applicability="unsafe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends git\n"
            "COPY . .\n"
            "RUN dotnet build shop.csproj -c Release\n"
            "FROM build AS publish\n"
            "RUN dotnet publish shop.csproj --no-build -o /shop\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends git protobuf-compiler\n"
            "COPY . .\n"
            "RUN dotnet build shop.csproj -c Release -p:Protobuf_ProtocFullPath=/usr/bin/protoc\n"
            "FROM build AS publish\n"
            "RUN dotnet publish shop.csproj --no-build -o /shop\n",
            "Packages are installed already",
            files={"shop.csproj": _PROJECT},
            applicability="unsafe",
        ),
        Example(
            "FROM registry.example.com/build/dotnet-sdk:8\nUSER builder\nRUN dotnet publish shop.csproj -o /shop\n",
            "FROM registry.example.com/build/dotnet-sdk:8\nUSER builder\nRUN dotnet publish shop.csproj -o /shop\n",
            "Nobody knows what can be installed there",
            files={"shop.csproj": _PROJECT},
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:9.0\nRUN dotnet publish shop.csproj -o /shop\n",
            title="A version that works",
            files={"shop.csproj": _PROJECT.replace("2.71.0", "2.68.1")},
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:9.0\nRUN dotnet publish shop.csproj -o /shop\n",
            title="Nothing is generated",
            files={"shop.csproj": _PROJECT.replace("<Protobuf ", "<Content ")},
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:9.0\n"
            "ENV PROTOBUF_PROTOC=/usr/bin/protoc\n"
            "RUN dotnet publish shop.csproj -o /shop\n",
            title="Another protoc is named",
            files={"shop.csproj": _PROJECT},
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage that builds such a project."""
        for build in grpc_builds(facts):
            broken = (2, 69) <= build.package.version < (2, 83)
            constant = build.stage.kind is PlatformKind.CONSTANT
            if not broken or constant or build.stage.distro.musl:
                continue
            yield self.finding(
                build.span,
                f"{build.package.name} {build.version} brings a protoc that crashes when this stage runs natively on arm64 "
                "(`protoc exited with code 139`). Best move the package to 2.83 or newer, or back to 2.68.1; else use the "
                "distribution's protoc.",
                with_own_protoc(document, facts, build, ("protobuf-compiler",), (PROTOC,)),
                related=build.related(document),
            )
