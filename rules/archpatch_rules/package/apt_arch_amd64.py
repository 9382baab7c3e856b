"""AP301."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archpatch.facts import Facts, StageFacts
from archpatch.facts.repositories import (
    Address,
    AptSource,
    Text,
    apt_addresses,
    apt_sources,
    copied_apt_sources,
)
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.platforms import AMD64, Convention, arch_words
from archpatch.rewrite import declare_arg, substitute
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Edit, Fix, Span
from archpatch_rules.package.google_chrome import is_chrome
from archpatch_rules.package.which import safe_if, stages

# Releases for which many of these had no arm64 yet.
_OLD = ("precise", "trusty", "xenial", "wheezy", "jessie", "stretch", "12.04", "14.04", "16.04")


class AptArchAmd64(Rule):
    """An apt repository is set up for amd64 alone.

    On arm64, apt reads nothing of it, and the next `apt-get install` ends with `Unable to locate package` or `has no
    installation candidate`; where the distribution has a package of that name, that one is installed instead.

    It is fine where the list names the other architecture too, in a branch that asks for the architecture, and where
    the list is made with `$(dpkg --print-architecture)`.

    Lists that are copied out of the build context count too (`COPY docker.list /etc/apt/sources.list.d/`).

    The fix lets dpkg name the architecture; in a file that nothing is expanded in, it takes the option out: without it
    apt asks for the machine's own. It is safe for repositories that are known to have arm64. For those that are
    known to have none (Bazel, Microsoft Edge, MongoDB for Debian) there is none: the failure would only move. An address
    with a folder for amd64 (`https://example.com/stable/deb/amd64 /`) follows by the same word; that is unsafe.
    """

    code, name, severity = "AP301", "apt-arch-amd64", Severity.ERROR
    hints = ("arch=", "architectures:", "/amd64", ".list", ".sources")
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
            'FROM debian\nRUN echo "deb [ arch=$(dpkg --print-architecture) ] https://apt.example.com stable main" '
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
            "FROM debian\nCOPY apt/docker.list /etc/apt/sources.list.d/\n",
            "FROM debian\nCOPY apt/docker.list /etc/apt/sources.list.d/\n",
            "In a file of the build context",
            files={
                "apt/docker.list": "deb [arch=amd64 signed-by=/d.gpg] https://download.docker.com/linux/debian bookworm stable\n"
            },
            files_after={
                "apt/docker.list": "deb [signed-by=/d.gpg] https://download.docker.com/linux/debian bookworm stable\n"
            },
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
            'FROM debian\nRUN echo "deb https://apt.example.com/stable/deb/amd64 /" > /etc/apt/sources.list.d/x.list\n',
            'FROM debian\nRUN echo "deb https://apt.example.com/stable/deb/$(dpkg --print-architecture) /" '
            "> /etc/apt/sources.list.d/x.list\n",
            "A folder for each architecture",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nRUN echo deb [arch=amd64] https://apt.example.com/amd64/apt buster main > /etc/apt/sources.list.d/x.list\n",
            'FROM debian\nRUN echo deb [arch="$(dpkg --print-architecture)"] '
            '"https://apt.example.com/$(dpkg --print-architecture)/apt" buster main > /etc/apt/sources.list.d/x.list\n',
            "In both places",
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
            "FROM debian\nCOPY <<'EOF' /etc/apt/sources.list.d/x.list\n"
            "# deb [arch=amd64] https://apt.example.com stable main\nEOF\n",
            title="A comment of the list",
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
        concerned = frozenset(stages(facts))
        sources = list(apt_sources(facts))
        named: dict[StageFacts, set[str]] = {}
        for source in sources:
            named.setdefault(source.text.stage, set()).update(source.architectures)
        for source in sources:
            both = {"amd64", "arm64"} <= named[source.text.stage]
            missing = [] if both else _missing(facts, source)
            if not missing or source.text.stage not in concerned or is_chrome(source.uri):
                continue
            if why_fine(facts, source.text.instruction, source.span, source.text.command) is None:
                yield self.finding(
                    source.span, _message(facts, source, missing), _fix(document, facts, source)
                )
        yield from self._addresses(document, facts)
        yield from self._copied(document, facts)

    def _copied(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each entry of a list that is copied out of the build context."""
        concerned = frozenset(stages(facts))
        found = list(copied_apt_sources(facts))
        named = {word for _, source in found for word in source.architectures}
        for relative, source in found if not {"amd64", "arm64"} <= named else ():
            missing, stage = _missing(facts, source), source.text.stage
            if not missing or stage not in concerned or is_chrome(source.uri) or stage.why_fine is not None:
                continue
            path = document.path.parent / relative
            without = facts.tables.repository_has_arm64(source.uri) is False or len(source.architectures) > 1
            fix = (
                None
                if without or source.option is None
                else Fix(
                    "Leave the architecture to apt",
                    (Edit.delete(source.option, path),),
                    Applicability.UNSAFE,
                )
            )
            copied = Related(source.text.instruction.keyword_span, "copied here")
            yield self.finding(
                source.span, _message(facts, source, missing), fix, related=(copied,), path=path
            )

    def _addresses(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each address of a folder for amd64; entries that name architectures are told above."""
        concerned = frozenset(stages(facts)) if facts.named_arch is None else frozenset()
        for address in apt_addresses(facts):
            text, span = address.text, next(iter(_folders(address)), None)
            if span is None or text.stage not in concerned or "arch=" in text.value:
                continue
            if why_fine(facts, text.instruction, span, text.command) is not None:
                continue
            edits = _named(document, facts, text, [span])
            yield self.finding(
                span,
                "This is the folder of the repository for amd64: on another architecture apt finds none of its packages "
                "for itself.",
                Fix("Let dpkg name the folder", edits, Applicability.UNSAFE) if edits else None,
            )


def _folders(address: Address) -> list[Span]:
    """Where an address names a folder for amd64, in the words of dpkg; NVIDIA's are cuda-path's."""
    found = [
        address.text.span(address.start + word.start, address.start + word.end)
        for word in arch_words(address.uri)
        if word.text == AMD64.arch and address.uri[word.start - 1] == "/"
    ]
    return [span for span in found if span is not None]


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
    if any(word.arch == AMD64.arch and word.text != AMD64.arch for word in arch_words(source.uri)):
        return None  # a folder in words that dpkg does not say
    dynamic = text.body is None and source.architectures == ("amd64",) and AMD64.arch not in source.uri
    old = text.stage.distro.release in _OLD or any(release in text.value for release in _OLD)
    safe = dynamic and not old and published is True
    return Fix(title, edits, safe_if(facts, safe))


def _edits(document: Document, facts: Facts, source: AptSource) -> tuple[Edit, ...]:
    text = source.text
    folders = [span for address in text.addresses.get(source.uri, ()) for span in _folders(address)]
    if text.body is not None and not text.expands and not folders:
        return (Edit.delete(source.option),) if source.option else ()
    return _named(document, facts, text, [source.span, *folders])


def _named(document: Document, facts: Facts, text: Text, spans: Sequence[Span]) -> tuple[Edit, ...]:
    """Edits that let dpkg say the architecture in these places of a text; none where one of them cannot ask."""
    asks, edits = "$(dpkg --print-architecture)", []
    for span in dict.fromkeys(spans):
        if text.body is None:
            word = text.word(span)
            edit = substitute(word, span, asks, text.command) if word else None
        elif not text.expands:
            edit = None
        else:
            edit = Edit.replace(span, asks if text.command else "${TARGETARCH}")
        if edit is None:
            return ()
        edits.append(edit)
    if text.body is not None and text.command is None:
        return (*declare_arg(document, facts, text.instruction, "TARGETARCH"), *edits)
    return tuple(edits)
