"""The bytes of a file as they are unpacked: plain, gzip, zstd, or a member of a ZIP archive. Nothing is written.

A packed file that is torn or damaged gives the bytes before the damage and then ends, with `torn` set.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import msgspec

from engine.data.nouns import Packing
from engine.spec.prepared import Split

CHUNK = 1 << 18
GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
NAMES: dict[Packing, str] = {"gzip": "gzip file", "zstd": "zstd file", "": "archive"}
WINDOW = 1 << 27
"""Memory that a zstd file may ask for; what `zstd --long` needs by default."""


if TYPE_CHECKING:
    from typing_extensions import Buffer


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One file to read, or a member of an archive. `split` is the side that its name says."""

    path: Path
    name: str
    member: str = ""
    split: Split | None = None


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Unpacked(io.RawIOBase):
    """A stream of unpacked bytes that can go back to its start. `consumed` counts the bytes taken from the file."""

    def __init__(self, piece: Piece, packing: Packing) -> None:
        super().__init__()
        self._piece = piece
        self._packing: Packing = packing
        self.torn = False
        self.consumed = 0
        self._start()

    def _start(self) -> None:
        self._raw = open_raw(self._piece)
        self._decoder = _decoder(self._packing)
        self._ready = memoryview(b"")
        self._given = self.consumed = 0
        self.torn = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Only the start can be gone back to."""
        if offset or whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only the start can be gone back to")
        self._raw.close()
        self._start()
        return 0

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()

    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._ready and self._more():
            pass
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self._given += count
        return count

    def _more(self) -> bool:
        """Unpack a little; False at the end."""
        if self.torn:
            return False
        try:
            data = self._raw.read(CHUNK if self._decoder is None else CHUNK // 8)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            data, self.torn = b"", True
        self.consumed += len(data)
        if self._decoder is not None:
            return self._unpack(data)
        self._ready = memoryview(data)
        return bool(data)

    def _unpack(self, data: bytes) -> bool:
        assert self._decoder is not None
        if not data:
            self.torn = self.torn or not self._decoder.eof
            return False
        pieces: list[bytes] = []
        while data:
            if self._decoder.eof:
                data = data.lstrip(b"\0") if self._packing == "gzip" else data  # padding that tapes leave
                if not data:
                    break
                self._decoder = _decoder(self._packing)
                assert self._decoder is not None
            try:
                pieces.append(self._decoder.decompress(data))
            except Exception as error:
                if type(error).__name__ not in ("error", "ZstdError"):
                    raise
                self.torn = True
                break
            data = self._decoder.unused_data if self._decoder.eof else b""
        self._ready = memoryview(b"".join(pieces))
        return True


def _decoder(packing: Packing) -> _Decoder | None:
    if packing == "gzip":
        return zlib.decompressobj(wbits=31)
    if packing == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
    return None


def open_raw(piece: Piece) -> IO[bytes]:
    """The bytes as they lie on the disk or in the archive. Raises OSError or zipfile.BadZipFile."""
    if not piece.member:
        return piece.path.open("rb")
    return zipfile.ZipFile(piece.path).open(piece.member)


def open_bytes(piece: Piece, packing: Packing) -> io.BufferedReader:
    """The unpacked bytes, buffered. Raises OSError or zipfile.BadZipFile."""
    return io.BufferedReader(Unpacked(piece, packing), CHUNK)


def packing_of(head: bytes) -> Packing:
    """How a file that begins like this is packed."""
    return "gzip" if head.startswith(GZIP) else "zstd" if head.startswith(ZSTD) else ""
