"""Read bytes of plain and gzipped files, never more than was asked for.

A compressed file may promise anything, so nothing here trusts a length it finds: memory
is taken only for bytes that the compressed size makes possible.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

#: One byte of deflate yields at most this many (zlib documentation, "1032:1").
_BEST_RATIO = 1032
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31
#: Compressed bytes fed at once; whole maps of the 2 mm MNI grid fit, in one call.
_FEED = 8 << 20
#: Inflated bytes held at once while skipping.
_SKIP = 4 << 20


def is_gzip(path: str) -> bool:
    """Tell gzip by the first two bytes; names lie."""
    with open(path, "rb") as file:
        return file.read(2) == _GZIP_MAGIC


def read_head(path: str, count: int) -> bytes:
    """Return up to `count` bytes from the start of a file, inflated if it is gzipped.

    Parameters
    ----------
    path : str
        The file.
    count : int
        Bytes wanted; fewer are returned when the file holds fewer.

    Returns
    -------
    bytes
        The head, as far as it can be read.

    Raises
    ------
    OSError
        When the file cannot be read or is no gzip stream inside.
    """
    with open(path, "rb") as file:
        # Deflate may spend a little on block headers before the first byte comes out.
        raw = file.read(count + 4096)
    if not raw.startswith(_GZIP_MAGIC):
        return raw[:count]
    try:
        return isal_zlib.decompressobj(_GZIP_WBITS).decompress(raw, count)
    except isal_zlib.error as error:
        raise OSError(f"its gzip stream is corrupt ({error})") from error


def holds(path: str, needed: int) -> bool:
    """Tell whether a file can hold `needed` bytes, without reading it if possible.

    A gzip file states its inflated length (modulo 4 GiB) in its last four bytes. A
    truncated one ends in something else, and one made of several members states only
    the last member's length: both are then counted by inflating.

    Parameters
    ----------
    path : str
        The file.
    needed : int
        Bytes that the header promises, itself included.

    Returns
    -------
    bool
        False when the file is certainly too short.
    """
    size = os.path.getsize(path)
    if not is_gzip(path):
        return size >= needed
    if size * _BEST_RATIO < needed:
        return False
    with open(path, "rb") as file:
        file.seek(-4, os.SEEK_END)
        (stated,) = struct.unpack("<I", file.read(4))
        if stated == needed % 2**32:
            return True
        file.seek(0)
        try:
            return sum(map(len, _inflated(file, needed, _SKIP))) == needed
        except (EOFError, isal_zlib.error):
            return False


def read_bytes(path: str, offset: int, count: int) -> npt.NDArray[np.uint8]:
    """Return exactly `count` bytes of a file after `offset`, inflated if gzipped.

    Parameters
    ----------
    path : str
        The file.
    offset, count : int
        Where to start and how much to read, in inflated bytes.

    Returns
    -------
    ndarray of uint8, shape (count,)
        The bytes; read-only.

    Raises
    ------
    EOFError
        When the file ends before.
    OSError
        When it cannot be read, or its gzip stream is corrupt or fails its check sum.
    """
    if not is_gzip(path):
        data = np.fromfile(path, np.uint8, count, offset=offset)
        if data.size < count:
            raise EOFError(f"it ends after {offset + data.size:,} bytes")
        return data
    needed = offset + count
    if os.path.getsize(path) * _BEST_RATIO < needed:
        raise EOFError("it is far too short for what its header promises")
    try:
        with open(path, "rb") as file:
            return _collect(file, offset, count)
    except isal_zlib.error as error:
        raise OSError(f"its gzip stream is corrupt ({error})") from error


def _collect(file: IO[bytes], offset: int, count: int) -> npt.NDArray[np.uint8]:
    """Gather bytes offset..offset+count of a gzip stream, holding little else."""
    # A short way to the voxels is inflated with them: one call, one block of memory.
    step = offset + count if offset <= _SKIP else _SKIP
    parts: list[npt.NDArray[np.uint8]] = []
    at = 0
    for piece in _inflated(file, offset + count, step):
        part = np.frombuffer(piece, np.uint8)[max(0, offset - at) :]
        at += len(piece)
        if part.size:
            parts.append(part)
    if at < offset + count:
        raise EOFError(f"it ends after {at:,} bytes")
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def _inflated(file: IO[bytes], needed: int, step: int) -> Iterator[bytes]:
    """Yield the first `needed` inflated bytes in pieces of up to `step`.

    Members that follow each other are joined, as gzip demands. When the wanted bytes
    end where a member does, its check sum has been compared.
    """
    inflater = isal_zlib.decompressobj(_GZIP_WBITS)
    raw = file.read(_FEED)
    while raw and needed > 0:
        piece = inflater.decompress(raw, min(step, needed))
        needed -= len(piece)
        yield piece
        if inflater.eof:
            raw = inflater.unused_data or file.read(_FEED)
            if not raw.startswith(_GZIP_MAGIC):
                return
            inflater = isal_zlib.decompressobj(_GZIP_WBITS)
        else:
            raw = inflater.unconsumed_tail or file.read(_FEED)
    if needed == 0 and raw and not inflater.eof:
        # One byte more makes the stream reach its check sum, if this is its end.
        inflater.decompress(raw, 1)
