"""AP703."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, Family, PlatformKind, StageFacts, Written, source_of, written
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.rewrite.paths import add_to_search_path, respelled_copy, respelled_value, uname_edits
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document, Env
from archpatch.text import Applicability, Edit, Fix, Span, agree, regex
from archpatch_rules.path.ld_preload_literal import preloaded

_TRIPLES = {"x86_64-linux-gnu": "amd64", "aarch64-linux-gnu": "arm64"}
_BOTH = tuple(_TRIPLES.values())
# As a folder; `/usr/x86_64-linux-gnu` is that of a cross compiler.
_FOLDER = regex(
    r"(?<![\w.-])(?<!/usr/)(?:(?<=/)(x86_64|aarch64)-linux-gnu(?=$|[/:\"'\s;,)*])|(x86_64|aarch64)-linux-gnu(?=/))"
)
# Lists of folders to search, in which one that does not exist does no harm.
_LISTS = frozenset(
    [
        "LD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "PKG_CONFIG_PATH",
        "PKG_CONFIG_LIBDIR",
        "CPATH",
        "C_INCLUDE_PATH",
        "CPLUS_INCLUDE_PATH",
        "GI_TYPELIB_PATH",
        "PATH",
    ]
)


class MultiarchDirLiteral(Rule):
    """A library folder of Debian is written out for one architecture: `/usr/lib/x86_64-linux-gnu`.

    On arm64 it is called `/usr/lib/aarch64-linux-gnu`. There a COPY or `cp` from it fails the build, `ln -s` makes a
    link that leads nowhere, a configure script finds no library, and what is copied into it is never looked at.

    It is fine in a branch that asks for the architecture, beside the other folder (`a:b` in a search path), and in a
    stage that adds a foreign architecture to dpkg.

    The fix writes `$(uname -m)-linux-gnu` in a RUN of a stage that runs on the target; amd64 stays the same, so it is
    safe, unless the same folder stands where no shell can help. A COPY takes `*-linux-gnu` where its destination is
    another folder; where it is that folder, the word is made by `${NAME/from/to}`, which a frontend of 2023-11 or newer
    (1.7) knows; a search path gets the second folder, the path of one file or folder in ENV the word. All are unsafe.
    Other words have no fix; let a RUN make a link of a fixed name (`ln -s /usr/lib/$(uname -m)-linux-gnu
    /usr/lib/multiarch`) and use that.
    """

    code, name, severity = "AP703", "multiarch-dir-literal", Severity.WARNING
    hints = ("x86_64-linux-gnu", "aarch64-linux-gnu")
    errors = (
        "cp: cannot stat '/usr/lib/x86_64-linux-gnu/libfoo.so': No such file or directory",
        '"/usr/lib/x86_64-linux-gnu": not found',
        "error while loading shared libraries: libfoo.so: cannot open shared object file",
        "configure: error: Cannot find ldap libraries in /usr/lib",
    )
    examples = (
        Example(
            "FROM php:8.3-apache\nRUN docker-php-ext-configure ldap --with-libdir=lib/x86_64-linux-gnu\n",
            'FROM php:8.3-apache\nRUN docker-php-ext-configure ldap --with-libdir="lib/$(uname -m)-linux-gnu"\n',
            applicability="safe",
        ),
        Example(
            "FROM debian\nRUN dpkg --add-architecture i386\nRUN ln -s /usr/lib/x86_64-linux-gnu/libz.so /usr/lib\n",
            "FROM debian\nRUN dpkg --add-architecture i386\n"
            'RUN ln -s "/usr/lib/$(uname -m)-linux-gnu/libz.so" /usr/lib\n',
            "Beside programs for 32 bits",
            applicability="safe",
        ),
        Example(
            "FROM debian\nRUN for lib in /usr/lib/x86_64-linux-gnu/libicu*.so.72; do ln -s $lib ${lib%.72}.74; done\n",
            'FROM debian\nRUN for lib in /usr/lib/"$(uname -m)"-linux-gnu/libicu*.so.72; do ln -s $lib ${lib%.72}.74; done\n',
            "What a loop goes through",
            applicability="safe",
        ),
        Example(
            "FROM debian AS libs\nRUN apt-get update && apt-get install -y libpq5\nFROM gcr.io/distroless/cc\n"
            "COPY --from=libs /usr/lib/x86_64-linux-gnu/libpq.so.5 /usr/lib/\n",
            "FROM debian AS libs\nRUN apt-get update && apt-get install -y libpq5\nFROM gcr.io/distroless/cc\n"
            "COPY --from=libs /usr/lib/*-linux-gnu/libpq.so.5 /usr/lib/\n",
            "A pattern, where the destination is another folder",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV LD_LIBRARY_PATH=/opt/lib:/usr/lib/x86_64-linux-gnu\n",
            "FROM debian\nENV LD_LIBRARY_PATH=/opt/lib:/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu\n",
            "Both folders in a search path",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nENV MAGIC=/usr/lib/x86_64-linux-gnu/libmagic.so.1\n",
            "FROM debian\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "ENV MAGIC=/usr/lib/${TARGET_ARCH}-linux-gnu/libmagic.so.1\n",
            "The path of one file",
            applicability="unsafe",
        ),
        Example(
            "FROM debian AS libs\nRUN apt-get update && apt-get install -y libpq5\nFROM gcr.io/distroless/cc\n"
            "COPY --from=libs /usr/lib/x86_64-linux-gnu/libpq.so.5 /usr/lib/x86_64-linux-gnu/libpq.so.5\n",
            "FROM debian AS libs\nRUN apt-get update && apt-get install -y libpq5\nFROM gcr.io/distroless/cc\n"
            "ARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "COPY --from=libs /usr/lib/${TARGET_ARCH}-linux-gnu/libpq.so.5 "
            "/usr/lib/${TARGET_ARCH}-linux-gnu/libpq.so.5\n",
            "The same folder on both sides",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\nCOPY libcuda.so.1 /usr/lib/x86_64-linux-gnu/\nRUN ls /usr/lib/x86_64-linux-gnu/libcuda.so.1\n",
            "FROM debian\nCOPY libcuda.so.1 /usr/lib/x86_64-linux-gnu/\nRUN ls /usr/lib/x86_64-linux-gnu/libcuda.so.1\n",
            "A file of one architecture, which commands look for where a COPY put it",
        ),
        Example(
            "FROM alpine\nCOPY --from=debian:bookworm /lib/x86_64-linux-gnu/libc.so.6 /glibc/\n",
            "FROM alpine\nCOPY --from=debian:bookworm /lib/*-linux-gnu/libc.so.6 /glibc/\n",
            "Taken from an image of Debian",
            applicability="unsafe",
        ),
        Example(
            "FROM alpine\nCOPY libc.so.6 /usr/lib/x86_64-linux-gnu/\n",
            title="A folder of no meaning on Alpine",
        ),
        Example("FROM debian\nRUN ln -s /usr/lib/$(uname -m)-linux-gnu/libz.so /usr/lib\n"),
        Example(
            "FROM debian\n"
            'RUN case "$(uname -m)" in x86_64) cp /usr/lib/x86_64-linux-gnu/a.so /b ;; aarch64) cp /c/a.so /b ;; esac\n'
        ),
        Example(
            "FROM debian\nRUN x86_64-linux-gnu-gcc -I/usr/x86_64-linux-gnu/include a.c\n", title="A compiler"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command, and for each other instruction."""
        places = list(_places(facts))
        fixed = all(uname_edits(facts, place, triple, triple.split("-")[0]) for place, triple in places)
        joint = _joint(document, facts, places)
        filled = {place.stage for place, _ in places if _is_destination(place)}
        groups: dict[tuple[Span, str], list[Written]] = {}
        for place, triple in places:
            holder = place.command.shell.span if place.command else place.instruction.span
            groups.setdefault((holder, triple), []).append(place)
        for (_, triple), group in groups.items():
            other = _other(triple)
            yield self.finding(
                next(group[0].places(triple)),
                f"`{triple}` is Debian's folder for {_TRIPLES[triple]} alone; in an image for {_TRIPLES[other]} it is "
                f"`{other}`, and {_what_happens(group[0])}.",
                # Where a COPY puts files into the folder, commands that use them have to say the same.
                joint
                if group[0].stage in filled
                else _together([_fix(document, facts, place, triple, fixed) for place in group]),
            )


def _together(fixes: list[Fix | None]) -> Fix | None:
    known = [fix for fix in fixes if fix is not None]
    if len(known) < len(fixes):
        return None
    edits = tuple(edit for fix in known for edit in fix.edits)
    if not agree(edits):
        return None
    return Fix(known[0].title, edits, min(fix.applicability for fix in known))


def _joint(document: Document, facts: Facts, places: list[tuple[Written, str]]) -> Fix | None:
    """One fix for all places, where a COPY fills the folder; None where one of them cannot follow."""
    edits: list[Edit] = []
    for place, triple in places if any(_is_destination(place) for place, _ in places) else ():
        made = (
            uname_edits(facts, place, triple, triple.split("-")[0])
            or respelled_copy(document, facts, place, triple)
            or _searched_too(facts, place, triple)
        )
        if not made:
            return None
        edits += made
    if not edits or not agree(edits):
        return None
    return Fix("Call the folder as the target does", tuple(dict.fromkeys(edits)), Applicability.UNSAFE)


def _places(facts: Facts) -> Iterator[tuple[Written, str]]:
    for place in written(facts, *_TRIPLES):
        match = _FOLDER.search(place.value)
        if match is None or "://" in place.value or preloaded(place) is not None:
            continue
        triple = match[0]
        span = next(place.places(triple), None)
        if span is None or _foreign(place):
            continue
        if why_arch_is_fine(facts, _TRIPLES[triple], place.instruction, span, place.command) is None:
            yield place, triple


def _foreign(place: Written) -> bool:
    """Whether the stage has libraries of another architecture than its own, is for whoever builds, or not Debian's."""
    if place.stage.kind is PlatformKind.BUILD or _family(place) in (Family.RPM, Family.ALPINE):
        return True
    return place.stage.ever(_adds_architecture)


def _adds_architecture(stage: StageFacts) -> bool:
    return any(
        command.shell.name == "dpkg"
        and command.shell.has("--add-architecture")
        and any(word.raw not in ("--add-architecture", "i386") for word in command.shell.arguments)
        for command in stage.commands
    )


def _family(place: Written) -> Family:
    """The distribution whose folder it is: of a COPY's source, that of the stage or image it is taken from."""
    step = place.instruction
    if not isinstance(step, Copy) or step.source_stage is None or _is_destination(place):
        return place.stage.distro.family
    source = source_of(place.stage.facts, step)
    return Family.UNKNOWN if source is None else source.distro.family


def _is_destination(place: Written) -> bool:
    return isinstance(place.instruction, Copy) and place.word is place.instruction.destination


def _what_happens(place: Written) -> str:
    if isinstance(place.instruction, Copy):
        return "nothing looks for libraries here" if _is_destination(place) else "this COPY fails"
    if isinstance(place.instruction, Env):
        return "this path leads nowhere"
    return "this path is not there"


def _fix(document: Document, facts: Facts, place: Written, triple: str, everywhere: bool) -> Fix | None:
    edits = uname_edits(facts, place, triple, triple.split("-")[0])
    if edits:
        safe = everywhere and _TRIPLES[triple] == "amd64"
        return Fix(
            "Ask the machine for its name", edits, Applicability.SAFE if safe else Applicability.UNSAFE
        )
    if isinstance(place.instruction, Copy):
        goal = place.instruction.destination
        if place.word is goal or goal is None or place.instruction.json or _FOLDER.search(goal.value):
            return None
        if not goal.value.endswith("/") and len(place.instruction.sources) > 1:
            return None
        spans = place.places(triple)
        changes = tuple(Edit.replace(span, "*-linux-gnu") for span in spans)
        return Fix("Take the folder that is there", changes, Applicability.UNSAFE)
    added = _searched_too(facts, place, triple)
    if added:
        return Fix(f"Search {_other(triple)} too", added, Applicability.UNSAFE)
    named = respelled_value(document, facts, place, triple)
    return Fix("Let the path follow the target", named, Applicability.UNSAFE) if named else None


def _searched_too(facts: Facts, place: Written, triple: str) -> tuple[Edit, ...]:
    """The other folder beside this one, in a list of folders to search."""
    if (
        place.name not in _LISTS
        or not isinstance(place.instruction, Env)
        or not only_asked_for(facts, *_BOTH)
    ):
        return ()
    return add_to_search_path(place, triple, _other(triple))


def _other(triple: str) -> str:
    return next(text for text in _TRIPLES if text != triple)
