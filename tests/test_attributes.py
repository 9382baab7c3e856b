"""`fix` over files of every make: what it writes keeps all that is not an edit, what it does not write says why.

The whole product of line ends, BOM, final line end, encoding, mode and kind of file, by the program itself.
"""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

FLAG = b"--platform=$BUILDPLATFORM "
ENDS = {"LF": (b"\n",), "CRLF": (b"\r\n",), "mixed": (b"\n", b"\r\n")}
REMARKS = {"UTF-8": "café ☕".encode(), "latin-1": b"caf\xe9", "NUL": b"caf\x00e"}
CONTENTS = tuple(itertools.product(ENDS, (b"", b"\xef\xbb\xbf"), (True, False), REMARKS))
MODES = (0o644, 0o755, 0o600, 0o444)


def content(ends: str, bom: bytes, final: bool, remark: str) -> bytes:
    lines = (
        b"FROM " + FLAG + b"alpine AS base",
        b"# " + REMARKS[remark],
        b"FROM base",
        b"RUN true \\",
        b"  && true\t ",
        b'CMD ["sh"]',
    )
    text = bom + b"".join(line + end for line, end in zip(lines, itertools.cycle(ENDS[ends]), strict=False))
    return text if final else text.rstrip(b"\r\n")


def plain(folder: Path, text: bytes) -> tuple[Path, Path]:
    """The name that `fix` gets, and the file that holds the bytes."""
    file = folder / "Dockerfile"
    file.write_bytes(text)
    return file, file


def symbolic_link(folder: Path, text: bytes) -> tuple[Path, Path]:
    file = folder / "kept" / "actual"
    file.parent.mkdir()
    file.write_bytes(text)
    (folder / "Dockerfile").symlink_to("kept/actual")
    return folder / "Dockerfile", file


def hard_link(folder: Path, text: bytes) -> tuple[Path, Path]:
    name, file = plain(folder, text)
    os.link(file, folder / "second")
    return name, file


def linked_folder(folder: Path, text: bytes) -> tuple[Path, Path]:
    (folder / "kept").mkdir()
    _, file = plain(folder / "kept", text)
    (folder / "link").symlink_to("kept")
    return folder / "link" / "Dockerfile", file


def mount_point(folder: Path, text: bytes) -> tuple[Path, Path]:
    name, _ = plain(folder, b"")
    file = folder / "mounted"
    file.write_bytes(text)
    return name, file


KINDS = {make.__name__: make for make in (plain, symbolic_link, hard_link, linked_folder, mount_point)}


@contextmanager
def mounted(pairs: list[tuple[Path, Path]]) -> Iterator[None]:
    """Each file mounted on its name."""
    done: list[Path] = []
    try:
        for name, file in pairs:
            if subprocess.run(["mount", "--bind", str(file), str(name)], capture_output=True).returncode:
                pytest.skip("may not mount")
            done.append(name)
        yield
    finally:
        for name in done:
            subprocess.run(["umount", str(name)], check=True)


def refusal(kind: str, mode: int, remark: str) -> bytes:
    """Why a file is not written; empty where it is."""
    if remark == "NUL":
        return b"NUL"
    if kind == "hard_link":
        return b"has 2 hard links"
    if not mode & 0o222:
        return b"is read-only (mode 0444)"
    return b"the file is a mount point of its own" if kind == "mount_point" else b""


def test_the_product_is_whole() -> None:
    assert len(CONTENTS) * len(MODES) * len(KINDS) == 3 * 2 * 2 * 3 * 4 * 5
    assert len({content(*case) for case in CONTENTS}) == len(CONTENTS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_kept_as_it_is_but_for_the_edit_or_refused_with_a_reason(
    archpatch: Run, tmp_path: Path, kind: str
) -> None:
    if kind == "mount_point" and (sys.platform != "linux" or os.geteuid() != 0):
        pytest.skip("only root may mount")
    files: dict[tuple[tuple[str, bytes, bool, str], int], tuple[Path, Path]] = {}
    for number, (case, mode) in enumerate(itertools.product(CONTENTS, MODES)):
        folder = tmp_path / str(number)
        folder.mkdir()
        files[case, mode] = KINDS[kind](folder, content(*case))
        files[case, mode][1].chmod(mode)
    before = {path: path.lstat() for path in tmp_path.rglob("*")}
    names = [str(name) for name, _ in files.values()]
    with mounted(list(files.values()) if kind == "mount_point" else []):
        ran = archpatch("fix", "--isolated", "--no-cache", "--jobs", "1", *names)
    told = {line.split(b": ")[1]: line for line in ran.stderr.splitlines() if b"Dockerfile" in line}
    for (case, mode), (name, file) in files.items():
        text, why = content(*case), refusal(kind, mode, case[3])
        line = told.get(os.path.relpath(name).encode(), told.get(os.fsencode(name), b""))
        assert (why in line) if why else not line, (case, line)
        assert file.read_bytes() == (text if why else text.replace(FLAG, b"")), case
    assert ran.returncode == 4  # there are always some with a NUL
    after = {path: path.lstat() for path in tmp_path.rglob("*")}
    assert after.keys() == before.keys()  # no name came or went
    for path, was in before.items():
        now = after[path]
        assert (now.st_mode, now.st_uid, now.st_gid, now.st_nlink) == (
            was.st_mode,
            was.st_uid,
            was.st_gid,
            was.st_nlink,
        ), path
        assert stat.S_ISLNK(now.st_mode) == path.is_symlink()
