"""Builders that are not the engine's own: the remote driver with several nodes, the driver docker-container.

The nodes are loopback ports behind which the engine's own BuildKit answers; so does the container, whose image is
made here. No image of a builder has to be fetched.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archpatch.platforms import AMD64, ARM64
from archpatch.verify.buildx import Settings
from archpatch.verify.run import Request, verify
from archpatch.verify.verdict import Level, State, Verification
from tests.engine.conftest import Tree, docker, program, write_tree

pytestmark = pytest.mark.engine
ENGINE = "/var/run/docker.sock"
UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
APPS: Tree = {"app-amd64": program("amd64"), "app-arm64": program("arm64")}
GOOD = 'FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\nENTRYPOINT ["/app"]\n'
HOST_MADE = "FROM --platform=$BUILDPLATFORM scratch\nARG BUILDARCH\nCOPY app-$BUILDARCH /app\n"


@dataclass
class Node:
    """A TCP port that leads to the engine's BuildKit; counts who came."""

    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    callers: int = 0

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.server.getsockname()[1]}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self.server.accept()
                self.callers += 1
                threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            engine.connect(ENGINE)
            engine.sendall(UPGRADE)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += engine.recv(1)
            threading.Thread(target=_pump, args=(caller, engine), daemon=True).start()
            _pump(engine, caller)


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


# What buildx runs in the container of a builder: `buildctl dial-stdio` is the way to its BuildKit.
BUILDCTL = """#!/usr/bin/python3
import os, socket, sys, threading
if sys.argv[1:2] != ["dial-stdio"]:
    sys.exit(0)
node = socket.create_connection(("127.0.0.1", %d))
def pump(read, write):
    while data := read():
        write(data)
def copy_in():
    pump(lambda: os.read(0, 65536), node.sendall)
    node.shutdown(socket.SHUT_WR)
threading.Thread(target=copy_in, daemon=True).start()
pump(lambda: node.recv(65536), lambda data: os.write(1, data))
"""
BUILDKIT = 'FROM python:3.11-slim-bookworm\nCOPY buildctl /usr/bin/buildctl\nENTRYPOINT ["sh", "-c", "sleep infinity", "buildkitd"]\n'


@pytest.fixture
def contained(engine: str, tmp_path: Path) -> Iterator[tuple[str, Node]]:
    """A builder of the driver docker-container."""
    if not Path(ENGINE).is_socket():
        pytest.skip(f"the engine does not listen on {ENGINE}")
    name, node = f"archpatch-test-{secrets.token_hex(4)}", Node()
    threading.Thread(target=node.serve, daemon=True).start()
    port = node.server.getsockname()[1]
    folder = write_tree(
        tmp_path / "buildkit", {"Dockerfile": BUILDKIT, "buildctl": (BUILDCTL % port).encode()}
    )
    try:
        docker("buildx", "build", "--quiet", "--load", f"--tag={name}:1", str(folder))
        docker("buildx", "create", "--driver=docker-container", f"--name={name}", f"--driver-opt=image={name}:1",
               "--driver-opt=network=host")  # fmt: skip
        yield name, node
    finally:
        for command in (["buildx", "rm", "--force", name], ["image", "rm", "--force", f"{name}:1"]):
            subprocess.run(["docker", *command], capture_output=True, timeout=120)
        node.server.close()


@pytest.fixture
def fleet(engine: str) -> Iterator[tuple[str, Node, Node]]:
    """A builder of two remote nodes, one for each platform."""
    if not Path(ENGINE).is_socket():
        pytest.skip(f"the engine does not listen on {ENGINE}")
    name, nodes = f"archpatch-test-{secrets.token_hex(4)}", (Node(), Node())
    create = ["buildx", "create", "--driver=remote", f"--name={name}"]
    try:
        for number, (node, platform) in enumerate(zip(nodes, (AMD64, ARM64), strict=True)):
            threading.Thread(target=node.serve, daemon=True).start()
            more = ["--append"] if number else []
            docker(*create, *more, f"--node=n{number}", f"--platform={platform}", node.endpoint)
        yield name, *nodes
    finally:
        subprocess.run(["docker", "buildx", "rm", "--force", name], capture_output=True, timeout=60)
        for node in nodes:
            node.server.close()


def run(folder: Path, builder: str, level: Level = Level.BUILD, **options: object) -> Verification:
    settings = Settings(builder=builder, no_cache=True)
    return verify(Request((folder,), level, settings=settings, **options))  # type: ignore[arg-type]  # fields of Request


def test_each_platform_is_built_on_the_node_that_lists_it(
    fleet: tuple[str, Node, Node], tmp_path: Path
) -> None:
    name, amd64, arm64 = fleet
    write_tree(tmp_path, {**APPS, "Dockerfile": GOOD})
    result = run(tmp_path, name, Level.RUN, run_command=("/app",))
    assert [look.state for look in result.looks] == [State.RIGHT, State.RIGHT]
    assert (result.builder, result.driver) == (name, "remote")
    assert amd64.callers
    assert arm64.callers


def test_the_builder_that_the_environment_names_is_the_one_that_is_told_of(
    fleet: tuple[str, Node, Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, amd64, _ = fleet
    monkeypatch.setenv("BUILDX_BUILDER", name)
    write_tree(tmp_path, {**APPS, "Dockerfile": GOOD})
    result = verify(Request((tmp_path,), platforms=(AMD64,), settings=Settings(no_cache=True)))
    assert (result.builder, result.driver, result.state) == (name, "remote", State.RIGHT)
    assert amd64.callers


def test_what_is_wrong_is_seen_whatever_node_built_it(fleet: tuple[str, Node, Node], tmp_path: Path) -> None:
    write_tree(tmp_path, {**APPS, "Dockerfile": HOST_MADE})
    result = run(tmp_path, fleet[0])
    assert [look.state for look in result.looks] == [State.RIGHT, State.WRONG]


def test_what_a_node_that_is_gone_would_build_is_unknown(
    fleet: tuple[str, Node, Node], tmp_path: Path
) -> None:
    name, _, arm64 = fleet
    arm64.server.shutdown(socket.SHUT_RDWR)
    arm64.server.close()
    write_tree(tmp_path, {**APPS, "Dockerfile": GOOD})
    result = run(tmp_path, name, platforms=(ARM64,))
    assert result.exit_code == 5, result.looks
    assert not any(look.state is State.RIGHT for look in result.looks)


def test_a_builder_in_a_container_builds_and_tells_right_from_wrong(
    contained: tuple[str, Node], tmp_path: Path
) -> None:
    name, node = contained
    write_tree(tmp_path / "good", {**APPS, "Dockerfile": GOOD})
    write_tree(tmp_path / "made", {**APPS, "Dockerfile": HOST_MADE})
    result = verify(
        Request((tmp_path / "good", tmp_path / "made"), settings=Settings(builder=name, no_cache=True))
    )
    assert [(look.target, look.state) for look in result.looks] == [
        ("good", State.RIGHT),
        ("good", State.RIGHT),
        ("made", State.RIGHT),
        ("made", State.WRONG),
    ]
    assert (result.builder, result.driver) == (name, "docker-container")
    assert list(result.modes.values()) == ["native", "emulated"]
    assert node.callers


def test_a_container_whose_buildkit_is_gone_makes_images_unknown(
    contained: tuple[str, Node], tmp_path: Path
) -> None:
    name, node = contained
    node.server.shutdown(socket.SHUT_RDWR)
    node.server.close()
    write_tree(tmp_path / "good", {**APPS, "Dockerfile": GOOD})
    result = run(tmp_path / "good", name, platforms=(AMD64,))
    assert result.exit_code == 5, result.looks
