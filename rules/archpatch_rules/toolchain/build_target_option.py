"""AP613."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from archpatch.facts import Command, Facts, PlatformKind
from archpatch.facts.assigned import Assigned, assigned
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import only_asked_for
from archpatch.platforms import AMD64
from archpatch.rewrite import arch_case_in, put
from archpatch.rewrite.paths import declare_spelling
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellWord
from archpatch.syntax.tree import Document, Instruction, Run, Word
from archpatch.text import Applicability, Edit, Fix, Span, encode


class _Option(Struct, frozen=True):
    """How tools are told an architecture. `pattern`: of the word, or of `OPTION=VALUE` where it is two; its group is the
    word for amd64. `arm64`: the word for arm64; empty where the rest of the build hangs on it too."""

    tools: frozenset[str]
    pattern: str
    arm64: str = ""


def _of(tools: str, pattern: str, arm64: str = "") -> _Option:
    return _Option(frozenset(tools.split()), pattern, arm64)


_OPTIONS = (
    _of("zig", r"--?D?target=(x86_64)-linux\S*", "aarch64"),
    _of("zig", r"-(?:Dcpu|mcpu)=(x86_64\w*)", "baseline"),
    _of("vcpkg", r"(?:--triplet=|[\w-]+(?:\[\S*\])?:)(x64)-linux(?:-\w+)*", "arm64"),
    _of("cmake", r"-DVCPKG_(?:TARGET|HOST)_TRIPLET(?::\w+)?=(x64)-linux(?:-\w+)*", "arm64"),
    _of("swift", r"--triple=(x86_64)-unknown-linux-gnu|--arch=(x86_64)", "aarch64"),
    _of("crystal shards", r"--target=(x86_64)-linux-(?:gnu|musl)", "aarch64"),
    _of("dart", r"--target-arch=(x64)", "arm64"),
    _of("flutter", r"--target-platform=linux-(x64)", "arm64"),
    _of("nix nix-build nix-shell nix-env", r"(?:\S*[#.=])?(x86_64)-linux(?:\.\S*)?", "aarch64"),
    _of("uv", r"(?:\S*=)?cpython-[\w.]+-linux-(x86_64)-\w+", "aarch64"),
    _of("uv", r"--python-platform=(x86_64)-\S+", "aarch64"),
    _of("python python3 auditwheel", r"--plat(?:-name)?=(?:many|musl)linux\w*?_(x86_64)", "aarch64"),
    _of("rpmbuild", r"--target=(x86_64)(?:-linux)?", "aarch64"),
    _of("gn", r"""(?:--args=)?.*\btarget_cpu ?= ?["'](x64)["'].*"""),
    _of("electron-builder", r"--(x64)"),
    _of("electron-forge", r"--arch=(x64)"),
    _of("dotnet msbuild", r"[-/]{1,2}p(?:roperty)?:Platform(?:Target)?=(x64)"),
    _of("scons", r"arch=(x86_64)", "arm64"),  # Godot's word
    _of("scons", r"(?:\w+_)?ARCH=(x86_64)"),
    _of("spack", r"(?:\S*\s)*(?:target=|arch=\S*-)(x86_64(?:_v\d)?)(?:\s.*)?"),
    _of("gradle gradlew", r"-[PD]\w*(?i:arch)\w*=(amd64|x86_64|x64)|\S*([lL]inuxX64)(?:[A-Z]\w*)?"),
    _of("sdkmanager avdmanager", r"(?:\S+=)?system-images;\S+;(x86(?:_64)?)"),
)
_TOOLS = frozenset(tool for option in _OPTIONS for tool in option.tools)
# What makes programs for another machine than the one it runs on; of the others a build-platform stage uses the result.
_CROSS = frozenset({"zig", "dart", "swift", "crystal", "shards"})
_RUNNERS = frozenset({"npx", "bunx", "pnpx", "npm", "yarn", "pnpm", "bun"})
_TRIPLETS = ("VCPKG_DEFAULT_TRIPLET", "VCPKG_TARGET_TRIPLET", "VCPKG_DEFAULT_HOST_TRIPLET")
_TRIPLET = r"(x64)-linux(?:-\w+)*"


class BuildTargetOption(Rule):
    """A build tool is told to build for amd64: `zig build -Dtarget=x86_64-linux-musl`, `vcpkg --triplet x64-linux`.

    The image for linux/arm64 gets a program for amd64, which ends in `exec format error`, or the build fails there:
    libraries of one architecture do not link with objects of the other. Known are options of zig, vcpkg (and its
    variables), wheels' platform tags, rpmbuild, gn, swift, crystal, dart, flutter, nix, uv, electron-builder, MSBuild's PlatformTarget,
    scons (`arch=x86_64`), spack, Gradle's properties and Kotlin's `linuxX64` tasks, and the images of Android's emulator.

    It is fine where the file names the target for arm64 too, and in a branch that asks for the architecture.

    The fix chooses the word by architecture. It is unsafe: what others look for in the result may be named for the
    target, and vcpkg wants VCPKG_FORCE_SYSTEM_BINARIES on arm64. There is none where a folder of that name is used in
    the file, or the names of what comes out change with the option (electron-builder makes `linux-arm64-unpacked`).
    """

    code, name, severity = "AP613", "build-target-option", Severity.WARNING
    hints = (
        *("target=x86_64", "target x86_64", "cpu=x86_64", "x64-linux", "--triple", "--arch"),
        *("--target-arch", "linux-x64", "x86_64-linux", "-linux-x86_64-", "--python-platform", "--x64"),
        *("arch=x86_64", "arch=amd64", "arch=x64", "arch=linux-", "linuxx64"),
        *(":platform=x64", ":platformtarget=x64", "system-images;", "--plat", "target_cpu"),
    )
    errors = ("exec format error", "file in wrong format", "is incompatible with elf64-littleaarch64")
    examples = (
        Example(
            "FROM debian\nRUN zig build -Dtarget=x86_64-linux-musl -Doptimize=ReleaseSafe\n",
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=aarch64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    zig build -Dtarget=${_arch}-linux-musl -Doptimize=ReleaseSafe\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN vcpkg install --triplet x64-linux zlib\n",
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    vcpkg install --triplet ${_arch}-linux zlib\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV VCPKG_DEFAULT_TRIPLET=x64-linux\nRUN vcpkg install zlib\n",
            "FROM debian\nARG TARGETARCH\nENV VCPKG_DEFAULT_TRIPLET=${TARGETARCH/amd64/x64}-linux\nRUN vcpkg install zlib\n",
            "A variable of vcpkg",
            applicability="unsafe",
        ),
        Example(
            "FROM node:20\nRUN yarn electron-builder --linux --x64 --dir\n",
            "FROM node:20\nRUN yarn electron-builder --linux --x64 --dir\n",
            "What comes out has another name",
        ),
        Example(
            "FROM debian\nRUN scons TARGET_ARCH=x86_64 install-core\n",
            "FROM debian\nRUN scons TARGET_ARCH=x86_64 install-core\n",
        ),
        Example(
            "FROM debian\nRUN scons platform=linuxbsd target=editor arch=x86_64\n",
            "FROM debian\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    scons platform=linuxbsd target=editor arch=${_arch}\n",
            "Godot's word",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN scons platform=linux arch=x86_64 && scons platform=linux arch=x86_32\n",
            title="Libraries for several machines",
        ),
        Example(
            "FROM gradle:8\nRUN ./gradlew :cli:linkReleaseExecutableLinuxX64\n",
            "FROM gradle:8\nRUN ./gradlew :cli:linkReleaseExecutableLinuxX64\n",
            "A task of Kotlin's",
        ),
        Example(
            "FROM spack/ubuntu-jammy\nRUN spack install hpcc target=x86_64_v3\n",
            "FROM spack/ubuntu-jammy\nRUN spack install hpcc target=x86_64_v3\n",
        ),
        Example("FROM node:20\nRUN npx electron-builder --linux --x64 --arm64\n", title="Both"),
        Example("FROM node:20\nRUN npx electron-builder --win --x64\n", title="Another system"),
        Example("FROM debian\nRUN zig build -Dtarget=x86_64-linux && zig build -Dtarget=aarch64-linux\n"),
        Example(
            "FROM --platform=linux/amd64 debian\nRUN zig build -Dtarget=x86_64-linux-musl\n",
            title="The platform is fixed",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Every option and every variable of vcpkg that names amd64."""
        if facts.named_arch or only_asked_for(facts, AMD64.arch):
            return
        for command in facts.commands_with(*self.hints):
            tool = _tool(command)
            for word, option, place in _named(command, tool) if tool else ():
                if _is_open(facts, command.run, word.span, command, tool) and not _has_both(
                    document, option, word
                ):
                    fix = _in_run(document, facts, command, word, place, option.arm64)
                    yield self._of(document, word.span, tool, fix)
        for held in assigned(facts, *_TRIPLETS):
            match = re.fullmatch(_TRIPLET, held.value or "")
            at = held.word.find("x64") if match else None
            if at is not None and _is_open(facts, held.instruction, held.span, held.command, "vcpkg"):
                yield self._of(document, held.span, "vcpkg", _in_variable(document, facts, held, at))

    def _of(self, document: Document, span: Span, tool: str, fix: Fix | None) -> Finding:
        text = span.of(document.source).decode(errors="replace")
        return self.finding(
            span,
            f"`{text}` asks {tool} for amd64 whatever is built: on linux/arm64 it fails, or makes what does not run there.",
            fix,
        )


def _tool(command: Command) -> str:
    """The tool that a command runs, also through npx and its like; empty for another one."""
    shell = command.shell
    names = [shell.name]
    if shell.name in _RUNNERS:
        names += [(word.literal or "").rpartition("/")[2].partition("@")[0] for word in shell.arguments[:3]]
    return next((name for name in names if name in _TOOLS), "")


def _named(command: Command, tool: str) -> Iterator[tuple[ShellWord, _Option, Span | None]]:
    """The words that name amd64, and where."""
    before = ""
    if tool.startswith("electron") and command.shell.has(
        "--win", "-w", "--mac", "-m", "--windows", "--macos"
    ):
        return
    for word in command.shell.arguments:
        text = word.literal or ""
        for option in _OPTIONS:
            if tool not in option.tools:
                continue
            match = re.fullmatch(option.pattern, text)
            if not match and before.startswith("-") and "=" not in before:
                match = re.fullmatch(option.pattern, f"{before}={text}")
            if match:
                yield word, option, word.find(match[match.lastindex or 0])
                break
        before = text


def _has_both(document: Document, option: _Option, word: ShellWord) -> bool:
    """Whether the file names the same for arm64 somewhere; for scons, which also says `x86_32` so, for any other."""
    if "scons" in option.tools:
        name = encode((word.literal or "").partition("=")[0])
        values = set(re.findall(rb"\b" + re.escape(name) + rb"=(\w+)", document.source))
        return len(values) > 1
    other = re.sub("x86_64|[xX]64", option.arm64 or "arm64", word.literal or "")
    return encode(other) in document.source


def _is_open(facts: Facts, instruction: Instruction, span: Span, command: Command | None, tool: str) -> bool:
    stage = facts.stage_of(instruction)
    kinds = (PlatformKind.TARGET, PlatformKind.BUILD) if tool in _CROSS else (PlatformKind.TARGET,)
    if stage is None or not stage.reached or stage.kind not in kinds:
        return False
    android = b"system-images;" in span.of(facts.document.source)  # for a machine that runs in the image
    if command is not None and (android or command.shell.name.startswith("python")):
        return command.shell.only_on is None and stage.why_fine is None
    return why_fine(facts, instruction, span, command) is None


def _in_run(
    document: Document, facts: Facts, command: Command, word: ShellWord | Word, place: Span | None, arm64: str
) -> Fix | None:
    if not arm64 or place is None or _is_folder(document, place):
        return None
    words = {"amd64": place.of(document.source).decode(), "arm64": arm64}
    edits = arch_case_in(document, facts, command.run, word, place, words)
    return _fix(edits) if edits else None


def _is_folder(document: Document, place: Span) -> bool:
    """Whether a folder that the tool names for the target is used too (`.build/x86_64-unknown-linux-gnu/release`), or
    there is no such target for arm64 for sure."""
    line = document.source[place.start : document.line_end(place.start)]
    found = re.match(rb"\w+-(?:\w+-)?linux(?:-\w+)?", line)
    return found is not None and (found[0] + b"/" in document.source or found[0] == b"x64-linux-dynamic")


def _in_variable(document: Document, facts: Facts, held: Assigned, place: Span) -> Fix | None:
    if held.command is not None and isinstance(held.instruction, Run):
        return _in_run(document, facts, held.command, held.word, place, "arm64")
    if held.stage is None or held.stage.kind is not PlatformKind.TARGET or _is_folder(document, place):
        return None
    spelled = declare_spelling(document, facts, held.instruction, "x64", "arm64")
    edit = put(held.word, place, spelled[1]) if spelled else None
    return _fix((*spelled[0], edit)) if spelled and edit else None


def _fix(edits: tuple[Edit, ...]) -> Fix:
    return Fix("Build for the architecture that is asked for", edits, Applicability.UNSAFE)
