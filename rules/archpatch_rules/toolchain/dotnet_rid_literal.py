"""AP602."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from archpatch.facts import Command, Facts, PlatformKind, StageFacts
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import AMD64, arch_of
from archpatch.rewrite import arch_case, declare_arg, substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document, Run
from archpatch.text import Applicability, Edit, Fix, Span

_VERBS = frozenset({"restore", "build", "publish", "pack", "msbuild", "test"})
_RUNTIME, _ARCH = frozenset({"-r", "--runtime"}), frozenset({"-a", "--arch"})
_PROPERTY = r"(?i)(?:[-/]p|[-/]{1,2}property):RuntimeIdentifier=(.*)"
_RID = r"(linux|linux-musl|(?:alpine|debian|ubuntu|rhel|centos|fedora)[.\d]*)-(x64|arm64)"
_TRAP = r"(?:linux|linux-musl|alpine)-amd64|linux/amd64|amd64"


class _Runtime(Struct, frozen=True):
    """A runtime that a command names: the option's word (None: an MSBuild property), the value, what it says.

    `system` is "" where the option is `--arch`; `arch` is "" where TARGETARCH is misspelled.
    """

    command: Command
    option: ShellWord | None
    value: ShellWord
    system: str
    arch: str


class DotnetRidLiteral(Rule):
    """.NET builds for one architecture on every platform: `dotnet publish -r linux-x64`.

    The SDK cross-compiles without a word. The linux/arm64 image holds an amd64 program: its container ends in `exec
    format error`, or .NET says that libhostfxr.so is for another machine. `-r linux-$TARGETARCH` is no way out: .NET
    says x64 where Docker says amd64, and the amd64 build ends in NETSDK1083.

    It is fine where one RUN publishes for several runtimes, for Windows or macOS, and in a branch that asks for the
    architecture.

    The fix changes restore, build and publish of the stage together, for what is published must have been restored.
    `-a $TARGETARCH` is what the SDK (8, or 7.0.300) understands; for an older one, and where the SDK's C library is
    not the one asked for, a `case` chooses x64 or arm64. An amd64 build gets the same: it is safe, from .NET 5 on,
    the first with every runtime for arm64. There is no fix
    where a later path names the runtime (`bin/Release/net8.0/linux-x64/publish`): publish with `-o`; nor for
    ahead-of-time compilation on the build machine, which needs a cross toolchain. Under emulation the SDK is slow and
    unsupported: `FROM --platform=$BUILDPLATFORM` for its stage goes well with this.
    """

    code, name, severity = "AP602", "dotnet-rid-literal", Severity.WARNING
    hints = ("dotnet",)
    errors = ("exec format error", "NETSDK1083", "NETSDK1047")
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "RUN dotnet restore shop.csproj -r linux-x64\n"
            "COPY . .\n"
            "RUN dotnet publish shop.csproj \\\n"
            "    --runtime linux-x64 \\\n"
            "    -o /shop --no-restore\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:9.0\n"
            "COPY --from=build /shop .\n",
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "ARG TARGETARCH\n"
            "RUN dotnet restore shop.csproj -a $TARGETARCH\n"
            "COPY . .\n"
            "RUN dotnet publish shop.csproj \\\n"
            "    --arch $TARGETARCH \\\n"
            "    -o /shop --no-restore\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:9.0\n"
            "COPY --from=build /shop .\n",
            "Restore and publish together",
            applicability="safe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:6.0\nRUN dotnet publish -r linux-musl-x64 -o /app\n",
            "FROM mcr.microsoft.com/dotnet/sdk:6.0\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && dotnet publish -r linux-musl-${_arch} -o /app\n",
            "An older SDK, and another C library than its own",
            applicability="safe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine\nARG TARGETARCH\nRUN dotnet publish -r linux-$TARGETARCH -o /app\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine\nARG TARGETARCH\nRUN dotnet publish -a $TARGETARCH -o /app\n",
            ".NET says x64, Docker amd64",
            applicability="unsafe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\nRUN dotnet publish -a x64 -o /app\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\nARG TARGETARCH\nRUN dotnet publish -a $TARGETARCH -o /app\n",
            applicability="safe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\n"
            "RUN dotnet publish -r linux-x64\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:8.0\n"
            "COPY --from=build /src/bin/Release/net8.0/linux-x64/publish /app\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build\n"
            "RUN dotnet publish -r linux-x64\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:8.0\n"
            "COPY --from=build /src/bin/Release/net8.0/linux-x64/publish /app\n",
            "A path names the runtime",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\n"
            "RUN dotnet publish -r linux-x64 -o /x64 && dotnet publish -r linux-arm64 -o /arm64\n"
        ),
        Example("FROM mcr.microsoft.com/dotnet/sdk:8.0\nRUN dotnet publish -r win-x64 -o /app\n"),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\nARG TARGETARCH\nRUN dotnet publish -a $TARGETARCH -o /app\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """The runtimes that `dotnet` is told in each stage."""
        for stage in facts.stages:
            if not stage.reached:
                continue
            found = [runtime for command in stage.commands for runtime in _runtimes(facts, command)]
            arches = {runtime.arch for runtime in found}
            wrong = [target for target in facts.targets if target.arch not in arches]
            if len(arches) != 1 or not wrong or facts.named_arch in arches:
                continue
            found = [
                runtime
                for runtime in found
                if why_fine(facts, runtime.command.run, runtime.value.span, runtime.command) is None
            ]
            fix = _fix(document, facts, stage, found) if found else None
            for runtime in found:
                yield self.finding(_span(runtime), _message(runtime, str(wrong[0])), fix)


def _message(runtime: _Runtime, wrong: str) -> str:
    if not runtime.arch:
        return (
            f"`{runtime.value.raw}` is no runtime of .NET: it says x64 where Docker says amd64, so an amd64 build fails "
            "(NETSDK1083). `-a $TARGETARCH` understands both."
        )
    return (
        f".NET builds for {runtime.value.raw} whatever is asked for: the {wrong} image gets a foreign program and ends in "
        "`exec format error`. Tell restore and publish the architecture with `-a $TARGETARCH`."
    )


def _runtimes(facts: Facts, command: Command) -> Iterator[_Runtime]:
    """What the options of one `dotnet` command say; systems other than Linux are left out."""
    arguments = command.shell.arguments
    if command.shell.name != "dotnet" or not arguments or arguments[0].literal not in _VERBS:
        return
    for index, word in enumerate(arguments):
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        if word.literal in _RUNTIME | _ARCH and following is not None:
            found = _read(facts, command, word, following, word.literal in _ARCH)
        elif match := re.fullmatch(_PROPERTY, word.raw):
            named = re.fullmatch(_RID, match[1])
            found = _Runtime(command, None, word, named[1], _canonical(named[2])) if named else None
        else:
            continue
        if found is not None:
            yield found


def _read(
    facts: Facts, command: Command, option: ShellWord, value: ShellWord, is_arch: bool
) -> _Runtime | None:
    text = value.literal
    if text is None:
        known = facts.value(command, value, AMD64)
        platform = not value.names.isdisjoint({"TARGETPLATFORM", "BUILDPLATFORM"})
        wrong = not is_arch and (platform or re.fullmatch(_TRAP, known.text or ""))
        system = "linux-musl" if "musl" in value.raw or "alpine" in value.raw else ""
        return _Runtime(command, option, value, system, "") if wrong else None
    if is_arch:
        arch = arch_of(text)
        return _Runtime(command, option, value, "", arch) if arch in ("amd64", "arm64") else None
    found = re.fullmatch(_RID, text)
    return _Runtime(command, option, value, found[1], _canonical(found[2])) if found else None


def _canonical(arch: str) -> str:
    return "amd64" if arch == "x64" else arch


def _span(runtime: _Runtime) -> Span:
    return runtime.option.span.cover(runtime.value.span) if runtime.option else runtime.value.span


def _fix(document: Document, facts: Facts, stage: StageFacts, found: list[_Runtime]) -> Fix | None:
    """All of a stage's commands at once."""
    if _is_in_a_path(document, found) or (stage.kind is not PlatformKind.TARGET and _is_native(stage)):
        return None
    edits: list[Edit] = []
    for runtime in found:
        first = found[0].command.run  # an ARG there is visible to the others too
        made = _by_arch(document, facts, stage, runtime, first) or _by_case(document, facts, runtime)
        if made is None:
            return None
        edits += made
    portable = all(runtime.system in ("", "linux", "linux-musl") for runtime in found)
    # .NET 5 is the first with every runtime for arm64, musl included.
    safe = portable and _version(stage) >= (5, 0) and all(runtime.arch == "amd64" for runtime in found)
    trust = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix("Let .NET build for the target's architecture", tuple(dict.fromkeys(edits)), trust)


def _by_arch(
    document: Document, facts: Facts, stage: StageFacts, runtime: _Runtime, first: Run
) -> tuple[Edit, ...] | None:
    """`-a $TARGETARCH`, where the SDK knows `amd64` and its own C library is what is asked for."""
    option = runtime.option
    musl = (
        stage.distro.musl
        if not runtime.system
        else runtime.system.startswith("alpine") or "musl" in runtime.system
    )
    if option is None or option.quoted or runtime.command.run.json or not _knows_amd64(stage):
        return None
    if musl is None or stage.distro.musl is not musl or runtime.system not in ("", "linux", "linux-musl"):
        return None
    name = "--arch" if option.raw.startswith("--") else "-a"
    declared = declare_arg(document, facts, first, "TARGETARCH")
    edits = (*declared, Edit.replace(runtime.value.span, "$TARGETARCH"))
    return edits if option.raw == name else (*edits, Edit.replace(option.span, name))


def _by_case(document: Document, facts: Facts, runtime: _Runtime) -> tuple[Edit, ...] | None:
    written = "x64" if runtime.arch == "amd64" else "arm64"
    span = runtime.value.find(f"-{written}" if runtime.system else written)
    case = arch_case(document, facts, runtime.command.run, {"amd64": "x64", "arm64": "arm64"})
    if not runtime.arch or span is None or case is None:
        return None
    edit = substitute(runtime.value, Span(span.end - len(written), span.end), case[1])
    return None if edit is None else (*case[0], edit)


def _version(stage: StageFacts) -> tuple[int, int]:
    """Major version and patch of the SDK image; (0, 0) where its name does not tell."""
    image = stage.root.image
    if image is None or not image.repository.endswith("dotnet/sdk"):
        return (0, 0)
    version = re.match(r"(\d+)\.\d+(?:\.(\d+))?", image.tag or "latest")
    if version is None:
        return (99, 0) if (image.tag or "latest").startswith("latest") else (0, 0)
    return int(version[1]), int(version[2] or 999)


def _knows_amd64(stage: StageFacts) -> bool:
    """Whether the SDK takes `-a amd64` for x64: 7.0.300 and 8.0 are the first."""
    return _version(stage) >= (7, 300)


def _is_in_a_path(document: Document, found: list[_Runtime]) -> bool:
    """Whether a runtime stands elsewhere in the file than in these options: as the name of a folder."""
    texts = {runtime.value.literal for runtime in found if runtime.option is not None and runtime.system}
    return any(
        text and document.source.count(f"{text}/".encode()) + document.source.count(f"/{text}".encode())
        for text in texts
    )


def _is_native(stage: StageFacts) -> bool:
    """Whether something is compiled ahead of time, which takes the C toolchain of the target."""
    return any("PublishAot=" in word.raw for command in stage.commands for word in command.shell.words)
