"""AP603."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Command, Facts, PlatformKind, StageFacts, written
from archpatch.facts.assigned import assigned
from archpatch.facts.origins import piece_at, text_of, trace
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import AMD64, Convention, arch_words
from archpatch.rewrite import arch_case, substitute
from archpatch.rewrite.paths import respelled_copy, respelled_value
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Copy, Document, Env, Instruction, Run
from archpatch.text import Applicability, Edit, Fix, Span, agree, decode, encode

_TRIPLE = r"(x86_64|aarch64)-unknown-linux-(?:gnu|musl)"
_TOOLS = frozenset({"cargo", "rustup", "rustc", "cross"})
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}


class CargoTargetLiteral(Rule):
    """Rust compiles for one architecture on every platform: `cargo build --target x86_64-unknown-linux-musl`.

    On linux/arm64 the build fails where the linker is for arm64 alone (`linking with cc failed`, `cannot find
    crti.o`), or it ships an amd64 program, which ends in `exec format error`.

    It is fine where several targets are built, in a branch that asks for the architecture, and in a file for one
    architecture that says so in its name.

    The fix chooses the first word of the triple in a `case`, everywhere in the RUNs at once, folders such as
    `target/x86_64-unknown-linux-musl/release` included; what ENV tells cargo of the triple's linker is told of the other
    one too. It is unsafe: other crates and linkers come in on arm64.
    Where `CARGO_BUILD_TARGET` is an ENV or ARG, it gets the word by `${NAME/from/to}`, and so does a COPY that takes the
    program from the triple's folder: a frontend of 2023-11 or newer (1.7) knows that. There is no fix where another
    instruction names the triple: copy the program to a plain path in the RUN that builds it; and none on the machine that
    builds, where no linker for the other architecture may be, unless Zig is it (`cargo zigbuild`). Where the triple is that
    of the image itself, `--target` may simply go.
    """

    code, name, severity = "AP603", "cargo-target-literal", Severity.WARNING
    hints = ("unknown-linux",)
    errors = ("linking with `cc` failed", "exec format error", "error: toolchain", "may not be installed")
    examples = (
        Example(
            "FROM rust:1.80-alpine AS build\n"
            "RUN rustup target add x86_64-unknown-linux-musl\n"
            "RUN cargo build --release --target x86_64-unknown-linux-musl \\\n"
            "    && cp target/x86_64-unknown-linux-musl/release/app /app\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "FROM rust:1.80-alpine AS build\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    rustup target add ${_arch}-unknown-linux-musl\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac \\\n    && cargo build --release --target ${_arch}-unknown-linux-musl \\\n"
            "    && cp target/${_arch}-unknown-linux-musl/release/app /app\n"
            "FROM scratch\n"
            "COPY --from=build /app /app\n",
            "Every place at once",
            applicability="unsafe",
        ),
        Example(
            "FROM rust:1.80 AS chef\nRUN rustup target add x86_64-unknown-linux-musl\n"
            "ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc\n"
            "FROM chef\nRUN cargo build --target x86_64-unknown-linux-musl\n",
            "FROM rust:1.80 AS chef\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    rustup target add ${_arch}-unknown-linux-musl\n"
            "ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc "
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc\n"
            "FROM chef\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    cargo build --target ${_arch}-unknown-linux-musl\n",
            "Installed in the stage before",
            applicability="unsafe",
        ),
        Example(
            "FROM --platform=$BUILDPLATFORM rust:1.80 AS build\n"
            "RUN cargo zigbuild --target x86_64-unknown-linux-musl && cp target/x86_64-unknown-linux-musl/release/app /app\n"
            "FROM alpine\nCOPY --from=build /app /app\n",
            "FROM --platform=$BUILDPLATFORM rust:1.80 AS build\nARG TARGETARCH\n"
            'RUN case "$TARGETARCH" in \\\n'
            "      amd64) _arch=x86_64 ;; \\\n"
            "      arm64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: $TARGETARCH"; exit 1 ;; \\\n'
            "    esac && \\\n    cargo zigbuild --target ${_arch}-unknown-linux-musl "
            "&& cp target/${_arch}-unknown-linux-musl/release/app /app\n"
            "FROM alpine\nCOPY --from=build /app /app\n",
            "Zig links for any platform",
            applicability="unsafe",
        ),
        Example(
            "FROM rust:1.80\nRUN target=x86_64-unknown-linux-gnu; \\\n"
            '    cargo build --target "${target}" && cp "target/${target}/release/app" /app\n',
            "FROM rust:1.80\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    target=${_arch}-unknown-linux-gnu; \\\n"
            '    cargo build --target "${target}" && cp "target/${target}/release/app" /app\n',
            "In a variable of the script",
            applicability="unsafe",
        ),
        Example(
            "FROM rust:1.80\nRUN rustup target add x86_64-unknown-linux-musl && echo x86_64-unknown-linux-musl > /target\n"
            'RUN cargo build --target "$(cat /target)"\n',
            "FROM rust:1.80\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    rustup target add ${_arch}-unknown-linux-musl && echo ${_arch}-unknown-linux-musl > /target\n"
            'RUN cargo build --target "$(cat /target)"\n',
            "In a file",
            applicability="unsafe",
        ),
        Example(
            "FROM rust:1.80 AS build\n"
            "ENV CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu\n"
            "RUN rustup target add $CARGO_BUILD_TARGET && cargo build --release\n"
            "FROM debian\n"
            "COPY --from=build /target/x86_64-unknown-linux-gnu/release/app /app\n",
            "FROM rust:1.80 AS build\n"
            "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "ENV CARGO_BUILD_TARGET=${TARGET_ARCH}-unknown-linux-gnu\n"
            "RUN rustup target add $CARGO_BUILD_TARGET && cargo build --release\n"
            "FROM debian\n"
            "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "COPY --from=build /target/${TARGET_ARCH}-unknown-linux-gnu/release/app /app\n",
            "In ENV, and COPY relies on it",
            applicability="unsafe",
        ),
        Example(
            "FROM rust:1.80\n"
            "ENV CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu\n"
            "RUN cargo build --release\nWORKDIR /target/x86_64-unknown-linux-gnu/release\n",
            "FROM rust:1.80\n"
            "ENV CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu\n"
            "RUN cargo build --release\nWORKDIR /target/x86_64-unknown-linux-gnu/release\n",
            "In ENV, and another instruction relies on it",
        ),
        Example(
            "FROM rust:1.80\nRUN rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl\n"
        ),
        Example("FROM rust:1.80\nRUN rustup target add aarch64-unknown-linux-gnu\n", title="Only installed"),
        Example(
            "FROM rust:1.80\nARG TARGETARCH\nRUN rustup target add aarch64-unknown-linux-gnu\n"
            'RUN case "$TARGETARCH" in arm64) cargo build --target aarch64-unknown-linux-gnu ;; amd64) cargo build ;; esac\n',
            title="Built for in a branch alone",
        ),
        Example("FROM rust:1.80\nRUN cargo build --target wasm32-unknown-unknown\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command or variable that names the triple."""
        fixes: dict[str, Fix | None] = {}  # each mends all of the file
        told = _told_by_variable(facts)
        for stage in facts.stages:
            if not stage.reached or stage.why_fine is not None:
                continue
            places = [*told.get(stage, ()), *_places(facts, stage)]
            triples = {triple for triple, *_ in places}
            arches = {_ARCHES[triple.partition("-")[0]] for triple in triples}
            wrong = [target for target in facts.targets if target.arch not in arches]
            if len(triples) != 1 or not wrong or facts.named_arch in arches:
                continue
            open_places = [
                (span, command)
                for _, span, instruction, command in places
                if why_fine(facts, instruction, span, command) is None
            ]
            triple = triples.pop()
            rustup = all(command and command.shell.name == "rustup" for _, command in open_places)
            if rustup and not _is_noted(stage, triple):
                continue  # another target is installed, and nothing builds for it on every platform
            if triple not in fixes:
                fixes[triple] = _fix(document, facts, triple)
            fix = fixes[triple] if _makes_any(stage) else None
            for span, _ in open_places:
                yield self.finding(
                    span,
                    f"Rust compiles for `{triple}` whatever is asked for: {wrong[0]} gets a foreign program, or the build "
                    "ends in a linker's error. Choose the triple by architecture.",
                    fix,
                )


_Place = tuple[str, Span, Instruction, Command | None]


def _told_by_variable(facts: Facts) -> dict[StageFacts | None, list[_Place]]:
    """Where the stages (None: an ARG above the first) tell cargo of a triple by its variable."""
    found: dict[StageFacts | None, list[_Place]] = {}
    for place in assigned(facts, "CARGO_BUILD_TARGET"):
        if match := re.fullmatch(_TRIPLE, place.value or ""):
            found.setdefault(place.stage, []).append((match[0], place.span, place.instruction, place.command))
    return found


def _places(facts: Facts, stage: StageFacts) -> Iterator[_Place]:
    """Where commands of a stage name a triple."""
    for command in stage.commands_with("unknown-linux", later=True):
        if command.shell.name in _TOOLS:
            for word in command.shell.arguments:
                match = re.fullmatch(_TRIPLE, (word.literal or "").rpartition("=")[2])
                span = word.find(match[0]) if match else None
                if match and span is not None:
                    yield match[0], span, command.run, command
                elif word.literal is None and (held := _held(facts, command, word)) is not None:
                    yield *held, command.run, command


def _held(facts: Facts, command: Command, word: ShellWord) -> tuple[str, Span] | None:
    """The triple that a variable of the script gives to a word on every platform, and where it is written out."""
    pieces = trace(facts, command, word, AMD64)
    text = text_of(pieces)
    match = re.search(rf"(?:^|=){_TRIPLE}$", text)
    found = piece_at(pieces, match.start(1), len(text)) if match else None
    if match is None or found is None or found[1] is None or found[0].assign is None:
        return None
    if any(text_of(trace(facts, command, word, target)) != text for target in facts.targets):
        return None
    start, triple = found[1].start, text[match.start(1) :]
    return triple, Span(start, start + len(triple))


def _is_noted(stage: StageFacts, triple: str) -> bool:
    """Whether a script writes the triple into a file, from which others read it."""
    return any(
        command.shell.name in ("echo", "printf")
        and any(redirect.operator.startswith(">") for redirect in command.shell.redirects)
        and any(word.literal == triple for word in command.shell.arguments)
        for command in stage.commands_with(triple)
    )


def _fix(document: Document, facts: Facts, triple: str) -> Fix | None:
    """The triple's first word, chosen by architecture in every RUN that names it."""
    if not triple.startswith("x86_64"):
        return None
    told = _told(document, facts, triple)
    if told is not None:
        return Fix("Choose the triple by architecture", (*_twins(facts, triple), *told), Applicability.UNSAFE)
    edits: list[Edit] = list(_twins(facts, triple))
    count = 0
    for run in (run for one in facts.stages if one.reached and _makes_any(one) for run in one.runs):
        spans = list(_spans(facts, run, triple))
        if not spans:
            continue
        words = {arch: word for arch in ("amd64", "arm64") if (word := Convention.UNAME.spell(arch))}
        case = arch_case(document, facts, run, words, [span for _, span in spans])
        if case is None:
            return None
        for holder, span in spans:
            edit = substitute(holder, Span(span.start, span.start + len("x86_64")), case[1])
            if edit is None:
                return None
            edits.append(edit)
        edits += case[0]
        count += len(spans)
    if count != document.source.count(encode(triple)) - _fetched(facts, triple):
        return None  # another instruction names it too
    return Fix("Choose the triple by architecture", tuple(edits), Applicability.UNSAFE)


def _makes_any(stage: StageFacts) -> bool:
    """Whether a stage can compile for the target: it runs on it, or Zig links for any (cargo-zigbuild's README)."""
    if stage.kind is PlatformKind.TARGET:
        return True
    built = [
        command.shell
        for command in stage.commands_with("unknown-linux")
        if command.shell.name.startswith("cargo") or command.shell.name in ("cross", "rustc")
    ]
    return stage.kind is PlatformKind.BUILD and bool(built) and all(one.has("zigbuild") for one in built)


def _fetched(facts: Facts, triple: str) -> int:
    """How often a triple stands in what ADD fetches, which has a rule of its own."""
    added = (one for one in facts.downloads if isinstance(one.instruction, Copy))
    return sum(one.word.span.of(facts.document.source).count(encode(triple)) for one in added)


def _told(document: Document, facts: Facts, triple: str) -> tuple[Edit, ...] | None:
    """The same where ENV or ARG tells cargo of the triple, in it and in each COPY from the triple's folder; None where
    it is told otherwise, or something else names the triple."""
    places = list(written(facts, triple))
    if not any(place.name == "CARGO_BUILD_TARGET" and place.command is None for place in places):
        return None
    edits: list[Edit] = []
    count = 0
    for place in places:
        if place.name != "CARGO_BUILD_TARGET" and place.instruction.keyword != "COPY":
            return None
        found = list(place.places(triple))
        made = respelled_value(document, facts, place, triple) or respelled_copy(
            document, facts, place, triple
        )
        if not found or not made:
            return None
        edits += made
        count += len(found)
    edits = list(dict.fromkeys(edits))
    return tuple(edits) if count == document.source.count(encode(triple)) and agree(edits) else None


def _twins(facts: Facts, triple: str) -> Iterator[Edit]:
    """What an ENV tells cargo of a triple (`CARGO_TARGET_X86_64_..._LINKER`, `CC_x86_64_...`), for the other one too."""
    own = triple.replace("-", "_")
    source = decode(facts.document.source)
    for step in (step for stage in facts.stages for step in stage.body if isinstance(step, Env)):
        for declaration in step.declarations:
            name, value = declaration.name.value, declaration.value
            known = next((form for form in (own, own.upper()) if form in name), None)
            if known is None or value is None or arch_words(value.value):
                continue
            twin = name.replace(known, known.replace("x86_64", "aarch64").replace("X86_64", "AARCH64"))
            written = decode(declaration.span.of(facts.document.source))
            if twin not in source and written.startswith(f"{name}="):
                yield Edit.insert(declaration.span.end, f" {twin}{written.removeprefix(name)}")


def _spans(facts: Facts, run: Run, triple: str) -> Iterator[tuple[ShellWord, Span]]:
    script = facts.shell(run)
    words = [word for command in script.commands for word in command.words if command.script is None]
    words += [assign.value for assign in script.assigns if assign.value is not None]
    for word in words:
        span = word.find(triple)
        while span is not None:
            yield word, span
            span = word.find(triple, span.end)
