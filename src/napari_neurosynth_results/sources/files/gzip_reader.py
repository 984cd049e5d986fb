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
#: With the one way of compressing that there is: raw voxels may begin like the rest.
_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_WBITS = 31
#: Bytes of the shortest gzip member: its header and its trailer.
_LEAST_GZIP = 18
# isal's type stub calls this class an instance.
_Corrupt: type[Exception] = isal_zlib.error  # type: ignore[assignment]
#: Compressed bytes taken from a file first, and at most. They grow, because what is
#: left of them is copied at each step and at the end of each member.
_FIRST_FEED = 4 << 10
_FEED = 1 << 20
#: Files up to this size are inflated in one call, without the interpreter's lock.
_WHOLE = 8 << 20
_LEAD = 4 << 10
#: Inflated bytes held at once beside those that were asked for.
_PIECE = 1 << 20
#: Inflated bytes that often follow the voxels (FreeSurfer's notes, a writer's padding),
#: and those that may.
_LIKELY_BEHIND = 64 << 10
_MOST_BEHIND = 64 << 20


def is_gzip(path: str) -> bool:
    """Tell gzip by how a file begins; names lie."""
    with open(path, "rb") as file:
        return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


def read_head(path: str, count: int) -> bytes:
    """Return up to `count` bytes from the start of a file, inflated if it is gzipped.

    Parameters
    ----------
    count : int
        Bytes wanted; fewer are returned when the file holds fewer.

    Returns
    -------
    bytes
        The head, as far as it can be read.

    Raises
    ------
    EOFError
        When a gzip stream breaks off before.
    OSError
        When the file cannot be read or is no gzip stream inside.
    """
    with open(path, "rb") as file:
        raw = file.read(count)
        if not raw.startswith(_GZIP_MAGIC):
            return raw
        file.seek(0)
        stream = _GzipStream(file)
        head = b""
        while len(head) < count and (piece := stream.read(count - len(head))):
            head += piece
        return head


def holds_bytes(path: str, needed: int) -> bool:
    """Tell whether a file can hold `needed` bytes, without reading it if possible.

    A gzip file states its inflated length (modulo 4 GiB) in its last four bytes. A
    truncated one ends in something else, and one made of several members states only
    the last member's length: both are then counted by inflating.

    Parameters
    ----------
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
    if size < _LEAST_GZIP or size * _BEST_RATIO < needed:
        return False
    with open(path, "rb") as file:
        file.seek(-4, os.SEEK_END)
        (stated,) = struct.unpack("<I", file.read(4))
        if (stated - needed) % 2**32 <= _LIKELY_BEHIND:
            return True
        file.seek(0)
        try:
            stream = _GzipStream(file)
            _skip(stream, needed)
            _finish(stream)
        except (OSError, EOFError):
            return False
        return True


def read_bytes(
    path: str, offset: int, count: int, end: int | None = None
) -> npt.NDArray[np.uint8]:
    """Return exactly `count` bytes of a file after `offset`, inflated if gzipped.

    Parameters
    ----------
    offset, count : int
        Where to start and how much to read, in inflated bytes.
    end : int, optional
        Where the last of the file's volumes ends, when it is not what is read. A gzip
        stream is followed to there: only its end holds the check sum of all before.

    Returns
    -------
    ndarray of uint8, shape (count,)
        The bytes, in memory of their own; not always writeable.

    Raises
    ------
    EOFError
        When the file ends before.
    OSError
        When it cannot be read, or its gzip stream is corrupt or fails its check sum.
    """
    size = os.path.getsize(path)
    if not is_gzip(path):
        if size < offset + count:
            raise EOFError(f"it ends after {size:,} bytes")
        return np.fromfile(path, np.uint8, count, offset=offset)
    if size * _BEST_RATIO < offset + count:
        raise EOFError("it is far too short for what its header promises")
    with open(path, "rb") as file:
        stream = _GzipStream(file, feed=size if size <= _WHOLE else _FIRST_FEED)
        # A header's few bytes are cheaper kept than skipped in a step of their own.
        lead = offset if offset <= _LEAD else 0
        _skip(stream, offset - lead)
        data = _fill(stream, lead + count, at_once=size <= _WHOLE)[lead:]
        _skip(stream, max(0, (end or 0) - offset - count))
        _finish(stream)
    return data


def read_pieces(
    path: str, offset: int, count: int, times: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield pieces of a file that follow each other, inflated once if gzipped.

    Parameters
    ----------
    offset, count : int
        Where the first piece starts and how long each is, in inflated bytes.
    times : int
        How many there are.

    Yields
    ------
    ndarray of uint8, shape (count,)
        Each in memory of its own; not always writeable.

    Raises
    ------
    EOFError
        When the file ends before.
    OSError
        When it cannot be read, or its gzip stream is corrupt or fails its check sum.
    """
    if not is_gzip(path):
        for n in range(times):
            yield read_bytes(path, offset + n * count, count)
        return
    if os.path.getsize(path) * _BEST_RATIO < offset + times * count:
        raise EOFError("it is far too short for what its header promises")
    with open(path, "rb") as file:
        stream = _GzipStream(file)
        _skip(stream, offset)
        for _ in range(times):
            yield _fill(stream, count, at_once=False)
        _finish(stream)


def inflated_length(path: str, most: int) -> int:
    """Inflate a whole gzip file, keeping nothing, so that its check sums are tested.

    Parameters
    ----------
    most : int
        Stop beyond this many inflated bytes.

    Returns
    -------
    int
        How many there are; more than `most` when it stopped.

    Raises
    ------
    EOFError
        When the stream breaks off.
    OSError
        When the file cannot be read, is corrupt or fails a check sum.
    """
    length = 0
    with open(path, "rb") as file:
        stream = _GzipStream(file)
        while length <= most and (piece := stream.read(_PIECE)):
            length += len(piece)
    return length


class _GzipStream:
    """A gzip file read forward: its members joined, as gzip demands, and checked.

    Parameters
    ----------
    file : binary file
        Open at its start.
    feed : int
        Compressed bytes to take from it first.
    """

    def __init__(self, file: IO[bytes], feed: int = _FIRST_FEED) -> None:
        self._file = file
        self._start_member(feed)

    def _start_member(self, feed: int = _FIRST_FEED) -> None:
        self._inflater = isal_zlib.decompressobj(_GZIP_WBITS)
        self._feed = feed
        self._raw = self._file.read(self._feed)

    def read(self, most: int) -> bytes:
        """Return 1 to `most` bytes; none after the last member, whose sum was right."""
        while True:
            if self._inflater.eof and not self._next_member():
                return b""
            try:
                piece = self._inflater.decompress(self._raw, most)
            except _Corrupt as error:
                raise OSError(f"its gzip stream is corrupt ({error})") from error
            self._raw = self._inflater.unconsumed_tail
            if piece:
                return bytes(piece)
            if not self._raw and not self._inflater.eof:
                self._feed = min(2 * self._feed, _FEED)
                self._raw = self._file.read(self._feed)
                if not self._raw:
                    raise EOFError("its gzip stream breaks off")

    def _next_member(self) -> bool:
        # Back to where the member ended, because its last feed may cut the next magic
        # number in two. What follows may also be padding, which gzip ignores.
        self._file.seek(-len(self._inflater.unused_data), os.SEEK_CUR)
        at = self._file.tell()
        # Behind a member, what only begins like another is damage.
        if self._file.read(2) != _GZIP_MAGIC[:2]:
            self._file.seek(at)
            return False
        self._file.seek(at)
        self._start_member()
        return True


def _skip(stream: _GzipStream, count: int) -> None:
    """Read on, keeping nothing."""
    while count > 0:
        if not (piece := stream.read(min(count, _PIECE))):
            raise EOFError(f"{count:,} bytes are missing")
        count -= len(piece)


def _finish(stream: _GzipStream) -> None:
    """Read to the end, where the check sum of all that was read is."""
    # Broken voxels often inflate to more than there were, so the end is not at hand.
    behind = 0
    while piece := stream.read(_PIECE):
        behind += len(piece)
        if behind > _MOST_BEHIND:
            raise OSError("its gzip stream goes on far beyond its voxels")


def _fill(stream: _GzipStream, count: int, at_once: bool) -> npt.NDArray[np.uint8]:
    """Read exactly `count` bytes into one block of memory."""
    first = stream.read(count if at_once else min(count, _PIECE))
    if len(first) == count:
        return np.frombuffer(first, np.uint8)
    if not first:
        raise EOFError(f"{count:,} bytes are missing")
    data = np.empty(count, np.uint8)
    at = len(first)
    data[:at] = np.frombuffer(first, np.uint8)
    while at < count:
        if not (piece := stream.read(min(count - at, _PIECE))):
            raise EOFError(f"{count - at:,} bytes are missing")
        data[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    return data
