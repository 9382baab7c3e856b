"""For which machine a program is, by the first bytes of its file. Source: the ELF specification, "e_machine"."""

from __future__ import annotations

_MACHINES = {
    0x03: "386",
    0x15: "ppc64le",
    0x16: "s390x",
    0x28: "arm",
    0x3E: "amd64",
    0xB7: "arm64",
    0xF3: "riscv64",
}


def program_arch(head: bytes) -> str | None:
    """The architecture of an ELF program or library, as in `Platform.arch`; None for any other file."""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    return _MACHINES.get(int.from_bytes(head[18:20], "big" if head[5] == 2 else "little"))
