"""What the error of a failed build means: a table of texts, and the rules whose pitfall gives them.

Each line was seen in a build of both a broken and a mended file; see docs/verify.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from archpatch.engine import InternalError, Settings, check
from archpatch.platforms import AMD64, Platform
from archpatch.rule import Rule
from archpatch.syntax.tree import Document
from archpatch.verify.verdict import State

_TELLING = 8  # characters of a text that is no chance find in a log


@dataclass(frozen=True, slots=True)
class Signature:
    """A text of an error, what it means, and what it makes of the image.

    UNKNOWN: the trouble lies with this builder, this network or this emulator, and says nothing of the file.
    """

    name: str
    pattern: re.Pattern[str]
    meaning: str
    state: State = State.WRONG


def _signature(name: str, pattern: str, meaning: str, state: State = State.WRONG) -> Signature:
    return Signature(name, re.compile(pattern, re.IGNORECASE), meaning, state)


# The first that matches counts: those that say nothing of the file stand first where they could hide others.
SIGNATURES = (
    _signature(
        "secret", r"secret \S+: not found|unset ssh forward key|no SSH key \S+ forwarded|/run/secrets/\S+: No such file",
        "it wants a secret or an SSH agent, and verify gives none", State.UNKNOWN,
    ),
    _signature("no-space", r"no space left on device", "the builder's disk is full", State.UNKNOWN),
    _signature(
        "engine",
        r"Cannot connect to the Docker daemon|rpc error: code = Unavailable|closing transport due to"
        r"|failed to (find|dial|get) (builder|buildkit)|no valid drivers found",
        "the builder went away", State.UNKNOWN,
    ),
    _signature(
        "entitlement", r"entitlement \S+ is not (allowed|granted)|network\.host is not allowed",
        "the builder does not grant what was asked of it", State.UNKNOWN,
    ),
    _signature(
        "killed", r"exit code: 137|signal: killed", "a step was killed, perhaps for lack of memory", State.UNKNOWN
    ),
    _signature(
        "frontend", r"dockerfile parse error|unknown flag: --|unknown instruction",
        "the builder's own frontend does not read the file",
    ),
    _signature(
        "base-platform", r"no match for platform in manifest|no matching manifest for",
        "a base image has no variant for the platform",
    ),
    _signature(
        "base-unreachable",
        r"failed to resolve source metadata.*(no such host|i/o timeout|connection re(fused|set)|TLS|EOF|x509|5\d\d |429)"
        r"|toomanyrequests|pull rate limit",
        "the registry of a base image is out of reach", State.UNKNOWN,
    ),
    _signature(
        "base-private",
        r"pull access denied|insufficient_scope|failed to authorize|failed to fetch (anonymous|oauth) token"
        r"|failed to resolve source metadata.*(401|403|unauthorized|forbidden|denied)",
        "a base image may not be read with these credentials", State.UNKNOWN,
    ),
    _signature(
        "base-missing", r"failed to resolve source metadata.*not found|manifest unknown",
        "a base image, or the stage that a variable should have named, does not exist",
    ),
    _signature(
        "network",
        r"Temporary failure resolving|Could not resolve host|Could not resolve '|Name or service not known"
        r"|temporary error \(try again later\)|connection timed out|Network is unreachable|no route to host"
        r"|lookup \S+( on \S+)?: (no such host|i/o timeout)|Failed to establish a new connection"
        r"|dial tcp \S+ (i/o timeout|connect: )|TLS handshake timeout|curl: \((5|6|7|28|35|52|56)\)"
        r"|\b(ETIMEDOUT|ECONNRESET|ECONNREFUSED|ENOTFOUND|EAI_AGAIN)\b|unable to resolve host address"
        r"|wget: bad address|(Connect|Read) timed out|Connection reset by peer|429 Too Many Requests"
        r"|certificate signed by unknown authority|unable to get local issuer certificate"
        r"|Release file for \S+ is (not valid yet|expired)",
        "the network does not reach what the build fetches", State.UNKNOWN,
    ),
    _signature(
        "emulator-crash", r"uncaught target signal|does not support running under QEMU",
        "the emulator gives up on this program; a native node would tell", State.UNKNOWN,
    ),
    _signature(
        "protoc", r"protoc\"? exited with code 139",
        "protoc crashed: the one for arm64 in Grpc.Tools 2.69 to 2.82 does",
    ),
    _signature(
        "crash", r"exit(ed with)? code:? 139\b|Segmentation fault|signal: segmentation fault|\bSIGSEGV\b",
        "a program crashed",
    ),
    _signature(
        "foreign-loader",
        r"Could not open '/lib(64)?/ld-|rosetta error: failed to open elf",
        "a program of another architecture was run: its loader is not in this image",
    ),
    _signature(
        "foreign-program", r"exec format error|cannot execute binary file|\[Errno 8\]",
        "a program of another architecture was run",
    ),
    _signature(
        "missing-library", r"error while loading shared libraries|Error loading shared library",
        "a program needs a library that the image does not hold",
    ),
    _signature(
        "foreign-package",
        r"package architecture \(\S+\) does not match system|:(amd64|i386) : Depends: .*not installable",
        "a package of another architecture was installed",
    ),
    _signature(
        "package-missing",
        r"Unable to locate package|has no installation candidate|unable to select packages"
        r"|No match for argument|No matching distribution found",
        "a package does not exist for this architecture, or not in the sources that are set up",
    ),
    _signature(
        "compiler-flags",
        r"unrecognized command-line option '-m|unknown value '?.*for '?-m(arch|cpu|tune)|unsupported argument .* -m"
        r"|(immintrin|[ex]mmintrin|cpuid|x86intrin)\.h: No such file",
        "the compiler was given flags or headers of x86",
    ),
    _signature(
        "assembler", r"Error: no such instruction|unknown mnemonic|gcc_(arm64|amd64)\.S",
        "code of one architecture met the assembler of another: a cross build without a cross compiler",
    ),
    _signature(
        "cgo", r"build constraints exclude all Go files",
        "GOARCH of another architecture switches cgo off, and the package has no other files",
    ),
    _signature(
        "missing-headers", r"fatal error: \S+\.h: No such file|Python\.h|command '(gcc|cc|g\+\+)' failed"
        r"|error: command '?\S*(gcc|g\+\+|cc)'? failed: No such file",
        "there is no ready-made package for this architecture, and what is needed to compile it is missing",
    ),
    _signature(
        "download",
        r"returned error: 404|404 Not Found|invalid response status 404|HTTP Error 404|server returned error: .*404",
        "there is no file of that name: perhaps none for this architecture",
    ),
    _signature(
        "missing-file", r"failed to calculate checksum of ref",
        "a file that COPY, ADD or a mount names is not there: perhaps none for this architecture",
    ),
    _signature(
        "checksum", r"digest mismatch|checksum mismatch|computed checksums? did NOT match|sha256sum: WARNING",
        "what was fetched is not what its checksum says: it may be that of another architecture",
    ),
    _signature(
        "gateway", r"(502|503|504) (Bad Gateway|Service Unavailable|Gateway)|returned error: 5\d\d",
        "a server failed", State.UNKNOWN,
    ),
    _signature(
        "not-found", r"exec [^\n]*: no such file or directory|: not found",
        "a program, or the loader that it asks for, is not there: built for another architecture or another libc",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a log means. `codes`: rules that know this error."""

    name: str
    meaning: str
    state: State
    line: str
    codes: tuple[str, ...] = ()


def diagnose(log: str, rules: Sequence[Rule] = (), output: str = "") -> Diagnosis:
    """The meaning of a failed build's log; name "failed" where no text of the table stands in it.

    `output`: what the failed step itself printed, which then says more than buildx's last words.
    """
    for signature in SIGNATURES:
        if match := signature.pattern.search(log):
            codes = _codes(log, rules, match.span()) if signature.state is State.WRONG else ()
            return Diagnosis(
                signature.name, signature.meaning, signature.state, _line_around(log, match.start()), codes
            )
    line = _last_error(output) or _last_error(log)
    return Diagnosis("failed", "the build failed", State.WRONG, line, _codes(log, rules, None))


def _codes(log: str, rules: Sequence[Rule], at: tuple[int, int] | None) -> tuple[str, ...]:
    """The rules whose errors stand at what was recognized, else those whose errors stand anywhere.

    Texts as short as `404` are in many logs and say something in the right place alone.
    """
    near: set[str] = set()
    anywhere: set[str] = set()
    for rule in rules:
        for text in rule.errors:
            for match in re.finditer(_anywhere(text), log) if text[1:] in log else ():
                if at is not None and match.start() < at[1] and at[0] < match.end():
                    near.add(rule.code)
                elif len(text) >= _TELLING:
                    anywhere.add(rule.code)
    return tuple(sorted(near or anywhere))


def _anywhere(text: str) -> str:
    """As words of their own, with a small or a capital letter first."""
    first = re.escape(text[0])
    return rf"(?<!\w)(?i:{first}){re.escape(text[1:])}(?!\w)"


def found_in(
    codes: Sequence[str], document: Document, rules: Sequence[Rule], platform: Platform
) -> tuple[str, ...]:
    """Those of `codes` whose rules find something in the file; all of them where none does."""
    if not codes:
        return ()
    asked = [rule for rule in rules if rule.code in codes]
    try:
        report = check(document, asked, Settings(targets=(AMD64, platform)))
    except InternalError:
        return tuple(codes)
    return tuple(sorted({finding.code for finding in report.findings}.intersection(codes))) or tuple(codes)


def _line_around(log: str, at: int) -> str:
    start = log.rfind("\n", 0, at) + 1
    end = log.find("\n", at)
    return log[start : len(log) if end < 0 else end].strip()[:400]


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "")[
        :400
    ]
