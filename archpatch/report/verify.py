"""Reports of `archpatch verify` and `fix --verify`: text, JSON, Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from archpatch import __version__
from archpatch.report.json import Object, dump, path_of, text_of
from archpatch.report.paint import Paint
from archpatch.report.safe import safe
from archpatch.verify.verdict import Evidence, FixProof, Level, Look, Proof, State, Verdict, Verification

FORMATS = {
    "text": "a table for people",
    "json": "one object, for programs",
    "markdown": "for a pull request or a step summary",
}
_STATE_COLOR = {State.RIGHT: "green", State.WRONG: "red", State.UNKNOWN: "yellow"}
_VERDICT_COLOR = {
    Verdict.CONFIRMED: "green",
    Verdict.NEUTRAL: "cyan",
    Verdict.REFUTED: "red",
    Verdict.UNKNOWN: "yellow",
}
_LOG_LINES = 8
_CODES = 6  # rules that know an error
_SHOWN = 6  # pieces of evidence of one image


def render(format: str, result: Verification, *, color: bool = False) -> bytes:
    """The report in one of FORMATS."""
    if format == "json":
        return dump(_object(result), indent=2)
    if format == "markdown":
        return _markdown(result).encode("utf-8", "replace")
    return ("\n".join(_text(result, Paint(color))) + "\n").encode("utf-8", "replace")


# Text


def _text(result: Verification, paint: Paint) -> Iterator[str]:
    if result.trouble:
        yield f"{paint('yellow', 'could not tell')}: {safe(result.trouble)}"
        return
    if result.level is Level.PLAN:
        yield "# archpatch-verify.json"
        yield result.plan.rstrip("\n")
        yield from (f"$ {safe(command)}" for command in result.commands)
        yield from (f"{paint('yellow', 'note')}: {safe(advice)}" for advice in result.advice)
        yield "Nothing was run."
        return
    if result.builder:
        yield f"Builder {safe(result.builder)}: {safe(engine(result))}"
    for advice in result.advice:
        yield f"{paint('yellow', 'note')}: {safe(advice)}"
    for path, looks in _by_file(result.looks):
        yield ""
        yield paint("bold", safe(path))
        for look in looks:
            yield from _look(look, paint)
    if result.fixes:
        yield ""
        yield from _fixes(result.fixes, paint)
    yield ""
    yield summary(result)


def engine(result: Verification) -> str:
    """The builder's driver, versions and platforms in one line."""
    versions = result.versions
    parts = [
        f"{result.driver} driver",
        *(f"{name} {versions[name]}" for name in ("engine", "buildx", "buildkit") if name in versions),
        *(f"{platform} {mode}" for platform, mode in result.modes.items()),
    ]
    return ", ".join(parts)


def summary(result: Verification) -> str:
    """What came of it, and what a good end proves."""
    if result.fixes:
        counts = dict.fromkeys(Verdict, 0)
        for fix in result.fixes:
            counts[fix.verdict] += 1
        told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
        written = sum(fix.written for fix in result.fixes)
        return f"Fixes: {told}; {written} written. Images: {_counted(result.looks)}."
    if not result.looks:
        return "No image to look at."
    proof = f" Proved: {result.level.proves}." if result.state is State.RIGHT else ""
    return f"Images: {_counted(result.looks)}.{proof}"


def _counted(looks: Iterable[Look]) -> str:
    states = [look.state for look in looks]
    return ", ".join(f"{states.count(state)} {state.value}" for state in State if state in states) or "none"


def _by_file(looks: Iterable[Look]) -> Iterator[tuple[str, list[Look]]]:
    """The looks of each image under its file, and its name where the file makes several."""
    found: dict[Path, dict[str, list[Look]]] = {}
    for look in looks:
        found.setdefault(look.dockerfile, {}).setdefault(look.target, []).append(look)
    for path, images in found.items():
        for name, own in images.items():
            yield f"{path} ({name})" if len(images) > 1 else str(path), own


def _look(look: Look, paint: Paint) -> Iterator[str]:
    state = paint(_STATE_COLOR[look.state], f"{look.state.value:8}")
    about = [look.mode] if look.mode != "unknown" else []
    about += [f"{look.elf_files} native file{'s' if look.elf_files > 1 else ''}"] if look.elf_files else []
    about += [f"{look.exempt} exempt"] if look.exempt else []
    about += [f"{look.seconds:.1f} s"] if look.seconds else []
    about += ["cached"] if look.cached else []
    yield f"  {look.platform!s:14} {state} {', '.join(about)}".rstrip()
    for line in grouped(look.evidence):
        yield f"      {safe(line)}"
    for one in look.evidence:
        yield from (f"        | {safe(line)}" for line in _tail(one.log))
    for note in look.notes:
        yield f"      {paint('dim', 'note: ' + safe(note))}"


def grouped(evidence: Iterable[Evidence]) -> list[str]:
    """Evidence in lines, equal messages of many files in one."""
    groups: dict[tuple[str, str, tuple[int, ...]], list[Evidence]] = {}
    for one in evidence:
        groups.setdefault((one.kind, one.message, one.lines), []).append(one)
    lines = []
    for (kind, message, numbers), members in groups.items():
        place = f" ({_lines(numbers)})" if numbers else ""
        paths = [f"/{one.path}" for one in members if one.path]
        files = f": {paths[0]}" if paths else ""
        files += f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        codes = sorted({code for one in members for code in one.codes})
        more = f" and {len(codes) - _CODES} more" if len(codes) > _CODES else ""
        rules = f" [{', '.join(codes[:_CODES])}{more}]" if codes else ""
        lines.append(f"{kind}: {message}{files}{place}{rules}")
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]
    return lines


def _tail(log: str) -> list[str]:
    """The last lines of a failed build or command."""
    return [line for line in log.splitlines() if line.strip()][-_LOG_LINES:]


def _lines(numbers: tuple[int, ...]) -> str:
    return f"line {numbers[0]}" if len(numbers) == 1 else f"lines {numbers[0]}-{numbers[-1]}"


def _fixes(fixes: Iterable[FixProof], paint: Paint) -> Iterator[str]:
    yield paint("bold", "Fixes")
    for fix in fixes:
        verdict = paint(_VERDICT_COLOR[fix.verdict], f"{fix.verdict.value:9}")
        written = "written" if fix.written else "not written"
        yield f"  {verdict} {fix.code} {safe(fix.path)}:{fix.line}: {safe(fix.title)} ({fix.applicability}, {written})"
        if fix.why not in [f"{proof.platform}: {proof.evidence}" for proof in fix.proofs]:
            yield f"            {safe(fix.why)}"
        for proof in fix.proofs:
            yield f"            {proof.platform}: {proof.before.value} -> {proof.after.value}; {safe(proof.evidence)}"


# JSON


def _object(result: Verification) -> Object:
    return {
        "version": 1,
        "tool": __version__,
        "level": result.level.value,
        "proves": result.level.proves,
        "state": result.state.value,
        "trouble": result.trouble or None,
        "builder": {
            "name": result.builder,
            "driver": result.driver,
            "versions": dict(result.versions),
            "platforms": {str(platform): mode for platform, mode in result.modes.items()},
        },
        "advice": list(result.advice),
        "images": [_image(look) for look in result.looks],
        "before": [_image(look) for look in result.before],
        "fixes": [_fix(fix) for fix in result.fixes],
        "plan": result.plan or None,
        "commands": list(result.commands),
    }


def _image(look: Look) -> Object:
    return {
        **text_of("target", look.target),
        **path_of(look.dockerfile),
        "platform": str(look.platform),
        "state": look.state.value,
        "mode": look.mode,
        "seconds": look.seconds,
        "native_files": look.elf_files,
        "exempt": look.exempt,
        "cached": look.cached,
        "evidence": [_evidence(one) for one in look.evidence],
        "notes": list(look.notes),
        "bases": list(look.resolved),
        "command": list(look.command),
    }


def _evidence(one: Evidence) -> Object:
    return {
        "kind": one.kind,
        "state": one.state.value,
        **text_of("message", one.message),
        **text_of("file", one.path),
        "lines": list(one.lines),
        "codes": list(one.codes),
        **text_of("log", one.log),
    }


def _fix(fix: FixProof) -> Object:
    return {
        **path_of(fix.path),
        "code": fix.code,
        "line": fix.line,
        **text_of("title", fix.title),
        "applicability": str(fix.applicability),
        "verdict": fix.verdict.value,
        **text_of("why", fix.why),
        "written": fix.written,
        "proofs": [_proof(proof) for proof in fix.proofs],
    }


def _proof(proof: Proof) -> Object:
    return {
        "platform": str(proof.platform),
        "verdict": proof.verdict.value,
        "before": proof.before.value,
        "after": proof.after.value,
        **text_of("evidence", proof.evidence),
        "command": proof.command,
    }


# Markdown


def _markdown(result: Verification) -> str:
    from archpatch.report.pages import environment  # jinja2 is dear at start-up, and most runs write text

    pages = environment()
    pages.filters |= {"cell": cell, "fence": fence, "grouped": grouped}  # cell and fence escape
    template = pages.get_template("verify.md.j2")
    return template.render(result=result, engine=engine(result), summary=summary(result), tool=__version__)


def cell(text: object) -> str:
    """A text for a cell of a table: no markup, link, mention or HTML of its own comes alive."""
    plain = safe(text)
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", plain)
    # Mentions, references and bare links are cut by an empty comment that shows as nothing.
    return re.sub(r"@|://|www\.", lambda match: match[0][0] + "<!-- -->" + match[0][1:], plain)


def fence(text: str) -> str:
    """A code block whose fence is longer than any in the text."""
    lines = "\n".join(safe(line) for line in text.splitlines())
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}\n{lines}\n{mark}"
