"""What buildx says, line by line, and what a failed build's text means."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpatch.platforms import ARM64
from archpatch.syntax.parse import parse
from archpatch.verify.images import step_lines
from archpatch.verify.progress import Progress
from archpatch.verify.triage import SIGNATURES, diagnose, found_in
from archpatch.verify.verdict import State


def lines(*events: object) -> Progress:
    progress = Progress()
    for event in events:
        progress.line(event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n")
    return progress


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_step_that_failed_is_told_from_those_cancelled_with_it() -> None:
    progress = lines(
        {"vertexes": [{"digest": "a", "name": "[a 1/2] RUN x", "started": "t", "error": "context canceled"}]},
        {"vertexes": [{"digest": "b", "name": "[b 2/2] RUN y", "started": "t"}]},
        {"logs": [{"vertex": "b", "stream": 2, "data": encoded("boom\n")}]},
        {"vertexes": [{"digest": "b", "name": "[b 2/2] RUN y", "error": "exit code: 1"}]},
        b"Dockerfile:7\n", b"--------\n", b"   6 |     FROM a\n", b"   7 | >>> RUN y \\\n", b"   8 | >>>   z\n",
        b"ERROR: failed to solve\n",
    )  # fmt: skip
    assert progress.failed is not None
    assert progress.failed.name == "[b 2/2] RUN y"
    assert progress.failed_lines == (7, 8)
    assert "boom" in progress.error
    assert "failed to solve" in progress.error


def test_warnings_come_with_their_lines() -> None:
    place = {"start": {"line": 3}, "end": {"line": 4}}
    progress = lines(
        {"warnings": [{"level": 1, "short": encoded("InvalidBaseImagePlatform: x"), "range": [place]}]}
    )
    assert [(one.message, one.lines) for one in progress.warnings] == [
        ("InvalidBaseImagePlatform: x", (3, 4))
    ]


def test_the_log_of_a_step_is_bounded_and_keeps_its_end() -> None:
    progress = lines({"vertexes": [{"digest": "a", "name": "n"}]})
    for number in range(300):
        progress.line(
            json.dumps({"logs": [{"vertex": "a", "data": encoded("x" * 1000 + str(number))}]}).encode()
        )
    assert progress.steps["a"].output.endswith("299")
    assert len(progress.steps["a"].log) <= 1 << 16


@given(st.binary() | st.text().map(lambda text: ("{" + text).encode("utf-8", "replace")))
def test_no_line_brings_the_reader_down(line: bytes) -> None:
    lines(line, b'{"vertexes": [{}]}', b'{"logs": 1}', b'{"warnings": [{"range": [1]}]}')


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("[linux/arm64 build 1/3] FROM docker.io/library/a:1@sha256:00", (2,)),
        ("[linux/amd64->arm64 build 3/3] COPY . .", (5,)),
        ("[build 2/3] RUN make", (3,)),
        ("[stage-1 1/1] ADD https://x /y", (7,)),
        ("[linux/arm64 build 9/9] RUN gone", ()),
        ("[internal] load metadata", ()),
    ],
)
def test_a_step_is_found_in_the_file_by_its_number(step: str, line: tuple[int, ...]) -> None:
    text = b"ARG X\nFROM a:1 AS build\nRUN make\nENV A=b\nCOPY . .\nFROM scratch\nADD https://x /y\n"
    assert step_lines(parse(text), step) == line


TEXTS = [
    ("exec /bin/sh: exec format error", "foreign-program", State.WRONG),
    ("/bin/sh: 1: tool: Exec format error", "foreign-program", State.WRONG),
    ("bash: ./t: cannot execute binary file: Exec format error", "foreign-program", State.WRONG),
    ("OSError: [Errno 8] Exec format error: 'x'", "foreign-program", State.WRONG),
    ("qemu-aarch64-static: Could not open '/lib/ld-linux-aarch64.so.1': No such file", "foreign-loader", State.WRONG),
    ("rosetta error: failed to open elf at /lib64/ld-linux-x86-64.so.2", "foreign-loader", State.WRONG),
    ("/bin/sh: 1: t: not found", "not-found", State.WRONG),
    ("exec /app: no such file or directory", "not-found", State.WRONG),
    ("error while loading shared libraries: libstdc++.so.6: cannot open", "missing-library", State.WRONG),
    ("Error loading shared library libstdc++.so.6: No such file (needed by /a)", "missing-library", State.WRONG),
    ("docker.io/x:1: no match for platform in manifest: not found", "base-platform", State.WRONG),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", "base-platform", State.WRONG),
    ("qemu: uncaught target signal 11 (Segmentation fault) - core dumped", "emulator-crash", State.UNKNOWN),
    ("E: Unable to locate package tini", "package-missing", State.WRONG),
    ("E: Package 'tini' has no installation candidate", "package-missing", State.WRONG),
    ("package architecture (amd64) does not match system (arm64)", "foreign-package", State.WRONG),
    ("tini:amd64 : Depends: libc6:amd64 (>= 2.3) but it is not installable", "foreign-package", State.WRONG),
    ("gcc: error: unrecognized command-line option '-m64'", "compiler-flags", State.WRONG),
    ("fatal error: immintrin.h: No such file or directory", "compiler-flags", State.WRONG),
    ("gcc_arm64.S:28: Error: no such instruction: 'stp x29,x30,[sp,'", "assembler", State.WRONG),
    ("package x: build constraints exclude all Go files in /y", "cgo", State.WRONG),
    ("fatal error: Python.h: No such file or directory", "missing-headers", State.WRONG),
    ("error: command 'gcc' failed: No such file or directory", "missing-headers", State.WRONG),
    ("curl: (22) The requested URL returned error: 404", "download", State.WRONG),
    ("invalid response status 404", "download", State.WRONG),
    ("urllib.error.HTTPError: HTTP Error 404: Not Found", "download", State.WRONG),
    ("sha256sum: WARNING: 1 computed checksum did NOT match", "checksum", State.WRONG),
    ("digest mismatch sha256:a: sha256:b", "checksum", State.WRONG),
    ("Temporary failure resolving 'packages.example.org'", "network", State.UNKNOWN),
    ("curl: (6) Could not resolve host: github.com", "network", State.UNKNOWN),
    ("write /x: no space left on device", "no-space", State.UNKNOWN),
    ("failed to resolve source metadata for a/b: dial tcp: lookup r on 1.1.1.1:53: no such host", "base-unreachable", State.UNKNOWN),
    ("pull access denied, repository does not exist or may require authorization", "base-private", State.UNKNOWN),
    ("failed to resolve source metadata for r/x:1: r/x:1: not found", "base-missing", State.WRONG),
    ("dockerfile parse error on line 2: unknown instruction: FOO", "frontend", State.WRONG),
    ("ERROR: Cannot connect to the Docker daemon at unix:///x", "engine", State.UNKNOWN),
    ("granting entitlement network.host is not allowed by build daemon configuration", "entitlement", State.UNKNOWN),
    ("did not complete successfully: exit code: 137", "killed", State.UNKNOWN),
    ('failed to calculate checksum of ref x::y: "/app-arm64": not found', "missing-file", State.WRONG),
    ('x/linux_arm64/protoc" exited with code 139.', "protoc", State.WRONG),
    ('process "/bin/sh -c x" did not complete successfully: exit code: 139', "crash", State.WRONG),
    ("ERROR: failed to solve: secret tok: not found", "secret", State.UNKNOWN),
    ("cat: /run/secrets/tok: No such file or directory", "secret", State.UNKNOWN),
    ("ERROR: failed to solve: unset ssh forward key default", "secret", State.UNKNOWN),
    ("something else went wrong", "failed", State.WRONG),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "state"), TEXTS, ids=[text[:40] for text, _, _ in TEXTS])
def test_a_text_has_a_meaning(text: str, name: str, state: State) -> None:
    found = diagnose(f"some lines\nbefore it\n{text}\nand after")
    assert (found.name, found.state) == (name, state)
    assert name == "failed" or found.line == text


def test_every_signature_has_a_text_in_this_table() -> None:
    assert {signature.name for signature in SIGNATURES} - {name for _, name, _ in TEXTS} == {"gateway"}
    assert diagnose("returned error: 503").name == "gateway"


def test_rules_that_know_the_error_are_named() -> None:
    from archpatch import registry

    rules = registry.load()
    error, code = next((rule.errors[0], rule.code) for rule in rules if rule.errors)
    assert code in diagnose(f"x\n{error}\n", rules).codes


@pytest.mark.parametrize(
    ("log", "known", "strange"),
    [
        pytest.param("sha256:404abc\nE: Unable to locate package x", "AP303", "AP402", id="digits of a digest"),
        pytest.param("404 x\nE: Unable to locate package x", "AP303", "AP402", id="a number of something else"),
        pytest.param("x: no match for platform in manifest: not found", "AP204", "AP408", id="two words of a longer text"),
        pytest.param("/bin/sh: 1: /opt/x: Exec format error", "AP402", "AP301", id="a capital letter"),
        pytest.param("npm ERR! code EBADPLATFORM", "AP324", "AP402", id="no signature"),
    ],
)  # fmt: skip
def test_a_rule_is_named_where_its_error_stands_at_what_was_recognized(
    log: str, known: str, strange: str
) -> None:
    from archpatch import registry

    codes = diagnose(log, registry.load()).codes
    assert known in codes
    assert strange not in codes


def test_no_rule_is_named_for_trouble_that_is_not_the_files() -> None:
    from archpatch import registry

    assert diagnose("secret tok: not found", registry.load()).codes == ()


def test_rules_that_find_something_in_the_file_go_before_those_that_know_the_error() -> None:
    from archpatch import registry

    rules = registry.load()
    codes = diagnose("exec /bin/sh: exec format error", rules).codes
    text = b"FROM --platform=linux/amd64 debian:bookworm-slim\nRUN true\n"
    assert found_in(codes, parse(text), rules, ARM64) == ("AP102",)
    assert found_in(codes, parse(b"FROM debian:bookworm-slim\nRUN true\n"), rules, ARM64) == codes


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("PermissionError: [Errno 13] Permission denied: '/x'", "failed"),
        ("curl: (22) The requested URL returned error: 403 Forbidden", "failed"),
        ("pull access denied, repository does not exist", "base-private"),
        ("curl: (7) Failed to connect to example.com port 443", "network"),
        ("npm ERR! code ECONNRESET", "network"),
        ("x509: certificate signed by unknown authority", "network"),
        ("You have reached your pull rate limit.", "base-unreachable"),
    ],
)
def test_trouble_of_the_network_is_told_from_that_of_the_file(text: str, name: str) -> None:
    assert diagnose(f"x\n{text}\n").name == name


def test_what_a_failed_step_printed_says_more_than_buildx() -> None:
    found = diagnose(
        "ERROR: failed to solve: process did not complete", output="checking\nconfigure: error: no sse\n"
    )
    assert found.line == "configure: error: no sse"
