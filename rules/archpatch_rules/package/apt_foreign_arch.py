"""AP305."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts, Install, Package, PlatformKind, StageFacts
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import Convention
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, decode
from archpatch_rules.package.which import installs, is_fine, names_it, on_amd64_alone, stages


class AptForeignArch(Rule):
    """apt installs packages of a named architecture (`libc6:i386`, `curl:amd64`).

    On arm64, `curl:amd64` ends with `Unable to locate package`. Packages of i386 are not served by Ubuntu's mirror for
    arm64 (404), and where they can be installed, as on Debian, their programs do not run: `exec format error`.

    It is fine where packages of several architectures are installed on purpose, where the stage has added amd64 to dpkg
    to cross-compile, and in a branch that asks for the architecture.

    The fix takes `:amd64` off the name: apt then installs that of the machine, which on amd64 is the same package, and is
    safe. Development packages of i386, and i386 in dpkg where no package asks for it, are kept to amd64, which is unsafe.
    For other packages of i386 there is none: a program that needs 32-bit x86 libraries has no counterpart on arm64.
    """

    code, name, severity = "AP305", "apt-foreign-arch", Severity.ERROR
    hints = (":i386", ":amd64", ":arm64", "--add-architecture")
    errors = ("E: Unable to locate package", "404  Not Found", "exec format error")
    examples = (
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y curl:amd64 git\n",
            "FROM debian\nRUN apt-get update && apt-get install -y curl git\n",
            applicability="safe",
        ),
        Example(
            "FROM debian\nRUN dpkg --add-architecture i386 && apt-get update && apt-get install -y zlib1g:i386 libc6:i386\n",
            "FROM debian\nRUN dpkg --add-architecture i386 && apt-get update && apt-get install -y zlib1g:i386 libc6:i386\n",
        ),
        Example(
            "FROM debian\nRUN dpkg --add-architecture i386\nRUN apt-get update && apt-get install -y make zlib1g-dev:i386\n",
            "FROM debian\n"
            'RUN { [ "$(dpkg --print-architecture)" != amd64 ] || dpkg --add-architecture i386; }\n'
            "RUN apt-get update && apt-get install -y make "
            '$([ "$(dpkg --print-architecture)" = amd64 ] && echo zlib1g-dev:i386)\n',
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN dpkg --add-architecture i386 && apt-get update && apt-get install -y g++\n",
            "FROM debian\n"
            'RUN { [ "$(dpkg --print-architecture)" != amd64 ] || dpkg --add-architecture i386; } && apt-get update '
            "&& apt-get install -y g++\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN dpkg --add-architecture amd64 && apt-get update && apt-get install -y libc6:amd64\n",
            title="On purpose",
        ),
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y libseccomp-dev:amd64 libseccomp-dev:arm64\n"
        ),
        Example(
            'FROM debian\nRUN if [ "$(uname -m)" = x86_64 ]; then dpkg --add-architecture i386; fi\n',
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each package of amd64 or arm64, one for each command that installs those of i386."""
        told: set[StageFacts] = set()
        every = _added(facts)
        for install in installs(facts, "apt"):
            added = every[install.command.stage]
            foreign = [one for one in install.packages if one.arch and not is_fine(facts, install, one)]
            for package in foreign:
                arch = Convention.DPKG.read(package.arch or "")
                if arch in ("amd64", "arm64") and arch != facts.named_arch and package.arch not in added:
                    yield self._named(install, package)
            if old := [one for one in foreign if one.arch == "i386"]:
                told.add(install.command.stage)
                yield self._of_i386(facts, install, old)
        for stage in stages(facts):
            command = _adds_i386(facts, stage)
            if command is not None and stage not in told:
                yield self.finding(
                    command.shell.span,
                    f"i386 is added to dpkg on every platform: on arm64, {_mirror(stage)}its programs do not run.",
                    _guarded(facts, [], command),
                    severity=Severity.WARNING,
                )

    def _named(self, install: Install, package: Package) -> Finding:
        return self.finding(
            package.word.span,
            f"{package.name} is installed for {package.arch} on every platform: where the machine is another one, apt does "
            "not find it.",
            _fix(install, package),
        )

    def _of_i386(self, facts: Facts, install: Install, packages: list[Package]) -> Finding:
        first, *rest = packages
        return self.finding(
            first.word.span,
            f"{first.name} is installed for i386: on arm64, {_mirror(install.command.stage)}its programs do not run.",
            _without_i386(facts, install, packages),
            related=tuple(Related(package.word.span, "and this one") for package in rest[:5]),
            severity=Severity.WARNING,
        )


def _mirror(stage: StageFacts) -> str:
    debian = stage.distro.name == "debian"
    return "" if debian else "Ubuntu's mirror has no packages of it (404), and "


def _added(facts: Facts) -> dict[StageFacts, frozenset[str]]:
    """The architectures that each stage, or one it is built on, adds to dpkg."""
    added: dict[StageFacts, frozenset[str]] = {}
    for stage in facts.stages:
        values = (
            command.shell.option("--add-architecture")
            for command in stage.commands_with("--add-architecture", later=True)
            if command.shell.name == "dpkg"
        )
        own = frozenset(value.literal for value in values if value is not None and value.literal)
        parent = stage.parent_for(facts.targets[0])
        added[stage] = own if parent is None else own | added[parent]
    return added


def _adds_i386(facts: Facts, stage: StageFacts) -> Command | None:
    for command in stage.commands_with("--add-architecture", later=True):
        if (
            command.shell.name == "dpkg"
            and (value := command.shell.option("--add-architecture")) is not None
            and value.literal == "i386"
            and why_fine(facts, command.run, value.span, command) is None
        ):
            return command
    return None


def _fix(install: Install, package: Package) -> Fix | None:
    span = package.word.find(f":{package.arch}")
    if span is None or not names_it(install, package):
        return None
    same = package.arch == "amd64" and install.command.stage.kind is PlatformKind.TARGET
    applicability = Applicability.SAFE if same else Applicability.UNSAFE
    return Fix("Install the package of the machine's own architecture", (Edit.delete(span),), applicability)


def _without_i386(facts: Facts, install: Install, packages: list[Package]) -> Fix | None:
    """Install development packages of i386 on amd64 alone, and let dpkg know of i386 there alone."""
    if not all(package.name.endswith("-dev") for package in packages):
        return None
    edits = [on_amd64_alone(install, package) for package in packages]
    known = [edit for edit in edits if edit is not None]
    return (
        _guarded(facts, known, _adds_i386(facts, install.command.stage)) if len(known) == len(edits) else None
    )


def _guarded(facts: Facts, edits: list[Edit], added: Command | None) -> Fix | None:
    """The fix of these edits that lets dpkg know of i386 on amd64 alone."""
    if added is not None:
        written = decode(added.shell.span.of(facts.document.source))
        if not added.script.readable or added.run.json or "\n" in written:
            return None
        guarded = f'{{ [ "$(dpkg --print-architecture)" != amd64 ] || {written}; }}'
        edits = [*edits, Edit.replace(added.shell.span, guarded)]
    return Fix("Keep what is for 32-bit x86 to amd64", tuple(edits), Applicability.UNSAFE)
