"""Whether two views are the same, up to what "Trust" allows a SAFE fix: docs/how-it-works.md.

Nothing may be gone, added or in another order, except for

(a) package names added to an install command that is there, and ARG lines;
(b) the value of an automatic argument where there was nothing because nobody had declared it;
(c) pairs of the tables below, each with its source.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping

from msgspec import Struct

from archpatch.facts.assigned import assigned
from archpatch.text import regex
from archpatch.view.stages import Body, StageView, View
from archpatch.view.values import Command, Node, StageRef, Word, fill, holes, literal


class Difference(Struct, frozen=True):
    """Where two views part: the stage (its name or number) and what differs."""

    stage: str
    what: str

    def __str__(self) -> str:
        return f"stage {self.stage}: {self.what}"


def same(before: View, after: View) -> bool:
    """Whether amd64 gets the same from both."""
    return difference(before, after) is None


def difference(before: View, after: View) -> Difference | None:
    """The first place where amd64 does not get the same; None where it does."""
    if before.directives != after.directives:
        return Difference("-", "other directives")
    pairs = _pairs(before.stages, after.stages)
    unmoved = all(one == other for one, other in pairs.items())
    for index, stage in enumerate(before.stages):
        label = stage.name or str(index)
        if index not in pairs:
            return Difference(label, "gone")
        other = after.stages[pairs[index]]
        if what := _Comparison(pairs, after, stage, unmoved).stages(stage, other):
            return Difference(label, what)
    if before.stages and pairs[len(before.stages) - 1] != len(after.stages) - 1:
        return Difference("-", "another stage is the last one")
    return None


def _pairs(before: tuple[StageView, ...], after: tuple[StageView, ...]) -> dict[int, int]:
    """Which stage became which: by name, those without one by their order; the last stays the last."""
    places: dict[str | None, list[int]] = {}
    for index, stage in enumerate(after):
        places.setdefault(stage.name, []).append(index)
    pairs: dict[int, int] = {}
    for index, stage in enumerate(before):
        free = places.get(stage.name)
        if free:
            pairs[index] = free.pop(0)
    return pairs


class _Comparison(Struct, frozen=True):
    """Compares values of two views; `stage` is the one at hand, before. `unmoved`: every stage has its number still."""

    pairs: Mapping[int, int]
    after: View
    stage: StageView
    unmoved: bool

    def stages(self, one: StageView, other: StageView) -> str:
        """What differs between two stages; empty if nothing does."""
        if one.platform != other.platform:
            return f"platform {one.platform} becomes {other.platform}"
        if not self.alike(one.base, other.base):
            return "another base"
        rest = list(reversed(other.steps))
        for step in one.steps:
            while rest and not self.alike(step, rest[-1]):
                if not _is_declaration(rest[-1]):
                    return f"{_name(step)} differs"
                rest.pop()
            if not rest:
                return f"{_name(step)} is gone"
            rest.pop()
        extra = next((step for step in rest if not _is_declaration(step)), None)
        return "" if extra is None else f"{_name(extra)} is new"

    def alike(self, one: Hashable, other: Hashable) -> bool:
        """Whether two steps are the same, holes that got declared being filled."""
        if self.unmoved and one == other:
            return True
        one, other = _opened(one, other)
        declared = frozenset(holes(one)) - frozenset(holes(other))
        return self._equal(fill(one, declared) if declared else one, other)

    def _equal(self, one: object, other: object) -> bool:
        if isinstance(one, StageRef) and isinstance(other, StageRef):
            return self.pairs.get(one.index) == other.index
        if isinstance(one, tuple) and isinstance(other, tuple):
            return len(one) == len(other) and all(map(self._equal, one, other))
        if isinstance(one, Command) and isinstance(other, Command):
            return self._commands(one, other)
        if isinstance(one, Node) and isinstance(other, Node) and (one.kind, other.kind) == ("ADD", "COPY"):
            return self._staged(one, other)
        if isinstance(one, Struct) and type(one) is type(other):
            names = one.__struct_fields__
            return all(self._equal(getattr(one, name), getattr(other, name)) for name in names)
        return one == other

    def _commands(self, one: Command, other: Command) -> bool:
        if not (self._assigns(one, other) and self._equal(one.redirects, other.redirects)):
            return False
        before, after = _spelled(one.words, self.stage), _spelled(other.words, self.stage)
        return self._equal(before, after) or _added_packages(before, after)

    def _assigns(self, one: Command, other: Command) -> bool:
        """`GOOS=linux GOARCH=amd64 go build` is `go build` on linux/amd64 where nothing else sets them: go(1), "Environment
        variables"."""
        after = other.assigns
        facts = self.stage.facts
        if one.words[:1] == (literal("go"),) and self.stage.platform == "linux/amd64" and facts is not None:
            image = facts.root.image
            names = () if image is None or not image.repository.endswith("golang") else ("GOOS", "GOARCH")
            held = {place.name for place in assigned(facts.facts, *names) if not place.alone}
            own = {
                f"{name}={value}"
                for name, value in zip(names, ("linux", "amd64"), strict=False)
                if name not in held
            }
            after = tuple(
                pair for pair in after if pair in one.assigns or f"{pair[0]}={pair[1].constant}" not in own
            )
        return self._equal(one.assigns, after)

    def _staged(self, add: Node, copy: Node) -> bool:
        """ADD of a URL, and COPY from a stage that does nothing but ADD it with the same owner and mode.

        ADD writes a downloaded file as root with mode 0600 whoever runs it, and COPY keeps mode and (as root)
        owner of what it takes: the reference's "ADD --chown --chmod" and "COPY --from".
        """
        flags, sources, goal = add.parts
        new_flags, new_sources, new_goal = copy.parts
        assert isinstance(flags, tuple)
        assert isinstance(new_flags, tuple)
        given, taken = dict(flags), dict(new_flags)
        origin = taken.pop("from", None)
        checksum = given.pop("checksum", None)
        if not isinstance(origin, StageRef) or given != taken or origin.index in self.pairs.values():
            return False
        steps, base = self._whole(origin.index)
        inner_flags = () if checksum is None else (("checksum", checksum),)
        if base != literal("scratch") or len(steps) != 1 or not isinstance(steps[0], Node):
            return False
        inner = steps[0]
        if inner.kind != "ADD" or inner.parts[:2] != (inner_flags, sources):
            return False
        return _same_file(sources, inner.parts[2], new_sources, goal, new_goal)

    def _whole(self, index: int) -> tuple[tuple[Hashable, ...], Hashable]:
        """Every step of a stage, those of the stages it stands on included, and the image below."""
        stage = self.after.stages[index]
        steps = tuple(step for step in stage.steps if not _is_declaration(step))
        if isinstance(stage.base, StageRef):
            below, base = self._whole(stage.base.index)
            return (*below, *steps), base
        return steps, stage.base


def _opened(one: Hashable, other: Hashable) -> tuple[Hashable, Hashable]:
    """Two steps with the scripts in them read; None in place of scripts that are surely the same."""
    if not (isinstance(one, Node) and isinstance(other, Node) and one.parts and other.parts):
        return one, other
    last, other_last = one.parts[-1], other.parts[-1]
    if isinstance(last, Body) and isinstance(other_last, Body):
        surely = last.is_surely(other_last)
        last, other_last = (None, None) if surely else (last.steps, other_last.steps)
    else:
        last, other_last = _opened(last, other_last)
    return Node(one.kind, (*one.parts[:-1], last)), Node(other.kind, (*other.parts[:-1], other_last))


def _is_declaration(step: Hashable) -> bool:
    if isinstance(step, Node) and step.kind == "ONBUILD":
        return all(map(_is_declaration, step.parts))
    return isinstance(step, Node) and step.kind == "ARG"


def _name(step: Hashable) -> str:
    return step.kind if isinstance(step, Node) else "a step"


def _same_file(
    sources: Hashable, inner_goal: Hashable, taken: Hashable, goal: Hashable, new_goal: Hashable
) -> bool:
    """Whether one URL, added at `inner_goal`, is what COPY takes, and comes out under the same name."""
    if not (isinstance(sources, tuple) and isinstance(taken, tuple) and len(sources) == len(taken) == 1):
        return False
    url, path = _constant(sources[0]), _constant(taken[0])
    inside, end, new_end = _constant(inner_goal), _constant(goal), _constant(new_goal)
    if not url or not path or not inside or not end or not new_end or "://" not in url:
        return False
    if ".git" in url:  # a repository: ADD makes a folder of it
        return False
    name = url.split("?", 1)[0].rsplit("/", 1)[-1]
    stored = inside + name if inside.endswith("/") else inside
    if "/" + stored.lstrip("/") != "/" + path.lstrip("/") or re.search(r"[*?\[]", path):
        return False
    final = end + name if end.endswith("/") else end
    new_final = new_end + path.rsplit("/", 1)[-1] if new_end.endswith("/") else new_end
    return final == new_final


def _constant(word: Hashable) -> str | None:
    return word.constant if isinstance(word, Word) else None


# (a) Install commands, with those of their options that take the next word as a value.
_INSTALLS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "apk": (
        frozenset({"add"}),
        frozenset(
            {"-t", "--virtual", "-X", "--repository", "-p", "--root", "--arch", "--cache-dir", "--keys-dir"}
        ),
    ),
    "apt-get": (frozenset({"install"}), frozenset({"-t", "--target-release", "-o", "--option", "-c"})),
    "apt": (frozenset({"install"}), frozenset({"-t", "--target-release", "-o", "--option", "-c"})),
    **{
        name: (
            frozenset({"install"}),
            frozenset({"-c", "--config", "-x", "--exclude", "--installroot", "--releasever", "--enablerepo"}),
        )
        for name in ("yum", "dnf", "microdnf", "tdnf")
    },
    "zypper": (frozenset({"install", "in"}), frozenset({"-r", "--repo", "-t", "--type", "--from"})),
}
_PACKAGE = regex(r"[A-Za-z0-9][A-Za-z0-9+._-]*(=[A-Za-z0-9+.:~_-]+)?")


def _added_packages(before: tuple[Word, ...], after: tuple[Word, ...]) -> bool:
    """Whether `after` is the install command `before` with package names added and nothing else."""
    found = _installer(before)
    if found is None or len(after) <= len(before):
        return False
    start, valued = found
    if after[:start] != before[:start]:
        return False
    kept = list(reversed(before[start:]))
    previous: str | None = None
    for word in after[start:]:
        if kept and word == kept[-1]:
            kept.pop()
        elif previous in valued or not _PACKAGE.fullmatch(word.constant or ""):
            return False
        previous = word.constant
    return not kept


def _installer(words: tuple[Word, ...]) -> tuple[int, frozenset[str]] | None:
    """Where the arguments of an install command begin, and its options that take a value."""
    texts = [word.constant for word in words]
    at = 1 if texts[:1] == ["sudo"] else 0
    while at < len(texts) and "=" in (texts[at] or ""):
        at += 1
    if at >= len(texts) or (name := texts[at]) not in _INSTALLS or name is None:
        return None
    verbs, valued = _INSTALLS[name]
    place = next((index for index in range(at + 1, len(texts)) if texts[index] in verbs), None)
    return None if place is None else (place + 1, valued)


# (c) Spellings that mean one thing; both sides are written in the form on the right.


def _spelled(words: tuple[Word, ...], stage: StageView) -> tuple[Word, ...]:
    texts = [word.constant for word in words]
    if texts[:1] == ["dotnet"]:
        return tuple(_dotnet(words, texts, stage.musl))
    apt = any(text in ("apt", "apt-get") for text in texts[:2]) and _installer(words) is not None
    if apt and stage.platform == "linux/amd64":
        # dpkg installs `name:amd64` and `name` alike where amd64 is the machine's own: deb-version(7), apt-get(8).
        return tuple(
            literal(text.removesuffix(":amd64")) if text and text.endswith(":amd64") else word
            for word, text in zip(words, texts, strict=True)
        )
    return words


_RIDS = ("x64", "amd64")


def _dotnet(words: tuple[Word, ...], texts: list[str | None], musl: bool | None) -> Iterable[Word]:
    """`-a ARCH` is `-r` with the SDK's own system: dotnet-publish(1), "--arch"; on Alpine that is linux-musl."""
    position = 0
    while position < len(words):
        text, following = texts[position], texts[position + 1] if position + 1 < len(texts) else None
        position += 1
        name, joint, value = (
            (text or "").partition("=") if "=" in (text or "") else ((text or "").partition(":"))
        )
        if name not in ("-a", "--arch", "-r", "--runtime"):
            yield words[position - 1]
            continue
        if not joint:
            value, position = following or "", position + 1
            if following is None:
                yield from words[position - 2 : position]
                continue
        if name in ("-a", "--arch") and value in _RIDS and musl is not None:
            yield literal(f"-r linux-{'musl-' if musl else ''}x64")
        elif name in ("-r", "--runtime"):
            yield literal(f"-r {value}")
        else:
            yield literal(f"-a {value}")
