"""Images as files: OCI layouts and docker archives, as a folder or as a tar; nothing is unpacked to disk."""

from __future__ import annotations

import hashlib
import json
import posixpath
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from archpatch.platforms import Platform
from archpatch.verify import layers
from archpatch.verify.packed import unpacked
from archpatch.verify.rootfs import Rootfs
from archpatch.verify.streams import PlainSource, Unreadable
from archpatch.verify.tar import Kind, members

_JSON_LIMIT = 1 << 23
_MAX_IMAGES, _MAX_LAYERS, _MAX_DEPTH = 256, 512, 4
_BLOBS, _ALGORITHMS = "blobs/", ("sha256", "sha512")
_KEPT_PATHS = 400_000  # of layers that are remembered, see LayerCache


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of an image: the digest that the config gives its content, and (not compared) its file in the store."""

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
    triggers: tuple[str, ...] = ()  # ONBUILD: what a build on it runs

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
    """Layers already read, by the name of their blob: two builds on one base read it once. Drops the oldest ones.

    The engine holds what it fetches against that name; against the digests of a config nobody does.
    """

    kept: OrderedDict[tuple[str, int], layers.Layer] = field(default_factory=OrderedDict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def reading(self, name: str) -> threading.Lock:
        """Held while a layer is read: a second build on the same base waits for the first."""
        return self._locks.setdefault(name, threading.Lock())

    def get(self, name: str, number: int) -> layers.Layer | None:
        """The layer, if it is still known."""
        if (layer := self.kept.get((name, number))) is not None:
            self.kept.move_to_end((name, number))
        return layer

    def put(self, name: str, number: int, layer: layers.Layer) -> None:
        """Remember a layer."""
        self.kept[(name, number)] = layer
        while len(self.kept) > 1 and sum(len(one.added) for one in self.kept.values()) > _KEPT_PATHS:
            self.kept.popitem(last=False)


# One for the process: builds before and after a fix, and of several files, share their bases.
SHARED_LAYERS = LayerCache()


class Store:
    """The files of a layout or archive by name. Use as a context manager.

    `absent`: the platforms that an index lists and whose content is not here, once `images` was asked.
    """

    def __init__(self, path: Path) -> None:
        self.absent: tuple[Platform, ...] = ()
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
                self._places[name] = (source.given, member.size)
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
        """A JSON file of the store, held against the digest in its name. Raises Unreadable."""
        with self.open(name) as source:
            data = source.read(_JSON_LIMIT + 1)
        if len(data) > _JSON_LIMIT:
            raise Unreadable(f"{name} is larger than 8 MiB")
        if name.startswith(_BLOBS):
            algorithm, value = name.removeprefix(_BLOBS).split("/")
            if hashlib.new(algorithm, data).hexdigest() != value:
                raise Unreadable(f"{name} holds something else than its name says")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"{name} is no JSON") from error

    def images(self) -> tuple[Image, ...]:
        """Every image in the store whose content is there; attestations are passed over."""
        absent: list[Platform] = []
        try:
            if "index.json" in self:
                found = self._indexed(self.json("index.json"), absent, {})
            elif "manifest.json" in self:
                found = list(self._archived(self.json("manifest.json")))
            else:
                raise Unreadable("neither an OCI layout nor a docker archive")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable(f"not an image as its format has it ({error})") from error
        self.absent = tuple(dict.fromkeys(absent))
        if not found and not absent:
            raise Unreadable("it holds no image")
        return tuple(found)

    def _indexed(
        self, index: Any, absent: list[Platform], seen: dict[tuple[str, str], None], depth: int = 0
    ) -> list[Image]:
        if depth > _MAX_DEPTH:
            raise Unreadable("indexes nested too deeply")
        found: list[Image] = []
        for descriptor in index["manifests"]:
            key = descriptor["digest"], json.dumps(descriptor.get("platform"))
            if key in seen or _is_attestation(descriptor):
                continue
            seen[key] = None
            if len(seen) > _MAX_IMAGES:
                raise Unreadable(f"more than {_MAX_IMAGES} images")
            name = _blob(descriptor["digest"])
            if name not in self:
                # `docker save` lists platforms whose content was never fetched.
                absent += [_platform(claimed)] if (claimed := descriptor.get("platform")) else []
                continue
            manifest = self.json(self._whole(descriptor))
            if "manifests" in manifest:
                found += self._indexed(manifest, absent, seen, depth + 1)
            elif "config" in manifest and "layers" in manifest:
                found.append(self._image(manifest, descriptor))
        return found

    def _whole(self, descriptor: Any) -> str:
        """The file of a descriptor, which has the size that this says."""
        name, size = _blob(descriptor["digest"]), descriptor.get("size")
        with self.open(name) as source:
            if isinstance(size, int) and source.size != size:
                raise Unreadable(f"{name} has {source.size} bytes, {size} are listed")
        return name

    def _image(self, manifest: Any, descriptor: Any) -> Image:
        raw = self.json(self._whole(manifest["config"]))
        configured = _platform(raw)
        claimed = descriptor.get("platform")
        platform = _platform(claimed) if claimed and claimed.get("architecture") else configured
        blobs = _layers(raw, [self._whole(layer) for layer in manifest["layers"]])
        return Image(platform, configured, config_of(raw), blobs, descriptor["digest"])

    def _archived(self, manifest: Any) -> Iterator[Image]:
        if len(manifest) > _MAX_IMAGES:
            raise Unreadable(f"more than {_MAX_IMAGES} images")
        for entry in manifest:
            raw = self.json(posixpath.normpath(entry["Config"]))
            blobs = _layers(raw, [posixpath.normpath(name) for name in entry["Layers"]])
            yield Image(_platform(raw), _platform(raw), config_of(raw), blobs)

    def rootfs(self, image: Image, cache: LayerCache | None = None) -> Rootfs:
        """The file system of an image. Raises Unreadable when one of its layers cannot be read."""
        cache = cache if cache is not None else LayerCache()
        found = []
        for number, blob in enumerate(image.layers):
            with cache.reading(blob.name):
                layer = cache.get(blob.name, number)
                if layer is None:
                    layer = self._layer(blob, number)
                    cache.put(blob.name, number, layer)
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
    if algorithm not in _ALGORITHMS or not value.isalnum():
        raise Unreadable(f"{digest!r} is no digest")
    return f"{_BLOBS}{algorithm}/{value}"


def _layers(raw: Any, names: list[str]) -> tuple[Blob, ...]:
    if len(names) > _MAX_LAYERS:
        raise Unreadable(f"more than {_MAX_LAYERS} layers")
    ids = _texts((raw.get("rootfs") or {}).get("diff_ids"))
    return tuple(Blob(name, ids[at] if at < len(ids) else name) for at, name in enumerate(names))


def _platform(raw: Any) -> Platform:
    parts = (raw.get("os") or "linux", raw.get("architecture") or "unknown", raw.get("variant") or "")
    return Platform.parse("/".join(part for part in parts if part))


def config_of(raw: Any) -> Config:
    """What an image's config (its JSON) says. Raises TypeError or AttributeError for what is none."""
    config = raw.get("config") or {}
    history = raw.get("history") or []
    labels = config.get("Labels") or {}
    return Config(
        dict(pair.partition("=")[::2] for pair in _texts(config.get("Env"))),
        _texts(config.get("Entrypoint")),
        _texts(config.get("Cmd")),
        _text(config.get("WorkingDir")) or "/",
        tuple((_text(step.get("created_by")), not step.get("empty_layer")) for step in history),
        {_text(key): _text(value) for key, value in labels.items()},
        _texts(config.get("OnBuild")),
    )


def _texts(raw: Any) -> tuple[str, ...]:
    """A list of texts. Raises TypeError."""
    if raw is not None and not isinstance(raw, list):
        raise TypeError(f"{type(raw).__name__} in the place of a list")
    return tuple(map(_text, raw or ()))


def _text(raw: Any) -> str:
    if raw is not None and not isinstance(raw, str):
        raise TypeError(f"{type(raw).__name__} in the place of a text")
    return raw or ""
