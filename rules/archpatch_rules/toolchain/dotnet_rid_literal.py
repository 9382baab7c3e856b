"""AP602."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind, StageFacts, Written, written
from archpatch.facts.dotnet import Runtime, runtimes, sdk_version
from archpatch.facts.suppressors import why_fine
from archpatch.rewrite import arch_case, arch_case_in, declare_arg, substitute, substitute_word
from archpatch.rewrite.paths import declare_spelling
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Copy, Document, Run, Word
from archpatch.text import Applicability, Edit, Fix, Span

# The last part of a runtime's name.
_WORDS = {
    "amd64": "x64",
    "arm64": "arm64",
    "arm": "arm",
    "386": "x86",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}


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
    the first with every runtime for arm64. A COPY of a path that names the runtime
    (`bin/Release/net8.0/linux-x64/publish`) goes with it, by `${NAME/from/to}`, which a frontend of 2023-11 or newer
    (1.7) knows: unsafe. There is no fix where the name stands in another place, nor for ahead-of-time compilation on
    the build machine, which needs a cross toolchain. Under emulation the SDK is slow and unsupported: `FROM
    --platform=$BUILDPLATFORM` for its stage goes well with this.
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
            "    esac && \\\n    dotnet publish -r linux-musl-${_arch} -o /app\n",
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
            "ARG TARGETARCH\n"
            "RUN dotnet publish -a $TARGETARCH\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:8.0\n"
            "ARG TARGETARCH\n"
            "COPY --from=build /src/bin/Release/net8.0/linux-${TARGETARCH/amd64/x64}/publish /app\n",
            "A path names the runtime",
            applicability="unsafe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\nRUN dotnet publish --runtime=linux-x64 -o /app\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    dotnet publish --runtime=linux-${_arch} -o /app\n",
            "Option and value in one word",
            applicability="safe",
        ),
        Example(
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\n"
            "RUN dotnet publish -r linux-x64\n"
            'RUN ["mv", "bin/Release/net8.0/linux-x64/publish", "/app"]\n',
            "FROM mcr.microsoft.com/dotnet/sdk:8.0\n"
            "RUN dotnet publish -r linux-x64\n"
            'RUN ["mv", "bin/Release/net8.0/linux-x64/publish", "/app"]\n',
            "A path where no shell is",
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
        families: dict[StageFacts, list[StageFacts]] = {}
        for stage in facts.stages:
            if stage.reached:
                families.setdefault(stage.root, []).append(stage)
        for root, stages in families.items():
            found = [
                runtime
                for stage in stages
                for command in stage.commands_with("dotnet", later=True)
                for runtime in runtimes(facts, command)
            ]
            arches = {runtime.arch for runtime in found}
            wrong = [target for target in facts.targets if target.arch not in arches]
            if len(arches) != 1 or not wrong or facts.named_arch in arches:
                continue
            found = [
                runtime
                for runtime in found
                if why_fine(facts, runtime.command.run, runtime.value.span, runtime.command) is None
            ]
            fix = _fix(document, facts, root, found) if found else None
            for runtime in found:
                yield self.finding(runtime.span, _message(runtime, str(wrong[0])), fix)


def _message(runtime: Runtime, wrong: str) -> str:
    if not runtime.arch:
        return (
            f"`{runtime.value.raw}` is no runtime of .NET: it says x64 where Docker says amd64, so an amd64 build fails "
            "(NETSDK1083). `-a $TARGETARCH` understands both."
        )
    return (
        f".NET builds for {runtime.value.raw} whatever is asked for: the {wrong} image gets a foreign program and ends in "
        "`exec format error`. Tell restore and publish the architecture with `-a $TARGETARCH`."
    )


def _fix(document: Document, facts: Facts, stage: StageFacts, found: list[Runtime]) -> Fix | None:
    """All of a stage's commands at once."""
    if stage.kind is not PlatformKind.TARGET and _is_native(stage):
        return None
    paths = _in_paths(document, facts, found)
    if paths is None:
        return None
    edits: list[Edit] = list(paths)
    for runtime in found:
        made = _by_arch(document, facts, runtime, found[0]) or _by_case(document, facts, runtime)
        if made is None:
            return None
        edits += made
    portable = all(runtime.system in ("", "linux", "linux-musl") for runtime in found)
    portable = portable and all(target.arch in ("amd64", "arm64", "arm") for target in facts.targets)
    # .NET 5 is the first with every runtime for arm64, musl included.
    safe = (
        portable
        and not paths
        and sdk_version(stage) >= (5, 0)
        and all(runtime.arch == "amd64" for runtime in found)
    )
    trust = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix("Let .NET build for the target's architecture", tuple(dict.fromkeys(edits)), trust)


def _by_arch(document: Document, facts: Facts, runtime: Runtime, first: Runtime) -> tuple[Edit, ...] | None:
    """`-a $TARGETARCH`, where the SDK knows `amd64` and its own C library is what is asked for."""
    option, stage = runtime.option, runtime.command.stage
    if option is None or option.quoted or runtime.command.run.json or not _knows_amd64(stage):
        return None
    own = stage.distro.musl
    if own is None or runtime.musl not in (own, None) or runtime.system not in ("", "linux", "linux-musl"):
        return None
    # An ARG above the first command is visible to the others too.
    run = first.command.run if first.command.stage in stage.chain else runtime.command.run
    name = "--arch" if option.raw.startswith("--") else "-a"
    declared = declare_arg(document, facts, run, "TARGETARCH")
    edits = (*declared, Edit.replace(runtime.value.span, "$TARGETARCH"))
    return edits if option.raw == name else (*edits, Edit.replace(option.span, name))


def _by_case(document: Document, facts: Facts, runtime: Runtime) -> tuple[Edit, ...] | None:
    written = "x64" if runtime.arch == "amd64" else "arm64"
    span = runtime.value.find(f"-{written}" if runtime.system else written)
    if not runtime.arch or span is None:
        return None
    place = Span(span.end - len(written), span.end)
    return arch_case_in(document, facts, runtime.command.run, runtime.value, place, _WORDS)


def _knows_amd64(stage: StageFacts) -> bool:
    """Whether the SDK takes `-a amd64` for x64: 7.0.300 and 8.0 are the first."""
    return sdk_version(stage) >= (7, 300)


def _in_paths(document: Document, facts: Facts, found: list[Runtime]) -> tuple[Edit, ...] | None:
    """Edits of the paths with a runtime's name in them: of COPY, and of commands; None where one cannot follow."""
    values = {runtime.value.span for runtime in found}
    names = {runtime.folder for runtime in found if runtime.folder is not None}
    edits: list[Edit] = []
    for place in written(facts, *sorted(names)):
        if any(value in place.word.span for value in values):
            continue  # itself, or the script of `sh -c` that it stands in
        name = next(text for text in names if text in place.value)
        made = None if not name.endswith("x64") else _in_path(document, facts, place, name)
        if made is None:
            return None
        edits += made
    return tuple(edits)


def _in_path(document: Document, facts: Facts, place: Written, name: str) -> tuple[Edit, ...] | None:
    spans = [Span(span.end - len("x64"), span.end) for span in place.places(name)]
    if isinstance(place.instruction, Copy) and isinstance(place.word, Word):
        if place.instruction.json or place.instruction.source_stage is None:
            return None
        chosen = declare_spelling(document, facts, place.instruction, "x64", "arm64")
        made = [chosen and substitute_word(place.word, span, chosen[1]) for span in spans]
    elif isinstance(place.instruction, Run) and isinstance(place.word, ShellWord):
        chosen = arch_case(document, facts, place.instruction, _WORDS, spans)
        made = [chosen and substitute(place.word, span, chosen[1]) for span in spans]
    else:
        return None
    edits = [edit for edit in made if edit is not None]
    return None if chosen is None or not spans or len(edits) < len(spans) else (*chosen[0], *edits)


def _is_native(stage: StageFacts) -> bool:
    """Whether something is compiled ahead of time, which takes the C toolchain of the target."""
    return any(
        "PublishAot=" in word.raw
        for one in stage.facts.stages
        if one.root is stage
        for command in one.commands
        for word in command.shell.words
    )
