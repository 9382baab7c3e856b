"""AP808."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from archpatch.facts import Command, Facts
from archpatch.facts.written import why_arch_is_fine
from archpatch.platforms import arch_words
from archpatch.rewrite import arch_case, declare_arg, substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.shell import ShellCommand, ShellWord
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, agree, encode, regex
from archpatch_rules.toolchain.stages import for_each_target

_USERS = frozenset({"mv", "cp", "install", "ln", "chmod", "strip", "upx", "setcap"})
# Of these the last operand is a name that the file itself gives.
_LAST_IS_GIVEN = frozenset({"mv", "cp", "install", "ln"})
# These unpack or install what they are given, and start what is packed in a script.
_UNPACKERS = frozenset({"tar", "bsdtar", "unzip", "alien", "sh", "bash"})
_ARCHIVERS = frozenset({"tar", "bsdtar", "unzip"})
_PACKED = regex(r"(?i)\.(?:tar(?:\.\w+)?|tgz|txz|tbz2?|zip|run|bin)$")
_RPM = regex(r"\.rpm$")
_EXTRACTS = regex(r"-?[a-zA-Z]*x[a-zA-Z]*|--(?:extract|get)")
_WORDS = ("amd64", "x86_64")
# Library folders, loaders, JDKs, Python's names, emulators, CUDA and cross compilers have rules of their own; what the
# kernel, a package of the distribution or a firmware calls so is another matter.
_OTHERS = regex(
    r"-linux-gnu|x86_64-(?:linux|alpine|redhat|unknown|pc)|ld-musl|ld-linux|cpython-|lib\.linux-|qemu|/jvm/|targets/|grub|/efi|/boot/|vmlinu"
    r"|/(?:usr/)?(?:share|lib64|lib|include|src)/|arch/x86|cross|mingw|windows|darwin|android|\.deb$|\.rpm$|\.apk$"
)
# What is read and not run: whoever names it so has reasons, and there may be none for arm64.
_TEXT = regex(
    r"\.(?:md|rst|txt|html?|pdf|conf|cnf|cfg|ini|ya?ml|json|toml|xml|properties|list|repo|patch|diff|asc|sig|sha\d+|tmpl)$"
)
# Godot's programs are called `x86_64` and `arm64`.
_SAYS_ARM64 = regex(r"(?i)godot.*x86_64")
_VARIABLE = regex(r"[$`*?]")
# Where rpmbuild and abuild put packages for the machine, all of them: `RPMS/x86_64/*.rpm`, `packages/main/x86_64/*.apk`.
_PACKAGES = regex(r"(?:/RPMS|/packages/[\w.-]+)/x86_64/[\w.-]*\*[\w.*-]*$")


class ArchPathInRun(Rule):
    """A RUN uses a file that is named for amd64 and that nothing else in the Dockerfile names: `mv bin/app-linux-amd64 app`.

    It is made outside (`COPY . .`), or by a tool that names its result for the machine: the image for arm64 gets the
    program for amd64 without a word, or the build fails because the file has another name there.

    It is fine in a branch for amd64, where the file for arm64 is named beside it, for a name that the command itself
    gives (`mv app app-amd64`), and for a text (`app-amd64.conf`).

    The fix puts `${TARGETARCH}` in the place of Docker's word and `$(uname -m)` in that of the kernel's. It is unsafe, for
    whoever makes the file has to make the other one too.
    """

    code, name, severity = "AP808", "arch-path-in-run", Severity.WARNING
    hints = ("amd64", "x86_64")
    errors = ("cannot stat 'bin/app-linux-amd64': No such file or directory", "exec format error")
    examples = (
        Example(
            "FROM debian\nCOPY . .\nRUN mv bin/app-linux-amd64 /usr/local/bin/app\n",
            "FROM debian\nCOPY . .\nARG TARGETARCH\nRUN mv bin/app-linux-${TARGETARCH} /usr/local/bin/app\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN ./build.sh\nRUN strip bin/tool.x86_64\n",
            'FROM debian\nRUN ./build.sh\nRUN strip "bin/tool.$(uname -m)"\n',
            "Named by the tool that makes it",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY . .\nRUN ./bin/gen-amd64 --out /srv\n",
            "FROM debian\nCOPY . .\nARG TARGETARCH\nRUN ./bin/gen-${TARGETARCH} --out /srv\n",
            "Started",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN scons platform=linuxbsd\nRUN mv bin/godot.linuxbsd.editor.x86_64 /usr/bin/godot\n",
            "FROM debian\nRUN scons platform=linuxbsd\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _arch=x86_64 ;; \\\n"
            "      arm64|aarch64) _arch=arm64 ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    mv bin/godot.linuxbsd.editor.${_arch} /usr/bin/godot\n",
            "Godot's word for arm64",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nADD assets /assets\nRUN tar -xzf /assets/tool-linux-amd64.tar.gz -C /opt\n",
            "FROM debian\nADD assets /assets\nARG TARGETARCH\n"
            "RUN tar -xzf /assets/tool-linux-${TARGETARCH}.tar.gz -C /opt\n",
            "Unpacked",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nADD assets /assets\nRUN alien -i /assets/client-19.26.x86_64.rpm\n",
            'FROM debian\nADD assets /assets\nRUN alien -i "/assets/client-19.26.$(uname -m).rpm"\n',
            "A package of another family",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN tar -xf /srv/tools.tar.gz tool-linux-amd64\n"
            "RUN install tool-linux-amd64 /usr/bin/tool && rm tool-linux-amd64\n",
            "FROM debian\nARG TARGETARCH\nRUN tar -xf /srv/tools.tar.gz tool-linux-${TARGETARCH}\n"
            "RUN install tool-linux-${TARGETARCH} /usr/bin/tool && rm tool-linux-${TARGETARCH}\n",
            "Out of an archive of many",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\nRUN rpmbuild -ba app.spec && cp /root/rpmbuild/RPMS/x86_64/*.rpm /out/\n",
            'FROM rockylinux:9\nRUN rpmbuild -ba app.spec && cp /root/rpmbuild/RPMS/"$(uname -m)"/*.rpm /out/\n',
            "All that was packed",
            applicability="unsafe",
        ),
        Example("FROM debian\nCOPY . .\nRUN mv bin/app bin/app-amd64\n", title="A name that is given here"),
        Example("FROM debian\nCOPY . .\nRUN tar -czf app-linux-amd64.tar.gz bin\n", title="Packed here"),
        Example("FROM debian\nCOPY . .\nRUN cp conf/app-amd64.conf /etc/app.conf\n", title="A text"),
        Example("FROM debian\nCOPY . .\nRUN mv bin/app-amd64 /a || mv bin/app-arm64 /a\n"),
        Example('FROM debian\nCOPY . .\nRUN if [ "$(uname -m)" = x86_64 ]; then mv bin/app-amd64 /app; fi\n'),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each name, at its first use."""
        found: dict[str, list[_Use]] = {}
        for use in _uses(facts):
            found.setdefault(use.part, []).append(use)
        for part, uses in found.items():
            first = next((use for use in uses if not use.removed), None)
            if first is None or _made_here(document, facts, part, uses):
                continue
            if any(
                why_arch_is_fine(facts, "amd64", use.command.run, use.span, use.command) is not None
                for use in uses
            ):
                continue
            yield self.finding(
                first.span,
                f"`{first.word.raw}` is named for amd64, whatever platform is built: the image for another one gets "
                "what is made for amd64, or there is no such file.",
                _fix(document, facts, uses),
            )


class _Use(NamedTuple):
    """A word of a command that names a file: `part` is the piece of its path with the architecture, `named` the word for
    that. `removed`: the command takes the file away and does nothing else with it."""

    part: str
    named: str
    command: Command
    word: ShellWord
    span: Span
    removed: bool


def _uses(facts: Facts) -> Iterator[_Use]:
    for stage in for_each_target(facts):
        for command in stage.commands_with(*_WORDS):
            kept = ".rpm" if command.shell.name == "alien" else ""
            removed = command.shell.name == "rm"
            for word in command.shell.arguments if removed else _used(command):
                named = next((text for text in _WORDS if _names(word, text, kept)), None)
                span = word.find(named) if named else None
                if named is not None and span is not None:
                    part = next(part for part in (word.literal or "").split("/") if named in part)
                    yield _Use(part, named, command, word, span, removed)


def _used(command: Command) -> Iterator[ShellWord]:
    """The words of a command that name a file which is there already."""
    shell = command.shell
    if shell.redirects and not shell.words:
        return
    if shell.name in _UNPACKERS:
        yield from _packed(shell)
    elif shell.name in _USERS:
        operands = [word for word in shell.arguments if not word.prefix.startswith("-")]
        given = shell.name in _LAST_IS_GIVEN and len(operands) > 1
        yield from operands[:-1] if given else operands
    elif shell.name and "/" in (started := shell.words[len(shell.words) - len(shell.arguments) - 1]).prefix:
        yield started


def _options(shell: ShellCommand) -> Iterator[ShellWord]:
    """The options of tar, whose first word needs no hyphen."""
    for number, word in enumerate(shell.arguments):
        if number == 0 or word.prefix.startswith("-"):
            yield word


def _packed(shell: ShellCommand) -> Iterator[ShellWord]:
    """The archives and packages that a command takes apart, and the files that it takes out of them."""
    if shell.name.endswith("tar") and not any(_EXTRACTS.fullmatch(word.prefix) for word in _options(shell)):
        return
    packed = _RPM if shell.name == "alien" else _PACKED
    within = False
    for before, word in pairwise(shell.words):
        if word.prefix.startswith("-"):
            continue
        if packed.search(word.raw.rstrip("\"'")):
            within = shell.name in _ARCHIVERS
            yield word
        elif within and not before.prefix.startswith("-"):  # no value of an option
            yield word


def _names(word: ShellWord, text: str, kept: str) -> bool:
    literal = word.literal
    if literal is not None and _PACKAGES.search(literal):
        return text == "x86_64" and literal.count(text) == 1
    if literal is None or _VARIABLE.search(literal) or _OTHERS.search(literal.lower().removesuffix(kept)):
        return False
    if _TEXT.search(literal):
        return False
    words = arch_words(literal)
    return len(words) == 1 and words[0].text == text


def _made_here(document: Document, facts: Facts, part: str, uses: Sequence[_Use]) -> bool:
    """Whether something else of the file names the same: a download, a COPY, a build that is told of amd64. The rule for
    that has more to say."""
    if document.source.count(encode(part)) > len(uses):
        return True
    return any(uses[0].named in download.url for download in facts.downloads)


def _fix(document: Document, facts: Facts, uses: Sequence[_Use]) -> Fix | None:
    edits: list[Edit] = []
    for use in uses:
        made = _followed(document, facts, use)
        if made is None:
            return None
        edits += made
    if not agree(edits):
        return None
    return Fix(
        "Use the file of the architecture that is built",
        tuple(dict.fromkeys(edits)),
        Applicability.UNSAFE,
    )


def _followed(document: Document, facts: Facts, use: _Use) -> tuple[Edit, ...] | None:
    """The edits that let one use follow the architecture."""
    added: tuple[Edit, ...] | None
    run = use.command.run
    if _SAYS_ARM64.search(use.word.raw):
        spelled = {"amd64": use.named, "arm64": "arm64"}
        case = arch_case(document, facts, run, spelled, (use.span,))
        added, expression = case or (None, "")
    elif use.named == "amd64":
        added, expression = declare_arg(document, facts, run, "TARGETARCH"), "${TARGETARCH}"
    else:
        added, expression = (), "$(uname -m)"
    edit = substitute(use.word, use.span, expression, use.command)
    return None if edit is None or added is None else (edit, *added)
