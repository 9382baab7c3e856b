"""Everything that is derived from one Dockerfile, each answer when it is asked for and once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar, TypeVarTuple

from msgspec.structs import replace

from archpatch.facts.aliases import aliases, aliasing
from archpatch.facts.compared import comparisons
from archpatch.facts.context import Context
from archpatch.facts.distro import Family
from archpatch.facts.downloads import Download, find_downloads
from archpatch.facts.file_names import arch_of_folders, arch_of_name, family_of
from archpatch.facts.graph import CopyOut, ImageUse
from archpatch.facts.packages import Install, install_of
from archpatch.facts.shells import Command, Settings, Shell
from archpatch.facts.stages import StageFacts
from archpatch.facts.uses import Use, uses_in
from archpatch.facts.values import AUTOMATIC, Scope, Value, Variable, automatic, global_scope
from archpatch.platforms import AMD64, DEFAULT_TARGETS, Platform
from archpatch.syntax import shell
from archpatch.syntax.shell import Script, ShellWord
from archpatch.syntax.tree import Arg, Document, Env, Instruction, Run
from archpatch.tables import Tables
from archpatch.text import Nest, Span, encode

_Terms = TypeVarTuple("_Terms")
_Answer = TypeVar("_Answer")


class Facts:
    """The facts of a document for some target platforms.

    `context` is the build context, None where there is none (standard input). `build` is the platform of the machine
    that builds: what `$BUILDPLATFORM` holds. `tables` are the built-in ones unless the user adds some. A question with
    a `target` of None leaves automatic values unknown.
    """

    def __init__(
        self,
        document: Document,
        targets: tuple[Platform, ...] = DEFAULT_TARGETS,
        context: Context | None = None,
        build: Platform = AMD64,
        tables: Tables | None = None,
    ) -> None:
        if not targets:
            raise ValueError("no target platform")
        self.document = document
        self.targets = targets
        self.context = context
        self.build = build
        self.tables = Tables() if tables is None else tables
        self.escape = document.escape
        self.stages = tuple(StageFacts(self, stage) for stage in document.stages)
        self.final = self.stages[-1] if self.stages else None
        self._globals: dict[tuple[Platform | None, Platform], Scope] = {}
        self._roots: dict[Platform | None, tuple[int, ...]] = {}
        self._reached: dict[Platform, frozenset[int]] = {}
        self._first_shells: dict[int, tuple[str, ...]] = {}
        self._scripts: dict[int, Script] = {}
        self._commands: dict[int, tuple[Command, ...]] = {}
        self._installs: dict[int, tuple[Install, ...]] = {}
        self._settings: dict[int, Settings] = {}
        self._shells: dict[tuple[int, Platform | None], Shell] = {}
        self._uses: dict[tuple[int, frozenset[str]], tuple[Use, ...]] = {}
        self._answers: dict[Hashable, Any] = {}

    def once(self, question: Callable[[Facts, *_Terms], _Answer], *terms: *_Terms) -> _Answer:
        """What `question`, a function of a module, says of these facts and terms: asked once, and kept with them."""
        key = (question, terms)
        if key not in self._answers:
            self._answers[key] = question(self, *terms)
        answer: _Answer = self._answers[key]
        return answer

    @cached_property
    def lowered(self) -> bytes:
        """The Dockerfile in lower case, as far as ASCII goes."""
        return self.document.source.lower()

    @cached_property
    def compared(self) -> Nest[Span]:
        """By place, the questions whether the target is the machine that builds, on which the place hangs."""
        return comparisons(self)

    # Scopes

    def global_scope(self, target: Platform | None = None) -> Scope:
        """What FROM sees: automatic arguments and the ARGs before the first FROM."""
        return self.global_scope_of(target, self.build)

    def global_scope_of(self, target: Platform | None, build: Platform) -> Scope:
        """`global_scope` on another builder."""
        key = (target, build)
        if key not in self._globals:
            self._globals[key] = global_scope(self.document.globals, target, build, self.escape)
        return self._globals[key]

    @property
    def globals(self) -> Scope:
        """`global_scope` without a target."""
        return self.global_scope()

    def automatic(self, name: str, target: Platform) -> str | None:
        """What BuildKit sets an automatic argument to for a target, before any default in the file wins over it."""
        variable = automatic(target, self.build).get(name)
        return variable.value.text if variable else None

    def stage_of(self, instruction: Instruction) -> StageFacts | None:
        """The stage that holds an instruction; None before the first FROM."""
        at = bisect_right(self._starts, instruction.span.start)
        return self.stages[at - 1] if at else None

    @cached_property
    def _starts(self) -> list[int]:
        return [stage.head.span.start for stage in self.stages]

    def scope(self, instruction: Instruction, target: Platform | None = None) -> Scope:
        """The variables visible just before an instruction; for FROM and global ARGs the global scope so far."""
        stage = self.stage_of(instruction)
        if stage is None:
            outer = self.global_scope(target)
            return replace(outer, position=instruction.span.start)
        if instruction is stage.head or instruction.span == stage.head.span:
            return self.global_scope(target)
        if instruction.onbuild:
            return stage.onbuild_scope_at(instruction.span.start, target)
        return stage.scope_at(instruction.span.start, target)

    def declared_before(self, instruction: Instruction, name: str) -> Variable | None:
        """The ARG or ENV that gives `name` its value for an instruction, also one of a parent stage."""
        return self.scope(instruction).get(name)

    def declared_later(self, instruction: Instruction, name: str) -> Arg | Env | None:
        """The first ARG or ENV of `name` after an instruction, in the same stage."""
        stage = self.stage_of(instruction)
        declaring = () if stage is None else stage.declaring.get((name, instruction.onbuild), ())
        return next((step for step in declaring if step.span.start > instruction.span.start), None)

    def uses(self, *names: str, stage: StageFacts | None = None) -> tuple[Use, ...]:
        """Every use of these variables (none named: of the automatic ones) in a stage or in all of them."""
        source = self.document.source
        # Of other names there may be as many as lines; the stages have an index of them.
        wanted = frozenset(
            name for name in names or AUTOMATIC if name not in AUTOMATIC or encode(name) in source
        )
        if not wanted:
            return ()
        found: list[Use] = []
        for one in self.stages if stage is None else (stage,):
            key = (one.index, wanted)
            if key not in self._uses:
                steps = one.naming(wanted)
                self._uses[key] = tuple(use for step in steps for use in uses_in(self, one, step, wanted))
            found += self._uses[key]
        return tuple(found)

    # Stages among each other

    @cached_property
    def _named(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        for stage in self.stages:
            if stage.name:
                found.setdefault(stage.name, []).append(stage.index)
        return found

    def stage_named(self, text: str, before: int) -> StageFacts | None:
        """The stage that `FROM text` means in stage number `before`: the last earlier one of exactly that name."""
        indices = self._named.get(text, [])
        at = bisect_left(indices, before)
        return self.stages[indices[at - 1]] if at else None

    def stage_referred(self, text: str, numbers: bool) -> StageFacts | None:
        """The stage that `COPY --from` means, by name in any case or, with `numbers`, by its number."""
        if numbers and text.isascii() and text.isdecimal():
            return self.stages[int(text)] if len(text) < 9 and int(text) < len(self.stages) else None
        indices = self._named.get(text.lower())
        return self.stages[indices[-1]] if indices else None

    def roots(self, target: Platform | None) -> tuple[int, ...]:
        """For each stage the number of the stage at the end of its chain of FROMs."""
        target = target if self._varies else None
        if target not in self._roots:
            roots: list[int] = []
            for stage in self.stages:
                parent = stage.parent_for(target)
                roots.append(stage.index if parent is None else roots[parent.index])
            self._roots[target] = tuple(roots)
        return self._roots[target]

    @cached_property
    def _varies(self) -> bool:
        return any(stage.varies for stage in self.stages)

    @cached_property
    def children(self) -> Mapping[int, tuple[StageFacts, ...]]:
        """By number of a stage, those whose FROM names it."""
        found: dict[int, dict[int, StageFacts]] = {}
        for stage in self.stages:
            for target in self.targets:
                parent = stage.parent_for(target)
                if parent is not None:
                    found.setdefault(parent.index, {})[stage.index] = stage
        return {index: tuple(stages.values()) for index, stages in found.items()}

    @cached_property
    def copies(self) -> Mapping[int, tuple[CopyOut, ...]]:
        """By number of a stage, what others take from it."""
        found: dict[int, list[CopyOut]] = {}
        for stage in self.stages:
            for copy in stage.copies_in:
                found.setdefault(copy.source.index, []).append(copy)
        return {index: tuple(copies) for index, copies in found.items()}

    @cached_property
    def family_arches(self) -> Mapping[int, str]:
        """By number of a stage, the one architecture for which a `FROM x-${TARGETARCH}` picks it."""
        found: dict[int, set[str]] = {}
        for stage in self.stages:
            for arch, member in stage.every_member.items():
                found.setdefault(member.index, set()).add(arch)
        return {index: next(iter(arches)) for index, arches in found.items() if len(arches) == 1}

    def reached(self, target: Platform) -> frozenset[int]:
        """The numbers of the stages that a build of the last one needs."""
        if target not in self._reached:
            pending = [] if self.final is None else [self.final]
            found = {stage.index for stage in pending}
            while pending:
                for needed in pending.pop().needs(target):
                    if needed.index not in found:
                        found.add(needed.index)
                        pending.append(needed)
            self._reached[target] = frozenset(found)
        return self._reached[target]

    @cached_property
    def images(self) -> tuple[ImageUse, ...]:
        """Every image that the file names, in the order of the stages."""
        return tuple(use for stage in self.stages for use in stage.images)

    @cached_property
    def downloads(self) -> tuple[Download, ...]:
        """Every file that is fetched by URL."""
        return tuple(find_downloads(self))

    @cached_property
    def downloads_of(self) -> Mapping[Span, list[Download]]:
        """By place of a declaration, the downloads to whose URLs it adds a part; one that adds more counts as often."""
        found: dict[Span, list[Download]] = {}
        for download in self.downloads:
            for piece in download.pieces:
                if piece.declaration is not None:
                    found.setdefault(piece.declaration.span, []).append(download)
        return found

    # Shells

    def shell(self, run: Run) -> Script:
        """The script of a RUN, read by the rules of the shell that is in force there."""
        key = run.span.start
        if key not in self._scripts:
            self._scripts[key] = shell.read_run(
                self.document, run, shell=self.shell_words(run), aliases=aliases(self, run, self._aliasing)
            )
        return self._scripts[key]

    def shell_words(self, instruction: Instruction) -> tuple[str, ...]:
        """The SHELL in force for an instruction, by default `/bin/sh -c`, on Windows `cmd /S /C`."""
        stage = self.stage_of(instruction)
        if stage is None:
            return _SH
        before = [words for start, words in stage.shells if start < instruction.span.start]
        return before[-1] if before else self._first_shell(stage)

    def _first_shell(self, stage: StageFacts) -> tuple[str, ...]:
        """The SHELL in force where a stage begins: the last one of those that it stands on, else its image's."""
        asked: list[int] = []
        while (found := self._first_shells.get(stage.index)) is None:
            asked.append(stage.index)
            if stage.parent is None:
                family = stage.image_distro.family
                # A backquote as escape character is there for the paths of Windows.
                windows = family is Family.WINDOWS or (self.escape == "`" and family is Family.UNKNOWN)
                found = _CMD if windows else _SH
                break
            stage = stage.parent
            if stage.shells:
                found = stage.shells[-1][1]
                break
        self._first_shells |= dict.fromkeys(asked, found)
        return found

    def commands(self, stage: StageFacts | None = None) -> Iterator[Command]:
        """Every simple command of the RUNs of a stage or of all, nested ones too, in the order of the file."""
        for one in self.stages if stage is None else (stage,):
            yield from one.commands

    def commands_with(self, *texts: str) -> Iterator[Command]:
        """Those of the RUNs, ONBUILD's too, in which one of these texts stands: the scripts of the others need not be
        read."""
        for stage in self.stages:
            yield from stage.commands_with(*texts, later=True)

    def value(self, command: Command, word: ShellWord, target: Platform | None = None) -> Value:
        """What a word of a command comes to: variables of the Dockerfile and of the script, and `$(uname -m)` and
        its like as the stage's platform answers."""
        return self._shell(command, target).value(word)

    def variable(self, command: Command, name: str, target: Platform | None = None) -> Value:
        """What a variable holds where a command begins: set by the script before, or by the Dockerfile."""
        return self._shell(command, target).variable(name, command.shell.span.start)

    def settings(self, command: Command) -> Settings:
        """The assignments, loops and functions of the script that a command stands in."""
        key = command.run.span.start
        if key not in self._settings:
            self._settings[key] = Settings(command.script)
        return self._settings[key]

    def _shell(self, command: Command, target: Platform | None) -> Shell:
        key = (command.run.span.start, target)
        if key not in self._shells:
            host = None if target is None else command.stage.platform(target).platform
            scope = self.scope(command.run, target)
            self._shells[key] = Shell(self.document.source, scope, self.settings(command), target, host)
        return self._shells[key]

    def commands_of(self, run: Run, stage: StageFacts) -> tuple[Command, ...]:
        """Every simple command of a RUN of that stage."""
        key = run.span.start
        if key not in self._commands:
            script = self.shell(run)
            self._commands[key] = tuple(Command(command, run, stage, script) for command in script.commands)
        return self._commands[key]

    def installs_of(self, run: Run, stage: StageFacts) -> tuple[Install, ...]:
        """The installations of a RUN, with variables that are the same for all targets put in."""
        key = run.span.start
        if key not in self._installs:
            found = (
                install_of(command, partial(self._rendered, command))
                for command in self.commands_of(run, stage)
            )
            self._installs[key] = tuple(install for install in found if install is not None)
        return self._installs[key]

    def _rendered(self, command: Command, word: ShellWord) -> str:
        literal = word.literal
        return self._shell(command, None).render(word) if literal is None else literal

    @cached_property
    def _aliasing(self) -> frozenset[str]:
        return aliasing(self.document)

    # The file among others

    @cached_property
    def named_arch(self) -> str | None:
        """The architecture that the file is for by its name or by a folder of its path, as in `Platform.arch`: `arm` of
        `Dockerfile-arm`, `amd64` of `x86_64/standard/Dockerfile`."""
        return arch_of_name(self.document.path.name) or self.folder_arch

    @cached_property
    def folder_arch(self) -> str | None:
        """The architecture that names a folder near the end of the file's path, and nothing else."""
        return arch_of_folders(self.document.path)

    @cached_property
    def family(self) -> tuple[str, ...]:
        """The names of the files beside it that differ from its name in the architecture alone."""
        name = self.document.path.name
        if self.named_arch is None or self.context is None:
            return ()
        return family_of(name, self.context.siblings)


_SH = ("/bin/sh", "-c")
_CMD = ("cmd", "/S", "/C")
