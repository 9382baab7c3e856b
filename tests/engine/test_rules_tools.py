"""Rules on package managers and language tools, built: wrong on arm64 before, right on both once they are mended.

pip, a C compiler and BuildKit are the real ones. Other tools are stand-ins: scripts that choose an architecture as
the tool's manual says, and put a program for it where the tool puts its own. They show that the mended text asks for
the right thing on both platforms, not what the tool itself does with it.
"""

from __future__ import annotations

import functools
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archpatch.checking import Settings
from archpatch.engine import check, fix
from archpatch.facts import MemoryContext
from archpatch.platforms import AMD64, ARM64
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability
from archpatch.verify.verdict import State
from tests.engine.conftest import Tree, Workbench, program

pytestmark = pytest.mark.engine

# `pick WORD FILE` writes the program for the architecture that WORD names.
STAND_INS = {
    "pick": """case $1 in *x64*|*x86_64*|*amd64*|k8) arch=amd64 ;; *arm64*|*aarch64*) arch=arm64 ;; *) exit 1 ;; esac
mkdir -p "$(dirname "$2")" && cp "/apps/app-$arch" "$2"
""",
    "apk": """[ "$1" != --print-arch ] || exec uname -m
case $2 in *"/$(uname -m)/"*) pick "$(uname -m)" /usr/bin/tool ;; *) echo >&2 "uninstallable: $2"; exit 1 ;; esac
""",
    "node": """case $(uname -m) in x86_64) echo x64 ;; *) echo arm64 ;; esac
""",
    "npm": """arch=$(node -p process.arch)
for word; do case $word in --cpu=*) arch=${word#--cpu=} ;; esac; done
pick "$arch" node_modules/sharp/sharp.node
""",
    "bun": """for word; do case $word in --target=*) target=${word#--target=} ;; esac; done
pick "$target" /app
""",
    "rustup": """case $3 in "$(uname -m)"-*) ;; *) echo >&2 "no linker for $3"; esac
""",
    "cargo": """pick "$4" "target/$4/release/app"
""",
    "mvn": """classifier=linux-$(uname -m)
for word; do case $word in -D*.classifier=*|-Djavacpp.platform=*) classifier=${word#*=} ;; esac; done
pick "$classifier" target/app
""",
    "bazel": """cpu=$(uname -m)
for word; do case $word in --cpu=*) cpu=${word#--cpu=} ;; esac; done
pick "$cpu" bazel-bin/app
""",
}
TOOLS: Tree = {f"tools/{name}": f"#!/bin/sh\nset -e\n{text}".encode() for name, text in STAND_INS.items()}
APPS: Tree = {f"apps/app-{arch}": program(arch) for arch in ("amd64", "arm64")}
HEAD = "FROM debian:bookworm-slim AS build\nCOPY tools /usr/local/bin\nCOPY apps /apps\nWORKDIR /src\n"
ON_BUILD = HEAD.replace("FROM ", "FROM --platform=$BUILDPLATFORM ")


def wheel(name: str, version: str, machine: str) -> bytes:
    """A wheel with a program for a machine in it."""
    written = io.BytesIO()
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux2014_{machine}\n"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(written, "w") as whole:
        whole.writestr(f"{name}/app", program("amd64" if machine == "x86_64" else "arm64"))
        whole.writestr(f"{info}/METADATA", meta)
        whole.writestr(f"{info}/WHEEL", about)
        whole.writestr(f"{info}/RECORD", "")
    return written.getvalue()


def wheel_name(name: str, version: str, machine: str) -> str:
    """The file name of such a wheel."""
    return f"{name}-{version}-py3-none-manylinux2014_{machine}.whl"


WHEELS: Tree = {
    f"wheels/{wheel_name('tool', '1.0', machine)}": wheel("tool", "1.0", machine)
    for machine in ("x86_64", "aarch64")
}


def mended(code: str, files: Tree) -> Tree:
    """A tree once the fixes of one rule are in."""
    text = files["Dockerfile"]
    assert isinstance(text, str)
    document = parse(text.encode(), Path("Dockerfile"))
    outcome = fix(document, load(), Settings(select=(code,)), MemoryContext(files), Applicability.UNSAFE)
    assert outcome.applied, f"{code} writes nothing"
    changed = {str(path): data.decode() for path, data in outcome.files.items()}
    return {**files, **changed, "Dockerfile": outcome.source.decode()}


CASES: dict[str, tuple[str, str, Tree]] = {
    "npm with a CPU": (
        "AP324",
        HEAD + "RUN npm ci --cpu=x64\nFROM scratch\nCOPY --from=build /src/node_modules /node_modules\n",
        {},
    ),
    "node_modules of the machine that builds": (
        "AP325",
        ON_BUILD + "RUN npm ci\nFROM scratch\nCOPY --from=build /src/node_modules /node_modules\n",
        {"package.json": '{"dependencies": {"sharp": "^0.33.0"}}'},
    ),
    "a compiled script": (
        "AP326",
        HEAD + "RUN bun build --compile --target=bun-linux-x64 ./app.ts --outfile /app\n"
        "FROM scratch\nCOPY --from=build /app /app\n",
        {},
    ),
    "a target of cargo": (
        "AP603",
        HEAD + "RUN rustup target add x86_64-unknown-linux-musl\n"
        "RUN cargo build --release --target x86_64-unknown-linux-musl"
        " && cp target/x86_64-unknown-linux-musl/release/app /app\n"
        "FROM scratch\nCOPY --from=build /app /app\n",
        {},
    ),
    "a classifier of Maven": (
        "AP608",
        HEAD + "RUN mvn package -Dos.detected.classifier=linux-x86_64 -q\n"
        "FROM scratch\nCOPY --from=build /src/target/app /app\n",
        {},
    ),
    "JavaCPP's platform": (
        "AP608",
        HEAD + "RUN mvn package -Djavacpp.platform=linux-x86_64\n"
        "FROM scratch\nCOPY --from=build /src/target/app /app\n",
        {},
    ),
    "a CPU of Bazel": (
        "AP609",
        HEAD
        + "RUN bazel build --cpu=k8 -c opt //app\nFROM scratch\nCOPY --from=build /src/bazel-bin/app /app\n",
        {},
    ),
    "a virtualenv of the machine that builds": (
        "AP803",
        "FROM --platform=$BUILDPLATFORM python:3.11-slim-bookworm AS build\nCOPY wheels /wheels\n"
        "RUN pip install --no-index --no-compile --find-links /wheels --target /venv/site-packages tool\n"
        "FROM scratch\nCOPY --from=build /venv /venv\n",
        WHEELS,
    ),
}


@pytest.mark.parametrize(("code", "before", "files"), CASES.values(), ids=CASES)
def test_a_wrong_program_is_shipped_before_and_the_right_one_after(
    workbench: Workbench, code: str, before: str, files: Tree
) -> None:
    tree = {**TOOLS, **APPS, **files, "Dockerfile": before}
    old = workbench.looks(tree)
    assert {platform: look.state for platform, look in old.items()} == {
        AMD64: State.RIGHT,
        ARM64: State.WRONG,
    }, {platform: look.evidence for platform, look in old.items()}
    assert not old[ARM64].failed
    assert_right(workbench, mended(code, tree))


def assert_fails_on_arm64(workbench: Workbench, tree: Tree) -> None:
    """A tree builds for amd64, and for arm64 it does not."""
    old = workbench.looks(tree)
    assert old[AMD64].state is State.RIGHT, old[AMD64].evidence
    assert old[ARM64].failed


def assert_right(workbench: Workbench, tree: Tree) -> None:
    """A tree gives what it should on both."""
    new = workbench.looks(tree)
    assert {look.state for look in new.values()} == {State.RIGHT}, {
        platform: look.evidence for platform, look in new.items()
    }


def test_a_program_out_of_an_image_is_one_for_the_target_wherever_it_is_copied(
    workbench: Workbench, mini: str
) -> None:
    # Byte 18 of a program names its machine: 3e is x86-64, as the machine that builds.
    tree: Tree = {
        "Dockerfile": f"FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS build\nCOPY --from={mini}:both /bin/base /bin/base\n"
        'RUN [ "$(od -An -tx1 -j18 -N1 /bin/base)" = " 3e" ] && base && touch /made\n'
        "FROM scratch\nCOPY --from=build /made /made\n"
    }
    assert_fails_on_arm64(workbench, tree)
    assert_right(workbench, mended("AP112", tree))


def test_a_package_of_one_architecture_is_refused_by_apk(workbench: Workbench) -> None:
    url = "https://dl-cdn.alpinelinux.org/alpine/v3.20/main/x86_64/tool-1-r0.apk"
    text = f"{HEAD}RUN apk add {url}\nFROM scratch\nCOPY --from=build /usr/bin/tool /tool\n"
    tree = {**TOOLS, **APPS, "Dockerfile": text}
    assert_fails_on_arm64(workbench, tree)
    assert_right(workbench, mended("AP311", tree))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An index of Python packages on loopback: torch as PyTorch's has it, and a file server as PyPI's."""
    folder = tmp_path_factory.mktemp("index")
    served = {
        f"pytorch.org/whl/cpu/torch/{wheel_name('torch', version, machine)}": wheel("torch", version, machine)
        for version, machine in (("2.1.0+cpu", "x86_64"), ("2.1.0", "aarch64"))
    }
    path = f"packages/ab/cd/0123/{wheel_name('tool', '1.0', 'x86_64')}"
    served[path] = wheel("tool", "1.0", "x86_64")
    for name, data in served.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


PIP = (
    "FROM python:3.11-slim-bookworm AS build\nENV PIP_NO_COMPILE=1\nCOPY wheels /wheels\nRUN mkdir /made\n{}\n"
    "FROM scratch\nCOPY --from=build /made /made\n"
)


def test_a_wheel_of_another_machine_is_refused_by_pip(workbench: Workbench, index: str) -> None:
    url = f"{index}/packages/ab/cd/0123/{wheel_name('tool', '1.0', 'x86_64')}"
    lines = f"ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\nRUN pip install --target /made {url}"
    tree = {**WHEELS, "Dockerfile": PIP.format(lines)}
    assert_fails_on_arm64(workbench, tree)
    assert_right(workbench, mended("AP319", tree))


def test_a_version_for_cpus_alone_is_not_found_on_arm64(workbench: Workbench, index: str) -> None:
    line = f"RUN pip install --target /made torch==2.1.0+cpu --index-url {index}/pytorch.org/whl/cpu"
    tree = {**WHEELS, "Dockerfile": PIP.format(line)}
    assert_fails_on_arm64(workbench, tree)
    assert_right(workbench, mended("AP322", tree))


def test_a_package_without_a_wheel_is_left_out_by_a_marker(workbench: Workbench) -> None:
    line = "RUN pip install --target /made --no-index --find-links /wheels {}"
    files: Tree = {f"wheels/{wheel_name('mkl', '1.0', 'x86_64')}": wheel("mkl", "1.0", "x86_64")}
    before = {**files, "Dockerfile": PIP.format(line.format("mkl"))}
    after = {**files, "Dockerfile": PIP.format(line.format("'mkl; platform_machine == \"x86_64\"'"))}
    assert_fails_on_arm64(workbench, before)
    assert_right(workbench, after)
    for tree, found in ((before, {"AP321"}), (after, set())):
        document = parse(str(tree["Dockerfile"]).encode(), Path("Dockerfile"))
        assert {
            one.code for one in check(document, load(), Settings(), MemoryContext(tree)).findings
        } == found


def source_archive(name: str, version: str) -> bytes:
    """A source archive of a package with an extension in C."""
    written = io.BytesIO()
    setup = f"from setuptools import Extension, setup\nsetup(name={name!r}, version={version!r}, ext_modules=[Extension('x', ['x.c'])])"
    files = {
        "setup.py": setup,
        "x.c": "int PyInit_x(void) { return 0; }",
        "PKG-INFO": f"Name: {name}\nVersion: {version}",
    }
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return written.getvalue()


def test_a_package_without_a_wheel_for_arm64_asks_for_a_compiler_there(workbench: Workbench) -> None:
    lines = "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\nRUN pip install --no-build-isolation --target /made psutil==5.9.8"
    tree: Tree = {
        f"wheels/{wheel_name('psutil', '5.9.8', 'x86_64')}": wheel("psutil", "5.9.8", "x86_64"),
        "wheels/psutil-5.9.8.tar.gz": source_archive("psutil", "5.9.8"),
        "Dockerfile": PIP.format(lines),
    }
    old = workbench.looks(tree)
    assert old[AMD64].state is State.RIGHT, old[AMD64].evidence
    assert old[ARM64].failed
    assert "gcc" in str(old[ARM64].wrong), old[ARM64].wrong
    document = parse(str(tree["Dockerfile"]).encode(), Path("Dockerfile"))
    found = check(document, load(), Settings(), MemoryContext(tree)).findings
    assert "AP330" in {one.code for one in found}


SETUP = """\
from setuptools import Extension, setup

setup(name="shop", version="1", ext_modules=[Extension("fast", ["fast.c"], extra_compile_args=["-mavx2"])])
"""
# The image with a compiler has no Python; that of the other one runs on it.
EXTENSION = (
    "FROM golang:1.19-bookworm AS build\nCOPY --from=python:3.11-slim-bookworm /usr/bin/python3.11 /usr/bin/python\n"
    "COPY --from=python:3.11-slim-bookworm /usr/lib/python3.11 /usr/lib/python3.11\n"
    "COPY --from=python:3.11-slim-bookworm /usr/lib/python3 /usr/lib/python3\n"
    "WORKDIR /src\nCOPY setup.py fast.c ./\nRUN python setup.py build_ext --build-lib /made\n"
    "FROM scratch\nCOPY --from=build /made /\n"
)


def test_an_extension_with_options_for_x86_is_not_compiled_on_arm64(workbench: Workbench) -> None:
    tree: Tree = {
        "Dockerfile": EXTENSION,
        "setup.py": SETUP,
        "fast.c": "int PyInit_fast(void) { return 0; }\n",
    }
    assert_fails_on_arm64(workbench, tree)
    assert_right(workbench, mended("AP620", tree))
