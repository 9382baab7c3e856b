"""Rules on toolchains and build stages, built: what they find is wrong on arm64, what they write is right on both."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from archpatch.checking import Settings
from archpatch.engine import fix
from archpatch.facts import MemoryContext
from archpatch.platforms import AMD64, ARM64
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability
from archpatch.verify.verdict import State
from tests.engine.conftest import Tree, Workbench, program

pytestmark = pytest.mark.engine

GO: Tree = {"main.go": "package main\n\nfunc main() { println(1) }\n"}
C: Tree = {"hello.c": "int main(void) { return 0; }\n"}
DOCKER: Tree = {f"app-{arch}": program(arch) for arch in ("amd64", "arm64")}
UNAME: Tree = {"app-x86_64": program("amd64"), "app-aarch64": program("arm64")}


def archive(arch: str) -> bytes:
    """A tar with a program of an architecture in it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        member = tarfile.TarInfo("app")
        member.mode, data = 0o755, program(arch)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return written.getvalue()


def wheel(machine: str, arch: str) -> bytes:
    """A wheel with a program of an architecture in it."""
    written = io.BytesIO()
    meta = "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n"
    about = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux2014_{machine}\n"
    with zipfile.ZipFile(written, "w") as whole:
        whole.writestr("tool/app", program(arch))
        whole.writestr("tool-1.0.dist-info/METADATA", meta)
        whole.writestr("tool-1.0.dist-info/WHEEL", about)
        whole.writestr("tool-1.0.dist-info/RECORD", "")
    return written.getvalue()


ROOTS: Tree = {f"rootfs-{arch}.tar.gz": archive(arch) for arch in ("amd64", "arm64")}
WHEELS: Tree = {
    f"wheels/tool-1.0-py3-none-manylinux2014_{machine}.whl": wheel(machine, arch)
    for machine, arch in (("x86_64", "amd64"), ("aarch64", "arm64"))
}


def mended(text: str, code: str, files: Tree) -> str:
    """The text once the fixes of one rule are in."""
    context = MemoryContext({"Dockerfile": text, **files})
    settings = Settings(select=(code,))
    document = parse(text.encode(), Path("Dockerfile"))
    outcome = fix(document, load(), settings, context, Applicability.UNSAFE)
    assert outcome.source != text.encode(), f"{code} writes nothing"
    return outcome.source.decode()


CASES = {
    "a literal GOARCH": (
        "AP601",
        "FROM --platform=$BUILDPLATFORM golang:1.19-bookworm AS build\nWORKDIR /src\nCOPY . .\n"
        "RUN CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /app main.go\n"
        "FROM scratch\nCOPY --from=build /app /app\n",
        GO,
    ),
    "go build that ignores the target": (
        "AP107",
        "FROM --platform=$BUILDPLATFORM golang:1.19-bookworm AS build\nENV CGO_ENABLED=0\nWORKDIR /src\nCOPY . .\n"
        "RUN go build -o /app main.go\n"
        "FROM scratch\nCOPY --from=build /app /app\n",
        GO,
    ),
    "a C compiler that ignores the target": (
        "AP107",
        "FROM --platform=$BUILDPLATFORM golang:1.19-bookworm AS build\nCOPY hello.c .\n"
        "RUN gcc -static -o /hello hello.c\n"
        "FROM scratch\nCOPY --from=build /hello /hello\n",
        C,
    ),
    "dpkg asked on the build machine": (
        "AP108",
        "FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS pick\nCOPY app-* /apps/\n"
        "RUN cp /apps/app-$(dpkg --print-architecture) /tool\n"
        "FROM scratch\nCOPY --from=pick /tool /tool\n",
        DOCKER,
    ),
    "uname asked on the build machine": (
        "AP108",
        "FROM --platform=linux/amd64 debian:bookworm-slim AS pick\nCOPY app-* /apps/\n"
        'RUN arch="$(uname -m)"; cp "/apps/app-$arch" /tool\n'
        "FROM scratch\nCOPY --from=pick /tool /tool\n",
        UNAME,
    ),
    "Python asked for the machine as macOS names it": (
        "AP621",
        "FROM python:3.11-slim-bookworm AS pick\nCOPY app-* /apps/\n"
        "RUN python3 <<EOF\nimport platform, shutil\n"
        'arm = platform.machine() == "arm64"\n'
        'shutil.copy("/apps/app-arm64" if arm else "/apps/app-amd64", "/tool")\nEOF\n'
        "FROM scratch\nCOPY --from=pick /tool /tool\n",
        DOCKER,
    ),
    "an argument that says amd64": (
        "AP114",
        "FROM scratch\nARG ARCH=amd64\nCOPY app-${ARCH} /app\n",
        DOCKER,
    ),
    "a program of a pinned stage": (
        "AP804",
        "FROM --platform=linux/amd64 debian:bookworm-slim AS tools\nCOPY app-* /apps/\n"
        "RUN cp /apps/app-$(dpkg --print-architecture) /usr/bin/tool\n"
        "FROM scratch\nCOPY --from=tools /usr/bin/tool /tool\n",
        DOCKER,
    ),
    "a root filesystem for amd64": (
        "AP805",
        "FROM scratch\nADD rootfs-amd64.tar.gz /\n",
        ROOTS,
    ),
    "wheels of one platform": (
        "AP320",
        "FROM python:3.11-slim-bookworm AS build\nCOPY wheels /wheels\n"
        "RUN pip install --no-index --find-links /wheels --platform manylinux2014_x86_64 --only-binary=:all: --target /opt tool\n"
        "FROM scratch\nCOPY --from=build /opt/tool/app /app\n",
        WHEELS,
    ),
}


@pytest.mark.parametrize(("code", "before", "files"), CASES.values(), ids=CASES)
def test_a_wrong_program_is_shipped_before_and_the_right_one_after(
    workbench: Workbench, code: str, before: str, files: Tree
) -> None:
    old = workbench.looks({**files, "Dockerfile": before})
    assert {platform: look.state for platform, look in old.items()} == {
        AMD64: State.RIGHT,
        ARM64: State.WRONG,
    }, {platform: look.evidence for platform, look in old.items()}
    assert not old[ARM64].failed
    new = workbench.looks({**files, "Dockerfile": mended(before, code, files)})
    assert {look.state for look in new.values()} == {State.RIGHT}, {
        platform: look.evidence for platform, look in new.items()
    }


@pytest.mark.parametrize("flags", ["-m64", "-msse4.2 -mavx2"])
def test_a_compiler_on_arm64_rejects_options_for_x86(workbench: Workbench, flags: str) -> None:
    before = (
        "FROM golang:1.19-bookworm AS build\nCOPY hello.c .\n"
        f"RUN gcc {flags} -static -o /hello hello.c\n"
        "FROM scratch\nCOPY --from=build /hello /hello\n"
    )
    old = workbench.looks({**C, "Dockerfile": before}, (ARM64,))[ARM64]
    assert old.failed
    assert old.wrong[0].lines == (3,)
    new = workbench.looks({**C, "Dockerfile": mended(before, "AP605", C)})
    assert {look.state for look in new.values()} == {State.RIGHT}
