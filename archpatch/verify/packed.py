"""Packed layers, unpacked as a stream: gzip and zstd."""

from __future__ import annotations

import sys
import zlib
from abc import abstractmethod
from importlib import import_module
from typing import Any

from archpatch.verify.streams import PlainSource, Source, Unreadable

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 18  # packed bytes
_PIECE = 1 << 20  # unpacked bytes
_LIMIT = 1 << 36


class _Packed(Source):
    """The unpacked bytes of a packed stream. Raises Unreadable where that is broken or has no end."""

    def __init__(self, packed: Source, limit: int = _LIMIT) -> None:
        self._packed, self._left = packed, limit
        self._buffer, self._at = b"", 0

    @abstractmethod
    def _piece(self) -> bytes:
        """Some bytes more; none at the end."""

    def _fill(self) -> bool:
        self._buffer, self._at = self._piece(), 0
        self._left -= len(self._buffer)
        if self._left < 0:
            raise Unreadable("the layer unpacks to more than 64 GiB")
        return bool(self._buffer)

    def read(self, size: int) -> bytes:
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        pieces = []
        while size > 0:
            if self._at == len(self._buffer) and not self._fill():
                break
            piece = self._buffer[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        while size > 0:
            if self._at == len(self._buffer) and not self._fill():
                raise Unreadable("the tar ends inside a file")
            step = min(size, len(self._buffer) - self._at)
            self._at += step
            size -= step


class GzipSource(_Packed):
    """A gzip stream, of several members too."""

    def __init__(self, packed: Source, limit: int = _LIMIT) -> None:
        super().__init__(packed, limit)
        self._inflate = zlib.decompressobj(31)

    def _piece(self) -> bytes:
        piece = b""
        while not piece:
            if self._inflate.eof:
                rest = self._inflate.unused_data or self._packed.read(_CHUNK)
                if not rest.strip(b"\0"):
                    return b""
                self._inflate = zlib.decompressobj(31)
            else:
                rest = self._inflate.unconsumed_tail or self._packed.read(_CHUNK)
                if not rest:
                    raise Unreadable("the gzip stream ends too early")
            try:
                piece = self._inflate.decompress(rest, _PIECE)
            except zlib.error as error:
                raise Unreadable(f"broken gzip stream: {error}") from error
        return piece


class ZstdSource(_Packed):
    """A zstd stream, of several frames too."""

    def __init__(self, packed: Source, limit: int = _LIMIT) -> None:
        super().__init__(packed, limit)
        self._zstd = zstd()
        self._frame = self._zstd.ZstdDecompressor()

    def _piece(self) -> bytes:
        piece = b""
        while not piece:
            if self._frame.eof:
                rest = self._frame.unused_data or self._packed.read(_CHUNK)
                if not rest:
                    return b""
                self._frame = self._zstd.ZstdDecompressor()
            elif self._frame.needs_input:
                rest = self._packed.read(_CHUNK)
                if not rest:
                    raise Unreadable("the zstd stream ends too early")
            else:
                rest = b""
            try:
                piece = self._frame.decompress(rest, _PIECE)
            except self._zstd.ZstdError as error:
                raise Unreadable(f"broken zstd stream: {error}") from error
        return bytes(piece)


def zstd() -> Any:
    """The module that reads zstd: of Python since 3.14, before that its backport; loaded where it is needed."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return import_module(name)
    except ImportError as error:
        raise Unreadable(f"could not read zstd: {name} is missing") from error


def unpacked(packed: PlainSource) -> Source:
    """A layer's tar. The bytes say how it is packed; media types in the wild do not always."""
    head = packed.read(4)
    packed.rewind(len(head))
    if head[:2] == _GZIP:
        return GzipSource(packed)
    return ZstdSource(packed) if head == _ZSTD else packed
