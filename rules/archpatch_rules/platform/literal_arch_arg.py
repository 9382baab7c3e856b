"""AP114."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import (
    AUTOMATIC,
    Download,
    Facts,
    PlatformKind,
    Written,
    source_of,
    written,
)
from archpatch.facts.arch_values import arch_value
from archpatch.facts.scripts import script_reading
from archpatch.facts.targets import only_asked_for
from archpatch.platforms import AMD64, ARM64, ArchWord
from archpatch.rewrite import declare_arg, substitute, substitute_word
from archpatch.rewrite.paths import declare_spelling, replaces_words
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Arg, Copy, Declaration, Document, Env, Word
from archpatch.text import Applicability, Edit, Fix, agree
from archpatch_rules.platform.arg_uses import is_used, uses_by_name


class LiteralArchArg(Rule):
    """An ARG or ENV of your own holds one architecture: `ARG ARCH=amd64`.

    What it flows into (a URL, a path, a compiler's target) is for that architecture on every platform: `docker buildx
    build --platform linux/arm64` fills in TARGETARCH and nothing else. The arm64 image gets amd64 files, silently
    unless they are run.

    A script of the build context that a RUN runs has it in its environment, and counts where it reads it.

    It is fine where nothing uses it, and in a stage that is one of a per-arch family or pinned on purpose. An argument
    without a default is whoever builds' matter.

    The fix lets it follow TARGETARCH; `--build-arg ARCH=` still wins. An amd64 build stays the same. It is safe where
    the spelling is Docker's and every download that uses it is known to be spelled so for arm64; else unsafe, for one
    publisher in six writes x86_64 and arm64. `x86_64` is respelled by `${NAME/from/to}`, which a frontend of 2023-11
    or newer (1.7) knows.
    """

    code, name, severity = "AP114", "literal-arch-arg", Severity.WARNING
    hints = ("amd64", "x86_64", "x86-64", "x64", "arm64", "aarch64")
    errors = ("exec format error", "404")
    examples = (
        Example(
            "FROM golang:1.23\nENV TARGETARCH=amd64\nRUN make ARCH=$TARGETARCH\n",
            "FROM golang:1.23\nARG TARGETARCH\nENV TARGETARCH=${TARGETARCH}\nRUN make ARCH=$TARGETARCH\n",
            "ENV wins over BuildKit's own value",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nARG ARCH=amd64\nRUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/${ARCH}/kubectl\n",
            "FROM debian\nARG TARGETARCH\nARG ARCH=${TARGETARCH}\n"
            "RUN curl -fsSLO https://dl.k8s.io/release/v1.30.0/bin/linux/${ARCH}/kubectl\n",
            "In a stage",
            applicability="safe",
        ),
        Example(
            "ARG ARCH=amd64\nFROM example.com/base-${ARCH}\nRUN true\n",
            "ARG ARCH=${TARGETARCH}\nFROM example.com/base-${ARCH}\nRUN true\n",
            "Before the first FROM",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV TOOL_ARCH linux-amd64\nRUN wget https://example.com/tool-${TOOL_ARCH}.tgz\n",
            "FROM debian\nARG TARGETARCH\nENV TOOL_ARCH linux-${TARGETARCH}\n"
            "RUN wget https://example.com/tool-${TOOL_ARCH}.tgz\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nARG ARCH=x86_64\nRUN wget https://example.com/tool-${ARCH}.tgz\n",
            "FROM debian\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "ARG ARCH=${TARGET_ARCH}\nRUN wget https://example.com/tool-${ARCH}.tgz\n",
            "The kernel's spelling",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nARG ARCH=x86_64\nARG TRIPLE=x86_64-linux-gnu\nRUN wget https://example.com/$ARCH/tool-$TRIPLE.tgz\n",
            "FROM debian\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "ARG ARCH=${TARGET_ARCH}\nARG TRIPLE=${TARGET_ARCH}-linux-gnu\n"
            "RUN wget https://example.com/$ARCH/tool-$TRIPLE.tgz\n",
            "Two of them",
            applicability="unsafe",
        ),
        Example(
            "FROM rust AS build\nARG T=x86_64-unknown-linux-musl\nRUN cargo build --release --target $T\n"
            "FROM scratch\nCOPY --from=build /target/x86_64-unknown-linux-musl/release/app /app\n",
            "FROM rust AS build\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "ARG T=${TARGET_ARCH}-unknown-linux-musl\nRUN cargo build --release --target $T\n"
            "FROM scratch\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "COPY --from=build /target/${TARGET_ARCH}-unknown-linux-musl/release/app /app\n",
            "A folder that is called as the value is",
            applicability="unsafe",
        ),
        Example(
            "ARG ARCH=amd64\nFROM ${ARCH}/debian\nRUN true\n",
            "ARG ARCH=amd64\nFROM ${ARCH}/debian\nRUN true\n",
            "An organisation of Docker's, which is arm64v8 for arm64",
        ),
        Example(
            "ARG ARCH=x86_64\nFROM example.com/tool:1.2-${ARCH}\nRUN true\n",
            "ARG ARCH=x86_64\nFROM example.com/tool:1.2-${ARCH}\nRUN true\n",
            "A tag, of which nobody knows how arm64's is called",
        ),
        Example(
            "FROM debian\nENV ARCH=amd64\n"
            "RUN wget https://releases.hashicorp.com/terraform/0.11.7/terraform_0.11.7_linux_$ARCH.zip\n",
            "FROM debian\nENV ARCH=amd64\n"
            "RUN wget https://releases.hashicorp.com/terraform/0.11.7/terraform_0.11.7_linux_$ARCH.zip\n",
            "What uses it is not there for arm64",
        ),
        Example(
            "FROM debian\nENV PLATFORM amd64\nCOPY install.sh /\nRUN /install.sh\n",
            "FROM debian\nARG TARGETARCH\nENV PLATFORM ${TARGETARCH}\nCOPY install.sh /\nRUN /install.sh\n",
            "A script of the build context reads it",
            files={"install.sh": 'wget "https://example.com/tool-$PLATFORM.tgz"\n'},
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV PLATFORM amd64\nCOPY install.sh /\nRUN /install.sh\n",
            files={"install.sh": 'PLATFORM=$(uname -m)\nwget "https://example.com/tool-$PLATFORM.tgz"\n'},
            title="A script that sets its own",
        ),
        Example("FROM debian\nARG ARCH=amd64\nRUN true\n", title="Nobody uses it"),
        Example(
            "ARG HOST=linux/amd64\nFROM --platform=$HOST rust-cross:x86 AS build-amd64\nRUN make\n"
            "FROM --platform=$HOST rust-cross:arm AS build-arm64\nRUN make\nFROM build-${TARGETARCH} AS build\n"
            "FROM debian\nCOPY --from=build /app /app\n",
            title="A stage for each architecture, all compiled on one",
        ),
        Example(
            "FROM debian\nARG ARCH=x86_64\nRUN ./configure --target=${ARCH}-elf && make\n",
            title="What a compiler compiles for",
        ),
        Example("FROM debian\nARG ARCH\nRUN wget https://example.com/tool-${ARCH}.tgz\n", title="No default"),
        Example("FROM debian\nARG TARGETARCH\nARG ARCH=${TARGETARCH:-amd64}\nRUN echo $ARCH > /arch\n"),
        Example(
            "ARG DEFAULT=linux/amd64\n"
            "FROM --platform=${BUILDPLATFORM:-${DEFAULT:-linux/amd64}} golang:1.23 AS build\nARG TARGETARCH\n"
            "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .\nFROM debian\nCOPY --from=build /app /app\n",
            title="For builders that set no automatic arguments",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Declarations whose value is an architecture and that something uses."""
        if only_asked_for(facts, AMD64.arch):
            return
        found = list(_candidates(document, facts))
        uses = uses_by_name(facts, {declaration.name.value for _, declaration, _ in found})
        for instruction, declaration, word in found:
            used = is_used(facts, instruction, declaration, uses.get(declaration.name.value, []))
            script = None if used else script_reading(facts, instruction, declaration)
            if used or script:
                yield self._found(document, facts, instruction, declaration, word, script)

    def _found(
        self,
        document: Document,
        facts: Facts,
        instruction: Arg | Env,
        declaration: Declaration,
        word: ArchWord,
        script: str | None,
    ) -> Finding:
        name = declaration.name.value
        gone = next((one for one in facts.downloads_of.get(declaration.span, ()) if _unpublished(one)), None)
        also = (
            f" For arm64 there is no {gone.match.asset.tool} of this version." if gone and gone.match else ""
        )
        also += f" {script} of the build context reads it." if script else ""
        return self.finding(
            declaration.span,
            f"{name} is `{declaration.value.value if declaration.value else ''}` on every platform, and so is what it is "
            f"used for: nothing but TARGETARCH follows `docker buildx build --platform`.{also}",
            self._fix(document, facts, instruction, declaration, word),
        )

    def _fix(
        self,
        document: Document,
        facts: Facts,
        instruction: Arg | Env,
        declaration: Declaration,
        word: ArchWord,
    ) -> Fix | None:
        value = declaration.value
        span = value.find(word.text) if value else None
        stage = facts.stage_of(instruction)
        if span is None or word.arch != "amd64" or instruction.onbuild:
            return None
        if stage is not None and stage.kind is not PlatformKind.TARGET:
            return None  # the tool may be for the machine that builds: a person knows
        if stage is None and _names_organisation(facts, declaration):
            return None  # arm64's is called arm64v8
        if stage is None and word.text != "amd64" and _names_image(facts, declaration):
            return None  # whether its publisher says aarch64 or arm64 nobody knows
        spelling = _arm64_spelling(facts, declaration, word)
        edits = declare_arg(document, facts, instruction, "TARGETARCH") if stage is not None else ()
        if spelling is None:
            return None
        if word.text == "amd64" and spelling == "arm64":
            edits = (*edits, Edit.replace(span, "${TARGETARCH}"))
        elif not replaces_words(document):
            return None
        elif spelling == "arm64":
            edits = (*edits, Edit.replace(span, f"${{TARGETARCH/amd64/{word.text}}}"))
        else:
            edits = _two_steps(document, facts, instruction, declaration, word, spelling)
        paths = _paths(document, facts, declaration, word, spelling)
        if not edits or paths is None:
            return None
        edits = (*edits, *paths)
        known = word.text == "amd64" and _all_known(facts, declaration)
        title = f"Let {declaration.name.value} follow TARGETARCH"
        return Fix(title, edits, Applicability.SAFE if known else Applicability.UNSAFE)


def _paths(
    document: Document, facts: Facts, declaration: Declaration, word: ArchWord, spelling: str
) -> tuple[Edit, ...] | None:
    """Edits of the paths with a folder that is called as the value is (`target/x86_64-unknown-linux-musl/release`), for
    it moves with the value; None where one cannot follow."""
    value, name = declaration.value, declaration.name.value
    if value is None or "-" not in value.value:
        return ()
    folder = f"/{value.value}/"
    edits: list[Edit] = []
    for place in written(facts, folder):
        seen = facts.scope(place.instruction).get(name)
        spans = list(place.places(folder))
        if not spans:
            return None
        if isinstance(place.word, Word) and isinstance(place.instruction, Copy):
            copied = _copied(document, facts, declaration, place, word, spelling)
            if copied is None:
                return None
            edits += copied
            continue
        if not isinstance(place.word, ShellWord) or seen is None or seen.declaration is not declaration:
            return None
        made = [substitute(place.word, span, f"/${{{name}}}/") for span in spans]
        edits += [edit for edit in made if edit is not None]
    return tuple(edits) if agree(edits) else None


def _copied(
    document: Document,
    facts: Facts,
    declaration: Declaration,
    place: Written,
    word: ArchWord,
    spelling: str,
) -> tuple[Edit, ...] | None:
    """Edits of a COPY that takes the folder from the stage of the declaration: its own stage spells the word anew."""
    copy, stage = place.instruction, place.stage
    if not isinstance(copy, Copy) or not isinstance(place.word, Word):
        return None
    source = source_of(facts, copy)
    if source is None or stage.kind is not PlatformKind.TARGET or copy.json:
        return None
    held = (one for step in source.chain for one in step.body if isinstance(one, Arg | Env))
    chosen = declare_spelling(document, facts, copy, word.text, spelling)
    if chosen is None or not any(declaration in one.declarations for one in held):
        return None
    edits = [substitute_word(place.word, span, chosen[1]) for span in place.places(word.text)]
    return (*chosen[0], *(edit for edit in edits if edit is not None)) if all(edits) else None


def _candidates(document: Document, facts: Facts) -> Iterator[tuple[Arg | Env, Declaration, ArchWord]]:
    for instruction in document.instructions:
        if not isinstance(instruction, Arg | Env) or instruction.keyword == "LABEL":
            continue
        stage = facts.stage_of(instruction)
        if stage is not None and (not stage.reached or stage.why_fine is not None):
            continue
        for declaration in instruction.declarations:
            if instruction.keyword == "ARG" and declaration.name.value in AUTOMATIC:
                continue  # platform-arg-default
            word = arch_value(declaration)
            if word is not None and word.arch != facts.named_arch:
                yield instruction, declaration, word


def _unpublished(download: Download) -> bool:
    match = download.match
    return match is not None and match.exact and match.published(ARM64.arch) is False


def _arm64_spelling(facts: Facts, declaration: Declaration, word: ArchWord) -> str | None:
    """How arm64 is to be spelled there; None where what uses it disagrees, or is not there for arm64."""
    spellings = {"amd64": "arm64", "x86_64": "aarch64", "x64": "arm64"}
    found = facts.downloads_of.get(declaration.span, ())
    if any(map(_unpublished, found)):
        return None
    told = {
        words[0]
        for download in found
        if download.match and download.match.exact and (words := download.match.asset.spell(ARM64.arch))
    }
    if len(told) > 1:
        return None
    return told.pop() if told else spellings.get(word.text.lower())


def _all_known(facts: Facts, declaration: Declaration) -> bool:
    found = facts.downloads_of.get(declaration.span, ())
    uses = facts.uses(declaration.name.value)
    return (
        bool(found)
        and len(found) >= len(uses)
        and all(
            download.match and download.match.exact and download.match.published(ARM64.arch)
            for download in found
        )
    )


def _names_organisation(facts: Facts, declaration: Declaration) -> bool:
    """Whether a FROM takes the argument for one of Docker's organisations: `${ARCH}/debian`."""
    value = declaration.value.value.strip("\"'") if declaration.value else ""
    refs = (
        stage.image_for(AMD64) for stage in facts.stages if declaration.name.value in stage.head.image.value
    )
    return any(
        ref is not None and ref.repository.startswith(f"{value}/") and ref.registry == "docker.io"
        for ref in refs
    )


def _names_image(facts: Facts, declaration: Declaration) -> bool:
    """Whether a FROM has it, a word and no more, in the name or the tag of an image."""
    if declaration.value is None or "-" in declaration.value.value:
        return False
    return any(declaration.name.value in stage.head.image.value for stage in facts.stages)


def _two_steps(
    document: Document,
    facts: Facts,
    instruction: Arg | Env,
    declaration: Declaration,
    word: ArchWord,
    spelling: str,
) -> tuple[Edit, ...]:
    """An argument TARGET_ARCH that is spelled so, and the value from that.

    It is for all declarations of the stage that are spelled so, above the first of them.
    """
    span = declaration.value.find(word.text) if declaration.value else None
    if span is None:
        return ()
    stage = facts.stage_of(instruction)
    body = document.globals if stage is None else stage.body
    first = next((one for one in body if isinstance(one, Arg | Env) and _spelled(one, word)), instruction)
    user = first if facts.scope(instruction).get("TARGET_ARCH") is None else instruction
    chosen = declare_spelling(document, facts, user, word.text, spelling)
    return () if chosen is None else (*chosen[0], Edit.replace(span, chosen[1]))


def _spelled(instruction: Arg | Env, word: ArchWord) -> bool:
    found = (arch_value(declaration) for declaration in instruction.declarations)
    return any(one is not None and one.text == word.text for one in found) and not instruction.onbuild
