"""Bytes of small files, right and broken."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from html import escape
from typing import Any

import nibabel as nib
import numpy as np

#: 20 mm voxels over the whole brain.
AFFINE = np.array(
    [[20, 0, 0, -70], [0, 20, 0, -110], [0, 0, 20, -60], [0, 0, 0, 1]], float
)


def nifti_bytes(
    data: Any, affine: Any = AFFINE, *, dtype: Any = np.float32, big: bool = False
) -> bytes:
    """Return a gzipped NIfTI image."""
    header = nib.Nifti1Header(endianness=">" if big else "<")
    image = nib.Nifti1Image(np.asarray(data, dtype), affine, header)
    # The header given states float32, which would win over the type of the voxels.
    image.set_data_dtype(dtype)
    return gzip.compress(image.to_bytes(), mtime=0)


def five_dimensions(data: Any) -> bytes:
    """Return voxels as AFNI's five-dimensional images: x, y, z, 1, n."""
    return nifti_bytes(np.asarray(data)[..., None, None].repeat(2, axis=4))


def four_dimensions(data: Any, count: int = 2) -> bytes:
    """Return voxels several times over, in one image."""
    return nifti_bytes(np.asarray(data)[..., None].repeat(count, axis=3))


def with_nan(data: Any) -> bytes:
    """Return an image whose background is not a number."""
    values = np.asarray(data, np.float32)
    return nifti_bytes(np.where(values == 0, np.nan, values))


def zeros(shape: tuple[int, ...] = (8, 9, 8)) -> bytes:
    """Return an image in which nothing was found."""
    return nifti_bytes(np.zeros(shape))


def singular_bytes(data: Any) -> bytes:
    """Return an image whose affine cannot be inverted."""
    raw = bytearray(gzip.decompress(nifti_bytes(data)))
    raw[280:328] = b"\0" * 48  # srow_x, srow_y, srow_z
    raw[252:256] = struct.pack("<hh", 0, 1)
    return gzip.compress(bytes(raw), mtime=0)


def truncated_bytes(data: Any) -> bytes:
    """Return three quarters of an image: its header is whole."""
    whole = nifti_bytes(data)
    return whole[: len(whole) * 3 // 4]


def png_bytes() -> bytes:
    """Return a picture of four red pixels."""
    rows = b"\0" + b"\xff\x00\x00" * 2
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows * 2)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        crc = zlib.crc32(name + body)
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)
    return data


def nidm_zip(maps: dict[str, bytes]) -> bytes:
    """Return a NIDM-Results pack of maps."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("nidm.ttl", "@prefix nidm: <http://purl.org/nidash/nidm#> .")
        for name, body in maps.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def label_xml(names: dict[int, str], kind: str = "Label") -> bytes:
    """Return FSL's list of labels, as NeuroVault keeps it."""
    labels = "".join(
        f'<label index="{index}" x="1" y="2" z="3">{escape(name)}</label>'
        for index, name in names.items()
    )
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><atlas version="1.0"><header>'
        f"<name>An atlas</name><type>{kind}</type></header>"
        f"<data>{labels}</data></atlas>"
    )
    return text.encode("latin-1")
