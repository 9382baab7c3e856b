"""Images as files: OCI layouts and docker archives, as a folder or as a tar; nothing is unpacked to disk."""

from __future__ import annotations

import json
import posixpath
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from archpatch.platforms import Platform, UnknownPlatform
from archpatch.verify import layers
from archpatch.verify.packed import unpacked
from archpatch.verify.rootfs import Rootfs
from archpatch.verify.tar import Kind, PlainSource, Unreadable, members

_JSON_LIMIT = 1 << 23
_MAX_IMAGES = 256
_KEPT_PATHS = 400_000  # of layers that are remembered, see LayerCache


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of an image: the digest of what it holds, and (not compared) where it stands in its store."""

    name: str = field(compare=False)
    digest: str


@dataclass(frozen=True, slots=True)
class Config:
    """What an image's config says of running it. `history`: (created_by, makes a layer) in order."""

    env: Mapping[str, str]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    folder: str
    history: tuple[tuple[str, bool], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What a container starts."""
        return self.entrypoint + self.cmd


@dataclass(frozen=True, slots=True)
class Image:
    """One manifest. `platform`: what its index claims, else its config; `configured`: what its config says."""

    platform: Platform
    configured: Platform
    config: Config
    layers: tuple[Blob, ...]
    digest: str = ""


@dataclass(slots=True)
class LayerCache:
    """Layers already read, by digest: two builds on one base read it once. Drops the oldest ones."""

    kept: OrderedDict[tuple[str, int], layers.Layer] = field(default_factory=OrderedDict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def reading(self, digest: str) -> threading.Lock:
        """Held while a layer is read: a second build on the same base waits for the first."""
        return self._locks.setdefault(digest, threading.Lock())

    def get(self, digest: str, number: int) -> layers.Layer | None:
        """The layer, if it is still known."""
        if (layer := self.kept.get((digest, number))) is not None:
            self.kept.move_to_end((digest, number))
        return layer

    def put(self, digest: str, number: int, layer: layers.Layer) -> None:
        """Remember a layer."""
        self.kept[(digest, number)] = layer
        while len(self.kept) > 1 and sum(len(one.added) for one in self.kept.values()) > _KEPT_PATHS:
            self.kept.popitem(last=False)


# One for the process: builds before and after a fix, and of several files, share their bases.
SHARED_LAYERS = LayerCache()


class Store:
    """The files of a layout or archive by name. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        if not path.is_dir():
            self._file = path.open("rb", buffering=0)  # PlainSource has a window of its own
            try:
                self._scan(self._file)
            except Unreadable:
                self._file.close()
                raise

    def _scan(self, file: IO[bytes]) -> None:
        source = PlainSource(file, 0, self._path.stat().st_size)
        for member, _ in members(source):
            name = posixpath.normpath(member.path)
            if member.kind is Kind.FILE and not member.sparse:
                self._places[name] = (source.position, member.size)
            elif member.kind is Kind.SYMLINK:
                self._links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.link))
            elif member.kind is Kind.HARD_LINK:
                self._links[name] = posixpath.normpath(member.link)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def __contains__(self, name: str) -> bool:
        return (
            self._inside(name).is_file()
            if self._file is None
            else self._links.get(name, name) in self._places
        )

    def _inside(self, name: str) -> Path:
        """The path of a file of a layout folder; links must not lead out of it."""
        root = self._path.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise Unreadable(f"{name} leads out of the layout")
        return path

    @contextmanager
    def open(self, name: str) -> Iterator[PlainSource]:
        """The bytes of one file. Raises Unreadable where there is none."""
        if self._file is None:
            path = self._inside(name)
            if not path.is_file():
                raise Unreadable(f"{name} is missing")
            with path.open("rb", buffering=0) as file:
                yield PlainSource(file, 0, path.stat().st_size)
        else:
            place = self._places.get(self._links.get(name, name))
            if place is None:
                raise Unreadable(f"{name} is missing")
            yield PlainSource(self._file, *place)

    def json(self, name: str) -> Any:
        """A JSON file of the store. Raises Unreadable."""
        with self.open(name) as source:
            data = source.read(_JSON_LIMIT + 1)
        if len(data) > _JSON_LIMIT:
            raise Unreadable(f"{name} is larger than 8 MiB")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"{name} is no JSON") from error

    def images(self) -> tuple[Image, ...]:
        """Every image in the store whose content is there; attestations are passed over."""
        try:
            if "index.json" in self:
                return tuple(self._indexed(self.json("index.json"), depth=0))
            if "manifest.json" in self:
                return tuple(self._archived(self.json("manifest.json")))
        except (KeyError, TypeError, AttributeError, UnknownPlatform) as error:
            raise Unreadable(f"not an image as its format has it ({error})") from error
        raise Unreadable("neither an OCI layout nor a docker archive")

    def _indexed(self, index: Any, depth: int) -> Iterator[Image]:
        if depth > 4:
            raise Unreadable("indexes nested too deeply")
        for descriptor in index["manifests"][:_MAX_IMAGES]:
            if _is_attestation(descriptor):
                continue
            name = _blob(descriptor["digest"])
            if name not in self:
                continue  # `docker save` lists platforms whose content was never fetched
            manifest = self.json(name)
            if "manifests" in manifest:
                yield from self._indexed(manifest, depth + 1)
            elif "config" in manifest and "layers" in manifest:
                yield self._image(manifest, descriptor)

    def _image(self, manifest: Any, descriptor: Any) -> Image:
        raw = self.json(_blob(manifest["config"]["digest"]))
        configured = _platform(raw)
        claimed = descriptor.get("platform")
        ids = raw.get("rootfs", {}).get("diff_ids") or []
        blobs = tuple(
            Blob(_blob(layer["digest"]), ids[number] if number < len(ids) else layer["digest"])
            for number, layer in enumerate(manifest["layers"])
        )
        platform = _platform(claimed) if claimed and claimed.get("architecture") else configured
        return Image(platform, configured, _config(raw), blobs, descriptor["digest"])

    def _archived(self, manifest: Any) -> Iterator[Image]:
        for entry in manifest[:_MAX_IMAGES]:
            raw = self.json(posixpath.normpath(entry["Config"]))
            ids = raw.get("rootfs", {}).get("diff_ids") or []
            names = [posixpath.normpath(name) for name in entry["Layers"]]
            blobs = tuple(
                Blob(name, ids[number] if number < len(ids) else name) for number, name in enumerate(names)
            )
            yield Image(_platform(raw), _platform(raw), _config(raw), blobs)

    def rootfs(self, image: Image, cache: LayerCache | None = None) -> Rootfs:
        """The file system of an image. Raises Unreadable when one of its layers cannot be read."""
        cache = cache if cache is not None else LayerCache()
        found = []
        for number, blob in enumerate(image.layers):
            with cache.reading(blob.digest):
                layer = cache.get(blob.digest, number)
                if layer is None:
                    layer = self._layer(blob, number)
                    cache.put(blob.digest, number, layer)
            found.append(layer)
        return Rootfs.of(found)

    def _layer(self, blob: Blob, number: int) -> layers.Layer:
        with self.open(blob.name) as packed:
            try:
                return layers.read(unpacked(packed), number)
            except Unreadable as error:
                raise Unreadable(f"layer {number + 1}: {error}") from error


def _is_attestation(descriptor: Any) -> bool:
    kind = (descriptor.get("annotations") or {}).get("vnd.docker.reference.type")
    return kind == "attestation-manifest" or (descriptor.get("platform") or {}).get("os") == "unknown"


def _blob(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if not algorithm.isalnum() or not value.isalnum():
        raise Unreadable(f"{digest!r} is no digest")
    return f"blobs/{algorithm}/{value}"


def _platform(raw: Any) -> Platform:
    parts = (raw.get("os") or "linux", raw.get("architecture") or "unknown", raw.get("variant") or "")
    return Platform.parse("/".join(part for part in parts if part))


def _config(raw: Any) -> Config:
    config = raw.get("config") or {}
    history = raw.get("history") or []
    return Config(
        dict(pair.partition("=")[::2] for pair in config.get("Env") or []),
        tuple(config.get("Entrypoint") or ()),
        tuple(config.get("Cmd") or ()),
        config.get("WorkingDir") or "/",
        tuple((step.get("created_by", ""), not step.get("empty_layer")) for step in history),
        config.get("Labels") or {},
    )
