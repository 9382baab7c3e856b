"""AP601."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import AUTOMATIC, Command, Facts, PlatformKind
from archpatch.facts.assigned import Assigned, assigned, setting
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import arch_words
from archpatch.rewrite import declare_arg, put
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import Literal, Param, ShellWord
from archpatch.syntax.tree import Arg, Document
from archpatch.text import Applicability, Edit, Fix, decode
from archpatch_rules.toolchain.gocross import Cross, cross_compiles


class GoGoarchLiteral(Rule):
    """Go builds for one architecture on every platform: `GOARCH=amd64`.

    Go cross-compiles without a word, so nothing fails while the image is built. The linux/arm64 image holds an amd64
    program, and its container ends in `exec format error`. A literal arm64 does the same to linux/amd64.

    It is fine where a build makes several architectures, for another system (`GOOS=windows`, `darwin`, `js`), in a
    branch that asks for the architecture, and in a file that is for one architecture and says so in its name.

    The fix puts `${TARGETARCH}` in its place. It is safe in a stage of the target platform, where Go then builds for
    the machine it runs on, and in a `$BUILDPLATFORM` stage whose cgo is off. With cgo unsaid it is unsafe: Go turns
    cgo off when it cross-compiles. There is no fix where the stage cross-compiles and sets CGO_ENABLED=1 (a C
    cross compiler is needed: xx, or drop `--platform=$BUILDPLATFORM`), runs `go run` or `go test`, or `go install`,
    which then writes to `bin/linux_arm64/`: use `go build -o`. A builder that sets no TARGETARCH (the legacy one)
    leaves it empty, which is Go's own architecture.
    """

    code, name, severity = "AP601", "go-goarch-literal", Severity.WARNING
    hints = ("goarch",)
    errors = ("exec format error", "cannot install cross-compiled binaries when GOBIN is set")
    examples = (
        Example(
            "FROM golang:1.23 AS build\n"
            "RUN CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "FROM golang:1.23 AS build\n"
            "ARG TARGETARCH\n"
            "RUN CGO_ENABLED=0 GOOS=linux GOARCH=${TARGETARCH} go build -o /app .\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "Before the command",
            applicability="safe",
        ),
        Example(
            "FROM golang:1.23\nENV CGO_ENABLED=0 GOOS=linux \\\n    GOARCH=amd64\nRUN go build -o /app .\n",
            "FROM golang:1.23\nARG TARGETARCH\nENV CGO_ENABLED=0 GOOS=linux \\\n    GOARCH=${TARGETARCH}\nRUN go build -o /app .\n",
            "In ENV",
            applicability="safe",
        ),
        Example(
            "FROM golang:1.23\nARG GOARCH=amd64\nRUN make build GOARCH=$GOARCH\n",
            "FROM golang:1.23\nARG TARGETARCH\nARG GOARCH=${TARGETARCH}\nRUN make build GOARCH=$GOARCH\n",
            "As an argument's default; --build-arg still wins",
            applicability="safe",
        ),
        Example(
            "FROM golang:1.23\nRUN <<EOF\nexport GOARCH=amd64\ngo build -o /app .\nEOF\n",
            "FROM golang:1.23\nARG TARGETARCH\nRUN <<EOF\nexport GOARCH=${TARGETARCH}\ngo build -o /app .\nEOF\n",
            "In a heredoc",
            applicability="safe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN env GOARCH=amd64 go build -o /app .\n"
            "FROM debian\n"
            "COPY --from=build /app /app\n",
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "ARG TARGETARCH\n"
            "RUN env GOARCH=${TARGETARCH} go build -o /app .\n"
            "FROM debian\n"
            "COPY --from=build /app /app\n",
            "Cross-compiling turns cgo off",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN CGO_ENABLED=0 GOARCH=amd64 go install ./cmd/app\n"
            "FROM debian\n"
            "COPY --from=build /go/bin/app /app\n",
            "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"
            "RUN CGO_ENABLED=0 GOARCH=amd64 go install ./cmd/app\n"
            "FROM debian\n"
            "COPY --from=build /go/bin/app /app\n",
            "Cross-compiled, go install writes to another folder",
        ),
        Example(
            "FROM golang:1.23\nRUN GOARCH=arm64 go build -o /app .\n",
            "FROM golang:1.23\nARG TARGETARCH\nRUN GOARCH=${TARGETARCH} go build -o /app .\n",
            "A literal arm64 is no better",
            applicability="unsafe",
        ),
        Example(
            "FROM alpine\nARG GOARCH=amd64\nCOPY bin/linux/${GOARCH}/app /app\n",
            "FROM alpine\nARG TARGETARCH\nARG GOARCH=${TARGETARCH}\nCOPY bin/linux/${GOARCH}/app /app\n",
            "A file that is chosen by it",
            applicability="safe",
        ),
        Example("FROM golang:1.23\nRUN GOARCH=amd64 go build -o /a && GOARCH=arm64 go build -o /b\n"),
        Example(
            "FROM golang:1.23\nENV GOARCH=arm64 CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc\n",
            title="A cross toolchain",
        ),
        Example(
            "FROM golang:1.23\nARG ARCH\nRUN GOARCH=${ARCH:-amd64} go build -o /app .\n",
            "FROM golang:1.23\nARG ARCH\nARG TARGETARCH\nRUN GOARCH=${ARCH:-${TARGETARCH}} go build -o /app .\n",
            "A default of amd64",
            applicability="unsafe",
        ),
        Example(
            "FROM golang:1.23\nARG TARGETARCH\nARG ARCH=${TARGETARCH}\nRUN GOARCH=${ARCH:-amd64} go build -o /app .\n",
        ),
        Example("FROM golang:1.23\nRUN GOOS=windows GOARCH=amd64 go build -o /app.exe\n"),
        Example(
            "FROM golang:1.23\nRUN for os in linux darwin; do GOOS=$os GOARCH=amd64 go build -o bin/$os/app; done\n",
            title="Releases for several systems",
        ),
        Example(
            "FROM golang:1.23\nRUN CC=aarch64-linux-gnu-gcc CGO_ENABLED=1 GOARCH=arm64 go build -o /app .\n",
            "FROM golang:1.23\nRUN CC=aarch64-linux-gnu-gcc CGO_ENABLED=1 GOARCH=arm64 go build -o /app .\n",
            "A C cross compiler beside it",
        ),
        Example("FROM golang:1.23\nRUN GOOS=js GOARCH=wasm go build -o /app.wasm\n"),
        Example("FROM golang:1.23\nENV GOARCH=amd64\nRUN go build -o /app .\n", name="Dockerfile.amd64"),
        Example('FROM golang:1.23\nARG TARGETARCH\nRUN GOARCH=${TARGETARCH:-amd64} go build -o "/app" .\n'),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every place that sets GOARCH to amd64 or arm64."""
        places = [one for one in assigned(facts, "GOARCH") if one.value in ("amd64", "arm64")]
        values = {one.value for one in places}
        if not values:
            yield from self._defaults(document, facts)
        if len(values) != 1 or facts.named_arch in values:
            return
        wrong = [str(target) for target in facts.targets if target.arch not in values]
        for place in places:
            if wrong and not _is_fine(facts, place):
                yield self.finding(
                    place.span, _message(facts, place, wrong[0]), self._fix(document, facts, place)
                )

    def _defaults(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """`GOARCH=${ARCH:-amd64}`: what is built where nobody says anything else."""
        for place in assigned(facts, "GOARCH"):
            operand = _default(facts, place)
            default = operand.text if operand else None
            if default not in ("amd64", "arm64") or default == facts.named_arch:
                continue
            others = [str(target) for target in facts.targets if target.arch != default]
            if others and not _is_fine(facts, place):
                yield self.finding(
                    place.span,
                    f"Go builds for {default} unless a build argument says otherwise: the {others[0]} image gets a program for "
                    f"{default}, which ends in `exec format error` there. Let the default be TARGETARCH.",
                    self._default_fix(document, facts, place, operand) if operand else None,
                )

    def _default_fix(self, document: Document, facts: Facts, place: Assigned, operand: Literal) -> Fix | None:
        """TARGETARCH in the place of the default: whoever sets the variable still wins."""
        if operand.text != "amd64" or place.instruction.json or len(operand.span) != len(operand.text):
            return None
        if place.stage is None or place.stage.kind is not PlatformKind.TARGET:
            return None
        declared = declare_arg(document, facts, place.instruction, "TARGETARCH")
        edits = (*declared, Edit.replace(operand.span, "${TARGETARCH}"))
        return Fix("Let the default of GOARCH follow TARGETARCH", edits, Applicability.UNSAFE)

    def _fix(self, document: Document, facts: Facts, place: Assigned) -> Fix | None:
        span = place.word.find(place.value or "")
        if span is None or place.instruction.json:
            return None
        if place.command is not None and "-linux-" in (setting(facts, place.command, "CC") or ""):
            return None  # the C compiler would have to follow too
        trust = Applicability.SAFE if place.value == "amd64" else Applicability.UNSAFE
        if place.stage is not None and place.stage.kind is not PlatformKind.TARGET:
            cross = cross_compiles(facts, _commands_under(facts, place))
            if cross is Cross.BREAKS:
                return None
            trust = trust if cross is Cross.FINE else Applicability.UNSAFE
        edit = put(place.word, span, "${TARGETARCH}")
        if edit is None:
            return None
        declared = (
            declare_arg(document, facts, place.instruction, "TARGETARCH") if place.stage is not None else ()
        )
        return Fix("Let GOARCH follow TARGETARCH", (*declared, edit), trust)


def _default(facts: Facts, place: Assigned) -> Literal | None:
    """The constant that GOARCH falls back to; None where there is none, or the script sets the variable itself."""
    command, word = place.command, place.word
    if command is None or not isinstance(word, ShellWord) or len(word.parts) != 1:
        return None
    part = word.parts[0]
    if not isinstance(part, Param) or part.operator not in (":-", "-") or len(part.operand) != 1:
        return None
    operand = part.operand[0]
    set_here = any(assign.name == part.name and not assign.prefix for assign in command.script.assigns)
    if set_here or part.name in AUTOMATIC or not isinstance(operand, Literal):
        return None
    variable = facts.scope(command.run).get(part.name)
    plain = variable is None or variable.declaration is None or variable.declaration.value is None
    return operand if plain else None


def _message(facts: Facts, place: Assigned, wrong: str) -> str:
    if place.stage is not None and next(iter(_commands_under(facts, place)), None) is None:
        return (
            f"GOARCH is {place.value} on every platform, and so is what it chooses: the {wrong} image gets what is made for "
            f"{place.value}. Let GOARCH follow TARGETARCH."
        )
    return (
        f"Go builds for {place.value} whatever is asked for: the {wrong} image gets a program for {place.value}, "
        "which ends in `exec format error` there. Let GOARCH follow TARGETARCH."
    )


def _is_fine(facts: Facts, place: Assigned) -> bool:
    if place.stage is None:
        return not _is_taken_up(facts)
    if not place.stage.reached or place.stage.why_fine is not None:
        return True
    if place.command is not None:
        system = setting(facts, place.command, "GOOS")
        if _loops_over_systems(place.command):
            return True
    else:
        variable = place.stage.end_scope(facts.targets[0]).get("GOOS")
        system = variable.value.text if variable else None
        if _is_cross_toolchain(place, facts.document):
            return True
    if system not in (None, "", "linux"):
        return True
    return why_fine(facts, place.instruction, place.word.span, place.command) is not None


def _loops_over_systems(command: Command) -> bool:
    """Whether GOOS is a loop's variable: releases for several systems are made, not the image's own program."""
    looped = {one.name for one in command.script.assigns if one.keyword == "for"}
    return any(
        one.name == "GOOS" and one.value is not None and one.value.names & looped
        for one in command.shell.assigns
    )


def _is_cross_toolchain(place: Assigned, document: Document) -> bool:
    """Whether the same ENV sets a cross compiler too: `ENV GOARCH=arm64 CC=aarch64-linux-gnu-gcc`."""
    text = decode(place.instruction.span.of(document.source))
    return place.value != "amd64" and sum(word.arch == place.value for word in arch_words(text)) > 1


def _is_taken_up(facts: Facts) -> bool:
    """Whether a stage declares the ARG that stands before the first FROM."""
    return any(
        isinstance(step, Arg) and any(one.name.value == "GOARCH" for one in step.declarations)
        for stage in facts.stages
        for step in stage.body
    )


def _commands_under(facts: Facts, place: Assigned) -> Iterator[Command]:
    """The commands for which GOARCH is what is set here."""
    assert place.stage is not None
    if place.alone and place.command is not None:
        yield place.command
        return
    for stage in (place.stage, *place.stage.children):
        for command in facts.commands(stage):
            if place.command is None or command.run is place.instruction:
                yield command
