"""Random Dockerfiles that look like real ones, and the laws that each of them must keep."""

from __future__ import annotations

import re
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from archpatch import engine, registry
from archpatch.facts import MemoryContext
from archpatch.rule import Style
from archpatch.syntax.parse import parse
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, decode, encode

RULES = registry.load()
LIMIT = 1.0  # seconds of the processor for one question about one file
FILES: dict[str, str | bytes] = {
    "Dockerfile": b"",
    "requirements.txt": "grpcio-tools==1.30.0\ntorch\n",
    "setup.py": "from setuptools import setup, Extension\nsetup(ext_modules=[Extension('a', ['a.c'], "
    "extra_compile_args=['-msse4.2'])])\n",
    "app.csproj": "<Project><PropertyGroup><RuntimeIdentifier>linux-musl-x64</RuntimeIdentifier></PropertyGroup></Project>\n",
    "entrypoint.sh": '#!/bin/sh\nexec /opt/tool-linux-amd64 "$@"\n',
    "bin/tool-linux-amd64": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00",
}

WORDS = [
    "amd64",
    "x86_64",
    "x64",
    "x86-64",
    "arm64",
    "aarch64",
    "i386",
    "386",
    "linux/amd64",
    "linux-x64",
    "linux-musl-x64",
    "x86_64-linux-gnu",
    "x86_64-unknown-linux-musl",
    "$TARGETARCH",
    "${TARGETARCH}",
    "$TARGETPLATFORM",
    "$BUILDPLATFORM",
    "${BUILDARCH}",
    "${TARGETARCH:-amd64}",
    "${ARCH}",
    "--platform=linux/amd64",
    "--platform=$BUILDPLATFORM",
    "GOARCH=amd64",
    "$(uname\t-m)",
    "CGO_ENABLED=0",
    ":amd64",
    "[arch=amd64]",
    "-march=native",
    "-msse4.2",
    "*amd64*",
    "/usr/lib/x86_64-linux-gnu",
]
TOKENS = [
    "",
    "\\\n;",
    "&&",
    "||",
    "|",
    "'",
    '"',
    "`",
    "(",
    ")",
    "{",
    "}",
    "$",
    "${",
    "$(",
    "\\",
    "#",
    "--",
    "=",
    ":",
    "/",
    "<<EOF",
    "<<-'E'",
    "EOF\nfi\n;;",
    "esac",
    "case",
    "if",
    "then",
    "else",
    "for",
    "do",
    "done",
    "\t",
    "\r\n",
    "\x00",
    "\ufeff",
    "\xa0",
    "é",
    "�",
    "'",
    "RUN",
    "FROM",
    "ONBUILD",
    "AS",
    "[",
    "]",
    '["a",',
    "!",
]
LINES = (
    "ARG TARGETARCH\n",
    "ARG TARGETARCH=amd64\n",
    "ARG ARCH=x86_64\n",
    "ENV ARCH=amd64 DIR=/usr/lib/x86_64-linux-gnu\n",
    "FROM --platform=linux/amd64 golang:1.22 AS build\n",
    "FROM --platform=$BUILDPLATFORM debian:12\n",
    "FROM amd64/alpine:3.19\n",
    "FROM build\n",
    "FROM scratch\n",
    "# escape=`\n",
    "# archpatch: ignore\n",
    "# archpatch: ignore[AP401] -- we know\n",
    "SHELL [\"/bin/bash\", \"-c\"]\n",
    "SHELL [\"powershell\"]\n",
    "COPY --from=build /bin/tool-linux-amd64 /bin/\n",
    "RUN <<EOF\n",
    "EOF\n",
    "RUN curl -fsSLO https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubectl && chmod +x kubectl\n",
    "RUN case \"$TARGETARCH\" in amd64) A=x64 ;; arm64) A=arm64 ;; esac; wget https://x.org/t-$A.tgz\n",
    "RUN if [ \"$(uname -m)\" = x86_64 ]; then apt-get install -y gcc-multilib; fi\n",
    "RUN GOOS=linux GOARCH=amd64 go build -o /app .\n",
    "RUN dpkg --add-architecture i386 && apt-get update && apt-get install -y libc6:i386\n",
    "RUN dotnet publish -r linux-musl-x64 -c release\n",
    "RUN pip install grpcio-tools && apk add gcc\n",
    "ENTRYPOINT [\"/bin/tool-linux-amd64\"]\n",
    "CMD /opt/x86_64/run\n",
)  # fmt: skip
_PATH = re.compile(r"^Dockerfile: ")
_ARCH = re.compile("|".join(map(re.escape, sorted(WORDS[:12], key=len, reverse=True))))


class Broken(Exception):
    """A law that a file does not keep; str() is one line, the same for alike failures."""


def seeds() -> list[bytes]:
    """What to begin from when there are no real files: every example of every rule."""
    return sorted({encode(example.before) for rule in RULES for example in rule.examples})


def mutant(random: Random, files: Sequence[bytes]) -> bytes:
    """A file made of others, or of nothing but our own lines."""
    if random.random() < 0.15:
        lines = random.choices(LINES, k=random.randint(1, 14))
        text = encode("".join(["FROM debian:12\n" * (random.random() < 0.8), *lines]))
    else:
        text = random.choice(files)
    for _ in range(random.choice((1, 1, 2, 3, 5, 9))):
        text = random.choice(_MUTATIONS)(random, text, files)
    return text[:40_000]


def _flip(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    at = random.randrange(len(text) + 1)
    return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]


def _cut(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    at = random.randrange(len(text) + 1)
    return text[:at] + text[at + random.choice((1, 2, 5, 40)) :]


def _insert(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    at = random.randrange(len(text) + 1)
    return text[:at] + encode(random.choice(random.choice((WORDS, TOKENS)))) + text[at:]


def _swap(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    """Another architecture in place of one, here and there."""
    share = random.random()

    def other(found: re.Match[str]) -> str:
        return random.choice(WORDS) if random.random() < share else found[0]

    return encode(_ARCH.sub(other, decode(text)))


def _line(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    lines = text.splitlines(keepends=True)
    at = random.randrange(len(lines) + 1)
    kind = random.randrange(5)
    if kind == 0:
        return b"".join((*lines[:at], *lines[at + 1 :]))
    if kind == 1 and lines:
        return b"".join((*lines[:at], *lines[at : at + 1] * 2, *lines[at + 1 :]))
    if kind == 2 and lines:
        random.shuffle(lines)
        return b"".join(lines)
    if kind == 3:
        return b"".join((*lines[:at], encode(random.choice(LINES)), *lines[at:]))
    others = random.choice(files).splitlines(keepends=True)
    start = random.randrange(len(others) + 1)
    return b"".join((*lines[:at], *others[start : start + random.randint(1, 12)], *lines[at:]))


def _whole(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    kind = random.randrange(7)
    if kind == 0:
        return text.replace(b"\n", b"\r\n")
    if kind == 1:
        return text.rstrip(b"\n")
    if kind == 2:
        return b"\xef\xbb\xbf" + text
    if kind == 3:
        return b"# escape=`\n" + text.replace(b"\\\n", b"`\n")
    if kind == 4:
        return text.replace(b"RUN ", b"ONBUILD RUN ")
    if kind == 5:
        return text.replace(b" && ", b"; ")
    return text + text


def _token(random: Random, text: bytes, files: Sequence[bytes]) -> bytes:
    """One word in place of another."""
    words = list(re.finditer(rb"[^\s]+", text))
    if not words:
        return text
    found = random.choice(words)
    return text[: found.start()] + encode(random.choice(WORDS)) + text[found.end() :]


_MUTATIONS = (_flip, _cut, _insert, _insert, _swap, _swap, _line, _line, _whole, _token, _token)


def small(random: Random, files: Sequence[bytes]) -> bytes:
    """A few neighbouring lines of a file, mutated: dozens of these take the time of one whole file."""
    lines = random.choice(files).splitlines(keepends=True)
    at = random.randrange(len(lines) + 1)
    text = b"".join(lines[at : at + random.randint(1, 10)])
    if random.random() < 0.7:
        text = b"FROM debian:12\n" + text
    for _ in range(random.choice((1, 1, 2, 3))):
        text = random.choice(_MUTATIONS)(random, text, files)
    return text[:4_000]


def assert_lawful(source: bytes) -> bool:
    """Raise Broken unless the file is read, checked and fixed as promised. Whether anything could be fixed."""
    document = _read(source)
    worked = False
    for style in Style:
        settings = engine.Settings(style=style)
        offered = _checked(document, settings)
        for level in (Applicability.SAFE, Applicability.UNSAFE):
            if any(one >= level for one in offered):
                worked = True
                _settles(document, settings, level)
    return worked


def assert_checked(source: bytes, style: Style) -> bool:
    """Raise Broken unless the file is read and checked as promised, in one style. Whether anything could be fixed."""
    return bool(_checked(_read(source), engine.Settings(style=style)))


def _read(source: bytes) -> Document:
    with _within("parse"):
        document = parse(source)
    ends = [0, *(piece.span.end for piece in document.pieces)]
    if [piece.span.start for piece in document.pieces] != ends[:-1] or ends[-1] != len(source):
        raise Broken("the pieces of the tree are not the file")
    return document


def _checked(document: Document, settings: engine.Settings) -> set[Applicability]:
    """How far the fixes that are offered may be trusted."""
    with _within(f"check {settings.style.value}"):
        report = engine.check(document, RULES, settings, MemoryContext(FILES))
    for finding in report.findings:
        if finding.path is None and finding.span.end > len(document.source):
            raise Broken(f"{finding.code}: a finding outside of the file")
    return {one.fix.applicability for one in report.findings if one.fix and one.fix.edits}


def _settles(document: Document, settings: engine.Settings, level: Applicability) -> None:
    """The text after `fix` parses if the text before did, and is one that `fix` leaves alone."""
    name = f"fix {settings.style.value} {level.name.lower()}"
    with _within(name):
        once = engine.fix(document, RULES, settings, MemoryContext(FILES), level)
    mended = parse(once.source)
    if mended.problems and not document.problems:
        raise Broken(f"{name}: the file does not parse afterwards")
    files = MemoryContext({**FILES, **{path.as_posix(): text for path, text in once.files.items()}})
    with _within(f"{name} again"):
        twice = engine.fix(mended, RULES, settings, files, level)
    if twice.source != once.source or twice.files:
        codes = " ".join(sorted({finding.code for finding in twice.applied}))
        raise Broken(f"{name}: a second run changes the file again ({codes})")


@contextmanager
def _within(what: str) -> Iterator[None]:
    """Turn exceptions, and more than LIMIT seconds of the processor, into Broken."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Broken(f"{what}: takes more than {LIMIT:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        yield
    except Broken:
        raise
    except engine.Unstable as error:
        raise Broken(f"{what}: {', '.join(error.codes)} do not settle") from error
    except Exception as error:
        cause = error.__cause__ or error
        place = traceback.extract_tb(cause.__traceback__)[-1]
        told = _PATH.sub("", str(error)) if isinstance(error, engine.InternalError) else ""
        raise Broken(
            f"{what}: {type(cause).__name__} in {Path(place.filename).name}:{place.lineno} {told[:120]}"
        ) from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
