"""AP107."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, CopyOut, Facts, PlatformKind, StageFacts
from archpatch.facts.assigned import chosen_by_script, setting
from archpatch.facts.compiles import compiled_by, follows_target, taken_into_target
from archpatch.facts.dotnet import sdk_version
from archpatch.platforms import arch_words
from archpatch.rewrite import declare_arg, delete_flag
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix
from archpatch_rules.toolchain.gocross import Cross, cross_compiles


class CrossStageIgnoresTarget(Rule):
    """A builder on the build machine's platform compiles for that machine, and the image takes the result.

    `FROM --platform=$BUILDPLATFORM` (or a constant) keeps a builder fast, but then the compiler must be told what to
    build for. Where it is not, the linux/arm64 image gets a program for the machine that built it, amd64 on most.
    Nothing fails until it starts: `exec format error`.

    It is fine where the compiling speaks of the target (`GOARCH=$TARGETARCH`, `xx-go`, `cargo --target`), and where
    what is taken runs anywhere: scripts, jars, a web front end, generated sources.

    For `go build` the fix sets GOOS and GOARCH from the target: for an amd64 build what Go chooses anyway. It is safe in
    a golang image with CGO_ENABLED=0, else unsafe: cross-compiling turns cgo off. `dotnet publish` is told `-a
    $TARGETARCH`. For other compilers it drops the flag, so that the stage runs, under emulation perhaps,
    on the target: right but slow, and unsafe for what else the stage does. There is no fix where another stage
    on the same base cross-compiles.
    """

    code, name, severity = "AP107", "cross-stage-ignores-target", Severity.WARNING
    hints = ("--platform",)
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN CGO_ENABLED=0 go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG TARGETOS\n"
            "ARG TARGETARCH\n"
            "RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "Go is told the target",
            applicability="safe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN GOOS=linux go build -o /app .\n"
            "FROM debian\n"
            "COPY --from=build /app /app\n",
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG TARGETARCH\n"
            "RUN GOOS=linux GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM debian\n"
            "COPY --from=build /app /app\n",
            "Cross-compiling turns cgo off",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "RUN dotnet publish --self-contained -o /app\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:9.0\n"
            "COPY --from=build /app /app\n",
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "ARG TARGETARCH\n"
            "RUN dotnet publish -a $TARGETARCH --self-contained -o /app\n"
            "FROM mcr.microsoft.com/dotnet/runtime-deps:9.0\n"
            "COPY --from=build /app /app\n",
            "So is .NET, where the program brings its runtime along",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\n"
            "RUN dotnet publish -o /app\n"
            "FROM mcr.microsoft.com/dotnet/aspnet:9.0\n"
            "COPY --from=build /app /app\n",
            title="What .NET runs itself runs anywhere",
        ),
        Example(
            "FROM --platform=linux/amd64 gcc:13 AS build\n"
            "COPY hello.c .\n"
            "RUN gcc -O2 -o /hello hello.c\n"
            "FROM debian\n"
            "COPY --from=build /hello /hello\n",
            "FROM gcc:13 AS build\n"
            "COPY hello.c .\n"
            "RUN gcc -O2 -o /hello hello.c\n"
            "FROM debian\n"
            "COPY --from=build /hello /hello\n",
            "Others compile on the target",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG TARGETARCH\n"
            "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG TARGETARCH\n"
            "RUN make app\n"
            "FROM debian\n"
            "COPY --from=build /out/app /app\n",
            title="A Makefile sees the argument in its environment",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN go install example.com/cmd/generate@v1 && generate -o /schema\n"
            "FROM debian\n"
            "COPY --from=build /schema /schema\n",
            title="A tool that the stage itself runs",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM node:22 AS build\n"
            "RUN make site\n"
            "FROM nginx\n"
            "COPY --from=build /src/dist /usr/share/nginx/html\n",
            title="A web site runs anywhere",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM rust:1.80 AS build\n"
            "RUN cargo build --release --target aarch64-unknown-linux-musl\n"
            "FROM alpine\n"
            "COPY --from=build /target/app /app\n",
            title="Says what it builds for, if only one",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG PLATFORMS\n"
            "RUN for P in $PLATFORMS; do GOOS=${P%/*} GOARCH=${P#*/} go build -o /out/$P/app .; done\n"
            "FROM alpine\n"
            "COPY --from=build /out/linux/amd64/app /out/linux/arm64/app /\n",
            title="Builds for what the script says",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Compiling commands in stages that are not on the target's platform and are copied from."""
        for stage in facts.stages:
            if stage.kind not in (PlatformKind.BUILD, PlatformKind.CONSTANT) or not stage.reached:
                continue
            if stage.why_fine is not None:
                continue
            taken = taken_into_target(facts, stage)
            if not taken:
                continue
            for command in stage.commands:
                tool = compiled_by(command)
                if tool is None or _says_for_what(facts, command) or follows_target(facts, command):
                    continue
                if _reads_environment(facts, command, tool) or _is_tool_of_the_stage(command, taken):
                    continue
                yield self.finding(
                    command.shell.words[0].span.cover(command.shell.words[-1].span),
                    f"`{tool}` builds for the platform of this stage ({_where(stage)}), and `{taken[0].by.head.image.value}` "
                    "takes the result: for another platform that is a foreign program, which ends in `exec format error`.",
                    self._fix(document, facts, command, tool),
                    related=(Related(taken[0].instruction.keyword_span, "the result is taken here"),),
                )

    def _fix(self, document: Document, facts: Facts, command: Command, tool: str) -> Fix | None:
        run, stage = command.run, command.stage
        if run.json or run.onbuild or not command.script.readable:
            return None
        cross = cross_compiles(facts, (command,)) if tool == "go" else Cross.BREAKS
        if cross is not Cross.BREAKS:
            names = ["GOARCH"] if setting(facts, command, "GOOS") == "linux" else ["GOOS", "GOARCH"]
            if command.shell.words[0].literal != "go":
                return None
            words = " ".join(f"{name}=$TARGET{name[2:]}" for name in names)
            declared = declare_arg(document, facts, run, *(f"TARGET{name[2:]}" for name in names))
            edit = Edit.insert(command.shell.words[0].span.start, f"{words} ")
            image = stage.root.image
            sure = cross is Cross.FINE and image is not None and image.repository.endswith("golang")
            trust = Applicability.SAFE if sure else Applicability.UNSAFE
            return Fix("Build for the target's platform", (*declared, edit), trust)
        if tool == "dotnet":
            return _told_dotnet(document, facts, command)
        platform = stage.platform(facts.targets[0])
        if platform.flag is None or _shared(facts, platform.root):
            return None
        edit = delete_flag(document, platform.flag)
        return Fix("Compile on the target's platform", (edit,), Applicability.UNSAFE)


def _reads_environment(facts: Facts, command: Command, tool: str) -> bool:
    """Whether a Makefile may look at the target itself: a declared ARG is in the environment."""
    scope = facts.scope(command.run)
    return tool in ("make", "gmake", "ninja") and ("TARGETARCH" in scope or "TARGETPLATFORM" in scope)


def _is_tool_of_the_stage(command: Command, taken: tuple[CopyOut, ...]) -> bool:
    """Whether `go install x/cmd/tool@v1` or `cargo install tool` makes a program that nobody takes."""
    words = [word.literal or "" for word in command.shell.arguments]
    if command.shell.name not in ("go", "cargo") or words[:1] != ["install"]:
        return False
    names = {word.partition("@")[0].rstrip("/").rsplit("/", 1)[-1] for word in words[1:]} | {
        "bin",
        "go",
        ".cargo",
    }
    sources = [word.value.strip("\"'").rstrip("/*") for copy in taken for word in copy.sources]
    remote = command.shell.name == "cargo" or any("@" in word for word in words)
    return remote and not any(source.rsplit("/", 1)[-1] in names for source in sources)


def _told_dotnet(document: Document, facts: Facts, command: Command) -> Fix | None:
    """`-a $TARGETARCH` for a publish that restores too: what it restores must be for the same runtime."""
    if command.shell.has("--no-restore") or sdk_version(command.stage) < (7, 300):
        return None
    verb = command.shell.arguments[0]
    edit = Edit.insert(verb.span.end, " -a $TARGETARCH")
    declared = declare_arg(document, facts, command.run, "TARGETARCH")
    return Fix("Build for the target's platform", (*declared, edit), Applicability.UNSAFE)


def _says_for_what(facts: Facts, command: Command) -> bool:
    """Whether the command names a platform itself, whichever: `--target aarch64-unknown-linux-musl`."""
    if setting(facts, command, "GOARCH") or setting(facts, command, "GOOS") not in (None, "", "linux"):
        return True
    if chosen_by_script(facts, command, "GOARCH"):
        return True
    words = [word.raw for word in command.shell.words]
    words += [assign.value.raw for assign in command.shell.assigns if assign.value is not None]
    return any(arch_words(word) for word in words) or any("--target" in word for word in words)


def _where(stage: StageFacts) -> str:
    platform = stage.platform(stage.facts.targets[0])
    return "the build machine's" if platform.kind is PlatformKind.BUILD else str(platform.platform)


def _shared(facts: Facts, root: StageFacts) -> bool:
    """Whether a stage on the same base looks at the target, so wants the platform that the base has."""
    return any(
        one.root is root and facts.uses("TARGETARCH", "TARGETPLATFORM", stage=one) for one in facts.stages
    )
