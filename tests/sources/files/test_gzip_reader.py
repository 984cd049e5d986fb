"""Bytes of plain and gzipped files."""

import gzip
import itertools
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest

from napari_neurosynth_results.sources.files import gzip_reader
from napari_neurosynth_results.sources.files.gzip_reader import (
    holds_bytes,
    is_gzip,
    read_bytes,
    read_head,
)


@pytest.fixture
def noise() -> bytes:
    """More bytes than are fed at once, hardly compressible."""
    return np.random.default_rng(2).bytes(3 << 20)


@pytest.fixture
def file(tmp_path):
    def write(content: bytes, name: str = "z.nii.gz") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


def stored_member(data: bytes, length: int) -> bytes:
    """Return a gzip member of an exact length: its comment fills it up."""
    body = zlib.compressobj(0, zlib.DEFLATED, -15)
    deflated = body.compress(data) + body.flush()
    trailer = struct.pack("<II", zlib.crc32(data), len(data))
    head = b"\x1f\x8b\x08\x10" + bytes(4) + b"\x00\xff"
    comment = length - len(head) - 1 - len(deflated) - len(trailer)
    assert comment >= 0
    return head + b"c" * comment + b"\0" + deflated + trailer


def test_gzip_is_told_by_content(file):
    assert is_gzip(file(gzip.compress(b"x"), "plain.nii"))
    assert not is_gzip(file(b"plain", "zipped.nii.gz"))
    assert not is_gzip(file(b"\x1f", "short.nii.gz"))


@pytest.mark.parametrize("zipped", [False, True])
def test_any_stretch_of_a_file_is_read_exactly(file, noise, zipped):
    path = file(gzip.compress(noise, 1) if zipped else noise)
    for offset, count in [(0, 1), (0, len(noise)), (352, 4096), (2 << 20, 1 << 20)]:
        data = read_bytes(path, offset, count, len(noise))
        assert data.tobytes() == noise[offset : offset + count]
        held = data.nbytes if data.base is None else len(data.base)
        assert held <= data.nbytes + 4096, "the bytes before must not be kept alive"
    assert read_head(path, 540) == noise[:540]


@pytest.mark.parametrize("zipped", [False, True])
def test_head_of_a_short_file_is_all_of_it(file, zipped):
    assert read_head(file(gzip.compress(b"abc") if zipped else b"abc"), 540) == b"abc"


def test_head_behind_a_long_gzip_header_is_found(file, noise):
    path = file(stored_member(noise[:600], 100_000))
    assert read_head(path, 540) == noise[:540]


def test_members_are_joined(file, noise):
    cuts = [0, 0, 1, 300, 2 << 20, len(noise)]
    pieces = [noise[a:b] for a, b in itertools.pairwise(cuts)]
    path = file(b"".join(gzip.compress(piece, 1) for piece in pieces))
    assert read_bytes(path, 0, len(noise)).tobytes() == noise
    assert read_head(path, 540) == noise[:540]
    assert holds_bytes(path, len(noise))
    assert not holds_bytes(path, len(noise) + 1)


@pytest.mark.parametrize("extra", range(-3, 4))
def test_a_member_may_end_anywhere_in_what_is_fed(file, noise, extra):
    # The next magic number is then cut in two, or starts the next feed.
    for feed in (gzip_reader._FIRST_FEED, 3 * gzip_reader._FIRST_FEED):
        first = stored_member(noise[:1000], feed + extra)
        path = file(first + gzip.compress(noise[1000:5000]))
        assert read_bytes(path, 0, 5000).tobytes() == noise[:5000]


@pytest.mark.parametrize("rest", [b"\0" * 700, b"garbage", b"\x1f", b"\x1f\x00"])
def test_padding_behind_the_last_member_is_ignored(file, noise, rest):
    path = file(gzip.compress(noise[:5000]) + rest)
    assert holds_bytes(path, 5000)
    assert not holds_bytes(path, 5001)
    assert read_bytes(path, 1000, 4000).tobytes() == noise[1000:5000]


def test_a_gzip_cut_at_any_length_is_told(file, noise):
    whole = gzip.compress(noise[:300] + bytes(300))
    for length in range(2, len(whole)):
        path = file(whole[:length])
        assert not holds_bytes(path, 600), length
        with pytest.raises((EOFError, OSError)):
            read_bytes(path, 0, 600)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_ends_before_is_told(file, noise, zipped):
    path = file(gzip.compress(noise) if zipped else noise)
    assert holds_bytes(path, len(noise))
    assert not holds_bytes(path, len(noise) + 1)
    assert not holds_bytes(path, 2**45)
    for offset, count in [(0, len(noise) + 1), (len(noise), 1), (2**45, 8)]:
        with pytest.raises(EOFError):
            read_bytes(path, offset, count)


@pytest.mark.parametrize("back", [1, 4, 5, 8])
def test_a_wrong_check_sum_or_length_is_told(file, noise, back):
    broken = bytearray(gzip.compress(noise))
    broken[-back] ^= 1
    with pytest.raises(OSError, match="corrupt"):
        read_bytes(file(bytes(broken)), 352, len(noise) - 352)


def test_a_check_sum_behind_other_volumes_is_compared(file, noise):
    # Swapped stored bytes inflate without complaint: only the sum can tell.
    broken = bytearray(gzip.compress(noise, 0))
    broken[1000] ^= 1
    path = file(bytes(broken))
    with pytest.raises(OSError, match="corrupt"):
        read_bytes(path, 352, 4096, len(noise))


def test_what_a_header_promises_takes_no_memory(file):
    path = file(gzip.compress(b"abc"))
    tracemalloc.start()
    with pytest.raises(EOFError, match="far too short"):
        read_bytes(path, 0, 1 << 33)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_inflating_holds_little_beside_what_was_asked_for(file):
    whole = 64 << 20
    path = file(gzip.compress(bytes(whole), 1))
    tracemalloc.start()
    data = read_bytes(path, whole // 2, 1 << 20, whole)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.nbytes == 1 << 20
    # A piece in the making is grown by doubling, so may be there twice and a half.
    assert peak < (1 << 20) + 3 * gzip_reader._PIECE + 2 * gzip_reader._FEED


@pytest.mark.slow
def test_many_empty_members_do_not_hang(file):
    path = file(gzip.compress(b"") * 100_000 + gzip.compress(b"abc"))
    start = time.perf_counter()
    assert read_bytes(path, 0, 3).tobytes() == b"abc"
    assert time.perf_counter() - start < 20


def test_a_stream_that_goes_on_without_end_is_refused(file):
    path = file(gzip.compress(b"abc" + bytes(gzip_reader._MOST_BEHIND + (1 << 20)), 1))
    with pytest.raises(OSError, match="far beyond its voxels"):
        read_bytes(path, 0, 3)
    assert not holds_bytes(path, 3)
