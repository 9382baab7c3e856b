"""AP301."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.repositories import AptSource, apt_sources
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import Convention
from archpatch.rewrite import declare_arg, substitute
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Edit, Fix
from archpatch_rules.package.google_chrome import is_chrome
from archpatch_rules.package.which import others, safe_if, stages

# Releases for which many of these had no arm64 yet.
_OLD = ("precise", "trusty", "xenial", "wheezy", "jessie", "stretch", "12.04", "14.04", "16.04")


class AptArchAmd64(Rule):
    """An apt repository is set up for amd64 alone.

    On arm64, apt reads nothing of it, and the next `apt-get install` ends with `Unable to locate package` or `has no
    installation candidate`; where the distribution has a package of that name, that one is installed instead.

    It is fine where the list names the other architecture too, in a branch that asks for the architecture, and where
    the list is made with `$(dpkg --print-architecture)`.

    The fix lets dpkg name the architecture; in a file that nothing is expanded in, it takes the option out: without it
    apt asks for the machine's own. It is safe for repositories that are known to have arm64. For those that are
    known to have none (Bazel, Microsoft Edge, MongoDB for Debian) there is none: the failure would only move.
    """

    code, name, severity = "AP301", "apt-arch-amd64", Severity.ERROR
    hints = ("arch=", "architectures:")
    errors = ("E: Unable to locate package", "has no installation candidate")
    examples = (
        Example(
            "FROM debian:bookworm\n"
            'RUN echo "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.gpg] https://download.docker.com/linux/debian '
            'bookworm stable" \\\n    > /etc/apt/sources.list.d/docker.list\n',
            "FROM debian:bookworm\n"
            'RUN echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.gpg] '
            'https://download.docker.com/linux/debian bookworm stable" \\\n    > /etc/apt/sources.list.d/docker.list\n',
            applicability="safe",
        ),
        Example(
            "FROM debian\nRUN echo 'deb [ arch=amd64 ] https://apt.example.com stable main' | tee /etc/apt/sources.list.d/x.list\n",
            "FROM debian\nRUN echo 'deb [ arch='\"$(dpkg --print-architecture)\"' ] https://apt.example.com stable main' "
            "| tee /etc/apt/sources.list.d/x.list\n",
            "In single quotes; a repository that nobody knows",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY <<'EOF' /etc/apt/sources.list.d/x.list\n"
            "deb [arch=amd64 signed-by=/x.gpg] https://apt.example.com stable main\nEOF\n",
            "FROM debian\nCOPY <<'EOF' /etc/apt/sources.list.d/x.list\n"
            "deb [signed-by=/x.gpg] https://apt.example.com stable main\nEOF\n",
            "In a file that is copied as it stands",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN cat <<EOF > /etc/apt/sources.list.d/x.sources\n"
            "Types: deb\nURIs: https://apt.example.com\nArchitectures: amd64\nEOF\n",
            "FROM debian\nRUN cat <<EOF > /etc/apt/sources.list.d/x.sources\n"
            "Types: deb\nURIs: https://apt.example.com\nArchitectures: $(dpkg --print-architecture)\nEOF\n",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN add-apt-repository 'deb [arch=amd64] https://packages.microsoft.com/repos/edge stable main'\n",
            "FROM debian\nRUN add-apt-repository 'deb [arch=amd64] https://packages.microsoft.com/repos/edge stable main'\n",
            "A repository without arm64",
        ),
        Example(
            "FROM debian\nRUN echo 'deb [arch=amd64,arm64] https://apt.example.com stable main' > /etc/apt/x.list\n"
        ),
        Example(
            'FROM debian\nRUN echo "deb [arch=$(dpkg --print-architecture)] https://apt.example.com s main" > /x.list\n'
        ),
        Example(
            "FROM debian\nRUN echo 'deb [arch=amd64] https://apt.example.com stable main' > /etc/apt/a.list \\\n"
            " && echo 'deb [arch=arm64] https://arm.example.com stable main' > /etc/apt/b.list\n",
            title="One entry for each",
        ),
        Example(
            'FROM debian\nRUN if [ "$(uname -m)" = x86_64 ]; then echo "deb [arch=amd64] https://e.com s main" > /x.list; fi\n'
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each entry."""
        concerned = list(stages(facts))
        sources = list(apt_sources(facts))
        for source in sources:
            beside = {
                word for one in sources if one.text.stage is source.text.stage for word in one.architectures
            }
            missing = [] if "arm64" in beside and "amd64" in beside else _missing(facts, source)
            if not missing or source.text.stage not in concerned or is_chrome(source.uri):
                continue
            if why_fine(facts, source.text.instruction, source.span, source.text.command) is None:
                yield self.finding(
                    source.span, _message(facts, source, missing), _fix(document, facts, source)
                )


def _missing(facts: Facts, source: AptSource) -> list[str]:
    """The targets' architectures that the entry does not name."""
    if not all(Convention.DPKG.read(word) for word in source.architectures):
        return []
    if Convention.DPKG.read(source.architectures[0]) == facts.named_arch:
        return []
    wanted = dict.fromkeys(Convention.DPKG.spell(arch) for arch in ("amd64", *others(facts)))
    return [word for word in wanted if word and word not in source.architectures]


def _message(facts: Facts, source: AptSource, missing: list[str]) -> str:
    here, there = " and ".join(source.architectures), " and ".join(missing)
    if facts.tables.repository_has_arm64(source.uri) is False:
        return (
            f"apt reads this repository for {here} alone, and it has no packages for {there}: what is installed from it "
            "has to be left out there, or to come from somewhere else."
        )
    return f"apt reads this repository for {here} alone: on {there} its packages cannot be found."


def _fix(document: Document, facts: Facts, source: AptSource) -> Fix | None:
    text, published = source.text, facts.tables.repository_has_arm64(source.uri)
    if len(source.architectures) > 1 or published is False:
        return None
    if text.command is not None and (text.instruction.json or not text.command.script.readable):
        return None
    title, edits = "Let dpkg name the architecture", _edits(document, facts, source)
    if not edits:
        return None
    dynamic = text.body is None and source.architectures == ("amd64",)
    old = text.stage.distro.release in _OLD or any(release in text.value for release in _OLD)
    safe = dynamic and not old and published is True
    return Fix(title, edits, safe_if(facts, safe))


def _edits(document: Document, facts: Facts, source: AptSource) -> tuple[Edit, ...]:
    text, asks = source.text, "$(dpkg --print-architecture)"
    if text.body is None:
        word = text.word(source.span)
        edit = substitute(word, source.span, asks, text.command) if word else None
        return (edit,) if edit else ()
    if not text.expands:
        return (Edit.delete(source.option),) if source.option else ()
    if text.command is None:
        argument = "${TARGETARCH}"
        return (
            *declare_arg(document, facts, text.instruction, "TARGETARCH"),
            Edit.replace(source.span, argument),
        )
    return (Edit.replace(source.span, asks),)
