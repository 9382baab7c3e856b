"""AP302."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Install, Package, StageFacts
from archpatch.facts.repositories import apt_addresses, apt_sources
from archpatch.facts.suppressors import why_fine
from archpatch.rewrite import is_nested
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span, decode, regex
from archpatch_rules.package.which import is_fine, on_amd64_alone, stages

_PACKAGES = frozenset(
    ["google-chrome-stable", "google-chrome-beta", "google-chrome-unstable", "google-chrome"]
)
_REPOSITORY = "dl.google.com/linux/chrome"
_FOLDER = b"/opt/google/chrome"
_PATH = regex(rb"/usr/bin/google-chrome(?:-stable|-beta|-unstable)?(?![\w.-])")


class GoogleChrome(Rule):
    """Google Chrome is installed, which Google published for amd64 alone until 2026.

    On arm64 the build ends with `has no installation candidate` or `Unable to locate package google-chrome-stable`.
    Since July 2026, Google's apt repository has packages for arm64. Versions before that have none, and a repository line
    that says `arch=amd64` does not find them.

    It is fine where the repository line names no architecture and no version is asked for, and in a branch that is for
    amd64 alone. So is the repository then: apt passes over one that has nothing for its architecture.

    On Debian the fix installs Chromium on other architectures, and leaves amd64 as it is; a path of Chrome that the file
    names, `/usr/bin/google-chrome`, leads to it then. It is unsafe, for it is another program. There is none on Ubuntu, whose
    Chromium is a snap, nor where an installation in another stage is meant. Debian and Alpine build Chromium for both
    architectures: `chromium` and `chromium-driver`, with `CHROME_BIN` or `PUPPETEER_EXECUTABLE_PATH` set to
    `/usr/bin/chromium`.
    """

    code, name, severity = "AP302", "google-chrome", Severity.ERROR
    hints = ("google-chrome", _REPOSITORY)
    errors = ("Unable to locate package google-chrome-stable", "has no installation candidate")
    examples = (
        Example(
            "FROM debian\n"
            'RUN echo "deb [arch=amd64] http://dl.google.com/linux/chrome/deb/ stable main" > /etc/apt/sources.list.d/c.list \\\n'
            " && apt-get update && apt-get install -y google-chrome-stable\n",
            "FROM debian\n"
            'RUN echo "deb [arch=amd64] http://dl.google.com/linux/chrome/deb/ stable main" > /etc/apt/sources.list.d/c.list \\\n'
            " && apt-get update && apt-get install -y "
            '"$([ "$(dpkg --print-architecture)" = amd64 ] && echo google-chrome-stable || echo chromium)"\n',
            applicability="unsafe",
        ),
        Example(
            "FROM node:22\nRUN apt-get update && apt-get install -y google-chrome-stable\n"
            "ENV CHROME_BIN=/usr/bin/google-chrome\n",
            "FROM node:22\nRUN apt-get update && apt-get install -y "
            '"$([ "$(dpkg --print-architecture)" = amd64 ] && echo google-chrome-stable || echo chromium)"'
            " && { [ -e /usr/bin/google-chrome ] || ln -s chromium /usr/bin/google-chrome; }\n"
            "ENV CHROME_BIN=/usr/bin/google-chrome\n",
            "Called by its path",
            applicability="unsafe",
        ),
        Example(
            "FROM node:22\nRUN apt-get update && apt-get install -y google-chrome-stable && google-chrome --version\n",
            "FROM node:22\nRUN apt-get update && apt-get install -y "
            '"$([ "$(dpkg --print-architecture)" = amd64 ] && echo google-chrome-stable || echo chromium)"'
            " && { [ -e /usr/bin/google-chrome ] || ln -s chromium /usr/bin/google-chrome; } && google-chrome --version\n",
            "Called by its name",
            applicability="unsafe",
        ),
        Example(
            "FROM node:22\nRUN apt-get update && apt-get install -y google-chrome-stable chromium\n",
            "FROM node:22\nRUN apt-get update && apt-get install -y "
            '$([ "$(dpkg --print-architecture)" = amd64 ] && echo google-chrome-stable) chromium\n',
            "Beside Chromium",
            applicability="unsafe",
        ),
        Example(
            "FROM example.com/base\nRUN yum install -y google-chrome-stable\n",
            "FROM example.com/base\nRUN yum install -y google-chrome-stable\n",
            "From a repository that the base image knows",
        ),
        Example(
            "FROM debian\n"
            'RUN echo "deb http://dl.google.com/linux/chrome/deb/ stable main" > /etc/apt/sources.list.d/c.list \\\n'
            " && apt-get update && apt-get install -y google-chrome-stable\n",
            title="The repository has it for arm64",
        ),
        Example("FROM debian\nRUN apt-get update && apt-get install -y chromium chromium-driver\n"),
        Example(
            'FROM debian\nRUN if [ "$(dpkg --print-architecture)" = amd64 ]; then apt-get install -y google-chrome-stable; '
            "else apt-get install -y chromium; fi\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each stage: at the repository, else at the first package."""
        offered, limited = _is_offered(facts), _is_limited(facts)
        for stage in stages(facts):
            places = list(_places(facts, stage))
            if places and not (offered and _takes_newest(facts, stage)):
                yield self.finding(
                    places[0],
                    _message(stage, limited),
                    _fix(document, facts, stage),
                    related=tuple(Related(span, "belongs to it") for span in places[1:4]),
                )


def is_chrome(uri: str) -> bool:
    """Whether an apt source is Chrome's."""
    return _REPOSITORY in uri


def _places(facts: Facts, stage: StageFacts) -> Iterator[Span]:
    for repository in () if _is_chosen(stage) else apt_addresses(facts, stage):
        span = repository.span
        if (
            span is not None
            and is_chrome(repository.uri)
            and why_fine(facts, repository.text.instruction, span, repository.text.command) is None
        ):
            yield span
    for _, package in _installed(facts, stage):
        yield package.word.span


def _is_offered(facts: Facts) -> bool:
    """Whether apt finds Chrome's newest version for arm64 too: the repository is set up, and nothing limits it.

    Sources: armbian/os#485, wimpysworld/deb-get#1951, SeleniumHQ/docker-selenium#3187.
    """
    return not _is_limited(facts) and any(is_chrome(address.uri) for address in apt_addresses(facts))


def _is_limited(facts: Facts) -> bool:
    """Whether apt is told to read the repository for amd64 alone."""
    return any(
        is_chrome(source.uri) and "amd64" in source.architectures and "arm64" not in source.architectures
        for source in apt_sources(facts)
    )


def _message(stage: StageFacts, limited: bool) -> str:
    if limited:
        what = "apt reads Google's repository for amd64 alone: on arm64, which it has Chrome for since July 2026, nothing is found."
    else:
        what = "Google published Chrome for Linux on amd64 alone until July 2026: for arm64 there may be nothing to install."
    chromium = "" if stage.distro.name == "ubuntu" else " The distribution's chromium is there for both."
    return what + chromium


def _takes_newest(facts: Facts, stage: StageFacts) -> bool:
    """Whether apt installs it, and nothing asks for a version."""
    return all(
        install.manager == "apt" and package.version is None for install, package in _installed(facts, stage)
    )


def _installed(facts: Facts, stage: StageFacts) -> Iterator[tuple[Install, Package]]:
    for install in stage.installs_by("apt", "yum", "dnf", "microdnf", later=True):
        for package in install.packages if install.command.shell.only_on is None else ():
            if package.name in _PACKAGES and not is_fine(facts, install, package):
                yield install, package


def _is_chosen(stage: StageFacts) -> bool:
    """Whether a script of the stage names one of the packages in a branch that asks for the architecture."""
    return any(
        command.shell.only_on is not None and any(word.literal in _PACKAGES for word in command.shell.words)
        for command in stage.commands_with("google-chrome", later=True)
    )


def _fix(document: Document, facts: Facts, stage: StageFacts) -> Fix | None:
    found = list(_installed(facts, stage))
    if stage.distro.name != "debian" or not found or _FOLDER in document.source:
        return None
    edits: list[Edit] = []
    for install, package in found:
        edit = on_amd64_alone(install, package, "chromium") if install.manager == "apt" else None
        if edit is None or package.version is not None:
            return None
        edits.append(edit)
    command, last = found[-1][0].command, edits[-1]
    linked = _links(document, stage)
    if linked and (command.shell.wrappers or is_nested(command.script, command.shell.span)):  # sudo, say
        return None
    end = command.shell.span.end
    if linked and last.span.end == end:
        edits[-1] = Edit.replace(last.span, decode(last.text) + linked)
    elif linked:
        edits.append(Edit.insert(end, linked))
    return Fix("Install Chromium on other architectures", tuple(edits), Applicability.UNSAFE)


def _links(document: Document, stage: StageFacts) -> str:
    """What gives Chromium the paths and names by which the file calls Chrome; nothing where it calls none."""
    called = [command.shell.name for command in stage.commands_with("google-chrome", later=True)]
    paths = dict.fromkeys(
        [
            *map(decode, _PATH.findall(document.source)),
            *(f"/usr/bin/{name}" for name in called if name in _PACKAGES),
        ]
    )
    return "".join(f" && {{ [ -e {path} ] || ln -s chromium {path}; }}" for path in paths)
