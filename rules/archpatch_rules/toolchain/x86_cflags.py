"""AP605."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind
from archpatch.facts.flags import X86_ONLY, BuildFlag, build_flags
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import ARM64
from archpatch.rewrite import arch_case, delete_option, put
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import Quote, ShellWord
from archpatch.syntax.tree import Document, Instruction, Run
from archpatch.text import Applicability, Edit, Fix, Span, decode

# What gcc and clang take on amd64 when they are told nothing, unless a distributor built them otherwise (RHEL 9: v2).
_DEFAULTS = frozenset({"-m64", "-march=x86-64"})
# FFTW's configure.ac asks gcc for the option of each name, and stops where gcc does not know it.
_SWITCHES = r"--enable-(?:sse2?|avx(?:2|512|-128-fma)?)"


class X86Cflags(Rule):
    """A compiler is told to use an x86 CPU's instructions: `-msse4.2`, `-mavx2`, `-m64`, `-march=haswell`.

    On arm64 no compiler knows these: gcc ends in `unrecognized command-line option` or `unknown value for -march`,
    so the build for linux/arm64 fails, or a configure script quietly decides that the compiler does not work. FFTW's
    `--enable-avx` and its like ask for them too.

    It is fine in a branch for amd64, in a stage that is amd64 on purpose, and for a cross compiler.

    `-m64` and `-march=x86-64` say what a compiler does on amd64 anyway: the fix takes them away. Other options are moved,
    in a RUN, into a `case` that is empty on arm64. Both are unsafe: the program may need what the options stand for. In
    ENV and ARG there is no fix for these: set them in the RUN that compiles, for amd64 alone.
    """

    code, name, severity = "AP605", "x86-cflags", Severity.WARNING
    hints = (
        *("-m64", "-msse", "-mssse", "-mavx", "-mfma", "-mf16c", "-maes", "-mpclmul", "-mpopcnt", "-mbmi"),
        *("-mfpmath", "-mno-red-zone", "-mcmodel", "-fcf-protection", "-march=", "-mtune="),
        *("--enable-sse", "--enable-avx"),
    )
    errors = ("unrecognized command-line option", "unknown value", "C compiler cannot create executables")
    examples = (
        Example(
            "FROM debian\nRUN CFLAGS='-O2 -m64 -pipe' ./configure && make\n",
            "FROM debian\nRUN CFLAGS='-O2 -pipe' ./configure && make\n",
            "The default on amd64",
            applicability="unsafe",
        ),
        Example(
            'FROM debian\nRUN ./configure CFLAGS="-O2 -msse4.2 -mavx2" && make\n',
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _flags='-msse4.2 -mavx2' ;; \\\n"
            "      arm64|aarch64) _flags= ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            '    esac && \\\n    ./configure CFLAGS="-O2 ${_flags}" && make\n',
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN gcc -mavx2 -mfma -o x x.c\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _flags='-mavx2 -mfma' ;; \\\n"
            "      arm64|aarch64) _flags= ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    gcc ${_flags} -o x x.c\n",
            applicability="unsafe",
        ),
        Example(
            'FROM debian\nENV CFLAGS="-O3 -march=x86-64" CXXFLAGS="-march=x86-64 -O3"\nRUN make\n',
            'FROM debian\nENV CFLAGS="-O3" CXXFLAGS="-O3"\nRUN make\n',
            "The oldest CPU, in ENV",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV CFLAGS='-O3 -march=sandybridge'\nRUN make\n",
            "FROM debian\nENV CFLAGS='-O3 -march=sandybridge'\nRUN make\n",
            "In ENV",
        ),
        Example(
            "FROM debian\nRUN cd fftw-3.3.10 && ./configure --enable-float --enable-sse2 --enable-avx2 && make\n",
            "FROM debian\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _flags='--enable-sse2 --enable-avx2' ;; \\\n"
            "      arm64|aarch64) _flags= ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    cd fftw-3.3.10 && ./configure --enable-float ${_flags} && make\n",
            "FFTW's switches",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN cd ffmpeg && ./configure --enable-avx2 && make\n", title="Passed over on arm64"
        ),
        Example(
            "FROM debian\nRUN cd fftw-3.3.10 && ./configure && make && cd ../x264 && ./configure --enable-avx2\n",
            title="After FFTW, something else",
        ),
        Example('FROM debian\nRUN [ "$(uname -m)" = x86_64 ] && CFLAGS=-mavx2 make || make\n'),
        Example("FROM debian\nRUN i686-w64-mingw32-gcc -m64 -c x.c && install -m644 x.h /usr/include\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each run of such options that stand beside each other."""
        if all(target.arch != ARM64.arch for target in facts.targets):
            return
        flags = [flag for flag in build_flags(facts, f"{X86_ONLY}|{_SWITCHES}") if not _is_fine(facts, flag)]
        for group in _groups(document, flags):
            above = next(flag.instruction for flag in flags if flag.stage is group[0].stage)
            span = group[0].span.cover(group[-1].span)
            text = decode(span.of(document.source))
            yield self.finding(
                span,
                f"`{text}` is for x86 alone: on linux/arm64 "
                + (
                    "configure stops (`Need a version of gcc with -mavx`)"
                    if text.startswith("--enable-")
                    else "the compiler does not know it and the build fails (`unrecognized command-line option`)"
                )
                + ". Say it for amd64 only.",
                _fix(document, facts, group, span, text, above),
            )


def _is_fine(facts: Facts, flag: BuildFlag) -> bool:
    if not flag.stage.reached or flag.stage.kind is not PlatformKind.TARGET or facts.named_arch:
        return True
    if flag.text.startswith("--enable-") and not _of_fftw(facts, flag):
        return True
    return why_fine(facts, flag.instruction, flag.span, flag.command) is not None


def _of_fftw(facts: Facts, flag: BuildFlag) -> bool:
    """Whether a switch is one of FFTW's configure: others pass over what the machine has not."""
    if flag.command is None or flag.command.shell.name != "configure":
        return False
    before = facts.lowered[flag.instruction.span.start : flag.command.shell.span.end]
    return b"fftw" in before[max(before.rfind(b"cd "), 0) :]


def _groups(document: Document, flags: list[BuildFlag]) -> Iterator[list[BuildFlag]]:
    """Options with nothing but a blank between them, in one word or each a word of one command."""
    group: list[BuildFlag] = []
    for flag in flags:
        if group and not _beside(document, group[-1], flag):
            yield group
            group = []
        group.append(flag)
    if group:
        yield group


def _beside(document: Document, one: BuildFlag, other: BuildFlag) -> bool:
    between = document.source[one.span.end : other.span.start]
    if not between or between.strip(b" "):
        return False
    return one.word is other.word or (_is_word(one) and _is_word(other) and one.command == other.command)


def _is_word(flag: BuildFlag) -> bool:
    return isinstance(flag.word, ShellWord) and flag.word.span == flag.span


def _fix(
    document: Document, facts: Facts, group: list[BuildFlag], span: Span, text: str, above: Instruction
) -> Fix | None:
    first = group[0]
    if text in _DEFAULTS:
        if first.instruction.json or (first.word.span == span and not isinstance(first.word, ShellWord)):
            return None
        title = "Leave the default of amd64 unsaid"
        return Fix(title, (delete_option(document, span),), Applicability.UNSAFE)
    run = first.instruction
    if not isinstance(run, Run) or not isinstance(first.word, ShellWord):
        return None
    single = any(part.quote is Quote.SINGLE and span in part.span for part in first.word.parts)
    value = f"'{text}'" if " " in text else text
    words = {"arm64": "", **{target.arch: "" for target in facts.targets}, "amd64": value}
    case = None if single else arch_case(document, facts, run, words, (span,), "_flags", above=above)
    edit = (
        Edit.replace(span, case[1])
        if case and _is_word(first)
        else put(first.word, span, case[1])
        if case
        else None
    )
    if case is None or edit is None:
        return None
    return Fix("Say it for amd64 only", (*case[0], edit), Applicability.UNSAFE)
