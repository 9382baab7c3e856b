"""How long it takes to look into an image, beside `tar -tf` of the same layer: plain, and packed with gzip.

    python -m benchmarks.layers [FOLDER ...] [--repeat N]

The folders (by default those of this Python and of /usr/share) become the one layer of an image in a temporary folder.
Seconds of the processor, the mean of the repeats: all of `archpatch verify --image`, the same without its start-up,
and `tar`; then how many times as long the second is as the third, and the largest memory.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from archpatch.platforms import Platform

_MEDIA = "application/vnd.oci.image"


class Cost(NamedTuple):
    """Seconds of the processor and, of one run, the largest memory in MiB."""

    seconds: float
    memory: float


def layout(folder: Path, layer: Path, diff_id: str, kind: str, target: Platform) -> None:
    """An OCI layout of one image of one layer, which is moved into it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(value: Any, media: str) -> dict[str, Any]:
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"{_MEDIA}.{media}", "digest": f"sha256:{digest}", "size": len(data)}

    shown = {"os": target.os, "architecture": target.arch}
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = layer.stat().st_size
    layer.rename(blobs / digest)
    config = put({**shown, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}, "config.v1+json")
    described = {"mediaType": f"{_MEDIA}.layer.v1.{kind}", "digest": f"sha256:{digest}", "size": size}
    manifest = put({"schemaVersion": 2, "config": config, "layers": [described]}, "manifest.v1+json")
    index = {"schemaVersion": 2, "manifests": [{**manifest, "platform": shown}]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def packed(folders: Sequence[Path], tar: Path) -> int:
    """How many members the tar of the folders has; what cannot be read is left out.

    As BuildKit writes a layer: times are whole seconds, so that only long names need a pax header.
    """

    def readable(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.mtime = int(member.mtime)
        return member if not member.isfile() or os.access("/" + member.name, os.R_OK) else None

    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for folder in folders:
            archive.add(folder, filter=readable)
        return len(archive.getmembers())


def cost(command: Sequence[str], repeat: int) -> Cost:
    """What a command costs. Its exit code says what is wrong with the image: only a crash is an error."""
    seconds, memory = 0.0, 0.0
    for _ in range(repeat):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        seconds += used.ru_utime + used.ru_stime
        memory = max(memory, used.ru_maxrss / 1024)
    return Cost(seconds / repeat, memory)


def compared(layer: Path, image: Path, repeat: int) -> str:
    """One line of the table."""
    looked = [sys.executable, "-m", "archpatch", "verify", "--image"]
    start = cost([*looked[:-1], "--help"], repeat)
    inspected = cost([*looked, str(image)], repeat)
    tar = cost(["tar", "-tf", str(layer)], repeat)
    alone = inspected.seconds - start.seconds
    return (
        f"{inspected.seconds:>9.2f} {alone:>14.2f} {tar.seconds:>8.2f} {alone / tar.seconds:>7.1f} "
        f"{inspected.memory:>7.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    defaults = [Path(sys.base_prefix) / "lib", Path("/usr/share")]
    parser.add_argument("folders", nargs="*", type=Path, default=defaults, help="what the layer holds")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")
    target = Platform.parse(f"linux/{machine}")
    with tempfile.TemporaryDirectory() as name:
        tar = Path(name) / "layer.tar"
        members = packed([folder.resolve() for folder in options.folders if folder.exists()], tar)
        print(f"{members} members, {tar.stat().st_size / 1e6:.0f} MB")
        zipped = Path(name) / "layer.tar.gz"
        with tar.open("rb") as plain, gzip.open(zipped, "wb", compresslevel=6) as out:
            shutil.copyfileobj(plain, out, 1 << 20)
        with tar.open("rb") as file:
            diff_id = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        print(f"{'layer':<8} {'archpatch':>9} {'without start':>14} {'tar -tf':>8} {'times':>7} {'MiB':>7}")
        for layer, kind in ((tar, "tar"), (zipped, "tar+gzip")):
            again = Path(name) / f"again{layer.suffix}"
            os.link(layer, again)
            image = Path(name) / kind
            layout(image, layer, diff_id, kind, target)
            print(f"{kind:<8} {compared(again, image, options.repeat)}", flush=True)


if __name__ == "__main__":
    main()
