"""Before anything is built: which platforms the builder serves, natively or by emulation, and what to do if not.

The list of a builder's platforms does not say it (a worker lists what it can execute, emulated or not), so each
platform runs a program of some 130 bytes that ends at once. No base image is needed.
"""

from __future__ import annotations

import enum
import struct
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from archpatch.platforms import AMD64, Platform
from archpatch.verify.bakefile import BakeTarget, bake_file, target_name
from archpatch.verify.buildx import Builder, Buildx
from archpatch.verify.elf import MACHINES
from archpatch.verify.oci import Store
from archpatch.verify.progress import Progress
from archpatch.verify.streams import Unreadable

_PROBE = """\
FROM scratch
ARG BUILDPLATFORM
ARG TARGETPLATFORM
LABEL build=$BUILDPLATFORM target=$TARGETPLATFORM
COPY probe /probe
RUN --network=none ["/probe"]
"""
_ALONE = "Multi-platform build is not supported"
_ONE_ALONE = (
    "The docker driver without the containerd image store builds for one platform alone: turn the store "
    "on, or make a builder with docker buildx create --driver docker-container --use."
)
_TIMEOUT = 180.0  # a builder that sleeps may have to be started
# exit(0) in the machine code of each architecture, with the ELF flags that its kernels want
_CODE = {
    "amd64": ("31ffb83c0000000f05", 0),
    "arm64": ("000080d2a80b80d2010000d4", 0),
    "arm": ("0000a0e30170a0e3000000ef", 0x05000000),
    "386": ("31dbb801000000cd80", 0),
    "riscv64": ("130500009308d00573000000", 0),
    "s390x": ("a72900000a01", 0),
    "ppc64le": ("010000380000603802000044", 2),
}


class Mode(enum.Enum):
    """How a builder executes the programs of a platform."""

    NATIVE = "native"
    EMULATED = "emulated"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the first build. `advice` says what to do where something is missing."""

    builder: Builder
    versions: Mapping[str, str]
    modes: Mapping[Platform, Mode]
    build_platforms: Mapping[Platform, Platform]  # $BUILDPLATFORM of the node that serves a platform
    advice: tuple[str, ...] = ()

    def mode(self, platform: Platform) -> Mode:
        """How this platform is executed."""
        return self.modes.get(platform, Mode.UNKNOWN)

    def build_platform(self, platform: Platform) -> Platform:
        """$BUILDPLATFORM of the node that builds for `platform`; unprobed, what its node lists first."""
        if known := self.build_platforms.get(platform):
            return known
        nodes = [node for node in self.builder.nodes if node.platforms]
        serving = next((node for node in nodes if platform in node.platforms), next(iter(nodes), None))
        return serving.platforms[0] if serving else AMD64


def probe_program(arch: str) -> bytes | None:
    """A static program that ends with 0; None for an architecture whose machine code is not known here."""
    if arch not in _CODE:
        return None
    code, flags = bytes.fromhex(_CODE[arch][0]), _CODE[arch][1]
    machine = MACHINES[arch]
    order = "<" if machine.little else ">"
    wide = machine.bits == 64
    header_size, segment_size = (64, 56) if wide else (52, 32)
    start = 0x10000
    size = header_size + segment_size + len(code)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if machine.little else 2, 1)) + bytes(9)
    word = "Q" if wide else "I"
    header = struct.pack(
        f"{order}HHI3{word}IHHHHHH", 2, machine.number, 1, start + header_size + segment_size, header_size, 0,
        flags, header_size, segment_size, 1, 0, 0, 0,
    )  # fmt: skip
    if wide:
        segment = struct.pack(f"{order}IIQQQQQQ", 1, 5, 0, start, start, size, size, 0x1000)
    else:
        segment = struct.pack(f"{order}IIIIIIII", 1, 0, start, start, size, size, 5, 0x1000)
    return ident + header + segment + code


def preflight(buildx: Buildx, platforms: Iterable[Platform], *, probe: bool = True) -> Preflight:
    """Look at the builder. Raises NoEngine where there is none."""
    versions = buildx.versions()
    builder = buildx.builder()
    modes: dict[Platform, Mode] = {}
    natives: dict[Platform, Platform] = {}
    errors = []
    for platform in platforms if probe else ():
        modes[platform], native, error = _probe(buildx, platform)
        errors.append(error)
        if native is not None:
            natives[platform] = native
    advice = [*_advice(builder, modes), *([_ONE_ALONE] if any(_ALONE in error for error in errors) else [])]
    return Preflight(builder, versions, modes, natives, tuple(advice))


def _probe(buildx: Buildx, platform: Platform) -> tuple[Mode, Platform | None, str]:
    """How a platform is executed, $BUILDPLATFORM there, and the error where it is not."""
    program = probe_program(platform.arch) if platform.os == "linux" else None
    if program is None:
        return Mode.UNKNOWN, None, ""
    with tempfile.TemporaryDirectory(prefix="archpatch-probe-") as name:
        folder = Path(name)
        context = folder / "context"
        context.mkdir()
        (context / "probe").write_bytes(program)
        (context / "probe").chmod(0o755)
        (folder / "Dockerfile").write_text(_PROBE, encoding="utf-8")
        target = BakeTarget(
            target_name("probe", str(platform)),
            context,
            folder / "Dockerfile",
            platform,
            f"type=oci,dest={folder / 'probe.tar'}",
        )
        # Never answered from the cache: emulation comes and goes.
        plain = type(buildx.settings)(builder=buildx.settings.builder, no_cache=True)
        (folder / "bake.json").write_text(bake_file([target], plain), encoding="utf-8")
        again = Buildx(plain, buildx.runner)
        built = again.bake(
            folder / "bake.json", target.name, folder / "m.json", [folder], Progress(), timeout=_TIMEOUT
        )
        if not built.ok:
            error = built.progress.error
            missing = "exec format error" in error or _ALONE in error
            return (Mode.MISSING if missing else Mode.UNKNOWN), None, error
        return *_labels(folder / "probe.tar"), ""


def _labels(path: Path) -> tuple[Mode, Platform | None]:
    try:
        with Store(path) as store:
            labels = store.images()[0].config.labels
            build, target = Platform.parse(labels["build"]), Platform.parse(labels["target"])
    except (Unreadable, OSError, IndexError, KeyError, ValueError):
        return Mode.UNKNOWN, None
    return (Mode.NATIVE if build.arch == target.arch else Mode.EMULATED), build


def _advice(builder: Builder, modes: Mapping[Platform, Mode]) -> list[str]:
    advice = []
    for platform, mode in modes.items():
        if mode is Mode.MISSING:
            advice.append(
                f"{platform}: the builder {builder.name} cannot execute it. Add a native node "
                f"(docker buildx create --append --name NAME --platform {platform} ENDPOINT), or register QEMU "
                f"(docker run --privileged --rm tonistiigi/binfmt --install {platform.arch})."
            )
        elif mode is Mode.UNKNOWN:
            advice.append(
                f"{platform}: it could not be found out whether the builder {builder.name} executes it."
            )
    return advice
