"""AP610."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts
from archpatch.facts.dotnet import names_runtime
from archpatch.facts.nuget import Project, projects
from archpatch.facts.suppressors import why_fine
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Span, encode, regex

_RUNTIME = regex(
    r"(?i)<RuntimeIdentifier>\s*(?:linux|linux-musl|(?:alpine|debian|ubuntu)[.\d]*)-(x64|arm64)\s*</RuntimeIdentifier>"
)
_HINT = "<RuntimeIdentifier>"
_VERBS = frozenset({"build", "publish", "pack", "msbuild"})


class DotnetProjectRid(Rule):
    """A .NET project file names one runtime, and the Dockerfile builds it for every platform.

    `<RuntimeIdentifier>linux-x64</RuntimeIdentifier>` makes every `dotnet publish` that is told nothing else build for
    amd64. The linux/arm64 image holds an amd64 program: its container ends in `exec format error`, or .NET says that
    libhostfxr.so is for another machine.

    It is fine where the command names the runtime itself (`-r`, `-a`, `-p:RuntimeIdentifier=`), and where the property
    has a condition. `<RuntimeIdentifiers>`, the list, restores for each of its runtimes and picks none.

    There is no fix: take the property out of the project, or tell the command the architecture with `-a $TARGETARCH`;
    what else builds the project is not in the Dockerfile.
    """

    code, name, severity = "AP610", "dotnet-project-rid", Severity.WARNING
    hints = ("dotnet",)
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\nCOPY . .\nRUN dotnet publish -c Release -o /shop\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\nCOPY . .\nRUN dotnet publish -c Release -o /shop\n",
            files={
                "src/shop.csproj": "<Project>\n  <PropertyGroup>\n"
                "    <RuntimeIdentifier>linux-x64</RuntimeIdentifier>\n  </PropertyGroup>\n</Project>\n"
            },
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\nARG TARGETARCH\nCOPY . .\n"
            "RUN dotnet publish -c Release -a $TARGETARCH -o /shop\n",
            title="The command decides",
            files={
                "shop.csproj": "<Project><PropertyGroup><RuntimeIdentifier>linux-x64</RuntimeIdentifier></PropertyGroup></Project>\n"
            },
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\nCOPY . .\nRUN dotnet publish -o /shop\n",
            title="A list, and a property with a condition",
            files={
                "shop.csproj": "<Project>\n<PropertyGroup><RuntimeIdentifiers>linux-x64;linux-arm64</RuntimeIdentifiers></PropertyGroup>\n"
                "<PropertyGroup Condition=\"'$(Platform)' == 'x64'\">\n"
                "<RuntimeIdentifier>linux-x64</RuntimeIdentifier>\n</PropertyGroup></Project>\n"
            },
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """The first command of each stage that builds such a project."""
        if facts.context is None:
            return
        for stage in facts.stages:
            if not stage.reached:
                continue
            commands = [command for command in stage.commands_with("dotnet") if _builds(command)]
            for command in commands[:1]:
                words = [word.literal or "" for one in commands for word in one.shell.arguments[1:]]
                found = projects(facts.context, *(word for word in words if word and word[0] not in "-/"))
                yield from self._of(document, facts, command, found)

    def _of(
        self, document: Document, facts: Facts, command: Command, found: tuple[Project, ...]
    ) -> Iterator[Finding]:
        shell = command.shell
        span = shell.words[0].span.cover(shell.arguments[0].span)
        for project in found:
            runtime = _runtime(project)
            if runtime is None or not any(target.arch != runtime[1] for target in facts.targets):
                continue
            if runtime[1] == facts.named_arch or why_fine(facts, command.run, span, command) is not None:
                continue
            place, _, text = runtime
            yield self.finding(
                span,
                f"{project.path.name} names the runtime {text}: .NET builds for it whatever is asked for. Take the property "
                "out, or tell the command the architecture with `-a $TARGETARCH`.",
                related=(Related(place, "the runtime", document.path.parent / project.path),),
            )
            return


def _builds(command: Command) -> bool:
    shell = command.shell
    verb = shell.arguments[0].literal if shell.arguments else None
    return shell.name == "dotnet" and verb in _VERBS and not names_runtime(command)


def _runtime(project: Project) -> tuple[Span, str, str] | None:
    """Where a project names its one runtime, the architecture and the runtime; None where a condition may decide."""
    if _HINT.lower() not in project.text.lower():
        return None
    found = list(_RUNTIME.finditer(project.text))
    if len(found) != 1:
        return None
    match = found[0]
    group = project.text.rfind("<PropertyGroup", 0, match.start())
    if "condition" in project.text[max(group, 0) : match.start()].lower():
        return None
    start = len(encode(project.text[: match.start()]))
    text = match[0].partition(">")[2].partition("<")[0].strip()
    arch = "amd64" if match[1].lower() == "x64" else "arm64"
    return Span(start, start + len(encode(match[0]))), arch, text
