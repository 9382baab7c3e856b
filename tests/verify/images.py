"""Images and ELF files made by the tests: small, exact, and as broken as a test wants them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archpatch.verify.streams import BLOCK

END = bytes(2 * BLOCK)  # of a tar
NUMBERS = {"amd64": 62, "arm64": 183, "386": 3, "arm": 40, "s390x": 22}
LOADERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}
# exit(0) in machine code, for static programs that really run
_EXIT = {
    "amd64": bytes.fromhex("31ffb83c0000000f05"),
    "arm64": bytes.fromhex("000080d2a80b80d2010000d4"),
}


def elf(
    arch: str = "amd64",
    *,
    interpreter: str | None = None,
    needed: Sequence[str] = (),
    rpath: str = "",
    runpath: str = "",
    kind: int = 3,
) -> bytes:
    """A 64-bit ELF file with just the segments that its headers need. No interpreter, nothing needed: static."""
    order = ">" if arch == "s390x" else "<"
    strings = b"\0"
    entries = []
    for tag, texts in ((1, needed), (15, [rpath] if rpath else []), (29, [runpath] if runpath else [])):
        for text in texts:
            entries.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    dynamic_needed = bool(entries) or interpreter is not None
    count = 1 + (interpreter is not None) + dynamic_needed
    at = 64 + 56 * count
    code = _EXIT.get(arch, b"\0" * 12)
    body, segments = code, []
    if interpreter is not None:
        text = interpreter.encode() + b"\0"
        segments.append((3, at + len(body), len(text)))
        body += text
    if dynamic_needed:
        strings_at = at + len(body)
        body += strings
        body += b"\0" * (-(at + len(body)) % 8)
        entries += [(5, strings_at), (10, len(strings)), (0, 0)]
        table = b"".join(struct.pack(f"{order}QQ", tag, value) for tag, value in entries)
        segments.append((2, at + len(body), len(table)))
        body += table
    ident = b"\x7fELF\x02" + (b"\x02" if order == ">" else b"\x01") + b"\x01" + bytes(9)
    # Addresses equal offsets, so that DT_STRTAB is an offset too.
    base = 0 if dynamic_needed else 0x400000
    header = ident + struct.pack(
        f"{order}HHIQQQIHHHHHH",
        kind if dynamic_needed else 2,
        NUMBERS[arch],
        1,
        base + at,
        64,
        0,
        0,
        64,
        56,
        count,
        0,
        0,
        0,
    )
    load = struct.pack(f"{order}IIQQQQQQ", 1, 5, 0, base, base, at + len(body), at + len(body), 0x1000)
    others = b"".join(
        struct.pack(f"{order}IIQQQQQQ", which, 4, place, place, place, size, size, 8)
        for which, place, size in segments
    )
    return header + load + others + body


def elf32(arch: str = "386") -> bytes:
    """A static 32-bit ELF file."""
    header = b"\x7fELF\x01\x01\x01" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, NUMBERS[arch], 1, 0x8000, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return header + struct.pack("<IIIIIIII", 1, 0, 0, 0, 84, 84, 5, 0x1000)


@dataclass(frozen=True)
class File:
    """A file of a layer."""

    data: bytes
    mode: int = 0o755


@dataclass(frozen=True)
class Link:
    """A symlink, or a hard link."""

    target: str
    hard: bool = False


DIR = object()
Entry = bytes | File | Link | object


def tar(
    entries: Mapping[str, Entry] | Sequence[tuple[str, Entry]], format: int = tarfile.PAX_FORMAT
) -> bytes:
    """A tar of `entries`, in their order; bytes are files of mode 0755, DIR a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, entry in entries.items() if isinstance(entries, Mapping) else entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(entry, Link):
                info.type = tarfile.LNKTYPE if entry.hard else tarfile.SYMTYPE
                info.linkname = entry.target
                archive.addfile(info)
            elif entry is DIR:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                file = entry if isinstance(entry, File) else File(entry)  # type: ignore[arg-type]  # only bytes are left
                info.mode, info.size = file.mode, len(file.data)
                archive.addfile(info, io.BytesIO(file.data))
    return out.getvalue()


@dataclass(frozen=True)
class Spec:
    """An image to be made: its layers as tars, and what its index and config say."""

    layers: Sequence[bytes]
    arch: str = "amd64"
    labelled: str | None = None  # the architecture in the index, where it is another
    config: Mapping[str, Any] | None = None


def layout(
    path: Path, *specs: Spec, pack: Callable[[bytes], bytes] = gzip.compress, nested: bool = False
) -> Path:
    """An OCI layout tar at `path` with one manifest for each of `specs` and an attestation."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    manifests = []
    for spec in specs:
        ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in spec.layers]
        config = put(
            json.dumps(
                {
                    "os": "linux",
                    "architecture": spec.arch,
                    "config": dict(spec.config or {}),
                    "rootfs": {"type": "layers", "diff_ids": ids},
                }
            ).encode()
        )
        manifest = put(
            json.dumps({"config": config, "layers": [put(pack(layer)) for layer in spec.layers]}).encode()
        )
        manifests.append(manifest | {"platform": {"os": "linux", "architecture": spec.labelled or spec.arch}})
    statement = put(json.dumps({"layers": []}).encode())
    manifests.append(
        statement
        | {
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        }
    )
    index = {"schemaVersion": 2, "manifests": manifests}
    if nested:
        index = {"schemaVersion": 2, "manifests": [put(json.dumps(index).encode())]}
    blobs["index.json"] = json.dumps(index).encode()
    path.write_bytes(tar(blobs))
    return path


def header(name: bytes, flag: bytes = b"0", size: int = 0, link: bytes = b"", prefix: bytes = b"",
           magic: bytes = b"ustar\x0000", trailer: bytes = b"") -> bytes:  # fmt: skip
    """One tar header with fields that no library would write."""
    block = bytearray(BLOCK)
    for at, field in ((0, name), (100, b"0000755\0"), (108, b"0000000\0"), (116, b"0000000\0"),
                      (124, b"%011o\0" % size), (136, b"00000000000\0"), (148, b" " * 8), (156, flag),
                      (157, link), (257, magic), (345, prefix), (508, trailer)):  # fmt: skip
        block[at : at + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
