"""What one build reads and writes: a folder of our own, gone when the build is over."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """`dockerfile` is our copy of the text, `context` the tree's own folder or a copy with files changed.

    `linked`: our copies of the Dockerfiles that it is built on.
    """

    folder: Path
    dockerfile: Path
    context: Path
    linked: tuple[Path, ...] = ()

    @property
    def bake(self) -> Path:
        """Where the bake file goes."""
        return self.folder / "bake.json"

    @property
    def image(self) -> Path:
        """Where buildx puts the image."""
        return self.folder / "image.tar"

    @property
    def metadata(self) -> Path:
        """Where buildx says what it built."""
        return self.folder / "metadata.json"


@contextmanager
def workspace(
    dockerfile: Path,
    source: bytes,
    context: Path,
    files: Mapping[Path, bytes],
    linked: Sequence[tuple[Path, bytes]] = (),
) -> Iterator[Workspace]:
    """A place to build `source` as `dockerfile`, with `files` of the context as given here.

    `linked`: further Dockerfiles and their texts.

    The tree is not written to; Dockerfile.dockerignore counts as it does beside the real file.
    """
    with tempfile.TemporaryDirectory(prefix="archpatch-verify-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        own = _dockerfile(folder, dockerfile, source)
        others = [_dockerfile(folder / str(number), path, text) for number, (path, text) in enumerate(linked)]
        place = context.resolve()
        if files:
            place = folder / "context"
            _copy(context.resolve(), place)
            for path, data in files.items():
                _put(place, context, path, data)
        yield Workspace(folder, own, place, tuple(others))


def _dockerfile(folder: Path, path: Path, text: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    own = folder / "Dockerfile"
    own.write_bytes(text)
    ignored = path.with_name(path.name + ".dockerignore")
    if ignored.is_file():
        shutil.copyfile(ignored, folder / "Dockerfile.dockerignore")
    return own


def _put(place: Path, context: Path, path: Path, data: bytes) -> None:
    inside = Path(os.path.relpath(os.path.realpath(path), os.path.realpath(context)))
    if inside.parts[:1] == ("..",):
        raise ValueError(f"{path} is not in the build context {context}")
    target = place / inside
    target.unlink(missing_ok=True)  # it may be a hard link to the tree's own file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    with contextlib.suppress(OSError):
        shutil.copymode(path, target)


def _copy(source: Path, target: Path) -> None:
    """The tree at `source`: files as hard links where that goes, symlinks as they are."""

    def link(one: str, two: str) -> str:
        try:
            os.link(one, two, follow_symlinks=False)
        except OSError:
            shutil.copy2(one, two, follow_symlinks=False)
        return two

    def special(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if not _is_ordinary(os.path.join(folder, name))]

    shutil.copytree(source, target, symlinks=True, copy_function=link, ignore=special)


def _is_ordinary(path: str) -> bool:
    return os.path.islink(path) or os.path.isfile(path) or os.path.isdir(path)
