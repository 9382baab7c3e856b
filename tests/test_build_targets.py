"""Options of build tools that name amd64 (AP613), tool by tool."""

from __future__ import annotations

import pytest

from archpatch.engine import check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

ARCH = "${_arch}"
RULES = tuple(rule for rule in load() if rule.code == "AP613")


def found(body: str) -> list[str]:
    source = f"FROM debian\nRUN {body}\n".encode()
    return [one.span.of(source).decode() for one in check(parse(source), RULES).findings]


def fixed(body: str) -> str:
    source = f"FROM debian\nRUN {body}\n".encode()
    outcome = fix(parse(source), RULES, level=Applicability.UNSAFE)
    return outcome.source.decode().rstrip("\n").rpartition("&& \\\n    ")[2]


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        ("zig cc -target x86_64-linux-musl -c a.c", f"zig cc -target {ARCH}-linux-musl -c a.c"),
        ("zig build -Dcpu=x86_64_v3", f"zig build -Dcpu={ARCH}"),
        ("vcpkg install zlib:x64-linux", f"vcpkg install zlib:{ARCH}-linux"),
        ("cmake -DVCPKG_TARGET_TRIPLET=x64-linux .", f"cmake -DVCPKG_TARGET_TRIPLET={ARCH}-linux ."),
        ("swift build --arch x86_64", f"swift build --arch {ARCH}"),
        ("shards build --target=x86_64-linux-musl", f"shards build --target={ARCH}-linux-musl"),
        ("dart compile exe --target-arch x64 a.dart", f"dart compile exe --target-arch {ARCH} a.dart"),
        (
            "flutter build linux --target-platform linux-x64",
            f"flutter build linux --target-platform linux-{ARCH}",
        ),
        (
            "auditwheel repair a.whl --plat manylinux2014_x86_64",
            f"auditwheel repair a.whl --plat manylinux2014_{ARCH}",
        ),
        (
            "python setup.py bdist_wheel --plat-name=manylinux2014_x86_64",
            f"python setup.py bdist_wheel --plat-name=manylinux2014_{ARCH}",
        ),
        ("rpmbuild -bb --target x86_64 a.spec", f"rpmbuild -bb --target {ARCH} a.spec"),
        ("nix build .#packages.x86_64-linux.app", f"nix build .#packages.{ARCH}-linux.app"),
        (
            "uv python install cpython-3.12.5-linux-x86_64-gnu",
            f"uv python install cpython-3.12.5-linux-{ARCH}-gnu",
        ),
    ],
)
def test_the_word_of_each_tool_is_chosen_by_architecture(body: str, mended: str) -> None:
    assert len(found(body)) == 1
    assert fixed(body) == mended


@pytest.mark.parametrize(
    "body",
    [
        "pnpm exec electron-builder --linux --x64",
        "dotnet publish -c Release /p:PlatformTarget=x64",
        "gn gen out --args='target_cpu=\"x64\" is_debug=false'",
        "swift build --triple x86_64-unknown-linux-gnu; cp .build/x86_64-unknown-linux-gnu/release/App /app",
        "vcpkg install --triplet x64-linux; cmake -DCMAKE_PREFIX_PATH=/v/installed/x64-linux/share .",
        "vcpkg install --triplet x64-linux-dynamic zlib",
        'sdkmanager "system-images;android-34;google_apis;x86_64"',
        'echo no | avdmanager create avd -n t -k "system-images;android-34;google_apis;x86_64"',
    ],
)
def test_what_the_rest_of_the_build_hangs_on_is_told_and_left(body: str) -> None:
    assert len(found(body)) == 1
    assert fixed(body) == f"FROM debian\nRUN {body}"


@pytest.mark.parametrize(
    "body",
    [
        "zig build -Dtarget=x86_64-windows",
        "zig build -Dtarget=x86_64-linux-musl && zig build -Dtarget=aarch64-linux-musl",
        '[ "$(uname -m)" != x86_64 ] || zig build -Dtarget=x86_64-linux-musl',
        'T=$(uname -m)-linux-musl && zig build -Dtarget="$T"',
        "npx electron-builder --mac --x64",
        'sdkmanager "system-images;android-34;google_apis;arm64-v8a"',
        "vcpkg install --triplet x64-windows zlib",
        "echo nix build .#packages.x86_64-linux.app",
        "swift build -c release",
    ],
)
def test_other_systems_branches_and_both_targets_are_fine(body: str) -> None:
    assert found(body) == []


def test_a_stage_of_the_build_platform_follows_the_target_too() -> None:
    source = b"FROM --platform=$BUILDPLATFORM debian AS build\nRUN zig build -Dtarget=x86_64-linux-musl\n"
    source += b"FROM scratch\nCOPY --from=build /zig-out/app /app\n"
    mended = fix(parse(source), RULES, level=Applicability.UNSAFE).source.decode()
    assert 'case "$TARGETARCH" in' in mended
    assert "uname -m" not in mended


def test_what_a_stage_of_the_build_platform_runs_itself_is_left_to_it() -> None:
    source = b"FROM --platform=$BUILDPLATFORM debian AS build\nRUN uv python install cpython-3.12.5-linux-x86_64-gnu\n"
    source += b"FROM scratch\nCOPY --from=build /app /app\n"
    assert check(parse(source), RULES).findings == ()
